/* A drawing as Mermaid's flowchart. Part of graph_parts.h; called by graph.c for this format. Texts stand in
 * quotes, where only entities (#quot;) and markup need care; none may end its quote. */
#include "engine/model/graph_parts.h"

struct words {
    const char *open, *close;
};
static const struct words shapes[] = {
#define X(name, class, open, close, dot) {open, close},
#include "engine/model/graph_shapes.def"
#undef X
};
struct colours {
    const char *class, *fill, *line;
};
static const struct colours marks[] = {
#define X(name, class, fill, line) {class, fill, line},
#include "engine/model/graph_marks.def"
#undef X
};

/* Also what Markdown would make of it, and the backtick that begins Markdown. */
static void put_text(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '#' || c == '&' || c == '<' || c == '>' || c == '`' || c == ';' || c == '|' ||
            c == '\\')
            buf_printf(out, "#%u;", c);
        else
            buf_char(out, (char)c);
    }
}

static void put_lines(struct buf *out, const struct graph_node *node)
{
    buf_char(out, '"');
    for (unsigned i = 0; i < node->line_count; i++) {
        buf_puts(out, i > 0 ? "<br/>" : "");
        put_text(out, node->lines[i]);
    }
    if (node->pivot)
        buf_puts(out, "<br/>pivot");
    buf_puts(out, node->line_count == 0 ? " \"" : "\"");
}

static void put_node(struct buf *out, const struct graph_node *node, uint32_t at, int indent)
{
    buf_printf(out, "%*sn%u%s", indent, "", at, shapes[node->shape].open);
    put_lines(out, node);
    buf_printf(out, "%s:::%s\n", shapes[node->shape].close, graph_shape_class(node->shape));
}

static void put_group(struct buf *out, const struct graph *graph, uint16_t group, int indent)
{
    for (uint32_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].group == group)
            put_node(out, &graph->nodes[i], i, indent);
    for (uint32_t i = 0; i < graph->group_count; i++) {
        const struct graph_group *inner = &graph->groups[i];
        if (inner->parent != group)
            continue;
        buf_printf(out, "%*ssubgraph g%u [\"", indent, "", i);
        put_text(out, inner->title);
        buf_puts(out, "<br/>");
        put_text(out, inner->detail);
        buf_puts(out, "\"]\n");
        put_group(out, graph, (uint16_t)i, indent + 2);
        buf_printf(out, "%*send\n", indent, "");
    }
}

static void put_edges(struct buf *out, const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        buf_printf(out, "  n%u %s", edge->from, edge->undo ? "-.-" : "-->");
        if (edge->label.size > 0) {
            buf_puts(out, "|\"");
            put_text(out, edge->label);
            buf_puts(out, "\"|");
        }
        buf_printf(out, " n%u\n", edge->to);
    }
}

static void put_classes(struct buf *out, const struct graph *graph)
{
    buf_puts(out, "  classDef undo stroke-dasharray:4 3\n  classDef pivot stroke-width:3px\n");
    for (int mark = GRAPH_MARK_IDLE; graph->of_saga && mark < GRAPH_MARK_COUNT; mark++)
        buf_printf(out, "  classDef %s fill:%s,stroke:%s\n", marks[mark].class, marks[mark].fill,
                   marks[mark].line);
    for (uint32_t i = 0; i < graph->node_count; i++) {
        if (graph->nodes[i].pivot)
            buf_printf(out, "  class n%u pivot\n", i);
        if (graph->nodes[i].mark != GRAPH_MARK_NONE)
            buf_printf(out, "  class n%u %s\n", i, graph_mark_class(graph->nodes[i].mark));
    }
}

void graph_write_mermaid(struct buf *out, const struct graph *graph)
{
    buf_puts(out, "---\ntitle: ");
    json_write_string(out, graph->title);
    buf_puts(out, "\n---\nflowchart TD\n");
    put_group(out, graph, GRAPH_NONE, 2);
    put_edges(out, graph);
    put_classes(out, graph);
}
