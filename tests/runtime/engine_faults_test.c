/* Whole engines over the in-memory store and broker, in virtual time: each way in which a commit or a publish
 * can fail, and what a second engine finds after the first one died. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include "engine/base/duration.h"
#include "tests/runtime/bed.h"

static void answer(struct bed *bed, const char *action, const char *status)
{
    struct bus_message command = bed_take(bed, action);
    bed_reply(bed, &command, status, "{}");
    bed_settle(bed);
}

static const enum memory_store_fault faults[] = {MEMORY_STORE_LOST, MEMORY_STORE_REFUSED,
                                                 MEMORY_STORE_DROPPED};

/* commit: 0 the start, 1 and 2 the replies. */
static void run_with_fault(enum memory_store_fault fault, int commit)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.next_append = commit == 0 ? fault : MEMORY_STORE_FINE;
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    bed_advance(&bed, 200000);
    cr_assert(start->count == 1 && start->answer.error == ERR_OK);
    bed.next_append = commit == 1 ? fault : MEMORY_STORE_FINE;
    answer(&bed, "shop.reserve", "ok");
    bed_advance(&bed, 200000);
    bed.next_append = commit == 2 ? fault : MEMORY_STORE_FINE;
    answer(&bed, "shop.charge", "ok");
    bed_advance(&bed, 200000);
    bed_expect(&bed, start->answer.id, "completed");
    cr_assert(not(bed_has_command(&bed)), "nothing was sent twice");
    cr_assert(eq(u32, bed.published_commands, 2));
    cr_assert(eq(u32, bed.published_events, 2));
    bed_close(&bed);
}

Test(engine_faults, survives_each_fault_of_the_store_at_each_commit)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        for (int commit = 0; commit < 3; commit++)
            run_with_fault(faults[i], commit);
}

Test(engine_faults, tells_callers_that_nobody_knows_and_finishes_later)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct bed_call *start = bed_start(&bed, 0, "k", "{\"what\":1}");
    bed.next_append = MEMORY_STORE_LOST;
    world_turn(&bed.world, 0);
    bed.world.store_down = true;
    bed_advance(&bed, 2 * DURATION_SECOND_US);
    cr_assert(eq(u32, start->count, 0), "an outage of a moment is not worth a word");
    bed_advance(&bed, 2 * DURATION_SECOND_US);
    cr_assert(start->count == 1 && start->answer.error == ERR_UNKNOWN_OUTCOME);
    cr_assert(not(bed_has_command(&bed)), "not known to be stored: not acted upon");
    bed.world.store_down = false;
    bed_advance(&bed, DURATION_SECOND_US);
    bed_take(&bed, "shop.reserve");
    bed_close(&bed);
}

Test(engine_faults, keeps_messages_through_an_outage_and_serves_at_once_after_it)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.world.options.resident_max = 1;
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    bed.world.store_down = true;
    bed_reply(&bed, &command, "ok", "1");
    bed_advance(&bed, DURATION_SECOND_US);
    bed.world.store_down = false;
    bed_advance(&bed, 700000);
    bed_take(&bed, "shop.charge");
    struct bed_call *next = bed_start(&bed, 0, "x", "{\"what\":1}");
    bed_settle(&bed);
    cr_assert(next->count == 1 && next->answer.error == ERR_OK);
    cr_assert(eq(int, start->answer.error, ERR_OK));
    bed_close(&bed);
}

/* What the database cannot take in time is not tried the same way for ever. */
Test(engine_faults, a_batch_that_the_database_does_not_take_is_taken_apart)
{
    enum { STARTS = 40 };
    struct bed bed;
    struct bed_call *starts[STARTS];
    bed_open(&bed, 1);
    bed.append_most = 3;
    for (int i = 0; i < STARTS; i++)
        starts[i] = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_advance(&bed, 2500000);
    cr_assert(eq(u32, bed.largest_append, STARTS), "they came together");
    for (int i = 0; i < STARTS; i++)
        cr_assert(starts[i]->count == 1, "start %d was answered", i);
    cr_assert(eq(u32, bed.published_commands, STARTS), "each began once");
    bed.append_most = 0;
    for (int i = 0; i < STARTS; i++)
        answer(&bed, "shop.reserve", "ok");
    bed.largest_append = 0;
    for (int i = 0; i < 16; i++)
        bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    cr_assert(bed.largest_append > 3, "batches grow again");
    bed_close(&bed);
}

static void run_with_fate(enum world_fate fate)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.next_publish = fate;
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    bed_advance(&bed, 1200000);
    answer(&bed, "shop.reserve", "ok");
    if (fate == WORLD_LATE)
        answer(&bed, "shop.reserve", "ok"); /* what was reported as failed came after all */
    answer(&bed, "shop.charge", "ok");
    bed_expect(&bed, start->answer.id, "completed");
    bed_close(&bed);
}

Test(engine_faults, sends_again_what_the_broker_did_not_confirm)
{
    run_with_fate(WORLD_REFUSED);
    run_with_fate(WORLD_ANSWER_LOST);
    run_with_fate(WORLD_LATE);
}

static uint32_t tried;

static enum world_fate refuse_commands(void *context, struct world_host *host,
                                       const struct bus_message *message)
{
    (void)context;
    (void)host;
    bool command = str_starts(message->subject, STR("saga.cmd."));
    tried += command;
    return command ? WORLD_REFUSED : WORLD_FINE;
}

/* A stream that is full stays full for a while: what it refuses is tried again ever more rarely, a few at a
 * time. */
Test(engine_faults, what_a_full_broker_refuses_is_tried_ever_more_rarely)
{
    enum { SAGAS = 50, REFUSED_S = 20 };
    struct bed bed;
    bed_open(&bed, 1);
    tried = 0;
    enum world_fate (*fine)(void *, struct world_host *, const struct bus_message *) =
        bed.world.hooks.publish;
    bed.world.hooks.publish = refuse_commands;
    for (int i = 0; i < SAGAS; i++)
        bed_start(&bed, 0, "", "{\"what\":1}");
    for (int i = 0; i < REFUSED_S * 10; i++)
        bed_advance(&bed, 100000);
    cr_assert(tried >= SAGAS && tried < 20 * SAGAS, "%u tries in %d s", tried, (int)REFUSED_S);
    bed.world.hooks.publish = fine;
    bed_advance(&bed, 3500000);
    cr_assert(bed.published_commands >= SAGAS, "%u left, once they could", bed.published_commands);
    bed_close(&bed);
}

Test(engine_faults, a_lost_command_is_found_by_its_deadline)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.next_publish = WORLD_LOST;
    bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    cr_assert(not(bed_has_command(&bed)));
    bed_advance(&bed, 3200000);
    bed_take(&bed, "shop.reserve");
    bed_close(&bed);
}

/* The first engine dies before its n-th action after a start and a reply, for each n; the second finds all.
 */
static bool take_over_after(uint32_t actions)
{
    struct bed bed;
    struct err_note note;
    bed_open(&bed, 1);
    struct bed_call *one = bed_start(&bed, 0, "one", "{\"what\":1}");
    bed_settle(&bed);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    bed_reply(&bed, &command, "ok", "1");
    struct bus_message start = {.subject = STR("saga.start.order"), .body = STR("{\"what\":1}")};
    memory_bus_send(bed.world.broker, &start);
    world_die_in(&bed.world, 0, actions);
    bed_settle(&bed);
    bool died = !world_is_up(&bed.world, 0);
    if (died)
        world_bury(&bed.world, 0);
    else
        world_stop(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 1, &note) == ERR_OK);
    memory_bus_redeliver(bed.world.broker);
    bed_advance(&bed, 11 * DURATION_SECOND_US); /* the lease runs out */
    memory_bus_redeliver(bed.world.broker);
    bool charged = false, reserved = false;
    for (int i = 0; i < 20; i++) {
        struct bus_message next;
        if (!memory_bus_take_command(bed.world.broker, STR("shop"), &bed.arena, &next)) {
            bed_advance(&bed, 500000);
            continue;
        }
        charged = charged || str_ends(next.subject, STR("charge"));
        reserved = reserved || str_ends(next.subject, STR("reserve"));
        bed_reply(&bed, &next, "ok", "1");
        bed_settle(&bed);
    }
    cr_assert(charged, "dying before action %u: the first saga was lost", actions);
    cr_assert(reserved, "dying before action %u: the start by message was lost", actions);
    bed_expect(&bed, one->answer.id, "completed");
    struct store_filter filter = {.limit = 100};
    struct store_saga *sagas = NULL;
    uint32_t count = 0;
    cr_assert(store_list(bed.store, &filter, &bed.arena, &sagas, &count, &note) == ERR_OK);
    cr_assert(eq(u32, count, 2), "dying before action %u", actions);
    for (uint32_t i = 0; i < count; i++)
        bed_expect(&bed, sagas[i].id, "completed");
    bed_close(&bed);
    return died;
}

Test(engine_faults, a_second_engine_finds_everything_after_a_death_anywhere)
{
    uint32_t actions = 1;
    while (take_over_after(actions))
        actions++;
    cr_assert(ge(u32, actions, 8), "commit, two publishes, two acknowledgements and more");
}

/* A reply and a start that nobody can use; the first engine dies before its n-th action after they came, and
 * what it did not acknowledge comes to the second. */
static bool bury_after(uint32_t actions)
{
    struct bed bed;
    struct err_note note;
    bed_open(&bed, 1);
    struct bus_message reply = {.subject = STR("saga.reply.0.shop"), .body = STR("{}")};
    struct bus_message start = {.subject = STR("saga.start.nothing"), .body = STR("{}")};
    memory_bus_send(bed.world.broker, &reply);
    memory_bus_send(bed.world.broker, &start);
    world_die_in(&bed.world, 0, actions);
    bed_settle(&bed);
    bool died = !world_is_up(&bed.world, 0);
    if (died)
        world_bury(&bed.world, 0);
    else
        world_stop(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 1, &note) == ERR_OK);
    bed_advance(&bed, 11 * DURATION_SECOND_US); /* the lease runs out */
    memory_bus_redeliver(bed.world.broker);
    bed_advance(&bed, DURATION_SECOND_US);
    cr_assert(eq(u32, bed_dead_letters(&bed, "no Saga-Command"), 1), "dying before action %u", actions);
    cr_assert(eq(u32, bed_dead_letters(&bed, "no definition nothing"), 1), "dying before action %u", actions);
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 2), "dying before action %u", actions);
    bed_close(&bed);
    return died;
}

Test(engine_faults, a_poisoned_message_is_one_dead_letter_after_a_death_anywhere)
{
    uint32_t actions = 1;
    while (bury_after(actions))
        actions++;
    cr_assert(ge(u32, actions, 3), "a commit and two acknowledgements");
}

Test(engine_faults, a_fenced_batch_acts_on_nothing)
{
    struct bed bed;
    struct err_note note;
    bed_open(&bed, 1);
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    struct bed_call *watch = bed_watch(&bed, 0, start->answer.id, 60 * DURATION_SECOND_US);
    world_turn(&bed.world, 0);
    bed_reply(&bed, &command, "ok", "1");
    world_deliver(&bed.world, 10); /* stands in the inbox of host 0, which sleeps through its lease */
    world_advance(&bed.world, 11 * DURATION_SECOND_US);
    cr_assert(world_boot(&bed.world, 1, &note) == ERR_OK);
    uint32_t sent = bed.published_commands;
    struct bed_call *late = bed_start(&bed, 0, "", "{\"what\":2}");
    world_turn(&bed.world, 0);
    cr_assert(eq(u32, bed.published_commands, sent));
    cr_assert(late->count == 1 && late->answer.error == ERR_UNAVAILABLE, "%s", late->message);
    cr_assert(watch->count == 1 && watch->answer.error == ERR_UNAVAILABLE);
    bed_settle(&bed);
    bed_expect(&bed, start->answer.id, "running");
    for (int i = 0; i < 40 && !str_equal(bed_row(&bed, start->answer.id).status, STR("completed")); i++) {
        struct bus_message next;
        while (memory_bus_take_command(bed.world.broker, STR("shop"), &bed.arena, &next))
            bed_reply(&bed, &next, "ok", "1");
        bed_advance(&bed, 500000);
    }
    bed_expect(&bed, start->answer.id, "completed");
    bed_close(&bed);
}

static bool refuses_poison(void *context, const struct store_batch *batch)
{
    (void)context;
    for (uint32_t i = 0; i < batch->record_count; i++)
        if (strstr(batch->records[i].data.data, "poison") != NULL)
            return true;
    return false;
}

Test(engine_faults, what_the_database_refuses_harms_nobody_else_and_does_not_vanish)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.world.hooks.refuses = refuses_poison;
    struct bed_call *bad = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    struct bed_call *good = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    struct bus_message fine = bed_take(&bed, "shop.reserve");
    bed_reply(&bed, &command, "ok", "\"poison\"");
    bed_reply(&bed, &fine, "ok", "1");
    world_deliver(&bed.world, 10);
    struct bed_call *pause = bed_verb(&bed, 0, bad->answer.id, CORE_EVENT_PAUSE);
    struct bed_call *start = bed_start(&bed, 0, "k", "\"poison\"");
    struct bed_call *again = bed_start(&bed, 0, "k", "\"poison\"");
    bed_settle(&bed);
    answer(&bed, "shop.charge", "ok"); /* of the good one */
    bed_expect(&bed, good->answer.id, "completed");
    cr_assert(pause->count == 1 && pause->answer.error == ERR_OK);
    cr_assert(start->count == 1 && start->answer.error == ERR_BAD_DATA);
    cr_assert(again->count == 1 && again->answer.error == ERR_BAD_DATA);
    cr_assert(eq(u32, bed_dead_letters(&bed, "the database refused"), 1));
    bed_verb(&bed, 0, bad->answer.id, CORE_EVENT_RESUME);
    bed_advance(&bed, 3500000);
    struct bus_message second = bed_take(&bed, "shop.reserve"); /* its timer was not lost */
    bed_reply(&bed, &second, "ok", "1");
    bed_settle(&bed);
    bed_expect(&bed, bad->answer.id, "running");
    memory_bus_redeliver(bed.world.broker);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 1));
    bed_close(&bed);
}

Test(engine_faults, a_start_by_message_that_is_refused_becomes_a_dead_letter)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.world.hooks.refuses = refuses_poison;
    struct bus_message start = {.subject = STR("saga.start.order"), .body = STR("\"poison\"")};
    struct bus_message keyed = {.subject = STR("saga.start.order"), .body = STR("{\"what\":1}")};
    bus_header_add(&keyed, STR("Saga-Start-Key"), STR("k"));
    memory_bus_send(bed.world.broker, &start);
    memory_bus_send(bed.world.broker, &keyed);
    keyed.body = STR("{\"what\":2}");
    memory_bus_send(bed.world.broker, &keyed);
    bed_settle(&bed);
    memory_bus_redeliver(bed.world.broker);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "the database refused"), 1));
    cr_assert(eq(u32, bed_dead_letters(&bed, "used already, with another input"), 1));
    bed_take(&bed, "shop.reserve");
    cr_assert(not(bed_has_command(&bed)));
    bed_close(&bed);
}

/* A shard lost in a batch must not take the timers of another one with it. */
/* It is on guard: messages come to it, too, and it may store nothing. */
Test(engine_faults, an_instance_without_shards_leaves_dead_letters_to_the_owner)
{
    struct bed bed;
    bed_open(&bed, 2);
    for (uint32_t i = 0; i < 4; i++) {
        struct bus_message start = {.subject = STR("saga.start.nothing"), .body = STR("{}")};
        memory_bus_send(bed.world.broker, &start);
    }
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "there is no definition nothing"), 4));
    bed_close(&bed);
}

Test(engine_faults, a_shard_still_held_goes_on_when_another_of_the_batch_is_lost)
{
    struct bed bed;
    struct err_note note;
    struct store_shard *shards = NULL;
    uint32_t count = 0;
    bed_open(&bed, 1);
    struct bed_call *calls[2] = {bed_start(&bed, 0, "", "{\"what\":1}"),
                                 bed_start(&bed, 0, "", "{\"what\":1}")};
    bed_settle(&bed);
    cr_assert(id_shard(calls[0]->answer.id) != id_shard(calls[1]->answer.id));
    bed_take(&bed, "shop.reserve");
    bed_take(&bed, "shop.reserve");
    world_advance(&bed.world, 1500000);
    bed_settle(&bed); /* the lease has just been renewed */
    cr_assert(store_release(bed.store, &(struct store_shard){.shard = 0, .epoch = 1}, 1, &note) == ERR_OK);
    cr_assert(store_claim(bed.store, STR("thief"), 60000000, 1, &bed.arena, &shards, &count, &note) ==
              ERR_OK);
    cr_assert(eq(u32, count, 1));
    world_advance(&bed.world, 600000);
    bed_settle(&bed); /* both time out in one batch, which is fenced */
    bed_advance(&bed, 1300000);
    struct bus_message second = bed_take(&bed, "shop.reserve");
    cr_assert(str_equal(bus_header(&second, STR("Saga-Attempt")), STR("2")));
    cr_assert(not(bed_has_command(&bed)));
    bed_close(&bed);
}

/* Late answers to what was published under an earlier claim say nothing about the next one's publishes. */
Test(engine_faults, an_answer_of_an_earlier_claim_confirms_nothing)
{
    struct bed bed;
    struct err_note note;
    struct arena arena;
    struct store_shard *shards = NULL;
    uint32_t count = 0;
    bed_open(&bed, 1);
    arena_init(&arena, 0);
    for (uint32_t i = 0; i < 2; i++)
        bed_start(&bed, 0, "", "{\"what\":1}");
    world_turn(&bed.world, 0); /* published, and not answered yet */
    cr_assert(store_release(bed.store,
                            (struct store_shard[]){{.shard = 0, .epoch = 1}, {.shard = 1, .epoch = 1}}, 2,
                            &note) == ERR_OK);
    cr_assert(store_claim(bed.store, STR("other"), 1, 2, &arena, &shards, &count, &note) == ERR_OK &&
              count == 2);
    world_advance(&bed.world, 4 * DURATION_SECOND_US);
    bed.world.bus_down = true; /* what is sent again is refused: nothing may confirm it */
    world_turn(&bed.world, 0);
    bed.world.bus_down = false;
    memory_bus_wipe(bed.world.broker);
    world_deliver(&bed.world, 10);
    bed_settle(&bed);
    bed_advance(&bed, DURATION_SECOND_US);
    bed_take(&bed, "shop.reserve");
    bed_take(&bed, "shop.reserve");
    arena_fini(&arena);
    bed_close(&bed);
}
