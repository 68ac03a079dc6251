#include "engine/core/family.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

enum { SEEN_A_UNIT = 4 }; /* frames, steps and nodes passed over */

/* How often a node may be opened: a list that was entered counts as long as it is, any other as long as it
 * may be. lengths: by node; 0: not entered. */
static uint64_t most_of(const struct plan *plan, uint16_t node, const uint32_t *lengths)
{
    uint64_t most = 1;
    check(plan->nodes[node].kind == PLAN_SAGA);
    for (uint16_t loop = plan->nodes[node].loop; loop != 0; loop = plan->nodes[loop].loop) {
        most *= lengths[loop] > 0 ? lengths[loop] : plan->nodes[loop].fan->items_max;
        if (most > LIMITS_FAMILY)
            return LIMITS_FAMILY; /* more than can be given anyway */
    }
    return most;
}

/* Children that the saga may still begin. */
static uint64_t count_ahead(struct work *work)
{
    const struct core_saga *saga = work->saga;
    const struct plan *plan = saga->plan;
    uint32_t *lengths = arena_array(work->scratch, plan->node_count, sizeof *lengths);
    uint32_t *begun = arena_array(work->scratch, plan->node_count, sizeof *begun);
    uint64_t ahead = 0;
    check(saga->frame_count > 0);
    for (uint16_t i = 1; i < saga->frame_count; i++)
        if (saga->frames[i].items != NULL)
            lengths[saga->frames[i].node] = saga->frames[i].items->count;
    for (uint16_t i = 0; i < saga->step_count; i++)
        begun[saga->steps[i].node] += saga->steps[i].attempts[CORE_DO] > 0;
    for (uint16_t i = 0; i < plan->node_count; i++) {
        uint64_t most = plan->nodes[i].kind == PLAN_SAGA ? most_of(plan, i, lengths) : 0;
        ahead += most > begun[i] ? most - begun[i] : 0;
    }
    work_spend(work, (uint64_t)(saga->frame_count + saga->step_count + plan->node_count) / SEEN_A_UNIT);
    return ahead;
}

uint32_t family_share(struct work *work, uint16_t step)
{
    const struct core_saga *saga = work->saga;
    const struct core_step *it = work_step(work, step);
    check(work_node(work, step)->kind == PLAN_SAGA);
    if (it->family > 0)
        return it->family;
    uint64_t ahead = count_ahead(work);
    uint64_t share = saga->family_left / (ahead > 0 ? ahead : 1);
    return share > 0 ? (uint32_t)share : saga->family_left > 0 ? 1 : 0;
}
