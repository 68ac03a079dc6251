/* GET and POST /v1/sagas/{id}/timers: what a saga waits for until when, and an operator's move of it. Called
 * by route.c. A move is a verb: it is answered after its commit, never before. */
#include "api/handlers.h"
#include "api/fields.h"
#include "api/literal.h"
#include "api/members.h"
#include "api/sagas.h"
#include "api/state.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/runtime/loader.h"

/* What a step's timer is, by its state; NULL: it has none. */
struct timer_kind {
    const char *what;
    enum core_kind command;
    bool commands; /* whether it is about a command at all */
    bool held;     /* by a pause, or a park by the saga's deadline; an await by a pause that holds it */
};

static struct timer_kind kind_of(enum core_step_state state)
{
    switch (state) {
    case CORE_STEP_WAITING:
        return (struct timer_kind){"pause", CORE_DO, true, true};
    case CORE_STEP_SENT:
        return (struct timer_kind){"attempt", CORE_DO, true, false};
    case CORE_STEP_VERIFY_WAITING:
        return (struct timer_kind){"pause", CORE_VERIFY, true, true};
    case CORE_STEP_VERIFY_SENT:
        return (struct timer_kind){"attempt", CORE_VERIFY, true, false};
    case CORE_STEP_UNDO_WAITING:
        return (struct timer_kind){"pause", CORE_UNDO, true, true};
    case CORE_STEP_UNDO_SENT:
        return (struct timer_kind){"attempt", CORE_UNDO, true, false};
    case CORE_STEP_AWAITING:
        return (struct timer_kind){"await", CORE_DO, false, true};
    case CORE_STEP_SLEEPING:
        return (struct timer_kind){"wait", CORE_DO, false, false};
    case CORE_STEP_STUCK:
    case CORE_STEP_DONE:
    case CORE_STEP_REJECTED:
    case CORE_STEP_WAIVED:
    case CORE_STEP_DOUBT:
    case CORE_STEP_UNDO_STUCK:
    case CORE_STEP_UNDONE:
    case CORE_STEP_UNDO_WAIVED:
        break;
    }
    return (struct timer_kind){NULL, CORE_DO, false, false};
}

static void put_step(struct buf *out, const struct core_saga *saga, uint16_t index, struct timer_kind kind)
{
    const struct core_step *step = &saga->steps[index];
    const struct plan_node *node = &saga->plan->nodes[step->node];
    bool by_deadline = saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP;
    buf_puts(out, "{\"step\":");
    json_write_string(out, core_step_path(saga, index));
    buf_printf(out, ",\"kind\":\"%s\"", kind.what);
    members_time(out, "due", step->due_us);
    members_text(out, "command", kind.commands ? core_kind_text(kind.command) : (struct str){NULL, 0});
    buf_printf(out, ",\"attempt\":%u", kind.commands ? step->attempts[kind.command] : 0);
    members_text(out, "event", node->kind == PLAN_AWAIT ? node->await->event : (struct str){NULL, 0});
    bool held = kind.commands ? saga->paused || by_deadline : saga->held_us > 0;
    buf_printf(out, ",\"held\":%s}", kind.held && held ? "true" : "false");
}

static void put_timers(struct buf *out, const struct core_saga *saga)
{
    bool first = true;
    char id[ID_TEXT_SIZE + 1];
    id_format(saga->id, id);
    buf_printf(out, "{\"id\":\"%s\",\"items\":[", id);
    for (uint16_t i = 0; i < saga->step_count && !core_ended(saga); i++) {
        struct timer_kind kind = kind_of(saga->steps[i].state);
        if (!kind.what || saga->steps[i].due_us == 0)
            continue;
        buf_puts(out, first ? "\n" : ",\n");
        first = false;
        put_step(out, saga, i, kind);
    }
    if (saga->deadline_us > 0 && !core_ended(saga)) {
        buf_puts(out, first ? "\n{\"step\":null,\"kind\":\"deadline\""
                            : ",\n{\"step\":null,\"kind\":\"deadline\"");
        members_time(out, "due", saga->deadline_us);
        buf_printf(out, ",\"command\":null,\"attempt\":0,\"event\":null,\"held\":%s}",
                   saga->held_us > 0 ? "true" : "false");
    }
    buf_puts(out, "]}\n");
}

struct listing {
    struct request *request;
    struct id id;
    struct str text;
};

static enum err read_timers(struct store *store, void *context, struct err_note *note)
{
    struct listing *listing = context;
    struct arena *arena = &listing->request->arena;
    struct core_saga saga;
    struct buf out;
    enum err error = loader_load(engine_registry(listing->request->api->engine), store, listing->id, arena,
                                 arena, &saga, NULL, note);
    if (error != ERR_OK)
        return error;
    buf_init(&out, arena);
    put_timers(&out, &saga);
    listing->text = buf_str(&out);
    return ERR_OK;
}

void handlers_get_timers(struct request *request)
{
    struct listing listing = {.request = request};
    struct err_note note = {""};
    if (!request_saga_id(request, &listing.id))
        return;
    enum err error = readers_run(&request->api->readers, read_timers, &listing, &note);
    if (error != ERR_OK)
        sagas_refuse(request, error, &note);
    else
        request_answer_json(request, 200, listing.text);
}

static const struct fields_row fields[] = {
    {LITERAL("actor"), FIELDS_TEXT, true, LIMITS_REASON_BYTES},
    {LITERAL("reason"), FIELDS_TEXT, false, LIMITS_REASON_BYTES},
    {LITERAL("step"), FIELDS_TEXT, false, LIMITS_REASON_BYTES},
    {LITERAL("due"), FIELDS_TEXT, true, LIMITS_NAME_BYTES},
    {LITERAL("deadline"), FIELDS_FLAG, false, 0},
};

static enum err read_now(struct store *store, void *context, struct err_note *note)
{
    return store_now(store, context, note);
}

/* "now", a time, or a duration from now on the database's clock. False: answered. */
static bool read_due(struct request *request, struct str text, int64_t *due_us)
{
    struct err_note note = {""};
    int64_t span_us = 0;
    *due_us = 0; /* has passed: it fires */
    if (str_equal(text, STR("now")) || (duration_time_parse(text, due_us) && *due_us > 0))
        return true;
    if (!duration_parse(text, &span_us)) {
        request_refuse(
            request, PAGE_INVALID_FIELD,
            "due must be \"now\", a time (2026-11-21T12:00:00Z) or how long from now (90s, 1h, 7d)");
        return false;
    }
    enum err error = readers_run(&request->api->readers, read_now, due_us, &note);
    if (error != ERR_OK)
        request_refuse_err(request, error, &note);
    *due_us += span_us;
    return error == ERR_OK;
}

/* What the saga's deadline does when it fires undoes it all, so nobody moves it by leaving a step out. */
static bool read_which(struct request *request, const struct json *body, struct core_event *event)
{
    const struct json *given = json_get(body, STR("deadline"));
    bool deadline = given != NULL && given->boolean;
    event->only = !deadline && event->step.size == 0;
    if (!deadline || (event->step.size == 0 && event->reason.size > 0))
        return true;
    request_refuse(request, PAGE_INVALID_FIELD, "%s",
                   event->step.size > 0
                       ? "either `step` or `deadline`, not both"
                       : "moving the deadline needs a `reason`: when it has passed, the saga is "
                         "undone or, behind its pivot, parks");
    return false;
}

void handlers_move_timer(struct request *request)
{
    struct id id;
    const struct json *body = NULL;
    if (!request_saga_id(request, &id) || !(body = request_body_object(request)) ||
        !fields_check(request, body, fields, sizeof fields / sizeof fields[0]))
        return;
    struct core_event event = {
        .kind = CORE_EVENT_MOVE,
        .actor = json_get_str(body, STR("actor")),
        .reason = json_get_str(body, STR("reason")),
        .step = json_get_str(body, STR("step")),
    };
    if (read_which(request, body, &event) && read_due(request, json_get_str(body, STR("due")), &event.due_us))
        sagas_verb(request, id, &event);
}
