#include "engine/core/unclear.h"
#include "engine/base/check.h"
#include "engine/core/attempt.h"
#include "engine/core/back.h"
#include "engine/core/words.h"

bool unclear_is_news(struct work *work, uint16_t step)
{
    enum core_kind kind = work->event.command_kind;
    const struct core_step *it = work_step(work, step);
    check(work->event.status != CORE_REPLY_OK);
    check(work->event.attempt <= it->attempts[kind]);
    bool child = work_node(work, step)->kind == PLAN_SAGA;
    uint32_t least = child ? it->budget_base[kind] + 1 : it->attempts[kind];
    if (work->event.attempt < least) {
        work_leave(work, CORE_STALE, "attempt %u is not the newest, which is %u", work->event.attempt,
                   it->attempts[kind]);
        return false;
    }
    if (!child && it->answered[kind]) {
        work_leave(work, CORE_DUPLICATE, "attempt %u was answered already", work->event.attempt);
        return false;
    }
    return true;
}

bool unclear_is_outstanding(struct work *work, uint16_t step)
{
    check(work->count == 0);
    if (work_step(work, step)->state == state_sent(work->event.command_kind))
        return true;
    work_leave(work, CORE_LATE, "attempt %u of %.*s is not waited for any more", work->event.attempt,
               WORDS(work->event.step));
    return false;
}

/* What the step's error says of an answer that was put aside. */
static struct str put_aside(struct work *work)
{
    struct str kind = core_kind_text(work->event.command_kind);
    check(work->event.attempt > 0);
    return work_text(work, "%.*s attempt %u" CORE_PUT_ASIDE ": %.*s", WORDS(kind), work->event.attempt,
                     WORDS(work->event.error_message));
}

void unclear_failed(struct work *work, uint16_t step)
{
    enum core_kind kind = work->event.command_kind;
    check(work->event.status == CORE_REPLY_UNCLEAR);
    if (work->event.error_code.size == 0)
        work->event.error_code = core_code_text(CORE_CODE_REPLY_UNUSABLE);
    struct str code = work->event.error_code;
    if (!unclear_is_news(work, step) || !unclear_is_outstanding(work, step))
        return;
    bool aside = str_equal(code, core_code_text(CORE_CODE_REPLY_UNUSABLE));
    struct str message = aside ? put_aside(work) : work->event.error_message;
    work_take(work);
    if (kind == CORE_DO)
        work_unknown(work, step, true);
    if (kind == CORE_DO && work_halted(work, step)) {
        work_fault(work, step, code, message);
        back_settle(work, step);
        return;
    }
    attempt_again(work, step, work->event.retry_after_us, code, message);
}

void unclear_spoil(struct work *work, struct str reason)
{
    check(work->event.kind == CORE_EVENT_REPLY);
    check(work->count == 0);
    work->event.status = CORE_REPLY_UNUSABLE;
    work->event.error_code = core_code_text(CORE_CODE_REPLY_UNUSABLE);
    work->event.error_message = work_clean_message(reason);
    work->event.retry_after_us = 0;
    work->event.body = NULL;
}

/* Whether the question is still open that commands of this kind ask. */
static bool is_open(enum core_step_state state, enum core_kind kind)
{
    check((unsigned)kind < CORE_KIND_COUNT);
    if (!state_commands(state))
        return false;
    enum core_kind open = state_kind(state);
    return open == kind || (open == CORE_VERIFY && kind == CORE_DO);
}

static void note(struct work *work, uint16_t step)
{
    const struct core_step *it = work_step(work, step);
    enum core_kind kind = work->event.command_kind;
    uint32_t attempt = work->event.attempt;
    check(work->event.error_code.size > 0);
    if (attempt <= it->noted[kind]) {
        work_leave(work, CORE_DUPLICATE, "an answer to attempt %u or a newer one was put aside already",
                   attempt);
        return;
    }
    if (!is_open(it->state, kind)) {
        work_leave(work, CORE_LATE, "%.*s is decided already", WORDS(work->event.step));
        return;
    }
    struct str message = put_aside(work);
    work_take(work);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_NOTE,
                                           .step = step,
                                           .command = kind,
                                           .attempt = attempt,
                                           .code = work->event.error_code,
                                           .message = message});
}

void unclear_unusable(struct work *work, uint16_t step)
{
    check(work->event.status == CORE_REPLY_UNUSABLE);
    check(work->event.body == NULL);
    bool request = work_action(work, step, work->event.command_kind)->via == PLAN_VIA_REQUEST;
    if (request)
        work->event.status = CORE_REPLY_UNCLEAR;
    if (request)
        unclear_failed(work, step);
    else
        note(work, step);
}

bool unclear_was_answered(const struct work *work, uint16_t step, enum core_kind kind)
{
    const struct core_step *it = work_step(work, step);
    check(it->attempts[kind] > 0);
    return it->noted[kind] == it->attempts[kind];
}
