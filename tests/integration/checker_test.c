/* The checker is checked (M5): a real run that it finds right is corrupted in one place, and it must say
 * which rule that breaks. Each corruption is what some fault of the engine would leave behind. */
#include "tests/integration/checker.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/integration/world.h"

/* Sagas of the run, in the order of their start. */
enum { COMPLETED, UNDONE, DOUBT, PARKED, NONSENSE, RETRIED, KEYED, CANCELLED, SAGAS };
enum { ITEMS, SCOPE, FAMILY, EVENT, BLOCKS };

struct run {
    struct world world;
    struct str ids[SAGAS];
    struct str blocks[BLOCKS];
};

static const struct world_plan plans[SAGAS] = {
    [COMPLETED] = {"brisk", {NULL}, {NULL}},
    [UNDONE] = {"brisk", {NULL, NULL, "reject"}, {NULL}},
    [DOUBT] = {"brisk", {NULL, NULL, "lost"}, {NULL}},
    [PARKED] = {"brisk", {NULL, NULL, "reject"}, {"reject", NULL, NULL}},
    [NONSENSE] = {"brisk", {NULL, "garbage", "foreign"}, {NULL}},
    [RETRIED] = {"brisk", {NULL, "retry", NULL}, {NULL}},
    [KEYED] = {"brisk", {"reject", NULL, NULL}, {NULL}},
    [CANCELLED] = {"brisk", {NULL, NULL, "mute"}, {NULL}},
};

#define HOWS(c, d)                                                                                           \
    "{\"n\":1,\"how\":{\"a\":\"ok\",\"b\":\"ok\",\"c\":\"" c "\",\"d\":\"" d                                 \
    "\"},\"undo\":{\"a\":\"ok\",\"b\":\"ok\",\"c\":\"ok\",\"d\":\"ok\"}"
static const struct {
    const char *definition;
    const char *input;
} blocks[BLOCKS] = {
    [ITEMS] = {"foreach",
               HOWS("ok", "reject") ",\"items\":[{\"b\":\"ok\",\"c\":\"ok\"},{\"b\":\"ok\",\"c\":\"ok\"}]}"},
    [SCOPE] = {"scope", HOWS("reject", "ok") "}"},
    [FAMILY] =
        {"family",
         HOWS("reject",
              "ok") ",\"child\":{\"how\":{\"a\":\"ok\",\"b\":\"ok\"},\"undo\":{\"a\":\"ok\",\"b\":\"ok\"}}}"},
    [EVENT] = {"await", HOWS("ok", "ok") "}"},
};

/* --- finding the place ------------------------------------------------------------------------------- */

static struct facts_saga *saga_of(struct facts *facts, struct str id)
{
    for (uint32_t i = 0; i < facts->saga_count; i++)
        if (str_equal(facts->sagas[i].id, id))
            return &facts->sagas[i];
    cr_assert_fail("no saga %.*s", STR_ARG(id));
    return NULL;
}

static struct facts_saga *child_of(struct facts *facts, struct str parent)
{
    for (uint32_t i = 0; i < facts->saga_count; i++)
        if (str_equal(facts->sagas[i].parent, parent))
            return &facts->sagas[i];
    cr_assert(false, "no child of %.*s", STR_ARG(parent));
    return NULL;
}

static bool has(const struct facts_record *record, const char *what)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str text = json_text(&arena, record->data);
    bool found = strstr(text.data, what) != NULL;
    arena_fini(&arena);
    return found;
}

/* The first record of the saga whose data holds the text. */
static struct facts_record *record_with(struct facts *facts, struct str id, const char *text)
{
    const struct facts_saga *saga = saga_of(facts, id);
    for (uint32_t i = 0; i < saga->record_count; i++)
        if (has(&facts->records[saga->first_record + i], text))
            return &facts->records[saga->first_record + i];
    cr_assert_fail("no record with %s", text);
    return NULL;
}

/* Writes another text over every place where `from` stands in the record. */
static void rewrite(struct facts *facts, struct facts_record *record, const char *from, const char *to)
{
    struct buf out;
    struct err_note note = {""};
    struct str text = json_text(facts->arena, record->data);
    buf_init(&out, facts->arena);
    const char *at = text.data;
    uint32_t places = 0;
    for (const char *hit = strstr(at, from); hit != NULL; hit = strstr(at, from), places++) {
        buf_put(&out, (struct str){at, (size_t)(hit - at)});
        buf_puts(&out, to);
        at = hit + strlen(from);
    }
    buf_puts(&out, at);
    cr_assert_gt(places, 0, "%s does not stand in %.*s", from, STR_ARG(text));
    cr_assert_eq(json_parse(facts->arena, buf_str(&out), SIZE_MAX, &record->data, &note), ERR_OK, "%s: %.*s",
                 note.text, STR_ARG(buf_str(&out)));
    record->changes = json_get(record->data, STR("changes"));
}

static struct facts_line *line_with(struct facts *facts, struct str id, const char *what, const char *rest)
{
    struct arena arena;
    struct facts_line *found = NULL;
    arena_init(&arena, 0);
    struct str command = arena_printf(&arena, "%.*s/%s", STR_ARG(id), rest);
    for (uint32_t i = 0; i < facts->line_count && found == NULL; i++)
        if (str_equal(facts->lines[i].what, str_from(what)) && str_starts(facts->lines[i].command, command))
            found = &facts->lines[i];
    arena_fini(&arena);
    cr_assert_not_null(found, "no line %s of %s", what, rest);
    return found;
}

static void drop_line(struct facts *facts, const struct facts_line *line)
{
    uint32_t at = (uint32_t)(line - facts->lines);
    memmove(&facts->lines[at], &facts->lines[at + 1], (facts->line_count - at - 1) * sizeof *line);
    facts->line_count--;
}

static void repeat_line(struct facts *facts, const struct facts_line *line)
{
    struct facts_line again = *line;
    *facts_add_line(facts) = again;
}

/* Takes a record away and closes the gap, as if it had never been written. */
static void drop_record(struct facts *facts, const struct facts_record *record, bool close_gap)
{
    uint32_t at = (uint32_t)(record - facts->records);
    struct facts_saga *saga = saga_of(facts, record->saga);
    uint32_t end = saga->first_record + saga->record_count;
    for (uint32_t i = at; close_gap && i < end; i++)
        facts->records[i].seq--;
    memmove(&facts->records[at], &facts->records[at + 1], (facts->record_count - at - 1) * sizeof *record);
    facts->record_count--;
    saga->record_count--;
    saga->seq -= close_gap;
    for (uint32_t i = 0; i < facts->saga_count; i++)
        facts->sagas[i].first_record -= facts->sagas[i].first_record > at;
}

static struct facts_start *start_of(struct facts *facts, struct str id)
{
    for (uint32_t i = 0; i < facts->start_count; i++)
        if (str_equal(facts->starts[i].id, id))
            return &facts->starts[i];
    cr_assert_fail("nobody started %.*s", STR_ARG(id));
    return NULL;
}

/* --- the corruptions ----------------------------------------------------------------------------------- */

#define ID(name) (run->ids[name])
#define REC(name, text) record_with(facts, ID(name), text)
#define BLOCK(name) (run->blocks[name])
#define LINE(name, what, rest) line_with(facts, ID(name), what, rest)

/* X(name, the rule that it breaks, the corruption) */
#define CORRUPTIONS(X)                                                                                       \
    X(saga_lost, "S1", start_of(facts, ID(COMPLETED))->id = STR("00000000-0000-7000-8000-000000000000"))     \
    X(input_changed, "S1", rewrite(facts, REC(COMPLETED, "\"input\""), "\"n\":1,", "\"n\":77,"))             \
    X(input_of_key_changed, "S2", start_of(facts, ID(KEYED))->status = 200;                                  \
      start_of(facts, ID(KEYED))->input = STR("{\"n\":0}"))                                                  \
    X(key_used_twice, "S2", saga_of(facts, ID(UNDONE))->key = saga_of(facts, ID(COMPLETED))->key)            \
    X(saga_of_nobody, "S3", start_of(facts, ID(COMPLETED))->status = 422)                                    \
    X(gap_in_seq, "S4", drop_record(facts, REC(COMPLETED, "\"step\":\"b\""), false))                         \
    X(duplicate_seq, "S4", REC(COMPLETED, "\"completed\"")->seq--)                                           \
    X(row_behind, "S4", saga_of(facts, ID(COMPLETED))->seq--)                                                \
    X(row_says_other, "S4", saga_of(facts, ID(UNDONE))->status = STR("completed"))                           \
    X(lsn_goes_back, "S4", REC(COMPLETED, "\"completed\"")->lsn = 0)                                         \
    X(two_ends, "S5", rewrite(facts, REC(UNDONE, "\"compensating\""), "\"compensating\"", "\"terminated\"")) \
    X(step_too_early, "S6", rewrite(facts, REC(COMPLETED, "\"state\":\"done\""), "\"done\"", "\"sent\""))    \
    X(forward_after_abort, "S7",                                                                             \
      rewrite(facts, REC(UNDONE, "\"kind\":\"undo\""), "\"kind\":\"undo\",\"attempt\":1",                    \
              "\"kind\":\"do\",\"attempt\":2"))                                                              \
    X(not_undone, "S8", rewrite(facts, REC(UNDONE, "\"state\":\"undone\""), "\"undone\"", "\"done\""))       \
    X(rejected_step_undone, "S8",                                                                            \
      rewrite(facts, REC(UNDONE, "\"state\":\"rejected\""), "\"step\":\"b\"", "\"step\":\"c\""))             \
    X(undone_twice, "S8",                                                                                    \
      rewrite(facts, REC(UNDONE, "\"state\":\"undone\""), "{\"change\":\"step\",\"step\":\"b\"",             \
              "{\"change\":\"step\",\"step\":\"b\",\"from\":\"undoing\",\"state\":\"undone\"},"              \
              "{\"change\":\"step\",\"step\":\"b\""))                                                        \
    X(undone_in_wrong_order, "S9",                                                                           \
      rewrite(facts, REC(UNDONE, "\"kind\":\"undo\""), "\"step\":\"b\"", "\"step\":\"a\""))                  \
    X(effects_undone_in_wrong_order, "S9", LINE(UNDONE, "effect", "b/undo")->at_us += 60000000)              \
    X(completed_too_early, "S10",                                                                            \
      rewrite(facts, REC(COMPLETED, "\"completed\""), "\"state\":\"done\"", "\"state\":\"sent\""))           \
    X(effect_missing, "S11", drop_line(facts, LINE(COMPLETED, "effect", "b/do")))                            \
    X(effect_left_over, "S11", drop_line(facts, LINE(UNDONE, "effect", "a/undo")))                           \
    X(doubtful_effect_left_over, "S11", drop_line(facts, LINE(DOUBT, "effect", "c/undo")))                   \
    X(parked_without_reason, "S11", saga_of(facts, ID(PARKED))->reason_code = STR(""))                       \
    X(effect_twice, "S12", repeat_line(facts, LINE(COMPLETED, "effect", "a/do")))                            \
    X(undo_twice, "S12", repeat_line(facts, LINE(UNDONE, "effect", "a/undo")))                               \
    X(undone_without_effect, "S12", LINE(UNDONE, "effect", "a/do")->what = STR("closed"))                    \
    X(body_differs_on_the_wire, "S13", LINE(COMPLETED, "recv", "a/do")->body = STR("{}"))                    \
    X(wrong_participant_got_it, "S13", LINE(COMPLETED, "recv", "a/do")->participant = STR("taxi"))           \
    X(wrong_key, "S13", LINE(COMPLETED, "recv", "a/do")->key = ID(COMPLETED))                                \
    X(wrong_attempt_header, "S13", LINE(RETRIED, "recv", "b/do/2")->attempt = 1)                             \
    X(attempt_left_out, "S14",                                                                               \
      rewrite(facts, REC(RETRIED, "\"kind\":\"do\",\"attempt\":2"), "\"attempt\":2", "\"attempt\":3"))       \
    X(attempt_over_the_maximum, "S14",                                                                       \
      rewrite(facts, REC(DOUBT, "\"attempt\":4"), "\"change\":\"send\",\"step\":\"c\"",                      \
              "\"change\":\"send\",\"step\":\"c\",\"kind\":\"do\",\"attempt\":4,\"to\":\"tour.book\","       \
              "\"body\":0},{\"change\":\"send\",\"step\":\"c\""))                                            \
    X(reply_to_nothing_sent, "S15", REC(COMPLETED, "\"status\":\"ok\"")->attempt = 2)                        \
    X(reply_nobody_said, "S15", LINE(COMPLETED, "reply", "a/do")->status = STR("retry"))                     \
    X(reply_of_another, "S15",                                                                               \
      rewrite(facts, REC(COMPLETED, "\"participant\":\"inn\""), "\"participant\":\"inn\"",                   \
              "\"participant\":\"tour\""))                                                                   \
    X(stale_rejection_taken, "S15", REC(RETRIED, "\"status\":\"retry\"")->attempt = 0)                       \
    X(reply_used_twice, "S15",                                                                               \
      *REC(COMPLETED, "\"participant\":\"taxi\"") = *REC(COMPLETED, "\"participant\":\"inn\""))              \
    X(success_forgotten, "S16",                                                                              \
      rewrite(facts, REC(COMPLETED, "\"change\":\"output\""), "\"change\":\"output\"",                       \
              "\"change\":\"extend\""))                                                                      \
    X(good_reply_dead, "S16", facts_add_dead(facts)->message_id = LINE(COMPLETED, "reply", "a/do")->id)      \
    X(command_not_in_journal, "S17",                                                                         \
      LINE(COMPLETED, "recv", "a/do")->command = STR("00000000-0000-7000-8000-000000000000/a/do/1"))         \
    X(command_before_its_commit, "S17", drop_record(facts, REC(RETRIED, "\"attempt\":3"), true))             \
    X(mark_too_low, "S18", facts->shards[REC(COMPLETED, "\"completed\"")->shard].published_lsn = 1)          \
    X(cancel_forgotten, "S21", facts->verbs[0].id = ID(COMPLETED))                                           \
    X(timer_early, "S22", REC(DOUBT, "\"state\":\"waiting\"")->at_us -= 500000)                              \
    X(timer_of_nothing, "S22", REC(COMPLETED, "\"status\":\"ok\"")->kind = STR("timer"))                     \
    X(timer_left_unfired, "S22", saga_of(facts, ID(COMPLETED))->overdue = true)                              \
    X(definition_changed, "S23", saga_of(facts, ID(COMPLETED))->hash = STR("other"))                         \
    X(payload_wrong, "S24",                                                                                  \
      rewrite(facts, REC(COMPLETED, "\"to\":\"taxi.book\""), "\"body\":{\"n\":1,", "\"body\":{\"n\":2,"))    \
    X(output_of_another, "S24", rewrite(facts, REC(UNDONE, "\"kind\":\"undo\""), "/b\"}", "/a\"}"))          \
    X(verb_not_recorded, "S26", facts->verbs[0].reason = STR("another"))                                     \
    X(verb_refused_yet_recorded, "S26", facts->verbs[0].status = 409)                                        \
    X(event_lost, "S1", facts->signals[0].id = STR("another"))                                               \
    X(event_used_twice, "S15",                                                                               \
      rewrite(facts, record_with(facts, BLOCK(EVENT), "\"change\":\"take\""), "\"change\":\"take\"",         \
              "\"change\":\"take\",\"step\":\"b\",\"index\":0},{\"change\":\"take\""))                       \
    X(event_that_never_came, "S15",                                                                          \
      rewrite(facts, record_with(facts, BLOCK(EVENT), "\"change\":\"take\""), "\"index\":0", "\"index\":1")) \
    X(done_without_its_event, "S15",                                                                         \
      rewrite(facts, record_with(facts, BLOCK(EVENT), "\"change\":\"take\""), "\"change\":\"take\"",         \
              "\"change\":\"extend\""))                                                                      \
    X(event_by_key_lost, "S1", facts->signals[0].saga = STR("");                                             \
      facts->signals[0].definition = STR("await"); facts->signals[0].key = STR("another"))                   \
    X(end_not_as_planned, "L1", start_of(facts, ID(COMPLETED))->end = STR("compensated"))                    \
    X(child_undone_in_wrong_order, "S9",                                                                     \
      line_with(facts, child_of(facts, BLOCK(FAMILY))->id, "effect", "a/undo")->at_us += 60000000)           \
    X(child_done_too_early, "S6", line_with(facts, BLOCK(FAMILY), "effect", "a/do")->at_us += 60000000)      \
    X(child_of_nobody, "S3",                                                                                 \
      child_of(facts, BLOCK(FAMILY))->parent = STR("00000000-0000-7000-8000-000000000000"))                  \
    X(child_not_commanded, "S3", child_of(facts, BLOCK(FAMILY))->parent = ID(COMPLETED))                     \
    X(child_left_over, "S11", child_of(facts, BLOCK(FAMILY))->status = STR("completed"))                     \
    X(scope_half_undone, "S8",                                                                               \
      rewrite(facts, record_with(facts, BLOCK(SCOPE), "\"state\":\"undone\""), "\"undone\"", "\"done\""))    \
    X(item_undone_in_wrong_order, "S9",                                                                      \
      rewrite(facts,                                                                                         \
              record_with(facts, BLOCK(ITEMS),                                                               \
                          "\"step\":\"c[1]\",\"from\":\"done\",\"state\":\"undo_waiting\""),                 \
              "\"step\":\"c[1]\",\"from\":\"done\",\"state\":\"undo_waiting\"",                              \
              "\"step\":\"b[1]\",\"from\":\"done\",\"state\":\"undo_waiting\""))                             \
    X(item_too_early, "S6",                                                                                  \
      rewrite(facts, record_with(facts, BLOCK(ITEMS), "\"step\":\"c[0]\",\"kind\":\"do\""),                  \
              "\"step\":\"b[0]\",\"from\":\"sent\",\"state\":\"done\"",                                      \
              "\"step\":\"b[0]\",\"from\":\"sent\",\"state\":\"waiting\""))                                  \
    X(item_payload_wrong, "S24",                                                                             \
      rewrite(facts, record_with(facts, BLOCK(ITEMS), "\"step\":\"b[1]\",\"kind\":\"undo\""), "/b[1]\"}",    \
              "/b[0]\"}"))                                                                                   \
    X(nonsense_dropped, "S27", facts->dead[0].message_id = STR(""))                                          \
    X(nonsense_twice, "S27", facts->dead[1].message_id = facts->dead[0].message_id)

#define X(name, rule, ...)                                                                                   \
    static void corrupt_##name(const struct run *run, struct facts *facts)                                   \
    {                                                                                                        \
        (void)run;                                                                                           \
        __VA_ARGS__;                                                                                         \
    }
CORRUPTIONS(X)
#undef X

static const struct corruption {
    const char *name;
    const char *rule;
    void (*corrupt)(const struct run *run, struct facts *facts);
} corruptions[] = {
#define X(name, rule, ...) {#name, rule, corrupt_##name},
    CORRUPTIONS(X)
#undef X
};

/* --- the test ------------------------------------------------------------------------------------------ */

static void make_history(struct run *run)
{
    struct world *world = &run->world;
    world_open(world);
    world_serve(world, 0, NULL);
    for (int i = 0; i < SAGAS; i++)
        run->ids[i] = world_start(world, 0, &plans[i]);
    for (int i = 0; i < BLOCKS; i++)
        run->blocks[i] = json_get_str(world_start_with(world, 0, blocks[i].definition,
                                                       arena_printf(&world->arena, "block-%d", i),
                                                       str_from(blocks[i].input))
                                          .json,
                                      STR("id"));
    cr_assert_eq(world_signal(world, 0, run->blocks[EVENT], "said-1", "{\"word\":\"yes\"}").status, 201);
    cr_assert_eq(world_verb(world, 0, run->ids[CANCELLED], "cancel", "").status, 200);
    world_await_rest(world, WORLD_PATIENCE_MS);
    world_judge(world);
}

static bool names_rule(struct str report, const char *rule)
{
    char line_start[16];
    snprintf(line_start, sizeof line_start, "\n%s ", rule);
    return strncmp(report.data, line_start + 1, strlen(line_start + 1)) == 0 ||
           strstr(report.data, line_start) != NULL;
}

Test(checker, flags_every_corrupted_history)
{
    struct run run = {0};
    make_history(&run);
    for (size_t i = 0; i < sizeof corruptions / sizeof corruptions[0]; i++) {
        struct arena arena;
        struct facts facts;
        struct buf report;
        arena_init(&arena, 0);
        facts_copy(&facts, &run.world.facts, &arena);
        buf_init(&report, &arena);
        corruptions[i].corrupt(&run, &facts);
        uint32_t problems = checker_run(&facts, &report);
        cr_expect(problems > 0 && names_rule(buf_str(&report), corruptions[i].rule),
                  "%s is not seen as a breach of %s:\n%.*s", corruptions[i].name, corruptions[i].rule,
                  STR_ARG(buf_str(&report)));
        arena_fini(&arena);
    }
    world_close(&run.world);
}
