#include "engine/core/awaited.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/frames.h"

static uint32_t capped(uint64_t count)
{
    return count < LIMITS_SIGNALS ? (uint32_t)count : LIMITS_SIGNALS;
}

/* Of a node that has not begun. A switch takes one case only. */
static uint32_t most_of(const struct plan_node *node, struct str event, const uint32_t *of)
{
    uint64_t sum = 0;
    if (node->kind == PLAN_AWAIT)
        return str_equal(node->await->event, event) ? 1 : 0;
    for (uint16_t i = 0; i < node->child_count; i++) {
        uint32_t child = of[node->children[i]];
        if (node->kind != PLAN_SWITCH)
            sum += child;
        else if (child > sum)
            sum = child;
    }
    check(sum <= (uint64_t)node->child_count * LIMITS_SIGNALS);
    return capped(node->kind == PLAN_FOREACH ? sum * node->fan->items_max : sum);
}

/* By node; children stand behind their parents. */
static const uint32_t *most(struct work *work, struct str event)
{
    const struct plan *plan = work->saga->plan;
    uint32_t *of = arena_array(work->scratch, plan->node_count, sizeof *of);
    check(plan->node_count > 0);
    for (uint16_t i = plan->node_count; i-- > 0;)
        of[i] = most_of(&plan->nodes[i], event, of);
    work_spend(work, plan->node_count);
    return of;
}

/* By frame: it never moves on, because a branch within has failed, and no scope between the two takes the
 * failure. Whoever runs beside the branch still runs to its end. */
static const bool *doomed(struct work *work)
{
    const struct core_saga *saga = work->saga;
    bool *is = arena_array(work->scratch, saga->frame_count, sizeof *is);
    check(saga->frame_count > 0);
    for (uint16_t i = 0; i < saga->frame_count; i++) {
        uint16_t at = i;
        while (saga->frames[i].state == CORE_BLOCK_FAILED && at != FRAMES_ROOT &&
               frames_node(saga, at)->kind != PLAN_SCOPE && !is[saga->frames[at].parent]) {
            at = saga->frames[at].parent;
            is[at] = frames_node(saga, at)->kind != PLAN_SCOPE;
        }
    }
    work_spend(work, saga->frame_count);
    return is;
}

/* What has not begun of an open block or sequence itself; what it has entered counts for itself. */
static uint64_t left_in(const struct core_saga *saga, uint16_t frame, const uint32_t *of)
{
    const struct core_frame *it = &saga->frames[frame];
    const struct plan_node *node = frames_node(saga, frame);
    bool begun = it->at_step != CORE_NO_STEP || it->at_frame != CORE_NO_STEP;
    uint64_t sum = 0;
    check(node->child_count > 0 || node->kind == PLAN_SEQUENCE);
    if (node->kind == PLAN_FOREACH)
        return (uint64_t)(it->items->count - it->cursor) * of[node->children[0]];
    for (uint16_t i = (uint16_t)(it->cursor + (begun ? 1 : 0)); i < node->child_count; i++)
        sum += of[node->children[i]];
    return sum;
}

uint32_t awaited_yet(struct work *work, struct str event)
{
    const struct core_saga *saga = work->saga;
    uint64_t sum = 0;
    check(event.size > 0);
    if (core_ended(saga) || saga->direction == CORE_BACK)
        return 0;
    const uint32_t *of = most(work, event);
    const bool *is_doomed = doomed(work);
    for (uint16_t i = 0; i < saga->frame_count && of[0] > 0; i++)
        if (!is_doomed[i] && frames_is_live(saga, i))
            sum += left_in(saga, i, of);
    return capped(sum);
}
