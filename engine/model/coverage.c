#include "engine/model/coverage.h"

#include <inttypes.h>
#include <string.h>
#include "engine/base/check.h"

void coverage_init(struct coverage *coverage, const struct plan *plan, struct arena *arena)
{
    *coverage = (struct coverage){.plan = plan,
                                  .entered = arena_array(arena, plan->node_count, sizeof(bool)),
                                  .undone = arena_array(arena, plan->node_count, sizeof(bool))};
}

void coverage_add(struct coverage *coverage, const struct core_saga *saga)
{
    check(strcmp(saga->plan->hash, coverage->plan->hash) == 0); /* loaded again it is the same */
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct core_step *step = &saga->steps[i];
        coverage->entered[step->node] = true;
        coverage->undone[step->node] = coverage->undone[step->node] || step->attempts[CORE_UNDO] > 0;
    }
    for (uint16_t i = 0; i < saga->frame_count; i++)
        coverage->entered[saga->frames[i].node] = true;
}

/* The kinds of parts, each with how many there are. */
enum part { PART_STEP, PART_COMPENSATION, PART_BRANCH, PART_COUNT };

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
    case PART_COUNT:
        break;
    }
    check_never("unknown part of a definition");
}

static bool is_covered(const struct coverage *coverage, const struct plan_node *node, enum part part)
{
    return part == PART_COMPENSATION ? coverage->undone[node->index] : coverage->entered[node->index];
}

static void count(const struct coverage *coverage, enum part part, uint32_t *covered, uint32_t *all)
{
    *covered = *all = 0;
    for (uint16_t i = 0; i < coverage->plan->node_count; i++) {
        const struct plan_node *node = &coverage->plan->nodes[i];
        *all += is_part(coverage->plan, node, part);
        *covered += is_part(coverage->plan, node, part) && is_covered(coverage, node, part);
    }
}

void coverage_count(const struct coverage *coverage, uint32_t *covered, uint32_t *all)
{
    *covered = *all = 0;
    for (enum part part = PART_STEP; part < PART_COUNT; part++) {
        uint32_t some, of;
        count(coverage, part, &some, &of);
        *covered += some;
        *all += of;
    }
}

static void put_part(struct buf *out, const struct plan *plan, const struct plan_node *node, enum part part)
{
    const struct plan_node *block = &plan->nodes[node->parent];
    if (part == PART_BRANCH && node->id.size > 0)
        buf_printf(out, "branch %.*s of %.*s", STR_ARG(node->id), STR_ARG(block->id));
    else if (part == PART_BRANCH)
        buf_printf(out, "branch %d of %.*s", node->order + 1, STR_ARG(block->id));
    else
        buf_printf(out, "%s%.*s", part == PART_STEP ? "step " : "the compensation of ", STR_ARG(node->id));
    if (node->place.line > 0)
        buf_printf(out, " (line %" PRIu32 ")", node->place.line);
}

void coverage_render(const struct coverage *coverage, struct buf *out)
{
    static const char *const words[] = {"steps", "compensations", "branches"};
    const char *comma = "";
    for (enum part part = PART_STEP; part < PART_COUNT; part++) {
        uint32_t some, all;
        count(coverage, part, &some, &all);
        if (all > 0)
            buf_printf(out, "%s%s %" PRIu32 " of %" PRIu32, comma, words[part], some, all);
        comma = ", ";
    }
    comma = "; not covered: ";
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
