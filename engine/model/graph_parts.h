/* Inside the graph: the flow as nodes, edges and groups, made once from a plan and written by each format.
 *
 * Everything lives in one arena. A node's lines are plain text, cut to GRAPH_COLUMNS; `full` has them whole.
 */
#pragma once
#include "engine/model/graph.h"

enum graph_shape {
#define X(name, class, open, close, dot) GRAPH_SHAPE_##name,
#include "engine/model/graph_shapes.def"
#undef X
};
enum graph_mark {
#define X(name, class, fill, line) GRAPH_MARK_##name,
#include "engine/model/graph_marks.def"
#undef X
    GRAPH_MARK_COUNT
};
enum { GRAPH_COLUMNS = 44, GRAPH_LINES = 6, GRAPH_NONE = UINT16_MAX };

struct graph_node {
    enum graph_shape shape;
    enum graph_mark mark;
    bool pivot;
    uint16_t group;
    unsigned line_count;
    struct str lines[GRAPH_LINES];
    struct str full;
};
struct graph_edge {
    uint16_t from, to;
    bool undo; /* from a step to its compensation */
    struct str label;
};
/* A parallel, foreach or scope. */
struct graph_group {
    const struct plan_node *node;
    uint16_t parent; /* GRAPH_NONE: the whole */
    struct str title;
    struct str detail;
};
struct graph {
    struct arena *arena;
    const struct plan *plan;
    bool of_saga;
    struct str title;
    struct graph_node *nodes;
    uint32_t node_count, node_room;
    struct graph_edge *edges;
    uint32_t edge_count, edge_room;
    struct graph_group *groups;
    uint32_t group_count, group_room;
    /* By index of the plan's node: its node here, its compensation's, the node where its branches meet, its
     * group; GRAPH_NONE where there is none. */
    uint16_t *node_of, *undo_of, *join_of, *group_of;
    uint16_t start, end;
};

void graph_build(struct graph *graph, const struct plan *plan, struct arena *arena);
/* States and times of a saga on what graph_build made. */
void graph_mark_saga(struct graph *graph, const struct json *saga);
void graph_add_line(struct graph *graph, struct graph_node *node, struct str text);
const char *graph_mark_class(enum graph_mark mark);
const char *graph_shape_class(enum graph_shape shape);
/* An expression as a condition reads: without its braces. */
struct str graph_expression(struct arena *arena, const struct expr *program);
/* What a case or a branch is called: its condition, "else", its name. */
struct str graph_branch_label(struct arena *arena, const struct plan_node *block, uint16_t branch);
/* The sequence's last child lets nothing through: an unconditional `fail`. */
bool graph_sequence_ends(const struct plan *plan, const struct plan_node *sequence);

/* Columns on a screen; cut to `columns` with "…" behind; without control characters. */
unsigned graph_columns(struct str text);
struct str graph_cut(struct arena *arena, struct str text, unsigned columns);
struct str graph_plain(struct arena *arena, struct str text);

void graph_write_mermaid(struct buf *out, const struct graph *graph);
void graph_write_dot(struct buf *out, const struct graph *graph);
void graph_write_svg(struct buf *out, const struct graph *graph);
