/* Journals come from a disk: what record_read and core_fold refuse, with its sentence, and that nothing
 * damaged does harm. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "engine/core/record.h"
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
    {"{\"change\":\"open\",\"node\":2,\"frame\":0}", "", "it is not what comes next in its block"},
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
    {"{\"change\":\"budget\",\"step\":\"one\",\"kind\":\"do\"}", "",
     "fresh attempts are granted to a step that is not stuck"},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"verify_waiting\",\"due\":1}", "",
     "the step has no command of this kind"},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"done\"}", "",
     "a step is done without an output"},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"stuck\"}", "",
     "nobody is asked about a step that is stuck"},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"stuck\"},"
     "{\"change\":\"park\",\"code\":\"C\"},"
     "{\"change\":\"status\",\"status\":\"parked\",\"direction\":\"forward\"}",
     "", "nobody is asked about a step that is stuck"},
    {"{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"stuck\"},"
     "{\"change\":\"park\",\"step\":\"one\",\"code\":\"C\"},"
     "{\"change\":\"status\",\"status\":\"parked\",\"direction\":\"forward\"},"
     "{\"change\":\"budget\",\"step\":\"one\",\"kind\":\"do\"}",
     "", ""},
    {"{\"change\":\"status\",\"status\":\"completed\",\"direction\":\"forward\"}", "",
     "it has ended with a step under way"},
    {"{\"change\":\"cause\",\"code\":\"C\"},"
     "{\"change\":\"status\",\"status\":\"compensated\",\"direction\":\"back\"}",
     "", "it has ended with a step under way"},
    {"{\"change\":\"cause\",\"code\":\"C\"},"
     "{\"change\":\"status\",\"status\":\"compensating\",\"direction\":\"back\"},"
     "{\"change\":\"deadline\",\"due\":9}",
     "", "it goes back with a deadline"},
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

/* What stands in a sequence is opened once, in its turn. */
Test(core, a_journal_cannot_open_steps_out_of_their_turn)
{
    start_two();
    struct core_change change = {.kind = CORE_CHANGE_OPEN, .step = 1, .node = 1};
    expect_fold(next_record(CORE_EVENT_TIMER, &change, 1), "something else is under way in its block");
    change.node = 2;
    expect_fold(next_record(CORE_EVENT_TIMER, &change, 1), "it is not what comes next in its block");
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
