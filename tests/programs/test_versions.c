/* What an author does with versions: draw them, compare them, enable and disable them, and run recorded sagas
 * through the next one before it is put into service. Against a real service. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/programs/stand.h"

enum { SAGAS = 5 };

static struct stand stand;
static const char *ids[SAGAS];

static const char *started(const char *name, const char *members)
{
    struct stand_result result =
        stand_run(&stand, "sagactl start mix --input '{\"name\":\"%s\"%s}'", name, members);
    cr_assert_eq(result.code, 0, "%.*s", STR_ARG(result.err));
    return arena_copy(&stand.arena, str_trim(result.out)).data;
}

static bool is_at_rest(void *context)
{
    return str_equal(str_from(harness_query(stand.postgres, context)), STR("t"));
}

/* Two that complete, one that is undone, one parked, one ended while its second step was under way: none of
 * them records anything more. */
static void open_stand(void)
{
    static char waiting[] = "select count(*) = 1 from saga where key = 'ended' and waiting like '%two%'";
    static char settled[] = "select count(*) = 5 from saga where ended_at is not null or status = 'parked'";
    stand_open(&stand);
    stand_dev(&stand);
    stand_participant(&stand);
    ids[0] = started("done", "");
    ids[1] = started("again", ",\"two\":\"retry\"");
    ids[2] = started("undone", ",\"two\":\"reject\"");
    ids[3] = started("parked", ",\"two\":\"human\"");
    ids[4] = started("ended", ",\"two\":\"silent\"");
    cr_assert(harness_await(is_at_rest, waiting, STAND_PATIENCE_MS), "it does not wait");
    cr_assert_eq(stand_run(&stand, "sagactl terminate %s --reason enough", ids[4]).code, 0);
    cr_assert(harness_await(is_at_rest, settled, STAND_PATIENCE_MS), "they do not come to rest");
}

static void close_stand(void)
{
    stand_close(&stand);
}

TestSuite(versions, .init = open_stand, .fini = close_stand, .timeout = 300);

/* A definition as it runs, as version 2, with one text put in the place of another. */
static void write_next(struct str text, const char *was, const char *is)
{
    struct buf out;
    const char *version = strstr(text.data, "version: 1");
    cr_assert_not_null(version);
    text = arena_printf(&stand.arena, "%.*sversion: 2%s", (int)(version - text.data), text.data,
                        version + strlen("version: 1"));
    const char *at = strstr(text.data, was);
    cr_assert_not_null(at, "no \"%s\" in the definition", was);
    buf_init(&out, &stand.arena);
    buf_put(&out, (struct str){text.data, (size_t)(at - text.data)});
    buf_puts(&out, is);
    buf_puts(&out, at + strlen(was));
    stand_write(&stand, "next.yaml", buf_str(&out));
}

static void write_version(const char *was, const char *is)
{
    write_next(stand_read(&stand, arena_printf(&stand.arena, "%s/mix.yaml", stand.definitions).data), was,
               is);
}

struct
try {
    const char *was, *is;
    int code;
    const char *outcomes; /* in the last line */
    const char *group;    /* in the groups; "" : there are none */
};
static const struct try tries[] = {
    {"Goes as it is told.", "Goes exactly as it is told.", 0, "5 sagas through mix version 2: 5 same\n", ""},
    {"      how: ${ $input.two // \"ok\" }", "      how: ${ $input.two // \"ok\" }\n      kind: new", 1,
     ": 0 same, 5 diverges", "diverges: 5 sagas: send two do/1 to stand.two: with other content\n"},
    {"\noutput:", "\n  - { id: three, command: stand.three, compensate: none }\noutput:", 1,
     ": 3 same, 2 reply missing",
     "reply missing: 2 sagas: send three do/1 to stand.three: no answer was recorded\n"},
    {"key:", "input: { schema: { type: object, required: [two] } }\nkey:", 1, ": 4 same, 1 schema error",
     "schema error: 1 saga: input"},
    {"    command: stand.two\n",
     "    command: stand.two\n    output: { schema: { type: object, required: [left] } }\n", 1,
     ": 3 same, 2 schema error", "schema error: 2 sagas: reply to two"},
    {"      how: ${ $input.two // \"ok\" }", "      how: ${ $input.name + 1 }", 1,
     ": 0 same, 5 expression error", "expression error: 5 sagas: two: EXPRESSION_TYPE"},
    {"$steps.one.output.receipt", "$steps.one.output.receipt + 1", 1, ": 3 same, 2 diverges",
     "diverges: 2 sagas: output: with other content\n"},
    {"key: ${ $input.name }", "key: ${ $input.name + \"!\" }", 1, ": 0 same, 5 diverges",
     "diverges: 5 sagas: another business key\n"},
    {"NEEDS_HUMAN: park", "NEEDS_HUMAN: continue", 1, ": 4 same, 1 diverges",
     "diverges: 1 saga: output, and not: parked for NEEDS_HUMAN at two\n"},
    {"initial: 10ms, max_interval: 20ms", "initial: 20s, max_interval: 20s, jitter: none", 1,
     ": 4 same, 1 diverges", "diverges: 1 saga: "},
};

/* With blocks: two sagas of three parcels each, one of them with its event, the other waiting for it. */
static const char blocks[] =
    "saga: bunch\nversion: 1\n"
    "steps:\n"
    "  - foreach:\n"
    "      id: parcels\n"
    "      in: ${ $input.parcels }\n"
    "      as: parcel\n"
    "      max_items: 5\n"
    "      max_concurrency: 2\n"
    "      steps:\n"
    "        - { id: book, command: stand.book, with: { parcel: \"${ $parcel }\" }, "
    "compensate: stand.undo }\n"
    "  - switch:\n"
    "      - when: $input.parcels[0] > 5\n"
    "        steps: [ { id: crane, command: stand.crane, compensate: none } ]\n"
    "      - else: []\n"
    "  - await: { id: signed, event: parcel.signed, timeout: 1h }\n"
    "  - { id: file, command: stand.file, with: { by: \"${ $event.by }\" }, compensate: none "
    "}\n";
static const struct try block_tries[] = {
    {"max_concurrency: 2", "max_concurrency: 3", 1, ": 0 same, 2 diverges",
     "diverges: 2 sagas: send book[] do/1 to stand.book, which was not then\n"},
    {"parcel: \"${ $parcel }\"", "parcel: \"${ $parcel * 2 }\"", 1, ": 0 same, 2 diverges",
     "diverges: 2 sagas: send book[] do/1 to stand.book: with other content\n"},
    {"max_items: 5", "max_items: 2", 1, ": 0 same, 2 diverges", "goes back for TOO_MANY_ITEMS"},
    {"$input.parcels[0] > 5", "$input.parcels[0] > 0", 1, ": 0 same, 2 reply missing",
     "reply missing: 2 sagas: send crane do/1 to stand.crane: no answer was recorded\n"},
    {"  - await:", "  - wait: { id: pause, for: 5m }\n  - await:", 1, ": 0 same", "wait at pause until 20"},
    {"event: parcel.signed", "event: parcel.received", 1, ": 0 same, 2 reply missing",
     "await parcel.received at signed: no answer was recorded\n"},
    {"timeout: 1h }", "timeout: 1h, schema: { type: object, required: [at] } }", 1,
     ": 1 same, 1 schema error", "schema error: 1 saga: event of signed"},
    {"$event.by", "$event.by + 1", 1, ": 1 same, 1 expression error",
     "expression error: 1 saga: file: EXPRESSION_TYPE"},
    {"steps:\n", "description: Many.\nsteps:\n", 0, "2 sagas through bunch version 2: 2 same\n", ""},
};

static void try_all(struct str text, const struct try *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct try *next = &all[i];
        write_next(text, next->was, next->is);
        struct stand_result result = stand_run(&stand, "sagactl replay --against %s/next.yaml", stand.dir);
        cr_expect_eq(result.code, next->code, "%s: %.*s%.*s", next->is, STR_ARG(result.out),
                     STR_ARG(result.err));
        cr_expect(stand_has(result.out, next->outcomes), "%s: %.*s", next->is, STR_ARG(result.out));
        cr_expect(next->group[0] == '\0' || stand_has(result.out, next->group), "%s: %.*s", next->is,
                  STR_ARG(result.out));
    }
}

Test(versions, blocks_go_through_the_next_one)
{
    static char waiting[] =
        "select count(*) = 2 from saga where definition = 'bunch' and waiting like '%signed%'";
    static char ended[] = "select count(*) = 1 from saga where definition = 'bunch' and status = 'completed'";
    stand_write(&stand, "bunch.yaml", str_from(blocks));
    cr_assert_eq(stand_run(&stand, "sagactl put %s/bunch.yaml", stand.dir).code, 0);
    struct str id = str_trim(stand_run(&stand, "sagactl start bunch --input '{\"parcels\":[1,2,3]}'").out);
    cr_assert_eq(stand_run(&stand, "sagactl start bunch --input '{\"parcels\":[4,5,6]}'").code, 0);
    cr_assert(harness_await(is_at_rest, waiting, STAND_PATIENCE_MS), "they do not wait");
    struct stand_result told =
        stand_run(&stand, "sagactl signal %.*s parcel.signed --body '{\"by\":\"ada\"}'", STR_ARG(id));
    cr_assert_eq(told.code, 0, "%.*s", STR_ARG(told.err));
    cr_assert(harness_await(is_at_rest, ended, STAND_PATIENCE_MS), "it does not complete");
    try_all(str_from(blocks), block_tries, sizeof block_tries / sizeof block_tries[0]);
    struct stand_result graph = stand_run(&stand, "sagactl graph --saga %.*s", STR_ARG(id));
    cr_expect(stand_has(graph.out, "book<br/>stand.book<br/>3 done"), "%.*s", STR_ARG(graph.out));
}

static const char *what_is_stored(void)
{
    return arena_copy(&stand.arena,
                      str_from(harness_query(
                          stand.postgres, "select (select count(*) from saga_journal) || ' ' || (select "
                                          "string_agg(seq || status, ' ' order by id) from saga) || ' ' || "
                                          "(select count(*) from definition)")))
        .data;
}

Test(versions, recorded_sagas_go_through_the_next_one)
{
    const char *before = what_is_stored();
    struct str text = stand_read(&stand, arena_printf(&stand.arena, "%s/mix.yaml", stand.definitions).data);
    try_all(text, tries, sizeof tries / sizeof tries[0]);
    cr_expect_str_eq(before, what_is_stored(), "it must only read");
}

Test(versions, examples_show_what_was_and_what_would_be)
{
    write_version("      how: ${ $input.two // \"ok\" }",
                  "      how: ${ $input.two // \"ok\" }\n      kind: new");
    struct stand_result one =
        stand_run(&stand, "sagactl replay %s --against %s/next.yaml", ids[0], stand.dir);
    cr_expect(stand_has(one.out, "    then: send two do/1 to stand.two with {\"how\":\"ok\"}\n"), "%.*s",
              STR_ARG(one.out));
    cr_expect(
        stand_has(one.out, "    now:  send two do/1 to stand.two with {\"how\":\"ok\",\"kind\":\"new\"}\n"),
        "%.*s", STR_ARG(one.out));
    cr_expect(stand_has(one.out, ids[0]) && stand_has(one.out, "at seq 2\n"), "%.*s", STR_ARG(one.out));
    struct stand_result parked =
        stand_run(&stand, "sagactl replay --status parked --against %s/next.yaml --json", stand.dir);
    const struct json *told = stand_json(&stand, parked);
    int64_t count = 0;
    cr_assert_not_null(told, "%.*s", STR_ARG(parked.out));
    cr_expect(json_get_i64(told, STR("sagas"), &count) && count == 1);
    cr_expect(
        str_equal(json_get_str(json_get(told, STR("groups"))->items[0], STR("saga")), str_from(ids[3])));
    struct stand_result none =
        stand_run(&stand, "sagactl replay --since 2099-01-01T00:00:00Z --against %s/next.yaml", stand.dir);
    cr_expect_eq(none.code, 0);
    cr_expect(stand_has(none.out, "0 sagas through mix version 2: 0 same\n"), "%.*s", STR_ARG(none.out));
    cr_expect(stand_has(stand_run(&stand, "sagactl replay --since 7d --against %s/next.yaml", stand.dir).out,
                        "5 sagas through"));
    struct stand_result odd =
        stand_run(&stand, "sagactl replay --since lately --against %s/next.yaml", stand.dir);
    cr_expect_eq(odd.code, 2);
    cr_expect(stand_has(odd.err, "--since takes a time"), "%.*s", STR_ARG(odd.err));
    cr_expect_eq(stand_run(&stand, "sagactl replay --all --export %s/all.jsonl", stand.dir).code, 0);
    struct stand_result file =
        stand_run(&stand, "sagactl replay --file %s/all.jsonl --against %s/next.yaml", stand.dir, stand.dir);
    cr_expect(stand_has(file.out, "5 sagas through mix version 2: 0 same, 5 diverges"), "%.*s",
              STR_ARG(file.out));
}

/* What the newer version would have done between two recorded events. */
Test(versions, time_passes_as_it_was_recorded)
{
    write_version("  timeout: 5s", "  timeout: 1ms");
    struct stand_result result =
        stand_run(&stand, "sagactl replay %s --against %s/next.yaml", ids[4], stand.dir);
    cr_expect_eq(result.code, 1);
    cr_expect(stand_has(result.out, "1 saga through mix version 2: 0 same, 1 "), "%.*s", STR_ARG(result.out));
    cr_expect(stand_has(result.out, "then: nothing\n"), "%.*s", STR_ARG(result.out));
    cr_expect(stand_has(result.out, "do/2 to stand."), "%.*s", STR_ARG(result.out));
}

Test(versions, are_compared_enabled_and_disabled)
{
    write_version("    command: stand.two\n", "    command: stand.second\n");
    struct stand_result diff = stand_run(&stand, "sagactl definitions diff mix@1 %s/next.yaml", stand.dir);
    cr_expect_eq(diff.code, 1);
    cr_expect(stand_has(diff.out, "breaking  two: stand.second is a new command\n"), "%.*s",
              STR_ARG(diff.out));
    cr_expect(stand_has(diff.out, "Running sagas are not affected"), "%.*s", STR_ARG(diff.out));
    struct stand_result json = stand_run(&stand, "sagactl definitions diff mix mix@1 --json");
    cr_expect_eq(json.code, 0, "%.*s", STR_ARG(json.err));
    cr_expect(json_get(stand_json(&stand, json), STR("same"))->boolean, "%.*s", STR_ARG(json.out));
    cr_expect_eq(stand_run(&stand, "sagactl put %s/next.yaml", stand.dir).code, 0);
    cr_expect(stand_has(stand_run(&stand, "sagactl definitions diff mix@1 mix").out,
                        "mix version 1 and version 2"));
    struct stand_result off = stand_run(&stand, "sagactl definitions disable mix 2");
    cr_expect(stand_has(off.out, "mix version 2 is disabled\n"), "%.*s%.*s", STR_ARG(off.out),
              STR_ARG(off.err));
    cr_expect(stand_has(stand_run(&stand, "sagactl definitions list mix").out, "2  no "));
    struct stand_result named = stand_run(&stand, "sagactl start mix --version 2 --input '{\"name\":\"n\"}'");
    cr_expect_eq(named.code, 1);
    cr_expect(stand_has(named.err, "takes no new starts of version 2"), "%.*s", STR_ARG(named.err));
    struct stand_result newest = stand_run(&stand, "sagactl get %s --json", started("newest", ""));
    cr_expect(stand_has(newest.out, "\"version\":1"), "%.*s", STR_ARG(newest.out));
    cr_expect_eq(stand_run(&stand, "sagactl definitions enable mix 2").code, 0);
    newest = stand_run(&stand, "sagactl get %s --json", started("newer", ""));
    cr_expect(stand_has(newest.out, "\"version\":2"), "%.*s", STR_ARG(newest.out));
    struct stand_result lost = stand_run(&stand, "sagactl definitions enable mix 9");
    cr_expect_eq(lost.code, 1);
    cr_expect(stand_has(lost.err, "there is no definition mix version 9"), "%.*s", STR_ARG(lost.err));
}

Test(versions, a_saga_is_drawn_as_far_as_it_has_come)
{
    struct stand_result graph = stand_run(&stand, "sagactl graph --saga %s", ids[2]);
    cr_expect_eq(graph.code, 0, "%.*s", STR_ARG(graph.err));
    cr_expect(stand_has(graph.out, "one<br/>stand.one<br/>undone<br/>"), "%.*s", STR_ARG(graph.out));
    cr_expect(stand_has(graph.out, "two<br/>stand.two<br/>rejected<br/>"), "%.*s", STR_ARG(graph.out));
    struct stand_result svg =
        stand_run(&stand, "sagactl graph %s/mix.yaml --saga %s --format svg", stand.definitions, ids[0]);
    cr_expect(stand_has(svg.out, "<g class=\"step done\">"), "%.*s%.*s", STR_ARG(svg.out), STR_ARG(svg.err));
    write_version("Goes", "Went");
    struct stand_result other = stand_run(&stand, "sagactl graph %s/next.yaml --saga %s", stand.dir, ids[0]);
    cr_expect_eq(other.code, 1);
    cr_expect(stand_has(other.err, "runs under another definition"), "%.*s", STR_ARG(other.err));
    struct stand_result format = stand_run(&stand, "sagactl graph mix --format png");
    cr_expect_eq(format.code, 2);
    cr_expect(stand_has(format.err, "mermaid, dot or svg"), "%.*s", STR_ARG(format.err));
    struct stand_result stored = stand_run(&stand, "sagactl graph mix --format dot");
    cr_expect(stand_has(stored.out, "digraph saga {"), "%.*s%.*s", STR_ARG(stored.out), STR_ARG(stored.err));
}
