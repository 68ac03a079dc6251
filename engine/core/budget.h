/* When the next attempt may go out, and whether there may be one: arithmetic on a plan's `retry`, nothing
 * else. Everything saturates. Internal to the core. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/core/core.h"

/* What is known of the attempts of one step in one direction. */
struct budget {
    const struct plan_retry *retry;
    uint32_t used;    /* attempts of the present budget */
    int64_t first_us; /* when the first of them was sent; 0: none was */
    uint64_t seed;    /* of the jitter: the saga's, with node, kind and attempt mixed in */
};
struct budget budget_of(const struct core_saga *saga, const struct core_step *step, enum core_kind kind);
/* Whether one more attempt may begin at this time. */
bool budget_allows(const struct budget *budget, int64_t at_us);
/* The pause before the next attempt: min(interval_max, initial * factor^(used - 1)), jittered; at least
 * retry_after_us, which is cut at LIMITS_DURATION_DAYS. */
int64_t budget_pause(const struct budget *budget, int64_t retry_after_us);
