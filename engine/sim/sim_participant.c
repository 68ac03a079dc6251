/* Participants with the barrier of deploy/participants/barrier.sql, and the wires between them and the
 * broker, on which messages are lost, doubled and delayed. */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include "engine/base/duration.h"
#include "engine/base/json.h"
#include "engine/bus/envelope.h"
#include "engine/model/values.h"

struct sim_effect *sim_effect(struct sim *sim, struct str key)
{
    struct sim_effect *effect = map_get(&sim->effects, key);
    if (effect != NULL)
        return effect;
    effect = arena_new(&sim->arena, struct sim_effect);
    effect->key = arena_copy(&sim->arena, key);
    effect->undo_fails = sim_strikes(sim, SIM_UNDO_FAILS, 20);
    map_set(&sim->effects, effect->key, effect);
    return effect;
}

bool sim_wires_empty(const struct sim *sim)
{
    return sim->wires == NULL;
}

static void copy_message(struct arena *arena, const struct bus_message *from, struct bus_message *to)
{
    *to = *from;
    to->subject = arena_copy(arena, from->subject);
    to->body = arena_copy(arena, from->body);
    for (uint32_t i = 0; i < from->header_count; i++) {
        to->headers[i].name = arena_copy(arena, from->headers[i].name);
        to->headers[i].value = arena_copy(arena, from->headers[i].value);
    }
}

static int64_t travel_us(struct sim *sim)
{
    if (sim_strikes(sim, SIM_DELAYED, 100))
        return (int64_t)sim_choose(sim, 8000) * 1000;
    return (int64_t)sim_choose(sim, 20) * 1000;
}

static void put_wire(struct sim *sim, const struct bus_message *message, bool reply, int64_t more_us)
{
    if (sim_strikes(sim, SIM_LOST, 40)) {
        sim_note(sim, "lost on the wire");
        return;
    }
    for (int copies = sim_strikes(sim, SIM_DUPLICATE, 60) ? 2 : 1; copies > 0; copies--) {
        struct sim_wire *wire = arena_new(&sim->arena, struct sim_wire);
        wire->due_us = sim->world.clock_us + travel_us(sim) + more_us;
        wire->reply = reply;
        copy_message(&sim->arena, message, &wire->message);
        wire->next = sim->wires;
        sim->wires = wire;
    }
}

struct answer {
    struct str status, code;
    struct str body;
};

static struct answer rejected(const char *code)
{
    return (struct answer){STR("rejected"), str_from(code), STR("null")};
}

static struct answer take_effect(struct sim_effect *effect)
{
    effect->state = SIM_DO_OK;
    effect->do_count++;
    return (struct answer){STR("ok"), STR(""), effect->output};
}

/* What the step's schema asks for, if it has one. */
static struct str make_output(struct sim *sim, const struct bus_message *command)
{
    struct id id;
    struct str path;
    enum core_kind kind;
    uint32_t attempt;
    const struct plan *plan = registry_find(sim->registry, bus_header(command, STR("Saga-Definition")), 1);
    if (plan == NULL ||
        !envelope_command_parse(bus_header(command, STR("Saga-Command")), &id, &path, &kind, &attempt)) {
        sim_fail(sim, "S17: a command with a name or definition that there is not");
        return STR("null");
    }
    const struct plan_node *node = plan_find(plan, str_slice(path, 0, str_find(path, '[')));
    if (node == NULL || node->step == NULL || node->step->output_schema == NULL)
        return STR("{\"v\":1}");
    const struct json *made = values_make(node->step->output_schema, &sim->rng, &sim->arena);
    return json_text(&sim->arena, made == NULL ? &json_null : made);
}

static struct answer handle_do(struct sim *sim, struct sim_effect *effect, uint32_t attempt)
{
    static const char *const codes[] = {"NO", "NO", "AGAIN", "HUMAN", "SKIP"};
    if (effect->state == SIM_DO_CLOSED || effect->undone)
        return rejected("UNDONE");
    if (effect->state == SIM_DO_OK)
        return (struct answer){STR("ok"), STR(""), effect->output};
    if (effect->state == SIM_DO_REJECTED && effect->attempt >= attempt)
        return rejected("NO");
    if (sim_choose(sim, 100) >= 12)
        return take_effect(effect);
    effect->state = SIM_DO_REJECTED;
    effect->attempt = attempt;
    return rejected(codes[sim_choose(sim, 5)]);
}

static struct answer handle_undo(struct sim_effect *effect)
{
    struct answer ok = {STR("ok"), STR(""), STR("null")};
    if (effect->undone)
        return ok;
    if (effect->undo_fails)
        return rejected("CANNOT");
    if (effect->state == SIM_DO_OK)
        effect->undo_count++;
    else
        effect->state = SIM_DO_CLOSED;
    effect->undone = true;
    return ok;
}

static struct answer handle_verify(struct sim_effect *effect)
{
    if (effect->state == SIM_DO_OK && !effect->undone)
        return (struct answer){STR("ok"), STR(""), effect->output};
    if (effect->state != SIM_DO_OK)
        effect->state = SIM_DO_CLOSED;
    return rejected("NOT_DONE");
}

static struct answer handle(struct sim *sim, struct sim_effect *effect, struct str kind, uint32_t attempt)
{
    if (str_equal(kind, STR("do")))
        return handle_do(sim, effect, attempt);
    if (str_equal(kind, STR("undo")))
        return handle_undo(effect);
    return handle_verify(effect);
}

static struct bus_message reply_to(struct sim *sim, const struct bus_message *command,
                                   const struct answer *answer)
{
    struct bus_message reply = {.subject = bus_header(command, STR("Saga-Reply-To")), .body = answer->body};
    bus_header_add(&reply, STR("Saga-Command"), bus_header(command, STR("Saga-Command")));
    bus_header_add(&reply, STR("Saga-Status"), answer->status);
    bus_header_add(&reply, STR("Saga-Error-Code"), answer->code);
    if (sim_choose(sim, 4) == 0)
        bus_header_add(&reply, STR("Saga-Retry-After-Ms"), STR("100"));
    return reply;
}

/* Who speaks plain NATS may fail, whatever it has done. */
static bool fails(struct sim *sim, const struct bus_message *command)
{
    struct bus_message reply = {.subject = bus_header(command, STR("Saga-Reply-To")), .body = STR("oops")};
    if (str_starts(reply.subject, STR("saga.")) || !sim_strikes(sim, SIM_SERVICE_ERROR, 60))
        return false;
    bus_header_add(&reply, STR("Nats-Service-Error-Code"), STR("500"));
    sim_note(sim, "%.*s: its service fails", STR_ARG(bus_header(command, STR("Saga-Command"))));
    put_wire(sim, &reply, true, 0);
    return true;
}

static void send(struct sim *sim, const struct bus_message *command, const struct answer *answer,
                 int64_t more_us)
{
    if (fails(sim, command))
        return;
    struct bus_message reply = reply_to(sim, command, answer);
    if (str_equal(answer->status, STR("ok")) && sim_strikes(sim, SIM_POISON, 15))
        reply.body = STR("{\"v\":\"poison\"}");
    put_wire(sim, &reply, true, more_us);
}

/* What a bad participant sends beside its true answer; none of it may count. */
static void misbehave(struct sim *sim, const struct bus_message *command)
{
    struct answer pending = {STR("pending"), STR(""), STR("")};
    struct answer lie = {STR("ok"), STR(""), STR("{\"v\":666}")};
    if (sim_strikes(sim, SIM_CONTRADICTION, 30))
        send(sim, command, &pending, DURATION_SECOND_US);
    if (sim_strikes(sim, SIM_FOREIGN, 30)) {
        struct bus_message reply = reply_to(sim, command, &lie);
        size_t dot = reply.subject.size;
        while (dot > 0 && reply.subject.data[dot - 1] != '.')
            dot--;
        reply.subject = arena_printf(&sim->arena, "%.*sp9", STR_ARG(str_slice(reply.subject, 0, dot)));
        put_wire(sim, &reply, true, 0);
    }
    if (sim_strikes(sim, SIM_GARBAGE, 30)) {
        struct bus_message reply = reply_to(sim, command, &lie);
        reply.body = STR("{\"v\":");
        for (uint32_t i = 0; i < reply.header_count; i++) /* the body of an undo's ok is not looked at */
            if (str_equal(reply.headers[i].name, STR("Saga-Status")))
                reply.headers[i].value = STR("fine");
        put_wire(sim, &reply, true, 0);
    }
}

static void check_command(struct sim *sim, const struct bus_message *message)
{
    struct str id = bus_header(message, STR("Saga-Command"));
    const struct sim_command *stored = map_get(&sim->commands, id);
    if (stored == NULL)
        sim_fail(sim, "S17: %.*s came to a participant and stands in no journal", STR_ARG(id));
    else if (!str_equal(stored->body, message->body))
        sim_fail(sim, "S13: %.*s has body %.*s in the journal and %.*s on the wire", STR_ARG(id),
                 STR_ARG(stored->body), STR_ARG(message->body));
}

/* Not now, or it takes longer. Who has said `retry` to an attempt must not do it after all when it comes
 * twice. */
static bool puts_off(struct sim *sim, struct sim_effect *effect, const struct bus_message *command,
                     uint32_t attempt)
{
    bool is_do = str_equal(bus_header(command, STR("Saga-Kind")), STR("do"));
    bool again = is_do && effect->state != SIM_DO_OK && attempt <= effect->put_off;
    if (!again && (sim->healing || sim_choose(sim, 30) > 0))
        return false;
    bool retry = again || (effect->state != SIM_DO_OK && sim_choose(sim, 2) == 0);
    struct answer answer = {retry ? STR("retry") : STR("pending"), STR(""), STR("")};
    sim_note(sim, "%.*s: %.*s", STR_ARG(bus_header(command, STR("Saga-Command"))), STR_ARG(answer.status));
    send(sim, command, &answer, 0);
    if (retry && is_do && attempt > effect->put_off)
        effect->put_off = attempt;
    return retry;
}

static void take_command(struct sim *sim, const struct bus_message *message)
{
    struct str kind = bus_header(message, STR("Saga-Kind"));
    int64_t attempt = 0;
    check_command(sim, message);
    (void)str_to_i64(bus_header(message, STR("Saga-Attempt")), &attempt);
    struct sim_effect *effect = sim_effect(sim, bus_header(message, STR("Saga-Key")));
    struct str id = bus_header(message, STR("Saga-Command"));
    if (effect->output.size == 0)
        effect->output = make_output(sim, message);
    if (sim_strikes(sim, SIM_PARTICIPANT_DIED, 30)) {
        sim_note(sim, "participant dies before %.*s", STR_ARG(id));
        return;
    }
    if (puts_off(sim, effect, message, (uint32_t)attempt))
        return;
    struct answer answer = handle(sim, effect, kind, (uint32_t)attempt);
    sim_note(sim, "%.*s: %.*s %.*s", STR_ARG(id), STR_ARG(answer.status), STR_ARG(answer.code));
    if (sim_strikes(sim, SIM_PARTICIPANT_DIED, 30)) {
        sim_note(sim, "participant dies after it");
        return;
    }
    send(sim, message, &answer, sim_strikes(sim, SIM_SLOW, 40) ? 3 * DURATION_SECOND_US : 0);
    misbehave(sim, message);
}

static void collect(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_PARTICIPANTS; i++) {
        char name[3] = {'p', (char)('0' + i), '\0'};
        struct bus_message message;
        while (!sim_is_away(sim, i) &&
               memory_bus_take_command(sim->world.broker, str_from(name), &sim->arena, &message)) {
            sim_taken(sim, &message);
            put_wire(sim, &message, false, 0);
        }
    }
    struct bus_message request;
    struct str reply;
    while (memory_bus_take_request(sim->world.broker, &sim->arena, &request, &reply)) {
        bus_header_add(&request, STR("Saga-Reply-To"), reply); /* as its participant is used to */
        put_wire(sim, &request, false, 0);
    }
}

void sim_participants(struct sim *sim)
{
    if (!sim->world.bus_down)
        collect(sim);
    struct sim_wire *due = NULL;
    for (struct sim_wire **at = &sim->wires; *at != NULL;) {
        struct sim_wire *wire = *at;
        if (wire->due_us > sim->world.clock_us || (wire->reply && sim->world.bus_down)) {
            at = &wire->next;
            continue;
        }
        *at = wire->next;
        wire->next = due;
        due = wire;
    }
    for (struct sim_wire *wire = due; wire != NULL;) {
        struct sim_wire *next = wire->next;
        bool answers = wire->reply && !str_starts(wire->message.subject, STR("saga."));
        if (answers)
            memory_bus_answer(sim->world.broker, wire->message.subject, &wire->message);
        else if (wire->reply)
            memory_bus_send(sim->world.broker, &wire->message);
        else
            take_command(sim, &wire->message);
        wire = next;
    }
}
