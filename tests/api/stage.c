/* The stage of the API's tests: service, engine, twins and a participant, moved by one thread. A test never
 * sees a server. */
#include "tests/api/stage.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/bus/memory_bus.h"
#include "engine/ops/process.h"
#include "engine/store/memory_store.h"

enum { SHARDS = 4, PATIENCE_US = 10000000 };

struct pump {
    struct stage *stage;
    pthread_t thread;
    atomic_bool stopping;
};

/* Where lists wait. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held;
    unsigned waiting;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static struct store_ops gated;
static const struct store_ops *plain;

static void pass_gate(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.waiting++;
    pthread_cond_broadcast(&gate.changed);
    while (gate.held)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.waiting--;
    pthread_mutex_unlock(&gate.lock);
}

static enum err gated_list(struct store *store, const struct store_filter *filter, struct arena *arena,
                           struct store_saga **sagas, uint32_t *count, struct err_note *note)
{
    pass_gate();
    return plain->list(store, filter, arena, sagas, count, note);
}

static enum err gated_definitions(struct store *store, struct str name, struct arena *arena,
                                  struct store_definition **definitions, uint32_t *count,
                                  struct err_note *note)
{
    pass_gate();
    return plain->definitions(store, name, arena, definitions, count, note);
}

static enum err gated_get(struct store *store, struct str name, int32_t version, struct arena *arena,
                          struct store_definition *definition, struct err_note *note)
{
    pass_gate();
    return plain->definition_get(store, name, version, arena, definition, note);
}

static enum err open_store(void *context, struct store **store, struct err_note *note)
{
    struct stage *stage = context;
    (void)note;
    *store = memory_store_open(stage->world);
    if (stage->serving) /* the engine's own are open by now */
        (*store)->ops = &gated;
    else
        plain = (*store)->ops;
    return ERR_OK;
}

void stage_hold_lists(struct stage *stage, bool held)
{
    (void)stage;
    pthread_mutex_lock(&gate.lock);
    gate.held = held;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

void stage_await_held(struct stage *stage, unsigned count)
{
    (void)stage;
    pthread_mutex_lock(&gate.lock);
    while (gate.waiting < count)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void *stop(void *context)
{
    api_close(context);
    return NULL;
}

void stage_release_and_stop(struct stage *stage)
{
    pthread_t stopping;
    cr_assert(pthread_create(&stopping, NULL, stop, stage->api) == 0);
    stage_hold_lists(stage, false);
    pthread_join(stopping, NULL);
    stage->api = NULL;
}

unsigned long stage_metric(struct stage *stage, const char *line)
{
    struct wire_answer answer = stage_call(stage, "GET", "/metrics", NULL);
    cr_assert_eq(answer.status, 200, "%.*s", STR_ARG(answer.head));
    const char *found = strstr(answer.body.data, line);
    return found ? strtoul(found + strlen(line), NULL, 10) : 0;
}

static enum err open_bus(void *context, const struct bus_callbacks *callbacks, struct bus **bus,
                         struct err_note *note)
{
    struct stage *stage = context;
    (void)note;
    *bus = memory_bus_open(stage->broker, callbacks);
    return ERR_OK;
}

/* What shop does with one command. */
static void reply(struct stage *stage, const struct bus_message *command)
{
    struct bus_message answer = {.subject = bus_header(command, STR("Saga-Reply-To")), .body = command->body};
    if (str_ends(command->subject, STR(".silent")))
        return;
    bus_header_add(&answer, STR("Saga-Command"), bus_header(command, STR("Saga-Command")));
    if (str_ends(command->subject, STR(".reject"))) {
        bus_header_add(&answer, STR("Saga-Status"), STR("rejected"));
        bus_header_add(&answer, STR("Saga-Error-Code"), STR("NO"));
    }
    memory_bus_send(stage->broker, &answer);
}

static bool work(struct stage *stage, struct arena *arena)
{
    struct bus_message command;
    bool moved = memory_bus_deliver(stage->broker, 100) > 0;
    while (memory_bus_take_command(stage->broker, STR("shop"), arena, &command)) {
        reply(stage, &command);
        moved = true;
    }
    arena_reset(arena);
    return moved;
}

static void *run(void *context)
{
    struct pump *pump = context;
    struct arena arena;
    arena_init(&arena, 0);
    while (!atomic_load(&pump->stopping)) {
        memory_store_clock(pump->stage->world, clock_real_us());
        if (!work(pump->stage, &arena))
            process_pause(1); /* the twins signal nothing */
    }
    arena_fini(&arena);
    return NULL;
}

void stage_open(struct stage *stage)
{
    struct err_note note = {""};
    *stage = (struct stage){.world = memory_store_new(SHARDS), .broker = memory_bus_new()};
    arena_init(&stage->arena, 0);
    memory_store_clock(stage->world, clock_real_us());
    stage->pump = memory_new(1, sizeof *stage->pump);
    stage->pump->stage = stage;
    cr_assert(pthread_create(&stage->pump->thread, NULL, run, stage->pump) == 0);
    struct engine_options engine = {.instance = "test",
                                    .context = stage,
                                    .open_store = open_store,
                                    .open_bus = open_bus,
                                    .runners = 1,
                                    .lease_us = 10000000,
                                    .drain_us = 1000000};
    cr_assert_eq(engine_open(&engine, &stage->engine, &note), ERR_OK, "%s", note.text);
    gated = *plain;
    gated.list = gated_list;
    gated.definitions = gated_definitions;
    gated.definition_get = gated_get;
    stage->serving = true;
    struct api_options options = {.address = "127.0.0.1:0",
                                  .engine = stage->engine,
                                  .threads = 2,
                                  .request_ms = 600000, /* a loaded machine is no slow client */
                                  .held_bytes_max = STAGE_HELD_BYTES};
    cr_assert_eq(api_open(&options, &stage->api, &note), ERR_OK, "%s", note.text);
    stage->port = api_port(stage->api);
}

void stage_close(struct stage *stage)
{
    api_close(stage->api);
    engine_close(stage->engine);
    atomic_store(&stage->pump->stopping, true);
    pthread_join(stage->pump->thread, NULL);
    memory_free(stage->pump);
    memory_bus_free(stage->broker);
    memory_store_free(stage->world);
    arena_fini(&stage->arena);
}

struct wire_answer stage_call(struct stage *stage, const char *method, const char *target, const char *body)
{
    return wire_call(stage->port, &stage->arena, method, target, body ? "application/json" : NULL,
                     str_from(body));
}

struct wire_answer stage_put(struct stage *stage, const char *target, const char *yaml)
{
    return wire_call(stage->port, &stage->arena, "PUT", target, "application/yaml", str_from(yaml));
}

void stage_define(struct stage *stage, const char *target, const char *yaml)
{
    struct wire_answer answer = stage_put(stage, target, yaml);
    cr_assert_eq(answer.status, 201, "%.*s%.*s", STR_ARG(answer.head), STR_ARG(answer.body));
}

struct wire_answer stage_await(struct stage *stage, struct str id, const char *status)
{
    char target[128];
    struct wire_answer answer;
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    snprintf(target, sizeof target, "/v1/sagas/%.*s", STR_ARG(id));
    do {
        answer = stage_call(stage, "GET", target, NULL);
        cr_assert_eq(answer.status, 200, "%.*s", STR_ARG(answer.body));
        if (str_equal(json_get_str(answer.json, STR("status")), str_from(status)))
            return answer;
        process_pause(5);
    } while (clock_monotonic_us() < until_us);
    cr_assert(false, "not %s within 10 s: %.*s", status, STR_ARG(answer.body));
    return answer;
}

void stage_await_count(struct stage *stage, const char *query, uint32_t count)
{
    char target[160];
    struct wire_answer answer;
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    snprintf(target, sizeof target, "/v1/sagas?%s", query);
    do {
        answer = stage_call(stage, "GET", target, NULL);
        cr_assert_eq(answer.status, 200, "%.*s", STR_ARG(answer.body));
        if (json_get(answer.json, STR("items"))->count == count)
            return;
        process_pause(5);
    } while (clock_monotonic_us() < until_us);
    cr_assert(false, "not %u of %s within 10 s: %.*s", (unsigned)count, query, STR_ARG(answer.body));
}

void stage_send_garbage(struct stage *stage, const char *subject, const char *body)
{
    struct bus_message message = {.subject = str_from(subject), .body = str_from(body)};
    memory_bus_send(stage->broker, &message);
}
