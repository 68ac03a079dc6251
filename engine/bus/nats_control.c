/* The admin line: streams and consumers, and calls between engines (saga.ctl.<shard>). What hangs on its
 * connection, the JetStream context and the subscriptions, is made anew with each one, for all shards that
 * are listed then. */
#include "engine/bus/nats_parts.h"
#include "engine/bus/stranger.h"
#include "engine/bus/subject.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"

static void on_control(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *closure)
{
    (void)connection;
    struct nats_bus *bus = closure;
    struct str subject = str_from(natsMsg_GetSubject(message));
    struct bus_delivery delivery = {.source = BUS_SOURCE_CONTROL, .delivery_count = 1};
    delivery.ack = str_from(natsMsg_GetReply(message));
    (void)nats_message_read(message, &delivery.message);
    /* Only engines ask: an answer to any other subject would be a message of ours where somebody wants it. */
    if (!str_equal(subject, str_from(natsSubscription_GetSubject(subscription))) ||
        !subject_control(subject, &delivery.shard) || !str_starts(delivery.ack, STR(NATS_INBOX_PREFIX)))
        stranger_refuse(STRANGER_SUBJECT, subject);
    else
        (void)bus->callbacks.deliver(bus->callbacks.context, &delivery);
    natsMsg_Destroy(message);
}

static natsStatus subscribe(struct nats_bus *bus, natsConnection *connection, uint32_t shard,
                            natsSubscription **control)
{
    char subject[NATS_NAME_BYTES];
    snprintf(subject, sizeof subject, "saga.ctl.%" PRIu32, shard);
    return natsConnection_Subscribe(control, connection, subject, on_control, bus);
}

static natsStatus subscribe_listed(struct nats_bus *bus, natsConnection *connection)
{
    natsStatus status = NATS_OK;
    pthread_mutex_lock(&bus->pull_mutex);
    for (uint32_t i = 0; i < bus->listed_count && status == NATS_OK; i++)
        if (bus->listed[i] != NATS_IN_SLOT)
            status = subscribe(bus, connection, bus->listed[i], &bus->pulls[bus->listed[i]]->control);
    pthread_mutex_unlock(&bus->pull_mutex);
    return status;
}

/* Refusals come before the answer to the flush; the connection is new, so that the last error is of now. */
static bool is_refused(natsConnection *connection)
{
    const char *text = NULL;
    return natsConnection_GetLastError(connection, &text) == NATS_NOT_PERMITTED &&
           strstr(text, "for Subscription to \"saga.ctl.") != NULL;
}

static enum err prepare(void *context, natsConnection *connection, struct err_note *note)
{
    struct nats_bus *bus = context;
    int64_t now_us = clock_monotonic_us();
    natsStatus status = natsConnection_JetStream(&bus->js, connection, NULL);
    if (status == NATS_OK)
        status = subscribe_listed(bus, connection);
    if (status == NATS_OK)
        status = natsConnection_FlushTimeout(connection, NATS_API_WAIT_MS);
    if (status != NATS_OK)
        return err_note(note, ERR_UNAVAILABLE, "%s", natsStatus_GetText(status));
    if (bus->listed_count > 0 && !is_refused(connection))
        nats_faults_heal(&bus->faults, "saga.ctl.0", true, now_us);
    return ERR_OK;
}

static void discard(void *context)
{
    struct nats_bus *bus = context;
    pthread_mutex_lock(&bus->pull_mutex);
    for (uint32_t i = 0; i < bus->listed_count; i++) {
        natsSubscription_Destroy(bus->pulls[bus->listed[i]]->control);
        bus->pulls[bus->listed[i]]->control = NULL;
    }
    pthread_mutex_unlock(&bus->pull_mutex);
    jsCtx_Destroy(bus->js);
    bus->js = NULL;
}

static void on_up(void *context)
{
    struct nats_bus *bus = context;
    nats_bus_state(bus, "admin", NULL, true, "");
    nats_keeper_kick(bus);
}

static void on_down(void *context, const char *why)
{
    nats_bus_state(context, "admin", NULL, false, why);
}

static void on_message(void *context, natsMsg *message)
{
    (void)context;
    natsMsg_Destroy(message);
}

static void on_tick(void *context, int64_t now_us)
{
    (void)context;
    (void)now_us;
}

static void on_complaint(void *context, enum nats_line_complaint complaint, const char *text)
{
    struct nats_bus *bus = context;
    nats_faults_add(&bus->faults, "admin", complaint, text);
    if (complaint == NATS_LINE_SUBSCRIBE_DENIED)
        nats_keeper_kick(bus); /* which tries again, at its pace */
}

static const struct nats_line_callbacks callbacks = {.prepare = prepare,
                                                     .up = on_up,
                                                     .down = on_down,
                                                     .discard = discard,
                                                     .message = on_message,
                                                     .tick = on_tick,
                                                     .complain = on_complaint};

enum err nats_control_open(struct nats_bus *bus, struct err_note *note)
{
    struct nats_line_callbacks ours = callbacks;
    ours.context = bus;
    return nats_line_open_for_calls(&bus->options, &ours, &bus->admin, note);
}

void nats_control_close(struct nats_bus *bus)
{
    nats_line_close(bus->admin);
}

jsCtx *nats_control_hold(struct nats_bus *bus, struct err_note *note)
{
    char why[NATS_LINE_WHY_BYTES] = "";
    if (nats_line_hold(bus->admin) != NULL)
        return bus->js;
    (void)nats_line_is_up(bus->admin, why, sizeof why);
    (void)!err_note(note, ERR_UNAVAILABLE, "not connected to NATS: %s", why);
    return NULL;
}

void nats_control_release(struct nats_bus *bus)
{
    nats_line_release(bus->admin);
}

void nats_control_retry(struct nats_bus *bus)
{
    if (nats_line_is_up(bus->admin, NULL, 0))
        nats_line_renew(bus->admin, "to subscribe what was refused");
}

/* False when the line was made anew in between and has subscribed it already, or nobody listens any more. */
static bool keep_control(struct nats_bus *bus, uint32_t shard, natsSubscription *control)
{
    pthread_mutex_lock(&bus->pull_mutex);
    bool kept = bus->pulls[shard] != NULL && bus->pulls[shard]->control == NULL;
    if (kept)
        bus->pulls[shard]->control = control;
    pthread_mutex_unlock(&bus->pull_mutex);
    return kept;
}

enum err nats_control_serve(struct nats_bus *bus, uint32_t shard, struct err_note *note)
{
    natsSubscription *control = NULL;
    natsConnection *connection = nats_line_hold(bus->admin);
    if (connection == NULL)
        return err_note(note, ERR_UNAVAILABLE, "cannot serve saga.ctl.%" PRIu32 ": not connected to NATS",
                        shard);
    natsStatus status = subscribe(bus, connection, shard, &control);
    /* So that whoever hears that we own the shard also reaches us. */
    if (status == NATS_OK)
        status = natsConnection_FlushTimeout(connection, NATS_API_WAIT_MS);
    if (status != NATS_OK || !keep_control(bus, shard, control))
        natsSubscription_Destroy(control);
    nats_line_release(bus->admin);
    if (status != NATS_OK)
        return err_note(note, ERR_UNAVAILABLE, "cannot serve saga.ctl.%" PRIu32 ": %s", shard,
                        natsStatus_GetText(status));
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
    natsConnection *connection = nats_line_hold(bus->admin);
    if (connection == NULL)
        return ERR_UNAVAILABLE;
    natsStatus status = natsConnection_Publish(connection, subject, body.data, (int)body.size);
    nats_line_release(bus->admin);
    return status == NATS_OK ? ERR_OK : ERR_UNAVAILABLE;
}
