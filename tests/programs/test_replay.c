/* sagactl replay on a mixed set of real sagas, sound and then damaged by hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "engine/base/rng.h"
#include "tests/programs/stand.h"

enum { SAGAS = 7, FLIPS = 100 };

static struct stand stand;
static const char *ids[SAGAS];

static const char *started(const char *name, const char *members)
{
    struct stand_result result =
        stand_run(&stand, "sagactl start mix --input '{\"name\":\"%s\"%s}'", name, members);
    cr_assert_eq(result.code, 0, "%.*s", STR_ARG(result.err));
    return arena_copy(&stand.arena, str_trim(result.out)).data;
}

static bool is_settled(void *context)
{
    (void)context;
    return harness_query(
               stand.postgres,
               "select count(*) = 6 from saga where ended_at is not null or status = 'parked'")[0] == 't';
}

static bool is_at_two(void *context)
{
    (void)context;
    struct str sql = arena_printf(
        &stand.arena, "select waiting like 'waiting for reply to two%%' from saga where id = '%s'", ids[6]);
    return harness_query(stand.postgres, sql.data)[0] == 't';
}

/* Completed, completed after a retry, compensated, parked, cancelled, terminated, and one that still waits.
 */
static void open_stand(void)
{
    stand_open(&stand);
    stand_dev(&stand);
    stand_participant(&stand);
    ids[0] = started("done", "");
    ids[1] = started("retried", ",\"one\":\"retry\",\"two\":\"retry\",\"kind\":\"r \\\"q\\\"\"");
    ids[2] = started("undone", ",\"two\":\"reject\"");
    ids[3] = started("parked", ",\"two\":\"human\"");
    ids[4] = started("cancelled", ",\"two\":\"silent\"");
    ids[5] = started("terminated", ",\"two\":\"silent\"");
    ids[6] = started("waiting", ",\"two\":\"silent\"");
    /* It waits for longer than any test: what the service writes must not come between a test's own writes.
     */
    cr_assert(harness_await(is_at_two, NULL, STAND_PATIENCE_MS), "it does not come to its silent step");
    cr_assert_eq(stand_run(&stand, "sagactl timer %s two --in 1h", ids[6]).code, 0);
    cr_assert_eq(stand_run(&stand, "sagactl timer %s --in 1h", ids[6]).code, 0);
    cr_assert_eq(stand_run(&stand, "sagactl cancel %s --reason enough", ids[4]).code, 0);
    cr_assert_eq(stand_run(&stand, "sagactl terminate %s --reason enough", ids[5]).code, 0);
    cr_assert(harness_await(is_settled, NULL, STAND_PATIENCE_MS), "they do not come to rest");
}

static void close_stand(void)
{
    stand_close(&stand);
}

TestSuite(replay, .init = open_stand, .fini = close_stand, .timeout = 300);

static void expect_difference(const char *what)
{
    struct stand_result result = stand_run(&stand, "sagactl replay --all");
    cr_expect_eq(result.code, 1, "%s: %.*s", what, STR_ARG(result.err));
    cr_expect(stand_has(result.out, "DIFFERENCE in saga "), "%s: %.*s", what, STR_ARG(result.out));
    cr_expect(stand_has(result.out, what), "lacks \"%s\": %.*s", what, STR_ARG(result.out));
    cr_expect(stand_has(result.out, "7 sagas replayed: 6 the same, 1 different\n"), "%s: %.*s", what,
              STR_ARG(result.out));
    struct stand_result json = stand_run(&stand, "sagactl replay --all --json");
    cr_expect_eq(json.code, 1);
    cr_expect(stand_has(json.out, "\"same\":false,\"difference\":"), "%.*s", STR_ARG(json.out));
}

Test(replay, reproduces_every_decision)
{
    struct stand_result all = stand_run(&stand, "sagactl replay --all");
    cr_expect_eq(all.code, 0, "%.*s%.*s", STR_ARG(all.out), STR_ARG(all.err));
    cr_expect(stand_has(all.out, "7 sagas replayed: 7 the same, 0 different\n"), "%.*s", STR_ARG(all.out));
    struct stand_result one = stand_run(&stand, "sagactl replay %s", ids[2]);
    cr_expect_eq(one.code, 0);
    cr_expect(stand_has(one.out, "reply rejected to two, attempt 1: NO: as told\n"), "%.*s",
              STR_ARG(one.out));
    cr_expect(stand_has(one.out, "send one undo/1 to stand.undo until +5s"), "%.*s", STR_ARG(one.out));
    cr_expect(stand_has(one.out, "        = compensating; waiting for reply to compensation of one"), "%.*s",
              STR_ARG(one.out));
    cr_expect(stand_has(one.out, "        = compensated\n1 saga replayed: 1 the same, 0 different\n"), "%.*s",
              STR_ARG(one.out));
    struct stand_result two = stand_run(&stand, "sagactl replay %s %s", ids[0], ids[4]);
    cr_expect(stand_has(two.out, "2 sagas replayed: 2 the same"), "%.*s", STR_ARG(two.out));
}

Test(replay, chooses_and_stops_where_it_is_told)
{
    struct stand_result parked = stand_run(&stand, "sagactl replay --status parked");
    cr_expect(stand_has(parked.out, ids[3]) && stand_has(parked.out, "1 saga replayed"), "%.*s",
              STR_ARG(parked.out));
    struct stand_result mix = stand_run(&stand, "sagactl replay --definition mix");
    cr_expect(stand_has(mix.out, "7 sagas replayed: 7 the same"));
    struct stand_result none = stand_run(&stand, "sagactl replay --definition plain");
    cr_expect_eq(none.code, 0);
    cr_expect(stand_has(none.out, "0 sagas replayed"));
    struct stand_result until = stand_run(&stand, "sagactl replay %s --until 2", ids[0]);
    cr_expect_eq(until.code, 0);
    cr_expect(stand_has(until.out, "   2  ") && !stand_has(until.out, "   3  "), "%.*s", STR_ARG(until.out));
    struct stand_result lost = stand_run(&stand, "sagactl replay 01a1fe2a-b70a-73fa-b9ad-b3862380400f");
    cr_expect_eq(lost.code, 1);
    cr_expect(stand_has(lost.err, "01a1fe2a-b70a-73fa-b9ad-b3862380400f"), "%.*s", STR_ARG(lost.err));
}

Test(replay, each_line_of_json_is_json)
{
    struct stand_result result = stand_run(&stand, "sagactl replay --all --json");
    unsigned lines = 0;
    cr_expect_eq(result.code, 0);
    for (struct str rest = result.out; rest.size > 0; lines++) {
        size_t end = str_find(rest, '\n');
        struct stand_result line = {.out = str_slice(rest, 0, end)};
        cr_assert_not_null(stand_json(&stand, line), "%.*s", STR_ARG(line.out));
        rest = str_slice(rest, end + 1, rest.size);
    }
    cr_expect_gt(lines, 20);
    cr_expect(stand_has(result.out, "{\"sagas\":7,\"same\":7,\"different\":0}\n"));
}

/* What somebody may do to the database, to which saga, and what replay says to it. */
struct damage {
    const char *sql;
    unsigned saga;
    const char *what;
};
static const struct damage damages[] = {
    {"update saga_journal set data = replace(data::text, '\"attempt\":1', '\"attempt\":2')::json where seq = "
     "1 and "
     "saga_id",
     0, "at seq 1: another decision"},
    {"update saga_journal set data = replace(data::text, '\"receipt\":7', '\"receipt\":8')::json where seq = "
     "2 and "
     "saga_id",
     0, "at seq 3: another decision"},
    {"update saga_journal set attempt = 3 where seq = 2 and saga_id", 2, "at seq 2: "},
    {"update saga_journal set at = at + interval '1 microsecond' where seq = 2 and saga_id", 1, "at seq 2: "},
    {"update saga_journal set kind = 'timer' where seq = 2 and saga_id", 1, "at seq 2: "},
    {"delete from saga_journal where seq = 2 and saga_id", 0, "at seq 3: "},
    {"delete from saga_journal where seq = 3 and saga_id", 0, "the stored "},
    {"update saga set status = 'terminated' where id", 2, "the stored status"},
    {"update saga set waiting = 'for rain' where id", 6, "the stored waiting line"},
    {"update saga set search = '{\"kind\":\"x\"}' where id", 0, "the stored search attributes"},
};

Test(replay, shows_the_first_difference)
{
    (void)harness_query(stand.postgres, "create table sound_journal as table saga_journal");
    (void)harness_query(stand.postgres, "create table sound_saga as table saga");
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct str sql = arena_printf(&stand.arena, "%s = '%s'", damages[i].sql, ids[damages[i].saga]);
        (void)harness_query(stand.postgres, sql.data);
        expect_difference(damages[i].what);
        (void)harness_query(stand.postgres,
                            "delete from saga_journal; delete from saga; insert into saga table "
                            "sound_saga; insert into saga_journal table sound_journal");
    }
    cr_expect_eq(stand_run(&stand, "sagactl replay --all").code, 0);
}

/* Another version of the engine says the same in other words: it decides the same. */
Test(replay, a_message_in_other_words_is_the_same_decision)
{
    struct str sql = arena_printf(
        &stand.arena,
        "with changed as (update saga_journal set data = replace(data::text, '\"message\":\"as told\"}', "
        "'\"message\":\"as was told\"}')::json where saga_id = '%s' and data::text like '%%as told\"}%%' "
        "returning 1) select count(*) from changed",
        ids[2]);
    cr_assert_str_neq(harness_query(stand.postgres, sql.data), "0");
    struct stand_result one = stand_run(&stand, "sagactl replay %s", ids[2]);
    cr_expect_eq(one.code, 0, "%.*s%.*s", STR_ARG(one.out), STR_ARG(one.err));
}

Test(replay, an_export_needs_no_database)
{
    const char *file = arena_printf(&stand.arena, "%s/export.json", stand.dir).data;
    cr_assert_eq(stand_run(&stand, "sagactl replay --all --export %s", file).code, 0);
    cr_expect_eq(stand_run(&stand, "sagactl replay --all --export %s", file).code, 1,
                 "it writes over a file");
    setenv("SAGAD_DATABASE", "postgresql://127.0.0.1:1/none", 1);
    struct stand_result again = stand_run(&stand, "sagactl replay --file %s", file);
    cr_expect_eq(again.code, 0, "%.*s%.*s", STR_ARG(again.out), STR_ARG(again.err));
    cr_expect(stand_has(again.out, "7 sagas replayed: 7 the same"), "%.*s", STR_ARG(again.out));
    struct stand_result one = stand_run(&stand, "sagactl replay --file %s %s", file, ids[3]);
    cr_expect(stand_has(one.out, "1 saga replayed"), "%.*s", STR_ARG(one.out));
    struct stand_result parked = stand_run(&stand, "sagactl replay --file %s --status parked", file);
    cr_expect(stand_has(parked.out, ids[3]) && stand_has(parked.out, "1 saga replayed"));
}

/* Whatever a damaged file holds: a difference, a refusal or, where the byte decides nothing, the same again;
 * never a crash. */
Test(replay, a_damaged_export_never_crashes_it)
{
    struct rng rng;
    unsigned noticed = 0;
    cr_assert_eq(stand_run(&stand, "sagactl replay %s --export %s/one.json", ids[2], stand.dir).code, 0);
    struct str whole = stand_read(&stand, "one.json");
    rng_init(&rng, 7);
    for (unsigned i = 0; i < FLIPS; i++) {
        size_t at = (size_t)rng_below(&rng, whole.size - 1);
        char *copy = arena_alloc(&stand.arena, whole.size);
        memcpy(copy, whole.data, whole.size);
        copy[at] = (char)(copy[at] ^ (1 << rng_below(&rng, 7)));
        stand_write(&stand, "flipped.json", (struct str){copy, whole.size});
        struct stand_result result = stand_run(&stand, "sagactl replay --file %s/flipped.json", stand.dir);
        cr_assert_lt(result.code, 3, "byte %zu: exit %d: %.*s", at, result.code, STR_ARG(result.err));
        cr_assert_not(stand_has(result.err, "Sanitizer") || stand_has(result.err, "runtime error"),
                      "byte %zu: %.*s", at, STR_ARG(result.err));
        noticed += result.code == 1;
    }
    cr_expect_gt(noticed, FLIPS / 3);
}
