/* Where a step stands in the definition, for the oracle: by the plan and the numbers in its path, never by
 * the core's own questions. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

enum { DEPTH = 2 * LIMITS_DEPTH + 2 }; /* a block and its sequence for each level, the root, the leaf */

struct line {
    const struct plan_node *nodes[DEPTH]; /* from the root */
    uint32_t count;
    uint32_t indexes[DEPTH]; /* of the items, from the outermost foreach */
};

static void read_indexes(struct line *line, struct str path)
{
    uint32_t count = 0;
    for (size_t at = str_find(path, '['); at < path.size && count < DEPTH; at++) {
        if (path.data[at] == '[')
            line->indexes[count++] = 0;
        else if (path.data[at] != ']')
            line->indexes[count - 1] = line->indexes[count - 1] * 10 + (uint32_t)(path.data[at] - '0');
    }
}

static void make_line(const struct core_saga *saga, uint16_t step, struct line *line)
{
    const struct plan_node *node = &saga->plan->nodes[saga->steps[step].node];
    line->count = 1;
    for (const struct plan_node *it = node; it->index != 0; it = &saga->plan->nodes[it->parent])
        line->count++;
    check(line->count <= DEPTH);
    for (uint32_t i = line->count; i > 0; i--, node = &saga->plan->nodes[node->parent])
        line->nodes[i - 1] = node;
    read_indexes(line, core_step_path(saga, step));
}

bool explore_precedes(const struct core_saga *saga, uint16_t a, uint16_t b)
{
    struct line one = {.count = 0}, other = {.count = 0};
    uint32_t loops = 0, at = 0;
    make_line(saga, a, &one);
    make_line(saga, b, &other);
    for (; at < one.count && at < other.count && one.nodes[at] == other.nodes[at]; at++) {
        if (one.nodes[at]->kind != PLAN_FOREACH)
            continue;
        if (one.indexes[loops] != other.indexes[loops])
            return false; /* items stand beside each other */
        loops++;
    }
    if (at == 0 || at == one.count || at == other.count || one.nodes[at - 1]->kind != PLAN_SEQUENCE)
        return false;
    return one.nodes[at]->order < other.nodes[at]->order;
}

static bool has_fate(const struct explore_level *level, uint16_t frame, enum explore_fate least)
{
    for (; frame != 0; frame = level->saga.frames[frame].parent)
        if (frame < level->world.fate_count && level->world.fates[frame] >= least)
            return true;
    return false;
}

bool explore_is_back(const struct explore_level *level, uint16_t step)
{
    return level->world.back || has_fate(level, level->saga.steps[step].frame, EXPLORE_FRAME_BACK);
}

bool explore_is_halted(const struct explore_level *level, uint16_t step)
{
    return level->world.back || has_fate(level, level->saga.steps[step].frame, EXPLORE_FRAME_FAILED);
}

bool explore_frame_is_back(const struct explore_level *level, uint16_t frame)
{
    return level->world.back || has_fate(level, frame, EXPLORE_FRAME_BACK);
}
