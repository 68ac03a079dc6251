/* Endpoints about the service itself (health, readiness, metrics, version), and the dead letters. Called by
 * route.c. Health says that the process answers, and never asks anybody else. */
#include "api/handlers.h"
#include "api/members.h"
#include "api/openapi.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/base/limits.h"
#include "engine/ops/metrics.h"

enum {
    LETTERS_DEFAULT = 50,
    LETTERS_MAX = 200,
    LETTERS_A_READ =
        8, /* of at most LIMITS_PAYLOAD_BYTES each: what is read beyond the page's end stays small */
};

void handlers_index(struct request *request)
{
    size_t count = 0;
    const struct route *routes = route_table(&count);
    struct buf out;
    buf_init(&out, &request->arena);
    buf_puts(&out, "sagad: a saga orchestration engine. Its HTTP endpoints:\n\n");
    for (size_t i = 0; i < count; i++) {
        buf_printf(&out, "%-4.*s %.*s\n     %.*s\n", STR_ARG(routes[i].method), STR_ARG(routes[i].pattern),
                   STR_ARG(routes[i].doc));
        if (routes[i].params.size)
            buf_printf(&out, "     Query: %.*s\n", STR_ARG(routes[i].params));
    }
    buf_puts(&out, "\nErrors are application/problem+json (RFC 9457). The whole contract: /openapi.json\n");
    request_answer(request, 200, STR("text/plain; charset=utf-8"), buf_str(&out));
}

void handlers_health(struct request *request)
{
    request_answer_json(request, 200, STR("{\"status\":\"ok\"}\n"));
}

enum { SHOWN = 16 }; /* of each kind */

static void write_full(struct engine *engine, struct buf *out)
{
    struct engine_full full[SHOWN];
    uint32_t count = engine_full(engine, full, SHOWN);
    for (uint32_t i = 0; i < count; i++) {
        buf_puts(out, i > 0 ? ",{\"name\":" : ",\"participants_full\":[{\"name\":");
        json_write_string(out, full[i].name);
        buf_printf(out, ",\"commands\":%llu}", (unsigned long long)full[i].held);
    }
    buf_puts(out, count > 0 ? "]" : "");
}

/* What does not keep the service from working, but somebody must look at. */
static struct str write_ready(struct request *request)
{
    uint32_t count = 0;
    struct buf out;
    const struct registry_missing *missing =
        registry_not_loaded(engine_registry(request->api->engine), &request->arena, &count);
    buf_init(&out, &request->arena);
    buf_puts(&out, "{\"status\":\"ready\"");
    if (count > 0)
        buf_printf(&out, ",\"definitions_not_loaded_count\":%u,\"definitions_not_loaded\":[", count);
    for (uint32_t i = 0; i < count && i < SHOWN; i++) {
        buf_puts(&out, i > 0 ? ",{\"name\":" : "{\"name\":");
        json_write_string(&out, missing[i].name);
        buf_printf(&out, ",\"version\":%d,\"why\":", missing[i].version);
        json_write_string(&out, missing[i].why);
        buf_char(&out, '}');
    }
    buf_puts(&out, count > 0 ? "]" : "");
    write_full(request->api->engine, &out);
    buf_puts(&out, "}\n");
    return buf_str(&out);
}

void handlers_ready(struct request *request)
{
    struct err_note note = {""};
    enum err error = readiness_ask(&request->api->readiness, &note);
    if (error == ERR_OK)
        request_answer_json(request, 200, write_ready(request));
    else
        request_refuse(request, PAGE_NOT_READY, "%s", note.text[0] ? note.text : err_text(error));
}

void handlers_metrics(struct request *request)
{
    struct engine_figures figures = {0};
    struct buf out;
    buf_init(&out, &request->arena);
    engine_figures(request->api->engine, &figures);
    metrics_set(METRICS_SHARDS_OWNED, figures.shards_owned, METRICS_NO_LABEL);
    metrics_set(METRICS_INBOX_EVENTS, figures.inbox_depth, METRICS_NO_LABEL);
    metrics_set(METRICS_OLDEST_WAIT, figures.oldest_wait_us, METRICS_NO_LABEL);
    metrics_set(METRICS_RESIDENT_SAGAS, figures.resident, METRICS_NO_LABEL);
    metrics_set(METRICS_PUBLISHES_OPEN, figures.publishes_in_flight, METRICS_NO_LABEL);
    metrics_set(METRICS_NATS_CONNECTED, figures.bus_connected, METRICS_NO_LABEL);
    metrics_set(METRICS_POSTGRES_CONNECTED, figures.store_connected, METRICS_NO_LABEL);
    metrics_write(&out);
    request_answer(request, 200, STR("text/plain; version=0.0.4; charset=utf-8"), buf_str(&out));
}

void handlers_openapi_json(struct request *request)
{
    request_answer_json(request, 200, request->api->openapi_json);
}

void handlers_openapi_yaml(struct request *request)
{
    request_answer(request, 200, STR("application/yaml"), openapi_yaml());
}

/* Dead letters */

struct reading {
    struct request *request;
    int64_t before;
    int64_t limit; /* of letters still to be told */
    struct store_dead_letter *letters;
    uint32_t count;
};

static enum err read_letters(struct store *store, void *context, struct err_note *note)
{
    struct reading *reading = context;
    uint32_t most = reading->limit < LETTERS_A_READ ? (uint32_t)reading->limit : LETTERS_A_READ;
    return store_dead_letters(store, STR(""), reading->before, most + 1, &reading->request->arena,
                              &reading->letters, &reading->count, note);
}

/* A body that is no text is told as hexadecimal, under a name of its own. */
static void put_body(struct buf *out, struct str body)
{
    if (str_is_utf8(body)) {
        members_text(out, "body", body);
        return;
    }
    buf_puts(out, ",\"body_hex\":\"");
    for (size_t i = 0; i < body.size; i++)
        buf_printf(out, "%02x", (unsigned char)body.data[i]);
    buf_char(out, '"');
}

static void put_letter(struct buf *out, const struct store_dead_letter *letter)
{
    buf_printf(out, "{\"number\":%lld", (long long)letter->number);
    members_time(out, "at", letter->at_us);
    members_text(out, "reason", letter->reason);
    members_text(out, "subject", letter->subject);
    members_text(out, "saga", letter->saga);
    members_text(out, "command", letter->command);
    buf_puts(out, ",\"headers\":");
    buf_put(out, letter->headers.size ? letter->headers : STR("{}"));
    put_body(out, letter->body);
    buf_char(out, '}');
}

/* What was read; one letter more shows only that there are more. Sets the next read's beginning, 0 at the
 * end. */
static void put_letters(struct buf *out, struct reading *reading)
{
    uint32_t most = reading->limit < LETTERS_A_READ ? (uint32_t)reading->limit : LETTERS_A_READ;
    uint32_t shown = 0;
    for (; shown < reading->count && shown < most && out->size < LIMITS_HTTP_PAGE_BYTES; shown++) {
        buf_puts(out, str_ends(buf_str(out), STR("[")) ? "\n" : ",\n");
        put_letter(out, &reading->letters[shown]);
    }
    reading->before = reading->count > shown ? reading->letters[shown - 1].number : 0;
    reading->limit -= shown;
}

void handlers_dead_letters(struct request *request)
{
    struct reading reading = {.request = request};
    struct err_note note = {""};
    if (!request_number(request, STR("limit"), 1, LETTERS_MAX, LETTERS_DEFAULT, &reading.limit) ||
        !request_number(request, STR("before"), 1, INT64_MAX, 0, &reading.before))
        return;
    struct buf out;
    buf_init(&out, &request->arena);
    buf_puts(&out, "{\"items\":[");
    do {
        enum err error = readers_run(&request->api->readers, read_letters, &reading, &note);
        if (error != ERR_OK) {
            request_refuse_err(request, error, &note);
            return;
        }
        put_letters(&out, &reading);
    } while (reading.before && reading.limit > 0 && out.size < LIMITS_HTTP_PAGE_BYTES);
    if (reading.before)
        buf_printf(&out, "],\"next\":%lld}\n", (long long)reading.before);
    else
        buf_puts(&out, "],\"next\":null}\n");
    request_answer_json(request, 200, buf_str(&out));
}
