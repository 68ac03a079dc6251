/* Broken journals of sagas with blocks: what core_fold refuses, with its sentence. */
#include <criterion/criterion.h>
#include <string.h>
#include "engine/base/limits.h"
#include "engine/core/record.h"
#include "engine/definition/definition.h"
#include "tests/core/twin.h"

static const char *const yaml = "saga: blocks\n"
                                "version: 1\n"
                                "steps:\n"
                                "  - { id: one, command: one.go, compensate: one.undo }\n"
                                "  - parallel:\n"
                                "      branches:\n"
                                "        a: [ { id: x, command: x.go, compensate: x.undo } ]\n"
                                "        b: [ { id: y, command: y.go, compensate: y.undo } ]\n"
                                "  - foreach:\n"
                                "      id: items\n"
                                "      in: $input\n"
                                "      as: item\n"
                                "      max_items: 2\n"
                                "      max_concurrency: 2\n"
                                "      steps: [ { id: z, command: z.go, compensate: z.undo } ]\n"
                                "  - scope:\n"
                                "      id: extras\n"
                                "      on_failure: continue\n"
                                "      steps: [ { id: s, command: s.go, compensate: s.undo } ]\n"
                                "  - switch:\n"
                                "      - when: $input == 1\n"
                                "        steps: []\n"
                                "      - else: [ { id: w, command: w.go, compensate: w.undo } ]\n"
                                "  - await: { id: word, event: a.word, timeout: 1h }\n"
                                "  - wait: { id: nap, for: 1h }\n";

/* Nodes: 1 one, 2 parallel (3 a, 4 x, 5 b, 6 y), 7 items (8, 9 z), 10 extras (11, 12 s), 13 switch (14, 15,
 * 16 w), 17 word, 18 nap. */
enum stage { AT_START, IN_PARALLEL, IN_FOREACH, IN_SCOPE, IN_SWITCH, IN_AWAIT, IN_WAIT };

static struct arena plan_arena;
static struct twin twin;

static void send_event(struct core_event event)
{
    event.at_us = twin.live.seq ? twin.live.updated_us : twin_epoch_us;
    cr_assert_eq(twin_step(&twin, &event), CORE_USED, "%.*s", STR_ARG(twin.update.why));
}

static void done(const char *step)
{
    send_event((struct core_event){
        .kind = CORE_EVENT_REPLY, .step = str_from(step), .attempt = 1, .status = CORE_REPLY_OK});
}

static const struct json *parse(const char *text)
{
    const struct json *value = NULL;
    struct err_note note;
    cr_assert_eq(json_parse(&twin.batch, str_from(text), SIZE_MAX, &value, &note), ERR_OK);
    return value;
}

/* Of the saga that begins; 0: the newest. */
static void reach_under(enum stage stage, uint32_t rules)
{
    static const char *const steps[] = {"one", "x", "y", "z[0]", "z[1]", "s", "w"};
    static const int needed[] = {0, 1, 3, 5, 6, 7, 7};
    struct diag_list diags;
    arena_init(&plan_arena, 0);
    diag_init(&diags, &plan_arena, STR("blocks.yaml"), str_from(yaml));
    const struct plan *plan = definition_load(&plan_arena, str_from(yaml), NULL, &diags);
    cr_assert(plan != NULL);
    twin_init(&twin, plan);
    send_event(
        (struct core_event){.kind = CORE_EVENT_START, .seed = 1, .rules = rules, .input = parse("[1,2]")});
    for (int i = 0; i < needed[stage]; i++)
        done(steps[i]);
    if (stage == IN_WAIT)
        send_event((struct core_event){.kind = CORE_EVENT_SIGNAL, .signal = STR("a.word")});
}

static void reach(enum stage stage)
{
    reach_under(stage, 0);
}

static void leave(void)
{
    twin_fini(&twin);
    arena_fini(&plan_arena);
}

static const struct {
    enum stage stage;
    const char *kind;
    const char *change;
    const char *note; /* of reading it or of folding it */
} broken[] = {
    {AT_START, "timer", "{\"change\":\"frame\"}", "\"frame\""},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1}", "\"node\""},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":2}", "\"parent\""},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":2,\"parent\":0}", "\"index\""},
    {AT_START, "timer", "{\"change\":\"block\"}", "\"frame\""},
    {AT_START, "timer", "{\"change\":\"block\",\"frame\":1}", "\"state\""},
    {AT_START, "timer", "{\"change\":\"take\",\"step\":\"one\"}", "\"index\""},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":2,\"parent\":0,\"index\":0}",
     "it is not what comes next in its block"},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":2,\"node\":2,\"parent\":0,\"index\":0}",
     "a block is entered out of order"},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":99,\"parent\":0,\"index\":0}",
     "the definition has no such block"},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":2,\"parent\":9,\"index\":0}",
     "the definition has no such block"},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":1,\"parent\":0,\"index\":0}",
     "the definition has no such block"},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":3,\"parent\":0,\"index\":0}",
     "the definition has no such block"},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":7,\"parent\":0,\"index\":0}",
     "a foreach is entered without items, or something else with some"},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":2,\"parent\":0,\"index\":0,\"body\":[]}",
     "a foreach is entered without items, or something else with some"},
    {AT_START, "timer", "{\"change\":\"frame\",\"frame\":1,\"node\":7,\"parent\":0,\"index\":0,\"body\":1}",
     "a foreach is entered with items that it does not take"},
    {AT_START, "timer",
     "{\"change\":\"frame\",\"frame\":1,\"node\":7,\"parent\":0,\"index\":0,\"body\":[1,2,3]}",
     "a foreach is entered with items that it does not take"},
    {AT_START, "timer", "{\"change\":\"open\",\"step\":\"par\",\"node\":2,\"frame\":0}",
     "the definition has no such step"},
    {AT_START, "timer", "{\"change\":\"open\",\"step\":\"extras\",\"node\":10,\"frame\":0}",
     "the definition has no such step"},
    {AT_START, "timer", "{\"change\":\"block\",\"frame\":0,\"state\":\"closed\"}",
     "a block ends that was never entered"},
    {AT_START, "timer", "{\"change\":\"block\",\"frame\":5,\"state\":\"closed\"}",
     "a block ends that was never entered"},
    {AT_START, "timer", "{\"change\":\"keep\"}", "a signal is kept that did not come"},
    {AT_START, "timer", "{\"change\":\"take\",\"step\":\"one\",\"index\":0}",
     "an await takes a signal that is not there"},
    {AT_START, "timer", "{\"change\":\"move\",\"step\":\"one\"}", "a timer is moved that does not run"},
    {AT_START, "timer",
     "{\"change\":\"step\",\"step\":\"one\",\"from\":\"sent\",\"state\":\"awaiting\",\"due\":5}",
     "the step may not move so"},
    {IN_PARALLEL, "timer", "{\"change\":\"move\",\"step\":\"one\",\"due\":5}",
     "a timer is moved that does not run"},
    {IN_PARALLEL, "timer", "{\"change\":\"open\",\"step\":\"x\",\"node\":4,\"frame\":1}",
     "the step belongs to no open block"},
    {IN_PARALLEL, "timer", "{\"change\":\"frame\",\"frame\":4,\"node\":3,\"parent\":1,\"index\":2}",
     "a branch is entered out of order"},
    {IN_PARALLEL, "timer", "{\"change\":\"frame\",\"frame\":4,\"node\":3,\"parent\":1,\"index\":0}",
     "a branch is entered out of order"},
    {IN_PARALLEL, "timer", "{\"change\":\"frame\",\"frame\":4,\"node\":8,\"parent\":1,\"index\":0}",
     "the block has no such part, or is not open"},
    {IN_PARALLEL, "timer", "{\"change\":\"cursor\",\"frame\":1,\"cursor\":3}",
     "a block moves on that is not open"},
    {IN_PARALLEL, "timer", "{\"change\":\"block\",\"frame\":1,\"state\":\"open\"}",
     "a block may not move so"},
    {IN_PARALLEL, "timer", "{\"change\":\"block\",\"frame\":1,\"state\":\"back\",\"code\":\"C\"}",
     "a block may not move so"},
    {IN_PARALLEL, "timer", "{\"change\":\"block\",\"frame\":1,\"state\":\"failed\",\"code\":\"C\"}",
     "a block may not move so"},
    {IN_PARALLEL, "timer", "{\"change\":\"block\",\"frame\":2,\"state\":\"failed\"}", "a code is missing"},
    {IN_FOREACH, "timer", "{\"change\":\"block\",\"frame\":1,\"state\":\"closed\"}",
     "a block may not move so"},
    {IN_FOREACH, "timer", "{\"change\":\"cursor\",\"frame\":2,\"cursor\":2}",
     "a block moves on that is not open"},
    {IN_FOREACH, "timer", "{\"change\":\"open\",\"step\":\"x\",\"node\":4,\"frame\":2}",
     "it is not what comes next in its block"},
    {IN_FOREACH, "timer", "{\"change\":\"frame\",\"frame\":7,\"node\":8,\"parent\":4,\"index\":2}",
     "a branch is entered out of order"},
    {IN_FOREACH, "timer", "{\"change\":\"frame\",\"frame\":7,\"node\":3,\"parent\":1,\"index\":2}",
     "the block has no such part, or is not open"},
    {IN_SCOPE, "timer", "{\"change\":\"frame\",\"frame\":9,\"node\":11,\"parent\":7,\"index\":0}",
     "the scope was entered already"},
    {IN_SWITCH, "timer", "{\"change\":\"frame\",\"frame\":10,\"node\":14,\"parent\":0,\"index\":0}",
     "something else is under way in its block"},
    {IN_AWAIT, "timer",
     "{\"change\":\"step\",\"step\":\"word\",\"from\":\"awaiting\",\"state\":\"sleeping\"}",
     "the step may not move so"},
    {IN_WAIT, "timer", "{\"change\":\"take\",\"step\":\"nap\",\"index\":0}",
     "an await takes a signal that is not there"},
    {IN_WAIT, "signal", "{\"change\":\"keep\"},{\"change\":\"take\",\"step\":\"nap\",\"index\":1}",
     "what takes a signal does not await one"},
    {IN_WAIT, "signal", "{\"change\":\"keep\"},{\"change\":\"take\",\"step\":\"word\",\"index\":1}",
     "what takes a signal does not await one"},
    {IN_WAIT, "timer", "{\"change\":\"drop\"}", "\"index\""},
    {IN_WAIT, "timer", "{\"change\":\"drop\",\"index\":0}", "a signal is dropped that is not kept"},
    {IN_WAIT, "timer", "{\"change\":\"drop\",\"index\":1}", "a signal is dropped that is not kept"},
    {IN_WAIT, "signal",
     "{\"change\":\"keep\"},{\"change\":\"drop\",\"index\":1},{\"change\":\"drop\",\"index\":1}",
     "a signal is dropped that is not kept"},
};

Test(core, broken_blocks_are_refused)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct core_record record;
        struct err_note note = {""};
        reach(broken[i].stage);
        bool signal = broken[i].kind[0] == 's';
        struct str data = arena_printf(&twin.batch, "{\"event\":{%s},\"changes\":[%s]}",
                                       signal ? "\"signal\":\"a.word\"" : "", broken[i].change);
        enum err error =
            record_read(&twin.live, twin.live.seq + 1, twin.live.updated_us, str_from(broken[i].kind),
                        STR("one"), 1, data, &twin.batch, &record, &note);
        if (error == ERR_OK)
            error = core_fold(&twin.live, &record, &note);
        cr_assert_eq(error, ERR_INVALID, "%s", broken[i].change);
        cr_assert(strstr(note.text, broken[i].note) != NULL, "%s: %s", broken[i].change, note.text);
        leave();
    }
}

static const struct {
    const char *kind;
    const char *event;
    const char *field;
} unreadable[] = {
    {"start", "\"seed\":\"1\",\"shards\":-1", "shards"},
    {"start", "\"seed\":\"1\",\"shards\":5000", "shards"},
    {"start", "\"seed\":\"1\",\"shards\":\"x\"", "shards"},
    {"start", "\"seed\":\"1\",\"parent\":\"x\",\"parent_step\":\"s\"", "parent"},
    {"start", "\"seed\":\"1\",\"parent\":\"019b774c-9000-7000-8000-000000000000\"", "parent_step"},
    {"start",
     "\"seed\":\"1\",\"parent\":\"019b774c-9000-7000-8000-000000000000\",\"parent_step\":\"s\","
     "\"parent_attempt\":\"x\"",
     "parent_attempt"},
    {"start",
     "\"seed\":\"1\",\"parent\":\"019b774c-9000-7000-8000-000000000000\",\"parent_step\":\"s\","
     "\"depth\":-1",
     "depth"},
    {"signal", "", "signal"},
    {"move", "", "due"},
};

Test(core, broken_events_of_blocks_are_refused)
{
    reach(AT_START);
    for (size_t i = 0; i < sizeof unreadable / sizeof *unreadable; i++) {
        struct core_record record;
        struct err_note note = {""};
        struct str data = arena_printf(&twin.batch, "{\"event\":{%s},\"changes\":[]}", unreadable[i].event);
        enum err error =
            record_read(&twin.live, twin.live.seq + 1, twin.live.updated_us, str_from(unreadable[i].kind),
                        STR(""), 0, data, &twin.batch, &record, &note);
        cr_assert_eq(error, ERR_INVALID, "%s", unreadable[i].event);
        struct str expected = arena_printf(&twin.batch, "\"%s\" is missing", unreadable[i].field);
        cr_assert(strstr(note.text, expected.data) != NULL, "%s: %s", unreadable[i].event, note.text);
    }
    leave();
}

/* Each await takes one event; under the former rules others were kept all the same, up to a number. */
Test(core, only_so_many_events_are_kept_under_the_former_rules)
{
    reach_under(IN_AWAIT, CORE_RULES_KEPT - 1);
    for (int i = 0; i < LIMITS_SIGNALS; i++)
        send_event((struct core_event){.kind = CORE_EVENT_SIGNAL, .signal = STR("a.word")});
    struct core_event one_more = {
        .kind = CORE_EVENT_SIGNAL, .signal = STR("a.word"), .at_us = twin.live.updated_us};
    cr_assert_eq(twin_step(&twin, &one_more), CORE_REFUSED);
    cr_assert(str_equal(twin.update.why, STR("it was sent 256 events already, which is the most")), "%.*s",
              STR_ARG(twin.update.why));
    leave();
}
