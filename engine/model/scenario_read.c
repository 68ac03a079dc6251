/* A file of scenarios from its text: keys from scenario_keys.def, mistakes located and all told. Called
 * through scenario.h by `sagactl test`. Never runs a scenario of a file that has a mistake. */
#include "engine/model/scenario_parts.h"

#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/definition/definition.h"

/* ---- the definition ---- */

static const struct plan *load_plan(struct scenario_reader *reader, const struct tree *tree, struct str path)
{
    const struct plan *plan = NULL;
    struct diag_list diags;
    struct err_note note = {""};
    if (definition_load_file(reader->arena, path.data, &diags, &plan, &note) != ERR_OK) {
        problem_add(reader->diags, tree->place, PROBLEM_SCHEMA_FILE,
                    STR("the path counts from this file's folder"), "%s", note.text);
        return NULL;
    }
    if (!plan)
        problem_add(reader->diags, tree->place, PROBLEM_BAD_BUNDLE,
                    arena_printf(reader->arena, "sagactl validate %.*s shows them", STR_ARG(path)),
                    "the definition %.*s has %zu mistake%s", STR_ARG(path), diags.error_count,
                    diags.error_count == 1 ? "" : "s");
    return plan;
}

static struct str beside(struct arena *arena, const char *folder, struct str path)
{
    if (str_starts(path, STR("/")) || str_equal(str_from(folder), STR(".")))
        return arena_copy(arena, path);
    return arena_printf(arena, "%s/%.*s", folder, STR_ARG(path));
}

/* ---- a scenario ---- */

static void read_start(struct scenario_reader *reader, const struct tree *seed, const struct tree *starts_at,
                       struct scenario *scenario)
{
    int64_t number = 0;
    if (seed && scenario_integer(reader, seed, 0, INT64_MAX, &number))
        scenario->seed = (uint64_t)number;
    if (!starts_at)
        return;
    if (!duration_time_parse(starts_at->text, &scenario->starts_us) || scenario->starts_us <= 0)
        problem_add(reader->diags, starts_at->place, PROBLEM_BAD_DURATION,
                    STR("a date and time of RFC 3339: 2026-03-01T09:30:00Z"), "\"%.*s\" is not a time",
                    STR_ARG(starts_at->text));
}

static void check_input(struct scenario_reader *reader, const struct tree *tree, const struct json *input)
{
    struct definition_start start = {0};
    if (!reader->plan || definition_start(reader->plan, input, STR(""), reader->arena, &start))
        return;
    for (uint32_t i = 0; i < start.problems.count; i++)
        problem_add(reader->diags, tree->kind == TREE_MAPPING ? tree->key_place : tree->place,
                    PROBLEM_WRONG_TYPE, STR(""), "the input at \"%.*s\": %.*s",
                    STR_ARG(start.problems.items[i].pointer), STR_ARG(start.problems.items[i].message));
}

static void read_defaults(struct scenario_reader *reader, const struct tree *mapping, struct scenario *common)
{
    struct scenario_values values;
    *common = (struct scenario){.seed = 1, .starts_us = play_epoch_us};
    if (!mapping || !scenario_keys_of(reader, mapping, SCENARIO_TABLE_DEFAULTS, &values))
        return;
    read_start(reader, values.of[SCENARIO_DEFAULTS_SEED], values.of[SCENARIO_DEFAULTS_STARTS_AT], common);
    if (values.of[SCENARIO_DEFAULTS_REPLIES])
        common->common = scenario_answers(reader, values.of[SCENARIO_DEFAULTS_REPLIES]);
    if (!values.of[SCENARIO_DEFAULTS_INPUT])
        return;
    common->input = scenario_json(reader, values.of[SCENARIO_DEFAULTS_INPUT]);
    check_input(reader, values.of[SCENARIO_DEFAULTS_INPUT], common->input);
}

static void read_scenario(struct scenario_reader *reader, const struct tree *mapping,
                          struct scenario *scenario)
{
    struct scenario_values values;
    scenario->place = mapping->place;
    if (!scenario_keys_of(reader, mapping, SCENARIO_TABLE_SCENARIO, &values))
        return;
    const struct tree *const *of = values.of;
    if (of[SCENARIO_SCENARIO_NAME])
        scenario->name = of[SCENARIO_SCENARIO_NAME]->text;
    read_start(reader, of[SCENARIO_SCENARIO_SEED], of[SCENARIO_SCENARIO_STARTS_AT], scenario);
    if (of[SCENARIO_SCENARIO_INPUT]) {
        scenario->input = scenario_json(reader, of[SCENARIO_SCENARIO_INPUT]);
        check_input(reader, of[SCENARIO_SCENARIO_INPUT], scenario->input);
    }
    if (of[SCENARIO_SCENARIO_REPLIES])
        scenario->answers = scenario_answers(reader, of[SCENARIO_SCENARIO_REPLIES]);
    if (of[SCENARIO_SCENARIO_EVENTS])
        scenario->events = scenario_events(reader, of[SCENARIO_SCENARIO_EVENTS]);
    if (of[SCENARIO_SCENARIO_EXPECT])
        scenario_expectation(reader, of[SCENARIO_SCENARIO_EXPECT], &scenario->expect);
}

static void check_name(struct scenario_reader *reader, const struct scenario_file *file,
                       const struct scenario *scenario)
{
    for (const struct scenario *other = file->scenarios; other; other = other->next) {
        if (other != scenario && scenario->name.size > 0 && str_equal(other->name, scenario->name))
            problem_add(reader->diags, scenario->place, PROBLEM_DUPLICATE_ID, STR(""),
                        "a scenario before it has the name \"%.*s\"", STR_ARG(scenario->name));
    }
}

static void read_scenarios(struct scenario_reader *reader, const struct tree *list,
                           const struct scenario *common, struct scenario_file *file)
{
    const struct scenario **end = &file->scenarios;
    if (list->count < 1 || list->count > SCENARIO_COUNT_MAX)
        problem_add(reader->diags, list->key_place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                    "a file has 1 to %d scenarios, this one has %u", SCENARIO_COUNT_MAX, list->count);
    for (const struct tree *item = list->first; item; item = item->next) {
        struct scenario *scenario = arena_new(reader->arena, struct scenario);
        *scenario = *common;
        read_scenario(reader, item, scenario);
        check_name(reader, file, scenario);
        *end = scenario;
        end = &scenario->next;
        file->count++;
    }
}

static void read_file(struct scenario_reader *reader, const struct tree *root, const char *folder,
                      struct scenario_file *file)
{
    struct scenario_values values;
    struct scenario common;
    if (!scenario_keys_of(reader, root, SCENARIO_TABLE_FILE, &values))
        return;
    const struct tree *definition = values.of[SCENARIO_FILE_DEFINITION];
    if (definition) {
        file->definition_path = beside(reader->arena, folder, definition->text);
        file->plan = load_plan(reader, definition, file->definition_path);
    }
    reader->plan = file->plan;
    read_defaults(reader, values.of[SCENARIO_FILE_DEFAULTS], &common);
    if (values.of[SCENARIO_FILE_SCENARIOS])
        read_scenarios(reader, values.of[SCENARIO_FILE_SCENARIOS], &common, file);
}

const struct scenario_file *scenario_read(struct arena *arena, struct str text, const char *folder,
                                          struct diag_list *diags)
{
    struct scenario_file *file = arena_new(arena, struct scenario_file);
    struct scenario_reader reader = {.arena = arena, .diags = diags};
    check(arena != NULL && diags != NULL && folder != NULL);
    const struct tree *root = tree_read(arena, text, diags);
    if (root)
        read_file(&reader, root, folder, file);
    diag_sort(diags);
    return diags->error_count > 0 ? NULL : file;
}
