/* What the file as a whole must keep, once all of it has been read without a mistake: what it can open at
 * once and in all, that every part can be reached, that its deadline can be met. A block's figures follow
 * from those of its children, which stand behind it: so the nodes are taken from the last to the first. */
#include "engine/definition/load.h"

#include "engine/base/check.h"
#include "engine/base/duration.h"

/* What one node comes to. Times are along the shortest way: a switch takes its quickest case, a foreach has
 * no item, a scope fails at once. */
struct sum {
    uint32_t instances; /* steps opened at most; one above the bound when it was passed, and reported */
    uint32_t awaits;    /* of these, likewise */
    uint32_t frames;    /* blocks, branches and items entered, likewise */
    uint32_t commands;  /* under way at once, likewise */
    int64_t waits_us;   /* of waits alone: nothing can be quicker */
    int64_t steps_us;   /* and of one attempt of each step */
    bool fails;         /* whoever enters it never leaves it at its end */
};

static uint32_t more(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t capped(uint64_t number, uint32_t most)
{
    return number <= most ? (uint32_t)number : most + 1;
}

static int64_t longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t shorter(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- blocks ---- */

/* Of children that all have their turn. */
static void add_counts(struct sum *sum, const struct sum *child)
{
    sum->instances = capped((uint64_t)sum->instances + child->instances, LIMITS_INSTANCES);
    sum->awaits = capped((uint64_t)sum->awaits + child->awaits, LIMITS_SIGNALS);
    sum->frames = capped((uint64_t)sum->frames + child->frames, LIMITS_FRAMES);
}

static struct sum sum_sequence(const struct plan_node *node, const struct sum *of)
{
    struct sum sum = {.frames = 1};
    for (uint16_t i = 0; i < node->child_count; i++) {
        const struct sum *child = &of[node->children[i]];
        add_counts(&sum, child);
        sum.commands = more(sum.commands, child->commands);
        sum.waits_us += child->waits_us;
        sum.steps_us += child->steps_us;
        sum.fails |= child->fails;
    }
    return sum;
}

/* One that cannot begin is an instance itself. */
static struct sum sum_switch(const struct plan_node *node, const struct sum *of)
{
    struct sum sum = {.instances = 1, .waits_us = INT64_MAX, .steps_us = INT64_MAX, .fails = true};
    for (uint16_t i = 0; i < node->child_count; i++) {
        const struct sum *child = &of[node->children[i]];
        sum.instances = more(sum.instances, child->instances);
        sum.awaits = more(sum.awaits, child->awaits);
        sum.frames = more(sum.frames, child->frames);
        sum.commands = more(sum.commands, child->commands);
        sum.waits_us = shorter(sum.waits_us, child->waits_us);
        sum.steps_us = shorter(sum.steps_us, child->steps_us);
        sum.fails &= child->fails;
    }
    return sum;
}

/* The commands of the branches that have most. */
static uint32_t most_commands(const struct plan_node *node, const struct sum *of)
{
    bool counted[LIMITS_CASES] = {false};
    uint64_t commands = 0;
    for (uint32_t k = 0; k < node->fan->concurrency_max && k < node->child_count; k++) {
        uint16_t best = 0;
        while (counted[best])
            best++;
        for (uint16_t i = best; i < node->child_count; i++) {
            if (!counted[i] && of[node->children[i]].commands > of[node->children[best]].commands)
                best = i;
        }
        counted[best] = true;
        commands += of[node->children[best]].commands;
    }
    return capped(commands, LIMITS_CONCURRENCY);
}

static struct sum sum_parallel(const struct plan_node *node, const struct sum *of)
{
    struct sum sum = {.frames = 1, .commands = most_commands(node, of)};
    for (uint16_t i = 0; i < node->child_count; i++) {
        const struct sum *child = &of[node->children[i]];
        add_counts(&sum, child);
        sum.waits_us = longer(sum.waits_us, child->waits_us);
        sum.steps_us = longer(sum.steps_us, child->steps_us);
        sum.fails |= child->fails;
    }
    return sum;
}

static struct sum sum_foreach(const struct plan_node *node, const struct sum *of)
{
    const struct sum *body = &of[node->children[0]];
    const struct plan_fan *fan = node->fan;
    uint32_t at_once = fan->concurrency_max < fan->items_max ? fan->concurrency_max : fan->items_max;
    uint64_t instances = (uint64_t)fan->items_max * body->instances;
    return (struct sum){
        .instances = capped(instances ? instances : 1, LIMITS_INSTANCES),
        .awaits = capped((uint64_t)fan->items_max * body->awaits, LIMITS_SIGNALS),
        .frames = capped(1 + (uint64_t)fan->items_max * body->frames, LIMITS_FRAMES),
        .commands = capped((uint64_t)at_once * body->commands, LIMITS_CONCURRENCY),
    };
}

/* ---- leaves ---- */

static bool is_constant(const struct expr *program, bool truth)
{
    const struct json *value;
    return expr_is_constant(program, &value) && expr_truth(value) == truth;
}

/* Behind the pivot it parks, and a human may let it go. */
static bool always_fails(const struct plan_node *node)
{
    return !node->after_pivot && (!node->fail->when || is_constant(node->fail->when, true));
}

static struct sum sum_node(const struct plan_node *node, const struct sum *of)
{
    switch (node->kind) {
    case PLAN_SEQUENCE:
        return sum_sequence(node, of);
    case PLAN_STEP:
        return (struct sum){.instances = 1, .commands = 1, .steps_us = node->step->run.timeout_us};
    case PLAN_SWITCH:
        return sum_switch(node, of);
    case PLAN_PARALLEL:
        return sum_parallel(node, of);
    case PLAN_FOREACH:
        return sum_foreach(node, of);
    case PLAN_AWAIT:
        return (struct sum){.instances = 1, .awaits = 1};
    case PLAN_WAIT:
        return (struct sum){.instances = 1, .waits_us = node->wait->for_us, .steps_us = node->wait->for_us};
    case PLAN_SAGA:
        return (struct sum){.instances = 1, .commands = 1};
    case PLAN_SCOPE:
        return (struct sum){.instances = of[node->children[0]].instances,
                            .awaits = of[node->children[0]].awaits,
                            .frames = capped(1 + (uint64_t)of[node->children[0]].frames, LIMITS_FRAMES),
                            .commands = of[node->children[0]].commands};
    case PLAN_FAIL:
        return (struct sum){.instances = 1, .fails = always_fails(node)};
    }
    check_never("unknown kind of node");
}

/* ---- bounds ---- */

static void report_bound(struct load *load, const struct plan_node *node, int most, const char *what,
                         const char *hint)
{
    problem_add(load->diags, node->place, PROBLEM_OUT_OF_BOUNDS, str_from(hint),
                "a saga has at most %d %s; with this it may have more", most, what);
}

/* Reported where it is passed first; whoever stands around would only say it again. */
static void check_bounds(struct load *load, const struct plan_node *node, const struct sum *of)
{
    static const char *const fewer = "lower `max_items`, or let a child saga do a part of it";
    const struct sum *own = &of[node->index];
    bool crowded = own->instances > LIMITS_INSTANCES;
    bool busy = own->commands > LIMITS_CONCURRENCY;
    bool waiting = own->awaits > LIMITS_SIGNALS;
    bool nested = own->frames > LIMITS_FRAMES;
    for (uint16_t i = 0; i < node->child_count; i++) {
        const struct sum *child = &of[node->children[i]];
        crowded &= child->instances <= LIMITS_INSTANCES;
        busy &= child->commands <= LIMITS_CONCURRENCY;
        waiting &= child->awaits <= LIMITS_SIGNALS;
        nested &= child->frames <= LIMITS_FRAMES;
    }
    if (crowded)
        report_bound(load, node, LIMITS_INSTANCES, "steps, each item of a foreach counted", fewer);
    if (waiting)
        report_bound(load, node, LIMITS_SIGNALS, "awaits, each item of a foreach counted", fewer);
    if (nested)
        report_bound(load, node, LIMITS_FRAMES, "blocks and branches, each item of a foreach counted", fewer);
    if (busy)
        report_bound(load, node, LIMITS_CONCURRENCY, "commands under way at once", "lower `max_concurrency`");
}

/* ---- what is never reached ---- */

static void report_unreachable(struct load *load, uint16_t node, struct str why)
{
    problem_add(load->diags, load->nodes[node].place, PROBLEM_UNREACHABLE,
                STR("leave it out, or give what stands before it a condition"), "this is never reached: %.*s",
                STR_ARG(why));
}

static void check_behind_failure(struct load *load, const struct plan_node *sequence, const struct sum *of)
{
    for (uint16_t i = 0; i + 1 < sequence->child_count; i++) {
        const struct plan_node *child = &load->nodes[sequence->children[i]];
        if (!of[child->index].fails)
            continue;
        report_unreachable(load, sequence->children[i + 1],
                           arena_printf(load->diags->arena, "the %.*s in line %u always fails",
                                        STR_ARG(plan_kind_text(child->kind)), child->place.line));
        return;
    }
}

static void check_cases(struct load *load, const struct plan_node *node)
{
    const struct plan_node *taken = NULL;
    for (uint16_t i = 0; i < node->child_count; i++) {
        const struct expr *when = node->choice->when[i];
        if (taken) {
            report_unreachable(
                load, node->children[i],
                arena_printf(load->diags->arena, "the case in line %u is always taken", taken->place.line));
            return;
        }
        if (when && is_constant(when, false))
            report_unreachable(load, node->children[i], STR("its `when` never holds"));
        else if (when && is_constant(when, true))
            taken = &load->nodes[node->children[i]];
    }
}

static void check_reach(struct load *load, const struct plan_node *node, const struct sum *of)
{
    if (node->kind == PLAN_SEQUENCE)
        check_behind_failure(load, node, of);
    else if (node->kind == PLAN_SWITCH)
        check_cases(load, node);
    else if (node->kind == PLAN_FAIL && node->fail->when && is_constant(node->fail->when, false))
        report_unreachable(load, node->index, STR("its `when` never holds"));
}

/* ---- the deadline ---- */

static void check_deadline(struct load *load, const struct sum *all)
{
    struct arena *arena = load->diags->arena;
    int64_t deadline = load->plan->timeout_us;
    if (deadline == 0)
        return;
    if (all->waits_us > deadline)
        problem_add(load->diags, load->timeout_place, PROBLEM_DEADLINE_SHORT, STR(""),
                    "the saga cannot end within %s: its waits alone take %s, on the shortest way",
                    duration_text(arena, deadline).data, duration_text(arena, all->waits_us).data);
    else if (all->steps_us > deadline)
        problem_add(load->diags, load->timeout_place, PROBLEM_DEADLINE_TIGHT,
                    STR("let the saga have more time, or its steps less"),
                    "one attempt of each step may take %s together, on the shortest way; the saga has %s",
                    duration_text(arena, all->steps_us).data, duration_text(arena, deadline).data);
}

static void check_await(struct load *load, const struct plan_node *node)
{
    struct arena *arena = load->diags->arena;
    int64_t deadline = load->plan->timeout_us;
    if (node->kind == PLAN_AWAIT && deadline && node->await->timeout_us > deadline)
        problem_add(
            load->diags, node->place, PROBLEM_LATE_TIMEOUT,
            STR("the deadline undoes the saga, or parks it behind the pivot, before `on_timeout` counts"),
            "this waits up to %s, but the whole saga has %s",
            duration_text(arena, node->await->timeout_us).data, duration_text(arena, deadline).data);
}

void load_checks(struct load *load)
{
    uint16_t count = load->plan->node_count;
    struct sum *of = arena_array(load->diags->arena, count, sizeof *of);
    for (uint16_t i = count; i-- > 0;) {
        const struct plan_node *node = &load->nodes[i];
        of[i] = sum_node(node, of);
        check_bounds(load, node, of);
        check_reach(load, node, of);
        check_await(load, node);
    }
    load->plan->commands_max = of[0].commands;
    check_deadline(load, &of[0]);
    load_names(load);
}
