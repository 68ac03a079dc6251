/* Books of a saga with blocks, kept from its records alone, and the promises held against them. Called by the
 * simulator and the walks of tests/core. Never asks the core what it thinks. */
#include "engine/sim/block_oracle.h"
#include <stdio.h>
#include <string.h>
#include "engine/base/str.h"
#include "engine/sim/block_oracle_parts.h"

#define PROMISE(rule, what) BLOCK_ORACLE_PROMISE(oracle, rule, what)

static bool has_room(const struct block_oracle *oracle, uint32_t used, uint32_t room)
{
    PROMISE("the oracle's own room", used < room);
    return used < room;
}

void block_oracle_init(struct block_oracle *oracle, const struct plan *plan)
{
    *oracle = (struct block_oracle){.plan = plan, .frame_count = 1};
    oracle->why = oracle->why_text;
}

bool block_oracle_is_back(const struct block_oracle *oracle, uint16_t step)
{
    return block_oracle_is_undone(oracle, oracle->steps[step].frame);
}

static const struct plan_node *node_of(const struct block_oracle *oracle, uint16_t step)
{
    return &oracle->plan->nodes[oracle->steps[step].node];
}

static uint32_t attempts_of(const struct block_oracle *oracle, uint16_t step, enum core_kind kind)
{
    const struct plan_step *plan = node_of(oracle, step)->step;
    if (plan == NULL)
        return 0;
    return kind == CORE_DO ? plan->run.retry.attempts_max
                           : (kind == CORE_UNDO ? plan->undo : plan->verify).retry.attempts_max;
}

static size_t put_items(const struct block_oracle *oracle, uint16_t frame, char *text, size_t size)
{
    if (frame == 0)
        return 0;
    uint16_t parent = oracle->frames[frame].parent;
    size_t used = put_items(oracle, parent, text, size);
    if (block_oracle_node_of(oracle, parent)->kind == PLAN_FOREACH)
        used += (size_t)snprintf(text + used, size - used, "[%u]", oracle->frames[frame].index);
    return used;
}

/* What comes before it is over, and nothing around it has failed or goes back. */
static void watch_entry(const struct block_oracle *oracle, uint16_t frame, const struct plan_node *node)
{
    PROMISE("S6", frame < oracle->frame_count);
    PROMISE("S7", !block_oracle_is_halted(oracle, frame));
    PROMISE("S6", oracle->frames[frame].block == CORE_BLOCK_OPEN);
    PROMISE("S6", block_oracle_node_of(oracle, frame)->kind == PLAN_SEQUENCE);
    PROMISE("S6", node->parent == oracle->frames[frame].node);
    PROMISE("S6", block_oracle_is_reached(oracle, frame, node->order));
    PROMISE("S7", oracle->status <= CORE_PARKED);
}

static void watch_open(struct block_oracle *oracle, const struct core_change *change)
{
    PROMISE("S6", change->step == oracle->step_count);
    if (!has_room(oracle, oracle->step_count, BLOCK_ORACLE_STEPS))
        return;
    const struct plan_node *node = &oracle->plan->nodes[change->node];
    watch_entry(oracle, change->frame, node);
    for (uint16_t i = 0; i < oracle->step_count; i++)
        PROMISE("S6", oracle->steps[i].node != change->node || oracle->steps[i].frame != change->frame);
    struct block_oracle_step *step = &oracle->steps[oracle->step_count++];
    *step =
        (struct block_oracle_step){.node = change->node, .frame = change->frame, .state = CORE_STEP_WAITING};
    int used = snprintf(step->path, sizeof step->path, "%.*s", STR_ARG(node->id));
    put_items(oracle, change->frame, step->path + used, sizeof step->path - (size_t)used);
    for (int kind = 0; kind < CORE_KIND_COUNT; kind++)
        step->commands[kind].budget = attempts_of(oracle, change->step, (enum core_kind)kind);
}

/* A branch or an item: no more at once than declared, none after one of them has failed. */
static void watch_part(const struct block_oracle *oracle, const struct core_change *change)
{
    const struct plan_node *node = block_oracle_node_of(oracle, change->parent);
    uint32_t open = 0, entered = 0;
    for (uint16_t i = 0; i < oracle->frame_count; i++) {
        if (i == 0 || oracle->frames[i].parent != change->parent)
            continue;
        PROMISE("on_failure", oracle->frames[i].block != CORE_BLOCK_FAILED);
        open += !block_oracle_is_finished(oracle, i);
        entered++;
    }
    PROMISE("S7", !block_oracle_is_halted(oracle, change->parent));
    PROMISE("max_concurrency", open < node->fan->concurrency_max);
    PROMISE("the order of items", change->index == entered);
    PROMISE("S6", node->kind != PLAN_FOREACH || entered < oracle->frames[change->parent].items);
    PROMISE("S6", node->kind == PLAN_FOREACH || node->children[entered] == change->node);
}

static void watch_frame(struct block_oracle *oracle, const struct core_change *change)
{
    const struct plan_node *node = &oracle->plan->nodes[change->node];
    PROMISE("S6", change->frame == oracle->frame_count && change->parent < oracle->frame_count);
    if (!has_room(oracle, oracle->frame_count, BLOCK_ORACLE_FRAMES))
        return;
    if (block_oracle_is_fan(oracle, change->parent))
        watch_part(oracle, change);
    else if (block_oracle_node_of(oracle, change->parent)->kind == PLAN_SEQUENCE)
        watch_entry(oracle, change->parent,
                    node->kind == PLAN_SEQUENCE ? &oracle->plan->nodes[node->parent] : node);
    for (uint16_t i = 1; i < oracle->frame_count && !block_oracle_is_fan(oracle, change->parent); i++)
        PROMISE("S6", oracle->frames[i].parent != change->parent || oracle->frames[i].node != change->node);
    bool loop = node->kind == PLAN_FOREACH;
    PROMISE("max_items",
            !loop || (change->body->kind == JSON_ARRAY && change->body->count <= node->fan->items_max));
    oracle->frames[oracle->frame_count++] =
        (struct block_oracle_frame){.node = change->node,
                                    .parent = change->parent,
                                    .index = change->index,
                                    .items = loop ? change->body->count : 0};
}

/* The branches beside the one that failed have finished or failed too, where the author wants that. */
static void watch_siblings(const struct block_oracle *oracle, uint16_t step, uint16_t top)
{
    for (uint16_t frame = oracle->steps[step].frame; frame > top; frame = oracle->frames[frame].parent) {
        uint16_t fan = oracle->frames[frame].parent;
        if (!block_oracle_is_fan(oracle, fan) || block_oracle_node_of(oracle, fan)->fan->cancels)
            continue;
        for (uint16_t i = (uint16_t)(fan + 1); i < oracle->frame_count; i++)
            PROMISE("on_failure: wait", oracle->frames[i].parent != fan ||
                                            oracle->frames[i].block == CORE_BLOCK_FAILED ||
                                            block_oracle_is_finished(oracle, i));
    }
}

static void watch_block(struct block_oracle *oracle, const struct core_change *change)
{
    struct block_oracle_frame *frame = &oracle->frames[change->frame];
    PROMISE("a block's life", change->frame > 0 && change->frame < oracle->frame_count);
    PROMISE("a block's life", frame->block == CORE_BLOCK_OPEN || frame->block == CORE_BLOCK_BACK);
    switch (change->block) {
    case CORE_BLOCK_OPEN:
        PROMISE("a block's life", false);
        break;
    case CORE_BLOCK_FAILED:
        PROMISE("on_failure: wait", block_oracle_is_fan(oracle, frame->parent));
        PROMISE("on_failure: wait", !block_oracle_node_of(oracle, frame->parent)->fan->cancels);
        PROMISE("S7", !block_oracle_is_halted(oracle, change->frame));
        break;
    case CORE_BLOCK_BACK:
        PROMISE("a scope", block_oracle_node_of(oracle, change->frame)->kind == PLAN_SCOPE);
        PROMISE("a scope", !block_oracle_is_halted(oracle, change->frame));
        if (change->step != CORE_NO_STEP)
            watch_siblings(oracle, change->step, change->frame);
        frame->went_back = true;
        break;
    case CORE_BLOCK_CLOSED:
        PROMISE("a block's end", block_oracle_is_at_rest(oracle, change->frame));
        PROMISE("a block's end", frame->went_back || block_oracle_is_finished(oracle, change->frame));
        break;
    }
    frame->block = change->block;
}

/* The order is decided when a compensation becomes the next one: a late success joins behind it. */
static void watch_order(const struct block_oracle *oracle, uint16_t index)
{
    for (uint16_t i = 0; i < oracle->step_count; i++) {
        enum core_step_state state = oracle->steps[i].state;
        bool undoing = state == CORE_STEP_UNDO_WAITING || state == CORE_STEP_UNDO_SENT;
        if (i != index && block_oracle_is_before(oracle, i, index))
            PROMISE("S9", !undoing);
        if (i == index || !block_oracle_is_before(oracle, index, i))
            continue;
        PROMISE("S9", !block_oracle_owes(oracle, i));
        PROMISE("S9", !block_oracle_is_active(oracle, i));
        PROMISE("S9", state != CORE_STEP_UNDO_STUCK && state != CORE_STEP_STUCK);
    }
    for (uint16_t frame = oracle->steps[index].frame; frame > 0; frame = oracle->frames[frame].parent) {
        uint16_t fan = oracle->frames[frame].parent;
        uint32_t busy = 0;
        if (!block_oracle_is_fan(oracle, fan) || block_oracle_is_busy(oracle, frame))
            continue;
        for (uint16_t i = (uint16_t)(fan + 1); i < oracle->frame_count; i++)
            busy += oracle->frames[i].parent == fan && block_oracle_is_busy(oracle, i);
        PROMISE("max_concurrency", busy < block_oracle_node_of(oracle, fan)->fan->concurrency_max);
    }
}

/* No attempt begins after the budget's time. */
static void watch_elapsed(const struct block_oracle *oracle, const struct core_change *change,
                          struct block_oracle_command *command)
{
    const struct plan_step *plan = node_of(oracle, change->step)->step;
    const struct plan_action *action = change->command == CORE_DO     ? &plan->run
                                       : change->command == CORE_UNDO ? &plan->undo
                                                                      : &plan->verify;
    int64_t most_us = action->retry.elapsed_max_us;
    if (command->first_us == 0)
        command->first_us = oracle->at_us;
    PROMISE("S14", most_us == 0 || oracle->at_us - command->first_us <= most_us);
}

static void watch_send(struct block_oracle *oracle, const struct core_change *change)
{
    struct block_oracle_step *step = &oracle->steps[change->step];
    struct block_oracle_command *command = &step->commands[change->command];
    PROMISE("S6", change->step < oracle->step_count);
    PROMISE("S14", change->attempt == command->sent + 1);
    PROMISE("S14", change->attempt <= command->budget);
    watch_elapsed(oracle, change, command);
    PROMISE("S13", change->body != NULL);
    PROMISE("pause", !oracle->paused);
    PROMISE("park", !oracle->held);
    PROMISE("the end", oracle->status <= CORE_PARKED);
    if (change->command == CORE_DO) {
        PROMISE("S7", !block_oracle_is_halted(oracle, step->frame));
        PROMISE("S6", !step->passed && !step->happened);
        PROMISE("S6", block_oracle_is_reached(oracle, step->frame, node_of(oracle, change->step)->order));
    }
    if (change->command == CORE_UNDO) {
        PROMISE("S8", step->commands[CORE_DO].sent > 0);
        PROMISE("S8", block_oracle_owes(oracle, change->step));
        PROMISE("the pivot", !node_of(oracle, change->step)->after_pivot);
        step->undoing = true;
    }
    command->sent = change->attempt;
    command->outstanding = true;
    step->due_us = change->due_us;
    step->state = change->command == CORE_DO       ? CORE_STEP_SENT
                  : change->command == CORE_VERIFY ? CORE_STEP_VERIFY_SENT
                                                   : CORE_STEP_UNDO_SENT;
}

/* The reply that a decision cites. */
static void watch_decision(const struct block_oracle *oracle, const struct core_change *change,
                           const struct core_event *event)
{
    const struct block_oracle_step *step = &oracle->steps[change->step];
    if (event->kind != CORE_EVENT_REPLY || change->step != oracle->answering)
        return; /* a step whose own body cannot be computed fails by no reply */
    const struct block_oracle_command *command = &step->commands[event->command_kind];
    bool any = event->status == CORE_REPLY_OK || node_of(oracle, change->step)->kind == PLAN_SAGA;
    if (any) { /* attempts to start a child after the first only ask how it is */
        PROMISE("S15", event->attempt <= command->sent);
        PROMISE("S15", event->status == CORE_REPLY_OK || event->attempt > command->base);
    } else {
        PROMISE("S15", event->attempt == command->sent);
    }
}

static void watch_timeout(struct block_oracle *oracle, const struct core_change *change,
                          const struct core_event *event)
{
    struct block_oracle_step *step = &oracle->steps[change->step];
    if (event->kind != CORE_EVENT_TIMER && event->kind != CORE_EVENT_MOVE)
        return;
    bool sleeps = (step->state == CORE_STEP_AWAITING &&
                   (change->state == CORE_STEP_WAIVED || change->state == CORE_STEP_STUCK)) ||
                  (step->state == CORE_STEP_SLEEPING && change->state == CORE_STEP_DONE);
    PROMISE("S22", !sleeps || step->due_us <= event->at_us);
    PROMISE("pause", !oracle->stands || step->state != CORE_STEP_AWAITING ||
                         change->state == CORE_STEP_DONE || event->kind != CORE_EVENT_TIMER);
    if (step->state != CORE_STEP_SENT && step->state != CORE_STEP_VERIFY_SENT &&
        step->state != CORE_STEP_UNDO_SENT)
        return;
    if (node_of(oracle, change->step)->kind == PLAN_SAGA && change->state == CORE_STEP_DOUBT) {
        PROMISE("S7", block_oracle_is_halted(oracle, step->frame)); /* a child is not waited for but undone */
        return;
    }
    enum core_kind kind = step->state == CORE_STEP_SENT          ? CORE_DO
                          : step->state == CORE_STEP_VERIFY_SENT ? CORE_VERIFY
                                                                 : CORE_UNDO;
    PROMISE("S22", step->due_us <= event->at_us);
    PROMISE("S22", step->commands[kind].outstanding);
    step->commands[kind].outstanding = false;
    if (kind == CORE_DO)
        step->unanswered = true;
}

static void watch_decided(struct block_oracle *oracle, const struct core_change *change,
                          const struct core_event *event)
{
    struct block_oracle_step *step = &oracle->steps[change->step];
    bool told = (event->kind == CORE_EVENT_REPLY || event->kind == CORE_EVENT_FORCE) &&
                event->status == CORE_REPLY_REJECTED;
    if (told && event->command_kind != CORE_UNDO)
        step->unanswered = false;
    if (change->state == CORE_STEP_REJECTED) {
        PROMISE("S8", !step->happened);
        PROMISE("in doubt is not rejected", !step->unanswered);
    }
    if (change->state == CORE_STEP_UNDONE) {
        PROMISE("S8", block_oracle_owes(oracle, change->step));
        PROMISE("S8", step->undoing || event->kind == CORE_EVENT_FORCE);
        PROMISE("S8", event->kind != CORE_EVENT_REPLY || event->attempt > step->undo_floor);
        step->undone++;
        step->undoing = false;
    }
    step->rejected = change->state == CORE_STEP_REJECTED;
    step->doubt = step->doubt || change->state == CORE_STEP_DOUBT;
    step->undo_waived = step->undo_waived || change->state == CORE_STEP_UNDO_WAIVED;
}

static void watch_step(struct block_oracle *oracle, const struct core_change *change,
                       const struct core_event *event)
{
    struct block_oracle_step *step = &oracle->steps[change->step];
    PROMISE("S4", change->step < oracle->step_count);
    PROMISE("S4", change->from == step->state);
    watch_decision(oracle, change, event);
    watch_timeout(oracle, change, event);
    if (event->kind == CORE_EVENT_SKIP || event->kind == CORE_EVENT_FORCE)
        step->let_go = true;
    bool over = change->state == CORE_STEP_DONE || change->state == CORE_STEP_WAIVED;
    if (over && !block_oracle_is_halted(oracle, step->frame))
        step->passed = true;
    watch_decided(oracle, change, event);
    if (change->state == CORE_STEP_UNDO_WAITING && step->state == CORE_STEP_WAIVED)
        step->doubt = true; /* skipped while in doubt */
    bool chosen =
        step->state == CORE_STEP_DONE || step->state == CORE_STEP_DOUBT || step->state == CORE_STEP_WAIVED;
    if (change->state == CORE_STEP_UNDO_WAITING && chosen) {
        PROMISE("S8", block_oracle_owes(oracle, change->step));
        watch_order(oracle, change->step);
    }
    step->state = change->state;
    step->due_us = change->due_us;
}

/* The first success: what was undone before does not count any more, and attempts start anew. */
static void watch_output(struct block_oracle *oracle, const struct core_change *change)
{
    struct block_oracle_step *step = &oracle->steps[change->step];
    struct block_oracle_command *undo = &step->commands[CORE_UNDO];
    PROMISE("S10", !step->happened);
    step->happened = true;
    step->undone = 0;
    step->undo_waived = false;
    step->undoing = false;
    undo->budget = undo->sent + attempts_of(oracle, change->step, CORE_UNDO);
    undo->first_us = 0;
    step->undo_floor = undo->sent;
}

/* Why the saga goes back: what failed stands in the same record. */
static void watch_turn(const struct block_oracle *oracle, const struct core_change *change,
                       const struct core_record *record)
{
    enum core_event_kind kind = record->event.kind;
    for (uint16_t i = 0; i < oracle->step_count; i++) {
        const struct plan_step *plan = node_of(oracle, i)->step;
        PROMISE("the pivot", plan == NULL || !plan->pivot || oracle->steps[i].commands[CORE_DO].sent == 0 ||
                                 oracle->steps[i].rejected || change->status == CORE_TERMINATED);
    }
    for (uint32_t i = 0; i < record->change_count; i++) {
        const struct core_change *cause = &record->changes[i];
        bool failed = cause->kind == CORE_CHANGE_CAUSE && cause->step != CORE_NO_STEP;
        if (failed && kind != CORE_EVENT_CANCEL && kind != CORE_EVENT_UNDO && kind != CORE_EVENT_TERMINATE &&
            !str_equal(cause->code, STR("DEADLINE")))
            watch_siblings(oracle, cause->step, 0);
    }
}

static void watch_end(const struct block_oracle *oracle, enum core_status status)
{
    if (status == CORE_COMPLETED) {
        PROMISE("S10", block_oracle_is_reached(oracle, 0, oracle->plan->nodes[0].child_count));
        PROMISE("S21", !oracle->cancelled);
    }
    for (uint16_t i = 0; i < oracle->step_count && status != CORE_TERMINATED; i++) {
        const struct block_oracle_step *step = &oracle->steps[i];
        PROMISE("S8", !block_oracle_owes(oracle, i));
        PROMISE("S8", step->undone <= 1);
        PROMISE("S8", step->undone == 0 || step->happened || step->doubt);
        PROMISE("S10", !block_oracle_is_active(oracle, i));
        PROMISE("S10", block_oracle_is_back(oracle, i) || step->commands[CORE_UNDO].sent == 0);
    }
}

static bool is_late_success(const struct core_event *event)
{
    return event->kind == CORE_EVENT_REPLY && event->status == CORE_REPLY_OK &&
           event->command_kind != CORE_UNDO;
}

static void watch_status(struct block_oracle *oracle, const struct core_change *change,
                         const struct core_record *record)
{
    const struct core_event *event = &record->event;
    bool was_ended = oracle->status > CORE_PARKED;
    bool late = is_late_success(event);
    bool reopens = (oracle->status == CORE_COMPENSATED && late && change->status == CORE_COMPENSATING) ||
                   (oracle->status == CORE_COMPLETED && late && change->status == CORE_RUNNING) ||
                   (oracle->status == CORE_COMPLETED && event->kind == CORE_EVENT_UNDO);
    PROMISE("S5", !was_ended || reopens);
    PROMISE("S7", !oracle->back || change->direction == CORE_BACK);
    if (!oracle->back && change->direction == CORE_BACK)
        watch_turn(oracle, change, record);
    oracle->back = change->direction == CORE_BACK;
    oracle->status = change->status;
    if (change->status > CORE_PARKED)
        watch_end(oracle, change->status);
}

/* A reply is used once; `pending` may be said again, and what is put aside may be followed by what is not. */
static void cite(struct block_oracle *oracle, const struct core_event *event, uint16_t step)
{
    uint64_t key = (uint64_t)event->attempt << 16 | (uint64_t)step << 4 | (uint64_t)event->command_kind << 2 |
                   (event->status == CORE_REPLY_OK);
    bool more = event->status == CORE_REPLY_PENDING || event->status == CORE_REPLY_UNUSABLE;
    if (more || node_of(oracle, step)->kind == PLAN_SAGA)
        return; /* a child says the same each time it is asked */
    for (uint32_t i = 0; i < oracle->cited_count; i++)
        PROMISE("S15", oracle->cited[i] != key);
    if (has_room(oracle, oracle->cited_count, BLOCK_ORACLE_REPLIES))
        oracle->cited[oracle->cited_count++] = key;
}

static struct str participant_of(const struct block_oracle *oracle, uint16_t step, enum core_kind kind)
{
    const struct plan_step *plan = node_of(oracle, step)->step;
    return kind == CORE_DO ? plan->run.participant
                           : (kind == CORE_UNDO ? plan->undo : plan->verify).participant;
}

static void watch_event(struct block_oracle *oracle, const struct core_record *record)
{
    const struct core_event *event = &record->event;
    bool found = event->kind != CORE_EVENT_REPLY;
    PROMISE("S4", record->seq == oracle->seq + 1);
    PROMISE("S4", event->at_us >= oracle->at_us || event->kind == CORE_EVENT_CLOCK);
    PROMISE("S5", oracle->status != CORE_TERMINATED);
    PROMISE("S5",
            oracle->status != CORE_COMPLETED || event->kind == CORE_EVENT_UNDO || is_late_success(event));
    oracle->seq = record->seq;
    oracle->at_us = event->at_us;
    oracle->unfinished = false;
    if (event->kind == CORE_EVENT_START)
        oracle->rules = event->rules;
    oracle->cancelled = oracle->cancelled || event->kind == CORE_EVENT_CANCEL;
    for (uint16_t i = 0; i < oracle->step_count && event->kind == CORE_EVENT_REPLY; i++) {
        if (!str_equal(str_from(oracle->steps[i].path), event->step))
            continue;
        found = true;
        oracle->answering = i;
        PROMISE("S15", event->participant.size == 0 ||
                           str_equal(event->participant, participant_of(oracle, i, event->command_kind)));
        PROMISE("S15",
                event->attempt >= 1 && event->attempt <= oracle->steps[i].commands[event->command_kind].sent);
        cite(oracle, event, i);
        bool may_be = event->status == CORE_REPLY_UNCLEAR || event->status == CORE_REPLY_NO_OUTPUT;
        if (may_be && event->command_kind == CORE_DO)
            oracle->steps[i].unanswered = true; /* it may have happened all the same, or has */
    }
    PROMISE("S15", found);
}

static void watch_change(struct block_oracle *oracle, const struct core_change *change,
                         const struct core_record *record)
{
    switch (change->kind) {
    case CORE_CHANGE_OPEN:
        watch_open(oracle, change);
        break;
    case CORE_CHANGE_FRAME:
        watch_frame(oracle, change);
        break;
    case CORE_CHANGE_BLOCK:
        watch_block(oracle, change);
        break;
    case CORE_CHANGE_KEEP:
        block_oracle_keep(oracle, &record->event);
        break;
    case CORE_CHANGE_TAKE:
        block_oracle_take(oracle, change);
        break;
    case CORE_CHANGE_DROP:
        block_oracle_drop(oracle, change);
        break;
    case CORE_CHANGE_SEND:
        watch_send(oracle, change);
        break;
    case CORE_CHANGE_STEP:
        watch_step(oracle, change, &record->event);
        break;
    case CORE_CHANGE_MOVE:
    case CORE_CHANGE_EXTEND:
        if (change->step != CORE_NO_STEP)
            oracle->steps[change->step].due_us = change->due_us;
        break;
    case CORE_CHANGE_OUTPUT:
        watch_output(oracle, change);
        break;
    case CORE_CHANGE_BUDGET: {
        struct block_oracle_command *command = &oracle->steps[change->step].commands[change->command];
        command->budget = command->sent + attempts_of(oracle, change->step, change->command);
        command->base = command->sent;
        command->first_us = 0;
        break;
    }
    case CORE_CHANGE_STATUS:
        watch_status(oracle, change, record);
        break;
    case CORE_CHANGE_PAUSE:
        oracle->paused = change->flag;
        oracle->stands = change->due_us > 0;
        break;
    case CORE_CHANGE_PARK:
        oracle->held = change->code.size > 0 && change->step == CORE_NO_STEP;
        break;
    case CORE_CHANGE_FAULT:
    case CORE_CHANGE_NOTE:
    case CORE_CHANGE_UNKNOWN:
    case CORE_CHANGE_CURSOR:
    case CORE_CHANGE_DEADLINE:
    case CORE_CHANGE_CAUSE:
    case CORE_CHANGE_RESULT:
        break;
    case CORE_CHANGE_MORE:
        oracle->unfinished = true;
        break;
    }
}

/* Where nothing goes on nothing is waited for but the answers to commands. */
static void watch_rest(const struct block_oracle *oracle, const struct core_record *record)
{
    bool resumes = record->event.kind == CORE_EVENT_RESUME;
    for (uint32_t i = 0; i < record->change_count && record->event.kind == CORE_EVENT_TIMER; i++)
        PROMISE("the deadline", record->changes[i].kind != CORE_CHANGE_DEADLINE ||
                                    record->changes[i].due_us > 0 || oracle->back ||
                                    oracle->status == CORE_PARKED);
    for (uint16_t i = 0; i < oracle->step_count; i++) {
        enum core_step_state state = oracle->steps[i].state;
        bool waits = state == CORE_STEP_WAITING || state == CORE_STEP_AWAITING ||
                     state == CORE_STEP_SLEEPING || state == CORE_STEP_STUCK;
        bool ended = oracle->status > CORE_PARKED;
        bool unsent = state == CORE_STEP_WAITING || state == CORE_STEP_VERIFY_WAITING ||
                      state == CORE_STEP_UNDO_WAITING;
        PROMISE("pause",
                !resumes || !unsent || oracle->held || oracle->steps[i].due_us > record->event.at_us);
        PROMISE("S7", !waits || ended || !block_oracle_is_halted(oracle, oracle->steps[i].frame));
    }
    block_oracle_signals_rest(oracle);
}

void block_oracle_watch(struct block_oracle *oracle, const struct core_record *record)
{
    if (oracle->why[0] == '\0')
        watch_event(oracle, record);
    for (uint32_t i = 0; i < record->change_count && oracle->why[0] == '\0'; i++)
        watch_change(oracle, &record->changes[i], record);
    if (oracle->why[0] == '\0')
        watch_rest(oracle, record);
}
