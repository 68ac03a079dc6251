#include "engine/core/frames.h"
#include "engine/base/check.h"

/* Frames nest as deep as the definition: every walk ends at the root after a few steps. */

static const struct core_frame *frame_at(const struct core_saga *saga, uint16_t frame)
{
    check(frame < saga->frame_count);
    check(saga->frames[frame].parent <= frame);
    return &saga->frames[frame];
}

const struct plan_node *frames_node(const struct core_saga *saga, uint16_t frame)
{
    uint16_t node = frame_at(saga, frame)->node;
    check(node < saga->plan->node_count);
    return &saga->plan->nodes[node];
}

bool frames_is_fan(const struct core_saga *saga, uint16_t frame)
{
    const struct plan_node *node = frames_node(saga, frame);
    check(node->kind != PLAN_STEP);
    return node->kind == PLAN_PARALLEL || node->kind == PLAN_FOREACH;
}

bool frames_is_live(const struct core_saga *saga, uint16_t frame)
{
    check(frame < saga->frame_count);
    if (saga->direction == CORE_BACK)
        return false;
    for (;; frame = saga->frames[frame].parent) {
        if (frame_at(saga, frame)->state != CORE_BLOCK_OPEN)
            return false;
        if (frame == FRAMES_ROOT)
            return true;
    }
}

uint16_t frames_undone_scope(const struct core_saga *saga, uint16_t frame)
{
    check(frame < saga->frame_count);
    for (; frame != FRAMES_ROOT; frame = saga->frames[frame].parent)
        if (frame_at(saga, frame)->went_back)
            return frame;
    return CORE_NO_STEP;
}

bool frames_is_back(const struct core_saga *saga, uint16_t frame)
{
    check(frame < saga->frame_count);
    return saga->direction == CORE_BACK || frames_undone_scope(saga, frame) != CORE_NO_STEP;
}

bool frames_is_halted(const struct core_saga *saga, uint16_t frame)
{
    if (frames_is_back(saga, frame))
        return true;
    for (; frame != FRAMES_ROOT; frame = saga->frames[frame].parent)
        if (frame_at(saga, frame)->state == CORE_BLOCK_FAILED)
            return true;
    check(frame == FRAMES_ROOT);
    return false;
}

bool frames_is_within(const struct core_saga *saga, uint16_t frame, uint16_t around)
{
    check(around < saga->frame_count);
    while (frame > around)
        frame = frame_at(saga, frame)->parent;
    return frame == around;
}

bool frames_at_end(const struct core_saga *saga)
{
    check(saga->frame_count > 0);
    return frame_at(saga, FRAMES_ROOT)->cursor == frames_node(saga, FRAMES_ROOT)->child_count;
}

uint16_t frames_order(const struct core_saga *saga, uint16_t frame)
{
    const struct plan_node *node = frames_node(saga, frame);
    check(frame != FRAMES_ROOT);
    check(frames_node(saga, saga->frames[frame].parent)->kind == PLAN_SEQUENCE);
    if (node->kind == PLAN_SEQUENCE) /* a case: its switch has no frame of its own */
        node = &saga->plan->nodes[node->parent];
    return node->order;
}

bool frames_item(const struct core_saga *saga, uint16_t frame, uint16_t loop, uint16_t *fan, uint16_t *index)
{
    check(loop > 0);
    check(frame < saga->frame_count);
    for (; frame != FRAMES_ROOT; frame = saga->frames[frame].parent) {
        uint16_t parent = frame_at(saga, frame)->parent;
        if (saga->frames[parent].node != loop)
            continue;
        *fan = parent;
        *index = saga->frames[frame].index;
        return true;
    }
    return false;
}

void frames_put_items(struct buf *out, const struct core_saga *saga, uint16_t frame)
{
    check(frame < saga->frame_count);
    if (frame == FRAMES_ROOT)
        return;
    uint16_t parent = saga->frames[frame].parent;
    frames_put_items(out, saga, parent);
    if (frames_node(saga, parent)->kind == PLAN_FOREACH)
        buf_printf(out, "[%u]", saga->frames[frame].index);
}
