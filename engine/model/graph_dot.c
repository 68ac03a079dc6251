/* A drawing as Graphviz DOT: a cluster for each group. Part of graph_parts.h; called by graph.c for this
 * format. Never lets a text of the definition end a quote. */
#include "engine/model/graph_parts.h"

struct colours {
    const char *fill, *line;
};
static const struct colours marks[] = {
#define X(name, class, fill, line) {fill, line},
#include "engine/model/graph_marks.def"
#undef X
};

static const char *const shapes[] = {
#define X(name, class, open, close, dot) dot,
#include "engine/model/graph_shapes.def"
#undef X
};

static void put_text(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '"' || c == '\\')
            buf_char(out, '\\');
        if (c == '\n')
            buf_puts(out, "\\n");
        else
            buf_char(out, c);
    }
}

static void put_attribute(struct buf *out, const char *name, struct str text)
{
    buf_printf(out, "%s=\"", name);
    put_text(out, text);
    buf_char(out, '"');
}

static void put_node(struct buf *out, const struct graph_node *node, uint32_t at, int indent)
{
    buf_printf(out, "%*sn%u [label=\"", indent, "", at);
    for (unsigned i = 0; i < node->line_count; i++) {
        buf_puts(out, i > 0 ? "\\n" : "");
        put_text(out, node->lines[i]);
    }
    buf_printf(out, "%s\", %s, ", node->pivot ? "\\npivot" : "", shapes[node->shape]);
    put_attribute(out, "tooltip", node->full);
    if (node->pivot)
        buf_puts(out, ", penwidth=3");
    if (node->mark != GRAPH_MARK_NONE)
        buf_printf(out, ", style=%s, fillcolor=\"%s\", color=\"%s\"",
                   node->shape == GRAPH_SHAPE_UNDO ? "\"filled,dashed,rounded\"" : "filled",
                   marks[node->mark].fill, marks[node->mark].line);
    buf_puts(out, "];\n");
}

static void put_group(struct buf *out, const struct graph *graph, uint16_t group, int indent)
{
    for (uint32_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].group == group)
            put_node(out, &graph->nodes[i], i, indent);
    for (uint32_t i = 0; i < graph->edge_count; i++) /* a compensation stands beside its step */
        if (graph->edges[i].undo && graph->nodes[graph->edges[i].from].group == group)
            buf_printf(out, "%*s{ rank=same; n%u; n%u; }\n", indent, "", graph->edges[i].from,
                       graph->edges[i].to);
    for (uint32_t i = 0; i < graph->group_count; i++) {
        const struct graph_group *inner = &graph->groups[i];
        if (inner->parent != group)
            continue;
        buf_printf(out, "%*ssubgraph cluster_%u {\n%*slabel=\"", indent, "", i, indent + 2, "");
        put_text(out, inner->title);
        buf_puts(out, "\\n");
        put_text(out, inner->detail);
        buf_puts(out, "\";\n");
        put_group(out, graph, (uint16_t)i, indent + 2);
        buf_printf(out, "%*s}\n", indent, "");
    }
}

static void put_edges(struct buf *out, const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        buf_printf(out, "  n%u -> n%u [", edge->from, edge->to);
        if (edge->undo)
            buf_puts(out, "style=dashed, dir=none, constraint=false");
        else
            put_attribute(out, "label", edge->label);
        buf_puts(out, "];\n");
    }
}

void graph_write_dot(struct buf *out, const struct graph *graph)
{
    buf_puts(out, "digraph saga {\n  ");
    put_attribute(out, "label", graph->title);
    buf_puts(out, ";\n  labelloc=t;\n  labeljust=l;\n  fontname=\"Helvetica\";\n  fontsize=11;\n  node "
                  "[fontname=\"Helvetica\", fontsize=11];\n"
                  "  edge [fontname=\"Helvetica\", fontsize=10];\n");
    put_group(out, graph, GRAPH_NONE, 2);
    put_edges(out, graph);
    buf_puts(out, "}\n");
}
