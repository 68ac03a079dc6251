/* The file as a whole: its header, in an order in which everything is known before it is needed, then its
 * steps. Called through definition.h by API, registry and tools. Never stops at the first mistake, and gives
 * no plan when there is one. */
#include "engine/definition/definition.h"

#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/sha256.h"
#include "engine/definition/load.h"

/* ---- header ---- */

static void read_identity(struct load *load, const struct keys_values *values)
{
    const struct tree *name = values->of[KEYS_FILE_SAGA];
    const struct tree *version = values->of[KEYS_FILE_VERSION];
    const struct tree *description = values->of[KEYS_FILE_DESCRIPTION];
    int64_t number = 0;
    if (name && load_name(load, name->text, name->place, '-', "name of a saga"))
        load->plan->name = name->text;
    if (version && load_integer(load, version, 1, INT32_MAX, &number))
        load->plan->version = (int32_t)number;
    if (!description)
        return;
    load->plan->description = description->text;
    if (description->text.size > LIMITS_DESCRIPTION_BYTES)
        problem_add(load->diags, description->place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                    "`description` has at most %d bytes, this one has %zu", LIMITS_DESCRIPTION_BYTES,
                    description->text.size);
}

static void read_input(struct load *load, const struct tree *tree)
{
    struct keys_values values;
    keys_read(tree, KEYS_TABLE_INPUT, load->diags, &values);
    if (values.of[KEYS_INPUT_SCHEMA])
        load->plan->input_schema = load_schema(load, values.of[KEYS_INPUT_SCHEMA]);
}

static void read_search(struct load *load, const struct tree *tree)
{
    if (tree->count > LIMITS_SEARCH_COUNT) {
        problem_add(load->diags, tree->key_place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                    "`search` has at most %d attributes, this one has %u", LIMITS_SEARCH_COUNT, tree->count);
        return;
    }
    struct plan_search *search = arena_array(load->arena, tree->count, sizeof *search);
    for (const struct tree *entry = tree->first; entry; entry = entry->next) {
        (void)load_name(load, entry->key, entry->key_place, '_', "name of a search attribute");
        if (entry->depth > 0 || entry->kind == TREE_NULL)
            problem_add(load->diags, entry->kind == TREE_NULL ? entry->key_place : entry->place,
                        PROBLEM_WRONG_TYPE, STR("such as ${ $input.customer }"),
                        "a search attribute is an expression, not %s", tree_kind_text(entry->kind));
        else
            search[load->plan->search_count++] = (struct plan_search){
                entry->key, load_program(load, entry, (struct load_scope){.where = LOAD_AT_START})};
    }
    load->plan->search = search;
}

/* Without `defaults` the language's own stand. */
static void read_defaults(struct load *load, const struct tree *tree)
{
    struct load_defaults *defaults = &load->defaults;
    *defaults = (struct load_defaults){.timeout_us = 10 * DURATION_SECOND_US,
                                       .start_within_us = 3600 * DURATION_SECOND_US,
                                       .retry = load_retry_of_step(),
                                       .undo_retry = load_retry_of_undo()};
    if (!tree)
        return;
    struct keys_values values;
    keys_read(tree, KEYS_TABLE_DEFAULTS, load->diags, &values);
    if (values.of[KEYS_DEFAULTS_TIMEOUT])
        (void)load_duration(load, values.of[KEYS_DEFAULTS_TIMEOUT], &defaults->timeout_us);
    if (values.of[KEYS_DEFAULTS_START_WITHIN])
        (void)load_duration(load, values.of[KEYS_DEFAULTS_START_WITHIN], &defaults->start_within_us);
    load_retry(load, values.of[KEYS_DEFAULTS_RETRY], false, &defaults->retry);
    const struct tree *compensate = values.of[KEYS_DEFAULTS_COMPENSATE];
    if (!compensate)
        return;
    keys_read(compensate, KEYS_TABLE_DEFAULTS_COMPENSATE, load->diags, &values);
    if (values.of[KEYS_DEFAULTS_COMPENSATE_TIMEOUT])
        (void)load_duration(load, values.of[KEYS_DEFAULTS_COMPENSATE_TIMEOUT], &defaults->undo_timeout_us);
    load_retry(load, values.of[KEYS_DEFAULTS_COMPENSATE_RETRY], false, &defaults->undo_retry);
}

enum { PARK, COMPLETE }; /* on_output_failure, as in words.def */

static void read_file(struct load *load, const struct tree *root)
{
    struct keys_values values;
    if (root->kind != TREE_MAPPING) {
        problem_add(load->diags, root->place, PROBLEM_WRONG_TYPE,
                    STR("a definition begins with `saga: name`"), "a definition is a mapping, not %s",
                    tree_kind_text(root->kind));
        return;
    }
    keys_read(root, KEYS_TABLE_FILE, load->diags, &values);
    const struct tree *const *of = values.of;
    read_identity(load, &values);
    if (of[KEYS_FILE_INPUT])
        read_input(load, of[KEYS_FILE_INPUT]);
    if (of[KEYS_FILE_TIMEOUT] && load_duration(load, of[KEYS_FILE_TIMEOUT], &load->plan->timeout_us))
        load->timeout_place = of[KEYS_FILE_TIMEOUT]->place;
    if (of[KEYS_FILE_KEY])
        load->plan->key = load_program(load, of[KEYS_FILE_KEY], (struct load_scope){.where = LOAD_AT_START});
    if (of[KEYS_FILE_SEARCH])
        read_search(load, of[KEYS_FILE_SEARCH]);
    read_defaults(load, of[KEYS_FILE_DEFAULTS]);
    load_steps(load, of[KEYS_FILE_STEPS]);
    if (of[KEYS_FILE_OUTPUT])
        load->plan->output =
            load_program(load, of[KEYS_FILE_OUTPUT], (struct load_scope){.where = LOAD_AT_OUTPUT});
    int index;
    if (of[KEYS_FILE_ON_OUTPUT_FAILURE] &&
        load_word(load, of[KEYS_FILE_ON_OUTPUT_FAILURE], KEYS_FILE_ON_OUTPUT_FAILURE, &index))
        load->plan->completes_without_output = index == COMPLETE;
}

/* ---- participants ---- */

static int compare_names(const void *left, const void *right)
{
    const struct str *a = left;
    const struct str *b = right;
    return str_compare(*a, *b);
}

static uint32_t add_participant(struct str *names, uint32_t count, const struct plan_action *action)
{
    if (action->participant.size && action->via == PLAN_VIA_STREAM)
        names[count++] = action->participant;
    return count;
}

static void list_participants(struct load *load)
{
    enum { ACTIONS_OF_STEP = 3 };
    uint32_t count = 0;
    struct str *names =
        arena_array(load->arena, (size_t)load->plan->step_count * ACTIONS_OF_STEP, sizeof *names);
    for (uint16_t i = 1; i < load->plan->node_count; i++) {
        const struct plan_node *node = &load->nodes[i];
        if (node->kind != PLAN_STEP)
            continue;
        count = add_participant(names, count, &node->step->run);
        count = add_participant(names, count, &node->step->undo);
        count = add_participant(names, count, &node->step->verify);
    }
    qsort(names, count, sizeof *names, compare_names);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || !str_equal(names[kept - 1], names[i]))
            names[kept++] = names[i];
    }
    load->plan->participants = names;
    load->plan->participant_count = kept;
}

/* ---- entries ---- */

const struct plan *definition_load(struct arena *arena, struct str text, const struct definition_files *files,
                                   struct diag_list *diags)
{
    check(arena != NULL && diags != NULL);
    size_t errors_before = diags->error_count;
    size_t bytes_before = arena->used;
    struct str own = arena_copy(arena, text);
    if (!diags->source.size)
        diags->source = own;
    struct load *load = arena_new(arena, struct load);
    *load = (struct load){.arena = arena,
                          .diags = diags,
                          .files = files,
                          .yaml = own,
                          .plan = arena_new(arena, struct plan),
                          .bytes_before = bytes_before};
    const struct tree *root = tree_read(arena, own, diags);
    map_init(&load->ids);
    if (root)
        read_file(load, root);
    map_fini(&load->ids);
    if (diags->error_count == errors_before)
        load_checks(load);
    diag_sort(diags);
    if (diags->error_count != errors_before)
        return NULL;
    list_participants(load);
    load->plan->bundle = load_bundle(load, own);
    sha256_hex(load->plan->bundle, load->plan->hash);
    return load->plan;
}

static enum err read_bundled(void *context, struct str path, struct arena *arena, struct str *text,
                             struct err_note *note)
{
    const struct json *file = json_get(context, path);
    if (!file || file->kind != JSON_STRING)
        return err_note(note, ERR_NOT_FOUND, "not among the stored files");
    *text = arena_copy(arena, file->text);
    return ERR_OK;
}

const struct plan *definition_load_bundle(struct arena *arena, struct str bundle, struct diag_list *diags)
{
    struct err_note note;
    const struct json *parsed;
    if (json_parse(arena, bundle, LIMITS_BUNDLE_BYTES, &parsed, &note) != ERR_OK) {
        problem_add(diags, (struct diag_place){0}, PROBLEM_BAD_BUNDLE, STR(""), "no stored definition: %s",
                    note.text);
        return NULL;
    }
    const struct json *yaml = json_get(parsed, STR("yaml"));
    if (!yaml || yaml->kind != JSON_STRING) {
        problem_add(diags, (struct diag_place){0}, PROBLEM_BAD_BUNDLE, STR(""),
                    "no stored definition: `yaml` is missing");
        return NULL;
    }
    struct definition_files files = {.context = (void *)json_get(parsed, STR("files")), .read = read_bundled};
    return definition_load(arena, yaml->text, &files, diags);
}
