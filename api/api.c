/* The service over libmicrohttpd: connections in, requests read, handlers called, answers out. Opened by
 * sagad and tests. A request is suspended while others work on it, so that no thread of the library waits for
 * the engine. */
#include "api/api.h"
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "api/calls.h"
#include "api/listener.h"
#include "api/openapi.h"
#include "api/overlay.h"
#include "api/request.h"
#include "api/state.h"
#include "api/literal.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"

enum {
    THREADS_DEFAULT = 4,
    CONNECTIONS_DEFAULT = 8192, /* 4,096 clients that wait, twice */
    FILES_KEPT = 256,           /* descriptors left for the engine: databases, NATS, files */
    REQUEST_MS_DEFAULT = 15000,
    IDLE_MS_DEFAULT = 75000, /* longer than the 60 s that proxies and pools commonly keep a connection */
    SETTLE_MS = 2000,        /* for answers on their way out when the service stops */
    POOL_BYTES = 32768,      /* header and read buffer of one connection: twice GUARD_HEADER_BYTES */
};

static struct connections_item *item_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **item,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api *api = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connections_remove(&api->connections, *item);
        *item = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *item = connections_add(&api->connections, info->connect_fd);
}

/* libmicrohttpd would decode and cut in place; the guard wants the target as it was sent. */
static size_t leave_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* The first word of a request: its target, before the query is cut off. Makes the request. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct api *api = context;
    struct request *request = memory_new(1, sizeof *request);
    request->api = api;
    request->connection = connection;
    request->begun_us = clock_monotonic_us();
    arena_init(&request->arena, 0);
    buf_init(&request->body, &request->arena);
    request->target.path = STR("");
    request->head.target = arena_copy(&request->arena, str_from(target));
    (void)connections_enter(&api->connections, item_of(connection), CONNECTIONS_REQUEST);
    return request;
}

static void count(const struct request *request)
{
    char status[16];
    snprintf(status, sizeof status, "%u", request->status);
    struct str route = request->route ? request->route->pattern : STR("none");
    metrics_add(METRICS_HTTP_REQUESTS, 1, route, str_from(status));
    metrics_observe(METRICS_HTTP_TIME, clock_monotonic_us() - request->begun_us);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct api *api = context;
    struct request *request = *state;
    (void)code;
    *state = NULL;
    if (!request)
        return;
    if (request->ticket) /* the service stops before its thread saw the answer */
        calls_end(request);
    struct connections_item *item = item_of(connection);
    if (item)
        (void)connections_enter(&api->connections, item, CONNECTIONS_IDLE);
    atomic_fetch_sub(&api->held, request->held);
    arena_fini(&request->arena);
    memory_free(request);
}

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                   const char *value, size_t value_size)
{
    struct request *request = context;
    (void)kind;
    uint32_t at = request->head.header_count++;
    if (at < GUARD_HEADERS_MAX)
        request->headers[at] =
            (struct guard_header){{name, name_size}, {value ? value : name + name_size, value_size}};
    return at < GUARD_HEADERS_MAX ? MHD_YES : MHD_NO; /* one more is counted, so that the guard sees it */
}

/* Refuses what the guard finds; true when the request may go on to its handler. */
static bool admit(struct request *request, const char *url, const char *method, const char *version)
{
    struct guard_fault fault = {0};
    struct str target = request->head.target;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    request->head.method = str_from(method);
    request->head.version = str_from(version);
    request->head.headers = request->headers;
    request->head.header_bytes = info->header_size;
    (void)MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, take_header, request);
    /* The target was cut at its query by now, but its size is known from before. */
    request->head.target.data = url;
    bool good = request->head.header_count > GUARD_HEADERS_MAX || guard_layout(&request->head, &fault);
    request->head.target = target;
    good = good && guard_request(&request->arena, &request->head, &request->framing, &fault) &&
           guard_target(&request->arena, target, &request->target, &fault);
    /* The library takes a bare line feed around a chunk, where another program in front of it might not:
     * nothing behind a body in chunks is read. */
    request->close = !good || request->framing.chunked;
    if (!good)
        request_refuse(request, fault.kind, "%.*s", STR_ARG(fault.detail));
    return good;
}

static bool find_route(struct request *request)
{
    struct str allow = {NULL, 0};
    struct guard_fault fault;
    request->route = route_find(request->head.method, &request->target, &request->arena, &allow);
    if (request->route) {
        if (route_check_params(request->route, &request->target, &request->arena, &fault))
            return true;
        request_refuse(request, fault.kind, "%.*s", STR_ARG(fault.detail));
    } else if (allow.size) {
        request_refuse(request, PAGE_METHOD_NOT_ALLOWED, "this path takes %.*s, not %.*s", STR_ARG(allow),
                       STR_ARG(request->head.method));
        request_add_header(request, STR("Allow"), allow);
    } else {
        request_refuse(request, PAGE_NO_SUCH_ENDPOINT, "there is nothing at %.*s; GET / lists what there is",
                       STR_ARG(request->target.path));
    }
    return false;
}

static bool check_body_head(struct request *request)
{
    size_t most = route_body_max(request->route);
    bool has_body = request->framing.chunked || request->framing.length > 0;
    if (request->route->body == ROUTE_BODY_NONE && has_body)
        request_refuse(request, PAGE_MALFORMED_REQUEST, "a %.*s of this path has no body",
                       STR_ARG(request->head.method));
    else if (request->framing.length > most)
        request_refuse(request, PAGE_TOO_LARGE, "the body may have %zu bytes, not %llu", most,
                       (unsigned long long)request->framing.length);
    else
        return request->route->body == ROUTE_BODY_NONE || request_check_type(request);
    return false;
}

/* A body without a length shows its size only as it comes. What is too much is read and dropped for a while,
 * so that the client gets to read the answer. */
static bool take_body(struct request *request, const char *data, size_t size)
{
    size_t most = route_body_max(request->route);
    static const struct page busy = {
        .kind = PAGE_BUSY, .detail = LITERAL("the service holds as much as it may; ask again in a moment")};
    request->body_seen += size;
    if (request->body_seen <= most)
        buf_put(&request->body, (struct str){data, size});
    request_hold(request);
    if (request->body_seen > LIMITS_HTTP_SMALL_BYTES && request_is_crowded(request)) {
        request->status = page_status(busy.kind);
        count(request); /* before the client can look */
        connections_refuse(item_of(request->connection), &busy);
        return false;
    }
    return request->body_seen <= 4 * most;
}

/* What may block or takes long is a worker's. */
static void serve(struct request *request)
{
    enum workers_kind kind = WORKERS_READ;
    switch (request->route->work) {
    case ROUTE_WORK_NONE:
        request->route->serve(request);
        return;
    case ROUTE_WORK_START:
        if (request->body.size <= LIMITS_HTTP_SMALL_BYTES) {
            request->route->serve(request);
            return;
        }
        kind = WORKERS_WRITE;
        break;
    case ROUTE_WORK_WRITE:
        kind = WORKERS_WRITE;
        break;
    case ROUTE_WORK_READ:
        break;
    case ROUTE_WORK_PLAN:
        kind = WORKERS_PLAN;
        break;
    }
    if (request_is_crowded(request) || !workers_submit(request, kind, request->route->serve))
        request_refuse_busy(request);
}

static void run(struct request *request)
{
    size_t most = route_body_max(request->route);
    if (request->body_seen > most)
        request_refuse(request, PAGE_TOO_LARGE, "the body may have %zu bytes", most);
    else if (atomic_load(&request->api->stopping))
        request_refuse(request, PAGE_UNAVAILABLE, "the service is stopping");
    else
        serve(request);
}

static enum MHD_Result send_answer(struct request *request)
{
    struct api *api = request->api;
    check(request->stage == REQUEST_ANSWERED && !request->sent);
    request->sent = true;
    request_hold(request);
    if (!connections_enter(&api->connections, item_of(request->connection), CONNECTIONS_ANSWER))
        return MHD_NO;
    count(request); /* before the client can see the answer and look */
    /* The text lives in the request's arena until on_completed; the library only reads it. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        request->text.size, (void *)(uintptr_t)request->text.data, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    request_add_header(request, STR("Content-Type"), request->type);
    request_add_header(request, STR("X-Content-Type-Options"), STR("nosniff"));
    enum MHD_Result result = MHD_YES;
    for (uint32_t i = 0; i < request->answer_header_count && result == MHD_YES; i++)
        result = MHD_add_response_header(response, request->answer_headers[i].name.data,
                                         request->answer_headers[i].value.data);
    if (result == MHD_YES && request->close)
        result = MHD_add_response_header(response, "Connection", "close");
    if (result == MHD_YES)
        result = overlay_queue(request->connection, request->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **state)
{
    struct api *api = context;
    struct request *request = *state;
    switch (request->stage) {
    case REQUEST_HEAD:
        request->stage = REQUEST_BODY;
        if (!admit(request, url, method, version) || !find_route(request) || !check_body_head(request))
            return send_answer(request);
        return MHD_YES;
    case REQUEST_BODY:
        if (*size) {
            bool taken = take_body(request, data, *size);
            *size = 0;
            return taken ? MHD_YES : MHD_NO;
        }
        if (!connections_enter(&api->connections, item_of(connection), CONNECTIONS_WORK))
            return MHD_NO;
        request->begun_us = clock_monotonic_us();
        request->stage = REQUEST_WORK;
        run(request);
        break;
    case REQUEST_SUSPENDED:
        request->on_worker = false;
        request->stage = REQUEST_WORK;
        calls_end(request);
        request->go_on(request);
        break;
    case REQUEST_ANSWERED:
        if (request->sent)
            return MHD_NO;
        request->on_worker = false;
        break;
    case REQUEST_WORK:
        check_never("a request that is worked on is suspended");
    }
    /* A worker has it by now, stage included. */
    return request->on_worker || request->stage == REQUEST_SUSPENDED ? MHD_YES : send_answer(request);
}

/* Each connection takes a descriptor, and the soft limit is often 1,024 only because it always was: it is
 * raised as far as it may be. */
static uint32_t connections_max(const struct api_options *options)
{
    struct rlimit files;
    uint32_t most = options->connections_max ? options->connections_max : CONNECTIONS_DEFAULT;
    rlim_t wanted = (rlim_t)most + FILES_KEPT;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY || files.rlim_cur >= wanted)
        return most;
    struct rlimit raised = {.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted,
                            .rlim_max = files.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        files = raised;
    return files.rlim_cur > 2 * FILES_KEPT ? (uint32_t)files.rlim_cur - FILES_KEPT : FILES_KEPT;
}

static uint32_t thread_count(const struct api_options *options)
{
    uint32_t threads = options->threads ? options->threads : THREADS_DEFAULT;
    return threads < 2 ? 2 : threads > READERS_MAX ? READERS_MAX : threads;
}

static struct MHD_Daemon *start_daemon(struct api *api, const struct api_options *options)
{
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                            on_request, api, MHD_OPTION_LISTEN_SOCKET, api->socket,
                            MHD_OPTION_THREAD_POOL_SIZE, thread_count(options), MHD_OPTION_CONNECTION_LIMIT,
                            connections_max(options), MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, api, MHD_OPTION_NOTIFY_CONNECTION,
                            on_connection, api, MHD_OPTION_URI_LOG_CALLBACK, on_target, api,
                            MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL, MHD_OPTION_END);
}

static void init_state(struct api *api, const struct api_options *options)
{
    api->engine = options->engine;
    api->held_max = options->held_bytes_max ? options->held_bytes_max : LIMITS_HTTP_HELD_BYTES;
    check(pthread_mutex_init(&api->lock, NULL) == 0);
    check(pthread_cond_init(&api->idle, NULL) == 0);
    arena_init(&api->arena, 0);
    api->openapi_json = openapi_to_json(&api->arena);
    readers_init(&api->readers, options->engine);
    readiness_init(&api->readiness, options->engine, &api->readers);
    workers_init(&api->workers);
    connections_init(&api->connections, connections_max(options),
                     options->request_ms ? options->request_ms : REQUEST_MS_DEFAULT,
                     options->idle_ms ? options->idle_ms : IDLE_MS_DEFAULT);
}

static void fini_state(struct api *api)
{
    close(api->socket);
    connections_fini(&api->connections);
    workers_fini(&api->workers);
    readiness_fini(&api->readiness);
    readers_fini(&api->readers);
    arena_fini(&api->arena);
    pthread_cond_destroy(&api->idle);
    pthread_mutex_destroy(&api->lock);
    memory_free(api);
}

enum err api_open(const struct api_options *options, struct api **result, struct err_note *note)
{
    struct api *api = memory_new(1, sizeof *api);
    enum err error = listener_open(options->address, &api->socket, &api->port, api->url, note);
    if (error != ERR_OK) {
        memory_free(api);
        return error;
    }
    init_state(api, options);
    api->daemon = start_daemon(api, options);
    if (!api->daemon) {
        workers_close(&api->workers);
        fini_state(api);
        return err_note(note, ERR_UNAVAILABLE, "the HTTP service cannot start its threads on %s",
                        options->address);
    }
    log_info("http_serving", "url=%s", api->url);
    *result = api;
    return ERR_OK;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    atomic_store(&api->stopping, true);
    (void)MHD_quiesce_daemon(api->daemon); /* gives our own socket back */
    calls_close(api);
    workers_close(&api->workers);
    connections_settle(&api->connections, SETTLE_MS);
    MHD_stop_daemon(api->daemon);
    fini_state(api);
}

const char *api_url(const struct api *api)
{
    return api->url;
}

uint16_t api_port(const struct api *api)
{
    return api->port;
}
