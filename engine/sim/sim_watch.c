/* The hooks: where faults are chosen, and where each action is held against "persist, then act" as it
 * happens. */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include "engine/base/json.h"
#include "engine/base/memory.h"
#include "engine/bus/envelope.h"
#include "engine/runtime/loader.h"

static enum memory_store_fault choose_append(void *context, struct world_host *host,
                                             const struct store_batch *batch)
{
    struct sim *sim = context;
    (void)host;
    (void)batch;
    if (sim_strikes(sim, SIM_COMMIT_LOST, 30))
        return MEMORY_STORE_LOST;
    if (sim_strikes(sim, SIM_COMMIT_REFUSED, 30))
        return MEMORY_STORE_REFUSED;
    return sim_strikes(sim, SIM_COMMIT_DROPPED, 30) ? MEMORY_STORE_DROPPED : MEMORY_STORE_FINE;
}

static enum world_fate choose_publish(void *context, struct world_host *host,
                                      const struct bus_message *message)
{
    struct sim *sim = context;
    (void)host;
    uint32_t more = str_starts(message->subject, STR("saga.child.")) ? 4 : 1; /* children are few */
    struct sim_command *command = map_get(&sim->commands, bus_header(message, STR("Saga-Command")));
    enum world_fate fate = WORLD_FINE;
    if (sim_strikes(sim, SIM_ANSWER_LOST, 30))
        return WORLD_ANSWER_LOST;
    if (sim_strikes(sim, SIM_LOST, 20 * more))
        fate = WORLD_LOST;
    else if (sim_strikes(sim, SIM_LATE, 30 * more))
        fate = WORLD_LATE;
    else if (sim_strikes(sim, SIM_FORGOTTEN, 30))
        fate = WORLD_FORGOTTEN;
    if (command != NULL && fate != WORLD_FINE)
        command->muddled = true;
    return fate;
}

static bool is_poison(struct str text)
{
    struct str word = STR("\"poison\"");
    for (size_t i = 0; i + word.size <= text.size; i++)
        if (str_starts(str_slice(text, i, text.size), word))
            return true;
    return false;
}

static bool refuses(void *context, const struct store_batch *batch)
{
    (void)context;
    for (uint32_t i = 0; i < batch->record_count; i++)
        if (is_poison(batch->records[i].data))
            return true;
    return false;
}

static void keep_command(struct sim *sim, const struct store_record *record, const char *saga,
                         const struct json *change)
{
    int64_t attempt = 0;
    const struct json *body = json_get(change, STR("body"));
    if (!str_equal(json_get_str(change, STR("change")), STR("send")))
        return;
    (void)json_get_i64(change, STR("attempt"), &attempt);
    struct sim_command *command = arena_new(&sim->arena, struct sim_command);
    command->id =
        arena_printf(&sim->arena, "%s/%.*s/%.*s/%" PRId64, saga, STR_ARG(json_get_str(change, STR("step"))),
                     STR_ARG(json_get_str(change, STR("kind"))), attempt);
    command->lsn = record->lsn;
    command->at_us = record->at_us;
    command->fence = sim->fence[record->shard];
    command->next = sim->unpublished[record->shard];
    sim->unpublished[record->shard] = command;
    command->body = json_text(&sim->arena, body == NULL ? &json_null : body);
    if (map_set(&sim->commands, command->id, command) != NULL)
        sim_fail(sim, "S14: %.*s was scheduled twice", STR_ARG(command->id));
}

/* S12 for a child: one that its parent knows to be undone does not begin any more. */
static void check_birth(struct sim *sim, const struct json *event, const char *child)
{
    struct arena arena, scratch;
    struct core_saga saga;
    struct id id;
    struct err_note note = {""};
    struct str step = json_get_str(event, STR("parent_step"));
    if (!id_parse(json_get_str(event, STR("parent")), &id))
        return;
    if (json_get(event, STR("stillborn")) != NULL) {
        sim->result->stillborn++;
        return;
    }
    arena_init(&arena, 0);
    arena_init(&scratch, 0);
    if (loader_load(sim->registry, sim->store, id, &arena, &scratch, &saga, NULL, &note) == ERR_OK)
        for (uint16_t i = 0; i < saga.step_count; i++)
            if (str_equal(core_step_path(&saga, i), step) && saga.steps[i].state == CORE_STEP_UNDONE)
                sim_fail(sim, "S12: child %s begins, and step %.*s of its parent is undone", child,
                         STR_ARG(step));
    arena_fini(&scratch);
    arena_fini(&arena);
}

static void keep_record(struct sim *sim, const struct store_record *record)
{
    char saga[ID_TEXT_SIZE + 1];
    const struct json *data = NULL;
    struct err_note note;
    id_format(record->id, saga);
    sim_note(sim, "%s #%" PRId64 " %.*s %.*s %" PRIu32, saga, record->seq, STR_ARG(record->kind),
             STR_ARG(record->step), record->attempt);
    if (record->at_us > world_now_us(&sim->world))
        sim_fail(sim, "S22: %s #%" PRId64 " is stamped with a time that has not come yet", saga, record->seq);
    if (json_parse(&sim->arena, record->data, SIZE_MAX, &data, &note) != ERR_OK) {
        sim_fail(sim, "S4: a journal row is not JSON: %s", note.text);
        return;
    }
    if (sim_is_forged(record->data))
        sim_fail(sim, "S3, S15: %s #%" PRId64 " believes what was forged", saga, record->seq);
    sim_check_delivery(sim, saga, record, data);
    if (record->seq == 1)
        check_birth(sim, json_get(data, STR("event")), saga);
    const struct json *changes = json_get(data, STR("changes"));
    for (uint32_t i = 0; changes != NULL && i < changes->count; i++)
        keep_command(sim, record, saga, changes->items[i]);
}

/* S19: fences never go back, and one host commits under each. */
static void check_fence(struct sim *sim, const struct world_host *host, const struct store_shard *shard)
{
    if (shard->epoch < sim->fence[shard->shard])
        sim_fail(sim, "S19: a batch was stored under fence %" PRId64 " of shard %" PRIu32 ", after %" PRId64,
                 shard->epoch, shard->shard, sim->fence[shard->shard]);
    if (shard->epoch == sim->fence[shard->shard] && host->index != sim->fence_host[shard->shard])
        sim_fail(sim, "S19: two engines wrote under one fence of shard %" PRIu32, shard->shard);
    sim->fence[shard->shard] = shard->epoch;
    sim->fence_host[shard->shard] = host->index;
}

static bool is_request(const struct core_saga *saga, uint16_t step, enum core_kind kind)
{
    const struct plan_step *plan = saga->plan->nodes[saga->steps[step].node].step;
    return plan != NULL && core_action(plan, kind)->via == PLAN_VIA_REQUEST;
}

/* Whether the stored saga still waits for the answer to this command, and a stream should have it: a plain
 * request is kept by nobody but the engine that sends it, and times out with that one. */
static bool is_outstanding(struct sim *sim, const struct sim_command *command)
{
    struct arena arena, scratch;
    struct core_saga saga;
    struct id id;
    struct str path;
    enum core_kind kind = CORE_DO;
    uint32_t attempt = 0;
    struct err_note note = {""};
    bool outstanding = false;
    arena_init(&arena, 0);
    arena_init(&scratch, 0);
    if (envelope_command_parse(command->id, &id, &path, &kind, &attempt) &&
        loader_load(sim->registry, sim->store, id, &arena, &scratch, &saga, NULL, &note) == ERR_OK)
        for (uint16_t i = 0; i < saga.step_count && !core_ended(&saga); i++) {
            enum core_step_state sent = kind == CORE_DO       ? CORE_STEP_SENT
                                        : kind == CORE_VERIFY ? CORE_STEP_VERIFY_SENT
                                                              : CORE_STEP_UNDO_SENT;
            outstanding =
                outstanding || (str_equal(core_step_path(&saga, i), path) && saga.steps[i].state == sent &&
                                saga.steps[i].attempts[kind] == attempt && !is_request(&saga, i, kind));
        }
    arena_fini(&scratch);
    arena_fini(&arena);
    return outstanding;
}

/* S18: what lies below the mark is never sent again, so it must have been published, or have become
 * pointless. */
static void check_mark(struct sim *sim, const struct store_shard *shard)
{
    struct sim_command **at = &sim->unpublished[shard->shard];
    while (*at != NULL) {
        struct sim_command *command = *at;
        if (!command->published && command->lsn > shard->published_lsn) {
            at = &command->next;
            continue;
        }
        if (!command->published && is_outstanding(sim, command))
            sim_fail(sim, "S18: %.*s lies below the mark and was never published", STR_ARG(command->id));
        *at = command->next;
    }
}

static void on_stored(void *context, struct world_host *host, const struct store_batch *batch)
{
    struct sim *sim = context;
    for (uint32_t i = 0; i < batch->shard_count; i++)
        check_fence(sim, host, &batch->shards[i]);
    for (uint32_t i = 0; i < batch->record_count; i++)
        keep_record(sim, &batch->records[i]);
    for (uint32_t i = 0; i < batch->shard_count; i++)
        check_mark(sim, &batch->shards[i]);
    for (uint32_t i = 0; i < batch->dead_count; i++)
        sim_note(sim, "dead letter: %.*s", STR_ARG(batch->dead[i].reason));
}

static void on_published(void *context, struct world_host *host, const struct bus_message *message)
{
    struct sim *sim = context;
    struct str id = bus_header(message, STR("Saga-Command"));
    bool child = str_starts(message->subject, STR("saga.child."));
    bool request = !str_starts(message->subject, STR("saga."));
    if (!str_starts(message->subject, STR("saga.cmd.")) && !child && !request)
        return;
    sim_note(sim, "host%" PRIu32 " publishes %.*s", host->index, STR_ARG(id));
    struct sim_command *command = map_get(&sim->commands, id);
    if (command == NULL)
        sim_fail(sim, "S17: %.*s was published before it was stored", STR_ARG(id));
    else if (!str_equal(command->body, message->body))
        sim_fail(sim, "S13: %.*s has body %.*s in the journal and %.*s on the wire", STR_ARG(id),
                 STR_ARG(command->body), STR_ARG(message->body));
    else
        command->published = true;
    if (child)
        sim_forge(sim, message);
}

struct delivered {
    struct str ack;
    struct bus_message message;
    bool acknowledged;
};

static void on_delivered(void *context, struct world_host *host, const struct bus_delivery *delivery)
{
    struct sim *sim = context;
    if (delivery->source == BUS_SOURCE_IN)
        sim_note(sim, "host%" PRIu32 " gets start %.*s as %.*s", host->index, STR_ARG(delivery->message.body),
                 STR_ARG(delivery->ack));
    if (delivery->source != BUS_SOURCE_REPLY || map_get(&sim->delivered, delivery->ack) != NULL)
        return;
    struct delivered *kept = arena_new(&sim->arena, struct delivered);
    kept->ack = arena_copy(&sim->arena, delivery->ack);
    kept->message = delivery->message;
    kept->message.subject = arena_copy(&sim->arena, delivery->message.subject);
    kept->message.body = arena_copy(&sim->arena, delivery->message.body);
    for (uint32_t i = 0; i < kept->message.header_count; i++) {
        kept->message.headers[i].name = arena_copy(&sim->arena, delivery->message.headers[i].name);
        kept->message.headers[i].value = arena_copy(&sim->arena, delivery->message.headers[i].value);
    }
    kept->acknowledged = false;
    map_set(&sim->delivered, kept->ack, kept);
    sim_dead_delivered(sim, &kept->message);
}

/* S16: what is stored must have no use for an acknowledged reply any more. A `pending` may be used again and
 * again. */
static void check_used(struct sim *sim, const struct bus_message *message, struct arena *arena,
                       struct arena *scratch)
{
    struct core_event event;
    struct core_saga saga;
    struct core_update update;
    struct id id;
    bool known = false;
    struct str reason;
    struct err_note note = {""};
    if (!envelope_reply(message, arena, &event, &id, &known, &reason) || event.status == CORE_REPLY_PENDING ||
        is_poison(message->body) || sim_is_forged(message->body))
        return;
    enum err error = loader_load(sim->registry, sim->store, id, arena, scratch, &saga, NULL, &note);
    if (error == ERR_NOT_FOUND)
        return;
    if (error != ERR_OK) {
        sim_fail(sim, "S4: %s", note.text);
        return;
    }
    event.at_us = world_now_us(&sim->world);
    core_step(&saga, &event, scratch, &update);
    if (update.verdict == CORE_USED)
        sim_fail(sim, "S16: a reply %.*s to %.*s was acknowledged and its effect is not stored",
                 STR_ARG(core_reply_text(event.status)), STR_ARG(bus_header(message, STR("Saga-Command"))));
}

static void on_acknowledged(void *context, struct world_host *host, struct str ack)
{
    struct sim *sim = context;
    struct delivered *kept = map_get(&sim->delivered, ack);
    struct arena arena, scratch;
    if (kept == NULL) {
        sim_note(sim, "host%" PRIu32 " acknowledges %.*s", host->index, STR_ARG(ack));
        return;
    }
    if (!kept->acknowledged)
        sim_dead_acknowledged(sim, &kept->message);
    kept->acknowledged = true;
    arena_init(&arena, 0);
    arena_init(&scratch, 0);
    check_used(sim, &kept->message, &arena, &scratch);
    arena_fini(&scratch);
    arena_fini(&arena);
}

void sim_watch(struct sim *sim)
{
    sim->world.hooks = (struct world_hooks){.context = sim,
                                            .publish = choose_publish,
                                            .append = choose_append,
                                            .refuses = refuses,
                                            .stored = on_stored,
                                            .published = on_published,
                                            .delivered = on_delivered,
                                            .acknowledged = on_acknowledged};
}
