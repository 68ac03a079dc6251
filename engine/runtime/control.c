/* Requests between engines as JSON, both ways, strictly. Called by who asks (router, forward) and by the
 * owner (intake). Pure: never looks up a saga, and never believes a text (proof.c does). */
#include "engine/runtime/control.h"

#include <inttypes.h>
#include "engine/base/limits.h"

/* A text as a member, left out when empty. */
static void member(struct buf *out, const char *name, struct str value)
{
    if (value.size == 0)
        return;
    buf_printf(out, ",\"%s\":", name);
    json_write_string(out, value);
}

static void tree(struct buf *out, const char *name, const struct json *value)
{
    if (value == NULL)
        return;
    buf_printf(out, ",\"%s\":", name);
    json_write(out, value);
}

static void identity(struct buf *out, struct id id)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(id, text);
    member(out, "id", str_from(text));
}

static void write_start(struct buf *out, const struct inbox_task *task)
{
    const struct engine_start *start = &task->start;
    buf_printf(out, "{\"op\":\"start\",\"version\":%d", start->plan->version);
    member(out, "definition", start->plan->name);
    member(out, "key", start->key);
    member(out, "correlation", start->correlation);
    member(out, "traceparent", start->traceparent);
    tree(out, "search", start->search);
    tree(out, "input", start->input);
    if (task->has_id)
        identity(out, task->id);
}

static void write_verb(struct buf *out, const struct inbox_task *task)
{
    const struct core_event *verb = &task->verb;
    buf_puts(out, "{\"op\":\"verb\"");
    identity(out, task->id);
    member(out, "verb", core_event_text(verb->kind));
    member(out, "step", verb->step);
    member(out, "signal", verb->signal);
    member(out, "signal_id", verb->signal_id);
    if (verb->kind == CORE_EVENT_MOVE)
        buf_printf(out, ",\"only\":%s,\"due\":%" PRId64, verb->only ? "true" : "false", verb->due_us);
    if (verb->deadline)
        buf_puts(out, ",\"deadline\":true");
    member(out, "status", core_reply_text(verb->status));
    member(out, "code", verb->error_code);
    member(out, "message", verb->error_message);
    member(out, "actor", verb->actor);
    member(out, "reason", verb->reason);
    tree(out, "body", verb->body);
}

static void write_child(struct buf *out, const struct inbox_task *task)
{
    const struct envelope_child *child = &task->child;
    char parent[ID_TEXT_SIZE + 1];
    id_format(child->parent, parent);
    buf_printf(out,
               "{\"op\":\"child\",\"version\":%d,\"attempt\":%" PRIu32 ",\"depth\":%" PRIu32
               ",\"family\":%" PRIu32,
               child->version, child->attempt, child->depth, child->family);
    member(out, "definition", child->definition);
    identity(out, child->child);
    member(out, "parent", str_from(parent));
    member(out, "step", child->step);
    member(out, "kind", core_kind_text(child->kind));
    member(out, "correlation", child->correlation);
    member(out, "traceparent", child->traceparent);
    tree(out, "input", child->input);
}

struct str control_write(const struct inbox_task *task, struct str from, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    if (task->kind == INBOX_START)
        write_start(&out, task);
    else if (task->kind == INBOX_CHILD)
        write_child(&out, task);
    else
        write_verb(&out, task);
    member(&out, "from", from);
    buf_char(&out, '}');
    return buf_str(&out);
}

struct str control_from(struct str text, struct arena *arena)
{
    const struct json *body = NULL;
    struct err_note note;
    return json_parse(arena, text, LIMITS_HTTP_BODY_BYTES, &body, &note) == ERR_OK
               ? json_get_str(body, STR("from"))
               : STR("");
}

static enum err refuse(struct str *reason, struct str why)
{
    *reason = why;
    return ERR_INVALID;
}

static enum err read_start(const struct json *body, struct registry *registry, struct arena *arena,
                           struct inbox_task *task, struct str *reason)
{
    int64_t version = 0;
    struct str name = json_get_str(body, STR("definition"));
    if (!json_get_i64(body, STR("version"), &version) || version < 1 || version > INT32_MAX)
        return refuse(reason, STR("\"version\" must be a whole number from 1"));
    task->start = (struct engine_start){
        .plan = registry_find(registry, name, (int32_t)version),
        .input = json_get(body, STR("input")),
        .key = json_get_str(body, STR("key")),
        .search = json_get(body, STR("search")),
        .correlation = json_get_str(body, STR("correlation")),
        .traceparent = json_get_str(body, STR("traceparent")),
    };
    task->has_id = json_get(body, STR("id")) != NULL;
    if (task->has_id && !id_parse(json_get_str(body, STR("id")), &task->id))
        return refuse(reason, STR("\"id\" is not one"));
    if (task->start.plan != NULL)
        return ERR_OK;
    *reason = arena_printf(arena, "definition %.*s version %" PRId64 " is not known here yet", STR_ARG(name),
                           version);
    return ERR_NOT_FOUND;
}

static enum err read_verb(const struct json *body, struct inbox_task *task, struct str *reason)
{
    struct str status = json_get_str(body, STR("status"));
    struct core_event *verb = &task->verb;
    *verb = (struct core_event){
        .step = json_get_str(body, STR("step")),
        .signal = json_get_str(body, STR("signal")),
        .signal_id = json_get_str(body, STR("signal_id")),
        .error_code = json_get_str(body, STR("code")),
        .error_message = json_get_str(body, STR("message")),
        .actor = json_get_str(body, STR("actor")),
        .reason = json_get_str(body, STR("reason")),
        .body = json_get(body, STR("body")),
    };
    const struct json *only = json_get(body, STR("only"));
    verb->only = only != NULL && only->boolean;
    const struct json *deadline = json_get(body, STR("deadline"));
    verb->deadline = deadline != NULL && deadline->boolean;
    task->has_id = id_parse(json_get_str(body, STR("id")), &task->id);
    bool fine = task->has_id && core_event_parse(json_get_str(body, STR("verb")), &verb->kind) &&
                verb->kind >= CORE_EVENT_CANCEL && verb->kind < CORE_EVENT_UNDO &&
                (status.size == 0 || core_reply_parse(status, &verb->status)) &&
                (verb->kind != CORE_EVENT_MOVE || json_get_i64(body, STR("due"), &verb->due_us));
    return fine ? ERR_OK : refuse(reason, STR("\"id\", \"verb\", \"status\" or \"due\" is not one"));
}

static enum err read_child(const struct json *body, struct inbox_task *task, struct str *reason)
{
    int64_t version = -1, attempt = 0, depth = 0, family = 0;
    struct envelope_child *child = &task->child;
    *child = (struct envelope_child){.step = json_get_str(body, STR("step")),
                                     .definition = json_get_str(body, STR("definition")),
                                     .correlation = json_get_str(body, STR("correlation")),
                                     .traceparent = json_get_str(body, STR("traceparent")),
                                     .input = json_get(body, STR("input"))};
    bool fine = id_parse(json_get_str(body, STR("id")), &child->child) &&
                id_parse(json_get_str(body, STR("parent")), &child->parent) &&
                core_kind_parse(json_get_str(body, STR("kind")), &child->kind) &&
                child->kind != CORE_VERIFY && json_get_i64(body, STR("version"), &version) && version >= 0 &&
                version <= INT32_MAX && json_get_i64(body, STR("attempt"), &attempt) && attempt > 0 &&
                attempt <= LIMITS_ATTEMPTS_MAX && json_get_i64(body, STR("depth"), &depth) && depth > 0 &&
                depth <= LIMITS_ATTEMPTS_MAX &&
                (json_get(body, STR("family")) == NULL ||
                 (json_get_i64(body, STR("family"), &family) && family >= 0 && family <= LIMITS_FAMILY)) &&
                child->step.size > 0 && child->definition.size > 0 && child->input != NULL;
    if (!fine)
        return refuse(reason, STR("\"id\", \"parent\", \"kind\", \"version\", \"attempt\", \"depth\", "
                                  "\"family\" or \"input\" is not one"));
    task->has_id = true;
    task->id = child->child;
    child->version = (int32_t)version;
    child->attempt = (uint32_t)attempt;
    child->depth = (uint32_t)depth;
    child->family = (uint32_t)family;
    return ERR_OK;
}

enum err control_read(struct str text, struct registry *registry, struct arena *arena,
                      struct inbox_task *task, struct str *reason)
{
    const struct json *body = NULL;
    struct err_note note = {""};
    struct inbox_task read = {.kind = INBOX_UNREAD};
    enum err error = ERR_INVALID;
    if (json_parse(arena, text, LIMITS_HTTP_BODY_BYTES, &body, &note) != ERR_OK)
        return refuse(reason, arena_copy(arena, str_from(note.text)));
    struct str op = json_get_str(body, STR("op"));
    if (str_equal(op, STR("start"))) {
        read.kind = INBOX_START;
        error = read_start(body, registry, arena, &read, reason);
    } else if (str_equal(op, STR("verb"))) {
        read.kind = INBOX_VERB;
        error = read_verb(body, &read, reason);
    } else if (str_equal(op, STR("child"))) {
        read.kind = INBOX_CHILD;
        error = read_child(body, &read, reason);
    } else {
        *reason = STR("\"op\" must be start, verb or child");
    }
    if (error == ERR_OK)
        *task = read;
    return error;
}

struct str control_write_answer(const struct engine_answer *answer, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    buf_printf(&out, "{\"error\":%d,\"created\":%s,\"seq\":%" PRId64 ",\"version\":%" PRId32,
               (int)answer->error, answer->created ? "true" : "false", answer->seq, answer->version);
    member(&out, "status", core_status_text(answer->status));
    member(&out, "message", answer->message);
    identity(&out, answer->id);
    buf_char(&out, '}');
    return buf_str(&out);
}

bool control_read_answer(struct str text, struct arena *arena, struct engine_answer *answer)
{
    const struct json *body = NULL;
    struct err_note note;
    int64_t error = 0;
    *answer = (struct engine_answer){.error = ERR_UNAVAILABLE};
    if (json_parse(arena, text, LIMITS_HTTP_BODY_BYTES, &body, &note) != ERR_OK ||
        !json_get_i64(body, STR("error"), &error) ||
        !core_status_parse(json_get_str(body, STR("status")), &answer->status) || error < ERR_OK ||
        error > ERR_IO)
        return false;
    const struct json *created = json_get(body, STR("created"));
    int64_t version = 0;
    if (json_get_i64(body, STR("version"), &version) && version > 0 && version <= INT32_MAX)
        answer->version = (int32_t)version;
    answer->error = (enum err)error;
    answer->created = created != NULL && created->boolean;
    answer->message = json_get_str(body, STR("message"));
    return json_get_i64(body, STR("seq"), &answer->seq) &&
           id_parse(json_get_str(body, STR("id")), &answer->id);
}
