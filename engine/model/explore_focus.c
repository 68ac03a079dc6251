/* Which of the parts (branches, items) beside each other does everything, while the others do what is simple:
 * see explore.h. A step is free when each part around it is the one in focus. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

/* Branches or items that the frame's block has; 0: it puts nothing side by side. */
static uint32_t parts_of(const struct core_saga *saga, uint16_t frame)
{
    const struct plan_node *node = &saga->plan->nodes[saga->frames[frame].node];
    if (node->kind == PLAN_PARALLEL)
        return node->child_count;
    return node->kind == PLAN_FOREACH ? saga->frames[frame].items->count : 0;
}

static uint32_t focus_of(const struct explore_world *world, uint16_t frame)
{
    return frame < world->focus_count ? world->focus[frame] : 0;
}

/* Whether the frame is a part that is not in focus. */
static bool is_aside(const struct explore_level *level, uint16_t frame)
{
    const struct core_saga *saga = &level->saga;
    uint16_t fan = saga->frames[frame].parent;
    return frame != 0 && parts_of(saga, fan) > 1 &&
           focus_of(&level->world, fan) != saga->frames[frame].index + 1u;
}

static bool is_frame_free(const struct explore_level *level, uint16_t frame)
{
    for (; frame != 0; frame = level->saga.frames[frame].parent)
        if (is_aside(level, frame))
            return false;
    return true;
}

bool explore_is_free(const struct explore *explore, const struct explore_level *level, uint16_t step)
{
    return explore->whole || is_frame_free(level, level->saga.steps[step].frame);
}

bool explore_is_frame_free(const struct explore *explore, const struct explore_level *level, uint16_t frame)
{
    return explore->whole || is_frame_free(level, frame);
}

static bool is_within(const struct core_saga *saga, uint16_t frame, uint16_t around)
{
    while (frame > around)
        frame = saga->frames[frame].parent;
    return frame == around;
}

static bool is_active(const struct explore_level *level, uint16_t frame)
{
    const struct core_saga *saga = &level->saga;
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (saga->steps[i].due_us > 0 && is_within(saga, saga->steps[i].frame, frame))
            return true;
    return false;
}

/* Among the parts beside the one in focus, the first that something is under way in. */
bool explore_is_turn(const struct explore_level *level, uint16_t step)
{
    const struct core_saga *saga = &level->saga;
    for (uint16_t part = saga->steps[step].frame; part != 0; part = saga->frames[part].parent) {
        if (!is_aside(level, part))
            continue;
        uint16_t fan = saga->frames[part].parent;
        for (uint16_t i = (uint16_t)(fan + 1); i < saga->frame_count; i++)
            if (saga->frames[i].parent == fan && saga->frames[i].index < saga->frames[part].index &&
                is_aside(level, i) && is_active(level, i))
                return false;
    }
    return true;
}

/* Something can still happen to it by itself, by a participant or by a human. */
static bool is_alive(const struct explore_level *level, uint16_t step)
{
    const struct core_step *it = &level->saga.steps[step];
    const struct explore_fact *fact = &level->world.facts[step];
    return it->due_us > 0 || it->state == CORE_STEP_STUCK || it->state == CORE_STEP_UNDO_STUCK ||
           (!fact->known && explore_may_exist(fact));
}

static bool has_life(const struct explore_level *level, uint16_t frame)
{
    const struct core_saga *saga = &level->saga;
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (is_within(saga, saga->steps[i].frame, frame) && is_alive(level, i))
            return true;
    return false;
}

uint16_t explore_unfocused(const struct explore *explore, const struct explore_level *level, uint32_t *parts)
{
    for (uint16_t i = 1; i < level->saga.frame_count && !explore->whole; i++) {
        *parts = parts_of(&level->saga, i);
        if (*parts > 1 && focus_of(&level->world, i) == 0 && is_frame_free(level, i) && has_life(level, i))
            return i;
    }
    return 0;
}

void explore_focus(struct explore_level *level, uint16_t frame, uint16_t part)
{
    struct explore_world *world = &level->world;
    check(focus_of(world, frame) == 0);
    if (frame >= world->focus_count) {
        uint16_t *focus = arena_array(&level->arena, (size_t)frame + 1, sizeof *focus);
        for (uint16_t i = 0; i < world->focus_count; i++)
            focus[i] = world->focus[i];
        world->focus = focus;
        world->focus_count = (uint16_t)(frame + 1);
    }
    world->focus[frame] = (uint16_t)(part + 1);
}

void explore_refocus(struct explore_level *level)
{
    for (uint16_t frame = 0; frame < level->world.focus_count; frame++)
        if (level->world.focus[frame] != 0 && !has_life(level, frame))
            level->world.focus[frame] = 0;
}

/* More than owing: an effect that may still come counts. */
static bool may_owe(const struct explore_level *level, uint16_t step)
{
    const struct explore_fact *fact = &level->world.facts[step];
    return explore_step(&level->saga, step) && explore_step(&level->saga, step)->has_undo &&
           !(fact->undid && fact->undone) && (fact->known || fact->doubt || explore_may_exist(fact));
}

/* The outermost part around the step that is not in focus. */
static uint16_t part_of(const struct explore_level *level, uint16_t step)
{
    uint16_t part = 0;
    for (uint16_t it = level->saga.steps[step].frame; it != 0; it = level->saga.frames[it].parent)
        if (is_aside(level, it))
            part = it;
    return part;
}

bool explore_is_last_undone(const struct explore_level *level, uint16_t step)
{
    const struct core_saga *saga = &level->saga;
    uint16_t part = part_of(level, step);
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (i != step && is_within(saga, saga->steps[i].frame, part) && explore_is_back(level, i) &&
            (may_owe(level, i) || saga->steps[i].due_us > 0))
            return false;
    return true;
}

bool explore_is_narrow(const struct explore_level *level, uint16_t step)
{
    const struct core_saga *saga = &level->saga;
    for (uint16_t it = saga->steps[step].frame; it != 0; it = saga->frames[it].parent) {
        const struct plan_fan *fan = saga->plan->nodes[saga->frames[it].node].fan;
        if (fan && fan->concurrency_max < parts_of(saga, it))
            return true;
    }
    return false;
}

bool explore_has_failed_beside(const struct explore_level *level, uint16_t step)
{
    const struct core_saga *saga = &level->saga;
    for (uint16_t part = saga->steps[step].frame; part != 0; part = saga->frames[part].parent)
        for (uint16_t i = 1; i < saga->frame_count && is_aside(level, part); i++)
            if (i != part && saga->frames[i].parent == saga->frames[part].parent && is_aside(level, i) &&
                saga->frames[i].state == CORE_BLOCK_FAILED)
                return true;
    return false;
}

/* Whether a step of this node would be free, by the choices made so far. */
static bool is_node_free(const struct explore_level *level, uint16_t node)
{
    const struct core_saga *saga = &level->saga;
    const struct plan_node *nodes = saga->plan->nodes;
    for (; node != 0; node = nodes[node].parent)
        for (uint16_t i = 1; i < saga->frame_count && nodes[nodes[node].parent].kind == PLAN_PARALLEL; i++)
            if (saga->frames[i].node == nodes[node].parent && focus_of(&level->world, i) != 0 &&
                focus_of(&level->world, i) != nodes[node].order + 1u)
                return false;
    return true;
}

bool explore_is_error_read_later(const struct explore *explore, const struct explore_level *level)
{
    for (uint16_t i = 0; i < level->saga.plan->node_count; i++)
        if (explore->error_readers[i] && (explore->whole || is_node_free(level, i)))
            return true;
    return false;
}

bool explore_is_error_read(const struct explore *explore, const struct explore_level *level)
{
    const struct core_saga *saga = &level->saga;
    if (saga->direction != CORE_BACK || !level->world.back)
        return true;
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (explore->error_readers[saga->steps[i].node] && explore_is_free(explore, level, i) &&
            (is_alive(level, i) || may_owe(level, i)))
            return true;
    return false;
}

bool explore_is_spent(const struct explore *explore, const struct explore_level *level, uint16_t step)
{
    if (level->saga.direction != CORE_BACK || !level->world.back || explore_is_free(explore, level, step))
        return false;
    uint16_t fan = level->saga.frames[part_of(level, step)].parent;
    return level->saga.frames[fan].state != CORE_BLOCK_CLOSED && !is_alive(level, step) &&
           !may_owe(level, step);
}
