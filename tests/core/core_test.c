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
    ROUND_TRIP(enum core_reply_status, CORE_REPLY_OK, CORE_REPLY_PENDING, core_reply_text, core_reply_parse);
    ROUND_TRIP(enum core_change_kind, CORE_CHANGE_OPEN, CORE_CHANGE_RESULT, core_change_text,
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
    cr_assert_eq(send_event(event), CORE_DEAD);
    expect_why("the payload is nested deeper than 60 levels");
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
    cr_assert_eq(reply("one", CORE_DO, 1, CORE_REPLY_OK), CORE_DEAD);
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
        "\"status\":\"running\",\"direction\":\"forward\",\"paused\":false,\"key\":\"\",\"search\":null,"
        "\"reason\":null,\"park\":null,\"waiting\":\"waiting for reply to one, attempt 1, until "
        "2026-01-01T00:00:10.000000Z, then try again\",\"input\":null,\"output\":null,\"seq\":1,"
        "\"started_at\":\"2026-01-01T00:00:00.000000Z\",\"updated_at\":\"2026-01-01T00:00:00.000000Z\","
        "\"ended_at\":null,\"deadline\":null,\"steps\":[{\"id\":\"one\",\"state\":\"sent\",\"command\":"
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
        "\"status\":\"parked\",\"direction\":\"forward\",\"paused\":false,\"key\":\"\",\"search\":null,"
        "\"reason\":null,\"park\":{\"code\":\"TIMEOUT\",\"message\":\"do attempt 1 was not answered in "
        "time\",\"step\":\"one\"},\"waiting\":\"parked at one: TIMEOUT, do attempt 1 was not answered in "
        "time\",\"input\":null,\"output\":null,\"seq\":2,\"started_at\":\"2026-01-01T00:00:00.000000Z\","
        "\"updated_at\":\"2026-01-01T00:00:10.000000Z\",\"ended_at\":null,\"deadline\":null,\"steps\":[{"
        "\"id\":\"one\",\"state\":\"stuck\",\"command\":\"one\",\"attempts\":{\"do\":1,\"verify\":0,\"undo\":"
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
        "\"status\":\"terminated\",\"direction\":\"forward\",\"paused\":true,\"key\":\"\",\"search\":null,"
        "\"reason\":{\"code\":\"TERMINATED\",\"message\":\"a "
        "test\",\"step\":null},\"park\":null,\"waiting\":\"\","
        "\"input\":null,\"output\":null,\"seq\":4,\"started_at\":\"2026-01-01T00:00:00.000000Z\","
        "\"updated_at\":\"2026-01-01T00:00:10.000000Z\",\"ended_at\":\"2026-01-01T00:00:10.000000Z\","
        "\"deadline\":null,\"steps\":[{\"id\":\"one\",\"state\":\"stuck\",\"command\":\"one\",\"attempts\":{"
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

/* A record from the outside, against a saga with one step sent. */
static enum err read_text(const char *kind, const char *step, const char *data, struct core_record *record,
                          struct err_note *note)
{
    return record_read(&twin.live, twin.live.seq + 1, twin.live.updated_us, str_from(kind), str_from(step), 1,
                       str_from(data), &twin.batch, record, note);
}

static const struct {
    const char *kind;
    const char *data;
    const char *note;
} unreadable[] = {
    {"nothing", "{}", "a journal record of unknown kind \"nothing\""},
    {"timer", "{", "1:2: expected a key in quotes, found the end"},
    {"timer", "{}", "the event of a journal record: \"event\" is missing or wrong"},
    {"timer", "{\"event\":1}", "the event of a journal record: \"event\" is missing or wrong"},
    {"timer", "{\"event\":{}}", "a journal record has no list of changes, or too many"},
    {"timer", "{\"event\":{},\"changes\":1}", "a journal record has no list of changes, or too many"},
    {"start", "{\"event\":{},\"changes\":[]}", "the event of a journal record: \"seed\" is missing or wrong"},
    {"start", "{\"event\":{\"seed\":\"1x\"},\"changes\":[]}",
     "the event of a journal record: \"seed\" is missing or wrong"},
    {"start", "{\"event\":{\"seed\":\"1/\"},\"changes\":[]}",
     "the event of a journal record: \"seed\" is missing or wrong"},
    {"start", "{\"event\":{\"seed\":\"99999999999999999999\"},\"changes\":[]}",
     "the event of a journal record: \"seed\" is missing or wrong"},
    {"start", "{\"event\":{\"seed\":\"18446744073709551616\"},\"changes\":[]}",
     "the event of a journal record: \"seed\" is missing or wrong"},
    {"reply", "{\"event\":{},\"changes\":[]}",
     "the event of a journal record: \"status\" is missing or wrong"},
    {"reply", "{\"event\":{\"status\":\"ok\"},\"changes\":[]}",
     "the event of a journal record: \"kind\" is missing or wrong"},
    {"reply", "{\"event\":{\"status\":\"ok\",\"kind\":\"do\",\"retry_after_us\":\"x\"},\"changes\":[]}",
     "the event of a journal record: \"retry_after_us\" is missing or wrong"},
};

Test(core, broken_records_are_refused)
{
    struct core_record record;
    struct err_note note;
    start_two();
    for (size_t i = 0; i < sizeof unreadable / sizeof *unreadable; i++) {
        cr_assert_eq(read_text(unreadable[i].kind, "one", unreadable[i].data, &record, &note), ERR_INVALID);
        cr_assert_str_eq(note.text, unreadable[i].note, "%s", unreadable[i].data);
    }
    cr_assert_eq(read_text("timer", "one", "{\"event\":{}}", &record, NULL), ERR_INVALID);
    struct buf many;
    buf_init(&many, &twin.batch);
    buf_puts(&many, "{\"event\":{},\"changes\":[{}");
    for (int i = 0; i < LIMITS_RECORD_CHANGES; i++)
        buf_puts(&many, ",{}");
    buf_puts(&many, "]}");
    cr_assert_eq(read_text("timer", "one", buf_str(&many).data, &record, &note), ERR_INVALID);
    cr_assert_str_eq(note.text, "a journal record has no list of changes, or too many");
    twin_fini(&twin);
}

/* One change each; "" for the note: it can be read, and is folded when `fold` is "". */
static const struct {
    const char *change;
    const char *note;
    const char *fold;
} changes[] = {
    {"{}", "\"change\"", NULL},
    {"1", "\"change\"", NULL},
    {"{\"change\":\"nothing\"}", "\"change\"", NULL},
    {"{\"change\":\"deadline\",\"due\":\"x\"}", "\"due\"", NULL},
    {"{\"change\":\"deadline\",\"due\":-1}", "\"due\"", NULL},
    {"{\"change\":\"output\",\"step\":\"nowhere\"}", "\"step\"", NULL},
    {"{\"change\":\"open\"}", "\"node\"", NULL},
    {"{\"change\":\"open\",\"node\":3}", "\"node\"", NULL},
    {"{\"change\":\"open\",\"node\":-1}", "\"node\"", NULL},
    {"{\"change\":\"open\",\"node\":65535}", "\"node\"", NULL},
    {"{\"change\":\"open\",\"node\":2}", "\"frame\"", NULL},
    {"{\"change\":\"open\",\"node\":0,\"frame\":0}", "", "the definition has no such step"},
    {"{\"change\":\"open\",\"node\":2,\"frame\":1}", "", "the step belongs to no open block"},
    {"{\"change\":\"open\",\"node\":2,\"frame\":0}", "", ""},
    {"{\"change\":\"send\",\"step\":\"one\"}", "\"kind\"", NULL},
    {"{\"change\":\"send\",\"step\":\"one\",\"kind\":\"do\"}", "\"attempt\"", NULL},
    {"{\"change\":\"send\",\"step\":\"one\",\"kind\":\"do\",\"attempt\":0}", "\"attempt\"", NULL},
    {"{\"change\":\"send\",\"step\":\"one\",\"kind\":\"do\",\"attempt\":4294967296}", "\"attempt\"", NULL},
    {"{\"change\":\"send\",\"step\":\"one\",\"kind\":\"do\",\"attempt\":2}", "\"body\"", NULL},
    {"{\"change\":\"send\",\"kind\":\"do\",\"attempt\":2,\"body\":{}}", "", "the step was never opened"},
    {"{\"change\":\"send\",\"step\":\"one\",\"kind\":\"do\",\"attempt\":2,\"due\":9,\"body\":{}}", "",
     "a command is sent that nothing waited for"},
    {"{\"change\":\"send\",\"step\":\"one\",\"kind\":\"verify\",\"attempt\":1,\"due\":9,\"body\":{}}", "",
     "the step has no command of this kind"},
    {"{\"change\":\"step\",\"step\":\"one\"}", "\"from\"", NULL},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\"}", "\"state\"", NULL},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"waiting\",\"state\":\"done\"}", "",
     "the step is in another state"},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"undone\"}", "",
     "the step may not move so"},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"waiting\"}", "",
     "an active step has no timer, or another one has"},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"done\",\"due\":1}", "",
     "an active step has no timer, or another one has"},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"waiting\",\"due\":1}", "", ""},
    {"{\"change\":\"extend\",\"step\":\"one\"}", "", "an attempt is extended without a time to wait"},
    {"{\"change\":\"extend\",\"step\":\"one\",\"due\":5}", "", ""},
    {"{\"change\":\"output\",\"step\":\"one\"}", "", "an output comes from no reply"},
    {"{\"change\":\"fault\",\"step\":\"one\"}", "", "a code is missing"},
    {"{\"change\":\"fault\",\"step\":\"one\",\"code\":"
     "\"12345678901234567890123456789012345678901234567890123456789012345\"}",
     "", "a code or a message is too long"},
    {"{\"change\":\"unknown\",\"step\":\"one\"}", "\"flag\"", NULL},
    {"{\"change\":\"unknown\",\"step\":\"one\",\"flag\":1}", "\"flag\"", NULL},
    {"{\"change\":\"budget\",\"step\":\"one\"}", "\"kind\"", NULL},
    {"{\"change\":\"budget\",\"step\":\"one\",\"kind\":\"do\"}", "", ""},
    {"{\"change\":\"cursor\"}", "\"frame\"", NULL},
    {"{\"change\":\"cursor\",\"frame\":0}", "\"cursor\"", NULL},
    {"{\"change\":\"cursor\",\"frame\":1,\"cursor\":1}", "", "a block moves on that is not open"},
    {"{\"change\":\"cursor\",\"frame\":0,\"cursor\":2}", "", "a block moves on out of order"},
    {"{\"change\":\"status\"}", "\"status\"", NULL},
    {"{\"change\":\"status\",\"status\":\"running\"}", "\"direction\"", NULL},
    {"{\"change\":\"status\",\"status\":\"running\",\"direction\":\"back\"}", "",
     "the status does not fit the direction"},
    {"{\"change\":\"status\",\"status\":\"compensating\",\"direction\":\"forward\"}", "",
     "the status does not fit the direction"},
    {"{\"change\":\"status\",\"status\":\"compensating\",\"direction\":\"back\"}", "",
     "it goes back without a cause"},
    {"{\"change\":\"status\",\"status\":\"parked\",\"direction\":\"forward\"}", "",
     "it is parked without a reason, or has one without being parked"},
    {"{\"change\":\"cause\"}", "", "a code is missing"},
    {"{\"change\":\"park\",\"message\":\"m\"}", "", "a reason without a code"},
    {"{\"change\":\"park\",\"code\":\"C\"}", "",
     "it is parked without a reason, or has one without being parked"},
    {"{\"change\":\"pause\"}", "\"flag\"", NULL},
    {"{\"change\":\"result\"}", "\"body\"", NULL},
    {"{\"change\":\"result\",\"body\":1}", "", ""},
};

Test(core, broken_changes_are_refused)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct core_record record;
        struct err_note note = {""};
        start_two();
        struct str data = arena_printf(&twin.batch, "{\"event\":{},\"changes\":[%s]}", changes[i].change);
        enum err error = read_text("timer", "one", data.data, &record, &note);
        cr_assert_eq(error == ERR_OK, changes[i].note[0] == '\0', "%s: %s", changes[i].change, note.text);
        cr_assert(strstr(note.text, changes[i].note) != NULL, "%s: %s", changes[i].change, note.text);
        if (error == ERR_OK) {
            error = core_fold(&twin.live, &record, &note);
            cr_assert_eq(error == ERR_OK, changes[i].fold[0] == '\0', "%s: %s", changes[i].change, note.text);
            cr_assert(strstr(note.text, changes[i].fold) != NULL, "%s: %s", changes[i].change, note.text);
        }
        twin_fini(&twin);
    }
}

static void expect_fold(struct core_record record, const char *expected)
{
    struct err_note note = {""};
    enum err error = core_fold(&twin.live, &record, &note);
    cr_assert_eq(error == ERR_OK, expected[0] == '\0', "%s", note.text);
    cr_assert(strstr(note.text, expected) != NULL, "%s", note.text);
}

static struct core_record next_record(enum core_event_kind kind, const struct core_change *change,
                                      uint32_t count)
{
    return (struct core_record){
        .seq = twin.live.seq + 1,
        .event = {.kind = kind, .at_us = twin.live.updated_us, .step = STR("one"), .attempt = 1},
        .changes = change,
        .change_count = count};
}

Test(core, records_that_do_not_follow_are_refused)
{
    struct core_record record;
    start_two();
    record = next_record(CORE_EVENT_TIMER, NULL, 0);
    record.seq++;
    expect_fold(record, "record 3: the journal has a gap");
    record = next_record(CORE_EVENT_TIMER, NULL, 0);
    record.event.at_us--;
    expect_fold(record, "the journal goes back in time, or out of it");
    record.event.at_us = INT64_MAX;
    expect_fold(record, "the journal goes back in time, or out of it");
    expect_fold(next_record(CORE_EVENT_START, NULL, 0), "a saga starts with its first record");
    record = next_record(CORE_EVENT_REPLY, NULL, 0);
    record.event.step = STR("two");
    expect_fold(record, "a reply answers a step that was never opened");
    struct core_change change = {.kind = CORE_CHANGE_OPEN, .step = 5, .node = 2};
    expect_fold(next_record(CORE_EVENT_TIMER, &change, 1),
                "record 2, change 1: a step is opened out of order");
    twin_fini(&twin);
    start_two();
    change = (struct core_change){.kind = CORE_CHANGE_OPEN, .step = 1, .node = 9};
    expect_fold(next_record(CORE_EVENT_TIMER, &change, 1), "the definition has no such step");
    change = (struct core_change){.kind = CORE_CHANGE_CAUSE, .step = 7, .code = STR("C")};
    expect_fold(next_record(CORE_EVENT_TIMER, &change, 1), "the reason names a step that was never opened");
    twin_fini(&twin);
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one");
    twin_init(&twin, plan_builder_done(&builder));
    record = next_record(CORE_EVENT_START, NULL, 0);
    expect_fold(record, "the journal goes back in time, or out of it");
    record = next_record(CORE_EVENT_TIMER, NULL, 0);
    record.event.at_us = 5;
    expect_fold(record, "a saga starts with its first record");
    twin_fini(&twin);
}

Test(core, sends_and_outputs_that_do_not_follow_are_refused)
{
    char long_text[LIMITS_ERROR_MESSAGE_BYTES + 1];
    memset(long_text, 'm', sizeof long_text);
    start_two();
    send_event((struct core_event){.kind = CORE_EVENT_PAUSE});
    reply("one", CORE_DO, 1, CORE_REPLY_OK); /* two waits, held */
    struct core_change change = {
        .kind = CORE_CHANGE_SEND, .step = 1, .attempt = 2, .due_us = 5, .body = &json_null};
    expect_fold(next_record(CORE_EVENT_TIMER, &change, 1), "the attempts have a gap");
    change.attempt = 1;
    change.due_us = 0;
    expect_fold(next_record(CORE_EVENT_TIMER, &change, 1), "a command is sent without a time to wait");
    change = (struct core_change){.kind = CORE_CHANGE_OUTPUT, .step = 0};
    expect_fold(next_record(CORE_EVENT_REPLY, &change, 1), "the step has an output already");
    change = (struct core_change){.kind = CORE_CHANGE_EXTEND, .step = 0, .due_us = 5};
    expect_fold(next_record(CORE_EVENT_TIMER, &change, 1), "the attempt cannot be extended");
    change = (struct core_change){
        .kind = CORE_CHANGE_FAULT, .step = 0, .code = STR("C"), .message = {long_text, sizeof long_text}};
    expect_fold(next_record(CORE_EVENT_TIMER, &change, 1), "a code or a message is too long");
    twin_fini(&twin);
}

Test(core, a_block_ends_where_its_children_end)
{
    plan_builder_init(&builder);
    plan_builder_step(&builder, "one");
    start_saga();
    struct core_change change[2] = {{.kind = CORE_CHANGE_CURSOR, .cursor = 1},
                                    {.kind = CORE_CHANGE_CURSOR, .cursor = 2}};
    expect_fold(next_record(CORE_EVENT_TIMER, change, 2), "change 2: a block moves on out of order");
    twin_fini(&twin);
}

/* Too many steps for their 16-bit numbers can only come from a broken journal. */
Test(core, a_journal_cannot_open_steps_without_end)
{
    struct err_note note = {""};
    enum err error = ERR_OK;
    start_two();
    for (uint32_t i = 1; error == ERR_OK && i < UINT16_MAX; i++) {
        struct core_change change = {.kind = CORE_CHANGE_OPEN, .step = (uint16_t)i, .node = 2};
        struct core_record record = next_record(CORE_EVENT_TIMER, &change, 1);
        error = core_fold(&twin.live, &record, &note);
    }
    cr_assert_eq(error, ERR_INVALID);
    cr_assert(strstr(note.text, "a step is opened out of order") != NULL);
    twin_fini(&twin);
}

/* Bytes of real records changed at random: read or refused, folded or refused, never a crash. */
Test(core, damaged_records_do_no_harm, .timeout = 60)
{
    struct rng rng;
    struct buf text;
    rng_init(&rng, 5);
    unsigned refused = 0, folded = 0;
    for (int round = 0; round < 20000; round++) {
        start_two();
        reply("one", CORE_DO, 1, round % 2 ? CORE_REPLY_OK : CORE_REPLY_REJECTED);
        const struct core_record *record = &twin.update.record;
        buf_init(&text, &twin.batch);
        record_write(&text, &twin.live, record);
        struct str data = buf_str(&text);
        for (uint64_t i = rng_below(&rng, 3); i < 3; i++)
            text.data[rng_below(&rng, data.size)] = "\"{}[]:,0123456789abcdeknodupiv_ "[rng_below(&rng, 31)];
        struct core_record read;
        struct err_note note;
        struct twin fresh;
        twin_init(&fresh, twin.plan);
        struct core_event start = {.kind = CORE_EVENT_START, .at_us = twin_epoch_us, .seed = 1};
        twin_step(&fresh, &start);
        if (record_read(&fresh.live, 2, record->event.at_us, STR("reply"), STR("one"), 1, data, &fresh.batch,
                        &read, &note) == ERR_OK &&
            core_fold(&fresh.live, &read, &note) == ERR_OK)
            folded++;
        else
            refused++;
        twin_fini(&fresh);
        twin_fini(&twin);
    }
    cr_assert(refused > 100 && folded > 100, "refused %u, folded %u", refused, folded);
}
