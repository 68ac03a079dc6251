/* What one event may cost, whatever the definition is: its work and its record are bounded, the rest goes on
 * with the next event, and what can never fit ends in a named fault where the expression stands. */
#include <criterion/criterion.h>

#include "engine/base/limits.h"
#include "engine/core/record.h"
#include "engine/definition/definition.h"
#include "tests/core/twin.h"

enum {
    ROW_BYTES_MAX = LIMITS_RECORD_BYTES + 2 * LIMITS_PAYLOAD_BYTES, /* the last body, and the event's own */
    STEPS_MAX = LIMITS_TRANSITION_STEPS + LIMITS_SWITCH_STEPS + LIMITS_SCHEMA_WORK / 8,
    EVENTS_MAX = 5000
};

static struct arena arena;
static struct twin twin;
static int64_t now_us;
/* Of the last run: what came of it. */
static struct tally {
    uint32_t records;
    uint32_t sends;
    uint32_t cut;
    size_t largest;
} tally;

static void set_up(void)
{
    arena_init(&arena, 0);
    now_us = twin_epoch_us;
    tally = (struct tally){0};
}

static void tear_down(void)
{
    twin_fini(&twin);
    arena_fini(&arena);
}

TestSuite(bounds, .init = set_up, .fini = tear_down, .timeout = 120);

static void define(const char *yaml)
{
    struct diag_list diags;
    diag_init(&diags, &arena, STR("bounds.yaml"), str_from(yaml));
    const struct plan *plan = definition_load(&arena, str_from(yaml), NULL, &diags);
    struct buf why;
    buf_init(&why, &arena);
    diag_render(&diags, &why);
    cr_assert_not_null(plan, "%.*s", STR_ARG(buf_str(&why)));
    twin_init(&twin, plan);
}

static void note_changes(const struct core_record *record)
{
    struct buf row;
    buf_init(&row, &twin.batch);
    record_write(&row, &twin.live, record);
    tally.records++;
    tally.largest = row.size > tally.largest ? row.size : tally.largest;
    for (uint32_t i = 0; i < record->change_count; i++) {
        tally.sends += record->changes[i].kind == CORE_CHANGE_SEND;
        tally.cut += record->changes[i].kind == CORE_CHANGE_MORE;
    }
}

static void give(const struct core_event *event)
{
    enum core_verdict verdict = twin_step(&twin, event);
    cr_assert_leq(twin.update.steps, STEPS_MAX, "%u steps in one transition", twin.update.steps);
    cr_assert_eq(verdict, CORE_USED, "%.*s", STR_ARG(twin.update.why));
    note_changes(&twin.update.record);
    twin_clear(&twin);
}

/* Lets everything happen that is due now. */
static void settle(void)
{
    for (uint32_t i = 0; !core_ended(&twin.live) && core_wake(&twin.live) <= now_us; i++) {
        cr_assert_lt(i, EVENTS_MAX);
        give(&(struct core_event){.kind = CORE_EVENT_TIMER, .at_us = now_us});
    }
}

static void start(struct str input, bool unbounded)
{
    const struct json *value = NULL;
    struct err_note note;
    cr_assert_eq(json_parse(&arena, input, SIZE_MAX, &value, &note), ERR_OK, "%s", note.text);
    give(&(struct core_event){
        .kind = CORE_EVENT_START, .at_us = now_us, .input = value, .unbounded = unbounded});
    settle();
}

static void answer(uint16_t step, const struct json *body)
{
    const struct core_step *it = &twin.live.steps[step];
    bool undo = it->state == CORE_STEP_UNDO_SENT;
    give(&(struct core_event){.kind = CORE_EVENT_REPLY,
                              .at_us = now_us,
                              .step = arena_copy(&twin.batch, it->path),
                              .command_kind = undo ? CORE_UNDO : CORE_DO,
                              .attempt = it->attempts[undo ? CORE_UNDO : CORE_DO],
                              .body = body});
    settle();
}

static void answer_all(void)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (uint16_t i = 0; i < twin.live.step_count && !core_ended(&twin.live); i++) {
            enum core_step_state state = twin.live.steps[i].state;
            if (state != CORE_STEP_SENT && state != CORE_STEP_UNDO_SENT)
                continue;
            answer(i, NULL);
            moved = true;
        }
    }
}

static void put_numbers(struct buf *out, size_t count)
{
    buf_char(out, '[');
    for (size_t i = 0; i < count; i++)
        buf_puts(out, i > 0 ? ",1" : "1");
    buf_char(out, ']');
}

/* {"text": …, "list": [1, 1, …], "items": [1, 1, …]} */
static struct str input_of(size_t text, size_t list, size_t items)
{
    struct buf out;
    buf_init(&out, &arena);
    buf_puts(&out, "{\"text\":\"");
    for (size_t i = 0; i < text; i++)
        buf_char(&out, 'x');
    buf_puts(&out, "\",\"list\":");
    put_numbers(&out, list);
    buf_puts(&out, ",\"items\":");
    put_numbers(&out, items);
    buf_char(&out, '}');
    return buf_str(&out);
}

static const char sending[] = "saga: sending\nversion: 1\nsteps:\n"
                              "  - foreach:\n      id: all\n      in: ${ $input.items }\n      as: item\n"
                              "      max_items: 100\n      max_concurrency: 100\n      steps:\n"
                              "        - { id: go, command: p.go, with: { text: '${ $input.text }' },"
                              " compensate: p.undo }\n";

Test(bounds, large_bodies_go_out_in_records_that_fit)
{
    define(sending);
    start(input_of(200000, 1, 100), false);
    cr_expect_eq(tally.sends, 100);
    cr_expect_leq(tally.largest, (size_t)ROW_BYTES_MAX, "%zu bytes in a row", tally.largest);
    cr_expect_leq(tally.records, 20u, "as few as fit");
    cr_expect_eq(twin.live.status, CORE_RUNNING);
    answer_all();
    cr_expect_eq(twin.live.status, CORE_COMPLETED);
}

Test(bounds, a_saga_begun_before_keeps_its_rules)
{
    define(sending);
    start(input_of(200000, 1, 100), true);
    cr_expect_eq(tally.sends, 100);
    cr_expect_eq(tally.records, 1u, "as it was decided then");
    cr_expect_eq(tally.cut, 0u);
}

/* 64 cases that none takes, each over the list. */
static void define_switch(bool within_foreach)
{
    struct buf out;
    const char *indent = within_foreach ? "        " : "  ";
    buf_init(&out, &arena);
    buf_puts(&out, "saga: switching\nversion: 1\nsteps:\n");
    if (within_foreach)
        buf_puts(&out, "  - foreach:\n      id: all\n      in: ${ $input.items }\n      as: item\n"
                       "      max_items: 150\n      max_concurrency: 100\n      steps:\n");
    buf_printf(&out, "%s- switch:\n", indent);
    for (int i = 0; i < 63; i++)
        buf_printf(&out, "%s    - { when: '$input.list | any(. == %d)', steps: [] }\n", indent, -1 - i);
    buf_printf(&out, "%s    - { else: [] }\n", indent);
    buf_puts(&out, "  - { id: last, command: p.last, compensate: none }\n");
    define(buf_str(&out).data);
}

Test(bounds, the_cases_of_a_switch_share_their_steps)
{
    define_switch(false);
    start(input_of(1, 8000, 1), false);
    cr_expect_eq(twin.live.status, CORE_COMPENSATED);
    cr_expect(str_equal(twin.live.cause_code, STR("EXPRESSION_BUDGET")), "%.*s",
              STR_ARG(twin.live.cause_code));
    cr_expect(str_equal(core_step_path(&twin.live, twin.live.cause_step), STR("switch:1")));
}

Test(bounds, a_switch_in_a_long_foreach_goes_on_in_the_next_transition)
{
    define_switch(true);
    start(input_of(1, 200, 150), false);
    cr_expect_eq(twin.live.status, CORE_RUNNING);
    cr_expect_eq(tally.sends, 1u, "all items were passed");
    cr_expect_gt(tally.cut, 5u, "in parts");
    answer_all();
    cr_expect_eq(twin.live.status, CORE_COMPLETED);
}

Test(bounds, undoing_goes_on_in_the_next_transition)
{
    define("saga: undoing\nversion: 1\nsteps:\n"
           "  - foreach:\n      id: all\n      in: ${ $input.items }\n      as: item\n"
           "      max_items: 100\n      max_concurrency: 100\n      steps:\n"
           "        - { id: go, command: p.go, compensate: { command: p.undo,"
           " with: '${ {found: ($input.list | any(. == 2))} }' } }\n"
           "  - { id: last, command: p.last, compensate: none }\n");
    start(input_of(1, 8000, 100), false);
    answer_all();
    cr_assert_eq(twin.live.status, CORE_COMPLETED);
    twin_fini(&twin);
    twin_init(&twin, twin.plan);
    tally = (struct tally){0};
    start(input_of(1, 8000, 100), false);
    for (uint16_t i = 0; i < 100; i++)
        answer(i, NULL);
    give(&(struct core_event){.kind = CORE_EVENT_REPLY,
                              .at_us = now_us,
                              .step = STR("last"),
                              .attempt = 1,
                              .status = CORE_REPLY_REJECTED});
    settle();
    cr_expect_gt(tally.cut, 0u);
    answer_all();
    cr_expect_eq(twin.live.status, CORE_COMPENSATED);
}

/* A resume that would send everything at once. */
Test(bounds, what_a_pause_held_is_sent_by_its_timers)
{
    define(sending);
    const struct json *input = NULL;
    struct err_note note;
    cr_assert_eq(json_parse(&arena, input_of(200000, 1, 100), SIZE_MAX, &input, &note), ERR_OK);
    give(&(struct core_event){.kind = CORE_EVENT_START, .at_us = now_us, .input = input});
    give(&(struct core_event){.kind = CORE_EVENT_PAUSE, .at_us = now_us});
    settle();
    give(&(struct core_event){.kind = CORE_EVENT_RESUME, .at_us = now_us});
    settle();
    cr_expect_eq(tally.sends, 100);
    cr_expect_leq(tally.largest, (size_t)ROW_BYTES_MAX, "%zu bytes in a row", tally.largest);
}

Test(bounds, what_a_saga_stores_has_an_end)
{
    struct buf yaml, body;
    const struct json *output = NULL;
    struct err_note note;
    buf_init(&yaml, &arena);
    buf_puts(&yaml, "saga: storing\nversion: 1\nsteps:\n");
    for (int i = 0; i < 20; i++)
        buf_printf(&yaml, "  - { id: step_%d, command: p.go, compensate: p.undo }\n", i);
    define(buf_str(&yaml).data);
    buf_init(&body, &arena);
    put_numbers(&body, 130000);
    cr_assert_eq(json_parse(&arena, buf_str(&body), SIZE_MAX, &output, &note), ERR_OK);
    start(STR("null"), false);
    for (uint16_t i = 0; i < 20 && twin.live.direction == CORE_FORWARD; i++)
        answer(i, output);
    cr_expect(str_equal(twin.live.cause_code, STR("PAYLOAD_TOO_LARGE")), "%.*s",
              STR_ARG(twin.live.cause_code));
    answer_all();
    cr_expect_eq(twin.live.status, CORE_COMPENSATED, "what was done is undone all the same");
}

static const char children[] = "saga: parent\nversion: 1\nsteps:\n"
                               "  - foreach:\n      id: all\n      in: ${ $input.items }\n      as: item\n"
                               "      max_items: 1000\n      max_concurrency: 100\n      steps:\n"
                               "        - saga: { id: one, name: parent, with: '${ $input }' }\n";

static uint32_t given(void)
{
    uint32_t sum = 0;
    for (uint16_t i = 0; i < twin.live.step_count; i++)
        sum += twin.live.steps[i].family;
    return sum;
}

/* A definition that starts itself, a hundred times each, ends in a sum and not in a power. */
Test(bounds, children_share_what_their_parent_may_bring_about)
{
    define(children);
    start(input_of(1, 1, 100), false);
    cr_expect_eq(tally.sends, 100);
    cr_expect_eq(twin.live.steps[0].family, (LIMITS_FAMILY - 1) / 100, "the list counts as long as it is");
    cr_expect_leq(given(), (uint32_t)LIMITS_FAMILY - 1);
    cr_expect_eq(twin.live.family_left, LIMITS_FAMILY - 1 - given());
}

Test(bounds, a_child_for_which_nothing_is_left_is_a_named_fault)
{
    const struct json *input = NULL;
    struct err_note note;
    define(children);
    cr_assert_eq(json_parse(&arena, input_of(1, 1, 10), SIZE_MAX, &input, &note), ERR_OK);
    give(&(struct core_event){.kind = CORE_EVENT_START,
                              .at_us = now_us,
                              .input = input,
                              .has_parent = true,
                              .parent_step = STR("one"),
                              .parent_attempt = 1,
                              .depth = 3,
                              .family = 6});
    settle();
    cr_expect_eq(given(), 5, "five are begun");
    answer_all();
    cr_expect(str_equal(twin.live.cause_code, STR("CHILD_QUOTA")), "%.*s", STR_ARG(twin.live.cause_code));
    cr_expect_eq(twin.live.status, CORE_COMPENSATED);
}
