/* Events from outside: kept in the order of their coming, taken by the await that they fit, each id once.
 * Called by core.c, and by the flow when an await opens. Never wakes a step that does not wait for this
 * event. */
#include "engine/core/signal.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/awaited.h"
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
        if (core_signal_kept(signal) && str_equal(signal->name, await->event))
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
        if (!saga->signals[i].dropped && str_equal(saga->signals[i].id, event->signal_id) &&
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

/* Whether the saga could take it: it goes forward, its definition awaits it, and its schema fits. */
static bool is_understood(struct work *work, const struct json *body)
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
    if (node->await->schema == NULL || work_fits(work, node->await->schema, body, &problems))
        return true;
    work_leave(work, CORE_REFUSED, "the event breaks its schema at \"%.*s\": %.*s",
               WORDS(arena_copy(work->scratch, problems.items[0].pointer)), WORDS(problems.items[0].message));
    return false;
}

static uint32_t count_kept(const struct core_saga *saga, struct str event)
{
    uint32_t count = 0;
    check(saga->signal_count <= saga->signal_room);
    for (uint16_t i = 0; i < saga->signal_count && saga->signals_kept > 0; i++)
        count += core_signal_kept(&saga->signals[i]) && str_equal(saga->signals[i].name, event);
    return count;
}

/* Of one that nobody waits for yet: each await that may still begin takes one. Formerly so many in all, even
 * when they could not be taken any more. */
static bool is_room(struct work *work)
{
    const struct core_saga *saga = work->saga;
    struct str event = work->event.signal;
    if (saga->rules < CORE_RULES_KEPT) {
        if (saga->signal_count < LIMITS_SIGNALS)
            return true;
        work_leave(work, CORE_REFUSED, "it was sent %d events already, which is the most", LIMITS_SIGNALS);
        return false;
    }
    uint32_t most = awaited_yet(work, event);
    uint32_t kept = count_kept(saga, event);
    if (kept < most) {
        check(saga->signal_count < LIMITS_SIGNALS);
        return true;
    }
    if (most == 0)
        work_leave(work, CORE_REFUSED, "no await of this saga can take \"%.*s\" any more", WORDS(event));
    else
        work_leave(work, CORE_REFUSED,
                   "the saga keeps %u of \"%.*s\" already, as many as its awaits to come can take", kept,
                   WORDS(event));
    return false;
}

/* What is waited for is never refused for room: awaits are bounded, and the saga goes on by it. */
static bool is_welcome(struct work *work, const struct json *body, uint16_t step)
{
    struct str code, message;
    if (!is_understood(work, body))
        return false;
    if (step != CORE_NO_STEP && work->saga->rules >= CORE_RULES_KEPT)
        return true;
    if (work_is_heavy(work, &code, &message)) {
        work_leave(work, CORE_REFUSED, "%.*s", WORDS(message));
        return false;
    }
    return is_room(work);
}

void signal_take(struct work *work)
{
    const struct json *body = core_signal_body(work->saga, &work->event);
    check(work->event.kind == CORE_EVENT_SIGNAL);
    if (work->saga->rules >= CORE_RULES_KEPT)
        work->event.body = body;
    if (is_repeated(work->saga, &work->event)) {
        work_leave(work, CORE_DUPLICATE, "the event with the id \"%.*s\" was taken already",
                   WORDS(work->event.signal_id));
        return;
    }
    uint16_t step = find_waiting(work);
    if (!is_welcome(work, body, step))
        return;
    work_take(work);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_KEEP, .step = CORE_NO_STEP});
    if (step != CORE_NO_STEP)
        take(work, step, (uint16_t)(work->saga->signal_count - 1));
    check(work->count > 0);
}

/* Those behind the first `most` of this name, from `first` on, which is the first of them. */
static void drop_behind(struct work *work, uint16_t first, uint32_t most)
{
    const struct core_saga *saga = work->saga;
    struct str name = saga->signals[first].name;
    check(core_signal_kept(&saga->signals[first]));
    for (uint16_t i = first; i < saga->signal_count; i++) {
        if (!core_signal_kept(&saga->signals[i]) || !str_equal(saga->signals[i].name, name))
            continue;
        if (most > 0)
            most--;
        else
            work_change(work,
                        (struct core_change){.kind = CORE_CHANGE_DROP, .step = CORE_NO_STEP, .index = i});
    }
}

static bool is_first_kept(const struct core_saga *saga, uint16_t signal)
{
    check(signal < saga->signal_count);
    for (uint16_t i = 0; i < signal; i++)
        if (core_signal_kept(&saga->signals[i]) &&
            str_equal(saga->signals[i].name, saga->signals[signal].name))
            return false;
    return core_signal_kept(&saga->signals[signal]);
}

void signal_review(struct work *work)
{
    const struct core_saga *saga = work->saga;
    check(work->update->verdict == CORE_USED);
    if (saga->signals_kept == 0 || saga->rules < CORE_RULES_KEPT)
        return;
    for (uint16_t i = 0; i < saga->signal_count; i++)
        if (is_first_kept(saga, i))
            drop_behind(work, i, awaited_yet(work, saga->signals[i].name));
}
