/* Child sagas over whole engines: what parent and child tell each other, and what is lost of it. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "tests/runtime/bed.h"

static const char sold[] = "saga: sold\n"
                           "version: 1\n"
                           "steps:\n"
                           "  - { id: reserve, command: shop.reserve, compensate: shop.release }\n"
                           "  - saga: { id: bill, name: billing, with: { what: \"${ $input.what }\" } }\n"
                           "  - id: ship\n"
                           "    command: shop.ship\n"
                           "    with: { bill: \"${ $steps.bill.output.number }\" }\n"
                           "    compensate: none\n";
static const char billing[] = "saga: billing\n"
                              "version: 1\n"
                              "input: { schema: { type: object, properties: { what: { type: string } } } }\n"
                              "steps:\n"
                              "  - { id: charge, command: shop.charge, compensate: shop.refund }\n"
                              "output: { number: \"${ $steps.charge.output }\" }\n";

static void open_bed(struct bed *bed)
{
    bed_open(bed, 1);
    bed_define(bed, billing);
    bed_define(bed, sold);
}

/* Up to the child's own first command. */
static struct id begun(struct bed *bed)
{
    struct bed_call *call = bed_start_of(bed, 0, "sold", "", "{\"what\":\"tea\"}");
    bed_settle(bed);
    cr_assert(call->count == 1 && call->answer.error == ERR_OK, "%s", call->message);
    bed_answer(bed, "shop.reserve", "ok", "1");
    return call->answer.id;
}

static uint32_t children(struct bed *bed, struct id parent, struct store_saga **rows)
{
    uint32_t count = 0;
    struct err_note note = {""};
    struct store_filter filter = {.has_parent = true, .parent = parent, .limit = 100};
    cr_assert(store_list(bed->store, &filter, &bed->arena, rows, &count, &note) == ERR_OK, "%s", note.text);
    return count;
}

/* Its one child. */
static struct id child_of(struct bed *bed, struct id parent)
{
    struct store_saga *rows = NULL;
    cr_assert(eq(u32, children(bed, parent, &rows), 1));
    cr_assert(rows[0].has_parent && id_equal(rows[0].parent, parent));
    return rows[0].id;
}

Test(children, a_child_gives_its_output_to_its_parent)
{
    struct bed bed;
    open_bed(&bed);
    struct id id = begun(&bed);
    struct id child = child_of(&bed, id);
    bed_answer(&bed, "shop.charge", "ok", "77");
    bed_expect(&bed, child, "completed");
    struct bus_message ship = bed_take(&bed, "shop.ship");
    cr_assert(str_equal(ship.body, STR("{\"bill\":77}")), "%.*s", STR_ARG(ship.body));
    bed_reply(&bed, &ship, "ok", "1");
    bed_settle(&bed);
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(children, a_child_is_undone_before_what_came_before_it)
{
    struct bed bed;
    open_bed(&bed);
    struct id id = begun(&bed);
    bed_answer(&bed, "shop.charge", "ok", "77");
    bed_answer(&bed, "shop.ship", "rejected", "1");
    bed_answer(&bed, "shop.refund", "ok", "1");
    bed_expect(&bed, child_of(&bed, id), "compensated");
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, id, "compensated");
    bed_close(&bed);
}

Test(children, a_child_that_fails_fails_its_step)
{
    struct bed bed;
    open_bed(&bed);
    struct id id = begun(&bed);
    bed_answer(&bed, "shop.charge", "rejected", "1");
    bed_expect(&bed, child_of(&bed, id), "compensated");
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, id, "compensated");
    cr_assert(str_equal(bed_row(&bed, id).reason_code, STR("REJECTED")), "the child's own reason");
    bed_close(&bed);
}

/* Waits for the command and says ok at once; loses: what of that is lost. */
static void answer_in_time(struct bed *bed, const char *action, enum world_fate *loses)
{
    for (int i = 0; i < 100; i++) {
        struct bus_message message;
        bed_advance(bed, 5 * DURATION_SECOND_US);
        if (!memory_bus_take_command(bed->world.broker, STR("shop"), &bed->arena, &message))
            continue;
        cr_assert(str_ends(message.subject, str_from(action)), "%.*s", STR_ARG(message.subject));
        if (loses != NULL)
            *loses = WORLD_LOST;
        bed_reply(bed, &message, "ok", "77");
        bed_settle(bed);
        return;
    }
    cr_assert(false, "%s never came", action);
}

Test(children, what_is_lost_on_the_way_is_sent_again)
{
    struct bed bed;
    struct store_saga *rows = NULL;
    open_bed(&bed);
    bed.next_child = WORLD_LOST;
    struct id id = begun(&bed);
    cr_assert(eq(u32, children(&bed, id, &rows), 0), "the command to begin it was lost");
    answer_in_time(&bed, "shop.charge", &bed.next_reply);
    bed_expect(&bed, child_of(&bed, id), "completed");
    cr_assert(not(bed_has_command(&bed)), "its parent was not told");
    answer_in_time(&bed, "shop.ship", NULL);
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(children, an_undo_before_the_child_began_keeps_it_from_beginning)
{
    struct bed bed;
    struct store_saga *rows = NULL;
    open_bed(&bed);
    bed.next_child = WORLD_LOST;
    struct id id = begun(&bed);
    struct bus_message lost = bed.child;
    cr_assert(lost.body.size > 0 && children(&bed, id, &rows) == 0);
    bed_verb(&bed, 0, id, CORE_EVENT_CANCEL);
    bed_advance(&bed, 120 * DURATION_SECOND_US);
    bed_expect(&bed, child_of(&bed, id), "compensated");
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, id, "compensated");
    while (bed_has_command(&bed)) /* of the time when nobody answered */
        ;
    memory_bus_send(bed.world.broker, &lost); /* days later */
    bed_settle(&bed);
    cr_assert(not(bed_has_command(&bed)), "the child does not begin any more");
    bed_expect(&bed, child_of(&bed, id), "compensated");
    bed_expect(&bed, id, "compensated");
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0));
    bed_close(&bed);
}

/* Whoever said ok now would be wrong once the definition is stored and the do arrives. So a human is asked,
 * who stores it and has the undo sent again. */
Test(children, an_undo_without_a_definition_waits_for_it)
{
    static const char calls[] = "saga: calls\nversion: 1\nsteps: [ { saga: { id: bill, name: later } } ]\n";
    static const char later[] = "saga: later\nversion: 1\nsteps:\n"
                                "  - { id: charge, command: shop.charge, compensate: shop.refund }\n";
    struct bed bed;
    struct store_saga *rows = NULL;
    open_bed(&bed);
    bed_define(&bed, calls);
    bed.next_child = WORLD_LOST;
    struct bed_call *call = bed_start_of(&bed, 0, "calls", "", "{}");
    bed_settle(&bed);
    struct id id = call->answer.id;
    struct bus_message lost = bed.child;
    bed_verb(&bed, 0, id, CORE_EVENT_CANCEL);
    bed_settle(&bed);
    bed_expect(&bed, id, "parked");
    cr_assert(str_equal(bed_row(&bed, id).reason_code, STR("CHILD_REFUSED")));
    bed_define(&bed, later);
    bed_verb(&bed, 0, id, CORE_EVENT_RETRY);
    bed_settle(&bed);
    bed_expect(&bed, id, "compensated");
    memory_bus_send(bed.world.broker, &lost);
    bed_settle(&bed);
    cr_assert(not(bed_has_command(&bed)), "the child does not begin any more");
    bed_expect(&bed, child_of(&bed, id), "compensated");
    cr_assert(eq(u32, children(&bed, id, &rows), 1));
    bed_close(&bed);
}

Test(children, one_that_cannot_begin_is_refused_with_a_reason)
{
    static const char *const wrong[] = {
        "saga: wrong\nversion: 1\nsteps: [ { saga: { id: bill, name: nothing } } ]\n",
        "saga: wrong\nversion: 2\nsteps: [ { saga: { id: bill, name: billing, version: 9 } } ]\n",
        "saga: wrong\nversion: 3\nsteps: [ { saga: { id: bill, name: billing, with: { what: 7 } } } ]\n"};
    struct bed bed;
    open_bed(&bed);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err_note note = {""};
        struct bed_call *call = &bed.calls[bed.call_count++];
        bed_define(&bed, wrong[i]);
        struct engine *engine = bed.world.hosts[0].engine;
        struct engine_start start = {.plan =
                                         registry_find(engine_registry(engine), STR("wrong"), (int32_t)i + 1),
                                     .input = &json_null};
        cr_assert(engine_start(engine, &start, bed_call(call), &note) == ERR_OK);
        bed_settle(&bed);
        bed_expect(&bed, call->answer.id, "compensated");
        cr_assert(str_equal(bed_row(&bed, call->answer.id).reason_code, STR("CHILD_REFUSED")));
    }
    bed_close(&bed);
}

Test(children, a_disabled_version_takes_no_new_children)
{
    struct bed bed;
    struct err_note note = {""};
    open_bed(&bed);
    struct bed_call *call = bed_start_of(&bed, 0, "sold", "", "{\"what\":\"tea\"}");
    bed_settle(&bed);
    cr_assert(registry_enable(engine_registry(bed.world.hosts[0].engine), bed.store, STR("billing"), 1, false,
                              &note) == ERR_OK);
    bed_answer(&bed, "shop.reserve", "ok", "1");
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, call->answer.id, "compensated");
    bed_close(&bed);
}

Test(children, a_business_key_is_not_shared_with_a_child)
{
    static const char keyed[] = "saga: billing\nversion: 2\nkey: ${ $input.what }\nsteps:\n"
                                "  - { id: charge, command: shop.charge, compensate: shop.refund }\n";
    struct bed bed;
    struct err_note note = {""};
    open_bed(&bed);
    bed_define(&bed, keyed);
    struct engine *engine = bed.world.hosts[0].engine;
    struct bed_call *other = &bed.calls[bed.call_count++];
    struct engine_start start = {.plan = registry_find(engine_registry(engine), STR("billing"), 2),
                                 .input = &json_null,
                                 .key = STR("tea")};
    cr_assert(engine_start(engine, &start, bed_call(other), &note) == ERR_OK);
    bed_settle(&bed);
    bed_take(&bed, "shop.charge");
    struct id id = begun(&bed);
    bed_answer(&bed, "shop.release", "ok", "1");
    cr_assert(str_equal(bed_row(&bed, id).reason_code, STR("CHILD_REFUSED")));
    bed_close(&bed);
}

/* With the rights to start sagas, and all that a command to a child says. */
Test(children, a_starter_neither_starts_nor_undoes_a_child)
{
    struct bed bed;
    open_bed(&bed);
    struct id id = begun(&bed);
    struct id child = child_of(&bed, id);
    struct bus_message undo = bed.child;
    undo.subject = STR("saga.start.billing");
    for (uint32_t i = 0; i < undo.header_count; i++) {
        if (str_equal(undo.headers[i].name, STR("Saga-Kind")))
            undo.headers[i].value = STR("undo");
        if (str_equal(undo.headers[i].name, STR("Saga-Command"))) {
            struct str command = undo.headers[i].value;
            undo.headers[i].value = arena_printf(&bed.arena, "%.*s/bill/undo/1", ID_TEXT_SIZE, command.data);
        }
    }
    memory_bus_send(bed.world.broker, &undo);
    undo.subject = STR("saga.child.billing");
    memory_bus_send(bed.world.broker, &undo);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "Saga-Child"), 1));
    cr_assert(eq(u32, bed_dead_letters(&bed, "Saga-Proof"), 1));
    bed_expect(&bed, child, "running");
    bed_answer(&bed, "shop.charge", "ok", "77");
    bed_expect(&bed, child, "completed");
    bed_close(&bed);
}

/* Should somebody's rights hold the engines' own subject. */
Test(children, nobody_else_answers_for_a_child)
{
    struct bed bed;
    open_bed(&bed);
    struct id id = begun(&bed);
    struct bus_message forged = {.subject = bus_header(&bed.child, STR("Saga-Reply-To")),
                                 .body = STR("{\"number\":0}")};
    bus_header_add(&forged, STR("Saga-Command"), bus_header(&bed.child, STR("Saga-Command")));
    memory_bus_send(bed.world.broker, &forged);
    bus_header_add(&forged, STR("Saga-Proof"), bus_header(&bed.child, STR("Saga-Proof")));
    memory_bus_send(bed.world.broker, &forged);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "Saga-Proof is not that of an engine"), 2));
    bed_answer(&bed, "shop.charge", "ok", "77");
    struct bus_message ship = bed_take(&bed, "shop.ship");
    cr_assert(str_equal(ship.body, STR("{\"bill\":77}")), "%.*s", STR_ARG(ship.body));
    bed_expect(&bed, id, "running");
    bed_close(&bed);
}

Test(children, only_its_own_parent_may_command_a_child)
{
    struct bed bed;
    open_bed(&bed);
    struct id id = begun(&bed);
    struct bus_message forged = bed.child;
    char stranger[ID_TEXT_SIZE + 1];
    struct bed_call *other = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    id_format(other->answer.id, stranger);
    for (uint32_t i = 0; i < forged.header_count; i++)
        if (str_equal(forged.headers[i].name, STR("Saga-Child")))
            forged.headers[i].value = str_from(stranger);
    memory_bus_send(bed.world.broker, &forged);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "Saga-Proof is not that of an engine"), 1));
    bed_stamp(&bed, &forged);
    memory_bus_send(bed.world.broker, &forged);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "not a child of this parent"), 1));
    bed_expect(&bed, other->answer.id, "running");
    bed_expect(&bed, id, "running");
    bed_close(&bed);
}

Test(children, a_child_lives_wherever_its_shard_is)
{
    struct bed bed;
    struct err_note note;
    struct id ids[8];
    uint32_t apart = 0;
    bed_open(&bed, 1);
    bed.world.options.shards_max = 1;
    world_stop(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK && world_boot(&bed.world, 1, &note) == ERR_OK);
    bed_define(&bed, billing);
    bed_define(&bed, sold);
    for (uint32_t i = 0; i < 8; i++) {
        struct bed_call *call = bed_start_of(&bed, i % 2, "sold", "", "{\"what\":\"tea\"}");
        bed_settle(&bed);
        ids[i] = call->answer.id;
        bed_answer(&bed, "shop.reserve", "ok", "1");
        apart += id_shard(child_of(&bed, ids[i])) != id_shard(ids[i]);
        bed_answer(&bed, "shop.charge", "ok", "1");
        bed_answer(&bed, "shop.ship", i % 2 == 0 ? "ok" : "rejected", "1");
        if (i % 2 == 0)
            continue;
        bed_answer(&bed, "shop.refund", "ok", "1");
        bed_answer(&bed, "shop.release", "ok", "1");
    }
    for (uint32_t i = 0; i < 8; i++)
        bed_expect(&bed, ids[i], i % 2 == 0 ? "completed" : "compensated");
    cr_assert(gt(u32, apart, 0), "none of the children had to cross");
    bed_close(&bed);
}

/* Each child has one child: counts the family below a saga. */
static uint32_t generations(struct bed *bed, struct id parent)
{
    struct store_saga *rows = NULL;
    uint32_t count = 0;
    while (children(bed, parent, &rows) > 0) {
        parent = rows[0].id;
        count++;
    }
    return count;
}

Test(children, a_saga_that_starts_itself_comes_to_an_end)
{
    struct bed bed;
    open_bed(&bed);
    bed_define(&bed, "saga: mirror\n"
                     "version: 1\n"
                     "steps:\n"
                     "  - saga: { id: again, name: mirror }\n");
    struct bed_call *call = bed_start_of(&bed, 0, "mirror", "", "{}");
    bed_settle(&bed);
    cr_assert(call->count == 1 && call->answer.error == ERR_OK, "%s", call->message);
    for (int i = 0; i < 4 * LIMITS_CHILD_DEPTH; i++) /* a few turns for each one's begin and end */
        bed_settle(&bed);
    bed_expect(&bed, call->answer.id, "compensated");
    cr_assert(str_equal(bed_row(&bed, call->answer.id).reason_code, STR("CHILD_REFUSED")));
    cr_assert(eq(u32, generations(&bed, call->answer.id), LIMITS_CHILD_DEPTH));
    bed_close(&bed);
}

static void define_with_output(struct bed *bed)
{
    bed_open(bed, 1);
    bed_define(bed, "saga: billing\nversion: 1\nsteps:\n"
                    "  - { id: charge, command: shop.charge, compensate: shop.refund }\n"
                    "output: { number: \"${ $steps.charge.output + 1 }\" }\n");
    bed_define(bed, sold);
}

/* The child stays as it is, for its people; its parent does not go on without knowing. */
Test(children, a_child_whose_output_cannot_be_computed_stops_its_parent_until_it_is_given)
{
    struct bed bed;
    define_with_output(&bed);
    struct id id = begun(&bed);
    struct id child = child_of(&bed, id);
    bed_answer(&bed, "shop.charge", "ok", "\"seventy\"");
    bed_expect(&bed, child, "parked");
    cr_assert(str_equal(bed_row(&bed, child).reason_code, STR("OUTPUT_FAILED")));
    bed_expect(&bed, id, "parked");
    cr_assert(str_equal(bed_row(&bed, id).reason_code, STR("OUTPUT_FAILED")));
    cr_assert(not(bed_has_command(&bed)), "nothing goes out with a null for the number");
    bed_verb(&bed, 0, id, CORE_EVENT_RETRY);
    bed_settle(&bed);
    bed_expect(&bed, id, "parked");
    struct json_member number = {STR("number"), &json_true};
    bed_event(&bed, 0, child,
              &(struct core_event){.kind = CORE_EVENT_FORCE,
                                   .actor = STR("ann"),
                                   .body = json_new_object(&bed.arena, &number, 1)});
    bed_settle(&bed);
    bed_expect(&bed, child, "completed");
    struct bus_message ship = bed_take(&bed, "shop.ship");
    cr_assert(str_equal(ship.body, STR("{\"bill\":true}")), "%.*s", STR_ARG(ship.body));
    bed_reply(&bed, &ship, "ok", "1");
    bed_settle(&bed);
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(children, a_child_without_output_is_undone_with_its_parent)
{
    struct bed bed;
    define_with_output(&bed);
    struct id id = begun(&bed);
    bed_answer(&bed, "shop.charge", "ok", "\"seventy\"");
    bed_expect(&bed, id, "parked");
    bed_verb(&bed, 0, id, CORE_EVENT_CANCEL);
    bed_settle(&bed);
    bed_answer(&bed, "shop.refund", "ok", "1");
    bed_expect(&bed, child_of(&bed, id), "compensated");
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, id, "compensated");
    bed_close(&bed);
}

/* Whatever is lost on the way: the parent asks again, and is told again. */
Test(children, a_parent_hears_of_a_missing_output_though_the_first_word_of_it_is_lost)
{
    struct bed bed;
    define_with_output(&bed);
    struct id id = begun(&bed);
    bed.next_reply = WORLD_LOST;
    bed_answer(&bed, "shop.charge", "ok", "\"seventy\"");
    bed_expect(&bed, id, "running");
    for (int i = 0; i < 24; i++)
        bed_advance(&bed, 5 * DURATION_SECOND_US);
    bed_expect(&bed, id, "parked");
    cr_assert(str_equal(bed_row(&bed, id).reason_code, STR("OUTPUT_FAILED")));
    bed_close(&bed);
}

Test(children, an_output_larger_than_the_server_takes_is_told_to_the_parent)
{
    struct bed bed;
    open_bed(&bed);
    struct id id = begun(&bed);
    struct buf large;
    buf_init(&large, &bed.arena);
    for (int i = 0; i < 3000; i++)
        buf_puts(&large, i == 0 ? "\"xx" : "x");
    buf_put(&large, (struct str){"\"", 2}); /* ends as a text of C does */
    memory_bus_bound(bed.world.broker, 2000);
    bed_answer(&bed, "shop.charge", "ok", buf_str(&large).data);
    bed_expect(&bed, child_of(&bed, id), "completed");
    bed_expect(&bed, id, "parked");
    cr_assert(str_equal(bed_row(&bed, id).reason_code, STR("UNSENDABLE")));
    cr_assert(not(bed_has_command(&bed)));
    bed_verb(&bed, 0, id, CORE_EVENT_CANCEL);
    bed_settle(&bed);
    bed_answer(&bed, "shop.refund", "ok", "1");
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, id, "compensated");
    bed_close(&bed);
}
