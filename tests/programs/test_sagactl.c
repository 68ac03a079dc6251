/* sagactl against a running service: every command, for people and as JSON. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "tests/programs/stand.h"

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand);
    stand_dev(&stand);
    stand_participant(&stand);
}

static void close_stand(void)
{
    stand_close(&stand);
}

TestSuite(sagactl, .init = open_stand, .fini = close_stand, .timeout = 240);

static struct stand_result start(const char *name, const char *members, const char *options)
{
    return stand_run(&stand, "sagactl start mix --input '{\"name\":\"%s\"%s}' %s", name, members, options);
}

static const char *started(const char *name, const char *members)
{
    struct stand_result result = start(name, members, "");
    cr_assert_eq(result.code, 0, "%.*s", STR_ARG(result.err));
    cr_assert_eq(result.out.size, 37, "an id and nothing else: %.*s", STR_ARG(result.out));
    return arena_copy(&stand.arena, str_trim(result.out)).data;
}

static const struct json *json_of(const char *line, const char *id)
{
    struct stand_result result = stand_run(&stand, "sagactl %s %s --json", line, id);
    const struct json *value = stand_json(&stand, result);
    cr_assert_eq(result.code, 0, "%s: %.*s", line, STR_ARG(result.err));
    cr_assert_not_null(value, "%s: no JSON: %.*s", line, STR_ARG(result.out));
    return value;
}

static bool is_parked(void *context)
{
    struct stand_result result = stand_run(&stand, "sagactl get %s --json", (const char *)context);
    return stand_has(result.out, "\"status\":\"parked\"");
}

static bool is_completed(void *context)
{
    struct stand_result result = stand_run(&stand, "sagactl get %s --json", (const char *)context);
    return stand_has(result.out, "\"status\":\"completed\"");
}

Test(sagactl, start_waits_and_tells_the_outcome)
{
    struct stand_result fine = start("a", "", "--wait 30s");
    cr_expect_eq(fine.code, 0, "%.*s", STR_ARG(fine.err));
    cr_expect(stand_has(fine.out, "status       completed"), "%.*s", STR_ARG(fine.out));
    cr_expect(stand_has(fine.out, "output       {\"first\":7}"), "%.*s", STR_ARG(fine.out));
    cr_expect(stand_has(fine.out, "  STEP  STATE  ATTEMPTS"), "%.*s", STR_ARG(fine.out));
    cr_expect(stand_has(fine.out, "  one   done   do 1"), "%.*s", STR_ARG(fine.out));
    struct stand_result undone = start("b", ",\"two\":\"reject\"", "--wait 30s");
    cr_expect_eq(undone.code, 1, "it did not complete");
    cr_expect(stand_has(undone.out, "because      NO: as told, step two"), "%.*s", STR_ARG(undone.out));
    cr_expect(stand_has(undone.out, "do 1, undo 1"), "%.*s", STR_ARG(undone.out));
    struct stand_result json = start("c", "", "--wait 30s --json");
    const struct json *saga = stand_json(&stand, json);
    cr_assert_not_null(saga, "%.*s", STR_ARG(json.out));
    cr_expect(str_equal(json_get_str(saga, STR("status")), STR("completed")));
}

Test(sagactl, start_reads_its_input_from_a_file_or_standard_input)
{
    stand_write(&stand, "in.json", STR("{\"name\":\"from a file\"}"));
    struct stand_result file = stand_run(&stand, "sagactl start mix --input @%s/in.json --json", stand.dir);
    cr_expect_eq(file.code, 0, "%.*s", STR_ARG(file.err));
    struct stand_result same = start("from a file", "", "--json");
    cr_expect_eq(same.code, 5, "%.*s", STR_ARG(same.err));
    cr_expect(str_equal(json_get_str(stand_json(&stand, file), STR("id")),
                        json_get_str(stand_json(&stand, same), STR("id"))));
    struct stand_result stdin_one = stand_run(
        &stand, "/bin/sh -c 'echo {} | %s/engine/sagactl/sagactl start plain --input -'", SAGA_BINARY_DIR);
    cr_expect_eq(stdin_one.code, 0, "%.*s", STR_ARG(stdin_one.err));
    cr_expect_eq(stand_run(&stand, "sagactl start plain --version 2 --correlation abc").code, 0);
    struct stand_result traced = stand_run(&stand, "sagactl start plain --correlation abc-7 --json");
    struct str id = json_get_str(stand_json(&stand, traced), STR("id"));
    struct stand_result history = stand_run(&stand, "sagactl history %.*s --json", STR_ARG(id));
    cr_expect(stand_has(history.out, "\"correlation\":\"abc-7\""), "%.*s", STR_ARG(history.out));
}

Test(sagactl, refusals_of_the_service_are_told)
{
    struct stand_result unknown = stand_run(&stand, "sagactl start mixx");
    cr_expect_eq(unknown.code, 1);
    cr_expect(stand_has(unknown.err, "did you mean \"mix\"?"), "%.*s", STR_ARG(unknown.err));
    cr_expect_eq(unknown.out.size, 0);
    struct stand_result json = stand_run(&stand, "sagactl start mixx --json");
    cr_expect_eq(json.code, 1);
    cr_assert_not_null(stand_json(&stand, json), "%.*s", STR_ARG(json.out));
    cr_expect(json_get(stand_json(&stand, json), STR("status")) != NULL);
    (void)started("same", "");
    struct stand_result other = start("same", ",\"one\":\"retry\"", "");
    cr_expect_eq(other.code, 1, "the same key with another input");
    struct stand_result twice = start("same", "", "");
    cr_expect_eq(twice.code, 5, "nothing was started");
    cr_expect(stand_has(twice.err, "existed already: saga ") && stand_has(twice.err, " of mix version 1 is "),
              "%.*s", STR_ARG(twice.err));
    const char *id = arena_copy(&stand.arena, str_trim(twice.out)).data;
    struct stand_result like = stand_run(&stand, "sagactl start --like %s", id);
    cr_expect(like.code == 5 && str_equal(like.out, twice.out), "with the same key it is the same: %.*s",
              STR_ARG(like.err));
    like = stand_run(&stand, "sagactl start --like %s --key another --wait 30s --json", id);
    cr_expect_eq(like.code, 0, "%.*s", STR_ARG(like.err));
    const struct json *again = stand_json(&stand, like);
    cr_assert_not_null(again, "%.*s", STR_ARG(like.out));
    cr_expect(str_equal(json_get_str(again, STR("key")), STR("another")), "%.*s", STR_ARG(like.out));
    cr_expect(str_equal(json_get_str(json_get(again, STR("input")), STR("name")), STR("same")), "%.*s",
              STR_ARG(like.out));
    cr_expect_eq(stand_run(&stand, "sagactl start --like %s --input {}", id).code, 2);
    cr_expect_eq(stand_run(&stand, "sagactl start --like 01a1fe2a-b70a-73fa-b9ad-b3862380400f").code, 1);
    struct stand_result none = stand_run(&stand, "sagactl get 01a1fe2a-b70a-73fa-b9ad-b3862380400f");
    cr_expect_eq(none.code, 1);
    cr_expect(stand_has(none.err, "sagactl get: There is no such saga"), "%.*s", STR_ARG(none.err));
}

Test(sagactl, a_parked_saga_is_shown_and_mended)
{
    const char *id = started("p", ",\"two\":\"human\"");
    cr_assert(harness_await(is_parked, (void *)id, STAND_PATIENCE_MS));
    struct stand_result get = stand_run(&stand, "sagactl get %s", id);
    cr_expect(stand_has(get.out, "status       parked"), "%.*s", STR_ARG(get.out));
    cr_expect(stand_has(get.out, "parked       NEEDS_HUMAN: look"), "%.*s", STR_ARG(get.out));
    cr_expect_not(stand_has(get.out, "\x1b"), "the terminal is given orders");
    struct stand_result watch = stand_run(&stand, "sagactl watch %s", id);
    cr_expect_eq(watch.code, 1);
    cr_expect(stand_has(watch.out, "\nparked\n"), "%.*s", STR_ARG(watch.out));
    struct stand_result force = stand_run(
        &stand,
        "sagactl force %s --result ok --output '{\"n\":1}' --reason 'looked\n  99  2026-01-01T00:00:00.000Z  "
        "skip two by root \xe2\x80\xae\xc2\x9b"
        "2J' --actor olga",
        id);
    cr_expect_eq(force.code, 0, "%.*s", STR_ARG(force.err));
    cr_expect(harness_await(is_completed, (void *)id, STAND_PATIENCE_MS));
    struct stand_result history = stand_run(&stand, "sagactl history %s", id);
    cr_expect(
        stand_has(history.out,
                  "by olga (looked\\n  99  2026-01-01T00:00:00.000Z  skip two by root \\u202e\\u009b2J)"),
        "%.*s", STR_ARG(history.out));
    cr_expect_not(stand_has(history.out, "\n  99"), "a reason forges a record");
    struct stand_result json = stand_run(&stand, "sagactl history %s --json", id);
    cr_expect(stand_has(json.out, "\\u009b2J") && !stand_has(json.out, "\xc2\x9b"), "%.*s",
              STR_ARG(json.out));
    cr_assert_not_null(stand_json(&stand, json), "%.*s", STR_ARG(json.out));
    cr_expect_eq(stand_run(&stand, "sagactl watch %s", id).code, 0);
    struct stand_result late = stand_run(&stand, "sagactl cancel %s", id);
    cr_expect_eq(late.code, 1);
    cr_expect(stand_has(late.err, "the saga has ended"), "%.*s", STR_ARG(late.err));
}

Test(sagactl, every_verb_does_what_it_says)
{
    const char *retried = started("r", ",\"two\":\"human\""), *skipped = started("s", ",\"two\":\"human\"");
    const char *paused = started("w", ",\"two\":\"silent\""),
               *cancelled = started("c", ",\"two\":\"silent\"");
    cr_expect(stand_has(stand_run(&stand, "sagactl pause %s", paused).out, "is running, paused"));
    cr_expect(stand_has(stand_run(&stand, "sagactl get %s", paused).out, "running, paused"));
    cr_expect(stand_has(stand_run(&stand, "sagactl resume %s", paused).out, "is running\n"));
    cr_expect(
        stand_has(stand_run(&stand, "sagactl terminate %s --reason enough", paused).out, "is terminated"));
    const struct json *answer = json_of("cancel", cancelled);
    cr_expect(str_equal(json_get_str(answer, STR("id")), str_from(cancelled)));
    cr_assert(harness_await(is_parked, (void *)skipped, STAND_PATIENCE_MS));
    cr_assert(harness_await(is_parked, (void *)retried, STAND_PATIENCE_MS));
    struct stand_result skip = stand_run(&stand, "sagactl skip %s --step two --reason unneeded", skipped);
    cr_expect_eq(skip.code, 0, "%.*s", STR_ARG(skip.err));
    cr_expect(harness_await(is_completed, (void *)skipped, STAND_PATIENCE_MS));
    struct stand_result retry = stand_run(&stand, "sagactl retry %s --reason again", retried);
    cr_expect_eq(retry.code, 0, "%.*s", STR_ARG(retry.err));
    cr_expect(harness_await(is_parked, (void *)retried, STAND_PATIENCE_MS));
    struct stand_result force =
        stand_run(&stand, "sagactl force %s --result rejected --error-code GONE --reason gone", retried);
    cr_expect_eq(force.code, 0, "%.*s", STR_ARG(force.err));
}

Test(sagactl, a_cancel_is_foreseen_and_comes_as_told)
{
    const char *id = started("f", ",\"two\":\"human\"");
    cr_assert(harness_await(is_parked, (void *)id, STAND_PATIENCE_MS));
    struct stand_result plan = stand_run(&stand, "sagactl plan-compensation %s", id);
    cr_expect_eq(plan.code, 0, "%.*s", STR_ARG(plan.err));
    cr_expect(str_equal(plan.out, STR("it is parked; a cancel would do this:\n"
                                      "  1. one/undo/1 to stand.undo with {\"how\":\"ok\"}\n"
                                      "and rests compensated\n")),
              "%.*s", STR_ARG(plan.out));
    const struct json *told = json_of("plan-compensation", id);
    cr_assert_eq(json_get(told, STR("commands"))->count, 1);
    cr_expect_eq(stand_run(&stand, "sagactl cancel %s", id).code, 0);
    struct stand_result watch = stand_run(&stand, "sagactl watch %s", id);
    cr_expect(stand_has(watch.out, "send one undo/1 to stand.undo until +5s with {\"how\":\"ok\"}"), "%.*s",
              STR_ARG(watch.out));
    struct stand_result after = stand_run(&stand, "sagactl plan-compensation %s", id);
    cr_expect_eq(after.code, 1);
    cr_expect(stand_has(after.out, "it is compensated, and cannot be cancelled: the saga has ended\n"),
              "%.*s", STR_ARG(after.out));
}

Test(sagactl, what_goes_back_already_is_not_promised_by_a_cancel)
{
    stand_write(&stand, "back.yaml",
                STR("saga: back\nversion: 1\nsteps:\n"
                    "  - { id: one, command: stand.do, with: { how: ok },\n"
                    "      compensate: { command: stand.undo, with: { how: human } } }\n"
                    "  - { id: two, command: stand.do, with: { how: reject }, compensate: none }\n"));
    cr_assert_eq(stand_run(&stand, "sagactl put %s/back.yaml", stand.dir).code, 0);
    struct stand_result began = stand_run(&stand, "sagactl start back --input '{}'");
    cr_assert_eq(began.code, 0, "%.*s", STR_ARG(began.err));
    const char *id = arena_copy(&stand.arena, str_trim(began.out)).data;
    cr_assert(harness_await(is_parked, (void *)id, STAND_PATIENCE_MS));
    struct stand_result plan = stand_run(&stand, "sagactl plan-compensation %s", id);
    cr_expect(str_starts(plan.out, STR("it is parked, and goes back already; still to come:\n"
                                       "  a human decides about one, which is undo_stuck: ")),
              "%.*s", STR_ARG(plan.out));
    cr_expect(str_equal(json_get_str(json_of("plan-compensation", id), STR("direction")), STR("back")));
    struct stand_result refused = stand_run(&stand, "sagactl cancel %s", id);
    cr_expect(stand_has(refused.err, "it is compensating already"), "%.*s", STR_ARG(refused.err));
}

static void expect_width(int columns)
{
    struct stand_result list =
        stand_run(&stand, "/usr/bin/script -qec 'stty cols %d; %s/engine/sagactl/sagactl list' /dev/null",
                  columns, SAGA_BINARY_DIR);
    int width = 0;
    cr_expect_eq(list.code, 0, "%.*s", STR_ARG(list.err));
    cr_expect(stand_has(list.out, "waiting"), "%.*s", STR_ARG(list.out));
    for (size_t i = 0; i < list.out.size; i++) {
        bool continues = ((unsigned char)list.out.data[i] & 0xc0) == 0x80;
        width = list.out.data[i] == '\n' || list.out.data[i] == '\r' ? 0 : width + !continues;
        cr_assert_leq(width, columns, "%.*s", STR_ARG(list.out));
    }
}

Test(sagactl, lists_are_filtered_and_fit_the_terminal)
{
    cr_expect(str_equal(stand_run(&stand, "sagactl list").out, STR("no sagas\n")));
    const char *a = started("l1", ",\"kind\":\"red\",\"two\":\"silent\"");
    const char *b = started("l2", ",\"kind\":\"blue\"");
    cr_assert(harness_await(is_completed, (void *)b, STAND_PATIENCE_MS));
    expect_width(80);
    expect_width(140);
    struct stand_result red = stand_run(&stand, "sagactl list --search kind=red");
    cr_expect(stand_has(red.out, a) && !stand_has(red.out, b), "%.*s", STR_ARG(red.out));
    cr_expect(stand_has(red.out, "waiting for reply to two, attempt 1"), "%.*s", STR_ARG(red.out));
    struct stand_result done =
        stand_run(&stand, "sagactl list --status completed --definition mix --since 1h");
    cr_expect(stand_has(done.out, b) && !stand_has(done.out, a), "%.*s", STR_ARG(done.out));
    struct stand_result key = stand_run(&stand, "sagactl list --key l1 --json");
    cr_expect(stand_has(key.out, a) && !stand_has(key.out, b));
    const struct json *page = json_of("list --limit 1", "");
    cr_expect_eq(json_get(page, STR("items"))->count, 1);
    struct str cursor = json_get_str(page, STR("next"));
    struct stand_result second = stand_run(&stand, "sagactl list --limit 1 --cursor %.*s", STR_ARG(cursor));
    cr_expect(stand_has(second.out, a), "%.*s", STR_ARG(second.out));
    struct stand_result wrong = stand_run(&stand, "sagactl list --status lost");
    cr_expect_eq(wrong.code, 1);
    cr_expect(stand_has(wrong.err, "status must be running, compensating"), "%.*s", STR_ARG(wrong.err));
}

static void expect_members(const struct json *object, const char *const *names)
{
    for (; *names != NULL; names++)
        cr_expect_not_null(json_get(object, str_from(*names)), "lacks \"%s\"", *names);
}

Test(sagactl, json_has_the_members_that_scripts_rely_on)
{
    static const char *const saga[] = {"id",     "definition", "version", "status",     "direction", "paused",
                                       "key",    "search",     "reason",  "park",       "waiting",   "input",
                                       "output", "seq",        "steps",   "started_at", "ended_at",  NULL};
    static const char *const record[] = {"seq", "at", "kind", "step", "attempt", "data", "narration", NULL};
    static const char *const definition[] = {"name", "version", "hash", "description", "step_count", NULL};
    const char *id = started("j", "");
    cr_assert(harness_await(is_completed, (void *)id, STAND_PATIENCE_MS));
    expect_members(json_of("get", id), saga);
    const struct json *history = json_of("history", id);
    expect_members(json_get(history, STR("items"))->items[0], record);
    expect_members(json_get(json_of("definitions", ""), STR("items"))->items[0], definition);
    expect_members(json_get(json_of("definitions mix", ""), STR("items"))->items[0], definition);
    cr_expect_not_null(json_get(json_of("definitions mix 1", ""), STR("source")));
    cr_expect_eq(json_get(json_of("dead-letters", ""), STR("items"))->count, 0);
    cr_expect_eq(json_of("doctor", "")->count, 0);
    struct stand_result watch = stand_run(&stand, "sagactl watch %s --json", id);
    cr_expect(stand_has(watch.out, "\"status\":\"completed\"}\n"), "%.*s", STR_ARG(watch.out));
}

Test(sagactl, definitions_are_stored_and_shown)
{
    stand_write(
        &stand, "new.yaml",
        STR("saga: fresh\nversion: 3\nsteps:\n  - id: a\n    command: nobody.a\n    compensate: none\n"));
    struct stand_result put = stand_run(&stand, "sagactl put %s/new.yaml", stand.dir);
    cr_expect_eq(put.code, 0, "%.*s", STR_ARG(put.err));
    cr_expect(stand_has(put.out, "fresh version 3 is stored"), "%.*s", STR_ARG(put.out));
    cr_expect(stand_has(stand_run(&stand, "sagactl definitions fresh 3").out, "saga: fresh\nversion: 3\n"));
    stand_write(
        &stand, "new.yaml",
        STR("saga: fresh\nversion: 3\nsteps:\n  - id: b\n    command: nobody.b\n    compensate: none\n"));
    cr_expect_eq(stand_run(&stand, "sagactl put %s/new.yaml", stand.dir).code, 1, "a version never changes");
    stand_write(&stand, "new.yaml", STR("saga: fresh\nversion: 4\nstepss: []\n"));
    struct stand_result bad = stand_run(&stand, "sagactl put %s/new.yaml", stand.dir);
    cr_expect_eq(bad.code, 1);
    cr_expect(stand_has(bad.err, "new.yaml:3:1: error:"), "%.*s", STR_ARG(bad.err));
    cr_expect_eq(stand_run(&stand, "sagactl definitions lost").code, 1);
}

Test(sagactl, doctor_finds_a_saga_that_waits_for_nothing)
{
    const char *id = started("d", ",\"two\":\"silent\"");
    struct stand_result fine = stand_run(&stand, "sagactl doctor");
    cr_expect_eq(fine.code, 0, "%.*s", STR_ARG(fine.out));
    (void)stand_dev_stop(&stand); /* nobody may write the row again */
    stand_dev(&stand);
    (void)harness_query(
        stand.postgres,
        arena_printf(&stand.arena, "update saga set wake_at = null where id = '%s'", id).data);
    struct stand_result found = stand_run(&stand, "sagactl doctor");
    cr_expect_eq(found.code, 1, "%.*s", STR_ARG(found.out));
    cr_expect(stand_has(found.out, id), "%.*s", STR_ARG(found.out));
    struct stand_result json = stand_run(&stand, "sagactl doctor --json");
    const struct json *list = stand_json(&stand, json);
    cr_assert_not_null(list, "%.*s", STR_ARG(json.out));
    cr_expect(str_equal(json_get_str(list->items[0], STR("id")), str_from(id)));
}

/* --- events and timers --------------------------------------------------------------------------------- */

static const char *waiting(const char *name)
{
    struct stand_result result = stand_run(&stand, "sagactl start waiting --input '{\"name\":\"%s\"}'", name);
    cr_assert_eq(result.code, 0, "%.*s", STR_ARG(result.err));
    return arena_copy(&stand.arena, str_trim(result.out)).data;
}

Test(sagactl, events_reach_a_saga_by_id_and_by_key)
{
    const char *id = waiting("by-id"), *other = waiting("by-key");
    struct stand_result bad = stand_run(&stand, "sagactl signal %s money.came --body 7", id);
    cr_expect_eq(bad.code, 1);
    cr_expect(stand_has(bad.err, "No await of the saga takes this signal"), "%.*s", STR_ARG(bad.err));
    struct stand_result first =
        stand_run(&stand, "sagactl signal %s money.came --body '{\"amount\":5}' --id one", id);
    cr_expect_eq(first.code, 0, "%.*s", STR_ARG(first.err));
    cr_expect(stand_has(first.out, "has the event"), "%.*s", STR_ARG(first.out));
    struct stand_result again =
        stand_run(&stand, "sagactl signal %s money.came --body '{\"amount\":5}' --id one", id);
    cr_expect(stand_has(again.out, "already"), "%.*s", STR_ARG(again.out));
    stand_write(&stand, "said.json", STR("{\"amount\":6}"));
    struct stand_result keyed = stand_run(
        &stand, "sagactl signal money.came --definition waiting --key by-key --body @%s/said.json --json",
        stand.dir);
    cr_assert_eq(keyed.code, 0, "%.*s", STR_ARG(keyed.err));
    cr_expect(str_equal(json_get_str(stand_json(&stand, keyed), STR("id")), str_from(other)));
    struct stand_result none =
        stand_run(&stand, "sagactl signal money.came --definition waiting --key nobody");
    cr_expect_eq(none.code, 1);
    cr_expect(stand_has(none.err, "has this key"), "%.*s", STR_ARG(none.err));
}

Test(sagactl, timers_are_shown_moved_and_fired)
{
    const char *id = waiting("timed");
    struct stand_result shown = stand_run(&stand, "sagactl timers %s", id);
    cr_expect_eq(shown.code, 0, "%.*s", STR_ARG(shown.err));
    cr_expect(stand_has(shown.out, "paid") && stand_has(shown.out, "money.came"), "%.*s", STR_ARG(shown.out));
    cr_expect(stand_has(shown.out, "the saga  deadline"), "%.*s", STR_ARG(shown.out));
    (void)stand_run(&stand, "sagactl signal %s money.came --body '{\"amount\":5}'", id);
    struct stand_result moved = stand_run(&stand, "sagactl timer %s rest --at 2090-01-01T00:00:00Z", id);
    cr_expect_eq(moved.code, 0, "%.*s", STR_ARG(moved.err));
    struct stand_result then = stand_run(&stand, "sagactl timers %s", id);
    cr_expect(stand_has(then.out, "rest") && stand_has(then.out, "2090-01-01T00:00:00"), "%.*s",
              STR_ARG(then.out));
    cr_expect_eq(stand_run(&stand, "sagactl timer %s --deadline --in 20h", id).code, 2, "it needs a reason");
    cr_expect_eq(stand_run(&stand, "sagactl timer %s --deadline --in 20h --reason slow", id).code, 0);
    struct stand_result wrong = stand_run(&stand, "sagactl timer %s paid --fire", id);
    cr_expect_eq(wrong.code, 1, "%.*s", STR_ARG(wrong.out));
    struct stand_result fired = stand_run(&stand, "sagactl timer %s --fire --reason enough --actor olga", id);
    cr_expect_eq(fired.code, 0, "%.*s", STR_ARG(fired.err));
    cr_assert(harness_await(is_completed, (void *)id, STAND_PATIENCE_MS));
    struct stand_result history = stand_run(&stand, "sagactl history %s", id);
    cr_expect(stand_has(history.out, "by olga (enough)"), "%.*s", STR_ARG(history.out));
    struct stand_result ended = stand_run(&stand, "sagactl timers %s", id);
    cr_expect(stand_has(ended.out, "no timers"), "%.*s", STR_ARG(ended.out));
}
