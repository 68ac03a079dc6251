/* The promises S4 to S15, S21, S22 held against each record. Shares no code with engine/core. */
#include "tests/core/oracle.h"
#include <stdio.h>
#include <stdlib.h>

#define PROMISE(rule, what) ((what) ? (void)0 : breach(oracle, rule, #what))

static void breach(const struct oracle *oracle, const char *rule, const char *what)
{
    fprintf(stderr, "record %lld breaks %s: %s\n", (long long)oracle->seq, rule, what);
    abort();
}

void oracle_init(struct oracle *oracle, const struct plan *plan)
{
    *oracle = (struct oracle){.plan = plan};
}

/* Plans of one sequence: the n-th step opened is the n-th of the plan. */
static const struct plan_step *plan_of(const struct oracle *oracle, uint16_t step)
{
    return oracle->plan->nodes[oracle->plan->nodes[0].children[step]].step;
}

static uint32_t attempts_of(const struct oracle *oracle, uint16_t step, enum core_kind kind)
{
    const struct plan_step *plan = plan_of(oracle, step);
    return kind == CORE_DO ? plan->run.retry.attempts_max
                           : (kind == CORE_UNDO ? plan->undo : plan->verify).retry.attempts_max;
}

static void watch_open(struct oracle *oracle, const struct core_change *change)
{
    PROMISE("S6", !oracle->back);
    PROMISE("S6", !oracle->steps[change->step].opened);
    for (uint16_t i = 0; i < change->step; i++)
        PROMISE("S6", oracle->steps[i].passed);
    struct oracle_step *step = &oracle->steps[change->step];
    step->opened = true;
    for (int kind = 0; kind < CORE_KIND_COUNT; kind++)
        step->commands[kind].budget = attempts_of(oracle, change->step, (enum core_kind)kind);
}

/* Whether an effect of the step exists or may exist, and nothing was done about it yet. */
static bool owes(const struct oracle *oracle, uint16_t index)
{
    const struct oracle_step *step = &oracle->steps[index];
    return plan_of(oracle, index)->has_undo && (step->happened || step->doubt) && step->undone == 0 &&
           !step->undo_waived;
}

/* The order is decided when a compensation becomes the next one: a late success joins behind it. */
static void watch_order(struct oracle *oracle, uint16_t index)
{
    for (uint16_t i = (uint16_t)(index + 1); i < ORACLE_STEPS; i++)
        PROMISE("S9", !oracle->steps[i].opened || !owes(oracle, i));
}

static void watch_undo(struct oracle *oracle, uint16_t index)
{
    struct oracle_step *step = &oracle->steps[index];
    PROMISE("S8", oracle->back);
    PROMISE("S8", owes(oracle, index));
    step->undoing = true;
}

static void watch_send(struct oracle *oracle, const struct core_change *change)
{
    struct oracle_step *step = &oracle->steps[change->step];
    struct oracle_command *command = &step->commands[change->command];
    PROMISE("S14", change->attempt == command->sent + 1);
    PROMISE("S14", change->attempt <= command->budget);
    PROMISE("S13", change->body != NULL);
    PROMISE("pause", !oracle->paused);
    PROMISE("park", !oracle->held);
    if (change->command == CORE_DO) {
        PROMISE("S7", !oracle->back);
        for (uint16_t i = 0; i < change->step; i++)
            PROMISE("S6", oracle->steps[i].passed);
        PROMISE("S6", !step->passed);
    }
    if (change->command == CORE_UNDO)
        watch_undo(oracle, change->step);
    command->sent = change->attempt;
    command->due_us = change->due_us;
    command->outstanding = true;
}

/* The reply that a decision cites. */
static void watch_decision(struct oracle *oracle, const struct core_change *change,
                           const struct core_event *event)
{
    const struct oracle_step *step = &oracle->steps[change->step];
    if (event->kind != CORE_EVENT_REPLY || change->step != oracle->answering)
        return; /* a step whose own body cannot be computed fails by no reply */
    const struct oracle_command *command = &step->commands[event->command_kind];
    if (event->status == CORE_REPLY_OK)
        PROMISE("S15", event->attempt <= command->sent);
    else
        PROMISE("S15", event->attempt == command->sent);
}

static void watch_timeout(struct oracle *oracle, const struct core_change *change,
                          const struct core_event *event)
{
    struct oracle_step *step = &oracle->steps[change->step];
    if (event->kind != CORE_EVENT_TIMER || change->from == CORE_STEP_STUCK)
        return;
    enum core_kind kind = change->from == CORE_STEP_SENT          ? CORE_DO
                          : change->from == CORE_STEP_VERIFY_SENT ? CORE_VERIFY
                                                                  : CORE_UNDO;
    struct oracle_command *command = &step->commands[kind];
    bool sent = change->from == CORE_STEP_SENT || change->from == CORE_STEP_VERIFY_SENT ||
                change->from == CORE_STEP_UNDO_SENT;
    PROMISE("S22", !sent || command->due_us <= event->at_us);
    PROMISE("S22", !sent || command->outstanding);
    if (!sent)
        return;
    command->outstanding = false;
    if (kind == CORE_DO)
        step->unanswered = true;
}

static void watch_step(struct oracle *oracle, const struct core_change *change,
                       const struct core_event *event)
{
    struct oracle_step *step = &oracle->steps[change->step];
    bool decided = change->state == CORE_STEP_DONE || change->state == CORE_STEP_REJECTED ||
                   change->state == CORE_STEP_UNDONE;
    if (decided)
        watch_decision(oracle, change, event);
    watch_timeout(oracle, change, event);
    if (event->kind == CORE_EVENT_SKIP || event->kind == CORE_EVENT_FORCE)
        step->let_go = true;
    if ((change->state == CORE_STEP_DONE || change->state == CORE_STEP_WAIVED) && !oracle->back)
        step->passed = true;
    if (change->state == CORE_STEP_DOUBT)
        step->doubt = true;
    if (change->state == CORE_STEP_UNDO_WAIVED)
        step->undo_waived = true;
    bool told = (event->kind == CORE_EVENT_REPLY || event->kind == CORE_EVENT_FORCE) &&
                event->status == CORE_REPLY_REJECTED;
    if (told && event->command_kind != CORE_UNDO)
        step->unanswered = false;
    if (change->state == CORE_STEP_REJECTED) {
        PROMISE("S8", !step->happened);
        PROMISE("in doubt is not rejected", !step->unanswered);
    }
    step->rejected = change->state == CORE_STEP_REJECTED;
    if (change->state == CORE_STEP_UNDO_WAITING && change->from == CORE_STEP_WAIVED)
        step->doubt = true; /* skipped while in doubt */
    if (change->state == CORE_STEP_UNDO_WAITING && change->from <= CORE_STEP_DOUBT)
        watch_order(oracle, change->step);
    if (change->state == CORE_STEP_UNDONE) {
        PROMISE("S8", owes(oracle, change->step));
        PROMISE("S8", step->undoing || event->kind == CORE_EVENT_FORCE);
        step->undone++;
        step->undoing = false;
    }
}

/* The first success: what was undone before does not count any more, and attempts start anew. */
static void watch_output(struct oracle *oracle, const struct core_change *change)
{
    struct oracle_step *step = &oracle->steps[change->step];
    struct oracle_command *undo = &step->commands[CORE_UNDO];
    PROMISE("S10", !step->happened);
    step->happened = true;
    step->undone = 0;
    step->undo_waived = false;
    step->undoing = false;
    undo->budget = undo->sent + attempts_of(oracle, change->step, CORE_UNDO);
}

static void watch_status(struct oracle *oracle, const struct core_change *change,
                         const struct core_event *event)
{
    bool was_ended = oracle->status > CORE_PARKED;
    PROMISE("S5", !was_ended || (oracle->status == CORE_COMPENSATED && change->status == CORE_COMPENSATING &&
                                 event->kind == CORE_EVENT_REPLY && event->status == CORE_REPLY_OK));
    PROMISE("S7", !oracle->back || change->direction == CORE_BACK);
    for (uint16_t i = 0; i < ORACLE_STEPS && !oracle->back && change->direction == CORE_BACK; i++)
        PROMISE("the pivot", !oracle->steps[i].opened || !plan_of(oracle, i)->pivot ||
                                 oracle->steps[i].commands[CORE_DO].sent == 0 || oracle->steps[i].rejected ||
                                 change->status == CORE_TERMINATED);
    oracle->back = change->direction == CORE_BACK;
    oracle->status = change->status;
    uint16_t count = oracle->plan->nodes[0].child_count;
    for (uint16_t i = 0; i < count && change->status == CORE_COMPLETED; i++) {
        PROMISE("S10", oracle->steps[i].passed);
        PROMISE("S10", oracle->steps[i].commands[CORE_UNDO].sent == 0);
    }
    PROMISE("S21", change->status != CORE_COMPLETED || !oracle->cancelled);
    for (uint16_t i = 0; i < count && change->status == CORE_COMPENSATED; i++) {
        const struct oracle_step *step = &oracle->steps[i];
        PROMISE("S8", !owes(oracle, i));
        PROMISE("S8", step->undone <= 1);
        PROMISE("S8", step->undone == 0 || step->happened || step->doubt);
    }
}

/* A reply is used once; `pending` may be said again, and what is put aside may be followed by what is not. */
static void cite(struct oracle *oracle, const struct core_event *event, uint16_t step)
{
    uint64_t key = (uint64_t)event->attempt << 8 | (uint64_t)step << 4 | (uint64_t)event->command_kind << 2 |
                   (event->status == CORE_REPLY_OK);
    if (event->status == CORE_REPLY_PENDING || event->status == CORE_REPLY_UNUSABLE)
        return;
    for (uint32_t i = 0; i < oracle->cited_count; i++)
        PROMISE("S15", oracle->cited[i] != key);
    PROMISE("the oracle's own room", oracle->cited_count < ORACLE_REPLIES);
    oracle->cited[oracle->cited_count++] = key;
}

static void watch_event(struct oracle *oracle, const struct core_saga *saga, const struct core_record *record)
{
    const struct core_event *event = &record->event;
    PROMISE("S4", record->seq == oracle->seq + 1);
    PROMISE("S4", event->at_us >= oracle->at_us || event->kind == CORE_EVENT_CLOCK);
    PROMISE("S5", oracle->status != CORE_COMPLETED && oracle->status != CORE_TERMINATED);
    oracle->seq = record->seq;
    oracle->at_us = event->at_us;
    oracle->cancelled = oracle->cancelled || event->kind == CORE_EVENT_CANCEL;
    for (uint16_t i = 0; i < saga->step_count && event->kind == CORE_EVENT_REPLY; i++) {
        if (!str_equal(core_step_path(saga, i), event->step))
            continue;
        oracle->answering = i;
        PROMISE("S15",
                event->attempt >= 1 && event->attempt <= oracle->steps[i].commands[event->command_kind].sent);
        cite(oracle, event, i);
        if (event->status == CORE_REPLY_UNCLEAR && event->command_kind == CORE_DO)
            oracle->steps[i].unanswered = true;
    }
}

void oracle_watch(struct oracle *oracle, const struct core_saga *saga, const struct core_record *record)
{
    watch_event(oracle, saga, record);
    for (uint32_t i = 0; i < record->change_count; i++) {
        const struct core_change *change = &record->changes[i];
        switch (change->kind) {
        case CORE_CHANGE_OPEN:
            watch_open(oracle, change);
            break;
        case CORE_CHANGE_SEND:
            watch_send(oracle, change);
            break;
        case CORE_CHANGE_STEP:
            watch_step(oracle, change, &record->event);
            break;
        case CORE_CHANGE_EXTEND:
            oracle->steps[change->step].commands[record->event.command_kind].due_us = change->due_us;
            break;
        case CORE_CHANGE_OUTPUT:
            watch_output(oracle, change);
            break;
        case CORE_CHANGE_BUDGET: {
            struct oracle_command *command = &oracle->steps[change->step].commands[change->command];
            command->budget = command->sent + attempts_of(oracle, change->step, change->command);
            break;
        }
        case CORE_CHANGE_STATUS:
            watch_status(oracle, change, &record->event);
            break;
        case CORE_CHANGE_PARK:
            oracle->held = change->code.size > 0 && change->step == CORE_NO_STEP;
            break;
        case CORE_CHANGE_PAUSE:
            oracle->paused = change->flag;
            break;
        case CORE_CHANGE_FRAME:
        case CORE_CHANGE_BLOCK:
        case CORE_CHANGE_KEEP:
        case CORE_CHANGE_TAKE:
        case CORE_CHANGE_DROP:
        case CORE_CHANGE_MOVE:
        case CORE_CHANGE_FAULT:
        case CORE_CHANGE_NOTE:
        case CORE_CHANGE_UNKNOWN:
        case CORE_CHANGE_CURSOR:
        case CORE_CHANGE_DEADLINE:
        case CORE_CHANGE_CAUSE:
        case CORE_CHANGE_RESULT:
        case CORE_CHANGE_MORE:
            break;
        }
    }
}
