/* A host's end of the bus: every call is an action, and the hooks' faults come in here. Part of
 * world_parts.h; the engines call it as their bus. Never decides which fault: the hooks do. */
#include "engine/sim/world_parts.h"

#include <stdio.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"

struct world_bus {
    struct bus base; /* first */
    struct world_host *host;
};

static struct world_host *host_of(struct bus *bus)
{
    return ((struct world_bus *)bus)->host;
}

static enum err enter(struct bus *bus, struct err_note *note)
{
    struct world_host *host = host_of(bus);
    if (!world_act(host) || host->world->bus_down || host->cut)
        return err_note(note, ERR_UNAVAILABLE, "the broker is away");
    return ERR_OK;
}

static enum err participants(struct bus *bus, const struct bus_participant *list, uint32_t count,
                             struct err_note *note)
{
    enum err error = enter(bus, note);
    return error == ERR_OK ? bus_participants(host_of(bus)->inner, list, count, note) : error;
}

static enum err look(struct bus *bus, struct str participant, uint64_t cookie)
{
    enum err error = enter(bus, NULL);
    return error == ERR_OK ? bus_look(host_of(bus)->inner, participant, cookie) : error;
}

static enum err take_back(struct bus *bus, uint64_t sequence, uint64_t cookie)
{
    enum err error = enter(bus, NULL);
    return error == ERR_OK ? bus_take_back(host_of(bus)->inner, sequence, cookie) : error;
}

static enum err listen(struct bus *bus, uint32_t shard, int64_t epoch, struct err_note *note)
{
    struct world_host *host = host_of(bus);
    enum err error = enter(bus, note);
    if (error != ERR_OK)
        return error;
    return bus_listen(host->inner, shard, epoch, note);
}

static void unlisten(struct bus *bus, uint32_t shard)
{
    bus_unlisten(host_of(bus)->inner, shard);
}

static enum err listen_in(struct bus *bus, struct err_note *note)
{
    enum err error = enter(bus, note);
    return error == ERR_OK ? bus_listen_in(host_of(bus)->inner, note) : error;
}

static void unlisten_in(struct bus *bus)
{
    bus_unlisten_in(host_of(bus)->inner);
}

static void notify(struct world_notice *list, uint32_t *count, struct world_notice notice)
{
    check(*count < WORLD_FORCED_MAX);
    list[(*count)++] = notice;
}

static void keep_late(struct world *world, const struct bus_message *message)
{
    struct world_late *late = memory_new(1, sizeof *late);
    arena_init(&late->arena, 0);
    late->due_us = world->clock_us + world->late_us;
    late->message = *message;
    late->message.subject = arena_copy(&late->arena, message->subject);
    late->message.body = arena_copy(&late->arena, message->body);
    for (uint32_t i = 0; i < message->header_count; i++) {
        late->message.headers[i].name = arena_copy(&late->arena, message->headers[i].name);
        late->message.headers[i].value = arena_copy(&late->arena, message->headers[i].value);
    }
    late->next = world->late;
    world->late = late;
}

static enum err publish(struct bus *bus, const struct bus_message *message, struct str id, uint64_t cookie,
                        struct err_note *note)
{
    struct world_host *host = host_of(bus);
    const struct world_hooks *hooks = &host->world->hooks;
    enum err error = enter(bus, note);
    if (error != ERR_OK)
        return error;
    enum world_fate fate =
        hooks->publish != NULL ? hooks->publish(hooks->context, host, message) : WORLD_FINE;
    switch (fate) {
    case WORLD_REFUSED:
        return err_note(note, ERR_UNAVAILABLE, "the broker is away, as asked for");
    case WORLD_LOST:
        if (hooks->published != NULL)
            hooks->published(hooks->context, host, message);
        notify(host->notices, &host->notice_count,
               (struct world_notice){cookie, ERR_OK, memory_bus_waste(host->world->broker)});
        return ERR_OK;
    case WORLD_LATE:
        keep_late(host->world, message);
        notify(host->notices, &host->notice_count, (struct world_notice){cookie, ERR_TIMEOUT, 0});
        return ERR_OK;
    case WORLD_ANSWER_LOST:
        notify(host->forced, &host->forced_count, (struct world_notice){cookie, ERR_TIMEOUT, 0});
        break;
    case WORLD_FINE:
    case WORLD_FORGOTTEN:
        break;
    }
    if (hooks->published != NULL)
        hooks->published(hooks->context, host, message);
    return bus_publish(host->inner, message, fate == WORLD_FORGOTTEN ? STR("") : id, cookie, note);
}

static enum err request(struct bus *bus, const struct bus_message *message, struct str ticket,
                        struct err_note *note)
{
    struct world_host *host = host_of(bus);
    const struct world_hooks *hooks = &host->world->hooks;
    enum err error = enter(bus, note);
    if (error != ERR_OK)
        return error;
    enum world_fate fate =
        hooks->publish != NULL ? hooks->publish(hooks->context, host, message) : WORLD_FINE;
    if (fate == WORLD_REFUSED)
        return err_note(note, ERR_UNAVAILABLE, "the broker is away, as asked for");
    if (hooks->published != NULL)
        hooks->published(hooks->context, host, message);
    return fate == WORLD_LOST ? ERR_OK : bus_request(host->inner, message, ticket, note);
}

static enum err holder(struct bus *bus, struct str subject, char stream[BUS_STREAM_BYTES],
                       struct err_note *note)
{
    enum err error = enter(bus, note);
    return error == ERR_OK ? bus_holder(host_of(bus)->inner, subject, stream, note) : error;
}

static enum err answer(struct bus *bus, struct str ack, struct str body)
{
    struct world_host *host = host_of(bus);
    enum err error = enter(bus, NULL);
    if (error != ERR_OK)
        return error;
    if (host->answer_arena == NULL || !str_equal(ack, str_from(host->call_ack)))
        return bus_answer(host->inner, ack, body);
    host->answer = arena_copy(host->answer_arena, body);
    host->answered = true;
    return ERR_OK;
}

/* Ended in virtual time by world_end_calls, if not by an answer: the broker's own clock is another one. */
static enum err call(struct bus *bus, uint32_t shard, struct str body, int64_t timeout_us, uint64_t cookie,
                     struct err_note *note)
{
    static const int64_t hour_us = INT64_C(3600000000);
    struct world_host *host = host_of(bus);
    enum err error = enter(bus, note);
    if (error == ERR_OK && host->call_count == WORLD_CALLS_MAX)
        error = err_note(note, ERR_FULL, "too many calls");
    if (error == ERR_OK)
        error = bus_call(host->inner, shard, body, hour_us, cookie, note);
    if (error == ERR_OK)
        host->calls[host->call_count++] = (struct world_call){cookie, host->world->clock_us + timeout_us};
    return error;
}

static bool forget_call(struct world_host *host, uint64_t cookie)
{
    for (uint32_t i = 0; i < host->call_count; i++)
        if (host->calls[i].cookie == cookie) {
            host->calls[i] = host->calls[--host->call_count];
            return true;
        }
    return false;
}

void world_end_calls(struct world_host *host)
{
    for (uint32_t i = 0; i < host->call_count;) {
        struct world_call call = host->calls[i];
        if (call.until_us > host->world->clock_us) {
            i++;
            continue;
        }
        struct bus_delivery late = {
            .source = BUS_SOURCE_CALLED, .cookie = call.cookie, .error = ERR_TIMEOUT, .delivery_count = 1};
        host->calls[i] = host->calls[--host->call_count];
        (void)host->callbacks.deliver(host->callbacks.context, &late);
    }
}

static void acknowledge(struct bus *bus, struct str ack)
{
    struct world_host *host = host_of(bus);
    const struct world_hooks *hooks = &host->world->hooks;
    if (enter(bus, NULL) != ERR_OK)
        return;
    if (hooks->acknowledged != NULL)
        hooks->acknowledged(hooks->context, host, ack);
    bus_ack(host->inner, ack);
}

static void give_back(struct bus *bus, struct str ack, int64_t delay_us)
{
    if (enter(bus, NULL) == ERR_OK)
        bus_give_back(host_of(bus)->inner, ack, delay_us);
}

static void flush(struct bus *bus)
{
    (void)bus;
}

static enum err probe(struct bus *bus, struct err_note *note)
{
    return enter(bus, note);
}

static uint32_t in_flight(struct bus *bus)
{
    return bus_in_flight(host_of(bus)->inner) + host_of(bus)->notice_count;
}

static void close_bus(struct bus *bus)
{
    bus_close(host_of(bus)->inner);
    host_of(bus)->inner = NULL;
    memory_free(bus);
}

static const struct bus_ops ops = {
    .participants = participants,
    .listen = listen,
    .unlisten = unlisten,
    .listen_in = listen_in,
    .unlisten_in = unlisten_in,
    .look = look,
    .take_back = take_back,
    .publish = publish,
    .request = request,
    .holder = holder,
    .answer = answer,
    .call = call,
    .ack = acknowledge,
    .give_back = give_back,
    .flush = flush,
    .probe = probe,
    .in_flight = in_flight,
    .close = close_bus,
};

static bool deliver(void *context, const struct bus_delivery *delivery)
{
    struct world_host *host = context;
    const struct world_hooks *hooks = &host->world->hooks;
    if (host->dead || host->cut)
        return false;
    if (delivery->source == BUS_SOURCE_CALLED && !forget_call(host, delivery->cookie))
        return true; /* it came too late */
    if (hooks->delivered != NULL)
        hooks->delivered(hooks->context, host, delivery);
    return host->callbacks.deliver(host->callbacks.context, delivery);
}

static void published(void *context, const struct bus_published *answer)
{
    struct world_host *host = context;
    struct bus_published told = *answer;
    for (uint32_t i = 0; i < host->forced_count; i++)
        if (host->forced[i].cookie == answer->cookie) {
            told = (struct bus_published){.cookie = answer->cookie,
                                          .error = host->forced[i].error,
                                          .cause = STR("the answer was lost, as asked for")};
            host->forced[i] = host->forced[--host->forced_count];
            break;
        }
    if (host->cut)
        told.error = ERR_UNAVAILABLE;
    host->callbacks.published(host->callbacks.context, &told);
}

static void seen(void *context, const struct bus_sight *sight)
{
    struct world_host *host = context;
    if (!host->dead)
        host->callbacks.seen(host->callbacks.context, sight);
}

static void taken_back(void *context, uint64_t cookie, enum err error)
{
    struct world_host *host = context;
    if (!host->dead)
        host->callbacks.taken_back(host->callbacks.context, cookie, error);
}

static void connected(void *context, bool is_connected)
{
    struct world_host *host = context;
    host->callbacks.connected(host->callbacks.context, is_connected);
}

enum err world_open_bus(void *context, const struct bus_callbacks *callbacks, struct bus **bus,
                        struct err_note *note)
{
    struct world_host *host = context;
    if (!world_act(host) || host->world->bus_down || host->cut)
        return err_note(note, ERR_UNAVAILABLE, "the broker is away");
    struct world_bus *opened = memory_new(1, sizeof *opened);
    struct bus_callbacks between = {.context = host,
                                    .deliver = deliver,
                                    .published = published,
                                    .seen = seen,
                                    .taken_back = taken_back,
                                    .connected = connected};
    *opened = (struct world_bus){.base = {.ops = &ops}, .host = host};
    host->callbacks = *callbacks;
    host->inner = memory_bus_open(host->world->broker, &between);
    *bus = &opened->base;
    return ERR_OK;
}
