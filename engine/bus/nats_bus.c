/* Opens and closes the bus on NATS: lines, slots, threads, in their order. Called through bus.c. What the
 * lines say is in nats_pull.c, nats_publish.c, nats_control.c; never calls back into the engine while it
 * closes, but to answer what is under way. */
#include "engine/bus/nats_bus.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/rng.h"
#include "engine/bus/nats_parts.h"
#include "engine/ops/log.h"

void nats_bus_state(struct nats_bus *bus, const char *line, bool *flag, bool up, const char *why)
{
    bool both = false, changed = false;
    if (up)
        log_info("bus_connected", "line=%s", line);
    else
        log_warn("bus_lost", "line=%s why=%s", line, why);
    if (up) /* its inbox, which every line must have to be up */
        for (int subscribe = 0; subscribe < 2; subscribe++)
            nats_faults_heal(&bus->faults, bus->own_inbox, subscribe != 0, clock_monotonic_us());
    if (flag == NULL)
        return;
    pthread_mutex_lock(&bus->state_mutex);
    *flag = up;
    both = bus->publisher_up && bus->consumer_up;
    changed = both != bus->told;
    bus->told = both;
    pthread_mutex_unlock(&bus->state_mutex);
    if (changed)
        bus->callbacks.connected(bus->callbacks.context, both);
}

static void flush(struct bus *base)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    nats_line_flush(bus->publisher);
    nats_line_flush(bus->consumer);
}

static uint32_t in_flight(struct bus *base)
{
    return nats_slots_count(&((struct nats_bus *)base)->publishes);
}

static void close_bus(struct bus *base)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    nats_keeper_stop(bus);
    nats_pull_free_all(bus);
    nats_line_close(bus->consumer);
    nats_line_close(bus->publisher);
    nats_publish_fail_all(bus, ERR_CLOSED);
    nats_control_close(bus);
    nats_faults_fini(&bus->faults);
    nats_probe_fini(&bus->probing);
    for (uint32_t i = 0; i < bus->held_count; i++)
        natsMsg_Destroy(bus->held[i].message);
    nats_slots_fini(&bus->publishes);
    nats_slots_fini(&bus->calls);
    pthread_cond_destroy(&bus->state_changed);
    pthread_mutex_destroy(&bus->state_mutex);
    pthread_mutex_destroy(&bus->pull_mutex);
    pthread_mutex_destroy(&bus->admin_mutex);
    pthread_mutex_destroy(&bus->held_mutex);
    memory_free(bus->held);
    memory_free(bus->participants);
    memory_free(bus->pulls);
    memory_free(bus->listed);
    memory_free((void *)bus->acks);
    arena_fini(&bus->arena);
    memory_free(bus);
}

static const struct bus_ops ops = {
    .participants = nats_admin_participants,
    .listen = nats_pull_listen,
    .unlisten = nats_pull_unlisten,
    .listen_in = nats_pull_listen_in,
    .unlisten_in = nats_pull_unlisten_in,
    .publish = nats_publish,
    .look = nats_backlog_look,
    .take_back = nats_backlog_take_back,
    .request = nats_request,
    .holder = nats_holder,
    .answer = nats_control_answer,
    .call = nats_call,
    .ack = nats_pull_ack,
    .give_back = nats_pull_give_back,
    .flush = flush,
    .probe = nats_probe,
    .in_flight = in_flight,
    .close = close_bus,
};

static const char *keep_text(struct nats_bus *bus, const char *text)
{
    return text != NULL ? arena_copy(&bus->arena, str_from(text)).data : NULL;
}

/* "_INBOX_saga.<instance>": one prefix for each engine, which an account's permissions can name. */
static const char *make_inbox(struct nats_bus *bus, const char *instance)
{
    enum { INSTANCE_BYTES = 64 };
    char token[INSTANCE_BYTES + 1];
    size_t size = 0;
    for (; instance[size] != '\0' && size < INSTANCE_BYTES; size++)
        token[size] = (char)(isalnum((unsigned char)instance[size]) ? instance[size] : '-');
    token[size] = '\0';
    return arena_printf(&bus->arena, NATS_INBOX_PREFIX "%s", size > 0 ? token : "engine").data;
}

static void copy_options(struct nats_bus *bus, const struct nats_bus_options *options)
{
    const char *instance = options->instance != NULL ? options->instance : "";
    bus->options = (struct nats_options){
        .url = keep_text(bus, options->url),
        .user = keep_text(bus, options->user),
        .password = keep_text(bus, options->password),
        .token = keep_text(bus, options->token),
        .credentials_file = keep_text(bus, options->credentials_file),
        .tls_ca = keep_text(bus, options->tls_ca),
        .tls_cert = keep_text(bus, options->tls_cert),
        .tls_key = keep_text(bus, options->tls_key),
        .name = arena_printf(&bus->arena, "sagad %s", instance).data,
        .inbox = make_inbox(bus, instance),
    };
    bus->own_inbox = arena_printf(&bus->arena, "%s.own", bus->options.inbox).data;
    bus->replicas = options->replicas > 0 ? options->replicas : 1;
}

static struct nats_bus *make_bus(const struct nats_bus_options *options,
                                 const struct bus_callbacks *callbacks)
{
    struct nats_bus *bus = memory_new(1, sizeof *bus);
    bus->base.ops = &ops;
    arena_init(&bus->arena, 0);
    copy_options(bus, options);
    bus->callbacks = *callbacks;
    nats_slots_init(&bus->publishes);
    nats_faults_init(&bus->faults);
    nats_probe_init(&bus->probing);
    nats_slots_init(&bus->calls);
    bus->call_secret = rng_entropy();
    snprintf(bus->publish_token, sizeof bus->publish_token, "%016" PRIx64, rng_entropy());
    pthread_mutex_init(&bus->held_mutex, NULL);
    pthread_mutex_init(&bus->admin_mutex, NULL);
    pthread_mutex_init(&bus->pull_mutex, NULL);
    pthread_mutex_init(&bus->state_mutex, NULL);
    pthread_cond_init(&bus->state_changed, NULL);
    bus->held = memory_new(NATS_HELD_MAX, sizeof *bus->held);
    bus->participants = memory_new(NATS_PARTICIPANTS_MAX, sizeof *bus->participants);
    bus->pulls = memory_new(LIMITS_SHARDS_MAX + 1, sizeof(struct nats_pull *));
    bus->listed = memory_new(LIMITS_SHARDS_MAX + 1, sizeof *bus->listed);
    bus->acks = memory_new(LIMITS_SHARDS_MAX + 1, sizeof *bus->acks);
    return bus;
}

static enum err open_line(struct nats_bus *bus, const char *inbox_token,
                          const struct nats_line_callbacks *callbacks, struct nats_line **line,
                          struct err_note *note)
{
    struct nats_line_callbacks ours = *callbacks;
    struct nats_options options = bus->options;
    ours.context = bus;
    options.inbox_token = inbox_token;
    return nats_line_open(&options, &ours, line, note);
}

enum err nats_bus_open(const struct nats_bus_options *options, const struct bus_callbacks *callbacks,
                       struct bus **opened, struct err_note *note)
{
    struct nats_bus *bus = make_bus(options, callbacks);
    enum err err = nats_control_open(bus, note);
    if (err == ERR_OK)
        err = nats_admin_streams(bus, note);
    if (err == ERR_OK)
        err = open_line(bus, "asks", &nats_publish_callbacks, &bus->publisher, note);
    if (err == ERR_OK)
        err = open_line(bus, NULL, &nats_pull_callbacks, &bus->consumer, note);
    if (err != ERR_OK) {
        close_bus(&bus->base);
        return err;
    }
    bus->opened = true;
    nats_keeper_start(bus);
    *opened = &bus->base;
    return ERR_OK;
}
