/* Calls between engines (saga.ctl.<shard>) and probes, on the admin connection. Its subscriptions share
 * nats.c's delivery thread, so that listening to many shards does not take many threads. */
#include "engine/bus/nats_parts.h"
#include "engine/bus/stranger.h"
#include "engine/bus/subject.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static natsStatus connect_admin(struct nats_bus *bus)
{
    natsOptions *options = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = nats_line_set(&bus->line, options);
    if (status == NATS_OK)
        status = natsOptions_SetMaxReconnect(options, -1);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectWait(options, NATS_LINE_RETRY_MS);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, NATS_LINE_BEAT_US / 1000);
    if (status == NATS_OK)
        status = natsOptions_SetMaxPingsOut(options, NATS_LINE_BEATS_MAX);
    if (status == NATS_OK)
        status = natsOptions_SetFailRequestsOnDisconnect(options, true);
    if (status == NATS_OK)
        status = natsOptions_UseGlobalMessageDelivery(options, true);
    if (status == NATS_OK)
        status = natsConnection_Connect(&bus->admin, options);
    natsOptions_Destroy(options);
    return status;
}

enum err nats_control_open(struct nats_bus *bus, struct err_note *note)
{
    natsStatus status = connect_admin(bus);
    if (status == NATS_OK)
        status = natsConnection_JetStream(&bus->js, bus->admin, NULL);
    if (status != NATS_OK)
        return err_note(note, ERR_UNAVAILABLE, "NATS does not answer at %s: %s", bus->line.url,
                        natsStatus_GetText(status));
    return ERR_OK;
}

void nats_control_close(struct nats_bus *bus)
{
    jsCtx_Destroy(bus->js);
    if (bus->admin != NULL)
        natsConnection_Close(bus->admin);
    natsConnection_Destroy(bus->admin);
}

static void on_control(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *closure)
{
    (void)connection;
    struct nats_bus *bus = closure;
    struct str subject = str_from(natsMsg_GetSubject(message));
    struct bus_delivery delivery = {.source = BUS_SOURCE_CONTROL, .delivery_count = 1};
    delivery.ack = str_from(natsMsg_GetReply(message));
    (void)nats_message_read(message, &delivery.message);
    if (!str_equal(subject, str_from(natsSubscription_GetSubject(subscription))) ||
        !subject_control(subject, &delivery.shard))
        stranger_refuse(STRANGER_SUBJECT, subject);
    else if (delivery.ack.size > 0)
        (void)bus->callbacks.deliver(bus->callbacks.context, &delivery);
    natsMsg_Destroy(message);
}

enum err nats_control_serve(struct nats_bus *bus, uint32_t shard, natsSubscription **subscription,
                            struct err_note *note)
{
    char subject[NATS_NAME_BYTES];
    snprintf(subject, sizeof subject, "saga.ctl.%" PRIu32, shard);
    natsStatus status = natsConnection_Subscribe(subscription, bus->admin, subject, on_control, bus);
    /* So that whoever hears that we own the shard also reaches us. */
    if (status == NATS_OK)
        status = natsConnection_FlushTimeout(bus->admin, NATS_API_WAIT_MS);
    if (status != NATS_OK) {
        natsSubscription_Destroy(*subscription);
        *subscription = NULL;
        return err_note(note, ERR_UNAVAILABLE, "cannot serve %s: %s", subject, natsStatus_GetText(status));
    }
    return ERR_OK;
}

enum err nats_control_answer(struct bus *base, struct str ack, struct str body)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    char subject[BUS_SUBJECT_BYTES + 1];
    if (ack.size == 0 || ack.size >= sizeof subject || body.size > INT_MAX)
        return ERR_INVALID;
    memcpy(subject, ack.data, ack.size);
    subject[ack.size] = '\0';
    natsStatus status = natsConnection_Publish(bus->admin, subject, body.data, (int)body.size);
    return status == NATS_OK ? ERR_OK : ERR_UNAVAILABLE;
}

enum err nats_control_call(struct bus *base, uint32_t shard, struct str body, int64_t timeout_us,
                           struct arena *arena, struct str *answer, struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    char subject[NATS_NAME_BYTES];
    natsMsg *message = NULL;
    snprintf(subject, sizeof subject, "saga.ctl.%" PRIu32, shard);
    if (body.size > INT_MAX)
        return err_note(note, ERR_LIMIT, "the body is too long");
    natsStatus status = natsConnection_Request(&message, bus->admin, subject, body.data, (int)body.size,
                                               (timeout_us + 999) / 1000);
    if (status == NATS_TIMEOUT)
        return err_note(note, ERR_TIMEOUT, "the owner of shard %" PRIu32 " did not answer in time", shard);
    if (status == NATS_MAX_PAYLOAD)
        return err_note(note, ERR_LIMIT, "the message is larger than the NATS server takes");
    if (status != NATS_OK)
        return err_note(note, ERR_UNAVAILABLE, "nobody serves shard %" PRIu32 ": %s", shard,
                        natsStatus_GetText(status));
    struct str text = {natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message)};
    *answer = arena_copy(arena, text);
    natsMsg_Destroy(message);
    return ERR_OK;
}

enum err nats_control_probe(struct bus *base, struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    if (!nats_line_is_up(bus->publisher) || !nats_line_is_up(bus->consumer))
        return err_note(note, ERR_UNAVAILABLE, "not connected to NATS");
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MaxWait = NATS_API_WAIT_MS;
    natsStatus status = js_Publish(NULL, bus->js, "saga.probe", NULL, 0, &options, NULL);
    if (status != NATS_OK)
        return err_note(note, ERR_UNAVAILABLE, "JetStream does not store: %s", natsStatus_GetText(status));
    return ERR_OK;
}
