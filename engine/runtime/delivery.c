/* The flights of commands, and the gate that holds an attempt's timer while its command has not arrived.
 * Called by act.c when a command leaves, by intake.c before a timer fires, by answers.c. Never fires a timer
 * itself, and never says that a command reached nobody unless that is proved. */
#include "engine/runtime/delivery.h"

#include <stddef.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/memory.h"
#include "engine/runtime/delivery_parts.h"
#include "engine/runtime/engine_parts.h"

int64_t delivery_precision_us(const struct delivery_flight *flight)
{
    int64_t quarter_us = flight->timeout_us / 4;
    return quarter_us < DURATION_SECOND_US ? quarter_us : DURATION_SECOND_US;
}

void delivery_init(struct delivery *delivery)
{
    *delivery = (struct delivery){.look_us = INT64_MAX};
    map_init(&delivery->lanes);
    map_init(&delivery->asked_back);
}

void delivery_fini(struct delivery *delivery)
{
    while (delivery->oldest != NULL)
        delivery_free(delivery, delivery->oldest);
    while (delivery->all != NULL) {
        struct delivery_lane *lane = delivery->all;
        delivery->all = lane->next;
        memory_free(lane);
    }
    map_fini(&delivery->lanes);
    map_fini(&delivery->asked_back);
}

void delivery_look_at(struct delivery *delivery, struct delivery_lane *lane, int64_t at_us)
{
    if (at_us < lane->look_us)
        lane->look_us = at_us;
    if (lane->look_us < delivery->look_us)
        delivery->look_us = lane->look_us;
}

static struct delivery_lane *lane_of(struct runner *runner, struct str participant)
{
    struct delivery *delivery = &runner->delivery;
    struct delivery_lane *lane = map_get(&delivery->lanes, participant);
    if (lane != NULL)
        return lane;
    lane = memory_new(1, sizeof *lane);
    lane->participant = backlog_find(&runner->engine->backlog, participant);
    lane->look_us = INT64_MAX;
    lane->next = delivery->all;
    delivery->all = lane;
    map_set(&delivery->lanes, lane->participant->name, lane);
    return lane;
}

static void line_up(struct delivery_flight *flight)
{
    struct delivery_lane *lane = flight->lane;
    check(!flight->waiting);
    flight->waiting = true;
    flight->ahead = lane->last;
    *(lane->last != NULL ? &lane->last->behind : &lane->first) = flight;
    lane->last = flight;
}

void delivery_leave_lane(struct delivery_flight *flight)
{
    struct delivery_lane *lane = flight->lane;
    if (!flight->waiting)
        return;
    *(flight->ahead != NULL ? &flight->ahead->behind : &lane->first) = flight->behind;
    *(flight->behind != NULL ? &flight->behind->ahead : &lane->last) = flight->ahead;
    flight->ahead = flight->behind = NULL;
    flight->waiting = false;
}

static void leave_entry(struct delivery_flight *flight)
{
    refusal_end(flight);
    if (flight->entry == NULL)
        return;
    struct delivery_flight **at = &flight->entry->flights;
    while (*at != flight)
        at = &(*at)->next;
    *at = flight->next;
    flight->next = NULL;
    flight->entry = NULL;
}

void delivery_free(struct delivery *delivery, struct delivery_flight *flight)
{
    delivery_leave_lane(flight);
    leave_entry(flight);
    if (flight->back == DELIVERY_ASKED_BACK)
        (void)map_remove(&delivery->asked_back, delivery_key(&flight->number));
    *(flight->older != NULL ? &flight->older->newer : &delivery->oldest) = flight->newer;
    *(flight->newer != NULL ? &flight->newer->older : &delivery->newest) = flight->older;
    memory_free(flight);
}

struct delivery_flight *delivery_find(const struct resident_entry *entry, uint16_t step, enum core_kind kind,
                                      uint32_t attempt)
{
    struct delivery_flight *flight = entry->flights;
    while (flight != NULL && (flight->step != step || flight->kind != kind || flight->attempt != attempt))
        flight = flight->next;
    return flight;
}

static struct delivery_flight *make(struct runner *runner, struct resident_entry *entry, uint16_t step,
                                    enum core_kind kind, uint32_t attempt)
{
    struct delivery *delivery = &runner->delivery;
    struct delivery_flight *flight = memory_new(1, sizeof *flight);
    flight->number = ++delivery->next_number;
    flight->shard = id_shard(entry->id);
    flight->step = step;
    flight->kind = kind;
    flight->attempt = attempt;
    flight->entry = entry;
    flight->next = entry->flights;
    entry->flights = flight;
    flight->older = delivery->newest;
    *(delivery->newest != NULL ? &delivery->newest->newer : &delivery->oldest) = flight;
    delivery->newest = flight;
    return flight;
}

static struct delivery_flight *make_of(struct runner *runner, struct resident_entry *entry, uint16_t step,
                                       enum core_kind kind, uint32_t attempt,
                                       const struct plan_action *action, int64_t start_within_us)
{
    struct delivery_flight *flight = make(runner, entry, step, kind, attempt);
    flight->timeout_us = action->timeout_us;
    flight->start_within_us = start_within_us;
    flight->lane = lane_of(runner, action->participant);
    line_up(flight);
    return flight;
}

struct delivery_flight *delivery_enter(struct runner *runner, const struct batch_send *send, bool inherited)
{
    if (send->action == NULL || send->request)
        return NULL;
    struct resident_entry *entry = resident_find(&runner->resident, send->saga_id);
    if (entry == NULL)
        return NULL;
    struct delivery_flight *flight = delivery_find(entry, send->index, send->kind, send->attempt);
    if (flight == NULL) {
        flight = make_of(runner, entry, send->index, send->kind, send->attempt, send->action,
                         send->start_within_us);
        flight->inherited = inherited;
    }
    return flight;
}

void delivery_handed(struct runner *runner, struct delivery_flight *flight)
{
    if (flight == NULL)
        return;
    if (flight->handed == 0 && flight->lane != NULL) {
        struct backlog_sight sight = backlog_read(&runner->engine->backlog, flight->lane->participant);
        flight->life = sight.life;
        flight->made = sight.made;
    }
    flight->handed++;
    flight->open++;
}

/* Nobody asks about it any more, or only when the broker has answered. */
static void let_go(struct delivery *delivery, struct delivery_flight *flight)
{
    leave_entry(flight);
    if (flight->open == 0)
        delivery_free(delivery, flight);
    else
        delivery_leave_lane(flight);
}

static void stored(struct runner *runner, struct delivery_flight *flight, uint64_t sequence)
{
    struct delivery *delivery = &runner->delivery;
    if (sequence > flight->sequence || flight->guessed)
        flight->sequence = sequence;
    flight->guessed = false;
    if (flight->handed == 1 && !flight->inherited && flight->number > delivery->fresh_number) {
        delivery->fresh_number = flight->number;
        delivery->fresh_sequence = sequence;
    }
    if (flight->since_us == 0)
        flight->since_us = engine_clock_us(runner->engine);
    if (flight->waiting)
        delivery_look_at(delivery, flight->lane, flight->since_us + delivery_precision_us(flight));
}

static void say(struct runner *runner, struct delivery_flight *flight, enum core_code code)
{
    flight->verdict = core_code_text(code);
    flight->held = false;
    heap_set(&runner->resident.timers, &flight->entry->timer, runner_now_us(runner));
}

void delivery_answered(struct runner *runner, struct delivery_flight *flight, enum err error, bool refused,
                       uint64_t sequence)
{
    if (flight == NULL)
        return;
    check(flight->open > 0);
    flight->open--;
    flight->handed -= refused;
    if (error == ERR_OK)
        stored(runner, flight, sequence);
    if (error == ERR_LIMIT && flight->entry != NULL && flight->handed == 0 && !flight->inherited)
        say(runner, flight, CORE_CODE_UNSENDABLE);
    if (flight->entry == NULL && flight->open == 0 && (!flight->waiting || flight->handed == 0))
        delivery_free(&runner->delivery, flight);
}

const struct plan_action *delivery_action(const struct delivery_flight *flight)
{
    const struct core_saga *saga = flight->entry == NULL ? NULL : flight->entry->saga;
    if (saga == NULL || !core_outstanding(saga, flight->step, flight->kind, flight->attempt))
        return NULL;
    return core_action(saga->plan->nodes[saga->steps[flight->step].node].step, flight->kind);
}

void delivery_refused(struct runner *runner, struct delivery_flight *flight)
{
    if (flight->waiting)
        delivery_look_at(&runner->delivery, flight->lane,
                         engine_clock_us(runner->engine) + flight->start_within_us);
}

void delivery_unsendable(struct runner *runner, const struct batch_send *send)
{
    struct resident_entry *entry = resident_find(&runner->resident, send->saga_id);
    if (entry == NULL || send->step.size == 0)
        return;
    struct delivery_flight *flight = delivery_find(entry, send->index, send->kind, send->attempt);
    if (flight == NULL)
        flight = make(runner, entry, send->index, send->kind, send->attempt);
    if (flight->handed == 0)
        say(runner, flight, CORE_CODE_UNSENDABLE);
}

void delivery_replied(struct runner *runner, struct resident_entry *entry, const struct core_event *reply)
{
    for (struct delivery_flight *flight = entry->flights; flight != NULL; flight = flight->next)
        if (flight->kind == reply->command_kind && flight->attempt == reply->attempt &&
            flight->step < entry->saga->step_count &&
            str_equal(core_step_path(entry->saga, flight->step), reply->step)) {
            delivery_arrived(runner, flight, engine_clock_us(runner->engine));
            return;
        }
}

void delivery_arrived(struct runner *runner, struct delivery_flight *flight, int64_t at_us)
{
    flight->delivered_us = at_us > 0 ? at_us : 1;
    delivery_leave_lane(flight);
    if (flight->held && flight->entry != NULL)
        heap_set(&runner->resident.timers, &flight->entry->timer, runner_now_us(runner));
    flight->held = false;
}

void delivery_proved(struct runner *runner, struct delivery_flight *flight)
{
    delivery_leave_lane(flight);
    say(runner, flight, CORE_CODE_UNDELIVERED);
}

bool delivery_holds(const void *context, uint16_t step)
{
    const struct resident_entry *entry = context;
    for (const struct delivery_flight *flight = entry->flights; flight != NULL; flight = flight->next)
        if (flight->held && flight->step == step &&
            core_outstanding(entry->saga, step, flight->kind, flight->attempt))
            return true;
    return false;
}

bool delivery_holds_any(const struct resident_entry *entry)
{
    const struct delivery_flight *flight = entry->flights;
    while (flight != NULL && !flight->held)
        flight = flight->next;
    return flight != NULL;
}

/* The command that is out, if one is and a broker carries it. */
static const struct plan_action *carried(const struct core_saga *saga, uint16_t step, enum core_kind *kind)
{
    const struct plan_node *node = &saga->plan->nodes[saga->steps[step].node];
    if (node->kind != PLAN_STEP)
        return NULL;
    for (*kind = CORE_DO; *kind <= CORE_UNDO; ++*kind) {
        if (!core_outstanding(saga, step, *kind, saga->steps[step].attempts[*kind]))
            continue;
        const struct plan_action *action = core_action(node->step, *kind);
        return action->via == PLAN_VIA_STREAM ? action : NULL;
    }
    return NULL;
}

enum delivery_gate delivery_gate(struct runner *runner, struct resident_entry *entry, uint16_t step,
                                 struct core_event *event)
{
    const struct core_saga *saga = entry->saga;
    enum core_kind kind;
    const struct plan_action *action = carried(saga, step, &kind);
    if (action == NULL)
        return DELIVERY_FIRE;
    const struct core_step *it = &saga->steps[step];
    struct delivery_flight *flight = delivery_find(entry, step, kind, it->attempts[kind]);
    if (flight == NULL) {
        flight = make_of(runner, entry, step, kind, it->attempts[kind], action,
                         saga->plan->nodes[it->node].step->start_within_us);
        flight->inherited = true;
    }
    if (flight->verdict.size > 0)
        return DELIVERY_FIRE;
    if (flight->delivered_us == 0) {
        flight->held = true;
        delivery_look_at(&runner->delivery, flight->lane, engine_clock_us(runner->engine));
        return DELIVERY_HOLD;
    }
    int64_t due_us = flight->delivered_us + runner->time.offset_us + flight->timeout_us;
    if (due_us <= runner->batch.now_us || due_us <= it->due_us + delivery_precision_us(flight))
        return DELIVERY_FIRE;
    *event = (struct core_event){.kind = CORE_EVENT_DELIVERED,
                                 .step = core_step_path(saga, step),
                                 .command_kind = kind,
                                 .attempt = flight->attempt,
                                 .due_us = due_us};
    return DELIVERY_TELL;
}

static struct str why(struct runner *runner, const struct resident_entry *entry,
                      const struct delivery_flight *flight)
{
    struct arena *arena = &runner->batch.arena;
    if (str_equal(flight->verdict, core_code_text(CORE_CODE_UNSENDABLE)))
        return STR("the command is larger than the NATS server takes");
    struct str name = flight->lane->participant->name;
    if (core_halted(entry->saga, flight->step) && flight->kind == CORE_DO)
        return arena_printf(arena, "%.*s had not taken the command; it was taken back", STR_ARG(name));
    return arena_printf(arena, "%.*s did not take the command within %.*s", STR_ARG(name),
                        STR_ARG(duration_text(arena, flight->start_within_us)));
}

bool delivery_verdict(struct runner *runner, struct resident_entry *entry, struct core_event *event)
{
    for (const struct delivery_flight *flight = entry->flights; flight != NULL; flight = flight->next) {
        if (flight->verdict.size == 0 ||
            !core_outstanding(entry->saga, flight->step, flight->kind, flight->attempt))
            continue;
        *event = (struct core_event){.kind = CORE_EVENT_UNDELIVERED,
                                     .step = core_step_path(entry->saga, flight->step),
                                     .command_kind = flight->kind,
                                     .attempt = flight->attempt,
                                     .error_code = flight->verdict,
                                     .error_message = why(runner, entry, flight)};
        return true;
    }
    return false;
}

static void want_back(struct runner *runner, struct delivery_flight *flight)
{
    int64_t now_us = engine_clock_us(runner->engine);
    if (flight->back != DELIVERY_STAYS)
        return;
    flight->back = DELIVERY_WANTED_BACK;
    flight->back_us = now_us;
    delivery_look_at(&runner->delivery, flight->lane, now_us);
}

/* Nobody waits for it. What was not delivered yet is taken out of the participant's way. */
static void supersede(struct runner *runner, struct delivery_flight *flight)
{
    bool there = flight->waiting && (flight->handed > 0 || flight->open > 0) && !flight->guessed;
    bool unknown = flight->sequence == 0 && flight->open == 0;
    if (!there || unknown || flight->back == DELIVERY_GONE) {
        let_go(&runner->delivery, flight);
        return;
    }
    leave_entry(flight);
    want_back(runner, flight);
}

void delivery_review(struct runner *runner, struct resident_entry *entry)
{
    const struct core_saga *saga = entry->saga;
    struct delivery_flight *next = NULL;
    for (struct delivery_flight *flight = entry->flights; flight != NULL; flight = next) {
        next = flight->next;
        if (!core_outstanding(saga, flight->step, flight->kind, flight->attempt))
            supersede(runner, flight);
        else if (flight->kind == CORE_DO && flight->waiting && core_halted(saga, flight->step))
            want_back(runner, flight);
    }
}

void delivery_forget(struct runner *runner, struct resident_entry *entry)
{
    while (entry->flights != NULL)
        supersede(runner, entry->flights);
}

void delivery_drop_shard(struct runner *runner, uint32_t shard)
{
    struct delivery_flight *next = NULL;
    for (struct delivery_flight *flight = runner->delivery.oldest; flight != NULL; flight = next) {
        next = flight->newer;
        if (flight->shard == shard)
            delivery_free(&runner->delivery, flight);
    }
}
