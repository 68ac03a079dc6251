/* Messages from a saga's state: commands, lifecycle events, what a child tells its parent. Called by decide.c
 * for what was just decided and by recovery.c for what the journal says, so that both are the same bytes.
 * Never sends anything. */
#include "engine/runtime/sending.h"

#include "engine/base/check.h"
#include "engine/core/core.h"

static struct bus_message *child_message(const struct core_saga *saga, uint16_t step, enum core_kind kind,
                                         uint32_t attempt, struct str body, struct arena *arena,
                                         struct str *id)
{
    const struct plan_saga *wanted = saga->plan->nodes[saga->steps[step].node].saga;
    struct bus_message *message = arena_new(arena, struct bus_message);
    struct envelope_child child = {.parent = saga->id,
                                   .parent_definition = saga->plan->name,
                                   .step = core_step_path(saga, step),
                                   .kind = kind,
                                   .attempt = attempt,
                                   .child = core_child(saga, step),
                                   .depth = saga->depth + 1,
                                   .family = saga->steps[step].family,
                                   .definition = wanted->name,
                                   .version = wanted->version,
                                   .correlation = saga->correlation,
                                   .traceparent = saga->traceparent,
                                   .body = body};
    envelope_child(&child, arena, message, id);
    return message;
}

static struct bus_message *command_message(const struct core_saga *saga, uint16_t step, enum core_kind kind,
                                           uint32_t attempt, struct str body, struct arena *arena,
                                           struct str *id)
{
    const struct plan_node *node = &saga->plan->nodes[saga->steps[step].node];
    struct bus_message *message = arena_new(arena, struct bus_message);
    struct envelope_command command = {.saga = saga->id,
                                       .shard = id_shard(saga->id),
                                       .definition = saga->plan->name,
                                       .step = core_step_path(saga, step),
                                       .kind = kind,
                                       .attempt = attempt,
                                       .action = core_action(node->step, kind),
                                       .correlation = saga->correlation,
                                       .traceparent = saga->traceparent,
                                       .body = body};
    envelope_command(&command, arena, message, id);
    return message;
}

/* What a message is known by to the broker. Messages of the part of a saga's history that was lost may have
 * borne the same names, and the broker would take the new ones for those. */
static struct str renamed(const struct core_saga *saga, struct str id, struct arena *arena)
{
    return saga->lost_seq == 0 ? id
                               : arena_printf(arena, "%.*s~%lld", STR_ARG(id), (long long)saga->lost_seq);
}

struct batch_send sending_command(const struct core_saga *saga, uint16_t step, enum core_kind kind,
                                  uint32_t attempt, const struct json *body, int64_t lsn, struct arena *arena)
{
    const struct plan_node *node = &saga->plan->nodes[saga->steps[step].node];
    struct str text = json_text(arena, body == NULL ? &json_null : body);
    struct batch_send send = {.shard = id_shard(saga->id),
                              .lsn = lsn,
                              .saga_id = saga->id,
                              .step = core_step_path(saga, step),
                              .index = step,
                              .kind = kind,
                              .attempt = attempt};
    if (node->kind == PLAN_SAGA) {
        send.message = child_message(saga, step, kind, attempt, text, arena, &send.id);
        send.id = renamed(saga, send.id, arena);
        send.proven = true;
        return send;
    }
    const struct plan_action *action = core_action(node->step, kind);
    send.message = command_message(saga, step, kind, attempt, text, arena, &send.id);
    send.id = renamed(saga, send.id, arena);
    send.request = action->via == PLAN_VIA_REQUEST;
    send.timeout_us = action->timeout_us;
    send.start_within_us = node->step->start_within_us;
    send.due_us = saga->steps[step].due_us;
    send.action = action;
    return send;
}

struct batch_send sending_event(const struct core_saga *saga, struct str what, int64_t lsn,
                                struct arena *arena)
{
    struct batch_send send = {
        .shard = id_shard(saga->id), .lsn = lsn, .message = arena_new(arena, struct bus_message)};
    envelope_event(saga, what, arena, send.message, &send.id);
    send.id = renamed(saga, send.id, arena);
    return send;
}

bool sending_is_due(const struct core_saga *child)
{
    return child->has_parent && (core_ended(child) || core_lacks_output(child));
}

/* All is done, but there is nothing to go on with. */
static void lack_output(struct envelope_child_reply *reply, struct str message)
{
    reply->status = CORE_REPLY_NO_OUTPUT;
    reply->error_code = core_code_text(CORE_CODE_OUTPUT_FAILED);
    reply->error_message = message;
}

static void complete(const struct core_saga *child, struct envelope_child_reply *reply, struct arena *arena)
{
    if (child->cause_code.size > 0) {
        lack_output(reply, child->cause_message);
        return;
    }
    reply->status = CORE_REPLY_OK;
    reply->body = json_text(arena, child->output == NULL ? &json_null : child->output);
}

/* Undone and never begun are one to the parent; a child that was stopped without undoing is for its people.
 */
bool sending_outcome(const struct core_saga *child, enum core_kind kind, struct envelope_child_reply *reply,
                     struct arena *arena)
{
    reply->child = child->id;
    reply->kind = kind;
    reply->status = CORE_REPLY_REJECTED;
    switch (child->status) {
    case CORE_RUNNING:
    case CORE_COMPENSATING:
        return false;
    case CORE_PARKED:
        if (kind == CORE_UNDO || !core_lacks_output(child))
            return false;
        lack_output(reply, child->park_message);
        return true;
    case CORE_COMPLETED:
        if (kind == CORE_UNDO)
            return false;
        complete(child, reply, arena);
        return true;
    case CORE_COMPENSATED:
        if (kind == CORE_UNDO)
            reply->status = CORE_REPLY_OK;
        reply->error_code = kind == CORE_UNDO ? (struct str){0} : child->cause_code;
        reply->error_message = kind == CORE_UNDO ? (struct str){0} : child->cause_message;
        return true;
    case CORE_TERMINATED:
        reply->error_code =
            core_code_text(kind == CORE_UNDO ? CORE_CODE_CHILD_KEPT : CORE_CODE_CHILD_TERMINATED);
        reply->error_message = STR("the child saga was terminated: what it did was not undone");
        return true;
    }
    check_never("a saga of no status");
}

/* What the parent is told of an output that the NATS server does not take. */
static struct bus_message *without_output(const struct envelope_child_reply *reply, struct arena *arena)
{
    struct bus_message *message = arena_new(arena, struct bus_message);
    struct envelope_child_reply lack = *reply;
    struct str id;
    lack_output(&lack,
                STR("the child saga has done everything, but its output is larger than the NATS server "
                    "takes"));
    lack.error_code = core_code_text(CORE_CODE_UNSENDABLE);
    lack.body = (struct str){0};
    envelope_child_reply(&lack, arena, message, &id);
    return message;
}

struct batch_send sending_reply(const struct envelope_child_reply *reply, int64_t lsn, struct arena *arena)
{
    struct batch_send send = {.shard = id_shard(reply->child),
                              .lsn = lsn,
                              .proven = true,
                              .message = arena_new(arena, struct bus_message)};
    envelope_child_reply(reply, arena, send.message, &send.id);
    if (reply->status == CORE_REPLY_OK && reply->body.size > 0)
        send.instead = without_output(reply, arena);
    return send;
}

struct batch_send sending_end(const struct core_saga *child, int64_t lsn, struct arena *arena)
{
    bool undone = child->undo_attempt > 0 && child->status != CORE_COMPLETED;
    struct envelope_child_reply reply = {.parent = child->parent,
                                         .step = child->parent_step,
                                         .attempt = undone ? child->undo_attempt : child->parent_attempt};
    bool ended = sending_outcome(child, undone ? CORE_UNDO : CORE_DO, &reply, arena);
    check(ended);
    struct batch_send send = sending_reply(&reply, lsn, arena);
    send.id = renamed(child, send.id, arena);
    return send;
}
