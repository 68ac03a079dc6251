/* Lifecycle events go to whoever listens: they name what went wrong, and no value of an input or a reply. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include "tests/runtime/bed.h"

#define CARD "4111-1111-1111-1111"

static const char faulty[] =
    "saga: faulty\nversion: 1\nsteps:\n"
    "  - { id: ask, command: shop.ask, timeout: 2s, retry: { max_attempts: 1 }, on_timeout: compensate,\n"
    "      compensate: none, output: { schema: { type: object, properties: { n: { maxLength: 3 } } } } }\n"
    "  - { id: pay, command: shop.pay, with: { n: '${ $input.card | tonumber }' }, compensate: none }\n";

static struct {
    uint32_t count, telling, compensated;
} events;

static bool tells(struct str text)
{
    return text.size > 0 && memmem(text.data, text.size, "4111", 4) != NULL;
}

static void look(void *context, struct world_host *host, const struct bus_message *message)
{
    (void)context, (void)host;
    if (!str_starts(message->subject, STR("saga.event.")))
        return;
    events.count++;
    events.compensated += str_ends(message->subject, STR(".compensated"));
    events.telling += tells(message->subject) || tells(message->body);
    for (uint32_t i = 0; i < message->header_count; i++)
        events.telling += tells(message->headers[i].value);
}

static void end_with(const char *answer)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.world.hooks.published = look;
    bed_define(&bed, faulty);
    bed_start_of(&bed, 0, "faulty", "", "{\"card\":\"" CARD "\"}");
    bed_settle(&bed);
    bed_answer(&bed, "shop.ask", "ok", answer);
    bed_advance(&bed, 3000000);
    bed_close(&bed);
}

Test(event_secrets, events_tell_no_value)
{
    end_with("{}");                   /* the next step's body cannot be computed */
    end_with("{\"n\":\"" CARD "\"}"); /* against its schema: put aside, and the time runs out */
    cr_assert(eq(u32, events.compensated, 2));
    cr_assert(ge(u32, events.count, 4));
    cr_assert(eq(u32, events.telling, 0));
}
