/* The thread for what this engine does not own: requests for other engines' shards, messages of SAGA_IN, ends
 * that are waited for elsewhere. Fed by engine.c and the bus. Never waits for one engine while others have
 * work, and never writes a saga. */
#include "engine/runtime/router.h"

#include <stdlib.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/bus/envelope.h"
#include "engine/bus/stranger.h"
#include "engine/ops/process.h"
#include "engine/runtime/control.h"
#include "engine/runtime/decide.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/forward.h"
#include "engine/runtime/watches.h"
#include "engine/runtime/known.h"

/* Definitions of other instances: often enough for people, and a megabyte of them costs the database little.
 */
static const int64_t learn_every_us = 5 * DURATION_SECOND_US;
enum { ROUTER_EVENTS = 4096, ROUTER_TAKE = 64 };
enum { STOP_LOOK_MS = 10 };    /* at requests under way when the engine stops */
enum { TRIES_TOO_LARGE = 16 }; /* deliveries of a message that is too large to be passed on */
enum { TRIES_MAX = 3 };        /* shards for a start that may go to any */

struct router {
    struct engine *engine;
    struct store *store;
    struct inbox inbox;
    struct forwards *forwards;
    pthread_t thread;
    atomic_bool stop;
    struct watches watches;
};

/* A message comes again: soon, as its cause may be over in a moment, and less and less soon where it is not,
 * so that it does not go round and round between engines none of which can do anything. */
static void give_back(struct router *router, struct inbox_item *item)
{
    if (inbox_item_is_message(item))
        bus_give_back(router->engine->bus, item->delivery.ack, inbox_item_back_off_us(item));
    inbox_item_free(item);
}

/* No use to anybody: a runner of this instance stores it with its reason. One that owns no shard stores
 * nothing, so it leaves the message to those that do. */
static void dead(struct router *router, struct inbox_item *item, struct str reason)
{
    struct engine *engine = router->engine;
    item->task = (struct inbox_task){.kind = INBOX_DEAD, .reason = reason};
    for (uint32_t i = 0; i < engine->shard_count; i++) {
        struct runner *owner = engine_owner(engine, i);
        if (owner == NULL)
            continue;
        item->shard = i;
        if (inbox_put(&owner->inbox, item, true))
            return;
    }
    give_back(router, item);
}

/* Whether a message with this answer will fare no better next time. */
static bool is_final(const struct inbox_item *item, enum err error)
{
    bool often = item->delivery.delivery_count >= TRIES_TOO_LARGE; /* the owner may have got it by then */
    return error == ERR_CONFLICT || error == ERR_BAD_DATA || error == ERR_INVALID ||
           (error == ERR_LIMIT && often) || (item->task.kind == INBOX_VERB && error == ERR_NOT_FOUND);
}

/* What came by message is acknowledged only when its effect is known to be stored, and dead when it never can
 * have one; else it comes again, and has it then, once. */
static void answer(struct router *router, struct inbox_item *item, const struct engine_answer *given)
{
    if (item->call.done != NULL)
        item->call.done(item->call.context, given);
    if (inbox_item_is_message(item) && is_final(item, given->error)) {
        dead(router, item, arena_copy(&item->arena, given->message));
        return;
    }
    if (given->error != ERR_OK) {
        give_back(router, item);
        return;
    }
    if (inbox_item_is_message(item))
        bus_ack(router->engine->bus, item->delivery.ack);
    inbox_item_free(item);
}

static void answer_error(struct router *router, struct inbox_item *item, enum err error, const char *why)
{
    struct engine_answer given = {.error = error, .message = str_from(why)};
    answer(router, item, &given);
}

/* The shard that decides what is asked for. */
static uint32_t shard_of(const struct engine *engine, const struct inbox_task *task)
{
    const struct engine_start *start = &task->start;
    bool keyed = task->kind == INBOX_START && !task->has_id;
    return keyed ? engine_shard_of_key(engine, start->plan->name, start->key) : id_shard(task->id);
}

/* A start without key or id may go to any shard: true when there is one, not tried yet, whose owner is here
 * or can be asked. */
static bool find_another(struct router *router, struct inbox_item *item)
{
    struct engine *engine = router->engine;
    const struct inbox_task *task = &item->task;
    if (task->kind != INBOX_START || task->has_id || task->start.key.size > 0 || item->tries++ >= TRIES_MAX)
        return false;
    for (uint32_t i = 1; i < engine->shard_count; i++) {
        uint32_t shard = (item->shard + i) % engine->shard_count;
        if (engine_owner(engine, shard) == NULL && !forward_would_send(router->forwards, shard))
            continue;
        item->shard = shard;
        return true;
    }
    return false;
}

static void route(struct router *router, struct inbox_item *item)
{
    struct err_note note = {""};
    enum err error;
    do {
        struct runner *owner = engine_owner(router->engine, item->shard);
        if (owner == NULL)
            error = forward_send(router->forwards, item, &note);
        else if (inbox_put(&owner->inbox, item, false))
            error = ERR_OK;
        else
            error = err_note(&note, ERR_FULL, "the engine has more work than it can take; try again later");
    } while (error != ERR_OK && find_another(router, item));
    if (error == ERR_LIMIT && !inbox_item_is_message(item))
        error = ERR_UNAVAILABLE; /* of this way to the owner; the note says why */
    if (error != ERR_OK)
        answer_error(router, item, error, note.text);
}

static const char *what_it_did(enum err error)
{
    if (error == ERR_TIMEOUT)
        return "does not answer";
    if (error == ERR_INVALID)
        return "answered without proof (an engine of an older version?)";
    return "answered something that cannot be read";
}

/* A request that was passed on has ended. */
static void end_forward(struct router *router, const struct forward_end *end)
{
    struct inbox_item *item = end->item;
    struct engine_answer given;
    struct err_note note = {""};
    if (end->error == ERR_OK && control_read_answer(end->text, &item->arena, &given)) {
        answer(router, item, &given);
        return;
    }
    if (end->error == ERR_UNAVAILABLE && find_another(router, item)) {
        route(router, item);
        return;
    }
    if (end->error == ERR_INVALID)
        stranger_refuse(STRANGER_PROOF, STR("the answer to a request"));
    enum err error = end->error == ERR_UNAVAILABLE
                         ? err_note(&note, ERR_UNAVAILABLE,
                                    "no engine serves shard %u at the moment; try again", item->shard)
                         : err_note(&note, ERR_UNKNOWN_OUTCOME,
                                    "the owner of shard %u %s; whether this was done is not known: look, or "
                                    "ask again with the same key",
                                    item->shard, what_it_did(end->error));
    answer_error(router, item, error, note.text);
}

static void end_forwards(struct router *router)
{
    struct forward_end end;
    while (forward_take(router->forwards, &end))
        end_forward(router, &end);
}

/* The time and number JetStream gave a message stand in its acknowledgement subject; both stay the same when
 * it is delivered again, so that a start without a key makes one saga however often it comes. */
static struct id identity_of(struct str text, uint32_t shard_count)
{
    struct subject_ack ack = {.time_ns = 0};
    bool told = subject_ack(text, &ack);
    uint64_t hash = told ? rng_mix(str_hash(ack.sequence), str_hash(ack.time)) : str_hash(text);
    struct rng rng;
    rng_init(&rng, hash);
    return id_make(told ? ack.time_ns / 1000 : 0, (uint32_t)(hash % shard_count), &rng);
}

/* One that is not known here may have been stored by another instance. */
static enum err find_plan(struct router *router, const struct envelope_start *start, const struct plan **plan)
{
    struct err_note note = {""};
    struct registry *registry = router->engine->registry;
    *plan = registry_find(registry, start->definition, start->version);
    if (*plan != NULL)
        return ERR_OK;
    enum err error = registry_learn(registry, router->store, start->definition, &note);
    if (error == ERR_UNAVAILABLE || error == ERR_UNKNOWN_OUTCOME)
        (void)store_reconnect(router->store, &note); /* for the next time */
    *plan = registry_find(registry, start->definition, start->version);
    if (error == ERR_OK && registry_is_missing(registry, start->definition, start->version))
        return err_note(&note, ERR_UNAVAILABLE, "stored, but not loaded here: for an engine that has it");
    return error;
}

/* What was read of a message. */
enum reading {
    READING_TASK,  /* all of it, into a task */
    READING_DEAD,  /* it is of no use, for the reason given */
    READING_DONE,  /* what it asks for has been done */
    READING_LATER, /* not now: it comes again soon */
    READING_EARLY  /* what it is about may not be there yet: it comes again when the broker misses it */
};

/* A start that would be refused, for this reason, may be one that was done. */
static enum reading read_refused(struct router *router, struct inbox_item *item,
                                 const struct envelope_start *start, const struct plan *plan,
                                 struct str *reason)
{
    struct engine_start asked = {.plan = plan, .input = start->input, .key = start->key};
    struct engine_answer answer;
    struct err_note note = {""};
    enum known known;
    if (known_find(router->engine->registry, router->store, start->definition, &asked, &item->arena, &known,
                   &answer, &note) != ERR_OK) {
        (void)store_reconnect(router->store, &note); /* for the next time: it was not acknowledged */
        return READING_LATER;
    }
    if (known == KNOWN_OTHER)
        *reason = answer.message;
    return known == KNOWN_SAME ? READING_DONE : READING_DEAD;
}

/* A start from SAGA_IN asks for what one from HTTP asks for. */
static enum reading read_start(struct router *router, struct inbox_item *item, struct inbox_task *task,
                               struct str *reason)
{
    struct engine *engine = router->engine;
    struct envelope_start start;
    struct definition_start prepared;
    if (!envelope_start(&item->delivery.message, &item->arena, &start, reason))
        return READING_DEAD;
    const struct plan *plan = NULL;
    if (find_plan(router, &start, &plan) != ERR_OK)
        return READING_LATER;
    if (plan == NULL) {
        *reason = start.version == 0
                      ? arena_printf(&item->arena, "there is no definition %.*s", STR_ARG(start.definition))
                      : arena_printf(&item->arena, "there is no definition %.*s version %d",
                                     STR_ARG(start.definition), start.version);
        return read_refused(router, item, &start, plan, reason);
    }
    if (!registry_is_enabled(engine->registry, plan)) {
        *reason = arena_printf(&item->arena, "the definition %.*s takes no new starts of version %d",
                               STR_ARG(plan->name), plan->version);
        return read_refused(router, item, &start, plan, reason);
    }
    struct str waited_for;
    uint64_t waiting = 0;
    if (backlog_is_full(&engine->backlog, plan, engine_clock_us(engine), &waited_for, &waiting))
        return READING_LATER;
    if (!definition_start(plan, start.input, start.key, &item->arena, &prepared)) {
        *reason = decide_problems(&prepared.problems, &item->arena);
        return read_refused(router, item, &start, plan, reason);
    }
    *task = (struct inbox_task){.kind = INBOX_START,
                                .has_id = prepared.key.size == 0,
                                .id = identity_of(item->delivery.ack, engine->shard_count),
                                .start = {.plan = plan,
                                          .input = start.input,
                                          .key = prepared.key,
                                          .search = prepared.search,
                                          .correlation = start.correlation,
                                          .traceparent = start.traceparent}};
    return READING_TASK;
}

static enum reading read_child(struct router *router, struct inbox_item *item, struct inbox_task *task,
                               struct str *reason)
{
    struct envelope_child child;
    if (!envelope_child_read(&item->delivery.message, &item->arena, &child, reason))
        return READING_DEAD;
    if (!proof_holds(&router->engine->key, &item->delivery.message)) {
        stranger_refuse(STRANGER_PROOF, item->delivery.message.subject);
        *reason =
            STR("Saga-Proof is not that of an engine of this database: only engines command child sagas");
        return READING_DEAD;
    }
    if (id_shard(child.child) >= router->engine->shard_count) {
        *reason = STR("Saga-Child names a shard that does not exist");
        return READING_DEAD;
    }
    *task = (struct inbox_task){.kind = INBOX_CHILD, .has_id = true, .id = child.child, .child = child};
    return READING_TASK;
}

/* By definition and business key: the id is in the database. */
static enum reading find_saga(struct router *router, struct inbox_item *item,
                              const struct envelope_signal *signal, struct id *id, struct str *reason)
{
    struct store_keyed *found = NULL;
    uint32_t count = 0;
    struct err_note note = {""};
    *id = signal->saga;
    if (signal->has_saga)
        return READING_TASK;
    enum err error = store_find_keys(router->store, &signal->definition, &signal->key, 1, &item->arena,
                                     &found, &count, &note);
    if (error != ERR_OK) {
        (void)store_reconnect(router->store, &note); /* for the next time: it was not acknowledged */
        return READING_LATER;
    }
    if (count == 0 && item->delivery.delivery_count < 2)
        return READING_EARLY; /* its start may be on its way to the store */
    if (count == 0) {
        *reason = arena_printf(&item->arena, "no saga of %.*s has the key of the signal, which has %zu bytes",
                               STR_ARG(signal->definition), signal->key.size);
        return READING_DEAD;
    }
    *id = found[0].id;
    return READING_TASK;
}

/* A signal from SAGA_IN asks for what one from HTTP asks for. */
static enum reading read_signal(struct router *router, struct inbox_item *item, struct inbox_task *task,
                                struct str *reason)
{
    struct envelope_signal signal;
    struct id id;
    if (!envelope_signal(&item->delivery, &item->arena, &signal, reason))
        return READING_DEAD;
    enum reading found = find_saga(router, item, &signal, &id, reason);
    if (found != READING_TASK)
        return found;
    if (id_shard(id) >= router->engine->shard_count) {
        *reason = STR("there is no such saga");
        return READING_DEAD;
    }
    *task = (struct inbox_task){
        .kind = INBOX_VERB,
        .has_id = true,
        .id = id,
        .verb = {
            .kind = CORE_EVENT_SIGNAL, .signal = signal.event, .signal_id = signal.id, .body = signal.body}};
    return READING_TASK;
}

static enum reading read_message(struct router *router, struct inbox_item *item, struct inbox_task *task,
                                 struct str *reason)
{
    enum subject_wish wish;
    if (!envelope_wish(&item->delivery.message, &item->arena, &wish, reason))
        return READING_DEAD;
    switch (wish) {
    case SUBJECT_START:
        return read_start(router, item, task, reason);
    case SUBJECT_CHILD:
        return read_child(router, item, task, reason);
    case SUBJECT_SIGNAL:
        return read_signal(router, item, task, reason);
    case SUBJECT_NONE:
        break;
    }
    check_never("a wish that was not refused");
}

/* Only what was understood as a whole is routed. */
static void take_message(struct router *router, struct inbox_item *item)
{
    struct inbox_task task;
    struct str reason = {0};
    switch (read_message(router, item, &task, &reason)) {
    case READING_TASK:
        item->task = task;
        item->shard = shard_of(router->engine, &task);
        route(router, item);
        return;
    case READING_DEAD:
        dead(router, item, reason);
        return;
    case READING_DONE:
        bus_ack(router->engine->bus, item->delivery.ack);
        inbox_item_free(item);
        return;
    case READING_LATER:
        give_back(router, item);
        return;
    case READING_EARLY:
        inbox_item_free(item);
        return;
    }
}

static void take_watch(struct router *router, struct inbox_item *item)
{
    watches_add(&router->watches, item->task.id, engine_clock_us(router->engine) + item->task.timeout_us,
                item->call);
    inbox_item_free(item);
}

static void take(struct router *router, struct inbox_item *item)
{
    switch (item->task.kind) {
    case INBOX_UNREAD:
        if (item->delivery.source == BUS_SOURCE_ANSWER)
            homing_take(router->engine->homing, item);
        else
            take_message(router, item);
        return;
    case INBOX_START:
    case INBOX_CHILD:
    case INBOX_VERB:
        route(router, item);
        return;
    case INBOX_WATCH:
        take_watch(router, item);
        return;
    case INBOX_DEAD:
        check_never("a dead letter is a runner's");
    }
}

int64_t router_turn(struct router *router, bool wait)
{
    bool homing = homing_turn(router->engine->homing);
    bool soon = router->watches.first != NULL || homing;
    int64_t until_us = engine_clock_us(router->engine) + (soon ? WATCHES_EVERY_US : DURATION_SECOND_US);
    struct inbox_item *items = inbox_take(&router->inbox, ROUTER_TAKE, SIZE_MAX, wait ? until_us : 0);
    while (items != NULL) {
        struct inbox_item *item = items;
        items = item->next;
        take(router, item);
    }
    end_forwards(router);
    bus_flush(router->engine->bus);
    watches_look(&router->watches, router->store, engine_clock_us(router->engine), false);
    return router->watches.first != NULL ? router->watches.look_at_us : until_us;
}

/* What other instances stored, enabled or disabled: a start that names no version takes the newest enabled
 * one, and this instance may know an older one. A failure is for those who need the store to report. */
static void learn_definitions(struct router *router, int64_t *next_us)
{
    struct err_note note = {""};
    int64_t now_us = engine_clock_us(router->engine);
    if (now_us < *next_us)
        return;
    *next_us = now_us + learn_every_us;
    enum err error = registry_refresh(router->engine->registry, router->store, &note);
    if (error == ERR_UNAVAILABLE || error == ERR_UNKNOWN_OUTCOME)
        (void)store_reconnect(router->store, &note);
}

static void *run(void *context)
{
    struct router *router = context;
    int64_t next_us = engine_clock_us(router->engine) + learn_every_us;
    while (!atomic_load(&router->stop)) {
        router_turn(router, true);
        learn_definitions(router, &next_us);
    }
    while (forward_count(router->forwards) > 0) { /* the bus ends each in its time */
        end_forwards(router);
        process_pause(STOP_LOOK_MS);
    }
    return NULL;
}

enum err router_open(struct engine *engine, struct router **router, struct err_note *note)
{
    struct store *store = NULL;
    enum err error = engine->options.open_store(engine->options.context, &store, note);
    if (error != ERR_OK)
        return error;
    *router = memory_new(1, sizeof **router);
    (*router)->engine = engine;
    (*router)->store = store;
    (*router)->forwards = forward_new(engine);
    inbox_init(&(*router)->inbox, ROUTER_EVENTS, LIMITS_INBOX_BYTES);
    if (!engine->options.by_hand)
        check(pthread_create(&(*router)->thread, NULL, run, *router) == 0);
    return ERR_OK;
}

void router_stop(struct router *router)
{
    atomic_store(&router->stop, true);
    inbox_close(&router->inbox);
    if (!router->engine->options.by_hand)
        pthread_join(router->thread, NULL);
    struct inbox_item *items = inbox_take(&router->inbox, UINT32_MAX, SIZE_MAX, 0);
    while (items != NULL) {
        struct inbox_item *item = items;
        items = item->next;
        answer_error(router, item, ERR_UNAVAILABLE, "the engine stops");
    }
    for (struct inbox_item *item = forward_give_up(router->forwards); item != NULL;
         item = forward_give_up(router->forwards))
        answer_error(router, item, ERR_UNKNOWN_OUTCOME,
                     "the engine stops; whether this was done is not known");
    bus_flush(router->engine->bus);
    watches_look(&router->watches, router->store, engine_clock_us(router->engine), true);
}

void router_close(struct router *router)
{
    inbox_fini(&router->inbox);
    forward_free(router->forwards);
    store_close(router->store);
    memory_free(router);
}

bool router_put(struct router *router, struct inbox_item *item)
{
    return inbox_put(&router->inbox, item, false);
}

void router_called(struct router *router, const struct bus_delivery *delivery)
{
    forward_called(router->forwards, delivery);
    inbox_wake(&router->inbox);
}
