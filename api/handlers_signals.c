/* POST /v1/sagas/{id}/signals and POST /v1/signals: an event from outside for a saga's await. Answered after
 * the commit: 201 means kept or taken, 200 that a signal with this id was taken before. */
#include "api/handlers.h"
#include "api/calls.h"
#include "api/fields.h"
#include "api/literal.h"
#include "api/sagas.h"
#include "api/state.h"
#include "engine/base/limits.h"

/* The first three are everyone's, the rest names the saga where the path does not. */
static const struct fields_row fields[] = {
    {LITERAL("event"), FIELDS_TEXT, true, LIMITS_KEY_BYTES},
    {LITERAL("body"), FIELDS_ANY, false, 0},
    {LITERAL("id"), FIELDS_KEY, false, LIMITS_KEY_BYTES},
    {LITERAL("definition"), FIELDS_TEXT, true, LIMITS_NAME_BYTES},
    {LITERAL("key"), FIELDS_KEY, true, LIMITS_KEY_BYTES},
};
enum { FIELDS_BY_ID = 3, FIELDS_BY_KEY = 5 };

static void after_signal(struct request *request)
{
    const struct engine_answer *answer = &request->answer;
    char id[ID_TEXT_SIZE + 1];
    switch (answer->error) {
    case ERR_NOT_FOUND:
        request_refuse(request, PAGE_UNKNOWN_SAGA, "there is no such saga");
        return;
    case ERR_CONFLICT:
        request_refuse(request, PAGE_SIGNAL_REFUSED, "%.*s", STR_ARG(answer->message));
        return;
    case ERR_INVALID:
        request_refuse(request, PAGE_INVALID_SIGNAL, "%.*s", STR_ARG(answer->message));
        return;
    case ERR_OK:
        break;
    case ERR_LIMIT:
    case ERR_FENCED:
    case ERR_UNKNOWN_OUTCOME:
    case ERR_UNAVAILABLE:
    case ERR_BAD_DATA:
    case ERR_TIMEOUT:
    case ERR_FULL:
    case ERR_CLOSED:
    case ERR_SCHEMA:
    case ERR_IO:
        request_refuse_err(request, answer->error, &request->answer_note);
        return;
    }
    id_format(answer->id, id);
    request_answer_json(request, answer->created ? 201 : 200,
                        arena_printf(&request->arena,
                                     "{\"id\":\"%s\",\"status\":\"%.*s\",\"seq\":%lld,\"created\":%s}\n", id,
                                     STR_ARG(core_status_text(answer->status)), (long long)answer->seq,
                                     answer->created ? "true" : "false"));
}

/* The body of the request as an event; false: answered. */
static bool read_signal(struct request *request, uint32_t field_count, const struct json **body,
                        struct core_event *event)
{
    *body = request_body_object(request);
    if (!*body || !fields_check(request, *body, fields, field_count))
        return false;
    *event = (struct core_event){.kind = CORE_EVENT_SIGNAL,
                                 .signal = json_get_str(*body, STR("event")),
                                 .signal_id = json_get_str(*body, STR("id")),
                                 .body = json_get(*body, STR("body"))};
    if (!event->body || json_text(&request->arena, event->body).size <= LIMITS_PAYLOAD_BYTES)
        return true;
    request_refuse(request, PAGE_TOO_LARGE, "the body of a signal may have %d bytes", LIMITS_PAYLOAD_BYTES);
    return false;
}

static void submit(struct request *request, struct id id, const struct core_event *event)
{
    struct err_note note = {""};
    struct engine_call call = calls_begin(request, CALLS_WORK, after_signal);
    enum err error = engine_verb(request->api->engine, id, event, call, &note);
    if (error != ERR_OK)
        calls_fail(call, error, &note);
}

void handlers_signal_saga(struct request *request)
{
    struct id id;
    struct core_event event;
    const struct json *body = NULL;
    if (request_saga_id(request, &id) && read_signal(request, FIELDS_BY_ID, &body, &event))
        submit(request, id, &event);
}

struct finding {
    struct arena *arena;
    struct str definition, key;
    struct store_keyed *found;
    uint32_t count;
};

static enum err find_key(struct store *store, void *context, struct err_note *note)
{
    struct finding *finding = context;
    return store_find_keys(store, &finding->definition, &finding->key, 1, finding->arena, &finding->found,
                           &finding->count, note);
}

void handlers_signal_by_key(struct request *request)
{
    struct core_event event;
    struct err_note note = {""};
    const struct json *body = NULL;
    if (!read_signal(request, FIELDS_BY_KEY, &body, &event))
        return;
    struct finding finding = {.arena = &request->arena,
                              .definition = json_get_str(body, STR("definition")),
                              .key = json_get_str(body, STR("key"))};
    enum err error = readers_run(&request->api->readers, find_key, &finding, &note);
    if (error != ERR_OK)
        request_refuse_err(request, error, &note);
    else if (finding.count == 0)
        request_refuse(request, PAGE_UNKNOWN_SAGA, "no saga of %.*s has this key",
                       STR_ARG(finding.definition));
    else
        submit(request, finding.found[0].id, &event);
}
