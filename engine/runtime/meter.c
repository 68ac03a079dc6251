#include "engine/runtime/meter.h"

#include "engine/ops/log.h"
#include "engine/ops/metrics.h"

/* The outcome a step's state counts as; NULL: not an outcome. */
static const char *outcome_of(enum core_step_state state)
{
    switch (state) {
    case CORE_STEP_DONE:
        return "succeeded";
    case CORE_STEP_REJECTED:
        return "rejected";
    case CORE_STEP_DOUBT:
        return "in_doubt";
    case CORE_STEP_UNDONE:
        return "undone";
    case CORE_STEP_WAIVED:
    case CORE_STEP_UNDO_WAIVED:
        return "skipped";
    case CORE_STEP_STUCK:
    case CORE_STEP_UNDO_STUCK:
        return "stuck";
    case CORE_STEP_WAITING:
    case CORE_STEP_SENT:
    case CORE_STEP_VERIFY_WAITING:
    case CORE_STEP_VERIFY_SENT:
    case CORE_STEP_UNDO_WAITING:
    case CORE_STEP_UNDO_SENT:
    case CORE_STEP_AWAITING:
    case CORE_STEP_SLEEPING:
        return NULL;
    }
    return NULL;
}

static void count_change(struct str definition, const struct core_change *change)
{
    if (change->kind == CORE_CHANGE_SEND)
        metrics_add(METRICS_ATTEMPTS, 1, definition, core_kind_text(change->command));
    const char *outcome = change->kind == CORE_CHANGE_STEP ? outcome_of(change->state) : NULL;
    if (outcome != NULL)
        metrics_add(METRICS_STEPS, 1, definition, str_from(outcome));
}

/* What cannot be used is counted with its dead letter. */
static void count_reply(const struct core_event *event)
{
    bool aside = str_equal(event->error_code, core_code_text(CORE_CODE_REPLY_UNUSABLE));
    if (event->status == CORE_REPLY_UNCLEAR && !aside)
        metrics_add(METRICS_REPLIES, 1, STR("unclear"), METRICS_NO_LABEL);
    else if (event->status != CORE_REPLY_UNCLEAR && event->status != CORE_REPLY_UNUSABLE)
        metrics_add(METRICS_REPLIES, 1, STR("used"), METRICS_NO_LABEL);
}

static bool is_end(enum core_status status)
{
    return status == CORE_COMPLETED || status == CORE_COMPENSATED || status == CORE_TERMINATED;
}

void meter_transition(const struct plan *plan, const struct core_record *record, enum core_status before,
                      enum core_status after)
{
    struct str definition = plan->name;
    if (record->event.kind == CORE_EVENT_START)
        metrics_add(METRICS_SAGAS_STARTED, 1, definition, METRICS_NO_LABEL);
    if (record->event.kind == CORE_EVENT_REPLY)
        count_reply(&record->event);
    for (uint32_t i = 0; i < record->change_count; i++)
        count_change(definition, &record->changes[i]);
    if (after == before && record->event.kind != CORE_EVENT_START)
        return;
    if (is_end(after))
        metrics_add(METRICS_SAGAS_ENDED, 1, definition, core_status_text(after));
    if (after == CORE_PARKED)
        metrics_add(METRICS_SAGAS_PARKED, 1, definition, METRICS_NO_LABEL);
}

void meter_verdict(const struct core_event *event, const struct core_update *update)
{
    if (event->kind != CORE_EVENT_REPLY || update->aside)
        return;
    switch (update->verdict) {
    case CORE_DUPLICATE:
        metrics_add(METRICS_REPLIES, 1, STR("duplicate"), METRICS_NO_LABEL);
        return;
    case CORE_LATE:
    case CORE_STALE:
        metrics_add(METRICS_REPLIES, 1, STR("late"), METRICS_NO_LABEL);
        return;
    case CORE_USED: /* counted with its record */
    case CORE_DEAD: /* counted with its letter */
    case CORE_REFUSED:
    case CORE_IDLE:
        return;
    }
}

void meter_dead(bool reply)
{
    metrics_add(METRICS_DEAD_LETTERS, 1, METRICS_NO_LABEL, METRICS_NO_LABEL);
    if (reply)
        metrics_add(METRICS_REPLIES, 1, STR("dead"), METRICS_NO_LABEL);
}

void meter_published(int64_t taken_us, int64_t at_us)
{
    if (taken_us > 0)
        metrics_observe(METRICS_PUBLISH_TIME, at_us - taken_us);
}

void meter_commit(enum err error, bool bisected)
{
    struct str result = bisected ? STR("bisected") : STR("ok");
    if (error == ERR_FENCED)
        result = STR("fenced");
    else if (error == ERR_UNKNOWN_OUTCOME)
        result = STR("unknown");
    else if (error != ERR_OK)
        result = STR("failed");
    metrics_add(METRICS_COMMITS, 1, result, METRICS_NO_LABEL);
}

void meter_event(struct str definition, struct str what)
{
    metrics_add(METRICS_EVENTS, 1, definition, what);
}

void meter_batch(uint32_t records, int64_t commit_us)
{
    metrics_observe(METRICS_BATCH_EVENTS, records);
    metrics_observe(METRICS_COMMIT_TIME, commit_us);
}

void meter_answer_lost(void)
{
    log_warn("answer_lost", "why=%s", "the broker did not take it; the caller will ask again");
}
