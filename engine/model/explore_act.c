/* Making happen to a saga what can: one event to the core, what it changed to the oracle. Part of the
 * explorer; called by explore.c for each way on. Never chooses: explore_list.c does. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/record.h"

static const int64_t epoch_us = INT64_C(1767225600000000); /* 2026-01-01T00:00:00Z: any day will do */

void explore_level_init(struct explore_level *level)
{
    *level = (struct explore_level){0};
    arena_init(&level->arena, 0);
}

void explore_level_fini(struct explore_level *level)
{
    arena_fini(&level->arena);
}

const struct plan_step *explore_step(const struct core_saga *saga, uint16_t step)
{
    check(step < saga->step_count);
    return saga->plan->nodes[saga->steps[step].node].step;
}

bool explore_may_exist(const struct explore_fact *fact)
{
    return fact->did || fact->newest_live || fact->older_live;
}

bool explore_is_sent(enum core_step_state state)
{
    return state == CORE_STEP_SENT || state == CORE_STEP_VERIFY_SENT || state == CORE_STEP_UNDO_SENT;
}

void explore_begin(struct explore *explore, struct explore_level *level)
{
    struct id id = {{0x01, 0x9b, 0x77, 0x4c, 0x90, 0x00, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}};
    arena_reset(&level->arena);
    level->world = (struct explore_world){0};
    core_init(&level->saga, explore->plan, id, &level->arena);
}

static bool do_says(struct explore_fact *fact, const struct explore_action *action)
{
    switch (action->status) {
    case CORE_REPLY_OK:
        if (!fact->did && !(action->older ? fact->older_live : fact->newest_live))
            return false;
        fact->did = true;
        fact->newest_live = fact->older_live = false;
        return true;
    case CORE_REPLY_REJECTED:
        if (fact->did)
            return false;
        if (str_equal(action->code, core_code_text(CORE_CODE_CHILD_TERMINATED)))
            return true; /* what it did stays */
        if (!action->older)
            fact->newest_live = false;
        fact->older_live = false;
        return true;
    case CORE_REPLY_NO_OUTPUT: /* all of it, and it may be told its output later */
        fact->did = true;
        fact->newest_live = fact->older_live = false;
        return true;
    case CORE_REPLY_RETRY:
    case CORE_REPLY_UNSENT:
        fact->newest_live = false;
        return true;
    case CORE_REPLY_PENDING:
    case CORE_REPLY_UNCLEAR:
    case CORE_REPLY_UNUSABLE:
        return true;
    }
    check_never("a reply of no status");
}

static bool verify_says(struct explore_fact *fact, const struct explore_action *action)
{
    switch (action->status) {
    case CORE_REPLY_OK:
        if (fact->undid || !explore_may_exist(fact))
            return false;
        fact->did = true;
        fact->newest_live = fact->older_live = false;
        return true;
    case CORE_REPLY_REJECTED:
        if (fact->did)
            return false;
        fact->newest_live = fact->older_live = false;
        return true;
    case CORE_REPLY_RETRY:
    case CORE_REPLY_PENDING:
    case CORE_REPLY_UNCLEAR:
    case CORE_REPLY_UNUSABLE:
    case CORE_REPLY_NO_OUTPUT:
    case CORE_REPLY_UNSENT:
        return true;
    }
    check_never("a reply of no status");
}

/* Whether the participant can say so, and what is true then. */
static bool says(struct explore_fact *fact, const struct explore_action *action)
{
    switch (action->command) {
    case CORE_DO:
        return do_says(fact, action);
    case CORE_VERIFY:
        return verify_says(fact, action);
    case CORE_UNDO:
        if (action->status == CORE_REPLY_OK)
            fact->undid = true;
        return action->status == CORE_REPLY_OK || !fact->undid;
    }
    check_never("a command of no kind");
}

/* Of all timers this one is the next: the others are put off until after it. */
static void hurry(struct core_saga *saga, uint16_t step, int64_t at_us)
{
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (i != step && saga->steps[i].due_us > 0 && saga->steps[i].due_us <= at_us)
            saga->steps[i].due_us = at_us + 1;
    if (step != CORE_NO_STEP && saga->deadline_us > 0 && saga->deadline_us <= at_us)
        saga->deadline_us = at_us + 1;
}

static struct core_event timer(struct core_saga *saga, uint16_t step)
{
    int64_t due_us = step == CORE_NO_STEP ? saga->deadline_us : saga->steps[step].due_us;
    int64_t at_us = due_us > saga->updated_us ? due_us : saga->updated_us;
    hurry(saga, step, at_us);
    return (struct core_event){.kind = CORE_EVENT_TIMER, .at_us = at_us};
}

static struct core_event reply(const struct explore *explore, const struct core_saga *saga,
                               const struct explore_action *action)
{
    const struct core_step *step = &saga->steps[action->step];
    bool speaks = action->status == CORE_REPLY_OK && action->command != CORE_UNDO;
    return (struct core_event){.kind = CORE_EVENT_REPLY,
                               .at_us = saga->updated_us + 1000,
                               .step = core_step_path(saga, action->step),
                               .command_kind = action->command,
                               .attempt = step->attempts[action->command] - (action->older ? 1 : 0),
                               .status = action->status,
                               .error_code = action->code,
                               .body = speaks ? explore->data->outputs[step->node] : NULL};
}

static struct core_event event_of(struct explore *explore, struct core_saga *saga,
                                  const struct explore_action *action)
{
    struct core_event event = {.at_us = saga->updated_us + 1000};
    switch (action->kind) {
    case EXPLORE_START:
        event.kind = CORE_EVENT_START;
        event.at_us = epoch_us;
        event.input = explore->data->input;
        event.seed = 1;
        return event;
    case EXPLORE_REPLY:
        return reply(explore, saga, action);
    case EXPLORE_TIMER:
    case EXPLORE_DEADLINE:
        return timer(saga, action->step);
    case EXPLORE_CANCEL:
        event.kind = CORE_EVENT_CANCEL;
        return event;
    case EXPLORE_SIGNAL:
        event.kind = CORE_EVENT_SIGNAL;
        event.signal = saga->plan->nodes[action->step].await->event;
        event.signal_id = arena_printf(&explore->batch, "%u", saga->signal_count + 1u);
        event.body = explore->data->outputs[action->step];
        return event;
    case EXPLORE_RETRY:
        event.kind = CORE_EVENT_RETRY;
        if (action->step != CORE_NO_STEP)
            event.step = core_step_path(saga, action->step);
        return event;
    case EXPLORE_FOCUS:
        break;
    }
    check_never("an action of no kind");
}

static void copy(struct explore_level *to, const struct explore_level *from)
{
    arena_reset(&to->arena);
    core_copy(&to->saga, &from->saga, &to->arena);
    to->world = from->world;
    to->world.facts = arena_array(&to->arena, from->world.room, sizeof *to->world.facts);
    for (uint16_t i = 0; i < from->world.count; i++)
        to->world.facts[i] = from->world.facts[i];
    to->world.fates = arena_alloc(&to->arena, from->world.fate_count);
    for (uint16_t i = 0; i < from->world.fate_count; i++)
        to->world.fates[i] = from->world.fates[i];
    to->world.focus = arena_array(&to->arena, from->world.focus_count, sizeof *to->world.focus);
    for (uint16_t i = 0; i < from->world.focus_count; i++)
        to->world.focus[i] = from->world.focus[i];
    to->copy_of = from;
}

static void again(struct explore *explore, struct explore_level *level, const struct core_event *event)
{
    struct core_update update;
    bool twice = event->kind == CORE_EVENT_REPLY || event->kind == CORE_EVENT_SIGNAL;
    if (!twice || event->status == CORE_REPLY_PENDING)
        return;
    core_step(&level->saga, event, &explore->batch, &update);
    if (update.verdict == CORE_USED)
        explore_breach(explore, "What comes twice is taken once.",
                       "the second copy of what came for %.*s changed the saga",
                       STR_ARG(event->kind == CORE_EVENT_SIGNAL ? event->signal : event->step));
}

/* One success at a time comes late: see explore.h. */
static bool is_another_late(const struct explore_level *level, uint16_t step)
{
    if (level->saga.steps[step].state < CORE_STEP_DONE)
        return false;
    for (uint16_t i = 0; i < level->world.count; i++)
        if (level->world.facts[i].late)
            return true;
    return false;
}

/* The step's fact as it is once this has happened; false when it cannot. */
static bool foresee(const struct explore_level *from, const struct explore_action *action,
                    struct explore_fact *fact)
{
    bool about_step = action->kind == EXPLORE_REPLY || action->kind == EXPLORE_RETRY;
    if (!about_step || action->step == CORE_NO_STEP)
        return true;
    if (action->status == CORE_REPLY_OK && action->command == CORE_DO && is_another_late(from, action->step))
        return false;
    *fact = from->world.facts[action->step];
    fact->retried = fact->retried || action->kind == EXPLORE_RETRY;
    return action->kind == EXPLORE_RETRY || says(fact, action);
}

/* The first success of a step, however late it comes, unless nobody could undo it any more. */
static void must_be_heard(struct explore *explore, const struct explore_level *from,
                          const struct explore_action *action)
{
    if (action->kind != EXPLORE_REPLY || action->command != CORE_DO || action->status != CORE_REPLY_OK ||
        from->world.facts[action->step].known)
        return;
    bool undoable = explore_step(&from->saga, action->step)->has_undo && explore_is_back(from, action->step);
    if (!core_ended(&from->saga) || undoable)
        explore_breach(explore, "A success is never dropped.", "that of %.*s was",
                       STR_ARG(core_step_path(&from->saga, action->step)));
}

/* A stuck step gets fresh attempts, and the first of them at once. */
static void must_be_tried(struct explore *explore, const struct explore_level *level,
                          const struct core_record *record)
{
    uint16_t step = level->taken.step;
    if (level->taken.kind != EXPLORE_RETRY || step == CORE_NO_STEP || !explore_step(&level->saga, step))
        return;
    bool held = level->saga.status == CORE_PARKED && level->saga.park_step == CORE_NO_STEP;
    bool sent = false;
    for (uint32_t i = 0; i < record->change_count; i++)
        sent = sent || (record->changes[i].kind == CORE_CHANGE_SEND && record->changes[i].step == step);
    if (!sent && !held)
        explore_breach(explore, "What a human tries again is commanded again.", "%.*s was not",
                       STR_ARG(core_step_path(&level->saga, step)));
}

bool explore_apply(struct explore *explore, const struct explore_level *from,
                   const struct explore_action *action, struct explore_level *to, struct buf *story)
{
    struct explore_fact fact = {0};
    struct core_update update;
    if (!foresee(from, action, &fact))
        return false;
    if (to->copy_of != from)
        copy(to, from);
    arena_reset(&explore->batch);
    if (action->kind == EXPLORE_FOCUS) {
        to->copy_of = NULL;
        to->taken = *action;
        explore_focus(to, action->step, action->part);
        return true;
    }
    struct core_event event = event_of(explore, &to->saga, action);
    if (event.kind == CORE_EVENT_TIMER)
        to->copy_of = NULL;
    core_step(&to->saga, &event, &explore->batch, &update);
    if (update.verdict != CORE_USED)
        must_be_heard(explore, from, action);
    if (update.verdict != CORE_USED && !explore->broken)
        return false;
    to->copy_of = NULL;
    to->taken = *action;
    if (update.verdict != CORE_USED) {
        if (story)
            buf_printf(story, "%.*s of %.*s: %.*s\n", STR_ARG(core_event_text(event.kind)),
                       STR_ARG(event.step), STR_ARG(update.why));
        return true;
    }
    if (story)
        record_narrate(story, &to->saga, &update.record);
    if (action->kind == EXPLORE_REPLY && action->older && action->status != CORE_REPLY_OK)
        explore_breach(explore, "Only the newest attempt's rejection counts.",
                       "%.*s took the rejection of an older attempt", STR_ARG(event.step));
    bool about_step = action->kind == EXPLORE_REPLY || action->kind == EXPLORE_RETRY;
    if (about_step && action->step != CORE_NO_STEP)
        to->world.facts[action->step] = fact;
    explore_watch(explore, to, &update.record);
    must_be_tried(explore, to, &update.record);
    again(explore, to, &event);
    explore_refocus(to);
    return true;
}
