/* sagactl test and simulate as an author and a build server use them: no service, no servers. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/programs/stand.h"

#define EXAMPLES SAGA_SOURCE_DIR "/definitions/examples/"

static struct stand stand;

static const char *const definition = "saga: pair\n"
                                      "version: 1\n"
                                      "steps:\n"
                                      "  - { id: one, command: a.do, compensate: a.undo }\n"
                                      "  - { id: two, command: b.do, compensate: b.undo }\n";
static const char *const scenarios = "definition: pair.yaml\n"
                                     "scenarios:\n"
                                     "  - name: fine & <well>\n"
                                     "    expect: { status: completed }\n"
                                     "  - name: two says no\n"
                                     "    replies: { two: rejected \"A & <B>\" }\n"
                                     "    expect: { status: completed }\n";

static void open_stand(void)
{
    stand_open(&stand);
    stand_write(&stand, "pair.yaml", str_from(definition));
    stand_write(&stand, "pair.test.yaml", str_from(scenarios));
}

static void close_stand(void)
{
    stand_close(&stand);
}

TestSuite(author, .init = open_stand, .fini = close_stand, .timeout = 120);

static void expect_out(struct stand_result result, int code, const char *part)
{
    cr_expect_eq(result.code, code, "%d: %.*s%.*s", result.code, STR_ARG(result.out), STR_ARG(result.err));
    cr_expect(stand_has(result.out, part), "\"%s\" is missing:\n%.*s", part, STR_ARG(result.out));
}

Test(author, tests_of_all_examples_hold)
{
    struct stand_result result = stand_run(&stand, "sagactl test --coverage --threshold 100 " EXAMPLES
                                                   "order.test.yaml " EXAMPLES "trip.test.yaml");
    expect_out(result, 0, "\n# coverage of " EXAMPLES "order.yaml: steps 3 of 3, compensations 3 of 3\n");
    expect_out(result, 0, " 0 failed\n");
    cr_expect(str_starts(result.out, STR("TAP version 13\nok 1 - ")), "%.*s", STR_ARG(result.out));
}

Test(author, a_failure_shows_what_came)
{
    struct stand_result result = stand_run(&stand, "sagactl test %s/pair.test.yaml", stand.dir);
    expect_out(result, 1, "\nok 1 - ");
    expect_out(result, 1, "\nnot ok 2 - ");
    expect_out(result, 1, "#   status\n#     expected completed\n#     actual   compensated\n");
    expect_out(result, 1, "#   00:00:00.000  start\n");
    expect_out(result, 1, "\n1..2\n# 1 passed, 1 failed\n");
    cr_expect_not(stand_has(result.out, "coverage"), "nobody asked");
    struct stand_result loud = stand_run(&stand, "sagactl test --timeline %s/pair.test.yaml", stand.dir);
    cr_expect(loud.out.size > result.out.size + 200, "the first scenario's timeline is missing");
}

Test(author, a_build_server_reads_junit)
{
    struct stand_result result =
        stand_run(&stand, "sagactl test --junit %s/out.xml %s/pair.test.yaml", stand.dir, stand.dir);
    cr_expect_eq(result.code, 1);
    struct str xml = stand_read(&stand, "out.xml");
    cr_expect(stand_has(xml, " tests=\"2\" failures=\"1\" errors=\"0\">"), "%.*s", STR_ARG(xml));
    cr_expect(stand_has(xml, "name=\"fine &amp; &lt;well&gt;\" line=\"3\">"), "%.*s", STR_ARG(xml));
    cr_expect(stand_has(xml, "<failure message=\"status\">status\n"), "%.*s", STR_ARG(xml));
    cr_expect(stand_has(xml, "A &amp; &lt;B&gt;"), "%.*s", STR_ARG(xml));
    struct stand_result read =
        stand_run(&stand, "sagactl test --junit %s/no/where.xml %s/pair.test.yaml", stand.dir, stand.dir);
    cr_expect_eq(read.code, 1);
    cr_expect(stand_has(read.err, "cannot write"), "%.*s", STR_ARG(read.err));
}

Test(author, a_threshold_names_what_is_missing)
{
    stand_write(&stand, "few.test.yaml",
                STR("definition: pair.yaml\nscenarios:\n  - { name: a, expect: { status: completed } }\n"));
    struct stand_result below = stand_run(&stand, "sagactl test --threshold 51 %s/few.test.yaml", stand.dir);
    expect_out(below, 1,
               "steps 2 of 2, compensations 0 of 2; not covered: the compensation of one (line 4), the "
               "compensation of two (line 5)\n");
    expect_out(below, 1, "# that is 50 %, below the 51 % that --threshold asks for\n");
    struct stand_result enough = stand_run(&stand, "sagactl test --threshold 50 %s/few.test.yaml", stand.dir);
    cr_expect_eq(enough.code, 0);
    struct stand_result both =
        stand_run(&stand, "sagactl test --coverage %s/few.test.yaml %s/pair.test.yaml", stand.dir, stand.dir);
    expect_out(both, 1, "steps 2 of 2, compensations 1 of 2"); /* both files test one definition */
}

Test(author, results_as_json)
{
    struct stand_result result = stand_run(&stand, "sagactl test --json %s/pair.test.yaml", stand.dir);
    cr_expect_eq(result.code, 1);
    unsigned lines = 0;
    for (struct str rest = result.out; rest.size > 0; lines++) {
        struct str line = str_slice(rest, 0, str_find(rest, '\n'));
        const struct json *value = stand_json(&stand, (struct stand_result){.out = line});
        cr_assert_not_null(value, "%.*s", STR_ARG(line));
        cr_expect(json_get(value, lines < 2 ? STR("timeline") : STR("coverage")) != NULL, "%.*s",
                  STR_ARG(line));
        rest = str_slice(rest, line.size + 1, rest.size);
    }
    cr_expect_eq(lines, 3);
}

Test(author, mistakes_are_failures_and_bad_calls_are_not)
{
    stand_write(&stand, "bad.test.yaml", STR("definition: pair.yaml\nscenario: []\n"));
    struct stand_result bad =
        stand_run(&stand, "sagactl test %s/bad.test.yaml %s/pair.test.yaml", stand.dir, stand.dir);
    expect_out(bad, 1, "hint: did you mean \"scenarios\"?");
    expect_out(bad, 1, "\nok 2 - ");
    struct stand_result none = stand_run(&stand, "sagactl test %s/none.test.yaml", stand.dir);
    expect_out(none, 1, "not ok 1 - ");
    cr_expect(stand_has(none.err, "No such file"), "%.*s", STR_ARG(none.err));
    static const char *const calls[] = {"sagactl test",
                                        "sagactl test --threshold 0 x",
                                        "sagactl test --threshold 101 x",

                                        "sagactl simulate",
                                        "sagactl simulate a b",
                                        "sagactl simulate --seed x " EXAMPLES "order.yaml",
                                        "sagactl simulate --faults lots=1 " EXAMPLES "order.yaml",
                                        "sagactl simulate --input {a " EXAMPLES "order.yaml"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct stand_result result = stand_run(&stand, "%s", calls[i]);
        cr_expect_eq(result.code, 2, "%s: %d", calls[i], result.code);
        cr_expect(result.err.size > 0, "%s says nothing", calls[i]);
    }
}

Test(author, a_run_is_printed_and_comes_again)
{
    const char *call = "sagactl simulate " EXAMPLES "split-shipment.yaml --seed 7 --faults all=0.1";
    struct stand_result once = stand_run(&stand, "%s", call), again = stand_run(&stand, "%s", call);
    expect_out(once, 0, "split-shipment version 1, seed 7, input {");
    expect_out(once, 0, "\n00:00:00.000  start");
    expect_out(once, 0, "\noutcome      ");
    expect_out(once, 0, "\nfaults       ");
    expect_out(once, 0, "\nparticipants ");
    cr_expect(str_equal(once.out, again.out), "%.*s\n%.*s", STR_ARG(once.out), STR_ARG(again.out));
    struct stand_result calm = stand_run(&stand, "sagactl simulate %s/pair.yaml --faults none", stand.dir);
    expect_out(calm, 0, "\noutcome      completed after 00:00:00.");
    expect_out(calm, 0, "\nfaults       none\nparticipants one: done, two: done\n");
    struct stand_result seeded = stand_run(&stand, "sagactl simulate %s/pair.yaml", stand.dir);
    expect_out(seeded, 0, "pair version 1, seed ");
}

Test(author, a_run_takes_its_input_from_where_it_is_told)
{
    stand_write(&stand, "in.json", STR("{\"order\":\"O-1\",\"price\":19.90}"));
    struct stand_result file =
        stand_run(&stand, "sagactl simulate %s/pair.yaml --seed 1 --input @%s/in.json", stand.dir, stand.dir);
    expect_out(file, 0, "input {\"order\":\"O-1\",\"price\":19.90}\n");
    struct stand_result json =
        stand_run(&stand, "sagactl simulate %s/pair.yaml --seed 1 --json --input '[1]'", stand.dir);
    const struct json *value = stand_json(&stand, json);
    cr_assert_not_null(value, "%.*s", STR_ARG(json.out));
    cr_expect_str_eq(json_text(&stand.arena, json_get(value, STR("input"))).data, "[1]");
    cr_expect(json_get(value, STR("timeline"))->count > 2);
    struct stand_result wrong =
        stand_run(&stand, "sagactl simulate " EXAMPLES "order.yaml --input '{\"order_id\":7}'");
    cr_expect_eq(wrong.code, 1);
    cr_expect(stand_has(wrong.err, "the saga cannot start with this input: at \""), "%.*s",
              STR_ARG(wrong.err));
    struct stand_result none = stand_run(&stand, "sagactl simulate %s/in.json", stand.dir);
    cr_expect_eq(none.code, 1, "no definition");
    cr_expect(stand_has(none.err, "in.json:1:"), "%.*s", STR_ARG(none.err));
}
