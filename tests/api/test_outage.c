/* The service on real servers that go away and come back: what needs them answers 503 and Retry-After, what
 * does not goes on, and nothing has to be restarted. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/api.h"
#include "engine/base/clock.h"
#include "engine/bus/nats_bus.h"
#include "engine/store/postgres.h"
#include "tests/api/wire.h"
#include "tests/harness/harness.h"

enum { PATIENCE_US = 30000000 };

static struct harness harness;
static struct engine *engine;
static struct api *api;
static uint16_t port;
static struct arena arena;

static enum err open_store(void *context, struct store **store, struct err_note *note)
{
    (void)context;
    return postgres_open(harness.postgres.url, store, note);
}

static enum err open_bus(void *context, const struct bus_callbacks *callbacks, struct bus **bus,
                         struct err_note *note)
{
    (void)context;
    struct nats_bus_options options = {.url = harness.nats.url, .instance = "test"};
    return nats_bus_open(&options, callbacks, bus, note);
}

static void open_all(void)
{
    struct err_note note = {""};
    uint32_t applied = 0;
    harness_start(&harness, HARNESS_POSTGRES | HARNESS_NATS);
    cr_assert_eq(postgres_migrate(harness.postgres.url, 4, &applied, &note), ERR_OK, "%s", note.text);
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

static void close_all(void)
{
    api_close(api);
    engine_close(engine);
    arena_fini(&arena);
    harness_stop(&harness);
}

static struct wire_answer call(const char *method, const char *target, const char *body)
{
    return wire_call(port, &arena, method, target, body ? "application/json" : NULL, str_from(body));
}

static struct wire_answer await_status(const char *method, const char *target, const char *body, int status)
{
    struct wire_answer answer;
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    do {
        answer = call(method, target, body);
        if (answer.status == status)
            return answer;
        process_pause(50);
    } while (clock_monotonic_us() < until_us);
    cr_assert_eq(answer.status, status, "%s: %.*s%.*s", target, STR_ARG(answer.head), STR_ARG(answer.body));
    return answer;
}

static const char definition[] =
    "{\"yaml\":\"saga: one\\nversion: 1\\nsteps:\\n  - { id: a, command: shop.go, "
    "compensate: none }\\n\"}";
static const char starting[] = "{\"definition\":\"one\",\"key\":\"%s\",\"input\":{}}";

static struct wire_answer start(const char *key, int status)
{
    char body[128];
    snprintf(body, sizeof body, starting, key);
    return await_status("POST", "/v1/sagas", body, status);
}

Test(outage, says_so_and_recovers, .init = open_all, .fini = close_all, .timeout = 120)
{
    char target[64];
    struct wire_answer answer = call("PUT", "/v1/definitions/one/1", definition);
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
    (void)await_status("GET", "/readyz", NULL, 200);
    answer = start("before", 201);
    snprintf(target, sizeof target, "/v1/sagas/%.*s", STR_ARG(json_get_str(answer.json, STR("id"))));

    harness_stop_postgres(&harness);
    answer = call("GET", target, NULL);
    wire_expect_page(&answer, 503, "unavailable", "a saga without PostgreSQL");
    cr_assert(wire_header(&answer, "Retry-After").size > 0);
    answer = await_status("GET", "/readyz", NULL, 503);
    wire_expect_page(&answer, 503, "not-ready", "readiness without PostgreSQL");
    cr_assert_eq(call("GET", "/healthz", NULL).status, 200);
    cr_assert_eq(call("GET", "/metrics", NULL).status, 200);

    harness_restart_postgres(&harness);
    (void)await_status("GET", target, NULL, 200);
    (void)await_status("GET", "/readyz", NULL, 200);
    (void)start("after", 201);

    harness_stop_nats(&harness);
    answer = await_status("GET", "/readyz", NULL, 503);
    wire_expect_page(&answer, 503, "not-ready", "readiness without NATS");
    cr_assert_eq(call("GET", target, NULL).status, 200);
    answer = start("without nats", 201); /* persisted now, sent later */
    harness_restart_nats(&harness);
    (void)await_status("GET", "/readyz", NULL, 200);
}

static bool owns_nothing(void *context)
{
    (void)context;
    return strcmp(harness_query(harness.postgres.url, "select count(*) from shard where owner is not null"),
                  "0") == 0;
}

/* A later version's migration that leaves nothing to this one: it goes out of the way of the later version's
 * engines, says why, and takes the shards again when the migration is taken back. */
Test(outage, a_schema_that_is_too_new_makes_it_give_its_shards_up, .init = open_all, .fini = close_all,
     .timeout = 120)
{
    (void)await_status("GET", "/readyz", NULL, 200);
    (void)harness_query(
        harness.postgres.url,
        "insert into migration (number, name, checksum, serves) select max(number) + 1, 'later', 'x', "
        "max(number) + 1 from migration");
    cr_assert(harness_await(owns_nothing, NULL, PATIENCE_US / 1000));
    struct wire_answer answer = await_status("GET", "/readyz", NULL, 503);
    cr_assert(strstr(answer.body.data, "the database is newer than this program") != NULL, "%.*s",
              STR_ARG(answer.body));
    (void)harness_query(harness.postgres.url, "delete from migration where name = 'later'");
    (void)await_status("GET", "/readyz", NULL, 200);
}

/* Without waiting for the next renewal: the first batch meets the new schema. */
Test(outage, a_function_that_is_gone_is_noticed_by_the_next_batch, .init = open_all, .fini = close_all,
     .timeout = 120)
{
    struct wire_answer answer = call("PUT", "/v1/definitions/one/1", definition);
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
    (void)start("before", 201);
    (void)harness_query(
        harness.postgres.url,
        "insert into migration (number, name, checksum, serves) select max(number) + 1, 'later', 'x', "
        "max(number) + 1 from migration; "
        "do $$ declare one record; begin for one in select oid::regprocedure::text as name from "
        "pg_proc where proname like 'saga\\_append%' loop execute 'drop function ' || one.name; "
        "end loop; end $$");
    (void)start("after", 503);
    cr_assert(harness_await(owns_nothing, NULL, PATIENCE_US / 1000));
    (void)await_status("GET", "/readyz", NULL, 503);
}

/* In the server's folder. */
static void shell(const char *command)
{
    char line[2 * PROCESS_PATH_SIZE];
    snprintf(line, sizeof line, "cd '%s' && %s", harness.postgres.dir, command);
    cr_assert_eq(system(line), 0, "%s", line);
}

static bool is_parked(void *key)
{
    char sql[256];
    snprintf(sql, sizeof sql, "select status || reason_code from saga where key = '%s'", (const char *)key);
    return strcmp(harness_query(harness.postgres.url, sql), "parkedHISTORY_LOST") == 0;
}

/* F7: an asynchronous standby takes over that has not seen the last commits, and the engine lives on. */
Test(outage, a_failover_that_lost_commits_is_noticed_and_named, .init = open_all, .fini = close_all,
     .timeout = 180)
{
    char keys[4][32], targets[4][96];
    struct wire_answer answer = call("PUT", "/v1/definitions/one/1", definition);
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
    for (int i = 0; i < 4; i++) {
        snprintf(keys[i], sizeof keys[i], "before-%d", i);
        answer = start(keys[i], 201);
        snprintf(targets[i], sizeof targets[i], "/v1/sagas/%.*s",
                 STR_ARG(json_get_str(answer.json, STR("id"))));
    }
    harness_stop_postgres(&harness);
    shell("cp -a data standby");
    harness_restart_postgres(&harness);
    (void)await_status("GET", "/readyz", NULL, 200);
    for (int i = 0; i < 2; i++) { /* these go further */
        char target[128];
        snprintf(target, sizeof target, "%s/pause", targets[i]);
        (void)await_status("POST", target, "{\"reason\":\"wait\"}", 200);
    }
    for (int i = 0; i < 3; i++) {
        char key[32];
        snprintf(key, sizeof key, "after-%d", i);
        (void)start(key, 201);
    }
    process_kill(&harness.postgres.process);
    shell("rm -rf data && mv standby data");
    harness_restart_postgres(&harness);
    for (int i = 0; i < 2; i++)
        cr_assert(harness_await(is_parked, keys[i], PATIENCE_US / 1000), "%s", keys[i]);
    (void)await_status("GET", "/readyz", NULL, 200);
    cr_assert(!is_parked(keys[2]) && !is_parked(keys[3]), "nothing of these was lost");
    answer = call("GET", "/metrics", NULL);
    cr_assert_not_null(strstr(answer.body.data, "sagad_history_lost_total{outcome=\"vanished\"} 3"));
    cr_assert_not_null(strstr(answer.body.data, "sagad_history_lost_total{outcome=\"parked\"} 2"));
    (void)start("after-0", 201); /* its start is gone: it begins anew */
    char target[128];
    snprintf(target, sizeof target, "%s/cancel", targets[0]);
    (void)await_status("POST", target, "{\"reason\":\"start anew\"}", 200);
    cr_assert_str_eq(
        harness_query(harness.postgres.url,
                      "select count(*) from saga where seq <> (select count(*) from saga_journal "
                      "where saga_id = saga.id) or seq <> (select max(seq) from saga_journal where "
                      "saga_id = saga.id)"),
        "0", "no journal has a gap");
}
