/* What comes together is decided together only as far as one commit may hold. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/bus/memory_broker.h"
#include "tests/runtime/bed.h"

static const char heavy[] =
    "saga: heavy\nversion: 1\nsteps:\n"
    "  - foreach:\n      id: all\n      in: ${ $input.items }\n      as: item\n"
    "      max_items: 100\n      max_concurrency: 100\n      steps:\n"
    "        - { id: go, command: shop.go, with: '${ $input.s * 1000 }', compensate: none }\n";

static struct bed bed;

static void set_up(void)
{
    bed_open(&bed, 1);
    bed_define(&bed, heavy);
}

static void tear_down(void)
{
    bed_close(&bed);
}

TestSuite(bounds, .init = set_up, .fini = tear_down, .timeout = 300);

static const char *input_of(uint32_t items)
{
    struct buf out;
    buf_init(&out, &bed.arena);
    buf_puts(&out, "{\"s\":\"");
    for (int i = 0; i < 200; i++)
        buf_char(&out, 'x');
    buf_puts(&out, "\",\"items\":[0");
    for (uint32_t i = 1; i < items; i++)
        buf_puts(&out, ",0");
    buf_puts(&out, "]}");
    buf_char(&out, '\0');
    return out.data;
}

Test(bounds, heavy_starts_are_stored_in_batches_that_fit)
{
    enum { STARTS = 5, ITEMS = 40 };
    struct bed_call *starts[STARTS];
    for (int i = 0; i < STARTS; i++)
        starts[i] = bed_start_of(&bed, 0, "heavy", "", input_of(ITEMS));
    struct bed_call *light = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_advance(&bed, 500000);
    cr_expect(bed.largest_batch <= LIMITS_BATCH_BYTES + 2 * LIMITS_RECORD_BYTES, "%zu bytes in one commit",
              bed.largest_batch);
    cr_expect(bed.longest_row <= 2 * LIMITS_RECORD_BYTES, "%zu bytes in one row", bed.longest_row);
    for (int i = 0; i < STARTS; i++)
        cr_expect(starts[i]->count == 1 && starts[i]->answer.error == ERR_OK);
    cr_expect(light->count == 1 && light->answer.error == ERR_OK, "what is light goes on beside");
    cr_expect(eq(u32, bed.published_commands, STARTS * ITEMS + 1));
}

/* Timers and items take turns in batches that are full. */
Test(bounds, timers_fire_beside_items_that_fill_every_batch)
{
    struct bed_call *waiting = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    bed_take(&bed, "shop.reserve");
    for (int i = 0; i < 6; i++)
        bed_start_of(&bed, 0, "heavy", "", input_of(40));
    bed_advance(&bed, 5 * DURATION_SECOND_US);
    cr_expect(waiting->count == 1);
    cr_expect(bed_find(&bed, "shop.reserve"), "its second attempt was sent");
}

static const char chain[] =
    "saga: chain\nversion: 1\ndefaults: { timeout: 1h }\nsteps:\n"
    "  - { id: a, command: shop.go, with: '${ $input.s * 1000 }', compensate: none }\n"
    "  - { id: b, command: shop.go, with: '${ $input.s * 1000 }', compensate: none }\n"
    "  - { id: c, command: shop.go, with: '${ $input.s * 1000 }', compensate: none }\n"
    "  - { id: d, command: shop.go, with: '${ $input.s * 1000 }', compensate: none }\n"
    "  - { id: e, command: shop.go, with: '${ $input.s * 1000 }', compensate: none }\n"
    "  - { id: f, command: shop.go, with: '${ $input.s * 1000 }', compensate: none }\n"
    "  - { id: g, command: shop.go, with: '${ $input.s * 1000 }', compensate: none }\n";

/* Each next command of theirs takes a fifth of what one commit may hold. */
Test(bounds, sagas_with_large_bodies_keep_nobody_waiting)
{
    enum { CHAINS = 12, BEFORE = 5 };
    bed_define(&bed, chain);
    for (int i = 0; i < CHAINS; i++)
        bed_start_of(&bed, 0, "chain", "", input_of(1));
    bed_advance(&bed, 200000);
    for (int i = 0; i < CHAINS * BEFORE; i++)
        bed_answer(&bed, "shop.go", "ok", "{}");
    bed_advance(&bed, 200000);
    for (int i = 0; i < CHAINS; i++) {
        struct bus_message command = bed_take(&bed, "shop.go");
        bed_reply(&bed, &command, "ok", "{}");
    }
    world_deliver(&bed.world, 1000);
    struct bed_call *light = bed_start(&bed, 0, "", "{\"what\":1}");
    world_turn(&bed.world, 0);
    cr_expect(eq(u32, light->count, 1), "it waits for what others store");
    bed_advance(&bed, 200000);
    for (int i = 0; i < CHAINS; i++)
        cr_expect(bed_find(&bed, "shop.go"), "and they go on");
}

static void live_and_die(const char *reason)
{
    struct err_note note = {""};
    for (int life = 0; life < 20 && bed_dead_letters(&bed, reason) == 0; life++) {
        bed_settle(&bed);
        if (!world_is_up(&bed.world, 0)) {
            world_bury(&bed.world, 0);
            world_advance(&bed.world, 15 * DURATION_SECOND_US);
            cr_assert(eq(int, world_boot(&bed.world, 0, &note), ERR_OK), "%s", note.text);
        }
        memory_bus_redeliver(bed.world.broker);
    }
    cr_expect(eq(u32, bed_dead_letters(&bed, reason), 1));
    bed_settle(&bed);
    cr_expect(world_is_up(&bed.world, 0));
}

/* A message that ends every engine that takes it, by a fault that nobody knows yet. */
Test(bounds, a_message_that_ends_its_owners_becomes_a_dead_letter)
{
    struct bus_message poison = {.subject = STR("saga.start.order"), .body = STR("{\"what\":\"poison\"}")};
    struct bus_message good = {.subject = STR("saga.start.order"), .body = STR("{\"what\":\"tea\"}")};
    bed.deadly = "poison";
    memory_bus_send(bed.world.broker, &poison);
    memory_bus_send(bed.world.broker, &good);
    live_and_die("alone in hand");
    cr_expect(eq(u32, bed.published_commands, 1), "its neighbour began, once");
}

/* Each owner of a shard makes its consumer anew, so that the broker counts from one again. */
Test(bounds, so_does_a_reply)
{
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    bed.deadly = "poison";
    bed_answer(&bed, "shop.reserve", "ok", "{\"r\":\"poison\"}");
    live_and_die("alone in hand");
    bed_expect(&bed, start->answer.id, "running");
}

/* The inbox was full, the database away: the broker brings it again and again, and its owner lives. */
Test(bounds, what_nobody_had_time_for_accuses_nobody)
{
    enum { STARTS = 20, OFTEN = 9 };
    struct bus_message start = {.subject = STR("saga.start.order"), .body = STR("{\"what\":\"tea\"}")};
    for (int i = 0; i < STARTS; i++)
        memory_bus_send(bed.world.broker, &start);
    for (struct stored *it = bed.world.broker->first; it != NULL; it = it->next)
        it->delivery_count = OFTEN;
    bed_settle(&bed);
    cr_expect(eq(u32, bed.published_commands, STARTS));
    cr_expect(eq(u32, bed.largest_append, STARTS), "they are taken together");
}
