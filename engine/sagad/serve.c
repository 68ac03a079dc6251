/* The service in its order: store, engine, API up; API, engine, store down; signals in between. Called by
 * main.c and dev.c. Never tells a caller less at the end: it drains before it closes. */
#include "engine/sagad/serve.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "api/api.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/rng.h"
#include "engine/bus/nats_bus.h"
#include "engine/ops/log.h"
#include "engine/runtime/engine.h"
#include "engine/sagad/notify.h"
#include "engine/store/postgres.h"

struct service {
    const struct config *config;
    struct store_instance instance;
    char incarnation[20];
    char address[400];
    struct engine *engine;
    struct store *store; /* of the main thread: definitions */
    struct api *api;
};

static sigset_t served_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

void serve_block_signals(void)
{
    sigset_t set = served_signals();
    check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
}

static enum err open_store(void *context, struct store **store, struct err_note *note)
{
    const struct service *service = context;
    return postgres_open_as(service->config->database, &service->instance, store, note);
}

/* Where people find this process, should another one want its name. */
static void know_oneself(struct service *service)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    snprintf(service->incarnation, sizeof service->incarnation, "%016" PRIx64, rng_entropy());
    snprintf(service->address, sizeof service->address, "host %s, process %d, http %.100s", host,
             (int)getpid(), service->config->http_address);
    service->instance = (struct store_instance){.name = str_from(service->config->instance),
                                                .incarnation = str_from(service->incarnation),
                                                .address = str_from(service->address),
                                                .version = STR(SAGAD_VERSION)};
}

static const char *or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static enum err open_bus(void *context, const struct bus_callbacks *callbacks, struct bus **bus,
                         struct err_note *note)
{
    const struct config *config = ((const struct service *)context)->config;
    struct nats_bus_options options = {
        .url = config->nats,
        .user = or_null(config->nats_user),
        .password = or_null(config->nats_password),
        .token = or_null(config->nats_token),
        .credentials_file = or_null(config->nats_creds_file),
        .tls_ca = or_null(config->nats_tls_ca),
        .tls_cert = or_null(config->nats_tls_cert),
        .tls_key = or_null(config->nats_tls_key),
        .replicas = config->nats_replicas,
        .instance = config->instance,
    };
    struct err_note why = {""};
    if (options.credentials_file != NULL && file_check(options.credentials_file, &why) != ERR_OK)
        return err_note(note, ERR_IO, "cannot read nats_creds_file %s: %s", options.credentials_file,
                        why.text);
    return nats_bus_open(&options, callbacks, bus, note);
}

static enum err open_engine(struct service *service, struct err_note *note)
{
    const struct config *config = service->config;
    struct engine_options options = {
        .instance = config->instance,
        .incarnation = service->incarnation,
        .address = service->address,
        .version = SAGAD_VERSION,
        .context = service,
        .open_store = open_store,
        .open_bus = open_bus,
        .runners = config->runners,
        .shards_max = config->shards_max,
        .lease_us = config->lease_us,
        .batch_events = config->batch_events,
        .inbox_events = config->inbox_events,
        .backlog_max = config->backlog_commands,
        .resident_max = config->resident_sagas,
        .definitions_bytes = (size_t)config->definitions_mib << 20,
        .drain_us = config->drain_timeout_us,
        .dead_letters = config->dead_letters,
        .dead_bytes = (int64_t)config->dead_letters_mib * 1048576,
        .dead_keep_us = config->dead_letters_keep_us,
        .events = config->events,
    };
    enum err error = engine_open(&options, &service->engine, note);
    return error == ERR_OK ? engine_open_store(service->engine, &service->store, note) : error;
}

static enum err announce_all(struct service *service, struct err_note *note)
{
    struct arena arena;
    uint32_t count = 0;
    enum err error = ERR_OK;
    arena_init(&arena, 0);
    const struct plan **plans = registry_list(engine_registry(service->engine), &arena, &count);
    for (uint32_t i = 0; i < count && error == ERR_OK; i++)
        error = engine_announce(service->engine, plans[i], note);
    arena_fini(&arena);
    return error;
}

/* Bad files are reported on stderr as an author wants to see them; the good ones are taken. */
static enum err load_definitions(struct service *service, struct err_note *note)
{
    if (service->config->definitions[0] == '\0')
        return ERR_OK;
    struct arena arena;
    struct buf report;
    uint32_t good = 0, bad = 0;
    arena_init(&arena, 0);
    buf_init(&report, &arena);
    enum err error = registry_put_folder(engine_registry(service->engine), service->store,
                                         service->config->definitions, &report, &good, &bad, note);
    struct str text = buf_str(&report);
    if (text.size > 0)
        fprintf(stderr, "%.*s", STR_ARG(text));
    if (error == ERR_OK)
        log_info("definitions_loaded", "folder=%s good=%u bad=%u", service->config->definitions, good, bad);
    arena_fini(&arena);
    return error == ERR_OK ? announce_all(service, note) : error;
}

static void reload(struct service *service)
{
    struct err_note note = {""};
    char state[64]; /* with the time, as Type=notify-reload asks for */
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_us());
    notify_send(state);
    enum err error = registry_refresh(engine_registry(service->engine), service->store, &note);
    if (error == ERR_UNAVAILABLE && store_reconnect(service->store, &note) == ERR_OK)
        error = registry_refresh(engine_registry(service->engine), service->store, &note);
    if (error == ERR_OK)
        error = load_definitions(service, &note);
    if (error != ERR_OK)
        log_error("definitions_not_reloaded", "why=%s", note.text);
    notify_send("READY=1");
}

/* ERR_OK: a signal asked for it. */
static enum err wait_for_end(struct service *service, const struct serve_hooks *hooks, struct err_note *note)
{
    sigset_t set = served_signals();
    struct timespec second = {.tv_sec = 1};
    for (;;) {
        int signal_number = sigtimedwait(&set, NULL, &second);
        if (signal_number == SIGTERM || signal_number == SIGINT)
            return ERR_OK;
        if (engine_ousted(service->engine, note))
            return ERR_CONFLICT;
        if (signal_number == SIGHUP)
            reload(service);
        if (hooks != NULL && hooks->tick != NULL)
            hooks->tick(hooks->context);
    }
}

static enum err start(struct service *service, struct err_note *note)
{
    enum err error = open_engine(service, note);
    if (error == ERR_OK)
        error = load_definitions(service, note);
    if (error != ERR_OK)
        return error;
    struct api_options options = {.address = service->config->http_address, .engine = service->engine};
    return api_open(&options, &service->api, note);
}

enum err serve_run(const struct config *config, const struct serve_hooks *hooks, struct err_note *note)
{
    struct service service = {.config = config};
    know_oneself(&service);
    enum err error = start(&service, note);
    if (error == ERR_OK) {
        const char *url = api_url(service.api);
        log_info("serving", "http=%s instance=%s", url, config->instance);
        notify_send("READY=1");
        if (hooks != NULL && hooks->ready != NULL)
            hooks->ready(hooks->context, url);
        error = wait_for_end(&service, hooks, note);
        notify_send("STOPPING=1");
        log_info("stopping", "instance=%s", config->instance);
    }
    if (service.api != NULL)
        api_close(service.api);
    if (service.store != NULL)
        store_close(service.store);
    if (service.engine != NULL)
        engine_close(service.engine);
    return error;
}
