/* A record as the story that people read, the same in golden scripts, `sagactl history` and replay. Reads a
 * saga and a record; decides nothing, and never tells a body's secret more than the journal holds. */
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/visible.h"
#include "engine/core/frames.h"
#include "engine/core/record.h"
#include "engine/core/words.h"

/* A time as a span from the record's: "+10s". */
static void put_span(struct buf *out, const struct core_record *record, int64_t due_us)
{
    check(record->event.at_us > 0);
    if (due_us <= record->event.at_us) {
        buf_puts(out, "now");
        return;
    }
    buf_char(out, '+');
    buf_put(out, duration_text(out->arena, due_us - record->event.at_us));
}

static void put_reason(struct buf *out, struct str code, struct str message)
{
    check(code.size > 0);
    buf_put(out, code);
    if (message.size > 0) {
        buf_puts(out, ": ");
        buf_put(out, message);
    }
}

static void put_actor(struct buf *out, const struct core_event *event)
{
    check(event->kind >= CORE_EVENT_CANCEL);
    if (event->actor.size > 0)
        buf_printf(out, " by %.*s", WORDS(event->actor));
    if (event->reason.size > 0)
        buf_printf(out, " (%.*s)", WORDS(event->reason));
}

static void head_reply(struct buf *out, const struct core_event *event)
{
    check(event->kind == CORE_EVENT_REPLY);
    struct str status = core_reply_text(event->status);
    buf_printf(out, "reply %.*s to ", WORDS(status));
    if (event->command_kind != CORE_DO) {
        struct str kind = core_kind_text(event->command_kind);
        buf_printf(out, "%.*s of ", WORDS(kind));
    }
    buf_printf(out, "%.*s, attempt %u", WORDS(event->step), event->attempt);
    if (event->error_code.size > 0) {
        buf_puts(out, ": ");
        put_reason(out, event->error_code, event->error_message);
    }
    if (event->retry_after_us > 0) {
        buf_puts(out, ", retry after ");
        buf_put(out, duration_text(out->arena, event->retry_after_us));
    }
}

static void head_verb(struct buf *out, const struct core_event *event)
{
    check(event->kind >= CORE_EVENT_CANCEL);
    buf_put(out, core_event_text(event->kind));
    if (event->kind >= CORE_EVENT_RETRY && event->step.size > 0)
        buf_printf(out, " %.*s", WORDS(event->step));
    if (event->kind == CORE_EVENT_FORCE) {
        struct str status = core_reply_text(event->status);
        buf_printf(out, " %.*s", WORDS(status));
    }
    put_actor(out, event);
}

static void head_signal(struct buf *out, const struct core_event *event)
{
    check(event->kind == CORE_EVENT_SIGNAL);
    buf_printf(out, "signal %.*s", WORDS(event->signal));
    if (event->signal_id.size > 0)
        buf_printf(out, ", id %.*s", WORDS(event->signal_id));
    buf_puts(out, " with ");
    json_write(out, event->body ? event->body : &json_null);
}

static void head_move(struct buf *out, const struct core_event *event)
{
    check(event->kind == CORE_EVENT_MOVE);
    buf_printf(out, "move the timer of %.*s to ",
               WORDS(event->step.size > 0 ? event->step : STR("the saga")));
    buf_puts(out, event->due_us > event->at_us ? "+" : "now");
    if (event->due_us > event->at_us)
        buf_put(out, duration_text(out->arena, event->due_us - event->at_us));
    put_actor(out, event);
}

static void head_delivery(struct buf *out, const struct core_event *event)
{
    check(event->step.size > 0);
    struct str what = core_event_text(event->kind);
    struct str kind = core_kind_text(event->command_kind);
    buf_printf(out, "%.*s: %.*s of %.*s, attempt %u", WORDS(what), WORDS(kind), WORDS(event->step),
               event->attempt);
    if (event->error_code.size > 0) {
        buf_puts(out, ": ");
        put_reason(out, event->error_code, event->error_message);
    }
}

static void head(struct buf *out, const struct core_event *event)
{
    switch (event->kind) {
    case CORE_EVENT_START:
        buf_puts(out, "start");
        if (event->key.size > 0)
            buf_printf(out, " key %.*s", WORDS(event->key));
        break;
    case CORE_EVENT_REPLY:
        head_reply(out, event);
        break;
    case CORE_EVENT_TIMER:
        buf_printf(out, "timer of %.*s", WORDS(event->step.size > 0 ? event->step : STR("the saga")));
        break;
    case CORE_EVENT_CANCEL:
    case CORE_EVENT_TERMINATE:
    case CORE_EVENT_PAUSE:
    case CORE_EVENT_RESUME:
    case CORE_EVENT_RETRY:
    case CORE_EVENT_SKIP:
    case CORE_EVENT_FORCE:
        head_verb(out, event);
        break;
    case CORE_EVENT_SIGNAL:
        head_signal(out, event);
        break;
    case CORE_EVENT_MOVE:
        head_move(out, event);
        break;
    case CORE_EVENT_DELIVERED:
    case CORE_EVENT_UNDELIVERED:
        head_delivery(out, event);
        break;
    case CORE_EVENT_UNDO:
        buf_printf(out, "undo, attempt %u, for the parent", event->attempt);
        put_actor(out, event);
        break;
    case CORE_EVENT_LOST:
        buf_puts(out, "history lost, found");
        put_actor(out, event);
        break;
    case CORE_EVENT_CLOCK:
        buf_puts(out, "clock back, found");
        put_actor(out, event);
        break;
    }
}

static void line_send(struct buf *out, const struct core_saga *saga, const struct core_record *record,
                      const struct core_change *change)
{
    struct str path = core_step_path(saga, change->step);
    struct str kind = core_kind_text(change->command);
    const struct plan_step *plan = saga->plan->nodes[saga->steps[change->step].node].step;
    const struct plan_action *action = core_action(plan, change->command);
    check(action != NULL);
    check(change->body != NULL);
    buf_printf(out, "send %.*s %.*s/%u to %.*s until ", WORDS(path), WORDS(kind), change->attempt,
               WORDS(action->command));
    put_span(out, record, change->due_us);
    buf_puts(out, " with ");
    json_write(out, change->body);
}

static void line_move(struct buf *out, const struct core_saga *saga, const struct core_record *record,
                      const struct core_change *change)
{
    struct str path = core_step_path(saga, change->step);
    struct str from = core_step_state_text(change->from);
    struct str to = core_step_state_text(change->state);
    check(change->kind == CORE_CHANGE_STEP);
    buf_printf(out, "%.*s: %.*s -> %.*s", WORDS(path), WORDS(from), WORDS(to));
    if (change->due_us > 0) {
        buf_puts(out, ", due ");
        put_span(out, record, change->due_us);
    }
}

static void line_step(struct buf *out, const struct core_saga *saga, const struct core_change *change,
                      const char *what)
{
    check(what != NULL);
    buf_put(out, core_step_path(saga, change->step));
    buf_puts(out, what);
}

static void line_fault(struct buf *out, const struct core_saga *saga, const struct core_change *change)
{
    struct str kind = core_kind_text(change->command);
    bool note = change->kind == CORE_CHANGE_NOTE;
    check(note == (change->attempt > 0));
    line_step(out, saga, change, note ? ": the answer to " : ": error ");
    if (note)
        buf_printf(out, "%.*s/%u is put aside: ", WORDS(kind), change->attempt);
    put_reason(out, change->code, change->message);
}

static void line_reason(struct buf *out, const struct core_saga *saga, const struct core_change *change,
                        const char *what)
{
    check(change->code.size > 0);
    buf_puts(out, what);
    if (change->step != CORE_NO_STEP)
        buf_printf(out, " at %.*s", WORDS(core_step_path(saga, change->step)));
    buf_puts(out, ": ");
    put_reason(out, change->code, change->message);
}

static void line_park(struct buf *out, const struct core_saga *saga, const struct core_change *change)
{
    check(change->kind == CORE_CHANGE_PARK);
    if (change->code.size > 0)
        line_reason(out, saga, change, "parked");
    else
        buf_puts(out, "not parked any more");
}

static void line_status(struct buf *out, const struct core_change *change)
{
    struct str status = core_status_text(change->status);
    struct str direction = core_direction_text(change->direction);
    check(change->kind == CORE_CHANGE_STATUS);
    buf_printf(out, "saga: %.*s, %.*s", WORDS(status), WORDS(direction));
}

static void line_deadline(struct buf *out, const struct core_record *record, const struct core_change *change)
{
    check(change->kind == CORE_CHANGE_DEADLINE);
    buf_puts(out, change->due_us > 0 ? "deadline " : "deadline spent");
    if (change->due_us > 0)
        put_span(out, record, change->due_us);
}

/* "parallel:1", "parcels[2]", "parallel:1/label", "switch:1 case 2", "extras/steps", "the saga". */
static void put_frame(struct buf *out, const struct core_saga *saga, uint16_t frame)
{
    const struct plan_node *node = frames_node(saga, frame);
    if (frame == FRAMES_ROOT) {
        buf_puts(out, "the saga");
        return;
    }
    bool part = node->kind == PLAN_SEQUENCE;
    const struct plan_node *block = part ? &saga->plan->nodes[node->parent] : node;
    check(block->kind != PLAN_SEQUENCE);
    buf_put(out, block->id);
    frames_put_items(out, saga, frame);
    if (part && block->kind == PLAN_SWITCH)
        buf_printf(out, " case %u", node->order + 1);
    else if (part && block->kind == PLAN_PARALLEL)
        buf_printf(out, "/%.*s", WORDS(node->id));
    else if (part && block->kind == PLAN_SCOPE)
        buf_puts(out, "/steps");
}

static void line_block(struct buf *out, const struct core_saga *saga, const struct core_change *change)
{
    check(change->frame < saga->frame_count);
    put_frame(out, saga, change->frame);
    if (change->kind == CORE_CHANGE_FRAME) {
        buf_puts(out, ": entered");
        if (change->body != NULL)
            buf_printf(out, " with %u item%s", change->body->count, change->body->count == 1 ? "" : "s");
        return;
    }
    if (change->kind == CORE_CHANGE_CURSOR) {
        buf_printf(out, ": at %u", change->cursor);
        return;
    }
    struct str block = core_block_text(change->block);
    buf_printf(out, ": %.*s", WORDS(block));
    if (change->code.size == 0)
        return;
    buf_puts(out, ", ");
    put_reason(out, change->code, change->message);
}

static void line_signal(struct buf *out, const struct core_saga *saga, const struct core_record *record,
                        const struct core_change *change)
{
    check(change->kind == CORE_CHANGE_KEEP || change->index < saga->signal_count);
    if (change->kind == CORE_CHANGE_KEEP) {
        buf_printf(out, "kept for an await of %.*s", WORDS(record->event.signal));
        return;
    }
    const struct core_signal *signal = &saga->signals[change->index];
    if (change->kind == CORE_CHANGE_DROP)
        buf_printf(out, "no await can take %.*s any more: dropped ", WORDS(signal->name));
    else
        line_step(out, saga, change, ": takes ");
    json_write(out, signal->body);
}

static void line(struct buf *out, const struct core_saga *saga, const struct core_record *record,
                 const struct core_change *change)
{
    switch (change->kind) {
    case CORE_CHANGE_OPEN:
        line_step(out, saga, change, ": opened");
        return;
    case CORE_CHANGE_SEND:
        line_send(out, saga, record, change);
        return;
    case CORE_CHANGE_STEP:
        line_move(out, saga, record, change);
        return;
    case CORE_CHANGE_EXTEND:
        line_step(out, saga, change, ": extended until ");
        put_span(out, record, change->due_us);
        return;
    case CORE_CHANGE_OUTPUT:
        line_step(out, saga, change, ": output ");
        json_write(out, record->event.body ? record->event.body : &json_null);
        return;
    case CORE_CHANGE_FAULT:
    case CORE_CHANGE_NOTE:
        line_fault(out, saga, change);
        return;
    case CORE_CHANGE_UNKNOWN:
        line_step(out, saga, change, change->flag ? ": effect unknown" : ": effect known not to exist");
        return;
    case CORE_CHANGE_BUDGET:
        line_step(out, saga, change, ": fresh attempts for ");
        buf_put(out, core_kind_text(change->command));
        return;
    case CORE_CHANGE_FRAME:
    case CORE_CHANGE_BLOCK:
    case CORE_CHANGE_CURSOR:
        line_block(out, saga, change);
        return;
    case CORE_CHANGE_KEEP:
    case CORE_CHANGE_TAKE:
    case CORE_CHANGE_DROP:
        line_signal(out, saga, record, change);
        return;
    case CORE_CHANGE_MOVE:
        line_step(out, saga, change, ": due ");
        put_span(out, record, change->due_us);
        return;
    case CORE_CHANGE_STATUS:
        line_status(out, change);
        return;
    case CORE_CHANGE_DEADLINE:
        line_deadline(out, record, change);
        return;
    case CORE_CHANGE_CAUSE:
        line_reason(out, saga, change, "cause");
        return;
    case CORE_CHANGE_PARK:
        line_park(out, saga, change);
        return;
    case CORE_CHANGE_PAUSE:
        buf_puts(out, change->flag ? "sends are held" : "sends are free");
        buf_puts(out, change->due_us > 0 ? "; its deadline and awaits stand still" : "");
        return;
    case CORE_CHANGE_RESULT:
        buf_puts(out, "result ");
        json_write(out, change->body);
        return;
    case CORE_CHANGE_MORE:
        buf_puts(out, "more to do: cut at the bound of a transition");
        return;
    }
    check_never("a change of no kind");
}

void record_narrate(struct buf *out, const struct core_saga *saga, const struct core_record *record)
{
    check(record->seq > 0);
    check(saga->seq >= record->seq);
    struct buf words; /* of one line: what participants and operators wrote must not look like another one */
    buf_init(&words, out->arena);
    head(&words, &record->event);
    visible_put(out, buf_str(&words));
    buf_char(out, '\n');
    for (uint32_t i = 0; i < record->change_count; i++) {
        words.size = 0;
        line(&words, saga, record, &record->changes[i]);
        buf_puts(out, "  ");
        visible_put(out, buf_str(&words));
        buf_char(out, '\n');
    }
}
