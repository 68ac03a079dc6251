/* `via: request` from the engine's side: services that answer, fail, are late, or are not there for a while.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/duration.h"
#include "tests/runtime/bed.h"

static const char trip[] = "saga: trip\n"
                           "version: 1\n"
                           "defaults:\n"
                           "  timeout: 2s\n"
                           "  retry: { max_attempts: 2, initial: 1s, jitter: none }\n"
                           "  compensate: { retry: { max_attempts: 2, initial: 1s, jitter: none } }\n"
                           "steps:\n"
                           "  - id: seat\n"
                           "    command: Air.v2.book\n"
                           "    via: request\n"
                           "    with: { what: \"${ $input.what }\" }\n"
                           "    compensate: Air.v2.cancel\n"
                           "  - { id: room, command: shop.room, compensate: none }\n";

struct asked {
    struct bus_message message;
    struct str reply;
};

static struct id begin(struct bed *bed, bool served)
{
    bed_open(bed, 1);
    bed_define(bed, trip);
    memory_bus_serve(bed->world.broker, served);
    struct bed_call *call = bed_start_of(bed, 0, "trip", "", "{\"what\":\"tea\"}");
    bed_settle(bed);
    cr_assert(call->count == 1 && call->answer.error == ERR_OK, "%s", call->message);
    return call->answer.id;
}

static bool try_take(struct bed *bed, struct asked *asked)
{
    return memory_bus_take_request(bed->world.broker, &bed->arena, &asked->message, &asked->reply);
}

/* The next request; fails the test when there is none, or it is another. */
static struct asked take(struct bed *bed, const char *subject, const char *attempt)
{
    struct asked asked;
    cr_assert(try_take(bed, &asked), "no request; %s was awaited", subject);
    cr_assert(str_equal(asked.message.subject, str_from(subject)), "%.*s", STR_ARG(asked.message.subject));
    cr_assert(str_equal(bus_header(&asked.message, STR("Saga-Attempt")), str_from(attempt)));
    return asked;
}

static void answer(struct bed *bed, const struct asked *asked, const char *code, const char *body)
{
    struct bus_message message = {.body = str_from(body)};
    bus_header_add(&message, STR("Nats-Service-Error-Code"), str_from(code));
    memory_bus_answer(bed->world.broker, asked->reply, &message);
    bed_settle(bed);
}

static struct str reason_of(struct bed *bed, struct id id)
{
    return bed_row(bed, id).reason_code;
}

Test(asking, a_service_answers)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    cr_assert(str_equal(asked.message.body, STR("{\"what\":\"tea\"}")));
    answer(&bed, &asked, "", "{\"seat\":7}");
    bed_answer(&bed, "shop.room", "ok", "{}");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

/* A rolling restart undoes nothing: it costs no attempt, as long as it is over within one's time. */
Test(asking, nobody_there_for_a_while_is_waited_for)
{
    struct bed bed;
    struct id id = begin(&bed, false);
    for (int i = 0; i < 18; i++)
        bed_advance(&bed, 100000);
    bed_expect(&bed, id, "running");
    memory_bus_serve(bed.world.broker, true);
    bed_advance(&bed, 150000);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    cr_assert(str_equal(asked.message.body, STR("{\"what\":\"tea\"}")), "as it was the first time");
    struct asked more;
    cr_assert(not(try_take(&bed, &more)), "once");
    answer(&bed, &asked, "", "{\"seat\":7}");
    bed_answer(&bed, "shop.room", "ok", "{}");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

/* What has reached nobody did not happen: rejected, and nothing to undo. */
Test(asking, nobody_there_at_all_is_a_no)
{
    struct bed bed;
    struct id id = begin(&bed, false);
    for (int i = 0; i < 60; i++)
        bed_advance(&bed, 100000);
    bed_expect(&bed, id, "compensated");
    cr_assert(str_equal(reason_of(&bed, id), STR("NO_RESPONDERS")));
    bed_close(&bed);
}

Test(asking, nobody_is_asked_for_a_saga_that_has_ended)
{
    struct bed bed;
    struct id id = begin(&bed, false);
    bed_advance(&bed, 300000);
    struct core_event stop = {.kind = CORE_EVENT_TERMINATE, .reason = STR("enough"), .actor = STR("ann")};
    bed_event(&bed, 0, id, &stop);
    bed_settle(&bed);
    bed_expect(&bed, id, "terminated");
    memory_bus_serve(bed.world.broker, true);
    for (int i = 0; i < 20; i++)
        bed_advance(&bed, 100000);
    struct asked asked;
    cr_assert(not(try_take(&bed, &asked)));
    bed_close(&bed);
}

Test(asking, an_error_leaves_the_outcome_open)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    for (int attempt = 1; attempt <= 2; attempt++) {
        struct asked asked = take(&bed, "Air.v2.book", attempt == 1 ? "1" : "2");
        answer(&bed, &asked, "500", "oops");
        bed_advance(&bed, 1000000);
    }
    struct asked undo = take(&bed, "Air.v2.cancel", "1");
    answer(&bed, &undo, "", "");
    bed_expect(&bed, id, "compensated");
    cr_assert(str_equal(reason_of(&bed, id), STR("500")));
    bed_close(&bed);
}

Test(asking, a_no_is_a_no)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    answer(&bed, &asked, "422", "oops");
    bed_expect(&bed, id, "compensated");
    cr_assert(not(try_take(&bed, &asked)), "nothing is undone");
    bed_close(&bed);
}

Test(asking, an_earlier_attempt_succeeds_while_a_newer_one_is_out)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked first = take(&bed, "Air.v2.book", "1");
    bed_advance(&bed, 3100000);
    struct asked second = take(&bed, "Air.v2.book", "2");
    answer(&bed, &first, "", "{\"seat\":7}");
    struct bus_message room = bed_take(&bed, "shop.room");
    answer(&bed, &second, "", "{\"seat\":7}");
    bed_reply(&bed, &room, "ok", "{}");
    bed_settle(&bed);
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

/* Days later, when nothing is known any more of what was asked: it happened, so it is undone. */
Test(asking, a_late_success_of_a_step_that_was_undone_undoes_it_again)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked first = take(&bed, "Air.v2.book", "1");
    bed_advance(&bed, 3100000);
    (void)take(&bed, "Air.v2.book", "2");
    bed_advance(&bed, 2100000);
    struct asked undo = take(&bed, "Air.v2.cancel", "1");
    answer(&bed, &undo, "", "");
    bed_expect(&bed, id, "compensated");
    world_advance(&bed.world, 86400 * DURATION_SECOND_US);
    bed_settle(&bed);
    answer(&bed, &first, "", "{\"seat\":7}");
    bed_expect(&bed, id, "compensating");
    undo = take(&bed, "Air.v2.cancel", "2");
    answer(&bed, &undo, "", "");
    bed_expect(&bed, id, "compensated");
    bed_close(&bed);
}

Test(asking, an_answer_of_no_use_is_a_dead_letter_and_the_step_says_so)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    answer(&bed, &asked, "", "{\"seat\":");
    cr_assert(eq(u32, bed_dead_letters(&bed, "the body is not JSON"), 1));
    answer(&bed, &asked, "", "{\"seat\":");
    cr_assert(eq(u32, bed_dead_letters(&bed, "the body is not JSON"), 2),
              "a second answer is another message");
    bed_advance(&bed, 1000000);
    asked = take(&bed, "Air.v2.book", "2");
    answer(&bed, &asked, "302", "");
    struct asked undo = take(&bed, "Air.v2.cancel", "1");
    answer(&bed, &undo, "", "");
    bed_expect(&bed, id, "compensated");
    cr_assert(str_equal(reason_of(&bed, id), STR("REPLY_UNUSABLE")));
    bed_close(&bed);
}

/* Each knows the inbox from what it was asked: that must not let it answer for another. */
Test(asking, nobody_answers_what_he_was_not_asked)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    bed_advance(&bed, 3100000);
    struct asked second = take(&bed, "Air.v2.book", "2");
    char guess[1024];
    size_t at = asked.reply.size - strlen(".Air.v2.book") - 1; /* in the proof */
    for (char digit = '0'; digit <= '9'; digit++) {
        snprintf(guess, sizeof guess, "%.*s", STR_ARG(asked.reply));
        if (guess[at] == digit)
            continue;
        guess[at] = digit;
        struct asked forged = {.reply = str_from(guess)};
        answer(&bed, &forged, "", "{\"seat\":666}");
    }
    snprintf(guess, sizeof guess, "%.*s", STR_ARG(asked.reply));
    char *attempt = strstr(guess, ".do.1.");
    cr_assert_not_null(attempt);
    attempt[4] = '2'; /* the proof of one attempt for another */
    struct asked forged = {.reply = str_from(guess)};
    answer(&bed, &forged, "422", "");
    cr_assert(not(bed_has_command(&bed)));
    bed_expect(&bed, id, "running");
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0));
    answer(&bed, &second, "", "{\"seat\":7}");
    cr_assert(bed_has_command(&bed));
    bed_close(&bed);
}

/* The saga has moved to another engine: the answer comes to the one that asked, and finds it. */
Test(asking, an_answer_follows_its_saga_to_another_engine)
{
    struct bed bed;
    struct err_note note = {""};
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    world_advance(&bed.world, 11 * DURATION_SECOND_US); /* host 0 sleeps through its lease */
    cr_assert(world_boot(&bed.world, 1, &note) == ERR_OK, "%s", note.text);
    bed_settle(&bed);
    bed_advance(&bed, 1100000);
    struct asked other; /* asked by host 1, also once more what host 0 had asked */
    while (try_take(&bed, &other))
        cr_assert(not(str_equal(other.reply, asked.reply)));
    bed.next_reply = WORLD_REFUSED; /* the broker is away for a moment */
    answer(&bed, &asked, "", "{\"seat\":7}");
    cr_assert(not(bed_has_command(&bed)));
    bed_advance(&bed, 1500000);
    bed_answer(&bed, "shop.room", "ok", "{}");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

/* Nobody is there for the next owner; the one before may have reached somebody all the same. */
Test(asking, what_another_engine_asked_is_not_known_to_have_reached_nobody)
{
    struct bed bed;
    struct err_note note = {""};
    (void)begin(&bed, true);
    (void)take(&bed, "Air.v2.book", "1");
    memory_bus_serve(bed.world.broker, false);
    world_die_in(&bed.world, 0, 1);
    (void)bed_start_of(&bed, 0, "trip", "", "{\"what\":\"jam\"}"); /* so that it acts */
    bed_settle(&bed);
    world_bury(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK, "%s", note.text);
    for (int i = 0; i < 60; i++)
        bed_advance(&bed, 100000);
    memory_bus_serve(bed.world.broker, true);
    bed_advance(&bed, 1100000);
    (void)take(&bed, "Air.v2.cancel", "1");
    bed_close(&bed);
}

/* A success that nothing undoes any more is in no record: it must not vanish. */
Test(asking, a_success_after_terminate_is_a_dead_letter)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    struct core_event stop = {.kind = CORE_EVENT_TERMINATE, .reason = STR("enough"), .actor = STR("ann")};
    bed_event(&bed, 0, id, &stop);
    bed_settle(&bed);
    answer(&bed, &asked, "", "{\"seat\":7}");
    bed_expect(&bed, id, "terminated");
    cr_assert(eq(u32, bed_dead_letters(&bed, "do attempt 1 of seat succeeded after the saga had ended"), 1));
    bed_close(&bed);
}

Test(asking, a_no_after_terminate_is_none)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    struct core_event stop = {.kind = CORE_EVENT_TERMINATE, .reason = STR("enough"), .actor = STR("ann")};
    bed_event(&bed, 0, id, &stop);
    bed_settle(&bed);
    answer(&bed, &asked, "422", "");
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0));
    bed_close(&bed);
}

/* Skipped, and the saga has completed without it: there is nobody who could undo it. */
Test(asking, a_success_after_skip_is_a_dead_letter)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed_define(&bed, "saga: trip\nversion: 1\ndefaults: { timeout: 2s, retry: { max_attempts: 1 } }\nsteps:\n"
                     "  - { id: seat, command: Air.v2.book, via: request, pivot: true, compensate: none }\n");
    memory_bus_serve(bed.world.broker, true);
    struct bed_call *call = bed_start_of(&bed, 0, "trip", "", "{}");
    bed_settle(&bed);
    struct id id = call->answer.id;
    struct asked asked = take(&bed, "Air.v2.book", "1");
    bed_advance(&bed, 2100000);
    bed_expect(&bed, id, "parked");
    struct core_event skip = {
        .kind = CORE_EVENT_SKIP, .reason = STR("lost"), .actor = STR("ann"), .step = STR("seat")};
    bed_event(&bed, 0, id, &skip);
    bed_settle(&bed);
    bed_expect(&bed, id, "completed");
    answer(&bed, &asked, "", "{\"seat\":7}");
    cr_assert(eq(u32, bed_dead_letters(&bed, "it has completed without it"), 1));
    bed_close(&bed);
}

static const char stream_said[] = "{\"stream\":\"HELD\",\"seq\":1}";

static void say_bare(struct bed *bed, const struct asked *asked, const char *body)
{
    struct bus_message message = {.body = str_from(body)};
    memory_bus_answer(bed->world.broker, asked->reply, &message);
    bed_settle(bed);
}

/* A stream that holds the subject acknowledges first; the service says no after that. */
Test(asking, the_acknowledgement_of_a_stream_is_no_answer)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    memory_bus_hold(bed.world.broker, STR("Air.v2.book"));
    say_bare(&bed, &asked, stream_said);
    bed_expect(&bed, id, "running");
    answer(&bed, &asked, "422", "");
    bed_expect(&bed, id, "compensated");
    cr_assert(not(try_take(&bed, &asked)), "nothing is undone");
    bed_close(&bed);
}

/* A service may say the very same, when no stream can have said it. */
Test(asking, an_answer_may_look_like_the_acknowledgement_of_a_stream)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    say_bare(&bed, &asked, stream_said);
    bed_answer(&bed, "shop.room", "ok", "{}");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

/* Nor does a header leave a doubt. */
Test(asking, an_answer_with_a_header_is_no_acknowledgement)
{
    struct bed bed;
    struct id id = begin(&bed, true);
    struct asked asked = take(&bed, "Air.v2.book", "1");
    memory_bus_hold(bed.world.broker, STR("Air.v2.book"));
    struct bus_message message = {.body = str_from(stream_said)};
    bus_header_add(&message, STR("Saga-Status"), STR("ok"));
    memory_bus_answer(bed.world.broker, asked.reply, &message);
    bed_settle(&bed);
    bed_answer(&bed, "shop.room", "ok", "{}");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}
