/* What a cancel would send now, found out on a copy of the saga with the real core. Called by the API and
 * `sagactl plan-compensation`. Never touches the saga itself, and promises nothing of what goes on meanwhile.
 * */
#include "engine/model/foresee.h"

#include <inttypes.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"

/* Each turn answers or fires something, some microseconds each. A `verify` with more attempts than this is
 * not seen to its end: the saga then still compensates. */
enum { TURNS_MAX = 20000 };

struct ahead {
    struct foresee *foresee;
    struct core_saga copy;
    struct arena *arena;
    struct arena scratch;
    int64_t now_us;
    uint32_t round;
    uint32_t answered; /* commands of foresee->commands */
    uint32_t room;     /* of the lists: each step stands in a list once, in commands twice */
};

static struct str path_of(const struct ahead *ahead, uint16_t step)
{
    return arena_copy(ahead->arena, core_step_path(&ahead->copy, step));
}

static const struct plan_node *node_of(const struct core_saga *saga, uint16_t step)
{
    return &saga->plan->nodes[saga->steps[step].node];
}

/* What was out already when the cancel came: nobody knows whether it happened. */
static bool was_out(const struct ahead *ahead, uint16_t step)
{
    const struct core_saga *saga = ahead->foresee->saga;
    const struct core_step *before = step < saga->step_count ? &saga->steps[step] : NULL;
    return before && (before->unknown || before->state == CORE_STEP_SENT);
}

static void add_command(struct ahead *ahead, const struct core_change *change)
{
    struct foresee *foresee = ahead->foresee;
    const struct plan_node *node = node_of(&ahead->copy, change->step);
    check(change->step < ahead->room);
    bool again = change->command == CORE_VERIFY && change->attempt > 1 &&
                 foresee->saga->steps[change->step].attempts[CORE_VERIFY] < change->attempt - 1;
    if (change->command == CORE_DO || again || foresee->command_count == 2 * ahead->room)
        return; /* the first question stands for those that repeat it */
    foresee->commands[foresee->command_count++] =
        (struct foresee_command){.round = ahead->round,
                                 .path = path_of(ahead, change->step),
                                 .kind = change->command,
                                 .attempt = change->attempt,
                                 .to = core_action(node->step, change->command)->command,
                                 .body = json_copy(ahead->arena, change->body),
                                 .has_child = node->kind == PLAN_SAGA,
                                 .if_done = change->command == CORE_UNDO && was_out(ahead, change->step) &&
                                            !ahead->copy.steps[change->step].succeeded};
    if (node->kind == PLAN_SAGA)
        foresee->commands[foresee->command_count - 1].child = core_child(&ahead->copy, change->step);
}

/* False when the core did not take it; *why may be NULL. */
static bool give(struct ahead *ahead, struct core_event event, struct str *why)
{
    struct core_update update;
    event.at_us = ahead->now_us;
    arena_reset(&ahead->scratch);
    core_step(&ahead->copy, &event, &ahead->scratch, &update);
    if (update.verdict != CORE_USED) {
        if (why)
            *why = arena_copy(ahead->arena, update.why);
        return false;
    }
    for (uint32_t i = 0; i < update.record.change_count; i++)
        if (update.record.changes[i].kind == CORE_CHANGE_SEND)
            add_command(ahead, &update.record.changes[i]);
    return true;
}

static void list_waits(struct ahead *ahead)
{
    struct foresee *foresee = ahead->foresee;
    const struct core_saga *saga = foresee->saga;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct core_step *step = &saga->steps[i];
        bool asked = step->state == CORE_STEP_VERIFY_SENT, undoing = step->state == CORE_STEP_UNDO_SENT;
        bool sent = step->state == CORE_STEP_SENT && node_of(saga, i)->kind != PLAN_SAGA;
        if (!asked && !undoing && !sent)
            continue;
        enum core_kind kind = asked ? CORE_VERIFY : undoing ? CORE_UNDO : CORE_DO;
        foresee->waits[foresee->wait_count++] =
            (struct foresee_wait){path_of(ahead, i), kind, step->attempts[kind], step->due_us};
    }
}

static bool answer(struct ahead *ahead, struct str path, uint32_t attempt)
{
    return give(ahead,
                (struct core_event){.kind = CORE_EVENT_REPLY,
                                    .step = path,
                                    .command_kind = CORE_UNDO,
                                    .attempt = attempt,
                                    .status = CORE_REPLY_OK},
                NULL);
}

/* What follows from these answers goes out in the next round. */
static void answer_those_before(struct ahead *ahead)
{
    const struct foresee *foresee = ahead->foresee;
    for (uint32_t i = 0; i < foresee->wait_count; i++)
        if (foresee->waits[i].kind == CORE_UNDO)
            (void)answer(ahead, foresee->waits[i].path, foresee->waits[i].attempt);
}

/* Answers every compensation that has gone out since, in the order they did; false when there was none. */
static bool answer_all(struct ahead *ahead)
{
    const struct foresee *foresee = ahead->foresee;
    uint32_t end = foresee->command_count;
    bool any = false;
    ahead->round += ahead->answered < end;
    for (; ahead->answered < end; ahead->answered++) {
        const struct foresee_command *command = &foresee->commands[ahead->answered];
        if (command->kind == CORE_UNDO)
            any = answer(ahead, command->path, command->attempt) || any;
    }
    return any;
}

/* Fires what is due next, unless that is later than this. */
static bool fire_next(struct ahead *ahead, int64_t until_us)
{
    int64_t wake_us = core_wake(&ahead->copy);
    if (wake_us == INT64_MAX || wake_us > until_us)
        return false;
    ahead->now_us = wake_us > ahead->now_us ? wake_us : ahead->now_us;
    return give(ahead, (struct core_event){.kind = CORE_EVENT_TIMER}, NULL);
}

static void go_back(struct ahead *ahead)
{
    answer_those_before(ahead);
    for (int i = 0; i < TURNS_MAX && !core_ended(&ahead->copy); i++)
        if (!fire_next(ahead, ahead->now_us) && !answer_all(ahead) && !fire_next(ahead, INT64_MAX))
            return;
}

/* ---- what stays ---- */

static void add_left(struct foresee_left *list, uint32_t *count, const struct ahead *ahead, uint16_t step,
                     struct str code, struct str reason)
{
    list[(*count)++] =
        (struct foresee_left){path_of(ahead, step), ahead->copy.steps[step].state, code, reason};
}

static void list_left(struct ahead *ahead)
{
    struct foresee *foresee = ahead->foresee;
    const struct core_saga *copy = &ahead->copy;
    for (uint16_t i = 0; i < copy->step_count; i++) {
        const struct core_step *step = &copy->steps[i];
        const struct plan_node *node = node_of(copy, i);
        bool there = step->state == CORE_STEP_DONE || step->state == CORE_STEP_DOUBT;
        bool undoable = node->step && node->step->has_undo;
        if (step->state == CORE_STEP_UNDO_STUCK || step->state == CORE_STEP_STUCK)
            add_left(foresee->stuck, &foresee->stuck_count, ahead, i,
                     arena_copy(ahead->arena, step->error_code),
                     arena_copy(ahead->arena, step->error_message));
        else if (step->state == CORE_STEP_UNDO_WAIVED)
            add_left(foresee->kept, &foresee->kept_count, ahead, i, STR(""),
                     STR("an operator has let its compensation go"));
        else if (node->step && there && !foresee->possible)
            add_left(foresee->kept, &foresee->kept_count, ahead, i, STR(""), STR("there is no way back"));
        else if (node->step && there && !undoable)
            add_left(foresee->kept, &foresee->kept_count, ahead, i, STR(""), STR("it has no compensation"));
        else if (there && undoable && core_going_back(copy, i))
            add_left(foresee->kept, &foresee->kept_count, ahead, i, STR(""),
                     STR("its compensation waits until a stuck step before it is resolved"));
    }
}

void foresee_cancel(const struct core_saga *saga, int64_t at_us, struct arena *arena, struct foresee *foresee)
{
    struct ahead ahead = {.foresee = foresee, .arena = arena, .now_us = at_us, .round = 1};
    check(saga->seq > 0);
    arena_init(&ahead.scratch, 0);
    core_copy(&ahead.copy, saga, arena);
    ahead.room = saga->step_count;
    *foresee =
        (struct foresee){.saga = saga,
                         .at_us = at_us,
                         .possible = true,
                         .refused = STR(""),
                         .commands = arena_array(arena, 2 * (size_t)ahead.room, sizeof *foresee->commands),
                         .waits = arena_array(arena, ahead.room, sizeof *foresee->waits),
                         .kept = arena_array(arena, ahead.room, sizeof *foresee->kept),
                         .stuck = arena_array(arena, ahead.room, sizeof *foresee->stuck)};
    if (saga->direction == CORE_FORWARD || core_ended(saga))
        foresee->possible =
            give(&ahead, (struct core_event){.kind = CORE_EVENT_CANCEL, .actor = STR("foresight")},
                 &foresee->refused);
    if (foresee->possible) {
        list_waits(&ahead);
        if (saga->paused)
            (void)give(&ahead, (struct core_event){.kind = CORE_EVENT_RESUME, .actor = STR("foresight")},
                       NULL);
        go_back(&ahead);
    }
    list_left(&ahead);
    foresee->ends = ahead.copy.status;
    arena_fini(&ahead.scratch);
}

/* ---- as JSON ---- */

static void put_text(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, "\"%s\":", name);
    json_write_string(out, value);
}

static void put_time(struct buf *out, const char *name, int64_t time_us)
{
    put_text(out, name, duration_time_text(out->arena, time_us));
}

static void put_command(struct buf *out, const struct foresee_command *command)
{
    buf_printf(out, "{\"round\":%" PRIu32 ",", command->round);
    put_text(out, "step", command->path);
    buf_char(out, ',');
    put_text(out, "kind", core_kind_text(command->kind));
    buf_printf(out, ",\"attempt\":%" PRIu32 ",", command->attempt);
    put_text(out, "to", command->to);
    buf_puts(out, ",\"body\":");
    json_write(out, command->body);
    buf_puts(out, ",\"child\":");
    if (command->has_child) {
        char id[ID_TEXT_SIZE + 1];
        id_format(command->child, id);
        json_write_string(out, str_from(id));
    } else {
        buf_puts(out, "null");
    }
    buf_printf(out, ",\"if_done\":%s}", command->if_done ? "true" : "false");
}

static void put_wait(struct buf *out, const struct foresee_wait *wait)
{
    buf_char(out, '{');
    put_text(out, "step", wait->path);
    buf_char(out, ',');
    put_text(out, "kind", core_kind_text(wait->kind));
    buf_printf(out, ",\"attempt\":%" PRIu32 ",", wait->attempt);
    put_time(out, "until", wait->until_us);
    buf_char(out, '}');
}

static void put_left(struct buf *out, const struct foresee_left *left)
{
    buf_char(out, '{');
    put_text(out, "step", left->path);
    buf_char(out, ',');
    put_text(out, "state", core_step_state_text(left->state));
    buf_char(out, ',');
    put_text(out, "code", left->code);
    buf_char(out, ',');
    put_text(out, "reason", left->reason);
    buf_char(out, '}');
}

static void put_head(struct buf *out, const struct foresee *foresee)
{
    const struct core_saga *saga = foresee->saga;
    char id[ID_TEXT_SIZE + 1];
    id_format(saga->id, id);
    buf_char(out, '{');
    put_text(out, "id", str_from(id));
    buf_char(out, ',');
    put_text(out, "definition", saga->plan->name);
    buf_printf(out, ",\"version\":%" PRId32 ",", saga->plan->version);
    put_text(out, "status", core_status_text(saga->status));
    buf_printf(out, ",\"seq\":%" PRId64 ",", saga->seq);
    put_time(out, "at", foresee->at_us);
    buf_char(out, ',');
    put_text(out, "direction", core_direction_text(saga->direction));
    buf_printf(out, ",\"paused\":%s", saga->paused ? "true" : "false");
    buf_printf(out, ",\"possible\":%s,\"refused\":", foresee->possible ? "true" : "false");
    if (foresee->possible)
        buf_puts(out, "null");
    else
        json_write_string(out, foresee->refused);
    buf_char(out, ',');
    put_text(out, "ends", core_status_text(foresee->ends));
}

void foresee_json(struct buf *out, const struct foresee *foresee)
{
    put_head(out, foresee);
    buf_puts(out, ",\n\"waits\":[");
    for (uint32_t i = 0; i < foresee->wait_count; i++) {
        buf_puts(out, i == 0 ? "\n" : ",\n");
        put_wait(out, &foresee->waits[i]);
    }
    buf_puts(out, "],\n\"commands\":[");
    for (uint32_t i = 0; i < foresee->command_count; i++) {
        buf_puts(out, i == 0 ? "\n" : ",\n");
        put_command(out, &foresee->commands[i]);
    }
    buf_puts(out, "],\n\"kept\":[");
    for (uint32_t i = 0; i < foresee->kept_count; i++) {
        buf_puts(out, i == 0 ? "\n" : ",\n");
        put_left(out, &foresee->kept[i]);
    }
    buf_puts(out, "],\n\"stuck\":[");
    for (uint32_t i = 0; i < foresee->stuck_count; i++) {
        buf_puts(out, i == 0 ? "\n" : ",\n");
        put_left(out, &foresee->stuck[i]);
    }
    buf_puts(out, "]}");
}
