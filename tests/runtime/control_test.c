#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/runtime/control.h"

Test(control, a_verb_survives_the_way)
{
    struct registry *registry = registry_new();
    struct arena arena;
    struct rng rng;
    arena_init(&arena, 0);
    rng_init(&rng, 5);
    struct inbox_item *sent = inbox_item_new(INBOX_VERB, 0), *got = inbox_item_new(INBOX_MESSAGE, 0);
    sent->id = id_make(5, 6, &rng);
    sent->verb = (struct core_event){.kind = CORE_EVENT_FORCE,
                                     .step = STR("charge"),
                                     .status = CORE_REPLY_REJECTED,
                                     .error_code = STR("E"),
                                     .actor = STR("ann \"x\""),
                                     .reason = STR("because"),
                                     .body = &json_true};
    struct str reason = {0};
    cr_assert(control_read(control_write(sent, &arena), registry, got, &reason), "%.*s", STR_ARG(reason));
    cr_assert(got->kind == INBOX_VERB && id_equal(got->id, sent->id));
    cr_assert(got->verb.kind == CORE_EVENT_FORCE && got->verb.status == CORE_REPLY_REJECTED);
    cr_assert(str_equal(got->verb.step, STR("charge")) && str_equal(got->verb.actor, STR("ann \"x\"")));
    cr_assert(str_equal(got->verb.reason, STR("because")) && str_equal(got->verb.error_code, STR("E")));
    cr_assert(json_equal(got->verb.body, &json_true));
    inbox_item_free(sent);
    inbox_item_free(got);
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
                                 .status = CORE_PARKED,
                                 .seq = 12};
    cr_assert(control_read_answer(control_write_answer(&sent, &arena), &arena, &got));
    cr_assert(got.error == ERR_CONFLICT && got.created && got.status == CORE_PARKED && got.seq == 12 &&
              id_equal(got.id, sent.id));
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
    struct registry *registry = registry_new();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct inbox_item *item = inbox_item_new(INBOX_MESSAGE, 0);
        struct str reason = {0};
        cr_assert_not(control_read(str_from(bad[i]), registry, item, &reason), "%s", bad[i]);
        cr_assert(reason.size > 0, "%s", bad[i]);
        inbox_item_free(item);
    }
    registry_free(registry);
}
