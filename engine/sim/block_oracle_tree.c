/* Questions about what was entered: what stands before what, in which block and item. Part of
 * block_oracle_parts.h; called by block_oracle.c. Reads the oracle's own books, never a saga. */
#include "engine/sim/block_oracle_parts.h"
#include <stdio.h>

void block_oracle_breach(const struct block_oracle *oracle, const char *rule, const char *what, int line)
{
    if (oracle->why[0] == '\0')
        snprintf(oracle->why, sizeof oracle->why_text, "%s: record %lld breaks it: %s (oracle line %d)", rule,
                 (long long)oracle->seq, what, line);
}

static const struct plan_node *node_at(const struct block_oracle *oracle, uint16_t node)
{
    return &oracle->plan->nodes[node];
}

const struct plan_node *block_oracle_node_of(const struct block_oracle *oracle, uint16_t frame)
{
    return node_at(oracle, oracle->frames[frame].node);
}

bool block_oracle_is_fan(const struct block_oracle *oracle, uint16_t frame)
{
    enum plan_kind kind = block_oracle_node_of(oracle, frame)->kind;
    return kind == PLAN_PARALLEL || kind == PLAN_FOREACH;
}

bool block_oracle_is_within(const struct block_oracle *oracle, uint16_t frame, uint16_t around)
{
    while (frame > around)
        frame = oracle->frames[frame].parent;
    return frame == around;
}

bool block_oracle_is_undone(const struct block_oracle *oracle, uint16_t frame)
{
    bool undone = oracle->back;
    for (; frame > 0 && !undone; frame = oracle->frames[frame].parent)
        undone = oracle->frames[frame].went_back;
    return undone;
}

bool block_oracle_is_halted(const struct block_oracle *oracle, uint16_t frame)
{
    bool halted = block_oracle_is_undone(oracle, frame);
    for (; frame > 0 && !halted; frame = oracle->frames[frame].parent)
        halted = oracle->frames[frame].block == CORE_BLOCK_FAILED;
    return halted;
}

bool block_oracle_is_active(const struct block_oracle *oracle, uint16_t step)
{
    switch (oracle->steps[step].state) {
    case CORE_STEP_WAITING:
    case CORE_STEP_SENT:
    case CORE_STEP_VERIFY_WAITING:
    case CORE_STEP_VERIFY_SENT:
    case CORE_STEP_AWAITING:
    case CORE_STEP_SLEEPING:
    case CORE_STEP_UNDO_WAITING:
    case CORE_STEP_UNDO_SENT:
        return true;
    case CORE_STEP_STUCK:
    case CORE_STEP_DONE:
    case CORE_STEP_REJECTED:
    case CORE_STEP_WAIVED:
    case CORE_STEP_DOUBT:
    case CORE_STEP_UNDO_STUCK:
    case CORE_STEP_UNDONE:
    case CORE_STEP_UNDO_WAIVED:
        break;
    }
    return false;
}

bool block_oracle_is_busy(const struct block_oracle *oracle, uint16_t frame)
{
    for (uint16_t i = 0; i < oracle->step_count; i++)
        if (block_oracle_is_active(oracle, i) &&
            block_oracle_is_within(oracle, oracle->steps[i].frame, frame))
            return true;
    return false;
}

bool block_oracle_owes(const struct block_oracle *oracle, uint16_t index)
{
    const struct block_oracle_step *step = &oracle->steps[index];
    const struct plan_step *plan = node_at(oracle, step->node)->step;
    return plan != NULL && plan->has_undo && (step->happened || step->doubt) && step->undone == 0 &&
           !step->undo_waived && block_oracle_is_undone(oracle, step->frame);
}

static bool is_late(const struct block_oracle *oracle, uint16_t frame, uint16_t around)
{
    bool late = false;
    for (; frame > around && !late; frame = oracle->frames[frame].parent)
        late = oracle->frames[frame].went_back && oracle->frames[frame].block == CORE_BLOCK_CLOSED;
    return late;
}

bool block_oracle_is_at_rest(const struct block_oracle *oracle, uint16_t around)
{
    for (uint16_t i = 0; i < oracle->step_count; i++) {
        uint16_t frame = oracle->steps[i].frame;
        bool moves = block_oracle_owes(oracle, i) || block_oracle_is_active(oracle, i);
        if (moves && block_oracle_is_within(oracle, frame, around) && !is_late(oracle, frame, around))
            return false;
    }
    return true;
}

/* The instance of a node in a frame, or NULL. */
static const struct block_oracle_step *instance(const struct block_oracle *oracle, uint16_t frame,
                                                uint16_t node)
{
    for (uint16_t i = 0; i < oracle->step_count; i++)
        if (oracle->steps[i].frame == frame && oracle->steps[i].node == node)
            return &oracle->steps[i];
    return NULL;
}

static bool is_over(const struct block_oracle *oracle, uint16_t frame, uint16_t node)
{
    const struct block_oracle_step *step = instance(oracle, frame, node);
    enum plan_kind kind = node_at(oracle, node)->kind;
    if (step != NULL || kind == PLAN_FAIL)
        return step == NULL || step->passed; /* a `fail` whose condition is false leaves nothing behind */
    for (uint16_t i = (uint16_t)(frame + 1); i < oracle->frame_count; i++) {
        uint16_t block = oracle->frames[i].node;
        if (oracle->frames[i].parent == frame &&
            (block == node || (kind == PLAN_SWITCH && node_at(oracle, block)->parent == node)))
            return block_oracle_is_finished(oracle, i);
    }
    return false;
}

bool block_oracle_is_reached(const struct block_oracle *oracle, uint16_t frame, uint16_t order)
{
    const struct plan_node *node = block_oracle_node_of(oracle, frame);
    for (uint16_t i = 0; i < order; i++)
        if (!is_over(oracle, frame, node->children[i]))
            return false;
    return true;
}

static uint32_t part_count(const struct block_oracle *oracle, uint16_t frame)
{
    const struct plan_node *node = block_oracle_node_of(oracle, frame);
    return node->kind == PLAN_FOREACH ? oracle->frames[frame].items : node->child_count;
}

bool block_oracle_is_finished(const struct block_oracle *oracle, uint16_t frame)
{
    const struct plan_node *node = block_oracle_node_of(oracle, frame);
    const struct block_oracle_frame *it = &oracle->frames[frame];
    uint32_t finished = 0;
    if (node->kind == PLAN_SEQUENCE)
        return it->block != CORE_BLOCK_FAILED && block_oracle_is_reached(oracle, frame, node->child_count);
    if (it->went_back)
        return it->block == CORE_BLOCK_CLOSED;
    for (uint16_t i = (uint16_t)(frame + 1); i < oracle->frame_count; i++)
        finished += oracle->frames[i].parent == frame && block_oracle_is_finished(oracle, i);
    return finished == part_count(oracle, frame);
}

static uint16_t order_of(const struct block_oracle *oracle, uint16_t frame)
{
    const struct plan_node *node = block_oracle_node_of(oracle, frame);
    return node->kind == PLAN_SEQUENCE ? node_at(oracle, node->parent)->order
                                       : node->order; /* a switch's case */
}

bool block_oracle_is_before(const struct block_oracle *oracle, uint16_t a, uint16_t b)
{
    uint16_t left = oracle->steps[a].frame, right = oracle->steps[b].frame;
    uint16_t left_order = node_at(oracle, oracle->steps[a].node)->order;
    uint16_t right_order = node_at(oracle, oracle->steps[b].node)->order;
    while (left != right) {
        uint16_t *deeper = left > right ? &left : &right;
        uint16_t *order = left > right ? &left_order : &right_order;
        *order = order_of(oracle, *deeper);
        *deeper = oracle->frames[*deeper].parent;
    }
    return block_oracle_node_of(oracle, left)->kind == PLAN_SEQUENCE && left_order < right_order;
}
