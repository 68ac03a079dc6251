#include "engine/core/signal.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/words.h"
#include "engine/definition/schema.h"

/* First come, first taken. CORE_NO_STEP: none is kept. What is kept fits each await of its event: a
 * definition gives them one schema, and signal_take has held it. */
static uint16_t find_kept(struct work *work, const struct plan_await *await)
{
    const struct core_saga *saga = work->saga;
    check(saga->signal_count <= saga->signal_room);
    for (uint16_t i = 0; i < saga->signal_count; i++) {
        const struct core_signal *signal = &saga->signals[i];
        if (!signal->taken && str_equal(signal->name, await->event))
            return i;
    }
    return CORE_NO_STEP;
}

static void take(struct work *work, uint16_t step, uint16_t signal)
{
    check(signal < work->saga->signal_count);
    check(!work_halted(work, step));
    work_change(work, (struct core_change){.kind = CORE_CHANGE_TAKE, .step = step, .index = signal});
    work_move(work, step, CORE_STEP_DONE, 0);
}

void signal_await(struct work *work, uint16_t step)
{
    const struct plan_await *await = work_node(work, step)->await;
    check(work_step(work, step)->state == CORE_STEP_WAITING);
    uint16_t kept = find_kept(work, await);
    work_move(work, step, CORE_STEP_AWAITING, work_after(work, await->timeout_us));
    if (kept != CORE_NO_STEP)
        take(work, step, kept);
}

static bool is_repeated(const struct core_saga *saga, const struct core_event *event)
{
    check(saga->signal_count <= saga->signal_room);
    for (uint16_t i = 0; i < saga->signal_count && event->signal_id.size > 0; i++)
        if (str_equal(saga->signals[i].id, event->signal_id) &&
            str_equal(saga->signals[i].name, event->signal))
            return true;
    return false;
}

/* An await that was given up waits on: a human has been asked, and the event is the answer. */
static uint16_t find_waiting(struct work *work)
{
    const struct core_saga *saga = work->saga;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct plan_node *node = work_node(work, i);
        enum core_step_state state = work_step(work, i)->state;
        if (node->kind != PLAN_AWAIT || !str_equal(node->await->event, work->event.signal) ||
            (state != CORE_STEP_AWAITING && state != CORE_STEP_STUCK))
            continue;
        if (!work_halted(work, i))
            return i;
    }
    return CORE_NO_STEP;
}

static bool is_welcome(struct work *work, const struct json *body)
{
    const struct core_saga *saga = work->saga;
    const struct plan_node *node = plan_find_await(saga->plan, work->event.signal);
    struct schema_problems problems = {.count = 0};
    if (core_ended(saga) || saga->direction == CORE_BACK) {
        work_leave(work, CORE_REFUSED, core_ended(saga) ? "the saga has ended" : "the saga is being undone");
        return false;
    }
    if (node == NULL) {
        work_leave(work, CORE_REFUSED, "no await of this definition waits for \"%.*s\"",
                   WORDS(work->event.signal));
        return false;
    }
    if (node->await->schema && !work_fits(work, node->await->schema, body, &problems)) {
        work_leave(work, CORE_REFUSED, "the event breaks its schema at \"%.*s\": %.*s",
                   WORDS(arena_copy(work->scratch, problems.items[0].pointer)),
                   WORDS(problems.items[0].message));
        return false;
    }
    struct str code, message;
    if (work_is_heavy(work, &code, &message)) {
        work_leave(work, CORE_REFUSED, "%.*s", WORDS(message));
        return false;
    }
    if (saga->signal_count < LIMITS_SIGNALS)
        return true;
    work_leave(work, CORE_REFUSED, "it was sent %d events already, which is the most", LIMITS_SIGNALS);
    return false;
}

void signal_take(struct work *work)
{
    const struct json *body = work->event.body ? work->event.body : &json_null;
    check(work->event.kind == CORE_EVENT_SIGNAL);
    if (is_repeated(work->saga, &work->event)) {
        work_leave(work, CORE_DUPLICATE, "the event with the id \"%.*s\" was taken already",
                   WORDS(work->event.signal_id));
        return;
    }
    if (!is_welcome(work, body))
        return;
    uint16_t step = find_waiting(work);
    work_take(work);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_KEEP, .step = CORE_NO_STEP});
    if (step != CORE_NO_STEP)
        take(work, step, (uint16_t)(work->saga->signal_count - 1));
    check(work->count > 0);
}
