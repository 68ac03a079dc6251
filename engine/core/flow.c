/* The crank: after each event every block moves on as far as it goes, compensations start, scopes close, the
 * saga ends. Called by core.c once for each event that was used; flow_fail by forward.c. Never hears an
 * answer, and never recurses over blocks: frames are walked in their order. */
#include "engine/core/flow.h"
#include "engine/base/check.h"
#include "engine/core/back.h"
#include "engine/core/enter.h"
#include "engine/core/evaluate.h"
#include "engine/core/frames.h"
#include "engine/core/lost.h"
#include "engine/core/signal.h"
#include "engine/core/words.h"

static void end_block(struct work *work, uint16_t frame, enum core_block block, uint16_t step,
                      struct str code, struct str message)
{
    check(frame != FRAMES_ROOT);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_BLOCK,
                                           .step = step,
                                           .frame = frame,
                                           .block = block,
                                           .code = code,
                                           .message = message});
}

static void close_block(struct work *work, uint16_t frame)
{
    end_block(work, frame, CORE_BLOCK_CLOSED, CORE_NO_STEP, (struct str){0}, (struct str){0});
}

/* Upwards until somebody takes the failure: a branch whose siblings may finish, a scope, or the saga. A
 * parallel or foreach with `on_failure: cancel` takes none: it fails as a whole. */
void flow_fail(struct work *work, uint16_t frame, uint16_t step, struct str code, struct str message)
{
    const struct core_saga *saga = work->saga;
    check(frames_is_live(saga, frame));
    for (; frame != FRAMES_ROOT; frame = saga->frames[frame].parent) {
        uint16_t parent = saga->frames[frame].parent;
        if (frames_is_fan(saga, parent) && !frames_node(saga, parent)->fan->cancels) {
            end_block(work, frame, CORE_BLOCK_FAILED, step, code, message);
            back_settle_within(work, frame);
            return;
        }
        if (frames_node(saga, frame)->kind == PLAN_SCOPE) {
            end_block(work, frame, CORE_BLOCK_BACK, step, code, message);
            back_settle_within(work, frame);
            return;
        }
    }
    back_begin(work, step, code, message);
}

static bool is_over(const struct core_step *step)
{
    check(step->opened_us > 0);
    return step->state == CORE_STEP_DONE || step->state == CORE_STEP_WAIVED;
}

static bool move_sequence(struct work *work, uint16_t frame)
{
    const struct core_saga *saga = work->saga;
    const struct core_frame *it = &saga->frames[frame];
    const struct plan_node *node = frames_node(saga, frame);
    check(node->kind == PLAN_SEQUENCE);
    bool busy = it->at_step != CORE_NO_STEP || it->at_frame != CORE_NO_STEP;
    bool over = (it->at_step != CORE_NO_STEP && is_over(work_step(work, it->at_step))) ||
                (it->at_frame != CORE_NO_STEP && saga->frames[it->at_frame].state == CORE_BLOCK_CLOSED);
    if (over)
        work_change(work, (struct core_change){.kind = CORE_CHANGE_CURSOR,
                                               .step = CORE_NO_STEP,
                                               .frame = frame,
                                               .cursor = (uint16_t)(it->cursor + 1)});
    else if (busy || (it->cursor == node->child_count && frame == FRAMES_ROOT))
        return false;
    else if (it->cursor == node->child_count)
        close_block(work, frame);
    else
        enter_next(work, frame);
    return true;
}

static bool move_scope(struct work *work, uint16_t frame)
{
    const struct core_frame *it = &work->saga->frames[frame];
    check(frames_node(work->saga, frame)->kind == PLAN_SCOPE);
    if (it->at_frame == CORE_NO_STEP)
        enter_part(work, frame);
    else if (work->saga->frames[it->at_frame].state == CORE_BLOCK_CLOSED)
        close_block(work, frame);
    else
        return false;
    return true;
}

struct parts {
    uint32_t open;
    uint32_t failed;
};

static struct parts count_parts(const struct core_saga *saga, uint16_t fan)
{
    struct parts parts = {0};
    check(frames_is_fan(saga, fan));
    for (uint16_t i = (uint16_t)(fan + 1); i < saga->frame_count; i++) {
        if (saga->frames[i].parent != fan)
            continue;
        parts.open += saga->frames[i].state == CORE_BLOCK_OPEN;
        parts.failed += saga->frames[i].state == CORE_BLOCK_FAILED;
    }
    return parts;
}

static bool move_fan(struct work *work, uint16_t frame)
{
    const struct core_frame *it = &work->saga->frames[frame];
    const struct plan_fan *plan = frames_node(work->saga, frame)->fan;
    struct parts parts = count_parts(work->saga, frame);
    check(plan->concurrency_max > 0);
    if (parts.failed > 0 && parts.open > 0)
        return false;
    if (parts.failed > 0) {
        struct str code = arena_copy(work->scratch, it->cause_code);
        struct str message = arena_copy(work->scratch, it->cause_message);
        flow_fail(work, it->parent, it->cause_step, code, message);
        return true;
    }
    bool all_entered = it->cursor == enter_part_count(work->saga, frame);
    if (all_entered && parts.open == 0)
        close_block(work, frame);
    else if (!all_entered && parts.open < plan->concurrency_max)
        enter_part(work, frame);
    else
        return false;
    return true;
}

static bool move_frame(struct work *work, uint16_t frame)
{
    const struct core_saga *saga = work->saga;
    check(frame < saga->frame_count);
    if (saga->frames[frame].state != CORE_BLOCK_OPEN || !frames_is_live(saga, frame))
        return false;
    if (frames_is_fan(saga, frame))
        return move_fan(work, frame);
    if (frames_node(saga, frame)->kind == PLAN_SCOPE)
        return move_scope(work, frame);
    return move_sequence(work, frame);
}

/* Going forward is held by the saga's end and by a deadline that has passed; a pause holds only sends. */
static bool move_forward(struct work *work)
{
    const struct core_saga *saga = work->saga;
    bool moved = false;
    check(saga->frame_count > 0);
    bool late = saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP;
    if (core_ended(saga) || saga->direction == CORE_BACK || late)
        return false;
    for (uint16_t i = 0; i < saga->frame_count; i++)
        while (!core_ended(saga) && !work_is_full(work) && move_frame(work, i))
            moved = true;
    return moved;
}

static void give_result(struct work *work, const struct json *output)
{
    check(output != NULL);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_RESULT, .step = CORE_NO_STEP, .body = output});
}

/* All is done, the effects are there: without its output it is for a human, unless the definition says that
 * it does without. False: it is parked. */
static bool do_without(struct work *work, struct str code, struct str message)
{
    const struct core_saga *saga = work->saga;
    check(code.size > 0);
    if (saga->rules >= CORE_RULES_OUTPUT) {
        message = work_clean_message(
            work_text(work, "the output cannot be computed: %.*s: %.*s", WORDS(code), WORDS(message)));
        code = core_code_text(CORE_CODE_OUTPUT_FAILED);
    }
    if (saga->rules >= CORE_RULES_OUTPUT && !saga->plan->completes_without_output) {
        work_park(work, CORE_NO_STEP, code, message);
        return false;
    }
    give_result(work, &json_null);
    work_cause(work, CORE_NO_STEP, code, message);
    return true;
}

static void complete(struct work *work)
{
    const struct core_saga *saga = work->saga;
    struct str code, message;
    check(saga->direction == CORE_FORWARD);
    check(saga->status == CORE_RUNNING);
    if (saga->plan->output && saga->output == NULL) {
        const struct json *output = evaluate(work, FRAMES_ROOT, saga->plan->output, &code, &message);
        if (output)
            give_result(work, output);
        else if (!do_without(work, code, message))
            return;
    }
    work_status(work, CORE_COMPLETED, CORE_FORWARD);
}

static void end_saga(struct work *work)
{
    const struct core_saga *saga = work->saga;
    check(saga->frame_count > 0);
    if (core_ended(saga))
        return;
    bool at_end = frames_at_end(saga);
    if (saga->direction == CORE_BACK && !lost_holds(saga) && back_is_over(work))
        work_status(work, CORE_COMPENSATED, CORE_BACK);
    else if (saga->direction == CORE_FORWARD && saga->status == CORE_RUNNING && at_end && back_is_over(work))
        complete(work);
}

void flow_run(struct work *work)
{
    check(work->update->verdict == CORE_USED);
    check(work->saga->frame_count > 0);
    bool moved = work->saga->status != CORE_TERMINATED; /* stopped as it is */
    while (moved) {
        work_review_park(work);
        moved = move_forward(work);
        moved |= back_go(work);
        if (moved && work_is_full(work)) {
            work_change(work, (struct core_change){.kind = CORE_CHANGE_MORE, .step = CORE_NO_STEP});
            return;
        }
    }
    end_saga(work);
    signal_review(work);
}
