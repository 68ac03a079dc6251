/* A saga as JSON for dashboards and `sagactl show`, and the line of what it waits for. Called by the API, the
 * store's rows and the tools. Reads only; what stands here is a contract (api/openapi.yaml). */
#include "engine/core/view.h"
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/core/budget.h"
#include "engine/core/frames.h"
#include "engine/core/lost.h"
#include "engine/core/state.h"
#include "engine/core/work.h"
#include "engine/core/words.h"

enum { MOST_WAITS = 3 }; /* named in the line of what a saga waits for */

/* What follows when the outstanding attempt is not answered either. */
static const char *then(const struct core_saga *saga, const struct core_step *step, enum core_kind kind)
{
    const struct plan_node *node = &saga->plan->nodes[step->node];
    struct budget budget = budget_of(saga, step, kind);
    check(state_is_active(step->state));
    check(step->due_us > 0);
    bool asks = node->step->has_verify && node->step->on_timeout != PLAN_ON_TIMEOUT_COMPENSATE;
    bool forward = !frames_is_halted(saga, step->frame);
    if ((kind != CORE_DO || forward) && budget_allows(&budget, step->due_us))
        return "try again";
    if (kind == CORE_UNDO || (kind == CORE_DO && forward && node->step->on_timeout == PLAN_ON_TIMEOUT_PARK))
        return "park";
    if (kind == CORE_DO && asks)
        return "verify";
    return forward && (node->after_pivot || node->step->pivot) ? "park" : "compensate";
}

static void put_quiet_wait(struct buf *out, const struct core_saga *saga, uint16_t index)
{
    const struct core_step *step = &saga->steps[index];
    const struct plan_node *node = &saga->plan->nodes[step->node];
    check(step->state == CORE_STEP_AWAITING || step->state == CORE_STEP_SLEEPING);
    if (node->kind == PLAN_AWAIT) {
        buf_puts(out, "waiting for event ");
        buf_put(out, node->await->event);
        buf_puts(out, " at ");
    } else {
        buf_puts(out, "waiting at ");
    }
    buf_put(out, core_step_path(saga, index));
    buf_puts(out, " until ");
    buf_put(out, duration_time_text(out->arena, step->due_us));
    if (node->kind == PLAN_AWAIT) {
        buf_puts(out, ", then ");
        buf_put(out, plan_await_timeout_text(node->await->on_timeout));
    }
}

/* A child that was asked for once is asked again and again: what the saga waits for is its end. */
static void put_child_wait(struct buf *out, const struct core_saga *saga, uint16_t index)
{
    const struct core_step *step = &saga->steps[index];
    char child[ID_TEXT_SIZE + 1];
    id_format(core_child(saga, index), child);
    check(step->due_us > 0);
    buf_printf(out, "waiting for child saga %s at ", child);
    buf_put(out, core_step_path(saga, index));
    buf_puts(out,
             state_kind(step->state) == CORE_UNDO ? " to be undone, asked again at " : ", asked again at ");
    buf_put(out, duration_time_text(out->arena, step->due_us));
}

static void put_wait(struct buf *out, const struct core_saga *saga, uint16_t index)
{
    static const struct str subjects[CORE_KIND_COUNT] = {[CORE_DO] = {"", 0},
                                                         [CORE_VERIFY] = {"verification of ", 16},
                                                         [CORE_UNDO] = {"compensation of ", 16}};
    const struct core_step *step = &saga->steps[index];
    enum core_kind kind = state_kind(step->state);
    bool sent = step->state == state_sent(kind);
    check(step->due_us > 0);
    if (saga->plan->nodes[step->node].kind == PLAN_SAGA && step->attempts[CORE_DO] > 0) {
        put_child_wait(out, saga, index);
        return;
    }
    buf_puts(out, sent ? "waiting for reply to " : "waiting to send ");
    buf_put(out, subjects[kind]);
    buf_put(out, core_step_path(saga, index));
    buf_puts(out, ", attempt ");
    buf_i64(out, (int64_t)step->attempts[kind] + !sent);
    buf_puts(out, sent ? ", until " : ", at ");
    buf_put(out, duration_time_text(out->arena, step->due_us));
    if (sent) {
        buf_puts(out, ", then ");
        buf_puts(out, then(saga, step, kind));
    }
}

static void put_park(struct buf *out, const struct core_saga *saga)
{
    check(saga->status == CORE_PARKED);
    check(saga->park_code.size > 0);
    buf_puts(out, "parked");
    if (saga->park_step != CORE_NO_STEP) {
        buf_puts(out, " at ");
        buf_put(out, core_step_path(saga, saga->park_step));
    }
    buf_puts(out, ": ");
    buf_put(out, saga->park_code);
    if (saga->park_message.size > 0) {
        buf_puts(out, ", ");
        buf_put(out, saga->park_message);
    }
}

void view_waiting(struct buf *out, const struct core_saga *saga)
{
    size_t before = out->size;
    uint32_t shown = 0;
    check(saga->step_count <= saga->step_room);
    if (core_ended(saga))
        return;
    if (saga->paused)
        buf_puts(out, saga->held_us > 0 ? "paused, its deadline and awaits stand still" : "paused");
    if (saga->status == CORE_PARKED) {
        buf_puts(out, saga->paused ? "; " : "");
        put_park(out, saga);
    }
    for (uint16_t i = 0; i < saga->step_count && !lost_holds(saga); i++) {
        enum core_step_state state = saga->steps[i].state;
        bool held = state_commands(state) && state == state_waiting(state_kind(state)) && work_held(saga);
        if (!state_is_active(state) || held)
            continue;
        if (++shown > MOST_WAITS)
            continue;
        buf_puts(out, out->size > before ? "; " : "");
        if (state_commands(state))
            put_wait(out, saga, i);
        else
            put_quiet_wait(out, saga, i);
    }
    if (shown > MOST_WAITS)
        buf_printf(out, "; and %u more", shown - MOST_WAITS);
}

static void put_string(struct buf *out, const char *key, struct str text)
{
    check(key[0] != '\0');
    buf_printf(out, ",\"%s\":", key);
    json_write_string(out, text);
}

/* What there is none of is null, here as in lists. */
static void put_optional(struct buf *out, const char *key, struct str text)
{
    check(key[0] != '\0');
    if (text.size > 0)
        put_string(out, key, text);
    else
        buf_printf(out, ",\"%s\":null", key);
}

static void put_time(struct buf *out, const char *key, int64_t time_us)
{
    check(time_us >= 0);
    buf_printf(out, ",\"%s\":", key);
    if (time_us == 0)
        buf_puts(out, "null");
    else
        json_write_string(out, duration_time_text(out->arena, time_us));
}

static void put_value(struct buf *out, const char *key, const struct json *value)
{
    check(key[0] != '\0');
    buf_printf(out, ",\"%s\":", key);
    json_write(out, value ? value : &json_null);
}

static void put_reason(struct buf *out, const char *key, const struct core_saga *saga, struct str code,
                       struct str message, uint16_t step)
{
    check(step == CORE_NO_STEP || step < saga->step_count);
    buf_printf(out, ",\"%s\":", key);
    if (code.size == 0) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "{\"code\":");
    json_write_string(out, code);
    put_string(out, "message", message);
    if (step == CORE_NO_STEP)
        buf_puts(out, ",\"step\":null}");
    else
        buf_printf(out, ",\"step\":\"%.*s\"}", WORDS(core_step_path(saga, step)));
}

static void put_id(struct buf *out, struct id id)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(id, text);
    check(text[0] != '\0');
    buf_printf(out, "\"%s\"", text);
}

static void put_parent(struct buf *out, const struct core_saga *saga)
{
    check(saga->plan != NULL);
    buf_puts(out, ",\"parent\":");
    if (!saga->has_parent) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "{\"id\":");
    put_id(out, saga->parent);
    put_string(out, "step", saga->parent_step);
    buf_char(out, '}');
}

static void put_head(struct buf *out, const struct core_saga *saga)
{
    char id[ID_TEXT_SIZE + 1];
    check(saga->plan != NULL);
    id_format(saga->id, id);
    buf_printf(out, "\"id\":\"%s\"", id);
    put_string(out, "definition", saga->plan->name);
    buf_printf(out, ",\"version\":%d,\"hash\":\"%s\"", (int)saga->plan->version, saga->plan->hash);
    put_string(out, "status", core_status_text(saga->status));
    put_string(out, "direction", core_direction_text(saga->direction));
    buf_printf(out, ",\"paused\":%s", saga->paused ? "true" : "false");
    put_optional(out, "key", saga->key);
    put_value(out, "search", saga->search);
    put_parent(out, saga);
    put_reason(out, "reason", saga, saga->cause_code, saga->cause_message, saga->cause_step);
    put_reason(out, "park", saga, saga->park_code, saga->park_message, saga->park_step);
    struct buf waiting;
    buf_init(&waiting, out->arena);
    view_waiting(&waiting, saga);
    put_optional(out, "waiting", buf_str(&waiting));
}

/* The child saga of a step that has sent for one. */
static void put_child(struct buf *out, const struct core_saga *saga, uint16_t index)
{
    const struct core_step *step = &saga->steps[index];
    check(index < saga->step_count);
    if (saga->plan->nodes[step->node].kind != PLAN_SAGA || step->attempts[CORE_DO] == 0)
        return;
    buf_puts(out, ",\"child\":");
    put_id(out, core_child(saga, index));
}

static void put_step(struct buf *out, const struct core_saga *saga, uint16_t index)
{
    const struct core_step *step = &saga->steps[index];
    const struct plan_node *node = &saga->plan->nodes[step->node];
    check(node->kind != PLAN_SEQUENCE);
    buf_puts(out, "{\"id\":");
    json_write_string(out, step->path);
    put_string(out, "kind", plan_kind_text(node->kind));
    put_string(out, "state", core_step_state_text(step->state));
    put_optional(out, "command", node->step ? node->step->run.command : (struct str){0});
    put_child(out, saga, index);
    buf_printf(out, ",\"attempts\":{\"do\":%u,\"verify\":%u,\"undo\":%u}", step->attempts[CORE_DO],
               step->attempts[CORE_VERIFY], step->attempts[CORE_UNDO]);
    put_time(out, "opened_at", step->opened_us);
    put_time(out, "sent_at", step->sent_us);
    put_time(out, "ended_at", step->ended_us);
    put_time(out, "due", step->due_us);
    buf_printf(out, ",\"in_doubt\":%s", step->unknown && !step->succeeded ? "true" : "false");
    if (step->error_code.size > 0) {
        buf_puts(out, ",\"error\":{\"code\":");
        json_write_string(out, step->error_code);
        put_string(out, "message", step->error_message);
        buf_char(out, '}');
    } else {
        buf_puts(out, ",\"error\":null");
    }
    put_value(out, "output", step->output);
    buf_char(out, '}');
}

/* Every frame of its sequence is behind it. */
static bool has_passed(const struct core_saga *saga, const struct plan_node *node)
{
    bool entered = false;
    check(saga->frame_count > 0);
    for (uint16_t i = 0; i < saga->frame_count; i++) {
        if (saga->frames[i].node != node->parent)
            continue;
        entered = true;
        if (saga->frames[i].state == CORE_BLOCK_OPEN && saga->frames[i].cursor <= node->order)
            return false;
    }
    return entered;
}

static bool another_case(const struct core_saga *saga, const struct plan_node *node)
{
    check(saga->plan->nodes[node->parent].kind == PLAN_SWITCH);
    bool taken = false, other = false;
    for (uint16_t i = 1; i < saga->frame_count; i++) {
        const struct plan_node *frame = frames_node(saga, i);
        taken |= frame == node;
        other |= frame != node && frame->parent == node->parent;
    }
    return other && !taken;
}

static bool is_opened(const struct core_saga *saga, uint16_t node)
{
    check(node < saga->plan->node_count);
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (saga->steps[i].node == node)
            return true;
    return false;
}

/* A leaf that may still come: nothing around it has been passed, and no other case of its switch was taken.
 */
static bool may_come(const struct core_saga *saga, const struct plan_node *node)
{
    const struct plan_node *nodes = saga->plan->nodes;
    check(node->kind != PLAN_SEQUENCE);
    for (; node->index != 0; node = &nodes[node->parent]) {
        if (nodes[node->parent].kind == PLAN_SEQUENCE && has_passed(saga, node))
            return false;
        if (nodes[node->parent].kind == PLAN_SWITCH && another_case(saga, node))
            return false;
    }
    return true;
}

/* Only while it still goes forward: what will not happen any more is not "next". */
static void put_next(struct buf *out, const struct core_saga *saga)
{
    bool first = true;
    check(saga->plan->nodes != NULL);
    buf_puts(out, ",\"next\":[");
    bool over = saga->direction == CORE_BACK || core_ended(saga);
    for (uint16_t i = 0; !over && i < saga->plan->node_count; i++) {
        const struct plan_node *node = &saga->plan->nodes[i];
        bool leaf = node->kind == PLAN_STEP || node->kind == PLAN_SAGA || node->kind == PLAN_AWAIT ||
                    node->kind == PLAN_WAIT;
        if (!leaf || is_opened(saga, i) || !may_come(saga, node))
            continue;
        buf_puts(out, first ? "" : ",");
        json_write_string(out, node->id);
        first = false;
    }
    buf_char(out, ']');
}

void view_json(struct buf *out, const struct core_saga *saga)
{
    check(out->arena != NULL);
    check(saga->plan != NULL);
    buf_char(out, '{');
    put_head(out, saga);
    put_value(out, "input", saga->input);
    put_value(out, "output", saga->output);
    buf_printf(out, ",\"seq\":%lld", (long long)saga->seq);
    put_time(out, "started_at", saga->started_us);
    put_time(out, "updated_at", saga->updated_us);
    put_time(out, "ended_at", saga->ended_us);
    put_time(out, "deadline", saga->deadline_us);
    buf_puts(out, ",\"steps\":[");
    for (uint16_t i = 0; i < saga->step_count; i++) {
        buf_puts(out, i > 0 ? "," : "");
        put_step(out, saga, i);
    }
    buf_char(out, ']');
    put_next(out, saga);
    buf_char(out, '}');
}
