/* One step: its keys become a plan_step with nothing left out. Part of load.h; called by load_steps.c. Never
 * looks at other steps: load_refs.c does. */
#include "engine/definition/load.h"
#include "engine/definition/word.h"

static const struct load_action_keys step_keys = {KEYS_STEP_COMMAND, KEYS_STEP_VIA, KEYS_STEP_TIMEOUT,
                                                  KEYS_STEP_RETRY};
static const struct load_action_keys undo_keys = {KEYS_COMPENSATE_COMMAND, KEYS_COMPENSATE_VIA,
                                                  KEYS_COMPENSATE_TIMEOUT, KEYS_COMPENSATE_RETRY};
static const struct load_action_keys verify_keys = {KEYS_VERIFY_COMMAND, KEYS_VERIFY_VIA, KEYS_VERIFY_TIMEOUT,
                                                    KEYS_VERIFY_RETRY};

bool load_is_error_code(struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '-' || c == '.';
        if (!fine)
            return false;
    }
    return text.size > 0 && text.size <= LIMITS_ERROR_CODE_BYTES;
}

void load_refuse_error_code(struct load *load, struct str text, struct diag_place place)
{
    problem_add(load->diags, place, PROBLEM_BAD_NAME,
                STR("letters, digits, _ - and . as in CARD_EXPIRED; at most 64 bytes"),
                "\"%.*s\" cannot be an error code", STR_ARG(text));
}

/* Words for "all others" elsewhere, which a service hardly has as a code. */
static void warn_of_any(struct load *load, const struct tree *rule)
{
    static const struct str words[] = {WORD("any"),    WORD("all"),  WORD("default"),   WORD("other"),
                                       WORD("others"), WORD("else"), WORD("otherwise"), WORD("_")};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_equal_nocase(rule->key, words[i]))
            problem_add(load->diags, rule->key_place, PROBLEM_ANY_CODE,
                        STR("the rule for every other code is \"*\""),
                        "\"%.*s\" is the one error code of this name", STR_ARG(rule->key));
}

void load_errors(struct load *load, const struct tree *tree, bool child, struct plan_step *step)
{
    /* A child that has ended stays so: there is nothing to try again. */
    static const enum plan_on_error of_child[] = {PLAN_ON_ERROR_FAIL, PLAN_ON_ERROR_PARK,
                                                  PLAN_ON_ERROR_CONTINUE};
    enum keys_key key = child ? KEYS_CHILD_ERRORS_ANY : KEYS_ERRORS_ANY;
    if (tree->count > LIMITS_ERROR_RULES) {
        problem_add(load->diags, tree->place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                    "a step has at most %d `errors`", LIMITS_ERROR_RULES);
        return;
    }
    struct plan_error_rule *rules = arena_array(load->arena, tree->count, sizeof *rules);
    for (const struct tree *entry = tree->first; entry; entry = entry->next) {
        int index = 0;
        warn_of_any(load, entry);
        if (!load_is_error_code(entry->key) && !str_equal(entry->key, STR(PLAN_ANY_CODE)))
            load_refuse_error_code(load, entry->key, entry->key_place);
        if (entry->kind != TREE_BROKEN && !load_word(load, entry, key, &index))
            continue;
        rules[step->error_count++] =
            (struct plan_error_rule){entry->key, child ? of_child[index] : (enum plan_on_error)index};
    }
    step->errors = rules;
}

static void read_output(struct load *load, const struct tree *tree, struct plan_step *step)
{
    struct keys_values values;
    keys_read(tree, KEYS_TABLE_STEP_OUTPUT, load->diags, &values);
    if (values.of[KEYS_STEP_OUTPUT_SCHEMA])
        step->output_schema = load_schema(load, values.of[KEYS_STEP_OUTPUT_SCHEMA]);
}

static void read_verify(struct load *load, const struct tree *tree, struct plan_step *step)
{
    step->has_verify = true;
    step->verify = (struct plan_action){.via = step->run.via,
                                        .with = step->run.with,
                                        .timeout_us = step->run.timeout_us,
                                        .retry = load->defaults.retry};
    if (tree->kind == TREE_STRING) {
        (void)load_command(load, tree, step->verify.via, &step->verify);
        return;
    }
    struct keys_values values;
    keys_read(tree, KEYS_TABLE_VERIFY, load->diags, &values);
    load_action(load, &values, verify_keys, false, &step->verify);
}

/* ---- the way back ---- */

static void read_undo(struct load *load, const struct tree *tree, uint16_t node, struct plan_step *step)
{
    const struct load_defaults *defaults = &load->defaults;
    step->has_undo = true;
    step->undo = (struct plan_action){.via = step->run.via,
                                      .with = step->run.with,
                                      .timeout_us = defaults->undo_timeout_us ? defaults->undo_timeout_us
                                                                              : step->run.timeout_us,
                                      .retry = defaults->undo_retry};
    if (tree->kind == TREE_STRING) {
        (void)load_command(load, tree, step->undo.via, &step->undo);
        return;
    }
    struct keys_values values;
    keys_read(tree, KEYS_TABLE_COMPENSATE, load->diags, &values);
    load_action(load, &values, undo_keys, false, &step->undo);
    const struct tree *with = values.of[KEYS_COMPENSATE_WITH];
    if (with)
        step->undo.with = load_program(load, with, (struct load_scope){LOAD_AT_UNDO, node});
}

static void refuse_undo(struct load *load, const struct tree *tree, bool is_pivot)
{
    problem_add(load->diags, tree->place, PROBLEM_COMPENSATE_AFTER_PIVOT,
                STR("leave it out, or write `compensate: none`"),
                is_pivot ? "the pivot is never undone, so it cannot have a compensation"
                         : "a step behind the pivot is never undone, so it cannot have a compensation");
}

/* `compensate`: must be there before the pivot, must not do anything from the pivot on. */
static void read_compensate(struct load *load, const struct keys_values *values, uint16_t node,
                            struct plan_step *step)
{
    const struct tree *tree = values->of[KEYS_STEP_COMPENSATE];
    const struct tree *own = load->trees[node];
    bool returns = !step->pivot && !load->nodes[node].after_pivot;
    if (!tree) {
        bool reported = tree_get(own, keys_text(KEYS_STEP_COMPENSATE)) != NULL;
        if (returns && !reported && !load->is_incomplete)
            problem_add(load->diags, load->nodes[node].place, PROBLEM_COMPENSATE_MISSING,
                        STR("name the command that undoes it, or write `compensate: none`"),
                        load->nodes[node].id.size ? "the step \"%.*s\" does not say how it is undone"
                                                  : "the step%.*s does not say how it is undone",
                        STR_ARG(load->nodes[node].id));
    } else if (tree->kind == TREE_STRING && str_equal(tree->text, STR("none"))) {
        step->has_undo = false;
    } else if (!returns) {
        refuse_undo(load, tree, step->pivot);
    } else {
        read_undo(load, tree, node, step);
    }
}

/* ---- time-outs ---- */

static void read_on_timeout(struct load *load, const struct keys_values *values, uint16_t node,
                            struct plan_step *step)
{
    const struct tree *tree = values->of[KEYS_STEP_ON_TIMEOUT];
    int index;
    if (!tree || !load_word(load, tree, KEYS_STEP_ON_TIMEOUT, &index))
        return;
    step->on_timeout = (enum plan_on_timeout)index;
    if (step->on_timeout == PLAN_ON_TIMEOUT_VERIFY && !step->has_verify &&
        !tree_get(load->trees[node], keys_text(KEYS_STEP_VERIFY)))
        problem_add(load->diags, tree->place, PROBLEM_VERIFY_MISSING,
                    STR("add `verify: participant.action`, a command that tells whether the step happened"),
                    "`on_timeout: verify` needs `verify`");
    if (step->on_timeout == PLAN_ON_TIMEOUT_COMPENSATE && (step->pivot || load->nodes[node].after_pivot))
        problem_add(load->diags, tree->place, PROBLEM_UNDO_AFTER_PIVOT,
                    STR("`retry`, `verify` or `park`: from the pivot on there is no way back"),
                    "`on_timeout: compensate` on a step that is never undone");
}

void load_step(struct load *load, uint16_t node)
{
    struct plan_step *step = arena_new(load->arena, struct plan_step);
    bool after_pivot = load->nodes[node].after_pivot;
    struct keys_values values;
    keys_read(load->trees[node], KEYS_TABLE_STEP, load->diags, &values);
    load->nodes[node].step = step;
    step->pivot = load->pivot == node;
    step->run.timeout_us = load->defaults.timeout_us;
    step->run.retry = load->defaults.retry;
    step->start_within_us = load->defaults.start_within_us;
    if (values.of[KEYS_STEP_START_WITHIN])
        (void)load_duration(load, values.of[KEYS_STEP_START_WITHIN], &step->start_within_us);
    load_action(load, &values, step_keys, after_pivot, &step->run);
    if (values.of[KEYS_STEP_WITH])
        step->run.with = load_program(load, values.of[KEYS_STEP_WITH], (struct load_scope){LOAD_AT_DO, node});
    if (values.of[KEYS_STEP_OUTPUT])
        read_output(load, values.of[KEYS_STEP_OUTPUT], step);
    if (values.of[KEYS_STEP_ERRORS])
        load_errors(load, values.of[KEYS_STEP_ERRORS], false, step);
    if (values.of[KEYS_STEP_VERIFY])
        read_verify(load, values.of[KEYS_STEP_VERIFY], step);
    read_on_timeout(load, &values, node, step);
    read_compensate(load, &values, node, step);
}
