/* sagactl replay --against: recorded sagas through another version, counted in groups that differ alike, each
 * with its first example. Inside sagactl only; everything but the plan's arena lives in the tally's own. */
#pragma once
#include "engine/model/against.h"
#include "engine/sagactl/invocation.h"
#include "engine/sagactl/recorded.h"

struct tally_group {
    struct against example;
    struct id saga; /* the example's */
    uint64_t count;
};
struct tally {
    struct arena arena;
    const struct plan *plan; /* the version to try */
    struct tally_group *groups;
    uint32_t group_count;
    uint32_t group_room;
    uint64_t counts[AGAINST_OUTCOME_COUNT];
};

void tally_init(struct tally *tally, const struct plan *plan);
void tally_fini(struct tally *tally);
void tally_add(struct tally *tally, const struct recorded *recorded);
/* Prints all and gives the exit code. */
int tally_print(struct tally *tally, const struct invocation *invocation);
