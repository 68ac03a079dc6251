#include "engine/model/coverage.h"

#include <inttypes.h>
#include <string.h>
#include "engine/base/check.h"

void coverage_init(struct coverage *coverage, const struct plan *plan, struct arena *arena)
{
    *coverage = (struct coverage){.plan = plan,
                                  .entered = arena_array(arena, plan->node_count, sizeof(bool)),
                                  .undone = arena_array(arena, plan->node_count, sizeof(bool)),
                                  .came = arena_array(arena, plan->node_count, sizeof(bool)),
                                  .late = arena_array(arena, plan->node_count, sizeof(bool))};
}

void coverage_add(struct coverage *coverage, const struct core_saga *saga)
{
    check(strcmp(saga->plan->hash, coverage->plan->hash) == 0); /* loaded again it is the same */
    struct str time_out = core_code_text(CORE_CODE_TIMEOUT);
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct core_step *step = &saga->steps[i];
        bool await = saga->plan->nodes[step->node].kind == PLAN_AWAIT;
        coverage->came[step->node] = coverage->came[step->node] || (await && step->succeeded);
        coverage->late[step->node] =
            coverage->late[step->node] || (await && str_equal(step->error_code, time_out));
        coverage->entered[step->node] = true;
        coverage->undone[step->node] = coverage->undone[step->node] || step->attempts[CORE_UNDO] > 0;
    }
    for (uint16_t i = 0; i < saga->frame_count; i++)
        coverage->entered[saga->frames[i].node] = true;
}

/* The kinds of parts, each with how many there are. */
enum part { PART_STEP, PART_COMPENSATION, PART_BRANCH, PART_EVENT, PART_TIMEOUT, PART_COUNT };
/* What they are counted as. */
enum group { GROUP_STEPS, GROUP_COMPENSATIONS, GROUP_BRANCHES, GROUP_COUNT };
static const enum group groups[] = {GROUP_STEPS, GROUP_COMPENSATIONS, GROUP_BRANCHES, GROUP_BRANCHES,
                                    GROUP_BRANCHES};

static bool is_part(const struct plan *plan, const struct plan_node *node, enum part part)
{
    switch (part) {
    case PART_STEP:
        return node->kind != PLAN_SEQUENCE && node->child_count == 0;
    case PART_COMPENSATION:
        return node->step && node->step->has_undo;
    case PART_BRANCH:
        return node->kind == PLAN_SEQUENCE && node->index > 0 &&
               plan->nodes[node->parent].kind != PLAN_SEQUENCE;
    case PART_EVENT:
    case PART_TIMEOUT:
        return node->kind == PLAN_AWAIT;
    case PART_COUNT:
        break;
    }
    check_never("unknown part of a definition");
}

static bool is_covered(const struct coverage *coverage, const struct plan_node *node, enum part part)
{
    const bool *const tables[] = {coverage->entered, coverage->undone, coverage->entered, coverage->came,
                                  coverage->late};
    return tables[part][node->index];
}

static void count(const struct coverage *coverage, enum part part, uint32_t *covered, uint32_t *all)
{
    for (uint16_t i = 0; i < coverage->plan->node_count; i++) {
        const struct plan_node *node = &coverage->plan->nodes[i];
        *all += is_part(coverage->plan, node, part);
        *covered += is_part(coverage->plan, node, part) && is_covered(coverage, node, part);
    }
}

void coverage_count(const struct coverage *coverage, uint32_t *covered, uint32_t *all)
{
    *covered = *all = 0;
    for (enum part part = PART_STEP; part < PART_COUNT; part++)
        count(coverage, part, covered, all);
}

static void put_part(struct buf *out, const struct plan *plan, const struct plan_node *node, enum part part)
{
    static const char *const words[] = {"step ", "the compensation of ", "branch ", "the event of ",
                                        "the time-out of "};
    const struct plan_node *block = &plan->nodes[node->parent];
    buf_puts(out, words[part]);
    if (part == PART_BRANCH && node->id.size > 0)
        buf_printf(out, "%.*s of %.*s", STR_ARG(node->id), STR_ARG(block->id));
    else if (part == PART_BRANCH)
        buf_printf(out, "%d of %.*s", node->order + 1, STR_ARG(block->id));
    else
        buf_put(out, node->id);
    if (node->place.line > 0)
        buf_printf(out, " (line %" PRIu32 ")", node->place.line);
}

static void put_counts(const struct coverage *coverage, struct buf *out)
{
    static const char *const words[] = {"steps", "compensations", "branches"};
    const char *comma = "";
    for (enum group group = GROUP_STEPS; group < GROUP_COUNT; group++) {
        uint32_t some = 0, all = 0;
        for (enum part part = PART_STEP; part < PART_COUNT; part++)
            if (groups[part] == group)
                count(coverage, part, &some, &all);
        if (all == 0)
            continue;
        buf_printf(out, "%s%s %" PRIu32 " of %" PRIu32, comma, words[group], some, all);
        comma = ", ";
    }
}

void coverage_render(const struct coverage *coverage, struct buf *out)
{
    const char *comma = "; not covered: ";
    put_counts(coverage, out);
    for (uint16_t i = 0; i < coverage->plan->node_count; i++) {
        const struct plan_node *node = &coverage->plan->nodes[i];
        for (enum part part = PART_STEP; part < PART_COUNT; part++) {
            if (!is_part(coverage->plan, node, part) || is_covered(coverage, node, part))
                continue;
            buf_puts(out, comma);
            put_part(out, coverage->plan, node, part);
            comma = ", ";
        }
    }
}
