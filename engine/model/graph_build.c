/* From the plan's tree to nodes and edges. Walks sequences with the list of loose ends: nodes from which an
 * edge goes to whatever comes next. Recursion is bounded by LIMITS_DEPTH. */
#include "engine/model/graph_parts.h"

#include "engine/base/duration.h"
#include "engine/base/limits.h"

struct end {
    uint16_t node;
    struct str label;
};
struct ends {
    struct end *items;
    uint32_t count;
    uint32_t room;
};
struct build {
    struct graph *graph;
    const struct plan *plan;
    struct ends ends; /* of the sequence at hand */
};

static void build_sequence(struct build *build, const struct plan_node *sequence, uint16_t group);

static void *grown(struct arena *arena, void *items, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return items;
    uint32_t more = *room == 0 ? 32 : *room * 2;
    void *result = arena_resize(arena, items, *room * size, more * size);
    *room = more;
    return result;
}

static uint16_t add_node(struct graph *graph, enum graph_shape shape, uint16_t group)
{
    graph->nodes =
        grown(graph->arena, graph->nodes, graph->node_count, &graph->node_room, sizeof *graph->nodes);
    graph->nodes[graph->node_count] = (struct graph_node){.shape = shape, .group = group};
    return (uint16_t)graph->node_count++;
}

static void add_edge(struct graph *graph, uint16_t from, uint16_t to, struct str label, bool undo)
{
    graph->edges =
        grown(graph->arena, graph->edges, graph->edge_count, &graph->edge_room, sizeof *graph->edges);
    graph->edges[graph->edge_count++] =
        (struct graph_edge){.from = from, .to = to, .undo = undo, .label = label};
}

static uint16_t add_group(struct graph *graph, const struct plan_node *node, uint16_t parent)
{
    graph->groups =
        grown(graph->arena, graph->groups, graph->group_count, &graph->group_room, sizeof *graph->groups);
    graph->groups[graph->group_count] = (struct graph_group){.node = node, .parent = parent};
    graph->group_of[node->index] = (uint16_t)graph->group_count;
    return (uint16_t)graph->group_count++;
}

void graph_add_line(struct graph *graph, struct graph_node *node, struct str text)
{
    struct str plain = graph_plain(graph->arena, text);
    if (plain.size == 0 || node->line_count == GRAPH_LINES)
        return;
    node->lines[node->line_count++] = graph_cut(graph->arena, plain, GRAPH_COLUMNS);
    node->full = node->full.size == 0
                     ? plain
                     : arena_printf(graph->arena, "%.*s\n%.*s", STR_ARG(node->full), STR_ARG(plain));
}

struct str graph_expression(struct arena *arena, const struct expr *program)
{
    const struct json *source = expr_source(program);
    struct str text = source->kind == JSON_STRING ? source->text : json_text(arena, source);
    bool braced = str_starts(text, STR("${")) && str_ends(text, STR("}"));
    return braced ? str_trim(str_slice(text, 2, text.size - 1)) : text;
}

/* Without those the loader makes up, which hold a colon. */
static struct str authors_id(const struct plan_node *node)
{
    return str_find(node->id, ':') == node->id.size ? node->id : STR("");
}

static struct str titled(struct graph *graph, const struct plan_node *node)
{
    struct str kind = plan_kind_text(node->kind);
    struct str id = authors_id(node);
    return id.size == 0 ? kind : arena_printf(graph->arena, "%.*s %.*s", STR_ARG(kind), STR_ARG(id));
}

static void connect(struct build *build, uint16_t to)
{
    for (uint32_t i = 0; i < build->ends.count; i++)
        add_edge(build->graph, build->ends.items[i].node, to, build->ends.items[i].label, false);
    build->ends.count = 0;
}

static void leave(struct build *build, uint16_t node, struct str label)
{
    struct ends *ends = &build->ends;
    ends->items = grown(build->graph->arena, ends->items, ends->count, &ends->room, sizeof *ends->items);
    ends->items[ends->count++] = (struct end){node, label};
}

/* What was loose before, and is again behind a block: put in front of what the block leaves. */
static void leave_all(struct build *build, struct ends before)
{
    for (uint32_t i = 0; i < before.count; i++)
        leave(build, before.items[i].node, before.items[i].label);
}

static void describe_step(struct graph *graph, struct graph_node *node, const struct plan_node *of)
{
    const struct plan_step *step = of->step;
    const char *via = step->run.via == PLAN_VIA_REQUEST ? " (request)" : "";
    node->pivot = step->pivot;
    graph_add_line(graph, node, of->id);
    graph_add_line(graph, node, arena_printf(graph->arena, "%.*s%s", STR_ARG(step->run.command), via));
    if (step->has_verify)
        graph_add_line(graph, node,
                       arena_printf(graph->arena, "unanswered: %.*s", STR_ARG(step->verify.command)));
}

static void describe_child(struct graph *graph, struct graph_node *node, const struct plan_node *of)
{
    graph_add_line(graph, node, of->id);
    graph_add_line(graph, node, arena_printf(graph->arena, "saga %.*s", STR_ARG(of->saga->name)));
    graph_add_line(graph, node,
                   of->saga->version == 0 ? STR("newest version")
                                          : arena_printf(graph->arena, "version %d", of->saga->version));
}

static void describe_await(struct graph *graph, struct graph_node *node, const struct plan_node *of)
{
    struct str within = duration_text(graph->arena, of->await->timeout_us);
    struct str then = plan_await_timeout_text(of->await->on_timeout);
    graph_add_line(graph, node, of->id);
    graph_add_line(graph, node, arena_printf(graph->arena, "await %.*s", STR_ARG(of->await->event)));
    graph_add_line(graph, node,
                   arena_printf(graph->arena, "after %.*s: %.*s", STR_ARG(within), STR_ARG(then)));
}

static void describe_wait(struct graph *graph, struct graph_node *node, const struct plan_node *of)
{
    graph_add_line(graph, node, of->id);
    if (of->wait->until != NULL)
        graph_add_line(graph, node,
                       arena_printf(graph->arena, "wait until %.*s",
                                    STR_ARG(graph_expression(graph->arena, of->wait->until))));
    else
        graph_add_line(
            graph, node,
            arena_printf(graph->arena, "wait %.*s", STR_ARG(duration_text(graph->arena, of->wait->for_us))));
}

static void describe_fail(struct graph *graph, struct graph_node *node, const struct plan_node *of)
{
    graph_add_line(graph, node, authors_id(of));
    graph_add_line(graph, node, arena_printf(graph->arena, "fail %.*s", STR_ARG(of->fail->code)));
    if (of->fail->when != NULL)
        graph_add_line(
            graph, node,
            arena_printf(graph->arena, "when %.*s", STR_ARG(graph_expression(graph->arena, of->fail->when))));
}

static void build_undo(struct build *build, const struct plan_node *node, uint16_t at, uint16_t group)
{
    struct graph *graph = build->graph;
    uint16_t undo = add_node(graph, GRAPH_SHAPE_UNDO, group);
    graph->undo_of[node->index] = undo;
    graph_add_line(graph, &graph->nodes[undo], STR("undo"));
    graph_add_line(graph, &graph->nodes[undo], node->step->undo.command);
    add_edge(graph, at, undo, STR(""), true);
}

static void build_leaf(struct build *build, const struct plan_node *node, enum graph_shape shape,
                       void (*describe)(struct graph *, struct graph_node *, const struct plan_node *),
                       uint16_t group)
{
    struct graph *graph = build->graph;
    uint16_t at = add_node(graph, shape, group);
    graph->node_of[node->index] = at;
    describe(graph, &graph->nodes[at], node);
    connect(build, at);
    if (node->kind == PLAN_STEP && node->step->has_undo)
        build_undo(build, node, at, group);
    if (node->kind != PLAN_FAIL || node->fail->when != NULL)
        leave(build, at, STR(""));
}

static const struct plan_node *child(const struct build *build, const struct plan_node *node, uint16_t order)
{
    return &build->plan->nodes[node->children[order]];
}

struct str graph_branch_label(struct arena *arena, const struct plan_node *block, uint16_t branch)
{
    if (block->kind != PLAN_SWITCH)
        return STR("");
    const struct expr *when = block->choice->when[branch];
    return when == NULL ? STR("else")
                        : graph_cut(arena, graph_plain(arena, graph_expression(arena, when)), GRAPH_COLUMNS);
}

/* The conditions whole: labels are cut. */
static void note_cases(struct graph *graph, struct graph_node *node, const struct plan_node *of)
{
    for (uint16_t i = 0; i < of->child_count; i++)
        if (of->choice->when[i] != NULL)
            node->full = arena_printf(
                graph->arena, "%.*s\n%u: %.*s", STR_ARG(node->full), i + 1U,
                STR_ARG(graph_plain(graph->arena, graph_expression(graph->arena, of->choice->when[i]))));
}

static void build_switch(struct build *build, const struct plan_node *node, uint16_t group)
{
    struct graph *graph = build->graph;
    uint16_t at = add_node(graph, GRAPH_SHAPE_SWITCH, group);
    graph->node_of[node->index] = at;
    graph_add_line(graph, &graph->nodes[at], titled(graph, node));
    if (node->child_count == 0 || node->choice->when[node->child_count - 1] != NULL)
        graph_add_line(graph, &graph->nodes[at], STR("no match: fails"));
    note_cases(graph, &graph->nodes[at], node);
    connect(build, at);
    struct ends done = {0};
    for (uint16_t i = 0; i < node->child_count; i++) {
        build->ends = (struct ends){0};
        leave(build, at, graph_branch_label(graph->arena, node, i));
        build_sequence(build, child(build, node, i), group);
        leave_all(build, done);
        done = build->ends;
    }
    build->ends = done;
}

static struct str fan_detail(struct graph *graph, const struct plan_fan *fan, struct str begin)
{
    return arena_printf(graph->arena, "%.*s%u at once%s", STR_ARG(begin), fan->concurrency_max,
                        fan->cancels ? ", a failure cancels" : "");
}

static void build_parallel(struct build *build, const struct plan_node *node, uint16_t group)
{
    struct graph *graph = build->graph;
    uint16_t inside = add_group(graph, node, group);
    graph->groups[inside].title = titled(graph, node);
    graph->groups[inside].detail = fan_detail(graph, node->fan, STR("at most "));
    uint16_t fork = add_node(graph, GRAPH_SHAPE_FORK, inside);
    graph->node_of[node->index] = fork;
    connect(build, fork);
    struct ends done = {0};
    for (uint16_t i = 0; i < node->child_count; i++) {
        build->ends = (struct ends){0};
        leave(build, fork, child(build, node, i)->id);
        build_sequence(build, child(build, node, i), inside);
        leave_all(build, done);
        done = build->ends;
    }
    build->ends = done;
    uint16_t join = add_node(graph, GRAPH_SHAPE_JOIN, inside);
    graph->join_of[node->index] = join;
    connect(build, join);
    leave(build, join, STR(""));
}

static void build_group(struct build *build, const struct plan_node *node, uint16_t group)
{
    struct graph *graph = build->graph;
    uint16_t inside = add_group(graph, node, group);
    struct graph_group *made = &graph->groups[inside];
    made->title = titled(graph, node);
    made->detail = STR("on failure: undone, then goes on");
    if (node->kind == PLAN_FOREACH) {
        struct str in = graph_plain(graph->arena, graph_expression(graph->arena, node->fan->in));
        struct str each = arena_printf(graph->arena, "%.*s: %.*s in %.*s", STR_ARG(made->title),
                                       STR_ARG(node->fan->as), STR_ARG(in));
        made->title = graph_cut(graph->arena, each, GRAPH_COLUMNS);
        made->detail =
            fan_detail(graph, node->fan, arena_printf(graph->arena, "at most %u, ", node->fan->items_max));
    }
    build_sequence(build, child(build, node, 0), inside);
}

static void build_child(struct build *build, const struct plan_node *node, uint16_t group)
{
    switch (node->kind) {
    case PLAN_SEQUENCE:
        build_sequence(build, node, group);
        return;
    case PLAN_STEP:
        build_leaf(build, node, GRAPH_SHAPE_STEP, describe_step, group);
        return;
    case PLAN_SWITCH:
        build_switch(build, node, group);
        return;
    case PLAN_PARALLEL:
        build_parallel(build, node, group);
        return;
    case PLAN_FOREACH:
    case PLAN_SCOPE:
        build_group(build, node, group);
        return;
    case PLAN_AWAIT:
        build_leaf(build, node, GRAPH_SHAPE_AWAIT, describe_await, group);
        return;
    case PLAN_WAIT:
        build_leaf(build, node, GRAPH_SHAPE_WAIT, describe_wait, group);
        return;
    case PLAN_SAGA:
        build_leaf(build, node, GRAPH_SHAPE_SAGA, describe_child, group);
        return;
    case PLAN_FAIL:
        build_leaf(build, node, GRAPH_SHAPE_FAIL, describe_fail, group);
        return;
    }
}

static void build_sequence(struct build *build, const struct plan_node *sequence, uint16_t group)
{
    for (uint16_t i = 0; i < sequence->child_count; i++)
        build_child(build, child(build, sequence, i), group);
}

bool graph_sequence_ends(const struct plan *plan, const struct plan_node *sequence)
{
    if (sequence->child_count == 0)
        return false;
    const struct plan_node *last = &plan->nodes[sequence->children[sequence->child_count - 1]];
    return last->kind == PLAN_FAIL && last->fail->when == NULL;
}

static uint16_t *no_nodes(struct arena *arena, uint16_t count)
{
    uint16_t *of = arena_array(arena, count, sizeof *of);
    for (uint16_t i = 0; i < count; i++)
        of[i] = GRAPH_NONE;
    return of;
}

void graph_build(struct graph *graph, const struct plan *plan, struct arena *arena)
{
    struct build build = {.graph = graph, .plan = plan};
    *graph = (struct graph){.arena = arena,
                            .plan = plan,
                            .node_of = no_nodes(arena, plan->node_count),
                            .undo_of = no_nodes(arena, plan->node_count),
                            .join_of = no_nodes(arena, plan->node_count),
                            .group_of = no_nodes(arena, plan->node_count)};
    graph->title = arena_printf(arena, "%.*s version %d", STR_ARG(plan->name), plan->version);
    graph->start = add_node(graph, GRAPH_SHAPE_START, GRAPH_NONE);
    graph_add_line(graph, &graph->nodes[graph->start], STR("start"));
    leave(&build, graph->start, STR(""));
    build_sequence(&build, &plan->nodes[0], GRAPH_NONE);
    graph->end = add_node(graph, GRAPH_SHAPE_END, GRAPH_NONE);
    graph_add_line(graph, &graph->nodes[graph->end], STR("completed"));
    connect(&build, graph->end);
}
