/* States and times of one saga on its graph. A step within a foreach has an instance for each item,
 * "book[3]": their states are counted, and the colour is of the one that most needs a look. */
#include "engine/model/graph_parts.h"

#include "engine/base/duration.h"
#include "engine/core/core.h"

enum { STATES = CORE_STEP_UNDO_WAIVED + 1, CLOCK_BEGIN = 11, CLOCK_END = 23, DAY_END = 10 };

/* The instances of one node. */
struct seen {
    uint32_t count;
    uint32_t states[STATES];
    const struct json *only;
};

/* What a state says about the step, and about its compensation. */
static enum graph_mark step_mark(enum core_step_state state)
{
    switch (state) {
    case CORE_STEP_WAITING:
    case CORE_STEP_SENT:
    case CORE_STEP_VERIFY_WAITING:
    case CORE_STEP_VERIFY_SENT:
    case CORE_STEP_AWAITING:
    case CORE_STEP_SLEEPING:
        return GRAPH_MARK_ACTIVE;
    case CORE_STEP_STUCK:
        return GRAPH_MARK_STUCK;
    case CORE_STEP_DONE:
        return GRAPH_MARK_DONE;
    case CORE_STEP_REJECTED:
    case CORE_STEP_WAIVED:
    case CORE_STEP_DOUBT:
        return GRAPH_MARK_FAILED;
    case CORE_STEP_UNDO_WAITING:
    case CORE_STEP_UNDO_SENT:
    case CORE_STEP_UNDO_STUCK:
    case CORE_STEP_UNDONE:
    case CORE_STEP_UNDO_WAIVED:
        return GRAPH_MARK_UNDONE;
    }
    return GRAPH_MARK_NONE;
}

static enum graph_mark undo_mark(enum core_step_state state)
{
    switch (state) {
    case CORE_STEP_UNDO_WAITING:
    case CORE_STEP_UNDO_SENT:
        return GRAPH_MARK_ACTIVE;
    case CORE_STEP_UNDO_STUCK:
        return GRAPH_MARK_STUCK;
    case CORE_STEP_UNDONE:
        return GRAPH_MARK_UNDONE;
    case CORE_STEP_UNDO_WAIVED:
        return GRAPH_MARK_FAILED;
    case CORE_STEP_WAITING:
    case CORE_STEP_SENT:
    case CORE_STEP_VERIFY_WAITING:
    case CORE_STEP_VERIFY_SENT:
    case CORE_STEP_AWAITING:
    case CORE_STEP_SLEEPING:
    case CORE_STEP_STUCK:
    case CORE_STEP_DONE:
    case CORE_STEP_REJECTED:
    case CORE_STEP_WAIVED:
    case CORE_STEP_DOUBT:
        return GRAPH_MARK_IDLE;
    }
    return GRAPH_MARK_NONE;
}

static void see(struct seen *seen, const struct json *step)
{
    enum core_step_state state;
    if (!core_step_state_parse(json_get_str(step, STR("state")), &state))
        return;
    seen->count++;
    seen->states[state]++;
    seen->only = step;
}

static struct seen *see_all(struct graph *graph, const struct json *saga)
{
    struct seen *seen = arena_array(graph->arena, graph->plan->node_count, sizeof *seen);
    const struct json *steps = json_get(saga, STR("steps"));
    for (uint32_t i = 0; steps != NULL && i < steps->count; i++) {
        struct str path = json_get_str(steps->items[i], STR("id"));
        const struct plan_node *node = plan_find(graph->plan, str_slice(path, 0, str_find(path, '[')));
        if (node != NULL)
            see(&seen[node->index], steps->items[i]);
    }
    return seen;
}

static enum graph_mark worst(const struct seen *seen, enum graph_mark (*mark)(enum core_step_state))
{
    enum graph_mark most = GRAPH_MARK_IDLE;
    for (int state = 0; state < STATES; state++)
        if (seen->states[state] > 0 && mark((enum core_step_state)state) > most)
            most = mark((enum core_step_state)state);
    return most;
}

/* "12:04:10.123", with the day when it is not the saga's first. */
static struct str clock_text(struct graph *graph, const struct json *saga, struct str time)
{
    struct str began = json_get_str(saga, STR("started_at"));
    bool same = str_equal(str_slice(began, 0, DAY_END), str_slice(time, 0, DAY_END));
    struct str clock = str_slice(time, CLOCK_BEGIN, CLOCK_END);
    return same ? clock
                : arena_printf(graph->arena, "%.*s %.*s", STR_ARG(str_slice(time, 0, DAY_END)),
                               STR_ARG(clock));
}

/* "12:04:10.123, took 1204ms" */
static struct str times(struct graph *graph, const struct json *saga, const struct json *step)
{
    int64_t begin_us = 0, end_us = 0;
    struct str opened = json_get_str(step, STR("opened_at")), ended = json_get_str(step, STR("ended_at"));
    if (!duration_time_parse(opened, &begin_us))
        return STR("");
    struct str text = clock_text(graph, saga, opened);
    if (duration_time_parse(ended, &end_us) && end_us >= begin_us)
        text = arena_printf(
            graph->arena, "%.*s, took %.*s", STR_ARG(text),
            STR_ARG(end_us == begin_us ? STR("no time") : duration_text(graph->arena, end_us - begin_us)));
    return text;
}

static struct str state_line(struct graph *graph, const struct seen *seen)
{
    struct buf line;
    buf_init(&line, graph->arena);
    for (int state = 0; state < STATES; state++) {
        if (seen->states[state] == 0)
            continue;
        buf_puts(&line, line.size > 0 ? ", " : "");
        if (seen->count > 1)
            buf_printf(&line, "%u ", seen->states[state]);
        buf_put(&line, core_step_state_text((enum core_step_state)state));
    }
    return buf_str(&line);
}

static void mark_node(struct graph *graph, const struct json *saga, const struct plan_node *of,
                      const struct seen *seen)
{
    if (graph->node_of[of->index] == GRAPH_NONE || of->kind == PLAN_PARALLEL)
        return;
    struct graph_node *node = &graph->nodes[graph->node_of[of->index]];
    node->mark = of->kind == PLAN_SWITCH && seen->count == 0 ? GRAPH_MARK_NONE : worst(seen, step_mark);
    if (seen->count == 0)
        return;
    int64_t attempts = 0;
    struct str state = state_line(graph, seen);
    bool again = seen->count == 1 &&
                 json_get_i64(json_get(seen->only, STR("attempts")), STR("do"), &attempts) && attempts > 1;
    graph_add_line(graph, node,
                   again ? arena_printf(graph->arena, "%.*s, attempt %d", STR_ARG(state), (int)attempts)
                         : state);
    if (seen->count == 1)
        graph_add_line(graph, node, times(graph, saga, seen->only));
    struct str code = json_get_str(json_get(seen->only, STR("error")), STR("code"));
    if (seen->count == 1 && node->mark != GRAPH_MARK_DONE)
        graph_add_line(graph, node, code);
}

void graph_mark_saga(struct graph *graph, const struct json *saga)
{
    const struct seen *seen = see_all(graph, saga);
    struct str status = json_get_str(saga, STR("status")), started = json_get_str(saga, STR("started_at"));
    graph->of_saga = true;
    graph->title = arena_printf(graph->arena, "%.*s: %.*s %.*s, started %.*sZ", STR_ARG(graph->title),
                                STR_ARG(json_get_str(saga, STR("id"))), STR_ARG(status),
                                STR_ARG(str_slice(started, 0, CLOCK_END)));
    for (uint16_t i = 0; i < graph->plan->node_count; i++) {
        mark_node(graph, saga, &graph->plan->nodes[i], &seen[i]);
        if (graph->undo_of[i] != GRAPH_NONE)
            graph->nodes[graph->undo_of[i]].mark = worst(&seen[i], undo_mark);
    }
    graph->nodes[graph->start].mark = GRAPH_MARK_DONE;
    graph->nodes[graph->end].mark = str_equal(status, STR("completed")) ? GRAPH_MARK_DONE : GRAPH_MARK_IDLE;
}
