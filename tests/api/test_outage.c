/* The service on real servers that go away and come back: what needs them answers 503 and Retry-After, what
 * does not goes on, and nothing has to be restarted. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/api/real.h"

Test(outage, says_so_and_recovers, .init = real_open, .fini = real_close, .timeout = 120)
{
    char target[64];
    struct wire_answer answer = real_call("PUT", "/v1/definitions/one/1", real_definition);
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
    (void)real_await("GET", "/readyz", NULL, 200);
    answer = real_start("before", 201);
    snprintf(target, sizeof target, "/v1/sagas/%.*s", STR_ARG(json_get_str(answer.json, STR("id"))));

    harness_stop_postgres(&real_harness);
    answer = real_call("GET", target, NULL);
    wire_expect_page(&answer, 503, "unavailable", "a saga without PostgreSQL");
    cr_assert(wire_header(&answer, "Retry-After").size > 0);
    answer = real_await("GET", "/readyz", NULL, 503);
    wire_expect_page(&answer, 503, "not-ready", "readiness without PostgreSQL");
    cr_assert_eq(real_call("GET", "/healthz", NULL).status, 200);
    cr_assert_eq(real_call("GET", "/metrics", NULL).status, 200);

    harness_restart_postgres(&real_harness);
    (void)real_await("GET", target, NULL, 200);
    (void)real_await("GET", "/readyz", NULL, 200);
    (void)real_start("after", 201);

    harness_stop_nats(&real_harness);
    answer = real_await("GET", "/readyz", NULL, 503);
    wire_expect_page(&answer, 503, "not-ready", "readiness without NATS");
    cr_assert_eq(real_call("GET", target, NULL).status, 200);
    answer = real_start("without nats", 201); /* persisted now, sent later */
    harness_restart_nats(&real_harness);
    (void)real_await("GET", "/readyz", NULL, 200);
}

static bool owns_nothing(void *context)
{
    (void)context;
    return strcmp(
               harness_query(real_harness.postgres.url, "select count(*) from shard where owner is not null"),
               "0") == 0;
}

/* A later version's migration that leaves nothing to this one: it goes out of the way of the later version's
 * engines, says why, and takes the shards again when the migration is taken back. */
Test(outage, a_schema_that_is_too_new_makes_it_give_its_shards_up, .init = real_open, .fini = real_close,
     .timeout = 120)
{
    (void)real_await("GET", "/readyz", NULL, 200);
    (void)harness_query(
        real_harness.postgres.url,
        "insert into migration (number, name, checksum, serves) select max(number) + 1, 'later', 'x', "
        "max(number) + 1 from migration");
    cr_assert(harness_await(owns_nothing, NULL, REAL_PATIENCE_US / 1000));
    struct wire_answer answer = real_await("GET", "/readyz", NULL, 503);
    cr_assert(strstr(answer.body.data, "the database is newer than this program") != NULL, "%.*s",
              STR_ARG(answer.body));
    (void)harness_query(real_harness.postgres.url, "delete from migration where name = 'later'");
    (void)real_await("GET", "/readyz", NULL, 200);
}

/* Without waiting for the next renewal: the first batch meets the new schema. */
Test(outage, a_function_that_is_gone_is_noticed_by_the_next_batch, .init = real_open, .fini = real_close,
     .timeout = 120)
{
    struct wire_answer answer = real_call("PUT", "/v1/definitions/one/1", real_definition);
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
    (void)real_start("before", 201);
    (void)harness_query(
        real_harness.postgres.url,
        "insert into migration (number, name, checksum, serves) select max(number) + 1, 'later', 'x', "
        "max(number) + 1 from migration; "
        "do $$ declare one record; begin for one in select oid::regprocedure::text as name from "
        "pg_proc where proname like 'saga\\_append%' loop execute 'drop function ' || one.name; "
        "end loop; end $$");
    (void)real_start("after", 503);
    cr_assert(harness_await(owns_nothing, NULL, REAL_PATIENCE_US / 1000));
    (void)real_await("GET", "/readyz", NULL, 503);
}
