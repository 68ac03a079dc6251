/* Whole engines over the in-memory store and broker, in virtual time: what happens when all goes well, and
 * what callers see. Faults are engine_faults_test.c's matter. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/duration.h"
#include "tests/runtime/bed.h"

static struct id started(struct bed *bed, const char *key)
{
    struct bed_call *call = bed_start(bed, 0, key, "{\"what\":\"tea\"}");
    bed_settle(bed);
    cr_assert(call->count == 1 && call->answer.error == ERR_OK, "%s", call->message);
    return call->answer.id;
}

static void answer(struct bed *bed, const char *action, const char *status)
{
    struct bus_message command = bed_take(bed, action);
    bed_reply(bed, &command, status, "{}");
    bed_settle(bed);
}

Test(engine, runs_a_saga_to_its_end)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "");
    struct bed_call *watch = bed_watch(&bed, 0, id, DURATION_SECOND_US * 60);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    cr_assert(str_equal(command.body, STR("{\"what\":\"tea\"}")));
    bed_reply(&bed, &command, "ok", "{\"place\":7}");
    bed_settle(&bed);
    cr_assert(eq(u32, watch->count, 0));
    answer(&bed, "shop.charge", "ok");
    bed_expect(&bed, id, "completed");
    cr_assert(watch->count == 1 && watch->answer.status == CORE_COMPLETED);
    cr_assert(eq(u32, bed.published_events, 2), "started and completed");
    bed_close(&bed);
}

Test(engine, goes_back_in_reverse_order)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "");
    answer(&bed, "shop.reserve", "ok");
    answer(&bed, "shop.charge", "rejected");
    answer(&bed, "shop.release", "ok");
    bed_expect(&bed, id, "compensated");
    bed_close(&bed);
}

Test(engine, retries_when_virtual_time_says_so)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "");
    bed_take(&bed, "shop.reserve");
    bed_advance(&bed, 2900000);
    cr_assert(not(bed_has_command(&bed)), "2 s to time out, 1 s to wait: not yet");
    bed_advance(&bed, 300000);
    struct bus_message second = bed_take(&bed, "shop.reserve");
    cr_assert(str_equal(bus_header(&second, STR("Saga-Attempt")), STR("2")));
    bed_reply(&bed, &second, "ok", "1");
    bed_settle(&bed);
    answer(&bed, "shop.charge", "ok");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(engine, takes_a_key_once_in_a_batch_and_across_batches)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct bed_call *first = bed_start(&bed, 0, "k", "{\"what\":1}");
    struct bed_call *same = bed_start(&bed, 0, "k", "{\"what\":1.0}");
    struct bed_call *other = bed_start(&bed, 0, "k", "{\"what\":2}");
    bed_settle(&bed);
    struct bed_call *later = bed_start(&bed, 0, "k", "{\"what\":1}");
    struct bed_call *later_other = bed_start(&bed, 0, "k", "{\"what\":3}");
    bed_settle(&bed);
    cr_assert(first->answer.created && !same->answer.created && !later->answer.created);
    cr_assert(id_equal(first->answer.id, same->answer.id) && id_equal(first->answer.id, later->answer.id));
    cr_assert(other->answer.error == ERR_CONFLICT && later_other->answer.error == ERR_CONFLICT);
    bed_take(&bed, "shop.reserve");
    cr_assert(not(bed_has_command(&bed)));
    bed_close(&bed);
}

Test(engine, takes_replies_and_starts_once_however_often_they_come)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct bus_message start = {.subject = STR("saga.start.order"), .body = STR("{\"what\":1}")};
    memory_bus_send(bed.world.broker, &start);
    bed.next_append = MEMORY_STORE_LOST;
    world_deliver(&bed.world, 10);
    world_turn(&bed.world, 0);
    memory_bus_redeliver(bed.world.broker);
    bed_settle(&bed);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    cr_assert(not(bed_has_command(&bed)), "one saga for one message");
    bed_reply(&bed, &command, "ok", "1");
    bed_reply(&bed, &command, "ok", "1");
    bed_settle(&bed);
    bed_take(&bed, "shop.charge");
    cr_assert(not(bed_has_command(&bed)));
    bed_close(&bed);
}

Test(engine, buries_what_nobody_can_use)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "");
    struct bus_message command = bed_take(&bed, "shop.reserve");
    struct bus_message start = {.subject = STR("saga.start.nothing"), .body = STR("1")};
    memory_bus_send(bed.world.broker, &start);
    bed_reply(&bed, &command, "perhaps", "1");
    bed_reply(&bed, &command, "ok", "{");
    command.headers[1].value = STR("00000000-0000-7000-8000-000000000000/reserve/do/1");
    for (uint32_t i = 0; i < command.header_count; i++)
        if (str_equal(command.headers[i].name, STR("Saga-Command")))
            command.headers[i].value = STR("00000000-0000-7000-8000-000000000000/reserve/do/1");
    bed_reply(&bed, &command, "ok", "1");
    bed_settle(&bed);
    memory_bus_redeliver(bed.world.broker);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "no definition nothing"), 1));
    cr_assert(eq(u32, bed_dead_letters(&bed, "perhaps"), 1));
    cr_assert(eq(u32, bed_dead_letters(&bed, "not JSON"), 1));
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 4));
    bed_expect(&bed, id, "running");
    bed_close(&bed);
}

Test(engine, evicts_without_changing_anything)
{
    struct bed bed;
    bed_open(&bed, 0);
    struct err_note note;
    bed.world.options.resident_max = 1;
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK);
    struct diag_list diags;
    const struct plan *plan;
    bool created;
    cr_assert(registry_put(engine_registry(bed.world.hosts[0].engine), bed.store, STR("a"),
                           STR("saga: order\nversion: 1\nsteps:\n"
                               "  - { id: reserve, command: shop.reserve, compensate: none, timeout: 2s, "
                               "retry: { initial: 1s, jitter: none } }\n"),
                           NULL, &bed.arena, &diags, &plan, &created, &note) == ERR_OK);
    struct id ids[6];
    for (int i = 0; i < 6; i++)
        ids[i] = started(&bed, "");
    struct bus_message commands[6];
    for (int i = 0; i < 6; i++)
        commands[i] = bed_take(&bed, "shop.reserve");
    bed_advance(&bed, 3200000);
    for (int i = 0; i < 6; i++)
        bed_take(&bed, "shop.reserve"); /* timers of sagas not in memory */
    for (int i = 5; i >= 0; i--) {
        bed_reply(&bed, &commands[i], "ok", "1");
        bed_settle(&bed);
    }
    for (int i = 0; i < 6; i++)
        bed_expect(&bed, ids[i], "completed");
    bed_close(&bed);
}

Test(engine, tells_watchers_when_their_time_is_up)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "");
    struct bed_call *watch = bed_watch(&bed, 0, id, DURATION_SECOND_US);
    struct bed_call *nobody = bed_watch(&bed, 0, (struct id){{0}}, DURATION_SECOND_US);
    bed_settle(&bed);
    cr_assert(eq(u32, watch->count, 0));
    cr_assert(nobody->count == 1 && nobody->answer.error == ERR_NOT_FOUND);
    bed_advance(&bed, 1100000);
    cr_assert(watch->count == 1 && watch->answer.status == CORE_RUNNING);
    bed_close(&bed);
}

Test(engine, answers_verbs_and_refuses_those_the_state_forbids)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "");
    struct bed_call *pause = bed_verb(&bed, 0, id, CORE_EVENT_PAUSE);
    struct bed_call *retry = bed_verb(&bed, 0, id, CORE_EVENT_RETRY);
    bed_settle(&bed);
    cr_assert(pause->answer.error == ERR_OK && retry->answer.error == ERR_CONFLICT);
    answer(&bed, "shop.reserve", "ok");
    cr_assert(not(bed_has_command(&bed)), "paused");
    bed_verb(&bed, 0, id, CORE_EVENT_RESUME);
    bed_settle(&bed);
    answer(&bed, "shop.charge", "ok");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(engine, forwards_what_another_instance_owns)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.world.options.shards_max = 1;
    world_stop(&bed.world, 0);
    struct err_note note;
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK && world_boot(&bed.world, 1, &note) == ERR_OK);
    bed_settle(&bed);
    for (int i = 0; i < 4; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        struct bed_call *call = bed_start(&bed, 0, key, "{\"what\":1}");
        struct bed_call *there = bed_start(&bed, 1, key, "{\"what\":1}");
        bed_settle(&bed);
        cr_assert(call->answer.error == ERR_OK && there->answer.error == ERR_OK);
        cr_assert(id_equal(call->answer.id, there->answer.id));
        struct bed_call *watch = bed_watch(&bed, (uint32_t)i % 2, call->answer.id, DURATION_SECOND_US * 20);
        bed_verb(&bed, (uint32_t)i % 2, call->answer.id, CORE_EVENT_TERMINATE);
        bed_advance(&bed, DURATION_SECOND_US);
        cr_assert(watch->count == 1 && watch->answer.status == CORE_TERMINATED);
    }
    bed_close(&bed);
}

Test(engine, drains_and_leaves_nothing_to_send_twice)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct bed_call *last = bed_start(&bed, 0, "", "{\"what\":1}");
    world_stop(&bed.world, 0);
    cr_assert(last->count == 1 && last->answer.error == ERR_OK, "what stood in the inbox was finished");
    struct err_note note;
    cr_assert(world_boot(&bed.world, 1, &note) == ERR_OK, "the shards were given back at once");
    bed_settle(&bed);
    bed_take(&bed, "shop.reserve");
    cr_assert(not(bed_has_command(&bed)));
    bed_close(&bed);
}

static void start_by_message(struct bed *bed, const char *key, const char *version, const char *input)
{
    struct bus_message start = {.subject = STR("saga.start.deployed"), .body = str_from(input)};
    if (key[0] != '\0')
        bus_header_add(&start, STR("Saga-Start-Key"), str_from(key));
    if (version[0] != '\0')
        bus_header_add(&start, STR("Saga-Version"), str_from(version));
    memory_bus_send(bed->world.broker, &start);
    bed_settle(bed);
}

/* Whoever is not sure that a start was heard sends it again, also after a deploy. */
Test(engine, a_start_whose_saga_is_there_is_done_whatever_became_of_its_definition)
{
    static const char *const first = "saga: deployed\nversion: 1\nkey: ${ $input.id }\nsteps:\n"
                                     "  - { id: sell, command: shop.sell, compensate: shop.back }\n";
    static const char *const second = "saga: deployed\nversion: 2\nkey: ${ $input.id }\n"
                                      "input: { schema: { required: [customer] } }\nsteps:\n"
                                      "  - { id: sell, command: shop.sell, compensate: shop.back }\n";
    struct bed bed;
    struct err_note note = {""};
    bed_open(&bed, 1);
    bed_define(&bed, first);
    start_by_message(&bed, "", "", "{\"id\":7}");
    bed_take(&bed, "shop.sell");
    bed_define(&bed, second);
    start_by_message(&bed, "", "", "{\"id\":7.0}");
    start_by_message(&bed, "", "9", "{\"id\":7}");
    start_by_message(&bed, "7", "2", "{\"id\":7}");
    struct registry *registry = engine_registry(bed.world.hosts[0].engine);
    cr_assert(registry_enable(registry, bed.store, STR("deployed"), 1, false, &note) == ERR_OK);
    cr_assert(registry_enable(registry, bed.store, STR("deployed"), 2, false, &note) == ERR_OK);
    start_by_message(&bed, "", "", "{\"id\":7}");
    start_by_message(&bed, "", "1", "{\"id\":7}");
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0));
    cr_assert(not(bed_has_command(&bed)), "one saga");
    start_by_message(&bed, "", "2", "{\"id\":7,\"customer\":1}");
    cr_assert(eq(u32, bed_dead_letters(&bed, "with another input"), 1));
    start_by_message(&bed, "", "2", "{\"id\":8}");
    cr_assert(eq(u32, bed_dead_letters(&bed, "takes no new starts of version 2"), 1));
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 2));
    bed_close(&bed);
}
