/* The engine of one process: opens store, bus, runners and router in their order and closes them in reverse;
 * puts requests into the right inbox. Called by api and programs from any thread, and by the bus's threads.
 * Never touches a saga: only its runner does. */
#include "engine/runtime/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/hmac.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/bus/stranger.h"
#include "engine/bus/ticket.h"
#include "engine/ops/log.h"
#include "engine/runtime/engine_parts.h"

struct runner *engine_owner(struct engine *engine, uint32_t shard)
{
    return shard < engine->shard_count ? atomic_load(&engine->owners[shard]) : NULL;
}

uint32_t engine_shard_of_key(const struct engine *engine, struct str definition, struct str key)
{
    return (uint32_t)(rng_mix(str_hash(definition), str_hash(key)) % engine->shard_count);
}

/* Everything the delivery borrows is copied into the item. */
static struct inbox_item *copy_delivery(const struct bus_delivery *delivery)
{
    struct inbox_item *item =
        inbox_item_new(INBOX_DELIVERY, INBOX_UNREAD,
                       delivery->message.body.size + delivery->message.header_count * 96 + 256);
    struct bus_delivery *copy = &item->delivery;
    *copy = *delivery;
    copy->ack = arena_copy(&item->arena, delivery->ack);
    copy->identity = arena_copy(&item->arena, delivery->identity);
    copy->message.subject = arena_copy(&item->arena, delivery->message.subject);
    copy->message.body = arena_copy(&item->arena, delivery->message.body);
    for (uint32_t i = 0; i < delivery->message.header_count; i++) {
        copy->message.headers[i].name = arena_copy(&item->arena, delivery->message.headers[i].name);
        copy->message.headers[i].value = arena_copy(&item->arena, delivery->message.headers[i].value);
    }
    item->shard = delivery->shard;
    return item;
}

/* What answers none of our requests is nobody's: true, it is dealt with. */
static bool deliver_answer(struct engine *engine, const struct bus_delivery *delivery)
{
    struct bus_delivery known = *delivery;
    if (!ticket_shard(delivery->identity, &known.shard) || known.shard >= engine->shard_count) {
        stranger_refuse(STRANGER_PROOF, delivery->message.subject);
        return true;
    }
    struct runner *owner = engine_owner(engine, known.shard);
    if (owner == NULL && engine->router == NULL)
        return false;
    struct inbox_item *item = copy_delivery(&known);
    bool taken = owner != NULL ? inbox_put(&owner->inbox, item, true) : router_put(engine->router, item);
    if (!taken)
        inbox_item_free(item);
    return taken;
}

static bool deliver(void *context, const struct bus_delivery *delivery)
{
    struct engine *engine = context;
    if (delivery->source == BUS_SOURCE_ANSWER)
        return deliver_answer(engine, delivery);
    struct runner *owner = engine_owner(engine, delivery->shard);
    if (delivery->source == BUS_SOURCE_CALLED) {
        router_called(engine->router, delivery);
        return true;
    }
    if (atomic_load(&engine->draining) && delivery->source != BUS_SOURCE_REPLY)
        return false;
    if (delivery->source != BUS_SOURCE_IN && owner == NULL)
        return false;
    struct inbox_item *item = copy_delivery(delivery);
    bool taken = delivery->source == BUS_SOURCE_IN
                     ? router_put(engine->router, item)
                     : inbox_put(&owner->inbox, item, delivery->source != BUS_SOURCE_CONTROL);
    if (!taken)
        inbox_item_free(item);
    return taken;
}

static void published(void *context, const struct bus_published *answer)
{
    struct engine *engine = context;
    uint32_t shard = (uint32_t)(answer->cookie >> OUTBOX_NUMBER_BITS);
    struct runner *owner = engine_owner(engine, shard);
    trouble_published(&engine->trouble, answer, engine_clock_us(engine));
    if (shard == HOMING_SHARD)
        homing_published(engine->homing, answer->cookie & ((UINT64_C(1) << OUTBOX_NUMBER_BITS) - 1),
                         answer->error == ERR_OK);
    else if (owner != NULL)
        runner_published(owner, answer);
}

static void seen(void *context, const struct bus_sight *sight)
{
    struct engine *engine = context;
    backlog_seen(&engine->backlog, sight, engine_clock_us(engine));
    atomic_fetch_add(&engine->sights, 1);
    for (uint32_t i = 0; atomic_load(&engine->running) && i < engine->runner_count; i++)
        inbox_wake(&engine->runners[i].inbox);
}

static void taken_back(void *context, uint64_t cookie, enum err error)
{
    struct engine *engine = context;
    uint64_t index = cookie >> RUNNER_NUMBER_BITS;
    if (index < engine->runner_count)
        runner_taken_back(&engine->runners[index], cookie & ((UINT64_C(1) << RUNNER_NUMBER_BITS) - 1), error);
}

static void connected(void *context, bool is_connected)
{
    struct engine *engine = context;
    if (atomic_load(&engine->bus_connected) != is_connected)
        presence_bus_turns(engine);
    atomic_store(&engine->bus_connected, is_connected);
}

static int64_t machine_clock(void *context)
{
    (void)context;
    return clock_monotonic_us();
}

static void fill_defaults(struct engine_options *options)
{
    options->clock_us = options->clock_us == NULL ? machine_clock : options->clock_us;
    options->runners = options->runners == 0 ? 1 : options->runners;
    options->dead_letters = options->dead_letters == 0 ? LIMITS_DEAD_LETTERS : options->dead_letters;
    options->dead_bytes = options->dead_bytes == 0 ? LIMITS_DEAD_BYTES : options->dead_bytes;
    options->batch_events = options->batch_events == 0 ? LIMITS_BATCH_EVENTS : options->batch_events;
    options->inbox_events = options->inbox_events == 0 ? LIMITS_INBOX_EVENTS : options->inbox_events;
    options->resident_max = options->resident_max == 0 ? LIMITS_RESIDENT_SAGAS : options->resident_max;
}

/* Of the database's key, so that an answer outlives the process that asked. */
static void make_key(struct engine *engine)
{
    char code[HMAC_TEXT_SIZE + 1];
    const struct str purpose = STR("tickets of requests");
    hmac_hex(engine->key.bytes, &purpose, 1, code);
    for (size_t i = 0; i < 2; i++) {
        char word[17];
        snprintf(word, sizeof word, "%.16s", code + 16 * i);
        engine->asking_key.words[i] = strtoull(word, NULL, 16);
    }
}

static enum err read_store(struct engine *engine, struct store *store, struct err_note *note)
{
    enum err error = store_shard_count(store, &engine->shard_count, note);
    if (error == ERR_OK)
        error = proof_load(&engine->key, store, note);
    if (error == ERR_OK)
        make_key(engine);
    if (error == ERR_OK)
        error = registry_refresh(engine->registry, store, note);
    return error;
}

static enum err open_bus(struct engine *engine, struct err_note *note)
{
    struct bus_callbacks callbacks = {.context = engine,
                                      .deliver = deliver,
                                      .published = published,
                                      .seen = seen,
                                      .taken_back = taken_back,
                                      .connected = connected,
                                      .shard_count = engine->shard_count};
    enum err error = engine->options.open_bus(engine->options.context, &callbacks, &engine->bus, note);
    if (error != ERR_OK)
        return error;
    presence_bus_turns(engine);
    atomic_store(&engine->bus_connected, true);
    struct arena arena;
    uint32_t count = 0;
    arena_init(&arena, 0);
    const struct plan **plans = registry_list(engine->registry, &arena, &count);
    for (uint32_t i = 0; i < count && error == ERR_OK; i++)
        error = engine_announce(engine, plans[i], note);
    arena_fini(&arena);
    return error;
}

static enum err start_runners(struct engine *engine, struct err_note *note)
{
    for (uint32_t i = 0; i < engine->options.runners; i++) {
        engine->runner_count = engine->options.runners; /* each takes its part */
        enum err error = runner_open(&engine->runners[i], engine, i, note);
        if (error == ERR_OK)
            error = runner_start(&engine->runners[i], note);
        if (error != ERR_OK) {
            runner_close(&engine->runners[i]);
            engine->runner_count = i;
            return error;
        }
    }
    return bus_listen_in(engine->bus, note);
}

/* The name first: an engine that is refused has touched nothing. */
static enum err open_parts(struct engine *engine, struct store *store, struct err_note *note)
{
    enum err error = presence_enter(engine, store, note);
    engine->entered = error == ERR_OK;
    if (error == ERR_OK)
        error = read_store(engine, store, note);
    if (error == ERR_OK) {
        engine->owners = memory_new(engine->shard_count, sizeof *engine->owners);
        engine->runners = memory_new(engine->options.runners, sizeof *engine->runners);
        error = open_bus(engine, note);
    }
    if (error == ERR_OK)
        error = router_open(engine, &engine->router, note);
    return error == ERR_OK ? start_runners(engine, note) : error;
}

enum err engine_open(const struct engine_options *options, struct engine **engine, struct err_note *note)
{
    struct store *store = NULL;
    struct engine *opened = memory_new(1, sizeof *opened);
    opened->options = *options;
    fill_defaults(&opened->options);
    opened->homing = homing_new(opened);
    check(pthread_mutex_init(&opened->listening, NULL) == 0);
    trouble_init(&opened->trouble);
    backlog_init(&opened->backlog, opened->options.backlog_max);
    check(pthread_mutex_init(&opened->schema_lock, NULL) == 0);
    presence_init(&opened->presence, opened);
    opened->registry = registry_new(opened->options.definitions_bytes);
    enum err error = opened->options.open_store(opened->options.context, &store, note);
    if (error == ERR_OK)
        error = open_parts(opened, store, note);
    if (store != NULL)
        store_close(store); /* not before the others stand: this engine lives while it has a session */
    if (error != ERR_OK) {
        engine_close(opened);
        return error;
    }
    atomic_store(&opened->running, true);
    *engine = opened;
    return ERR_OK;
}

/* The runners have given their shards back, so that whoever follows finds them. */
static void leave(struct engine *engine)
{
    struct err_note note = {""};
    struct store *store = NULL;
    if (!engine->entered)
        return;
    if (engine->options.open_store(engine->options.context, &store, &note) == ERR_OK) {
        presence_leave(engine, store);
        store_close(store);
    }
}

void engine_close(struct engine *engine)
{
    atomic_store(&engine->draining, true);
    if (engine->bus != NULL)
        bus_unlisten_in(engine->bus);
    if (engine->router != NULL)
        router_stop(engine->router);
    for (uint32_t i = 0; i < engine->runner_count; i++)
        runner_stop(&engine->runners[i]);
    if (engine->bus != NULL)
        bus_close(engine->bus); /* its callbacks use router and runners */
    engine->bus = NULL;
    leave(engine);
    if (engine->router != NULL)
        router_close(engine->router);
    for (uint32_t i = 0; i < engine->runner_count; i++)
        runner_close(&engine->runners[i]);
    homing_free(engine->homing);
    registry_free(engine->registry);
    presence_fini(&engine->presence);
    pthread_mutex_destroy(&engine->listening);
    trouble_fini(&engine->trouble);
    backlog_fini(&engine->backlog);
    pthread_mutex_destroy(&engine->schema_lock);
    memory_free(engine->runners);
    memory_free(engine->owners);
    memory_free(engine);
}

int64_t engine_turn(struct engine *engine)
{
    check(engine->options.by_hand);
    int64_t next_us = router_turn(engine->router, false);
    for (uint32_t i = 0; i < engine->runner_count; i++) {
        int64_t duty_us = runner_turn(&engine->runners[i], false);
        next_us = duty_us < next_us ? duty_us : next_us;
    }
    return next_us;
}

struct registry *engine_registry(struct engine *engine)
{
    return engine->registry;
}

enum err engine_open_store(struct engine *engine, struct store **store, struct err_note *note)
{
    return engine->options.open_store(engine->options.context, store, note);
}

bool engine_refuse_schema(struct engine *engine, const char *why)
{
    pthread_mutex_lock(&engine->schema_lock);
    bool fitted = engine->schema_problem.text[0] == '\0';
    snprintf(engine->schema_problem.text, sizeof engine->schema_problem.text, "%s", why);
    pthread_mutex_unlock(&engine->schema_lock);
    return fitted;
}

static enum err check_schema(struct engine *engine, struct err_note *note)
{
    pthread_mutex_lock(&engine->schema_lock);
    struct err_note problem = engine->schema_problem;
    pthread_mutex_unlock(&engine->schema_lock);
    return problem.text[0] == '\0' ? ERR_OK : err_note(note, ERR_SCHEMA, "%s", problem.text);
}

enum err engine_ready(struct engine *engine, struct store *store, struct err_note *note)
{
    struct engine_figures figures;
    engine_figures(engine, &figures);
    if (atomic_load(&engine->draining))
        return err_note(note, ERR_CLOSED, "the engine is stopping");
    enum err error = check_schema(engine, note);
    if (error != ERR_OK)
        return error;
    if (engine_ousted(engine, note))
        return ERR_CLOSED;
    if (figures.shards_owned == 0 && !figures.bus_connected)
        return err_note(note, ERR_UNAVAILABLE, "this engine is cut off from NATS and owns no shard");
    if (figures.shards_owned == 0)
        return err_note(note, ERR_UNAVAILABLE,
                        "this engine owns no shard: another instance holds them all, or PostgreSQL is away");
    if (!figures.store_connected) /* the probe below has a connection of its own, which may be back earlier */
        return err_note(note, ERR_UNAVAILABLE, "a runner has lost PostgreSQL");
    error = store_probe(store, note);
    if (error == ERR_OK)
        error = bus_probe(engine->bus, note);
    return error == ERR_OK ? trouble_look(&engine->trouble, engine_clock_us(engine), note) : error;
}

uint32_t engine_full(struct engine *engine, struct engine_full *list, uint32_t most)
{
    return backlog_list_full(&engine->backlog, list, most);
}

/* A shard of this instance for a saga without a key, spread evenly. UINT32_MAX: none. */
static uint32_t any_shard(struct engine *engine)
{
    uint32_t from = atomic_fetch_add(&engine->turn, 1);
    for (uint32_t i = 0; i < engine->shard_count; i++) {
        uint32_t shard = (from + i) % engine->shard_count;
        if (engine_owner(engine, shard) != NULL)
            return shard;
    }
    return from % engine->shard_count;
}

static enum err put(struct engine *engine, struct inbox_item *item, struct err_note *note)
{
    struct runner *owner = engine_owner(engine, item->shard);
    if (owner != NULL && !atomic_load(&owner->store_connected)) {
        inbox_item_free(item);
        return err_note(note, ERR_UNAVAILABLE, "PostgreSQL is away; try again");
    }
    bool taken = !atomic_load(&engine->draining) &&
                 (owner != NULL ? inbox_put(&owner->inbox, item, false) : router_put(engine->router, item));
    if (taken)
        return ERR_OK;
    inbox_item_free(item);
    if (atomic_load(&engine->draining))
        return err_note(note, ERR_UNAVAILABLE, "the engine is stopping");
    return err_note(note, ERR_FULL, "the engine has more work than it can take; try again later");
}

enum err engine_start(struct engine *engine, const struct engine_start *start, struct engine_call call,
                      struct err_note *note)
{
    struct str name;
    uint64_t waiting = 0;
    if (backlog_is_full(&engine->backlog, start->plan, engine_clock_us(engine), &name, &waiting))
        return err_note(
            note, ERR_FULL,
            "participant %.*s has not taken %llu commands that wait for it: nothing new is started "
            "for it until it does; try again later",
            STR_ARG(name), (unsigned long long)waiting);
    struct inbox_item *item = inbox_item_new(INBOX_CALLER, INBOX_START, 1024);
    struct arena *arena = &item->arena;
    item->shard =
        start->key.size > 0 ? engine_shard_of_key(engine, start->plan->name, start->key) : any_shard(engine);
    item->call = call;
    item->task.start = (struct engine_start){.plan = start->plan,
                                             .input = json_copy(arena, start->input),
                                             .key = arena_copy(arena, start->key),
                                             .search = json_copy(arena, start->search),
                                             .correlation = arena_copy(arena, start->correlation),
                                             .traceparent = arena_copy(arena, start->traceparent)};
    item->bytes += arena->used;
    return put(engine, item, note);
}

enum err engine_verb(struct engine *engine, struct id id, const struct core_event *verb,
                     struct engine_call call, struct err_note *note)
{
    struct inbox_item *item = inbox_item_new(INBOX_CALLER, INBOX_VERB, 512);
    struct arena *arena = &item->arena;
    if (id_shard(id) >= engine->shard_count) {
        inbox_item_free(item);
        return err_note(note, ERR_NOT_FOUND, "there is no saga with this id");
    }
    item->shard = id_shard(id);
    item->task.id = id;
    item->call = call;
    item->task.verb = *verb;
    item->task.verb.step = arena_copy(arena, verb->step);
    item->task.verb.signal = arena_copy(arena, verb->signal);
    item->task.verb.signal_id = arena_copy(arena, verb->signal_id);
    item->task.verb.error_code = arena_copy(arena, verb->error_code);
    item->task.verb.error_message = arena_copy(arena, verb->error_message);
    item->task.verb.actor = arena_copy(arena, verb->actor);
    item->task.verb.reason = arena_copy(arena, verb->reason);
    item->task.verb.body = json_copy(arena, verb->body);
    item->bytes += arena->used;
    return put(engine, item, note);
}

enum err engine_watch(struct engine *engine, struct id id, int64_t timeout_us, struct engine_call call,
                      struct err_note *note)
{
    if (id_shard(id) >= engine->shard_count)
        return err_note(note, ERR_NOT_FOUND, "there is no saga with this id");
    struct inbox_item *item = inbox_item_new(INBOX_CALLER, INBOX_WATCH, 0);
    item->shard = id_shard(id);
    item->task.id = id;
    item->task.timeout_us = timeout_us;
    item->call = call;
    return put(engine, item, note);
}

void engine_figures(struct engine *engine, struct engine_figures *figures)
{
    int64_t now_us = clock_monotonic_us();
    *figures = (struct engine_figures){.bus_connected = atomic_load(&engine->bus_connected),
                                       .store_connected = true,
                                       .publishes_in_flight = bus_in_flight(engine->bus)};
    for (uint32_t i = 0; i < engine->shard_count; i++)
        figures->shards_owned += engine_owner(engine, i) != NULL;
    for (uint32_t i = 0; i < engine->runner_count; i++) {
        struct runner *runner = &engine->runners[i];
        uint32_t depth = 0;
        int64_t oldest_us = 0;
        inbox_look(&runner->inbox, &depth, &oldest_us);
        figures->inbox_depth += depth;
        figures->resident += atomic_load(&runner->resident_figure);
        figures->store_connected = figures->store_connected && atomic_load(&runner->store_connected);
        if (oldest_us > 0 && now_us - oldest_us > figures->oldest_wait_us)
            figures->oldest_wait_us = now_us - oldest_us;
    }
}
