/* The oracle: what the engine promises, held against each record and each state. It knows the plan's order
 * and its own facts; of the core it sees only what the core says. */
#include "engine/model/explore_parts.h"
#include <stdarg.h>
#include <stdio.h>
#include "engine/base/check.h"

void explore_breach(struct explore *explore, const char *property, const char *format, ...)
{
    char text[512];
    va_list values;
    if (explore->broken)
        return;
    va_start(values, format);
    int size = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    check(size >= 0);
    explore->broken = true;
    explore->result->property = str_from(property);
    explore->result->detail = arena_copy(explore->arena, str_from(text));
}

static struct explore_fact *fact_of(struct explore_level *level, uint16_t step)
{
    struct explore_world *world = &level->world;
    check(step < level->saga.step_count);
    if (step >= world->room) {
        uint16_t room = (uint16_t)(step < 8 ? 16 : step * 2);
        size_t size = sizeof *world->facts;
        world->facts = arena_resize(&level->arena, world->facts, world->room * size, room * size);
        world->room = room;
    }
    while (world->count <= step)
        world->facts[world->count++] = (struct explore_fact){0};
    return &world->facts[step];
}

static void watch_do(struct explore *explore, struct explore_level *level, const struct core_change *change)
{
    struct explore_fact *fact = fact_of(level, change->step);
    struct str path = core_step_path(&level->saga, change->step);
    if (explore_is_halted(level, change->step))
        explore_breach(explore, "Nothing is commanded forward after the decision to go back.",
                       "do of %.*s was sent", STR_ARG(path));
    if (explore_step(&level->saga, change->step)->pivot)
        level->world.committed = true;
    fact->older_live = fact->older_live || fact->newest_live;
    fact->newest_live = true;
}

static void watch_undo(struct explore *explore, struct explore_level *level, const struct core_change *change)
{
    struct explore_fact *fact = fact_of(level, change->step);
    struct str path = core_step_path(&level->saga, change->step);
    if (fact->sent[CORE_DO] == 0)
        explore_breach(explore, "No compensation without its command.",
                       "undo of %.*s was sent, its command never was", STR_ARG(path));
    if (!fact->known && !fact->doubt)
        explore_breach(explore, "What did not happen is not undone.",
                       "undo of %.*s was sent, which is neither done nor in doubt", STR_ARG(path));
    if (fact->undone)
        explore_breach(explore, "Each step is undone once.", "undo of %.*s was sent again after its success",
                       STR_ARG(path));
    if (!explore_is_back(level, change->step))
        explore_breach(explore, "Nothing is undone that does not go back.", "undo of %.*s was sent",
                       STR_ARG(path));
    if (level->world.committed && level->world.back)
        explore_breach(explore, "Nothing is undone after the pivot.", "undo of %.*s was sent", STR_ARG(path));
    fact->undo_sent = true;
}

/* The branch or item of the fan `fan` that the step stands in. */
static uint16_t part_of(const struct core_saga *saga, uint16_t step, uint16_t fan)
{
    uint16_t frame = saga->steps[step].frame;
    while (frame != 0 && saga->frames[frame].parent != fan)
        frame = saga->frames[frame].parent;
    return frame;
}

/* Other branches or items of the fan in which a command is under way in the same direction. */
static uint32_t others_busy(const struct explore_level *level, uint16_t step, uint16_t fan)
{
    const struct core_saga *saga = &level->saga;
    uint32_t count = 0;
    uint16_t own = part_of(saga, step, fan);
    for (uint16_t part = (uint16_t)(fan + 1); part < saga->frame_count; part++) {
        bool busy = false;
        for (uint16_t i = 0; i < saga->step_count && part != own && saga->frames[part].parent == fan; i++)
            busy = busy || (explore_is_sent(saga->steps[i].state) && part_of(saga, i, fan) == part &&
                            explore_is_back(level, i) == explore_is_back(level, step));
        count += busy;
    }
    return count;
}

/* Looked at when a command begins. Whom a human tries again goes at once, whoever else is under way. */
static void watch_fans(struct explore *explore, const struct explore_level *level, uint16_t step)
{
    const struct core_saga *saga = &level->saga;
    uint16_t frame = saga->steps[step].frame;
    bool by_hand = false;
    for (uint16_t i = 0; i < level->world.count; i++)
        by_hand = by_hand || level->world.facts[i].retried;
    for (; frame != 0 && !by_hand; frame = saga->frames[frame].parent) {
        uint16_t fan = saga->frames[frame].parent;
        const struct plan_node *node = &saga->plan->nodes[saga->frames[fan].node];
        if (node->fan && others_busy(level, step, fan) >= node->fan->concurrency_max)
            explore_breach(explore, "No more branches or items run at once than max_concurrency allows.",
                           "%.*s has more when %.*s is sent", STR_ARG(node->id),
                           STR_ARG(core_step_path(saga, step)));
    }
}

static void watch_send(struct explore *explore, struct explore_level *level, const struct core_change *change)
{
    struct explore_fact *fact = fact_of(level, change->step);
    struct str path = core_step_path(&level->saga, change->step);
    if (change->attempt != fact->sent[change->command] + 1)
        explore_breach(explore, "Attempts count from 1 without a gap.", "%.*s sent attempt %u after %u",
                       STR_ARG(path), change->attempt, fact->sent[change->command]);
    const struct plan_action *action = core_action(explore_step(&level->saga, change->step), change->command);
    if (change->attempt - fact->granted[change->command] > action->retry.attempts_max)
        explore_breach(explore, "No more attempts than max_attempts allows.", "%.*s sent attempt %u",
                       STR_ARG(path), change->attempt);
    if (change->command == CORE_DO)
        watch_do(explore, level, change);
    if (change->command == CORE_UNDO)
        watch_undo(explore, level, change);
    fact->sent[change->command] = change->attempt;
    if (change->attempt == fact->granted[change->command] + 1 && change->command != CORE_VERIFY)
        watch_fans(explore, level, change->step); /* a verify asks about a do that had its place already */
}

/* Whether an effect is or may be there for which nothing was done yet. */
static bool owes(const struct explore_level *level, uint16_t step)
{
    const struct explore_fact *fact = &level->world.facts[step];
    const struct plan_step *plan = explore_step(&level->saga, step);
    return plan && plan->has_undo && (fact->known || fact->doubt) && !fact->undone;
}

static bool is_settled(enum core_step_state state)
{
    return state == CORE_STEP_DONE || state == CORE_STEP_REJECTED || state == CORE_STEP_WAIVED ||
           state == CORE_STEP_DOUBT || state >= CORE_STEP_UNDONE;
}

static void watch_order(struct explore *explore, const struct explore_level *level, uint16_t step)
{
    for (uint16_t i = 0; i < level->world.count; i++) {
        if (i == step || !explore_is_back(level, i) || !explore_precedes(&level->saga, step, i))
            continue;
        struct str path = core_step_path(&level->saga, step), later = core_step_path(&level->saga, i);
        enum core_step_state state = level->saga.steps[i].state;
        if (owes(level, i) || (!is_settled(state) && state < CORE_STEP_UNDO_WAITING))
            explore_breach(explore, "What was done is undone in reverse order.",
                           "%.*s begins to be undone before %.*s, which came after it", STR_ARG(path),
                           STR_ARG(later));
    }
}

/* By the definition alone: the explorer never sends an operator's skip. */
static bool may_be_waived(const struct plan_node *node, const struct core_event *event)
{
    if (node->kind == PLAN_AWAIT)
        return node->await->on_timeout == PLAN_AWAIT_CONTINUE;
    const struct plan_error_rule *rule =
        node->step ? plan_error_rule_for(node->step, event->error_code) : NULL;
    if (rule == NULL || rule->then != PLAN_ON_ERROR_CONTINUE)
        return false;
    bool is_named = !str_equal(rule->code, STR(PLAN_ANY_CODE));
    return event->status == CORE_REPLY_REJECTED || (event->status == CORE_REPLY_NO_OUTPUT && is_named);
}

static void watch_waived(struct explore *explore, const struct explore_level *level,
                         const struct core_change *change, const struct core_event *event)
{
    const struct plan_node *node = &level->saga.plan->nodes[level->saga.steps[change->step].node];
    struct str path = core_step_path(&level->saga, change->step);
    if (change->state == CORE_STEP_WAIVED && !may_be_waived(node, event))
        explore_breach(explore, "What failed is gone on without only where the definition says so.",
                       "%.*s was", STR_ARG(path));
    if (change->from == CORE_STEP_WAIVED && change->state == CORE_STEP_UNDO_WAITING &&
        !explore_may_exist(&level->world.facts[change->step]))
        explore_breach(explore, "What did not happen is not undone.",
                       "%.*s, which was rejected and gone on without, is undone", STR_ARG(path));
}

static void watch_undone(struct explore *explore, struct explore_level *level,
                         const struct core_change *change, const struct core_event *event)
{
    struct explore_fact *fact = fact_of(level, change->step);
    struct str path = core_step_path(&level->saga, change->step);
    if (!fact->undo_sent || fact->undone)
        explore_breach(explore, "Each step is undone once.", "%.*s is undone without its undo",
                       STR_ARG(path));
    if (event->kind == CORE_EVENT_REPLY && event->attempt <= fact->undo_floor)
        explore_breach(explore, "What is known to be done is undone anew.",
                       "%.*s is undone by a compensation that was commanded before its success was known",
                       STR_ARG(path));
    fact->undone = true;
    fact->late = false;
}

static void watch_step(struct explore *explore, struct explore_level *level, const struct core_change *change,
                       const struct core_event *event)
{
    struct explore_fact *fact = fact_of(level, change->step);
    struct str path = core_step_path(&level->saga, change->step);
    if (is_settled(change->state))
        fact->retried = false;
    bool kept = change->state == CORE_STEP_WAIVED && event->status == CORE_REPLY_NO_OUTPUT;
    if (change->state == CORE_STEP_DOUBT || kept) /* what a child without output did is there */
        fact->doubt = true;
    if (change->state == CORE_STEP_REJECTED) {
        if (explore_may_exist(fact))
            explore_breach(explore, "What may have happened is not taken for rejected.",
                           "%.*s became rejected though an attempt may have taken effect", STR_ARG(path));
        const struct plan_step *plan = explore_step(&level->saga, change->step);
        if (plan && plan->pivot)
            level->world.committed = false;
    }
    watch_waived(explore, level, change, event);
    if (change->state == CORE_STEP_UNDO_WAITING && change->from <= CORE_STEP_DOUBT) {
        fact->doubt = fact->doubt || change->from == CORE_STEP_WAIVED;
        watch_order(explore, level, change->step);
    }
    if (change->state == CORE_STEP_UNDONE)
        watch_undone(explore, level, change, event);
}

static void watch_output(struct explore *explore, struct explore_level *level,
                         const struct core_change *change)
{
    struct explore_fact *fact = fact_of(level, change->step);
    if (fact->known)
        explore_breach(explore, "A success is taken once.", "%.*s succeeded twice",
                       STR_ARG(core_step_path(&level->saga, change->step)));
    fact->known = true;
    fact->late = level->saga.steps[change->step].waived || fact->doubt || fact->undone || fact->undo_sent;
    fact->undone = fact->undo_sent = false;
    fact->granted[CORE_UNDO] = fact->undo_floor = fact->sent[CORE_UNDO];
}

static bool is_code(struct str code, enum core_code which)
{
    return str_equal(code, core_code_text(which));
}

static void watch_fault(struct explore *explore, const struct explore_level *level,
                        const struct core_change *change)
{
    bool output = change->kind == CORE_CHANGE_PARK && change->step == CORE_NO_STEP &&
                  is_code(change->code, CORE_CODE_OUTPUT_FAILED);
    bool expression = output || str_starts(change->code, STR("EXPRESSION_")) ||
                      is_code(change->code, CORE_CODE_PAYLOAD_TOO_LARGE);
    bool block =
        is_code(change->code, CORE_CODE_NO_BRANCH) || is_code(change->code, CORE_CODE_TOO_MANY_ITEMS);
    if (!expression && !block)
        return;
    struct str path =
        change->step == CORE_NO_STEP ? STR("the saga's output") : core_step_path(&level->saga, change->step);
    explore_breach(explore,
                   expression ? "Every expression can be computed on every path."
                              : "Every switch finds a case, every foreach keeps its bound.",
                   "%.*s: %.*s: %.*s", STR_ARG(path), STR_ARG(change->code), STR_ARG(change->message));
}

static void watch_block(struct explore_level *level, const struct core_change *change)
{
    struct explore_world *world = &level->world;
    bool back = change->block == CORE_BLOCK_BACK;
    if (!back && change->block != CORE_BLOCK_FAILED)
        return;
    if (change->frame >= world->fate_count) {
        uint8_t *fates = arena_alloc(&level->arena, (size_t)change->frame + 1);
        for (uint16_t i = 0; i < world->fate_count; i++)
            fates[i] = world->fates[i];
        world->fates = fates;
        world->fate_count = (uint16_t)(change->frame + 1);
    }
    world->fates[change->frame] = back ? EXPLORE_FRAME_BACK : EXPLORE_FRAME_FAILED;
}

static void watch_status(struct explore_level *level, const struct core_change *change)
{
    level->world.back = change->direction == CORE_BACK;
}

void explore_watch(struct explore *explore, struct explore_level *level, const struct core_record *record)
{
    for (uint32_t i = 0; i < record->change_count; i++) {
        const struct core_change *change = &record->changes[i];
        if (change->kind == CORE_CHANGE_OPEN || change->kind == CORE_CHANGE_FRAME)
            explore->reached[change->node] = true;
        if (change->kind == CORE_CHANGE_OPEN)
            (void)fact_of(level, change->step);
        if (change->kind == CORE_CHANGE_SEND)
            watch_send(explore, level, change);
        if (change->kind == CORE_CHANGE_STEP)
            watch_step(explore, level, change, &record->event);
        if (change->kind == CORE_CHANGE_BUDGET) {
            struct explore_fact *fact = fact_of(level, change->step);
            fact->granted[change->command] = fact->sent[change->command];
        }
        if (change->kind == CORE_CHANGE_OUTPUT)
            watch_output(explore, level, change);
        if (change->kind == CORE_CHANGE_STATUS)
            watch_status(level, change);
        if (change->kind == CORE_CHANGE_BLOCK)
            watch_block(level, change);
        if (change->kind == CORE_CHANGE_FAULT || change->kind == CORE_CHANGE_NOTE ||
            change->kind == CORE_CHANGE_CAUSE || change->kind == CORE_CHANGE_PARK)
            watch_fault(explore, level, change);
    }
}

/* At an end: what went back has left no effect, all else is done. */
static void rest_ended(struct explore *explore, const struct explore_level *level, uint16_t step)
{
    const struct explore_fact *fact = &level->world.facts[step];
    const struct plan_step *plan = explore_step(&level->saga, step);
    enum core_step_state state = level->saga.steps[step].state;
    struct str path = core_step_path(&level->saga, step);
    if (explore_is_back(level, step)) {
        if (plan && plan->has_undo && (owes(level, step) || (explore_may_exist(fact) && !fact->undid)))
            explore_breach(explore, "What went back has left no effect.",
                           "%.*s was done, or may have been, and was not undone", STR_ARG(path));
        return;
    }
    if (state != CORE_STEP_DONE && state != CORE_STEP_WAIVED)
        explore_breach(explore, "Completed means that every step is done.", "%.*s is not", STR_ARG(path));
    if (fact->undo_sent)
        explore_breach(explore, "Nothing is undone that does not go back.", "%.*s was", STR_ARG(path));
}

static uint32_t count_parts(const struct core_saga *saga, uint16_t frame, uint16_t node)
{
    uint32_t count = 0;
    for (uint16_t i = 1; i < saga->frame_count; i++)
        count += saga->frames[i].parent == frame && (node == 0 || saga->frames[i].node == node ||
                                                     saga->plan->nodes[saga->frames[i].node].parent == node);
    for (uint16_t i = 0; i < saga->step_count && node != 0; i++)
        count += saga->steps[i].frame == frame && saga->steps[i].node == node;
    return count;
}

/* Completed: each sequence was walked to its end, each branch and item was entered. A `fail` whose condition
 * does not hold leaves no trace. */
static void rest_walked(struct explore *explore, const struct explore_level *level, uint16_t frame)
{
    const struct core_saga *saga = &level->saga;
    const struct plan_node *node = &saga->plan->nodes[saga->frames[frame].node];
    if (node->kind == PLAN_PARALLEL || node->kind == PLAN_FOREACH) {
        uint32_t parts = node->kind == PLAN_FOREACH ? saga->frames[frame].items->count : node->child_count;
        if (count_parts(saga, frame, 0) != parts)
            explore_breach(explore, "Completed means that every step is done.",
                           "%.*s has entered %u of %u parts", STR_ARG(node->id), count_parts(saga, frame, 0),
                           parts);
        return;
    }
    for (uint16_t i = 0; i < node->child_count && node->kind == PLAN_SEQUENCE; i++) {
        const struct plan_node *child = &saga->plan->nodes[node->children[i]];
        if (child->kind != PLAN_FAIL && count_parts(saga, frame, child->index) != 1)
            explore_breach(explore, "Completed means that every step is done.", "%.*s was begun %u times",
                           STR_ARG(child->id), count_parts(saga, frame, child->index));
    }
}

static void rest_open(struct explore *explore, const struct explore_level *level)
{
    const struct core_saga *saga = &level->saga;
    uint32_t sent = 0;
    for (uint16_t i = 0; i < saga->step_count; i++)
        sent += explore_is_sent(saga->steps[i].state);
    if (sent > explore->result->in_flight_max)
        explore->result->in_flight_max = sent;
    if (saga->status == CORE_PARKED ? saga->park_code.size == 0 : core_wake(saga) == INT64_MAX)
        explore_breach(explore, "Whatever has not ended has a timer, a command that is out, or a named park.",
                       "the saga waits for nothing");
    enum core_step_state state = saga->status == CORE_PARKED && saga->park_step != CORE_NO_STEP
                                     ? saga->steps[saga->park_step].state
                                     : CORE_STEP_STUCK;
    if (state != CORE_STEP_STUCK && state != CORE_STEP_UNDO_STUCK)
        explore_breach(explore, "A park names what waits for a human.", "%.*s does not",
                       STR_ARG(core_step_path(saga, saga->park_step)));
}

void explore_rest(struct explore *explore, const struct explore_level *level)
{
    if (!core_ended(&level->saga)) {
        rest_open(explore, level);
        return;
    }
    for (uint16_t i = 0; i < level->world.count; i++)
        rest_ended(explore, level, i);
    for (uint16_t i = 0; i < level->saga.frame_count && level->saga.status == CORE_COMPLETED; i++)
        if (!explore_frame_is_back(level, i))
            rest_walked(explore, level, i);
}
