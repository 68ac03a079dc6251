/* Values in files of scenarios: spans, numbers, words, JSON, names of steps, each with its mistake located.
 * Part of scenario_parts.h; called by whoever reads a part of the file. Never runs anything. */
#include "engine/model/scenario_parts.h"

#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/definition/keys.h"
#include "engine/definition/word.h"

static const struct keys_row rows[] = {
#define X(table, name, text, need, form, meaning)                                                            \
    {SCENARIO_TABLE_##table, WORD(text), KEYS_##need, KEYS_FORM_##form},
#include "engine/model/scenario_keys.def"
#undef X
};
static const char *const table_words[] = {
#define X(name, words) words,
#include "engine/model/scenario_tables.def"
#undef X
};
static const struct keys_grammar grammar = {rows, SCENARIO_KEY_COUNT, table_words, NULL, 0};

bool scenario_keys_of(struct scenario_reader *reader, const struct tree *tree, enum scenario_table table,
                      struct scenario_values *values)
{
    *values = (struct scenario_values){0};
    if (tree->kind == TREE_BROKEN)
        return false;
    if (tree->kind != TREE_MAPPING) {
        problem_add(reader->diags, tree->place, PROBLEM_WRONG_TYPE, STR(""), "%s is a mapping, not %s",
                    table_words[table], tree_kind_text(tree->kind));
        return false;
    }
    keys_read_by(&grammar, tree, (int)table, reader->diags, values->of);
    return true;
}

bool scenario_span(struct scenario_reader *reader, const struct tree *tree, int64_t *span_us)
{
    *span_us = 0;
    if (str_equal(tree->text, STR("0s")) || duration_parse(tree->text, span_us))
        return true;
    problem_add(reader->diags, tree->place, PROBLEM_BAD_DURATION,
                STR("digits and one of ms, s, m, h, d: 0s, 250ms, 5s, 10m, 2h, 14d; at most 3650d"),
                "\"%.*s\" is not a duration", STR_ARG(tree->text));
    return false;
}

bool scenario_integer(struct scenario_reader *reader, const struct tree *tree, int64_t least, int64_t most,
                      int64_t *number)
{
    struct json value = {.kind = JSON_NUMBER, .text = tree->text};
    if (tree->kind == TREE_NUMBER && json_to_i64(&value, number) && *number >= least && *number <= most)
        return true;
    problem_add(reader->diags, tree->place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                "`%.*s` is an integer from %lld to %lld", STR_ARG(tree->key), (long long)least,
                (long long)most);
    return false;
}

bool scenario_word(struct scenario_reader *reader, const struct tree *tree, struct str given,
                   const struct str *words, int *index)
{
    struct problem_guess guess = problem_guess_for(given);
    struct buf known;
    buf_init(&known, reader->diags->arena);
    for (int i = 0; words[i].size > 0; i++) {
        if (str_equal(given, words[i])) {
            *index = i;
            return true;
        }
        problem_guess_try(&guess, words[i]);
        buf_printf(&known, "%s`%.*s`", i == 0 ? "one of " : ", ", STR_ARG(words[i]));
    }
    struct str all = buf_str(&known);
    problem_add(reader->diags, tree->place, PROBLEM_BAD_CHOICE,
                problem_guess_hint(&guess, reader->diags->arena, all),
                "\"%.*s\" is not a word that stands here", STR_ARG(given));
    return false;
}

const struct json *scenario_json(struct scenario_reader *reader, const struct tree *tree)
{
    if (tree->depth <= LIMITS_PAYLOAD_DEPTH)
        return tree_json(reader->arena, tree);
    problem_add(reader->diags, tree->place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                "a value has at most %d levels, this one has %u", LIMITS_PAYLOAD_DEPTH, tree->depth);
    return &json_null;
}

/* ---- commands by name ---- */

static bool refuse_name(struct scenario_reader *reader, struct diag_place place, struct str text)
{
    problem_add(
        reader->diags, place, PROBLEM_BAD_COMMAND,
        STR("a step, then its kind and its attempt where they matter: charge, charge/undo, charge/do/2, "
            "parcel[3]/do"),
        "\"%.*s\" does not name a command", STR_ARG(text));
    return false;
}

/* The next part up to a slash; false when there is none left. */
static bool take_part(struct str *rest, struct str *part)
{
    if (!rest->data)
        return false;
    size_t end = str_find(*rest, '/');
    *part = str_slice(*rest, 0, end);
    *rest = end < rest->size ? str_slice(*rest, end + 1, rest->size) : (struct str){0};
    return true;
}

static struct problem_guess guess_step(const struct plan *plan, struct str id)
{
    struct problem_guess guess = problem_guess_for(id);
    for (uint16_t i = 0; i < plan->node_count; i++)
        problem_guess_try(&guess, plan->nodes[i].id);
    return guess;
}

static bool find_node(struct scenario_reader *reader, struct diag_place place, struct scenario_name *name)
{
    struct str id = str_slice(name->path, 0, str_find(name->path, '['));
    if (!reader->plan)
        return false;
    name->node = plan_find(reader->plan, id);
    if (name->node)
        return true;
    struct problem_guess guess = guess_step(reader->plan, id);
    problem_add(reader->diags, place, PROBLEM_UNKNOWN_STEP,
                problem_guess_hint(&guess, reader->diags->arena, STR("")),
                "the definition has no step \"%.*s\"", STR_ARG(id));
    return false;
}

static bool has_command(struct scenario_reader *reader, struct diag_place place,
                        const struct scenario_name *name)
{
    const struct plan_step *step = name->node->step;
    const char *missing = NULL;
    if (name->has_kind && !step)
        missing = "is sent no commands";
    else if (name->has_kind && name->kind == CORE_UNDO && !step->has_undo)
        missing = "has no compensation";
    else if (name->has_kind && name->kind == CORE_VERIFY && !step->has_verify)
        missing = "has no `verify`";
    if (missing)
        problem_add(reader->diags, place, PROBLEM_BAD_COMMAND, STR(""), "\"%.*s\" %s",
                    STR_ARG(name->node->id), missing);
    return !missing;
}

bool scenario_name(struct scenario_reader *reader, struct str text, struct diag_place place,
                   struct scenario_name *name)
{
    struct str rest = text, part;
    int64_t attempt = 0;
    *name = (struct scenario_name){.text = text};
    if (!take_part(&rest, &name->path) || name->path.size == 0)
        return refuse_name(reader, place, text);
    if (take_part(&rest, &part)) {
        name->has_kind = true;
        if (!core_kind_parse(part, &name->kind))
            return refuse_name(reader, place, text);
    }
    if (take_part(&rest, &part)) {
        if (!str_to_i64(part, &attempt) || attempt < 1 || attempt > LIMITS_ATTEMPTS_MAX)
            return refuse_name(reader, place, text);
        name->attempt = (uint32_t)attempt;
    }
    if (rest.data)
        return refuse_name(reader, place, text);
    return find_node(reader, place, name) && has_command(reader, place, name);
}

bool scenario_step(struct scenario_reader *reader, struct str text, struct diag_place place)
{
    struct scenario_name name;
    if (!scenario_name(reader, text, place, &name))
        return false;
    if (name.has_kind)
        problem_add(reader->diags, place, PROBLEM_BAD_COMMAND,
                    arena_printf(reader->diags->arena, "the step alone: %.*s", STR_ARG(name.path)),
                    "\"%.*s\" names a command, and a step is meant", STR_ARG(text));
    return !name.has_kind;
}
