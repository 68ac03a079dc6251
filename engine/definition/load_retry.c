/* The retry of a step or a compensation, with the defaults that the file and the language give. Part of
 * load.h; called by load_step.c. Leaves nothing out: the core has no defaults. */
#include "engine/definition/load.h"

#include "engine/base/duration.h"

enum { MS = 1000, STEP_ATTEMPTS = 5, UNDO_ATTEMPTS = 20, FACTOR_DIGITS = 3 };

struct plan_retry load_retry_of_step(void)
{
    return (struct plan_retry){
        .attempts_max = STEP_ATTEMPTS,
        .factor_milli = 2000,
        .initial_us = 200 * MS,
        .interval_max_us = 30 * DURATION_SECOND_US,
        .jitter = PLAN_JITTER_FULL,
    };
}

struct plan_retry load_retry_of_undo(void)
{
    struct plan_retry retry = load_retry_of_step();
    retry.attempts_max = UNDO_ATTEMPTS;
    retry.interval_max_us = 600 * DURATION_SECOND_US;
    return retry;
}

static void read_attempts(struct load *load, const struct tree *tree, bool unlimited_allowed,
                          struct plan_retry *retry)
{
    if (tree->kind == TREE_STRING && str_equal(tree->text, STR("unlimited"))) {
        retry->attempts_max = LIMITS_ATTEMPTS_MAX;
        if (!unlimited_allowed)
            problem_add(load->diags, tree->place, PROBLEM_OUT_OF_BOUNDS,
                        STR("give a number: what can be undone must end, so that it can be undone"),
                        "`unlimited` attempts are for steps behind the pivot and in no scope");
        return;
    }
    int64_t number;
    if (load_integer(load, tree, 1, LIMITS_ATTEMPTS_MAX, &number))
        retry->attempts_max = (uint32_t)number;
}

/* Thousandths of a plain decimal; false when it has more digits or an exponent. */
static bool parse_milli(struct str text, uint32_t *milli)
{
    struct str whole = str_slice(text, 0, str_find(text, '.'));
    struct str fraction = str_slice(text, whole.size + 1, text.size);
    int64_t value;
    if (fraction.size > FACTOR_DIGITS || whole.size > FACTOR_DIGITS || !str_to_i64(whole, &value) ||
        value < 0)
        return false;
    for (size_t i = 0; i < FACTOR_DIGITS; i++) {
        char digit = i < fraction.size ? fraction.data[i] : '0';
        if (digit < '0' || digit > '9')
            return false;
        value = value * 10 + (digit - '0');
    }
    *milli = (uint32_t)value;
    return true;
}

static void read_factor(struct load *load, const struct tree *tree, struct plan_retry *retry)
{
    uint32_t milli;
    if (parse_milli(tree->text, &milli) && milli >= 1000 && milli <= 100000)
        retry->factor_milli = milli;
    else
        problem_add(load->diags, tree->place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                    "`factor` is a number from 1 to 100 with at most three digits behind the point");
}

static void read_jitter(struct load *load, const struct tree *tree, struct plan_retry *retry)
{
    int index;
    if (load_word(load, tree, KEYS_RETRY_JITTER, &index))
        retry->jitter = (enum plan_jitter)index;
}

static void read_max_elapsed(struct load *load, const struct tree *tree, struct plan_retry *retry)
{
    if (str_equal(tree->text, STR("none")))
        retry->elapsed_max_us = 0;
    else
        (void)load_duration(load, tree, &retry->elapsed_max_us);
}

static void check_order(struct load *load, const struct keys_values *values, const struct plan_retry *retry)
{
    const struct tree *initial = values->of[KEYS_RETRY_INITIAL];
    const struct tree *longest = values->of[KEYS_RETRY_MAX_INTERVAL];
    if (retry->initial_us <= retry->interval_max_us || (!initial && !longest))
        return;
    problem_add(load->diags, initial ? initial->place : longest->place, PROBLEM_RETRY_ORDER,
                STR("max_interval bounds every pause, the first too"),
                "the first pause (%s) is longer than the longest (%s)",
                duration_text(load->diags->arena, retry->initial_us).data,
                duration_text(load->diags->arena, retry->interval_max_us).data);
}

void load_retry(struct load *load, const struct tree *tree, bool unlimited_allowed, struct plan_retry *retry)
{
    if (!tree)
        return;
    struct keys_values values;
    keys_read(tree, KEYS_TABLE_RETRY, load->diags, &values);
    const struct tree *const *of = values.of;
    bool durations_fine = true;
    if (of[KEYS_RETRY_MAX_ATTEMPTS])
        read_attempts(load, of[KEYS_RETRY_MAX_ATTEMPTS], unlimited_allowed, retry);
    if (of[KEYS_RETRY_INITIAL])
        durations_fine = load_duration(load, of[KEYS_RETRY_INITIAL], &retry->initial_us);
    if (of[KEYS_RETRY_FACTOR])
        read_factor(load, of[KEYS_RETRY_FACTOR], retry);
    if (of[KEYS_RETRY_MAX_INTERVAL])
        durations_fine &= load_duration(load, of[KEYS_RETRY_MAX_INTERVAL], &retry->interval_max_us);
    if (of[KEYS_RETRY_JITTER])
        read_jitter(load, of[KEYS_RETRY_JITTER], retry);
    if (of[KEYS_RETRY_MAX_ELAPSED])
        read_max_elapsed(load, of[KEYS_RETRY_MAX_ELAPSED], retry);
    if (durations_fine)
        check_order(load, &values, retry);
}
