/* POST /v1/sagas/{id}/{verb}: what an operator asks of one saga. The engine decides and answers after the
 * commit, so 200 means recorded, with who and why. */
#include "api/handlers.h"
#include "api/family.h"
#include "api/fields.h"
#include "api/literal.h"
#include "api/sagas.h"
#include "api/state.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

/* Bodies: the first two fields are everyone's, the next is for verbs about a step, the rest for force. Verbs
 * that reach the sagas below have bodies of their own. */
static const struct fields_row optional_reason[] = {
    {LITERAL("actor"), FIELDS_TEXT, true, LIMITS_REASON_BYTES},
    {LITERAL("reason"), FIELDS_TEXT, false, LIMITS_REASON_BYTES},
    {LITERAL("step"), FIELDS_TEXT, false, LIMITS_REASON_BYTES},
};
static const struct fields_row needed_reason[] = {
    {LITERAL("actor"), FIELDS_TEXT, true, LIMITS_REASON_BYTES},
    {LITERAL("reason"), FIELDS_TEXT, true, LIMITS_REASON_BYTES},
    {LITERAL("step"), FIELDS_TEXT, false, LIMITS_REASON_BYTES},
    {LITERAL("result"), FIELDS_TEXT, true, LIMITS_NAME_BYTES},
    {LITERAL("output"), FIELDS_ANY, false, 0},
    {LITERAL("error_code"), FIELDS_CODE, false, LIMITS_ERROR_CODE_BYTES},
};
static const struct fields_row of_family[] = {
    {LITERAL("actor"), FIELDS_TEXT, true, LIMITS_REASON_BYTES},
    {LITERAL("reason"), FIELDS_TEXT, false, LIMITS_REASON_BYTES},
    {LITERAL("keep_children"), FIELDS_FLAG, false, 0},
    {LITERAL("hold_deadline"), FIELDS_FLAG, false, 0},
};
static const struct fields_row of_family_for_a_reason[] = {
    {LITERAL("actor"), FIELDS_TEXT, true, LIMITS_REASON_BYTES},
    {LITERAL("reason"), FIELDS_TEXT, true, LIMITS_REASON_BYTES},
    {LITERAL("keep_children"), FIELDS_FLAG, false, 0},
};
enum {
    FIELDS_OF_SAGA = 2,
    FIELDS_OF_STEP = 3,
    FIELDS_OF_FORCE = 6,
    FIELDS_OF_FAMILY = 3,
    FIELDS_OF_PAUSE = 4
};

struct verb_row {
    struct str name;
    enum core_event_kind event;
    const struct fields_row *fields;
    uint32_t field_count;
};
static const struct verb_row verbs[] = {
    {LITERAL("cancel"), CORE_EVENT_CANCEL, optional_reason, FIELDS_OF_SAGA},
    {LITERAL("terminate"), CORE_EVENT_TERMINATE, of_family_for_a_reason, FIELDS_OF_FAMILY},
    {LITERAL("pause"), CORE_EVENT_PAUSE, of_family, FIELDS_OF_PAUSE},
    {LITERAL("resume"), CORE_EVENT_RESUME, of_family, FIELDS_OF_FAMILY},
    {LITERAL("retry"), CORE_EVENT_RETRY, optional_reason, FIELDS_OF_STEP},
    {LITERAL("skip"), CORE_EVENT_SKIP, needed_reason, FIELDS_OF_STEP},
    {LITERAL("force"), CORE_EVENT_FORCE, needed_reason, FIELDS_OF_FORCE},
};

static const struct verb_row *find_verb(struct str name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (str_equal(verbs[i].name, name))
            return &verbs[i];
    check(false); /* routes.def has the same names */
    return NULL;
}

/* `result` says ok or rejected; an output belongs to ok, an error code to rejected. False: answered. */
static bool read_result(struct request *request, const struct json *body, struct core_event *event)
{
    struct str result = json_get_str(body, STR("result"));
    bool good = str_equal(result, STR("ok"));
    if (!good && !str_equal(result, STR("rejected"))) {
        request_refuse(request, PAGE_INVALID_FIELD, "result must be \"ok\" or \"rejected\"");
        return false;
    }
    event->status = good ? CORE_REPLY_OK : CORE_REPLY_REJECTED;
    event->body = json_get(body, STR("output"));
    event->error_code = json_get_str(body, STR("error_code"));
    if (good ? event->error_code.size == 0 : event->body == NULL)
        return true;
    request_refuse(request, PAGE_INVALID_FIELD, "%s",
                   good ? "error_code belongs to the result \"rejected\""
                        : "output belongs to the result \"ok\"");
    return false;
}

void handlers_verb(struct request *request)
{
    struct id id;
    const struct verb_row *verb = find_verb(request->target.segments[3]);
    if (!request_saga_id(request, &id))
        return;
    const struct json *body = request_body_object(request);
    if (!body || !fields_check(request, body, verb->fields, verb->field_count))
        return;
    struct core_event event = {
        .kind = verb->event,
        .actor = json_get_str(body, STR("actor")),
        .reason = json_get_str(body, STR("reason")),
        .step = json_get_str(body, STR("step")),
    };
    if (verb->event == CORE_EVENT_FORCE && !read_result(request, body, &event))
        return;
    const struct json *hold = json_get(body, STR("hold_deadline"));
    event.deadline = hold != NULL && hold->boolean;
    bool reaches = event.kind == CORE_EVENT_TERMINATE || event.kind == CORE_EVENT_PAUSE ||
                   event.kind == CORE_EVENT_RESUME;
    const struct json *keep = json_get(body, STR("keep_children"));
    if (reaches && (keep == NULL || !keep->boolean))
        family_verb(request, id, &event);
    else
        sagas_verb(request, id, &event);
}
