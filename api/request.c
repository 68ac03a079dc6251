/* One request's memory, answer and refusals. Called by api.c and all handlers. An answer is given once; what
 * is refused says what, where and how to mend it. */
#include "api/request.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "engine/base/check.h"
#include "engine/base/id.h"
#include "engine/base/limits.h"
#include "api/state.h"
#include "engine/ops/log.h"

void request_answer(struct request *request, unsigned status, struct str type, struct str text)
{
    request->stage = REQUEST_ANSWERED;
    request->status = status;
    request->type = type;
    request->text = text;
}

void request_answer_json(struct request *request, unsigned status, struct str text)
{
    request_answer(request, status, STR("application/json"), text);
}

void request_answer_page(struct request *request, const struct page *given)
{
    struct page page = *given;
    page.instance = request->target.path;
    struct buf out;
    buf_init(&out, &request->arena);
    page_write(&out, &page);
    request->answer_header_count = 0; /* those of an answer that is not given any more */
    request_answer(request, page_status(page.kind), STR("application/problem+json"), buf_str(&out));
    if (page.kind == PAGE_INTERNAL)
        log_error("http_failed", "path=%.*s why=%.*s", STR_ARG(page.instance), STR_ARG(page.detail));
    if (request->status == 429 || request->status == 503)
        request_add_header(request, STR("Retry-After"), STR("1"));
}

void request_refuse(struct request *request, enum page_kind kind, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    check(size >= 0);
    struct str whole = str_from(text);
    while (!str_is_utf8(whole)) /* the cut may have split a character */
        whole.size--;
    struct page page = {.kind = kind, .detail = arena_copy(&request->arena, whole)};
    request_answer_page(request, &page);
}

void request_refuse_err(struct request *request, enum err error, const struct err_note *note)
{
    enum page_kind kind = PAGE_INTERNAL;
    switch (error) {
    case ERR_FULL:
        kind = PAGE_OVERLOADED;
        break;
    case ERR_UNKNOWN_OUTCOME:
        kind = PAGE_UNKNOWN_OUTCOME;
        break;
    case ERR_FENCED:
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_CLOSED:
    case ERR_SCHEMA:
        kind = PAGE_UNAVAILABLE;
        break;
    case ERR_OK:
    case ERR_INVALID:
    case ERR_LIMIT:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_BAD_DATA:
    case ERR_IO:
        break;
    }
    request_refuse(request, kind, "%s", note->text[0] ? note->text : err_text(error));
}

void request_hold(struct request *request)
{
    size_t held = request->arena.used;
    atomic_fetch_add(&request->api->held, held - request->held); /* wraps around when it has become less */
    request->held = held;
}

bool request_is_crowded(const struct request *request)
{
    return atomic_load(&request->api->held) > request->api->held_max;
}

void request_refuse_busy(struct request *request)
{
    request_refuse(request, PAGE_BUSY,
                   "too many requests of this kind are being worked on; ask again in a moment");
}

void request_add_header(struct request *request, struct str name, struct str value)
{
    check(request->answer_header_count < REQUEST_HEADERS_MAX);
    request->answer_headers[request->answer_header_count++] = (struct guard_header){name, value};
}

const struct str *request_param(const struct request *request, struct str name)
{
    for (uint32_t i = 0; i < request->target.param_count; i++)
        if (str_equal(request->target.params[i].name, name))
            return &request->target.params[i].value;
    return NULL;
}

bool request_number(struct request *request, struct str name, int64_t least, int64_t most, int64_t otherwise,
                    int64_t *value)
{
    const struct str *text = request_param(request, name);
    *value = otherwise;
    if (!text || (str_to_i64(*text, value) && *value >= least && *value <= most))
        return true;
    request_refuse(request, PAGE_INVALID_PARAMETER, "%.*s must be a number from %lld to %lld", STR_ARG(name),
                   (long long)least, (long long)most);
    return false;
}

/* The media type without its parameters. */
static struct str media_type(const struct request *request)
{
    struct str type = guard_header(&request->head, STR("Content-Type"));
    return str_trim(str_slice(type, 0, str_find(type, ';')));
}

static bool is_one_of(struct str type, const char *const *names)
{
    for (; *names; names++)
        if (type.size == strlen(*names) && strncasecmp(type.data, *names, type.size) == 0)
            return true;
    return false;
}

bool request_is_json(const struct request *request)
{
    static const char *const names[] = {"application/json", NULL};
    return is_one_of(media_type(request), names);
}

/* A body without a type is refused where JSON is due: a page of another site can send such a body without
 * asking first, but not one of this type. A PUT always asks first. */
bool request_check_type(struct request *request)
{
    static const char *const yaml[] = {"application/yaml", "application/x-yaml", "text/yaml",
                                       "text/x-yaml",      "text/plain",         NULL};
    bool yaml_taken = request->route->body == ROUTE_BODY_YAML;
    struct str type = media_type(request);
    struct str coding = guard_header(&request->head, STR("Content-Encoding"));
    if (coding.size && !(coding.size == 8 && strncasecmp(coding.data, "identity", 8) == 0))
        request_refuse(request, PAGE_UNSUPPORTED_TYPE, "compressed bodies are not taken");
    else if (request_is_json(request) || (yaml_taken && (type.size == 0 || is_one_of(type, yaml))))
        return true;
    else
        request_refuse(request, PAGE_UNSUPPORTED_TYPE,
                       "the body must be %s, as the header Content-Type tells",
                       yaml_taken ? "application/yaml or application/json" : "application/json");
    return false;
}

const struct json *request_body_object(struct request *request)
{
    const struct json *value = NULL;
    struct err_note note = {""};
    size_t most = route_body_max(request->route);
    enum err error = json_parse(&request->arena, buf_str(&request->body), most, &value, &note);
    if (error != ERR_OK) {
        request_refuse(request, PAGE_MALFORMED_BODY, "the body is not JSON as it is taken here: %s",
                       note.text);
        return NULL;
    }
    if (value->kind != JSON_OBJECT) {
        request_refuse(request, PAGE_MALFORMED_BODY, "the body must be a JSON object");
        return NULL;
    }
    return value;
}

bool request_saga_id(struct request *request, struct id *id)
{
    struct str text = request->target.segments[2];
    if (id_parse(text, id))
        return true;
    request_refuse(request, PAGE_UNKNOWN_SAGA, "\"%.*s\" is not the id of a saga", STR_ARG(text));
    return false;
}
