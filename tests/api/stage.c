#include "tests/api/stage.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
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

static enum err open_store(void *context, struct store **store, struct err_note *note)
{
    struct stage *stage = context;
    (void)note;
    *store = memory_store_open(stage->world);
    return ERR_OK;
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
    struct api_options options = {.address = "127.0.0.1:0", .engine = stage->engine, .threads = 2};
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

void stage_send_garbage(struct stage *stage, const char *subject, const char *body)
{
    struct bus_message message = {.subject = str_from(subject), .body = str_from(body)};
    memory_bus_send(stage->broker, &message);
}
