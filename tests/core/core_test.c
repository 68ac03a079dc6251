/* What the scripts cannot say well: limits, arithmetic, broken journals, the JSON view. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/limits.h"
#include "engine/core/budget.h"
#include "engine/core/record.h"
#include "engine/core/state.h"
#include "engine/core/view.h"
#include "engine/definition/schema.h"
#include "engine/definition/definition.h"
#include "tests/core/plan_builder.h"
#include "tests/core/twin.h"

static struct plan_builder builder;
static struct twin twin;

static enum core_verdict send_event(struct core_event event)
{
    if (event.at_us == 0)
        event.at_us = twin.live.seq ? twin.live.updated_us : twin_epoch_us;
    return twin_step(&twin, &event);
}

static enum core_verdict reply(const char *step, enum core_kind kind, uint32_t attempt,
                               enum core_reply_status status)
{
    return send_event((struct core_event){.kind = CORE_EVENT_REPLY,
                                          .step = str_from(step),
                                          .command_kind = kind,
                                          .attempt = attempt,
                                          .status = status});
}

static void start_saga(void)
{
    twin_init(&twin, plan_builder_done(&builder));
    cr_assert_eq(send_event((struct core_event){.kind = CORE_EVENT_START, .seed = 1}), CORE_USED);
}

/* Two steps; the first one waits for its answer. */
static void start_two(void)
{
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one");
    plan_builder_step(&builder, "two");
    start_saga();
}

static void expect_why(const char *text)
{
    struct str why = twin.update.why;
    cr_assert(str_equal(why, str_from(text)), "got: %.*s", STR_ARG(why));
}

#define ROUND_TRIP(type, first, last, text, parse)                                                           \
    do {                                                                                                     \
        for (int i = (first); i <= (int)(last); i++) {                                                       \
            type value = (type)-1;                                                                           \
            cr_assert(parse(text((type)i), &value));                                                         \
            cr_assert_eq((int)value, i);                                                                     \
        }                                                                                                    \
        type kept = (type)(first);                                                                           \
        cr_assert(!parse(STR("nothing of the kind"), &kept));                                                \
        cr_assert_eq((int)kept, (int)(first));                                                               \
    } while (0)

Test(core, names_read_back)
{
    ROUND_TRIP(enum core_status, CORE_RUNNING, CORE_TERMINATED, core_status_text, core_status_parse);
    ROUND_TRIP(enum core_direction, CORE_FORWARD, CORE_BACK, core_direction_text, core_direction_parse);
    ROUND_TRIP(enum core_kind, CORE_DO, CORE_UNDO, core_kind_text, core_kind_parse);
    ROUND_TRIP(enum core_step_state, CORE_STEP_WAITING, CORE_STEP_UNDO_WAIVED, core_step_state_text,
               core_step_state_parse);
    ROUND_TRIP(enum core_event_kind, CORE_EVENT_START, CORE_EVENT_FORCE, core_event_text, core_event_parse);
    ROUND_TRIP(enum core_reply_status, CORE_REPLY_OK, CORE_REPLY_UNSENT, core_reply_text, core_reply_parse);
    ROUND_TRIP(enum core_change_kind, CORE_CHANGE_OPEN, CORE_CHANGE_MORE, core_change_text,
               core_change_parse);
    cr_assert(str_equal(core_code_text(CORE_CODE_TIMEOUT), STR("TIMEOUT")));
    cr_assert(str_equal(core_verdict_text(CORE_IDLE), STR("idle")));
}

static int64_t pause_of(struct plan_retry retry, uint32_t used, int64_t retry_after_us)
{
    struct budget budget = {.retry = &retry, .used = used, .first_us = 1, .seed = 7};
    return budget_pause(&budget, retry_after_us);
}

Test(core, pauses_saturate)
{
    struct plan_retry retry = {.attempts_max = LIMITS_ATTEMPTS_MAX,
                               .factor_milli = 2000,
                               .initial_us = 3,
                               .interval_max_us = 100,
                               .jitter = PLAN_JITTER_NONE};
    cr_assert_eq(pause_of(retry, 1, 0), 3);
    cr_assert_eq(pause_of(retry, 2, 0), 6);
    cr_assert_eq(pause_of(retry, 6, 0), 96);
    cr_assert_eq(pause_of(retry, 7, 0), 100);
    cr_assert_eq(pause_of(retry, LIMITS_ATTEMPTS_MAX, 0), 100);
    cr_assert_eq(pause_of(retry, 1, 50), 50);
    cr_assert_eq(pause_of(retry, 7, -5), 100);
    cr_assert_eq(pause_of(retry, 1, INT64_MAX), (int64_t)LIMITS_DURATION_DAYS * 86400 * 1000000);
    retry.initial_us = INT64_MAX / 2; /* the factor overflows */
    retry.interval_max_us = INT64_MAX - 1;
    cr_assert_eq(pause_of(retry, 2, 0), INT64_MAX - 1);
    retry.initial_us = 500; /* grows by less than a microsecond */
    retry.factor_milli = 1001;
    cr_assert_eq(pause_of(retry, 1000, 0), 500);
    retry.initial_us = 200;
    retry.interval_max_us = 100; /* the ceiling is below the first pause */
    cr_assert_eq(pause_of(retry, 1, 0), 100);
}

Test(core, jitter_stays_within)
{
    struct plan_retry retry = {
        .attempts_max = 9, .factor_milli = 1000, .initial_us = 1000, .interval_max_us = 1000};
    bool low = false, high = false;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct budget budget = {.retry = &retry, .used = 1, .first_us = 1, .seed = seed};
        retry.jitter = PLAN_JITTER_FULL;
        int64_t full = budget_pause(&budget, 0);
        retry.jitter = PLAN_JITTER_EQUAL;
        int64_t equal = budget_pause(&budget, 0);
        cr_assert(full >= 0 && full <= 1000 && equal >= 500 && equal <= 1000);
        low = low || full < 100;
        high = high || full > 900;
    }
    cr_assert(low && high);
}

Test(core, pending_ends)
{
    start_two();
    for (int i = 0; i < LIMITS_PENDING_COUNT; i++) {
        cr_assert_eq(reply("one", CORE_DO, 1, CORE_REPLY_PENDING), CORE_USED);
        twin_clear(&twin);
    }
    cr_assert_eq(reply("one", CORE_DO, 1, CORE_REPLY_PENDING), CORE_LATE);
    expect_why("the attempt was extended 1000 times already");
    struct core_change change = {.kind = CORE_CHANGE_EXTEND, .step = 0, .due_us = 5};
    struct core_record record = {
        .seq = twin.live.seq + 1, .event = {.kind = CORE_EVENT_TIMER}, .changes = &change};
    struct err_note note;
    record.event.at_us = twin.live.updated_us;
    record.change_count = 1;
    cr_assert_eq(core_fold(&twin.live, &record, &note), ERR_INVALID);
    cr_assert(strstr(note.text, "the attempt cannot be extended") != NULL);
    twin_fini(&twin);
}

/* A service that says something else each time may be asked a million times: memory must not grow with it. */
Test(core, errors_take_no_more_memory_each_time)
{
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one")->run.retry.attempts_max = LIMITS_ATTEMPTS_MAX;
    start_saga();
    size_t used = 0;
    char message[LIMITS_ERROR_MESSAGE_BYTES + 1];
    for (uint32_t i = 1; i <= 2000; i++) {
        memset(message, 'a' + (int)(i % 26), sizeof message);
        snprintf(message, 20, "%u", i);
        struct core_event event = {
            .kind = CORE_EVENT_REPLY, .step = STR("one"), .attempt = i, .status = CORE_REPLY_RETRY};
        event.error_code = i % 2 ? STR("BUSY") : STR("VERY_BUSY");
        event.error_message = (struct str){message, i % sizeof message};
        cr_assert_eq(send_event(event), CORE_USED);
        cr_assert_eq(
            send_event((struct core_event){.kind = CORE_EVENT_TIMER, .at_us = core_wake(&twin.live)}),
            CORE_USED);
        twin_clear(&twin);
        if (i == 1100)
            used = twin.live_arena.used;
    }
    cr_assert_eq(twin.live_arena.used, used);
    twin_fini(&twin);
}

Test(core, texts_are_cut_to_what_a_journal_holds)
{
    char code[200];
    memset(code, 'C', sizeof code);
    start_two();
    struct core_event event = {
        .kind = CORE_EVENT_REPLY, .step = STR("one"), .attempt = 1, .status = CORE_REPLY_REJECTED};
    event.error_code = (struct str){code, sizeof code};
    event.error_message = (struct str){"bad\0hidden", 10};
    cr_assert_eq(send_event(event), CORE_USED);
    cr_assert_eq(twin.live.cause_code.size, LIMITS_ERROR_CODE_BYTES);
    cr_assert(str_equal(twin.live.cause_message, STR("bad")));
    twin_fini(&twin);
    start_two();
    event.error_code = STR("caf\xc3"); /* half a character */
    cr_assert_eq(send_event(event), CORE_USED);
    cr_assert(str_equal(twin.live.cause_code, STR("caf")));
    twin_fini(&twin);
}

static const struct json *nested(struct arena *arena, unsigned levels)
{
    const struct json *value = &json_null;
    for (unsigned i = 0; i < levels; i++) {
        const struct json **items = arena_array(arena, 1, sizeof *items);
        items[0] = value;
        value = json_new_array(arena, items, 1);
    }
    return value;
}

Test(core, payloads_too_deep_for_a_journal_are_refused)
{
    struct arena arena;
    arena_init(&arena, 0);
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one");
    twin_init(&twin, plan_builder_done(&builder));
    struct core_event event = {.kind = CORE_EVENT_START, .input = nested(&arena, LIMITS_PAYLOAD_DEPTH + 1)};
    cr_assert_eq(send_event(event), CORE_REFUSED);
    event.input = nested(&arena, LIMITS_PAYLOAD_DEPTH);
    event.search = nested(&arena, LIMITS_PAYLOAD_DEPTH + 1);
    cr_assert_eq(send_event(event), CORE_REFUSED);
    event.search = &json_null;
    cr_assert_eq(send_event(event), CORE_USED);
    event = (struct core_event){.kind = CORE_EVENT_REPLY, .step = STR("one"), .attempt = 1};
    event.body = nested(&arena, LIMITS_PAYLOAD_DEPTH + 1);
    cr_assert(send_event(event) == CORE_USED && twin.update.aside);
    expect_why("the payload is nested deeper than 60 levels");
    cr_assert_eq(twin.live.status, CORE_RUNNING);
    event.body = nested(&arena, LIMITS_PAYLOAD_DEPTH);
    cr_assert_eq(send_event(event), CORE_USED);
    cr_assert_eq(twin.live.status, CORE_COMPLETED);
    twin_fini(&twin);
    arena_fini(&arena);
}

/* The core takes the time it is given and never computes beyond what 64 bits hold. */
Test(core, time_saturates)
{
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one")->run.timeout_us = INT64_MAX;
    builder.plan.timeout_us = INT64_MAX;
    twin_init(&twin, plan_builder_done(&builder));
    cr_assert_eq(send_event((struct core_event){.kind = CORE_EVENT_START, .at_us = -5}), CORE_USED);
    cr_assert_eq(twin.live.started_us, 1);
    cr_assert_eq(twin.live.deadline_us, INT64_MAX - 1);
    cr_assert_eq(twin.live.steps[0].due_us, INT64_MAX - 1);
    cr_assert_eq(send_event((struct core_event){.kind = CORE_EVENT_PAUSE, .at_us = INT64_MAX}), CORE_USED);
    cr_assert_eq(twin.live.updated_us, INT64_MAX / 2);
    twin_fini(&twin);
}

static const struct expr *program(struct arena *arena, const char *text)
{
    struct diag_list diags;
    diag_init(&diags, arena, STR("test"), str_from(text));
    const struct expr *made = expr_compile(arena, str_from(text), (struct diag_place){1, 1, 1}, &diags);
    cr_assert(made != NULL);
    uint32_t count = 0;
    struct expr_ref *refs = expr_refs(made, &count);
    for (uint32_t i = 0; i < count; i++)
        refs[i].slot = 1;
    return made;
}

static struct str body_of(struct arena *arena, const char *text, const struct json *input)
{
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one")->run.with = program(arena, text);
    twin_init(&twin, plan_builder_done(&builder));
    cr_assert_eq(send_event((struct core_event){.kind = CORE_EVENT_START, .input = input}), CORE_USED);
    const struct core_record *record = &twin.update.record;
    for (uint32_t i = 0; i < record->change_count; i++)
        if (record->changes[i].kind == CORE_CHANGE_SEND)
            return json_text(arena, record->changes[i].body);
    return arena_copy(arena, twin.live.cause_code);
}

static void expect_body(const char *text, const struct json *input, const char *expected)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str got = body_of(&arena, text, input);
    cr_assert(str_equal(got, str_from(expected)), "%s gave %.*s", text, STR_ARG(got));
    twin_fini(&twin);
    arena_fini(&arena);
}

Test(core, expressions_see_the_saga)
{
    expect_body("$saga", NULL,
                "{\"id\":\"019b774c-9000-7000-8000-000000000000\",\"key\":null,\"started_at\":\"2026-01-"
                "01T00:00:00.000000Z\"}");
    expect_body("[$error, $index, $event, $item]", NULL, "[null,null,null,null]");
    expect_body("$steps.one.output", NULL, "null"); /* the step itself has none yet */
}

Test(core, bodies_have_limits)
{
    struct arena arena;
    arena_init(&arena, 0);
    char *text = arena_alloc(&arena, LIMITS_PAYLOAD_BYTES / 2);
    memset(text, 'x', LIMITS_PAYLOAD_BYTES / 2);
    const struct json *half = json_new_string(&arena, (struct str){text, LIMITS_PAYLOAD_BYTES / 2});
    expect_body("[$input, $input]", half, "PAYLOAD_TOO_LARGE");
    expect_body("{a: $input, b: $input, c: 1}", half, "PAYLOAD_TOO_LARGE");
    expect_body("[$input, $input] | length", half, "2");
    expect_body("[$input]", nested(&arena, LIMITS_PAYLOAD_DEPTH), "PAYLOAD_TOO_LARGE");
    arena_fini(&arena);
}

/* A step whose output was never asked for by a reply: the slot names a step that was not opened. */
Test(core, an_unopened_step_has_no_output)
{
    struct arena arena;
    arena_init(&arena, 0);
    plan_builder_init(&builder);
    const struct expr *with = program(&arena, "$steps.two.output");
    uint32_t count = 0;
    expr_refs(with, &count)[0].slot = 2;
    plan_builder_step(&builder, "one")->run.with = with;
    plan_builder_step(&builder, "two");
    start_saga();
    cr_assert_eq(twin.live.steps[0].state, CORE_STEP_SENT);
    twin_fini(&twin);
    arena_fini(&arena);
}

Test(core, a_cancelled_saga_tells_compensations_no_step)
{
    struct arena arena;
    arena_init(&arena, 0);
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one")->undo.with = program(&arena, "$error.step");
    plan_builder_step(&builder, "two");
    start_saga();
    reply("one", CORE_DO, 1, CORE_REPLY_OK);
    send_event((struct core_event){.kind = CORE_EVENT_CANCEL});
    cr_assert_eq(reply("two", CORE_DO, 1, CORE_REPLY_REJECTED), CORE_USED);
    const struct core_change *last = &twin.update.record.changes[twin.update.record.change_count - 1];
    cr_assert_eq(last->kind, CORE_CHANGE_SEND);
    cr_assert_eq(last->body->kind, JSON_NULL);
    twin_fini(&twin);
    arena_fini(&arena);
}

/* verify's body is the step's own in every definition; should it fail all the same, the step is in doubt. */
Test(core, a_verify_without_a_body_leaves_doubt)
{
    struct arena arena;
    arena_init(&arena, 0);
    plan_builder_init(&builder);
    struct plan_step *step = plan_builder_step(&builder, "one");
    step->run.retry.attempts_max = 2;
    step->has_verify = true;
    step->has_undo = false;
    step->verify.with = program(&arena, "$input + \"x\" + 1");
    start_saga();
    cr_assert_eq(send_event((struct core_event){.kind = CORE_EVENT_TIMER, .at_us = core_wake(&twin.live)}),
                 CORE_USED);
    cr_assert_eq(send_event((struct core_event){.kind = CORE_EVENT_CANCEL}), CORE_USED);
    cr_assert_eq(twin.live.steps[0].state, CORE_STEP_DOUBT);
    cr_assert_eq(twin.live.status, CORE_COMPENSATED);
    twin_fini(&twin);
    arena_fini(&arena);
}

static const struct schema *schema_of(struct arena *arena, const char *text)
{
    const struct json *source = NULL;
    struct err_note note;
    struct diag_list diags;
    diag_init(&diags, arena, STR("test"), str_from(text));
    cr_assert_eq(json_parse(arena, str_from(text), SIZE_MAX, &source, &note), ERR_OK);
    const struct schema *schema = schema_compile(arena, source, (struct diag_place){1, 1, 1}, &diags);
    cr_assert(schema != NULL);
    return schema;
}

Test(core, outputs_must_fit_their_schema_even_when_forced_or_late)
{
    struct arena arena;
    arena_init(&arena, 0);
    plan_builder_init(&builder);
    struct plan_step *step = plan_builder_step(&builder, "one");
    step->output_schema = schema_of(&arena, "{\"type\":\"string\"}");
    step->on_timeout = PLAN_ON_TIMEOUT_PARK;
    step->run.retry.attempts_max = 1;
    start_saga();
    cr_assert_eq(send_event((struct core_event){.kind = CORE_EVENT_TIMER, .at_us = core_wake(&twin.live)}),
                 CORE_USED);
    struct core_event event = {.kind = CORE_EVENT_FORCE, .status = CORE_REPLY_OK, .body = &json_true};
    cr_assert_eq(send_event(event), CORE_REFUSED);
    cr_assert_eq(send_event((struct core_event){.kind = CORE_EVENT_CANCEL}), CORE_USED);
    cr_assert(reply("one", CORE_DO, 1, CORE_REPLY_OK) == CORE_LATE && twin.update.aside);
    expect_why("the output breaks its schema at \"\": must be a string, is null");
    twin_fini(&twin);
    arena_fini(&arena);
}

static void expect_view(const char *expected)
{
    struct buf out;
    const struct json *parsed = NULL;
    struct err_note note;
    buf_init(&out, &twin.batch);
    view_json(&out, &twin.live);
    struct str got = buf_str(&out);
    cr_assert_eq(json_parse(&twin.batch, got, SIZE_MAX, &parsed, &note), ERR_OK, "%s", note.text);
    cr_assert(str_equal(got, str_from(expected)), "got: %.*s", STR_ARG(got));
}

Test(core, the_view_shows_all)
{
    start_two();
    expect_view(
        "{\"id\":\"019b774c-9000-7000-8000-000000000000\",\"definition\":\"built\",\"version\":1,\"hash\":"
        "\"0\","
        "\"status\":\"running\",\"direction\":\"forward\",\"paused\":false,\"key\":null,\"search\":null,"
        "\"parent\":null,"
        "\"reason\":null,\"park\":null,\"waiting\":\"waiting for reply to one, attempt 1, until "
        "2026-01-01T00:00:10.000000Z, then try again\",\"input\":null,\"output\":null,\"seq\":1,"
        "\"started_at\":\"2026-01-01T00:00:00.000000Z\",\"updated_at\":\"2026-01-01T00:00:00.000000Z\","
        "\"ended_at\":null,\"deadline\":null,\"steps\":[{\"id\":\"one\",\"kind\":\"step\",\"state\":\"sent\","
        "\"command\":"
        "\"one\","
        "\"attempts\":{\"do\":1,\"verify\":0,\"undo\":0},\"opened_at\":\"2026-01-01T00:00:00.000000Z\","
        "\"sent_at\":\"2026-01-01T00:00:00.000000Z\",\"ended_at\":null,\"due\":\"2026-01-01T00:00:10."
        "000000Z\","
        "\"in_doubt\":false,\"error\":null,\"output\":null}],\"next\":[\"two\"]}");
    twin_fini(&twin);
    plan_builder_init(&builder);
    struct plan_step *step = plan_builder_step(&builder, "one");
    step->on_timeout = PLAN_ON_TIMEOUT_PARK;
    step->run.retry.attempts_max = 1;
    plan_builder_step(&builder, "two");
    plan_builder_step(&builder, "three");
    start_saga();
    send_event((struct core_event){.kind = CORE_EVENT_TIMER, .at_us = core_wake(&twin.live)});
    expect_view(
        "{\"id\":\"019b774c-9000-7000-8000-000000000000\",\"definition\":\"built\",\"version\":1,\"hash\":"
        "\"0\","
        "\"status\":\"parked\",\"direction\":\"forward\",\"paused\":false,\"key\":null,\"search\":null,"
        "\"parent\":null,"
        "\"reason\":null,\"park\":{\"code\":\"TIMEOUT\",\"message\":\"do attempt 1 was not answered in "
        "time\",\"step\":\"one\"},\"waiting\":\"parked at one: TIMEOUT, do attempt 1 was not answered in "
        "time\",\"input\":null,\"output\":null,\"seq\":2,\"started_at\":\"2026-01-01T00:00:00.000000Z\","
        "\"updated_at\":\"2026-01-01T00:00:10.000000Z\",\"ended_at\":null,\"deadline\":null,\"steps\":[{"
        "\"id\":\"one\",\"kind\":\"step\",\"state\":\"stuck\",\"command\":\"one\",\"attempts\":{\"do\":1,"
        "\"verify\":0,\"undo\":"
        "0},"
        "\"opened_at\":\"2026-01-01T00:00:00.000000Z\",\"sent_at\":\"2026-01-01T00:00:00.000000Z\","
        "\"ended_at\":null,\"due\":null,\"in_doubt\":true,\"error\":{\"code\":\"TIMEOUT\",\"message\":\"do "
        "attempt "
        "1 was not answered in time\"},\"output\":null}],\"next\":[\"two\",\"three\"]}");
    send_event((struct core_event){.kind = CORE_EVENT_PAUSE});
    send_event((struct core_event){.kind = CORE_EVENT_TERMINATE, .reason = STR("a test")});
    cr_assert_eq(twin.live.status, CORE_TERMINATED);
    expect_view(
        "{\"id\":\"019b774c-9000-7000-8000-000000000000\",\"definition\":\"built\",\"version\":1,\"hash\":"
        "\"0\","
        "\"status\":\"terminated\",\"direction\":\"forward\",\"paused\":true,\"key\":null,\"search\":null,"
        "\"parent\":null,"
        "\"reason\":{\"code\":\"TERMINATED\",\"message\":\"a "
        "test\",\"step\":null},\"park\":null,\"waiting\":null,"
        "\"input\":null,\"output\":null,\"seq\":4,\"started_at\":\"2026-01-01T00:00:00.000000Z\","
        "\"updated_at\":\"2026-01-01T00:00:10.000000Z\",\"ended_at\":\"2026-01-01T00:00:10.000000Z\","
        "\"deadline\":null,\"steps\":[{\"id\":\"one\",\"kind\":\"step\",\"state\":\"stuck\",\"command\":"
        "\"one\",\"attempts\":{"
        "\"do\":1,"
        "\"verify\":0,\"undo\":0},\"opened_at\":\"2026-01-01T00:00:00.000000Z\",\"sent_at\":\"2026-01-01T00:"
        "00:00."
        "000000Z\",\"ended_at\":null,\"due\":null,\"in_doubt\":true,\"error\":{\"code\":\"TIMEOUT\","
        "\"message\":\"do "
        "attempt 1 was not answered in time\"},\"output\":null}],\"next\":[]}");
    twin_fini(&twin);
}

/* In doubt is what was given up, until a success says that it happened. */
Test(core, the_view_says_what_is_in_doubt)
{
    struct buf out;
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one")->run.retry.attempts_max = 1;
    start_saga();
    send_event((struct core_event){.kind = CORE_EVENT_TIMER, .at_us = core_wake(&twin.live)});
    buf_init(&out, &twin.batch);
    view_json(&out, &twin.live);
    cr_assert(strstr(buf_str(&out).data, "\"in_doubt\":true") != NULL);
    cr_assert_eq(reply("one", CORE_DO, 1, CORE_REPLY_OK), CORE_USED);
    buf_init(&out, &twin.batch);
    view_json(&out, &twin.live);
    cr_assert(strstr(buf_str(&out).data, "\"in_doubt\":false") != NULL);
    twin_fini(&twin);
}

Test(core, a_step_has_the_actions_its_plan_gives_it)
{
    plan_builder_init(&builder);
    struct plan_step *step = plan_builder_step(&builder, "one");
    cr_assert_eq(core_action(step, CORE_DO), &step->run);
    cr_assert_eq(core_action(step, CORE_UNDO), &step->undo);
    cr_assert_null(core_action(step, CORE_VERIFY));
    step->has_undo = false;
    step->has_verify = true;
    cr_assert_null(core_action(step, CORE_UNDO));
    cr_assert_eq(core_action(step, CORE_VERIFY), &step->verify);
}

Test(core, the_view_shows_two_steps_and_what_follows)
{
    struct buf out;
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one");
    struct plan_step *step = plan_builder_step(&builder, "two");
    step->has_verify = true;
    step->on_timeout = PLAN_ON_TIMEOUT_COMPENSATE;
    step->run.retry.attempts_max = 1;
    start_saga();
    reply("one", CORE_DO, 1, CORE_REPLY_OK);
    buf_init(&out, &twin.batch);
    view_waiting(&out, &twin.live);
    cr_assert(str_equal(buf_str(&out),
                        STR("waiting for reply to two, attempt 1, until 2026-01-01T00:00:10.000000Z, "
                            "then compensate")));
    view_json(&out, &twin.live);
    send_event((struct core_event){.kind = CORE_EVENT_CANCEL});
    view_json(&out, &twin.live);
    cr_assert(out.size > 0);
    twin_fini(&twin);
}

static const char *const family = "saga: family\n"
                                  "version: 1\n"
                                  "steps:\n"
                                  "  - saga: { id: invoice, name: invoicing }\n"
                                  "  - switch:\n"
                                  "      - when: $input.gift\n"
                                  "        steps: [ { id: wrap, command: w.go, compensate: none } ]\n"
                                  "      - else: [ { id: bag, command: b.go, compensate: none }, { id: tie, "
                                  "command: t.go, compensate: none } ]\n"
                                  "  - wait: { id: nap, for: 1h }\n";

static const struct json *view_of(struct arena *arena)
{
    struct buf out;
    struct err_note note;
    const struct json *view = NULL;
    buf_init(&out, arena);
    view_json(&out, &twin.live);
    cr_assert_eq(json_parse(arena, buf_str(&out), SIZE_MAX, &view, &note), ERR_OK, "%s", note.text);
    return view;
}

static void expect_next(const struct json *view, const char *expected)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str next = json_text(&arena, json_get(view, STR("next")));
    cr_assert(str_equal(next, str_from(expected)), "%.*s", STR_ARG(next));
    arena_fini(&arena);
}

/* Parents and children name each other; what may still come leaves out the cases that were not taken. */
Test(core, the_view_links_families)
{
    struct arena arena;
    struct diag_list diags;
    arena_init(&arena, 0);
    diag_init(&diags, &arena, STR("family.yaml"), str_from(family));
    twin_init(&twin, definition_load(&arena, str_from(family), NULL, &diags));
    struct core_event start = {.kind = CORE_EVENT_START,
                               .has_parent = true,
                               .parent = {{0x01, 0x9b}},
                               .parent_step = STR("child[1]"),
                               .parent_attempt = 2,
                               .shards = 4};
    cr_assert_eq(send_event(start), CORE_USED);
    const struct json *view = view_of(&arena);
    const struct json *parent = json_get(view, STR("parent"));
    cr_assert(str_equal(json_get_str(parent, STR("step")), STR("child[1]")));
    cr_assert(str_equal(json_get_str(parent, STR("id")), STR("019b0000-0000-0000-0000-000000000000")));
    const struct json *step = json_get(view, STR("steps"))->items[0];
    char child[ID_TEXT_SIZE + 1];
    id_format(core_child(&twin.live, 0), child);
    cr_assert(str_equal(json_get_str(step, STR("child")), str_from(child)));
    cr_assert(str_equal(json_get_str(step, STR("kind")), STR("saga")));
    cr_assert_lt(id_shard(core_child(&twin.live, 0)), 4);
    expect_next(view, "[\"wrap\",\"bag\",\"tie\",\"nap\"]");
    cr_assert_eq(reply("invoice", CORE_DO, 1, CORE_REPLY_OK), CORE_USED);
    expect_next(view_of(&arena), "[\"tie\",\"nap\"]");
    cr_assert_eq(reply("bag", CORE_DO, 1, CORE_REPLY_OK), CORE_USED);
    cr_assert_eq(reply("tie", CORE_DO, 1, CORE_REPLY_OK), CORE_USED);
    step = json_get(view_of(&arena), STR("steps"))->items[3];
    cr_assert_eq(json_get(step, STR("command"))->kind, JSON_NULL);
    expect_next(view_of(&arena), "[]");
    twin_fini(&twin);
    arena_fini(&arena);
}
