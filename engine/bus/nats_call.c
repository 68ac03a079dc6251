/* Calls between engines, on the publisher's connection.
 *
 * Happy path: a slot is taken, the request leaves for saga.ctl.<shard> with the reply subject
 * <inbox>.c.<ticket>.<token>, and what comes back there ends the slot. Otherwise the deadline ends it, or the
 * loss of the connection does. The token is this process's own secret: others learn the inbox from what is
 * published, but may not answer for an owner. */
#include "engine/bus/nats_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/clock.h"
#include "engine/base/rng.h"

enum { EXPIRE_AT_ONCE = 256 };
_Static_assert((int)NATS_SLOTS_MAX == (int)BUS_CALLS_MAX, "one slot for each call");

static uint64_t token_of(const struct nats_bus *bus, uint64_t ticket)
{
    return rng_mix(bus->call_secret, ticket);
}

enum err nats_call(struct bus *base, uint32_t shard, struct str body, int64_t timeout_us, uint64_t cookie,
                   struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    char subject[NATS_NAME_BYTES];
    char reply[NATS_LINE_INBOX_BYTES + NATS_TOKEN_SIZE + 64];
    uint64_t ticket = 0;
    natsMsg *made = NULL;
    if (!nats_slots_take(&bus->calls, cookie, clock_monotonic_us() + timeout_us, &ticket))
        return err_note(note, ERR_FULL, "%d calls are unanswered", BUS_CALLS_MAX);
    snprintf(subject, sizeof subject, "saga.ctl.%" PRIu32, shard);
    snprintf(reply, sizeof reply, "%s.c.%s.%" PRIx64 ".%" PRIx64, nats_line_inbox(bus->publisher),
             bus->publish_token, ticket, token_of(bus, ticket));
    struct bus_message message = {.subject = str_from(subject), .body = body};
    enum err err = nats_message_make(&message, STR(""), reply, &made, note);
    if (err == ERR_OK) {
        err = nats_line_send(bus->publisher, made, note);
        natsMsg_Destroy(made);
    }
    /* When the slot is not ours any more, the loss of the connection has answered it already. */
    if (err != ERR_OK && !nats_slots_end(&bus->calls, ticket, NULL))
        return ERR_OK;
    return err;
}

static void tell(struct nats_bus *bus, struct bus_delivery *delivery)
{
    delivery->source = BUS_SOURCE_CALLED;
    delivery->delivery_count = 1;
    (void)bus->callbacks.deliver(bus->callbacks.context, delivery);
}

void nats_call_answered(struct nats_bus *bus, const char *text, natsMsg *message)
{
    struct bus_delivery delivery = {.error = ERR_OK};
    char *rest = NULL;
    uint64_t ticket = strtoull(text, &rest, 16);
    bool ours = *rest == '.' && strtoull(rest + 1, NULL, 16) == token_of(bus, ticket);
    if (ours && nats_slots_end(&bus->calls, ticket, &delivery.cookie)) {
        if (nats_message_read(message, &delivery.message) == 503)
            delivery.error = ERR_UNAVAILABLE;
        tell(bus, &delivery);
    }
    natsMsg_Destroy(message);
}

void nats_call_expire(struct nats_bus *bus, int64_t now_us)
{
    uint64_t cookies[EXPIRE_AT_ONCE];
    uint32_t count;
    while ((count = nats_slots_expire(&bus->calls, now_us, cookies, EXPIRE_AT_ONCE)) > 0)
        for (uint32_t i = 0; i < count; i++)
            tell(bus, &(struct bus_delivery){.cookie = cookies[i], .error = ERR_TIMEOUT});
}
