/* Clients and operators: starts with and without keys, by call and by message, repeated when in doubt; verbs;
 * watches. Each answer is checked against the store the moment it is given. */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/base/duration.h"
#include "engine/base/memory.h"
#include "engine/runtime/loader.h"
#include "engine/sim/random_definition.h"

static bool stored_row(struct sim *sim, struct id id, struct store_saga *row)
{
    struct arena arena;
    struct store_record *records;
    uint32_t count;
    struct err_note note;
    arena_init(&arena, 0);
    enum err error = store_load(sim->store, id, &arena, row, &records, &count, &note);
    arena_fini(&arena); /* only numbers of the row are used */
    return error == ERR_OK;
}

static void started(struct sim *sim, struct sim_call *call, const struct engine_answer *answer)
{
    struct store_saga row;
    struct sim_start *start = call->start;
    if (call->other_input && answer->error == ERR_OK)
        sim_fail(sim, "S2: start %" PRIu32 " was accepted with another input under the same key",
                 start->number);
    if (answer->error != ERR_OK)
        return;
    if (!stored_row(sim, answer->id, &row))
        sim_fail(sim, "S1: start %" PRIu32 " was accepted and is not stored", start->number);
    if (start->accepted > 0 && !id_equal(start->id, answer->id))
        sim_fail(sim, "S2: start %" PRIu32 " was accepted twice, as two sagas", start->number);
    start->accepted++;
    start->id = answer->id;
}

static void ordered(struct sim *sim, struct sim_call *call, const struct engine_answer *answer)
{
    struct store_saga row;
    if (answer->error != ERR_OK)
        return;
    if (!stored_row(sim, call->id, &row) || row.seq < answer->seq)
        sim_fail(sim, "S26: a verb was confirmed before it was stored");
    if (call->verb != CORE_EVENT_CANCEL)
        return;
    struct id *id = arena_new(&sim->arena, struct id);
    *id = call->id;
    map_set(&sim->cancelled, (struct str){(const char *)id->bytes, sizeof id->bytes}, id);
}

static void done(void *context, const struct engine_answer *answer)
{
    struct sim_call *call = context;
    struct sim *sim = call->sim;
    if (call->answered)
        sim_fail(sim, "a call was answered twice");
    call->answered = true;
    if (sim->world.hosts[call->host].dead)
        return; /* nobody hears the dead */
    sim_note(sim, "host%" PRIu32 " answers call %zu: %s", call->host, (size_t)(call - sim->calls),
             err_text(answer->error));
    if (call->kind == SIM_CALL_START)
        started(sim, call, answer);
    if (call->kind == SIM_CALL_VERB)
        ordered(sim, call, answer);
}

static struct sim_call *new_call(struct sim *sim, enum sim_call_kind kind)
{
    uint32_t host = sim_choose(sim, sim->hosts);
    if (sim->call_count == SIM_CALLS_MAX || !world_is_up(&sim->world, host) ||
        (!sim->healing && sim->world.clock_us < sim->paused_until_us[host]))
        return NULL;
    struct sim_call *call = &sim->calls[sim->call_count++];
    *call = (struct sim_call){.sim = sim, .kind = kind, .host = host};
    return call;
}

static void finish(struct sim_call *call, enum err error)
{
    if (error != ERR_OK)
        call->answered = true;
}

static void by_call(struct sim *sim, struct sim_start *start)
{
    struct sim_call *call = new_call(sim, SIM_CALL_START);
    if (call == NULL)
        return;
    struct engine *engine = sim->world.hosts[call->host].engine;
    struct err_note note = {""};
    call->start = start;
    call->other_input = start->accepted > 0 && sim_choose(sim, 4) == 0;
    char name[3] = {'d', (char)('0' + start->definition), '\0'};
    struct engine_start given = {.plan = registry_find(engine_registry(engine), str_from(name), 1),
                                 .key = str_from(start->key)};
    struct str input = call->other_input ? STR("{\"n\":\"other\"}") : start->input;
    if (given.plan == NULL || json_parse(&sim->arena, input, SIZE_MAX, &given.input, &note) != ERR_OK) {
        sim_fail(sim, "the simulator's start is broken");
        return;
    }
    sim_note(sim, "call %zu: start %" PRIu32 " at host%" PRIu32 "%s", (size_t)(call - sim->calls),
             start->number, call->host, call->other_input ? " with another input" : "");
    finish(call, engine_start(engine, &given, (struct engine_call){call, done}, &note));
}

static void by_message(struct sim *sim, struct sim_start *start)
{
    struct bus_message message = {.subject =
                                      arena_printf(&sim->arena, "saga.start.d%" PRIu32, start->definition),
                                  .body = start->input};
    bus_header_add(&message, STR("Saga-Start-Key"), str_from(start->key));
    sim_note(sim, "start %" PRIu32 " by message", start->number);
    memory_bus_send(sim->world.broker, &message);
}

static void new_start(struct sim *sim)
{
    uint32_t number = sim->start_count;
    struct sim_start *start = &sim->starts[sim->start_count++];
    *start = (struct sim_start){.number = number,
                                .definition = sim_choose(sim, SIM_DEFINITIONS),
                                .keyed = sim_choose(sim, 2) == 0,
                                .by_message = sim_choose(sim, 4) == 0};
    char name[3] = {'d', (char)('0' + start->definition), '\0'};
    const struct plan *plan = registry_find(sim->registry, str_from(name), 1);
    if (plan == NULL) {
        sim_fail(sim, "the simulator's start is broken");
        return;
    }
    start->input = json_text(&sim->arena, random_definition_input(plan, number, world_now_us(&sim->world),
                                                                  &sim->rng, &sim->arena));
    if (start->keyed)
        snprintf(start->key, sizeof start->key, "key%" PRIu32, number);
    if (start->by_message)
        by_message(sim, start);
    else
        by_call(sim, start);
}

void sim_submit(struct sim *sim)
{
    if (sim->start_count < SIM_STARTS_MAX && sim_choose(sim, 3) > 0) {
        new_start(sim);
        return;
    }
    if (sim->start_count == 0)
        return;
    struct sim_start *start = &sim->starts[sim_choose(sim, sim->start_count)];
    if (start->keyed)
        by_call(sim, start);
}

/* A step that the verb may be about: one that is stuck or, for a timer, waits; "" : left to the engine. */
static struct str any_step(struct sim *sim, struct id id, enum core_event_kind verb)
{
    struct arena arena, scratch;
    struct core_saga saga;
    struct err_note note = {""};
    struct str path = STR("");
    uint32_t count = 0;
    arena_init(&arena, 0);
    arena_init(&scratch, 0);
    enum err error = loader_load(sim->registry, sim->store, id, &arena, &scratch, &saga, NULL, &note);
    for (uint16_t i = 0; error == ERR_OK && i < saga.step_count; i++) {
        enum core_step_state state = saga.steps[i].state;
        bool stuck = state == CORE_STEP_STUCK || state == CORE_STEP_UNDO_STUCK;
        if ((verb == CORE_EVENT_MOVE ? saga.steps[i].due_us > 0 : stuck) && sim_choose(sim, ++count) == 0)
            path = arena_copy(&sim->arena, core_step_path(&saga, i));
    }
    arena_fini(&scratch);
    arena_fini(&arena);
    return path;
}

static void order(struct sim *sim, struct id id, struct core_event *verb)
{
    struct sim_call *call = new_call(sim, SIM_CALL_VERB);
    struct err_note note = {""};
    if (call == NULL)
        return;
    call->id = id;
    call->verb = verb->kind;
    sim_note(sim, "call %zu: %.*s %.*s at host%" PRIu32, (size_t)(call - sim->calls),
             STR_ARG(core_event_text(verb->kind)), STR_ARG(verb->step), call->host);
    finish(call, engine_verb(sim->world.hosts[call->host].engine, id, verb, (struct engine_call){call, done},
                             &note));
}

static void give(struct sim *sim, struct id id, enum core_event_kind kind)
{
    struct core_event verb = {.kind = kind,
                              .actor = STR("ann"),
                              .reason = STR("because"),
                              .status = sim_choose(sim, 2) == 0 ? CORE_REPLY_OK : CORE_REPLY_REJECTED};
    bool about_step = kind == CORE_EVENT_RETRY || kind == CORE_EVENT_SKIP || kind == CORE_EVENT_FORCE ||
                      kind == CORE_EVENT_MOVE;
    if (about_step && (sim->healing || sim_choose(sim, 3) > 0))
        verb.step = any_step(sim, id, kind);
    verb.due_us = world_now_us(&sim->world) + (int64_t)sim_choose(sim, 5000) * 1000;
    order(sim, id, &verb);
}

static void signal_by_message(struct sim *sim, struct id id, struct str event, struct str signal_id,
                              const struct json *body)
{
    char text[ID_TEXT_SIZE + 1];
    struct bus_message message = {.subject = arena_printf(&sim->arena, "saga.signal.%.*s", STR_ARG(event)),
                                  .body = json_text(&sim->arena, body)};
    id_format(id, text);
    bus_header_add(&message, STR("Saga-Id"), arena_copy(&sim->arena, str_from(text)));
    bus_header_add(&message, STR("Saga-Signal-Id"), signal_id);
    sim_note(sim, "signal %.*s %.*s by message", STR_ARG(event), STR_ARG(signal_id));
    memory_bus_send(sim->world.broker, &message);
}

/* The same id may come again, for this saga or another. */
void sim_signal(struct sim *sim)
{
    static const struct str events[] = {{"e.n0", 4}, {"e.n1", 4}, {"e.n2", 4}, {"e.n3", 4}};
    struct arena arena;
    uint32_t count = 0;
    arena_init(&arena, 0);
    struct store_saga *sagas = sim_list(sim, &arena, &count);
    if (count > 0) {
        struct id id = sagas[sim_choose(sim, count)].id;
        struct core_event signal = {.kind = CORE_EVENT_SIGNAL, .signal = events[sim_choose(sim, 20) % 4]};
        uint32_t number =
            sim_choose(sim, 5) == 0 ? sim_choose(sim, sim->signal_count + 1) : sim->signal_count++;
        signal.signal_id = arena_printf(&sim->arena, "signal%" PRIu32, number);
        signal.body = random_definition_signal(signal.signal, &sim->rng, &sim->arena);
        if (sim_choose(sim, 2) == 0 && !sim->world.bus_down)
            signal_by_message(sim, id, signal.signal, signal.signal_id, signal.body);
        else
            order(sim, id, &signal);
        sim->result->faults[SIM_SIGNAL]++;
    }
    arena_fini(&arena);
}

static void look(struct sim *sim, struct id id)
{
    struct sim_call *call = new_call(sim, SIM_CALL_WATCH);
    struct err_note note = {""};
    if (call == NULL)
        return;
    finish(call, engine_watch(sim->world.hosts[call->host].engine, id, DURATION_SECOND_US,
                              (struct engine_call){call, done}, &note));
}

void sim_operate(struct sim *sim)
{
    static const enum core_event_kind verbs[] = {CORE_EVENT_CANCEL, CORE_EVENT_PAUSE, CORE_EVENT_RESUME,
                                                 CORE_EVENT_RETRY,  CORE_EVENT_SKIP,  CORE_EVENT_FORCE,
                                                 CORE_EVENT_RETRY,  CORE_EVENT_MOVE};
    struct arena arena;
    uint32_t count = 0;
    arena_init(&arena, 0);
    struct store_saga *sagas = sim_list(sim, &arena, &count);
    if (count > 0) {
        struct id id = sagas[sim_choose(sim, count)].id;
        if (sim_choose(sim, 3) == 0)
            look(sim, id);
        else
            give(sim, id, sim_choose(sim, 40) == 0 ? CORE_EVENT_TERMINATE : verbs[sim_choose(sim, 8)]);
        sim->result->faults[SIM_VERB]++;
    }
    arena_fini(&arena);
}

void sim_resume_all(struct sim *sim)
{
    static const enum core_event_kind decisions[] = {CORE_EVENT_RETRY, CORE_EVENT_RETRY, CORE_EVENT_SKIP,
                                                     CORE_EVENT_FORCE};
    struct arena arena;
    uint32_t count = 0;
    arena_init(&arena, 0);
    struct store_saga *sagas = sim_list(sim, &arena, &count);
    for (uint32_t i = 0; i < count; i++)
        if (sagas[i].paused && sagas[i].ended_us == 0)
            give(sim, sagas[i].id, CORE_EVENT_RESUME);
        else if (str_equal(sagas[i].reason_code, core_code_text(CORE_CODE_OUTPUT_FAILED)) &&
                 str_equal(sagas[i].status, STR("parked")))
            give(sim, sagas[i].id, CORE_EVENT_FORCE); /* its own output, or that of its child's step */
        else if (sagas[i].has_parent && str_equal(sagas[i].status, STR("parked")))
            give(sim, sagas[i].id, decisions[sim_choose(sim, 4)]);
    arena_fini(&arena);
}
