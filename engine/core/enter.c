/* Entering the next child of a sequence, or the next branch or item: a leaf is opened and begun, a block gets
 * its frame, a switch picks its case. Called by flow.c alone. Never looks at what was entered before: flow.c
 * knows when it is time. */
#include "engine/core/enter.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/attempt.h"
#include "engine/core/evaluate.h"
#include "engine/core/forward.h"
#include "engine/core/frames.h"
#include "engine/core/words.h"

static uint16_t open_leaf(struct work *work, uint16_t frame, const struct plan_node *node)
{
    uint16_t step = work->saga->step_count;
    check(node->id.size > 0);
    work_change(work, (struct core_change){
                          .kind = CORE_CHANGE_OPEN, .step = step, .node = node->index, .frame = frame});
    return step;
}

static void enter_frame(struct work *work, uint16_t parent, uint16_t node, uint16_t index,
                        const struct json *items)
{
    check(parent < work->saga->frame_count);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_FRAME,
                                           .step = CORE_NO_STEP,
                                           .frame = work->saga->frame_count,
                                           .node = node,
                                           .parent = parent,
                                           .index = index,
                                           .body = items});
}

static void pass(struct work *work, uint16_t frame)
{
    uint16_t cursor = work->saga->frames[frame].cursor;
    check(cursor < frames_node(work->saga, frame)->child_count);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_CURSOR,
                                           .step = CORE_NO_STEP,
                                           .frame = frame,
                                           .cursor = (uint16_t)(cursor + 1)});
}

/* A block that cannot begin becomes a step, so that people see what failed and can decide about it. */
static void fail_block(struct work *work, uint16_t frame, const struct plan_node *node, struct str code,
                       struct str message)
{
    check(code.size > 0);
    forward_rejected(work, open_leaf(work, frame, node), code, message);
}

static void enter_switch(struct work *work, uint16_t frame, const struct plan_node *node)
{
    struct str code, message;
    uint64_t units = work->saga->unbounded ? UINT64_MAX / 2 : (uint64_t)LIMITS_SWITCH_STEPS * EXPR_STEP_WORK;
    check(node->kind == PLAN_SWITCH);
    for (uint16_t i = 0; i < node->child_count; i++) {
        const struct expr *when = node->choice->when[i];
        const struct json *value =
            when == NULL ? NULL : evaluate_within(work, frame, when, &units, &code, &message);
        if (when != NULL && value == NULL) {
            fail_block(work, frame, node, code, message);
            return;
        }
        if (when == NULL || expr_truth(value)) {
            enter_frame(work, frame, node->children[i], i, NULL);
            return;
        }
    }
    fail_block(work, frame, node, core_code_text(CORE_CODE_NO_BRANCH),
               STR("no case fits, and there is no `else`"));
}

static void enter_foreach(struct work *work, uint16_t frame, const struct plan_node *node)
{
    struct str code, message;
    const struct json *items = NULL;
    check(node->kind == PLAN_FOREACH);
    if (!work_is_heavy(work, &code, &message))
        items = evaluate(work, frame, node->fan->in, &code, &message);
    if (items != NULL && items->kind != JSON_ARRAY) {
        code = expr_fault_code(EXPR_FAULT_TYPE);
        message = STR("`in` gave no list");
        items = NULL;
    } else if (items != NULL && items->count > node->fan->items_max) {
        code = core_code_text(CORE_CODE_TOO_MANY_ITEMS);
        message =
            work_text(work, "`in` gave %u items, `max_items` is %u", items->count, node->fan->items_max);
        items = NULL;
    }
    if (items == NULL)
        fail_block(work, frame, node, code, message);
    else
        enter_frame(work, frame, node->index, 0, items);
}

/* Its message may be given without one: what it is about is the code. */
static void enter_fail(struct work *work, uint16_t frame, const struct plan_node *node)
{
    const struct plan_fail *plan = node->fail;
    struct str code, message;
    const struct json *value = NULL;
    check(plan->code.size > 0);
    if (plan->when != NULL) {
        value = evaluate(work, frame, plan->when, &code, &message);
        if (value == NULL) {
            fail_block(work, frame, node, code, message);
            return;
        }
        if (!expr_truth(value)) {
            pass(work, frame);
            return;
        }
    }
    value = &json_null;
    if (plan->message != NULL)
        value = evaluate(work, frame, plan->message, &code, &message);
    if (value == NULL) {
        fail_block(work, frame, node, code, message);
        return;
    }
    message = value->kind == JSON_STRING ? value->text
              : value->kind == JSON_NULL ? STR("")
                                         : json_text(work->scratch, value);
    fail_block(work, frame, node, plan->code, work_clean_message(message));
}

void enter_next(struct work *work, uint16_t frame)
{
    const struct plan_node *sequence = frames_node(work->saga, frame);
    uint16_t cursor = work->saga->frames[frame].cursor;
    check(sequence->kind == PLAN_SEQUENCE);
    check(cursor < sequence->child_count);
    const struct plan_node *node = &work->saga->plan->nodes[sequence->children[cursor]];
    switch (node->kind) {
    case PLAN_STEP:
    case PLAN_SAGA:
    case PLAN_AWAIT:
    case PLAN_WAIT:
        attempt_go(work, open_leaf(work, frame, node));
        return;
    case PLAN_SWITCH:
        enter_switch(work, frame, node);
        return;
    case PLAN_FOREACH:
        enter_foreach(work, frame, node);
        return;
    case PLAN_PARALLEL:
    case PLAN_SCOPE:
        enter_frame(work, frame, node->index, 0, NULL);
        return;
    case PLAN_FAIL:
        enter_fail(work, frame, node);
        return;
    case PLAN_SEQUENCE:
        break;
    }
    check_never("a sequence in a sequence");
}

uint16_t enter_part_count(const struct core_saga *saga, uint16_t frame)
{
    const struct plan_node *node = frames_node(saga, frame);
    check(node->kind == PLAN_PARALLEL || node->kind == PLAN_FOREACH || node->kind == PLAN_SCOPE);
    return node->kind == PLAN_FOREACH ? (uint16_t)saga->frames[frame].items->count : node->child_count;
}

void enter_part(struct work *work, uint16_t frame)
{
    const struct plan_node *node = frames_node(work->saga, frame);
    uint16_t index = work->saga->frames[frame].cursor;
    check(index < enter_part_count(work->saga, frame));
    enter_frame(work, frame, node->children[node->kind == PLAN_PARALLEL ? index : 0], index, NULL);
}
