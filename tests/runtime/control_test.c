/* Requests between engines as text: what is written reads back, what is malformed is refused with its reason.
 * */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/runtime/control.h"

Test(control, a_verb_survives_the_way)
{
    struct registry *registry = registry_new(0);
    struct arena arena;
    struct rng rng;
    arena_init(&arena, 0);
    rng_init(&rng, 5);
    struct inbox_task sent = {.kind = INBOX_VERB}, got;
    sent.id = id_make(5, 6, &rng);
    sent.verb = (struct core_event){.kind = CORE_EVENT_FORCE,
                                    .step = STR("charge"),
                                    .status = CORE_REPLY_REJECTED,
                                    .error_code = STR("E"),
                                    .actor = STR("ann \"x\""),
                                    .reason = STR("because"),
                                    .body = &json_true};
    struct str reason = {0};
    cr_assert(control_read(control_write(&sent, STR(""), &arena), registry, &arena, &got, &reason) == ERR_OK,
              "%.*s", STR_ARG(reason));
    cr_assert(got.kind == INBOX_VERB && id_equal(got.id, sent.id));
    cr_assert(got.verb.kind == CORE_EVENT_FORCE && got.verb.status == CORE_REPLY_REJECTED);
    cr_assert(str_equal(got.verb.step, STR("charge")) && str_equal(got.verb.actor, STR("ann \"x\"")));
    cr_assert(str_equal(got.verb.reason, STR("because")) && str_equal(got.verb.error_code, STR("E")));
    cr_assert(json_equal(got.verb.body, &json_true));
    arena_fini(&arena);
    registry_free(registry);
}

Test(control, an_answer_survives_the_way)
{
    struct arena arena;
    struct rng rng;
    struct engine_answer got;
    arena_init(&arena, 0);
    rng_init(&rng, 5);
    struct engine_answer sent = {.error = ERR_CONFLICT,
                                 .message = STR("no"),
                                 .id = id_make(5, 6, &rng),
                                 .created = true,
                                 .version = 3,
                                 .status = CORE_PARKED,
                                 .seq = 12};
    cr_assert(control_read_answer(control_write_answer(&sent, &arena), &arena, &got));
    cr_assert(got.error == ERR_CONFLICT && got.created && got.status == CORE_PARKED && got.seq == 12 &&
              got.version == 3 && id_equal(got.id, sent.id));
    cr_assert(str_equal(got.message, STR("no")));
    arena_fini(&arena);
}

Test(control, what_is_malformed_is_refused_with_a_reason)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"op\":\"x\"}",
                                      "{\"op\":\"start\"}",
                                      "{\"op\":\"start\",\"version\":0}",
                                      "{\"op\":\"start\",\"definition\":\"unknown\",\"version\":1}",
                                      "{\"op\":\"verb\"}",
                                      "{\"op\":\"verb\",\"id\":\"x\",\"verb\":\"cancel\"}"};
    struct registry *registry = registry_new(0);
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct inbox_task task = {.kind = INBOX_UNREAD};
        struct str reason = {0};
        cr_assert(control_read(str_from(bad[i]), registry, &arena, &task, &reason) != ERR_OK, "%s", bad[i]);
        cr_assert(task.kind == INBOX_UNREAD, "%s was written half read", bad[i]);
        cr_assert(reason.size > 0, "%s", bad[i]);
    }
    arena_fini(&arena);
    registry_free(registry);
}

Test(control, a_command_for_a_child_survives_the_way)
{
    struct registry *registry = registry_new(0);
    struct arena arena;
    struct rng rng;
    arena_init(&arena, 0);
    rng_init(&rng, 5);
    struct inbox_task sent = {.kind = INBOX_CHILD}, got;
    sent.child = (struct envelope_child){.parent = id_make(5, 6, &rng),
                                         .step = STR("book[3]"),
                                         .kind = CORE_UNDO,
                                         .attempt = 7,
                                         .depth = 3,
                                         .child = id_make(5, 9, &rng),
                                         .definition = STR("billing"),
                                         .version = 2,
                                         .correlation = STR("c"),
                                         .input = &json_true};
    struct str reason = {0};
    cr_assert(control_read(control_write(&sent, STR(""), &arena), registry, &arena, &got, &reason) == ERR_OK,
              "%.*s", STR_ARG(reason));
    cr_assert(got.kind == INBOX_CHILD && id_equal(got.id, sent.child.child));
    cr_assert(id_equal(got.child.parent, sent.child.parent) && got.child.kind == CORE_UNDO);
    cr_assert(got.child.attempt == 7 && got.child.depth == 3 && got.child.version == 2);
    cr_assert(str_equal(got.child.step, STR("book[3]")) && str_equal(got.child.definition, STR("billing")));
    cr_assert(json_equal(got.child.input, &json_true));
    sent.child.kind = CORE_VERIFY;
    cr_assert(control_read(control_write(&sent, STR(""), &arena), registry, &arena, &got, &reason) ==
              ERR_INVALID);
    arena_fini(&arena);
    registry_free(registry);
}

Test(control, events_and_timers_survive_the_way)
{
    struct registry *registry = registry_new(0);
    struct arena arena;
    arena_init(&arena, 0);
    const struct core_event verbs[] = {
        {.kind = CORE_EVENT_SIGNAL, .signal = STR("money.came"), .signal_id = STR("s1"), .body = &json_true},
        {.kind = CORE_EVENT_MOVE, .step = STR("b[2]"), .due_us = 12345, .actor = STR("ann")},
        {.kind = CORE_EVENT_MOVE, .only = true, .due_us = 12345, .actor = STR("ann")}};
    for (size_t i = 0; i < 3; i++) {
        struct inbox_task sent = {.kind = INBOX_VERB}, got;
        struct str reason = {0};
        sent.verb = verbs[i];
        cr_assert(control_read(control_write(&sent, STR(""), &arena), registry, &arena, &got, &reason) ==
                      ERR_OK,
                  "%.*s", STR_ARG(reason));
        cr_assert(got.verb.kind == verbs[i].kind && got.verb.due_us == verbs[i].due_us);
        cr_assert(got.verb.only == verbs[i].only);
        cr_assert(str_equal(got.verb.signal, verbs[i].signal));
        cr_assert(str_equal(got.verb.signal_id, verbs[i].signal_id));
        cr_assert(str_equal(got.verb.step, verbs[i].step));
    }
    arena_fini(&arena);
    registry_free(registry);
}
