/* Who may be undone now, read from the tree of frames and the states of the steps. Called by back.c alone.
 * Never changes a saga: whatever it finds out is gone when it returns. */
#include "engine/core/back_order.h"
#include "engine/base/check.h"
#include "engine/core/frames.h"
#include "engine/core/state.h"

enum { NOWHERE = UINT16_MAX };

/* What is in the way, seen from each frame. */
struct place {
    uint16_t barrier; /* sequence: one more than the last position where something is; 0: nowhere */
    uint16_t first;   /* sequence: the first position where something is under way; NOWHERE: none */
    uint16_t busy;    /* parallel, foreach: parts in which something is under way */
    bool active;      /* something in it is under way */
    bool held;        /* something in it is in the way */
};

bool back_order_any(const struct core_saga *saga)
{
    check(saga->frame_count <= saga->frame_room);
    if (saga->direction == CORE_BACK)
        return true;
    for (uint16_t i = 1; i < saga->frame_count; i++)
        if (saga->frames[i].went_back)
            return true;
    return false;
}

/* A step whose effect exists or may exist. One that was skipped while in doubt counts: skipping says "go on
 * without its output", not "it did not happen". */
static bool to_undo(const struct core_saga *saga, uint16_t step)
{
    const struct core_step *it = &saga->steps[step];
    const struct plan_step *plan = saga->plan->nodes[it->node].step;
    check(step < saga->step_count);
    if (plan == NULL || !plan->has_undo || !frames_is_back(saga, it->frame))
        return false;
    return it->state == CORE_STEP_DONE || it->state == CORE_STEP_DOUBT ||
           (it->state == CORE_STEP_WAIVED && it->unknown);
}

bool back_order_in_the_way(const struct core_saga *saga, uint16_t step)
{
    enum core_step_state state = saga->steps[step].state;
    check(step < saga->step_count);
    return state_is_active(state) || state_is_stuck(state) || to_undo(saga, step);
}

static void activate(const struct core_saga *saga, struct place *places, uint16_t frame)
{
    check(frame < saga->frame_count);
    for (; !places[frame].active; frame = saga->frames[frame].parent) {
        places[frame].active = true;
        if (frame == FRAMES_ROOT)
            return;
        places[saga->frames[frame].parent].busy++;
    }
}

static void put_barrier(struct place *place, uint16_t order, bool active)
{
    check(order < NOWHERE);
    if (place->barrier <= order)
        place->barrier = (uint16_t)(order + 1);
    if (active && order < place->first)
        place->first = order;
    place->held = true;
}

static void mark(const struct core_saga *saga, struct place *places, uint16_t step)
{
    const struct core_step *it = &saga->steps[step];
    uint16_t frame = it->frame;
    bool active = state_is_active(it->state);
    put_barrier(&places[frame], saga->plan->nodes[it->node].order, active);
    check(frames_node(saga, frame)->kind == PLAN_SEQUENCE);
    for (; frame != FRAMES_ROOT; frame = saga->frames[frame].parent) {
        uint16_t parent = saga->frames[frame].parent;
        if (frames_node(saga, parent)->kind == PLAN_SEQUENCE)
            put_barrier(&places[parent], frames_order(saga, frame), active);
        places[parent].held = true;
    }
    if (active)
        activate(saga, places, it->frame);
}

static struct place *survey(struct work *work)
{
    const struct core_saga *saga = work->saga;
    check(saga->frame_count > 0);
    if (work->place_room < saga->frame_count) {
        work->place_room = saga->frame_room;
        work->places = arena_array(work->scratch, work->place_room, sizeof *work->places);
    }
    struct place *places = work->places;
    for (uint16_t i = 0; i < saga->frame_count; i++)
        places[i] = (struct place){.first = NOWHERE};
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (back_order_in_the_way(saga, i))
            mark(saga, places, i);
    return places;
}

/* A sequence is undone from its end, one step at a time: everything later is undone, and nothing earlier has
 * begun to be. A stuck compensation therefore holds the earlier steps of its sequence, and no later one. */
static bool is_free(const struct place *place, uint16_t order)
{
    check(order < NOWHERE);
    return place->barrier <= order + 1 && place->first >= order;
}

static bool may_start(const struct core_saga *saga, const struct place *places, uint16_t step)
{
    const struct core_step *it = &saga->steps[step];
    uint16_t frame = it->frame;
    check(places[frame].held);
    if (!is_free(&places[frame], saga->plan->nodes[it->node].order))
        return false;
    for (; frame != FRAMES_ROOT; frame = saga->frames[frame].parent) {
        uint16_t parent = saga->frames[frame].parent;
        const struct plan_node *node = frames_node(saga, parent);
        if (node->kind == PLAN_SEQUENCE && !is_free(&places[parent], frames_order(saga, frame)))
            return false;
        if (frames_is_fan(saga, parent) && !places[frame].active &&
            places[parent].busy >= node->fan->concurrency_max)
            return false;
    }
    return true;
}

uint16_t back_order_next(struct work *work)
{
    const struct core_saga *saga = work->saga;
    const struct place *places = survey(work);
    check(saga->step_count <= saga->step_room);
    for (uint16_t i = saga->step_count; i > 0; i--)
        if (to_undo(saga, (uint16_t)(i - 1)) && may_start(saga, places, (uint16_t)(i - 1)))
            return (uint16_t)(i - 1);
    return CORE_NO_STEP;
}

uint16_t back_order_undone_scope(struct work *work)
{
    const struct core_saga *saga = work->saga;
    if (saga->direction == CORE_BACK)
        return CORE_NO_STEP;
    const struct place *places = survey(work);
    for (uint16_t i = 1; i < saga->frame_count; i++) {
        const struct core_frame *frame = &saga->frames[i];
        check(frame->parent < i);
        if (frame->state == CORE_BLOCK_BACK && !places[i].held && !frames_is_halted(saga, frame->parent))
            return i;
    }
    return CORE_NO_STEP;
}
