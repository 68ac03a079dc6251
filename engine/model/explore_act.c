/* What can happen to a saga, and doing it. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
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

static void add(struct explore_level *level, struct explore_action action)
{
    check(level->action_count < EXPLORE_ACTIONS_MAX);
    level->actions[level->action_count++] = action;
}

static void add_reply(struct explore_level *level, uint16_t step, enum core_kind command,
                      enum core_reply_status status, bool older, struct str code)
{
    add(level, (struct explore_action){.kind = EXPLORE_REPLY,
                                       .step = step,
                                       .command = command,
                                       .status = status,
                                       .older = older,
                                       .code = code});
}

/* Answers to one kind of command. What the participant would not say is refused by explore_apply. */
static void list_replies(const struct explore *explore, struct explore_level *level, uint16_t step,
                         enum core_kind kind)
{
    const struct core_step *it = &level->saga.steps[step];
    const struct explore_codes *codes = &explore->codes[it->node];
    bool forward = kind == CORE_DO && level->saga.direction == CORE_FORWARD;
    add_reply(level, step, kind, CORE_REPLY_OK, false, STR(""));
    for (uint32_t i = 0; i < (forward ? codes->count : 1); i++)
        add_reply(level, step, kind, CORE_REPLY_REJECTED, false, forward ? codes->items[i] : STR(""));
    add_reply(level, step, kind, CORE_REPLY_RETRY, false, STR(""));
    add_reply(level, step, kind, CORE_REPLY_PENDING, false, STR(""));
    if (it->attempts[kind] < 2)
        return;
    add_reply(level, step, kind, CORE_REPLY_OK, true, STR(""));
    add_reply(level, step, kind, CORE_REPLY_REJECTED, true, STR(""));
}

static void list_step(const struct explore *explore, struct explore_level *level, uint16_t step)
{
    const struct core_step *it = &level->saga.steps[step];
    const struct explore_fact *fact = &level->world.facts[step];
    if (it->due_us > 0)
        add(level, (struct explore_action){.kind = EXPLORE_TIMER, .step = step});
    if (it->attempts[CORE_DO] > 0 && !fact->known)
        list_replies(explore, level, step, CORE_DO);
    if (it->attempts[CORE_VERIFY] > 0 && !fact->known)
        list_replies(explore, level, step, CORE_VERIFY);
    if (it->attempts[CORE_UNDO] > 0 && !fact->undone)
        list_replies(explore, level, step, CORE_UNDO);
    bool stuck = it->state == CORE_STEP_STUCK || it->state == CORE_STEP_UNDO_STUCK;
    if (stuck && !fact->retried)
        add(level, (struct explore_action){.kind = EXPLORE_RETRY, .step = step});
}

void explore_list(struct explore *explore, struct explore_level *level)
{
    const struct core_saga *saga = &level->saga;
    level->action_count = level->next = 0;
    if (saga->status == CORE_COMPLETED || saga->status == CORE_TERMINATED)
        return;
    size_t most = (size_t)saga->step_count * 24 + 4;
    level->actions = arena_array(&level->arena, most, sizeof *level->actions);
    for (uint16_t i = 0; i < saga->step_count; i++)
        list_step(explore, level, i);
    if (core_ended(saga))
        return;
    if (saga->deadline_us > 0)
        add(level, (struct explore_action){.kind = EXPLORE_DEADLINE, .step = CORE_NO_STEP});
    if (saga->direction == CORE_FORWARD)
        add(level, (struct explore_action){.kind = EXPLORE_CANCEL, .step = CORE_NO_STEP});
    if (saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP)
        add(level, (struct explore_action){.kind = EXPLORE_RETRY, .step = CORE_NO_STEP});
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
        if (!action->older)
            fact->newest_live = false;
        fact->older_live = false;
        return true;
    case CORE_REPLY_RETRY:
        fact->newest_live = false;
        return true;
    case CORE_REPLY_PENDING:
        return true;
    }
    check_never("a reply of no status");
}

static bool verify_says(struct explore_fact *fact, const struct explore_action *action)
{
    switch (action->status) {
    case CORE_REPLY_OK:
        if (fact->undid || !(fact->did || fact->newest_live || fact->older_live))
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

static struct core_event event_of(const struct explore *explore, struct core_saga *saga,
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
    case EXPLORE_RETRY:
        event.kind = CORE_EVENT_RETRY;
        if (action->step != CORE_NO_STEP)
            event.step = core_step_path(saga, action->step);
        return event;
    }
    check_never("an action of no kind");
}

static void copy_saga(struct core_saga *to, const struct core_saga *from, struct arena *arena)
{
    *to = *from;
    to->arena = arena;
    to->steps = arena_array(arena, from->step_room, sizeof *to->steps);
    to->frames = arena_array(arena, from->frame_room, sizeof *to->frames);
    for (uint16_t i = 0; i < from->step_count; i++) {
        struct core_step *step = &to->steps[i];
        *step = from->steps[i];
        step->error_code = arena_copy(arena, step->error_code);
        step->error_message = arena_copy(arena, step->error_message);
        step->error_code_room = (uint16_t)step->error_code.size;
        step->error_message_room = (uint16_t)step->error_message.size;
    }
    for (uint16_t i = 0; i < from->frame_count; i++)
        to->frames[i] = from->frames[i];
}

static void copy(struct explore_level *to, const struct explore_level *from)
{
    arena_reset(&to->arena);
    copy_saga(&to->saga, &from->saga, &to->arena);
    to->world = from->world;
    to->world.facts = arena_array(&to->arena, from->world.room, sizeof *to->world.facts);
    for (uint16_t i = 0; i < from->world.count; i++)
        to->world.facts[i] = from->world.facts[i];
}

static bool is_possible(const struct explore_action *action, struct explore_level *level)
{
    if (action->kind != EXPLORE_REPLY)
        return true;
    return action->step < level->world.count && says(&level->world.facts[action->step], action);
}

static void again(struct explore *explore, struct explore_level *level, const struct core_event *event)
{
    struct core_update update;
    if (event->kind != CORE_EVENT_REPLY || event->status == CORE_REPLY_PENDING)
        return;
    core_step(&level->saga, event, &explore->batch, &update);
    if (update.verdict == CORE_USED)
        explore_breach(explore, "An answer that comes twice is taken once.",
                       "the second copy of the answer to %.*s changed the saga", STR_ARG(event->step));
}

bool explore_apply(struct explore *explore, const struct explore_level *from,
                   const struct explore_action *action, struct explore_level *to, struct buf *story)
{
    copy(to, from);
    arena_reset(&explore->batch);
    if (!is_possible(action, to))
        return false;
    if (action->kind == EXPLORE_RETRY && action->step != CORE_NO_STEP)
        to->world.facts[action->step].retried = true;
    struct core_event event = event_of(explore, &to->saga, action);
    struct core_update update;
    core_step(&to->saga, &event, &explore->batch, &update);
    if (update.verdict != CORE_USED)
        return false;
    to->taken = *action;
    if (story)
        record_narrate(story, &to->saga, &update.record);
    if (action->kind == EXPLORE_REPLY && action->older && action->status != CORE_REPLY_OK)
        explore_breach(explore, "Only the newest attempt's rejection counts.",
                       "%.*s took the rejection of an older attempt", STR_ARG(event.step));
    explore_watch(explore, to, &update.record);
    again(explore, to, &event);
    return true;
}
