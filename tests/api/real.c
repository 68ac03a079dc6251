#include "tests/api/real.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include "api/api.h"
#include "engine/base/clock.h"
#include "engine/bus/nats_bus.h"
#include "engine/store/postgres.h"

struct harness real_harness;
static struct engine *engine;
static struct api *api;
static uint16_t port;
static struct arena arena;

static enum err open_store(void *context, struct store **store, struct err_note *note)
{
    (void)context;
    return postgres_open(real_harness.postgres.url, store, note);
}

static enum err open_bus(void *context, const struct bus_callbacks *callbacks, struct bus **bus,
                         struct err_note *note)
{
    (void)context;
    struct nats_bus_options options = {.url = real_harness.nats.url, .instance = "test"};
    return nats_bus_open(&options, callbacks, bus, note);
}

void real_open(void)
{
    struct err_note note = {""};
    uint32_t applied = 0;
    harness_start(&real_harness, HARNESS_POSTGRES | HARNESS_NATS);
    cr_assert_eq(postgres_migrate(real_harness.postgres.url, 4, &applied, &note), ERR_OK, "%s", note.text);
    struct engine_options options = {.instance = "test",
                                     .open_store = open_store,
                                     .open_bus = open_bus,
                                     .lease_us = 10000000,
                                     .drain_us = 1000000};
    cr_assert_eq(engine_open(&options, &engine, &note), ERR_OK, "%s", note.text);
    struct api_options serving = {.address = "localhost:0", .engine = engine};
    cr_assert_eq(api_open(&serving, &api, &note), ERR_OK, "%s", note.text);
    port = api_port(api);
    arena_init(&arena, 0);
}

void real_close(void)
{
    api_close(api);
    engine_close(engine);
    arena_fini(&arena);
    harness_stop(&real_harness);
}

struct wire_answer real_call(const char *method, const char *target, const char *body)
{
    return wire_call(port, &arena, method, target, body ? "application/json" : NULL, str_from(body));
}

struct wire_answer real_await(const char *method, const char *target, const char *body, int status)
{
    struct wire_answer answer;
    int64_t until_us = clock_monotonic_us() + REAL_PATIENCE_US;
    do {
        answer = real_call(method, target, body);
        if (answer.status == status)
            return answer;
        process_pause(50);
    } while (clock_monotonic_us() < until_us);
    cr_assert_eq(answer.status, status, "%s: %.*s%.*s", target, STR_ARG(answer.head), STR_ARG(answer.body));
    return answer;
}

const char real_definition[] = "{\"yaml\":\"saga: one\\nversion: 1\\nsteps:\\n  - { id: a, command: shop.go, "
                               "compensate: none }\\n\"}";
static const char starting[] = "{\"definition\":\"one\",\"key\":\"%s\",\"input\":{}}";

struct wire_answer real_start(const char *key, int status)
{
    char body[128];
    snprintf(body, sizeof body, starting, key);
    return real_await("POST", "/v1/sagas", body, status);
}
