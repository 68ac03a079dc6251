/* Data with which a run gets to a branch that no other data lead to: what its conditions ask for is worked
 * out backwards (expr_solve.h), one condition after the other. Inside engine/model only. */
#pragma once
#include "engine/model/explore_data.h"

enum { EXPLORE_CONDITIONS_MAX = 64 };
/* What must be so for a run to get there, the outermost first. */
struct explore_condition {
    struct explore_program program;
    bool holds; /* ITEMS: always, it has an item */
};
struct explore_goal {
    struct explore_condition items[EXPLORE_CONDITIONS_MAX];
    uint32_t count;
};

/* The branches of a plan: each case of a switch, none of them, each `fail` with a condition. */
const struct explore_goal *explore_goals(const struct plan *plan, struct arena *arena, uint32_t *count);
/* Whether a run with these data gets there, as far as conditions decide. */
bool explore_is_met(const struct plan *plan, const struct explore_goal *goal,
                    const struct explore_data *data);
/* Changes the data until it does; false: no way was found. What it gives is in `arena`. */
bool explore_reach(const struct plan *plan, const struct explore_goal *goal, struct explore_data *data,
                   struct arena *arena);
