/* The door of the core: an event is dispatched to its handler, then flow_run draws what follows; and the fold
 * of a stored record. Called by the runtime, the model, the tests. Never decides anything about a step: that
 * is the handlers'. */
#include "engine/core/core.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/back.h"
#include "engine/core/clock.h"
#include "engine/core/delivery.h"
#include "engine/core/flow.h"
#include "engine/core/frames.h"
#include "engine/core/lost.h"
#include "engine/core/operator.h"
#include "engine/core/reply.h"
#include "engine/core/signal.h"
#include "engine/core/state.h"
#include "engine/core/timer.h"
#include "engine/core/work.h"

void core_init(struct core_saga *saga, const struct plan *plan, struct id id, struct arena *arena)
{
    check(plan->node_count > 0);
    check(plan->nodes[0].kind == PLAN_SEQUENCE);
    *saga = (struct core_saga){
        .plan = plan, .arena = arena, .id = id, .cause_step = CORE_NO_STEP, .park_step = CORE_NO_STEP};
}

bool core_ended(const struct core_saga *saga)
{
    check((unsigned)saga->status <= CORE_TERMINATED);
    return saga->status == CORE_COMPLETED || saga->status == CORE_COMPENSATED ||
           saga->status == CORE_TERMINATED;
}

bool core_history_lost(const struct core_saga *saga)
{
    check(saga->plan != NULL);
    return lost_holds(saga);
}

bool core_lacks_output(const struct core_saga *saga)
{
    check(saga->plan != NULL);
    return saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP &&
           str_equal(saga->park_code, core_code_text(CORE_CODE_OUTPUT_FAILED));
}

struct str core_step_path(const struct core_saga *saga, uint16_t step)
{
    check(step < saga->step_count);
    check(saga->steps[step].path.size > 0);
    return saga->steps[step].path;
}

const struct json *core_signal_body(const struct core_saga *saga, const struct core_event *signal)
{
    static const struct json nothing = {.kind = JSON_OBJECT};
    check(signal->kind == CORE_EVENT_SIGNAL);
    if (signal->body != NULL)
        return signal->body;
    return saga->rules >= CORE_RULES_KEPT ? &nothing : &json_null;
}

bool core_signal_kept(const struct core_signal *signal)
{
    check(signal->name.size > 0);
    return !signal->taken && !signal->dropped;
}

struct id core_child(const struct core_saga *saga, uint16_t step)
{
    const struct core_step *it = &saga->steps[step];
    check(step < saga->step_count);
    check(saga->plan->nodes[it->node].kind == PLAN_SAGA);
    return id_derive(saga->id, it->path, it->budget_base[CORE_DO], saga->shards);
}

bool core_halted(const struct core_saga *saga, uint16_t step)
{
    check(step < saga->step_count);
    return frames_is_halted(saga, saga->steps[step].frame);
}

bool core_outstanding(const struct core_saga *saga, uint16_t step, enum core_kind kind, uint32_t attempt)
{
    check((unsigned)kind < CORE_KIND_COUNT);
    return !core_ended(saga) && step < saga->step_count && saga->steps[step].state == state_sent(kind) &&
           saga->steps[step].attempts[kind] == attempt;
}

bool core_going_back(const struct core_saga *saga, uint16_t step)
{
    check(step < saga->step_count);
    return frames_is_back(saga, saga->steps[step].frame);
}

const struct plan_action *core_action(const struct plan_step *step, enum core_kind kind)
{
    check(step != NULL);
    switch (kind) {
    case CORE_DO:
        return &step->run;
    case CORE_VERIFY:
        return step->has_verify ? &step->verify : NULL;
    case CORE_UNDO:
        return step->has_undo ? &step->undo : NULL;
    }
    check_never("a command of no kind");
}

static void start(struct work *work)
{
    check(work->event.kind == CORE_EVENT_START);
    if (work->saga->seq > 0) {
        work_leave(work, CORE_DUPLICATE, "the saga has started already");
        return;
    }
    work_take(work);
    check(work->saga->frame_count == 1);
    if (work->event.stillborn) {
        work_cause(work, CORE_NO_STEP, core_code_text(CORE_CODE_CANCELLED),
                   STR("its parent saga was undone before this one began"));
        work_status(work, CORE_COMPENSATED, CORE_BACK);
        return;
    }
    if (work->saga->plan->timeout_us > 0)
        work_deadline(work, work_after(work, work->saga->plan->timeout_us));
}

/* Before its first record a saga knows only one event. */
static bool started(struct work *work)
{
    check(work->count == 0);
    check(work->update->verdict == CORE_IDLE);
    if (work->saga->seq > 0)
        return true;
    if (work->event.kind == CORE_EVENT_REPLY)
        work_leave(work, CORE_DEAD, "the saga has not started");
    else if (work->event.kind == CORE_EVENT_TIMER)
        work_leave(work, CORE_IDLE, "the saga has not started");
    else
        work_leave(work, CORE_REFUSED, "the saga has not started");
    return false;
}

static void decide(struct work *work)
{
    check(work->scratch != NULL);
    switch (work->event.kind) {
    case CORE_EVENT_START:
        start(work);
        return;
    case CORE_EVENT_REPLY:
        reply_take(work);
        return;
    case CORE_EVENT_TIMER:
        timer_fire(work);
        return;
    case CORE_EVENT_CANCEL:
    case CORE_EVENT_TERMINATE:
    case CORE_EVENT_PAUSE:
    case CORE_EVENT_RESUME:
    case CORE_EVENT_RETRY:
    case CORE_EVENT_SKIP:
    case CORE_EVENT_FORCE:
    case CORE_EVENT_MOVE:
        operator_verb(work);
        return;
    case CORE_EVENT_SIGNAL:
        signal_take(work);
        return;
    case CORE_EVENT_UNDO:
        back_undo(work);
        return;
    case CORE_EVENT_DELIVERED:
        delivery_late(work);
        return;
    case CORE_EVENT_UNDELIVERED:
        delivery_none(work);
        return;
    case CORE_EVENT_LOST:
        lost_mark(work);
        return;
    case CORE_EVENT_CLOCK:
        clock_back(work);
        return;
    }
    check_never("an event of no kind");
}

static bool is_unusable(const struct core_event *event)
{
    return event->kind == CORE_EVENT_REPLY &&
           str_equal(event->error_code, core_code_text(CORE_CODE_REPLY_UNUSABLE)) &&
           (event->status == CORE_REPLY_UNUSABLE || event->status == CORE_REPLY_UNCLEAR);
}

void core_step(struct core_saga *saga, const struct core_event *event, struct arena *scratch,
               struct core_update *update)
{
    check(saga->plan != NULL);
    check(scratch != saga->arena);
    struct work work;
    *update = (struct core_update){.verdict = CORE_IDLE};
    if (work_begin(&work, saga, event, scratch, update) &&
        (event->kind == CORE_EVENT_START || started(&work)))
        decide(&work);
    if (update->verdict == CORE_USED)
        flow_run(&work);
    update->steps = (uint32_t)(work.spent / EXPR_STEP_WORK);
    bool unusable = is_unusable(&work.event);
    update->aside = unusable || work.witness;
    if (unusable && work.event.error_message.size > 0)
        update->why = work.event.error_message;
    if (update->verdict != CORE_USED)
        return;
    update->record = (struct core_record){
        .seq = saga->seq, .event = work.event, .changes = work.changes, .change_count = work.count};
}

enum err core_fold(struct core_saga *saga, const struct core_record *record, struct err_note *note)
{
    check(saga->plan != NULL);
    check(record->changes != NULL || record->change_count == 0);
    const char *wrong = state_event_follows(saga, record->seq, &record->event);
    if (wrong)
        return err_note(note, ERR_INVALID, "record %lld: %s", (long long)record->seq, wrong);
    state_event(saga, record->seq, &record->event);
    for (uint32_t i = 0; i < record->change_count; i++) {
        wrong = state_follows(saga, &record->event, &record->changes[i]);
        if (wrong)
            return err_note(note, ERR_INVALID, "record %lld, change %u: %s", (long long)record->seq, i + 1,
                            wrong);
        state_change(saga, &record->event, &record->changes[i]);
    }
    wrong = state_inconsistent(saga);
    if (wrong)
        return err_note(note, ERR_INVALID, "record %lld: %s", (long long)record->seq, wrong);
    return ERR_OK;
}

int64_t core_wake(const struct core_saga *saga)
{
    check(saga->step_count <= saga->step_room);
    uint16_t step;
    return timer_next(saga, NULL, NULL, &step);
}

int64_t core_next(const struct core_saga *saga, bool (*holds)(const void *context, uint16_t step),
                  const void *context, uint16_t *step)
{
    check(saga->step_count <= saga->step_room);
    return timer_next(saga, holds, context, step);
}
