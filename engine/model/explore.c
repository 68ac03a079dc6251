/* The search: depth first, one level of memory for each state on the way, states seen before left out by
 * their fingerprint. Called by `sagactl check`. See explore.h for what is left out; never anything that could
 * be seen. */
#include "engine/model/explore.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/model/explore_parts.h"

enum { SEEN_FIRST = 1 << 12 };

static struct explore_seen *slot_of(struct explore_seen *seen, size_t room, uint64_t print)
{
    size_t at = print & (room - 1);
    while (seen[at].print != 0 && seen[at].print != print)
        at = (at + 1) & (room - 1);
    return &seen[at];
}

static void grow(struct explore *explore)
{
    size_t room = explore->seen_room ? explore->seen_room * 2 : SEEN_FIRST;
    struct explore_seen *seen = memory_new(room, sizeof *seen);
    for (size_t i = 0; i < explore->seen_room; i++)
        if (explore->seen[i].print != 0)
            *slot_of(seen, room, explore->seen[i].print) = explore->seen[i];
    memory_free(explore->seen);
    explore->seen = seen;
    explore->seen_room = room;
}

struct search {
    struct explore *explore;
    struct explore_level **levels; /* [0]: before the start */
    uint32_t count;
    uint32_t room;
    uint64_t states; /* of this choice of data */
    bool capped;
};

static struct explore_level *level_at(struct search *search, uint32_t index)
{
    if (index >= search->room) {
        uint32_t room = search->room ? search->room * 2 : 64;
        search->levels = memory_resize(search->levels, room, sizeof(struct explore_level *));
        for (uint32_t i = search->room; i < room; i++) {
            search->levels[i] = memory_new(1, sizeof(struct explore_level));
            explore_level_init(search->levels[i]);
        }
        search->room = room;
    }
    return search->levels[index];
}

/* A path without the items' numbers. */
static struct str general(struct arena *arena, struct str path)
{
    struct buf out;
    bool inside = false;
    buf_init(&out, arena);
    for (size_t i = 0; i < path.size; i++) {
        inside = inside || path.data[i] == '[';
        if (!inside)
            buf_char(&out, path.data[i]);
        else if (path.data[i] == ']')
            inside = false;
    }
    return buf_str(&out);
}

static void note_outcome(struct explore *explore, const struct core_saga *saga)
{
    bool parked = saga->status == CORE_PARKED;
    uint16_t at = parked ? saga->park_step : CORE_NO_STEP;
    struct str code = parked ? saga->park_code : STR("");
    struct str step = at == CORE_NO_STEP ? STR("") : general(&explore->batch, core_step_path(saga, at));
    for (uint32_t i = 0; i < explore->outcome_count; i++) {
        struct explore_outcome *outcome = &explore->outcomes[i];
        if (outcome->status == saga->status && str_equal(outcome->code, code) &&
            str_equal(outcome->step, step))
            return;
    }
    size_t size = sizeof *explore->outcomes;
    explore->outcomes = arena_resize(explore->arena, explore->outcomes, explore->outcome_count * size,
                                     (explore->outcome_count + 1) * size);
    explore->outcomes[explore->outcome_count++] =
        (struct explore_outcome){.status = saga->status,
                                 .code = arena_copy(explore->arena, code),
                                 .step = arena_copy(explore->arena, step)};
}

/* Ends first, then parks by their steps. */
static bool is_before(const struct explore_outcome *a, const struct explore_outcome *b)
{
    bool parked = a->status == CORE_PARKED;
    if (a->status != b->status)
        return b->status == CORE_PARKED || (!parked && a->status < b->status);
    int order = str_compare(a->step, b->step);
    return order != 0 ? order < 0 : str_compare(a->code, b->code) < 0;
}

static void sort_outcomes(struct explore *explore)
{
    for (uint32_t i = 1; i < explore->outcome_count; i++) {
        struct explore_outcome outcome = explore->outcomes[i];
        uint32_t at = i;
        for (; at > 0 && is_before(&outcome, &explore->outcomes[at - 1]); at--)
            explore->outcomes[at] = explore->outcomes[at - 1];
        explore->outcomes[at] = outcome;
    }
}

static bool is_unlimited(const struct explore_level *level)
{
    const struct explore_action *taken = &level->taken;
    bool timed = taken->kind == EXPLORE_TIMER || taken->kind == EXPLORE_REPLY;
    const struct plan_step *step = timed ? explore_step(&level->saga, taken->step) : NULL;
    return step && (step->run.retry.attempts_max == LIMITS_ATTEMPTS_MAX ||
                    step->undo.retry.attempts_max == LIMITS_ATTEMPTS_MAX);
}

/* A human drives it, a participant asks for time, or the author has given attempts without limit, which the
 * language allows only where there is no way back. */
static bool may_repeat(const struct explore_level *level)
{
    return level->taken.kind == EXPLORE_RETRY || level->taken.kind == EXPLORE_SIGNAL ||
           level->taken.status == CORE_REPLY_PENDING || is_unlimited(level);
}

/* Back at a state on the present way: a run that goes round for ever. */
static void went_round(struct search *search, const struct explore_level *level)
{
    uint32_t at = search->count - 1;
    bool may = may_repeat(level);
    for (; at > 0 && search->levels[at]->print != level->print; at--)
        may = may || may_repeat(search->levels[at]);
    if (!may)
        explore_breach(search->explore, "Every run ends or parks.", "it comes back to where it was");
}

/* True when the state is new. */
static bool is_new(struct search *search, struct explore_level *level)
{
    struct explore *explore = search->explore;
    if ((search->states + 1) * 2 > explore->seen_room)
        grow(explore);
    level->print = explore_print(explore, level);
    if (level->saga.status == CORE_PARKED || core_ended(&level->saga))
        note_outcome(explore, &level->saga);
    struct explore_seen *seen = slot_of(explore->seen, explore->seen_room, level->print);
    if (seen->print == 0) {
        *seen = (struct explore_seen){.print = level->print, .open = true};
        search->states++;
        explore->result->states++;
        return true;
    }
    if (seen->open)
        went_round(search, level);
    return false;
}

static void enter(struct search *search, struct explore_level *level)
{
    struct explore *explore = search->explore;
    explore_rest(explore, level);
    explore_list(explore, level);
    search->count++;
    level_at(search, search->count)->copy_of = NULL; /* of what stood here before */
}

static void leave(struct search *search)
{
    struct explore *explore = search->explore;
    const struct explore_level *level = search->levels[--search->count];
    if (search->count > 0)
        slot_of(explore->seen, explore->seen_room, level->print)->open = false;
}

static void walk(struct search *search)
{
    struct explore *explore = search->explore;
    while (search->count > 0 && !explore->broken && !search->capped) {
        struct explore_level *from = search->levels[search->count - 1];
        if (from->next == from->action_count) {
            leave(search);
            continue;
        }
        struct explore_level *to = level_at(search, search->count);
        from = search->levels[search->count - 1];
        bool moved = explore_apply(explore, from, &from->actions[from->next++], to, NULL);
        explore->result->transitions += moved;
        if (moved && (is_new(search, to) || explore->broken))
            enter(search, to);
        search->capped = explore->result->states > explore->states_max;
    }
}

/* One choice of data. False when there is no need to go on with others. */
static bool run(struct search *search)
{
    struct explore *explore = search->explore;
    struct explore_level *root = level_at(search, 0);
    explore_begin(explore, root);
    root->actions = arena_array(&root->arena, 1, sizeof *root->actions);
    root->actions[0] = (struct explore_action){.kind = EXPLORE_START, .step = CORE_NO_STEP};
    root->action_count = 1;
    root->next = 0;
    search->count = 1;
    search->states = 0;
    memory_free(explore->seen);
    explore->seen = NULL;
    explore->seen_room = 0;
    walk(search);
    if (explore->broken)
        explore_story(explore, search->levels, search->count);
    return !explore->broken && !search->capped;
}

/* Leaves, and cases of a switch by the switch's id and their number. */
static void list_unreached(struct explore *explore)
{
    const struct plan *plan = explore->plan;
    struct str *ids = arena_array(explore->arena, plan->node_count, sizeof *ids);
    uint32_t count = 0;
    for (uint16_t i = 1; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i], *parent = &plan->nodes[node->parent];
        bool case_of = node->kind == PLAN_SEQUENCE && parent->kind == PLAN_SWITCH;
        bool leaf =
            node->step || node->kind == PLAN_AWAIT || node->kind == PLAN_WAIT || node->kind == PLAN_FAIL;
        if (explore->reached[i] || (!case_of && !leaf))
            continue;
        ids[count++] =
            case_of ? arena_printf(explore->arena, "%.*s case %u", STR_ARG(parent->id), node->order + 1u)
                    : node->id;
    }
    explore->result->unreached = ids;
    explore->result->unreached_count = count;
}

/* More items than were explored are under way at once: then only the plan knows how many commands. */
static void count_commands(const struct plan *plan, struct explore_result *result)
{
    bool more = false;
    for (uint16_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        more |= node->kind == PLAN_FOREACH && node->fan->items_max > EXPLORE_ITEMS &&
                node->fan->concurrency_max > EXPLORE_ITEMS;
    }
    if (more && plan->commands_max > result->in_flight_max)
        result->in_flight_max = plan->commands_max;
}

static void finish(struct search *search)
{
    struct explore *explore = search->explore;
    for (uint32_t i = 0; i < search->room; i++) {
        explore_level_fini(search->levels[i]);
        memory_free(search->levels[i]);
    }
    memory_free(search->levels);
    memory_free(explore->seen);
    arena_fini(&explore->batch);
    sort_outcomes(explore);
    explore->result->outcomes = explore->outcomes;
    explore->result->outcome_count = explore->outcome_count;
    bool capped = search->capped || explore->result->data_left_out > 0;
    explore->result->verdict = explore->broken ? EXPLORE_REFUTED : (capped ? EXPLORE_CAPPED : EXPLORE_PROVED);
    list_unreached(explore);
    count_commands(explore->plan, explore->result);
}

void explore_run(const struct plan *plan, const struct explore_options *options, struct arena *arena,
                 struct explore_result *result)
{
    struct explore explore = {.arena = arena,
                              .result = result,
                              .plan = explore_bound(plan, arena),
                              .whole = options->whole,
                              .states_max =
                                  options->states_max ? options->states_max : EXPLORE_STATES_DEFAULT};
    struct search search = {.explore = &explore};
    uint32_t count;
    *result = (struct explore_result){.time = explore_time_of(plan)};
    arena_init(&explore.batch, 0);
    explore.reached = arena_array(arena, plan->node_count, sizeof *explore.reached);
    explore_codes_make(&explore);
    const struct explore_data *data = explore_data_make(plan, arena, &count, &result->data_left_out);
    check(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        explore.data = &data[i];
        result->data_sets++;
        if (!run(&search))
            break;
    }
    finish(&search);
}
