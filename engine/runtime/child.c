/* A parent's command to a child saga: begins it, repeats what it has come to, or undoes it. Called by
 * intake.c for a proven message of SAGA_IN. Never makes two children of one id, and never touches the parent:
 * it is told by a reply. */
#include "engine/runtime/child.h"

#include "engine/base/limits.h"
#include "engine/core/core.h"
#include "engine/runtime/decide.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/sending.h"

enum err child_prepare(struct runner *runner, struct inbox_item *item, struct err_note *note)
{
    const struct envelope_child *child = &item->task.child;
    struct registry *registry = runner->engine->registry;
    const struct plan *plan = registry_find(registry, child->definition, child->version);
    if (plan == NULL) {
        enum err error = registry_learn(registry, runner->store, child->definition, note);
        if (error != ERR_OK)
            return error;
        plan = registry_find(registry, child->definition, child->version);
    }
    item->task.child_refusal = (struct str){0}; /* it may be here for the second time */
    item->task.start = (struct engine_start){.plan = plan,
                                             .input = child->input,
                                             .correlation = child->correlation,
                                             .traceparent = child->traceparent};
    struct definition_start prepared;
    if (plan == NULL || child->kind == CORE_UNDO)
        return ERR_OK;
    if (!definition_start(plan, child->input, (struct str){0}, &item->arena, &prepared)) {
        item->task.child_refusal = decide_problems(&prepared.problems, &item->arena);
        return ERR_OK;
    }
    item->task.start.key = prepared.key;
    item->task.start.search = prepared.search;
    return ERR_OK;
}

static void finish(struct runner *runner, struct inbox_item *item, uint32_t row)
{
    struct engine_answer answer = {.error = ERR_OK, .id = item->task.id};
    batch_finish(&runner->batch, item, row, &answer);
}

/* Answers this very command. Nobody keeps such an answer: the parent asks again when it is lost. */
static void reply(struct runner *runner, uint32_t row, const struct envelope_child_reply *answer)
{
    struct batch_send send = sending_reply(answer, 0, &runner->batch.arena);
    send.loose = true;
    decide_send(runner, row, &send);
}

static struct envelope_child_reply addressed(const struct inbox_item *item)
{
    return (struct envelope_child_reply){.parent = item->task.child.parent,
                                         .step = item->task.child.step,
                                         .kind = item->task.child.kind,
                                         .attempt = item->task.child.attempt,
                                         .child = item->task.id};
}

/* row: whose state is the reason, as of decide_dead. */
static void refuse(struct runner *runner, struct inbox_item *item, uint32_t row, enum core_code code,
                   struct str why)
{
    struct envelope_child_reply refusal = addressed(item);
    refusal.status = CORE_REPLY_REJECTED;
    refusal.error_code = core_code_text(code);
    refusal.error_message = why;
    reply(runner, row, &refusal);
    finish(runner, item, row);
}

/* Why the child cannot begin; "" : it can. */
static struct str obstacle(struct runner *runner, const struct inbox_item *item, const struct id *key_owner)
{
    struct arena *arena = &runner->batch.arena;
    const struct envelope_child *child = &item->task.child;
    if (item->task.start.plan == NULL && child->version == 0)
        return arena_printf(arena, "there is no definition %.*s", STR_ARG(child->definition));
    if (item->task.start.plan == NULL)
        return arena_printf(arena, "there is no definition %.*s version %d", STR_ARG(child->definition),
                            child->version);
    if (child->kind == CORE_DO && !registry_is_enabled(runner->engine->registry, item->task.start.plan))
        return arena_printf(arena, "the definition %.*s takes no new starts of version %d",
                            STR_ARG(child->definition), item->task.start.plan->version);
    if (child->kind == CORE_DO && child->depth > LIMITS_CHILD_DEPTH)
        return arena_printf(arena, "sagas start each other more than %d deep", LIMITS_CHILD_DEPTH);
    if (item->task.child_refusal.size > 0 || key_owner == NULL)
        return item->task.child_refusal;
    char owner[ID_TEXT_SIZE + 1];
    id_format(*key_owner, owner);
    return arena_printf(arena, "saga %s of %.*s has the child's key already", owner,
                        STR_ARG(child->definition));
}

static struct resident_entry *begin(struct runner *runner, struct inbox_item *item)
{
    const struct envelope_child *child = &item->task.child;
    struct resident_entry *entry = resident_enter(&runner->resident, item->task.id);
    struct core_update update;
    struct core_event start = decide_start_event(runner, &item->task.start);
    start.has_parent = true;
    start.parent = child->parent;
    start.parent_step = child->step;
    start.parent_attempt = child->attempt;
    start.depth = child->depth;
    start.family = child->family;
    start.stillborn = child->kind == CORE_UNDO;
    resident_place(&runner->resident, entry, item->task.start.plan);
    uint32_t row = decide_step(runner, entry, &start, &update);
    if (entry->saga->seq > 0) {
        resident_time(&runner->resident, entry);
        finish(runner, item, row);
        return entry;
    }
    resident_forget(&runner->resident, entry); /* refused: there is no saga */
    refuse(runner, item, BATCH_NO_SAGA, CORE_CODE_CHILD_REFUSED, update.why);
    return NULL;
}

/* Whoever may publish to saga.start.> may have written the command. */
static bool is_parent(const struct core_saga *saga, const struct envelope_child *child)
{
    return saga->has_parent && id_equal(saga->parent, child->parent) &&
           str_equal(saga->parent_step, child->step);
}

/* A child that ends by this command has told its parent with that record; else what it has come to is told
 * now. */
static void repeat(struct runner *runner, struct inbox_item *item, struct resident_entry *entry, uint32_t row)
{
    struct envelope_child_reply answer = addressed(item);
    if (sending_outcome(entry->saga, item->task.child.kind, &answer, &runner->batch.arena))
        reply(runner, row, &answer);
    finish(runner, item, row);
}

static void undo(struct runner *runner, struct inbox_item *item, struct resident_entry *entry)
{
    struct core_update update;
    struct core_event event = {.kind = CORE_EVENT_UNDO, .attempt = item->task.child.attempt};
    uint32_t row = decide_step(runner, entry, &event, &update);
    resident_time(&runner->resident, entry);
    if (update.verdict == CORE_REFUSED)
        refuse(runner, item, row, CORE_CODE_CHILD_KEPT, update.why);
    else if (update.verdict == CORE_USED && decide_ends(&update.record))
        finish(runner, item, row);
    else
        repeat(runner, item, entry, row);
}

struct resident_entry *child_command(struct runner *runner, struct inbox_item *item,
                                     struct resident_entry *entry, const struct store_keyed *keyed,
                                     const struct resident_entry *twin)
{
    const struct envelope_child *child = &item->task.child;
    if (entry == NULL || entry->saga == NULL) {
        const struct id *key_owner = keyed != NULL ? &keyed->id : twin != NULL ? &twin->id : NULL;
        struct str why = obstacle(runner, item, key_owner);
        if (why.size == 0)
            return begin(runner, item);
        uint32_t row = keyed == NULL && twin != NULL ? decide_row(runner, twin) : BATCH_NO_SAGA;
        refuse(runner, item, row, CORE_CODE_CHILD_REFUSED, why);
        return NULL;
    }
    if (!is_parent(entry->saga, child))
        decide_dead(runner, item, decide_row(runner, entry), (struct str){0},
                    STR("the saga is not a child of this parent and step"));
    else if (child->kind == CORE_UNDO)
        undo(runner, item, entry);
    else
        repeat(runner, item, entry, decide_row(runner, entry));
    return NULL;
}
