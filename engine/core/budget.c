#include "engine/core/budget.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"

static const int64_t longest_us = (int64_t)LIMITS_DURATION_DAYS * 86400 * 1000000;

struct budget budget_of(const struct core_saga *saga, const struct core_step *step, enum core_kind kind)
{
    const struct plan_action *action = core_action(saga->plan->nodes[step->node].step, kind);
    check(action != NULL);
    check(step->budget_base[kind] <= step->attempts[kind]);
    uint64_t seed = rng_mix(rng_mix(rng_mix(saga->seed, step->node), (uint64_t)kind), step->attempts[kind]);
    return (struct budget){.retry = &action->retry,
                           .used = step->attempts[kind] - step->budget_base[kind],
                           .first_us = step->first_sent_us[kind],
                           .seed = seed};
}

bool budget_allows(const struct budget *budget, int64_t at_us)
{
    check(at_us > 0);
    check(budget->retry->attempts_max > 0);
    if (budget->used == 0)
        return true;
    if (budget->used >= budget->retry->attempts_max)
        return false;
    return budget->retry->elapsed_max_us == 0 || at_us - budget->first_us <= budget->retry->elapsed_max_us;
}

/* Grows step by step, as a float would not give the same number on every machine; ends at the ceiling, or
 * where growth by less than a microsecond ends by itself. */
static int64_t interval(const struct plan_retry *retry, uint32_t used)
{
    check(retry->factor_milli >= 1000);
    check(retry->initial_us >= 0);
    int64_t pause_us = retry->initial_us;
    for (uint32_t i = 1; i < used && pause_us < retry->interval_max_us; i++) {
        int64_t grown = pause_us;
        if (__builtin_mul_overflow(pause_us, (int64_t)retry->factor_milli, &grown))
            return retry->interval_max_us;
        if (grown / 1000 == pause_us)
            return pause_us;
        pause_us = grown / 1000;
    }
    return pause_us < retry->interval_max_us ? pause_us : retry->interval_max_us;
}

static int64_t jittered(enum plan_jitter jitter, uint64_t seed, int64_t pause_us)
{
    check(pause_us >= 0);
    struct rng rng;
    rng_init(&rng, seed);
    switch (jitter) {
    case PLAN_JITTER_FULL:
        return (int64_t)rng_below(&rng, (uint64_t)pause_us + 1);
    case PLAN_JITTER_EQUAL:
        return pause_us - pause_us / 2 + (int64_t)rng_below(&rng, (uint64_t)(pause_us / 2) + 1);
    case PLAN_JITTER_NONE:
        return pause_us;
    }
    check_never("a jitter of no kind");
}

int64_t budget_pause(const struct budget *budget, int64_t retry_after_us)
{
    check(budget->used > 0);
    check(budget->retry != NULL);
    int64_t pause_us = jittered(budget->retry->jitter, budget->seed, interval(budget->retry, budget->used));
    int64_t least_us = retry_after_us < longest_us ? retry_after_us : longest_us;
    return pause_us > least_us ? pause_us : least_us;
}
