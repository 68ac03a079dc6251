/* The drawing itself, from the spine's place and the top of each part. Recursion is bounded by LIMITS_DEPTH.
 */
#include "engine/model/graph_parts.h"
#include "engine/model/layout.h"

enum { MARGIN = 20, TITLE = 30, ENDS = LAYOUT_LINE + 2 * LAYOUT_PAD_Y, BASELINE = 12 };

struct draw {
    struct buf *out;
    const struct graph *graph;
    const struct layout *layout;
    int left, right; /* of the whole drawing */
};

struct colours {
    const char *class, *fill, *line;
};
static const struct colours marks[] = {
#define X(name, class, fill, line) {class, fill, line},
#include "engine/model/graph_marks.def"
#undef X
};

static void draw_sequence(struct draw *draw, const struct plan_node *sequence, int x, int y);

static const struct plan_node *child(const struct draw *draw, const struct plan_node *node, uint16_t order)
{
    return &draw->graph->plan->nodes[node->children[order]];
}

static void put_text(struct draw *draw, const char *class, int x, int y, struct str text)
{
    buf_printf(draw->out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, x, y);
    buf_xml(draw->out, text);
    buf_puts(draw->out, "</text>\n");
}

static void arrow(struct draw *draw, int x, int from, int to)
{
    buf_printf(draw->out, "<path class=\"flow\" d=\"M%d %dV%d\" marker-end=\"url(#arrow)\"/>\n", x, from, to);
}

static void line(struct draw *draw, int x, int from, int to)
{
    buf_printf(draw->out, "<path class=\"flow\" d=\"M%d %dV%d\"/>\n", x, from, to);
}

static void box(struct draw *draw, int x, int y, int width, int height, int round)
{
    buf_printf(draw->out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"%d\"/>\n", x, y, width,
               height, round);
}

/* A box whose sides run to a tip: both for a condition, the right one for an event that comes in, cut corners
 * for an end. */
static void polygon(struct draw *draw, enum graph_shape shape, int x, int y, int width, int height)
{
    int right = x + width, bottom = y + height, middle = y + height / 2;
    if (shape == GRAPH_SHAPE_AWAIT)
        buf_printf(draw->out, "<polygon points=\"%d,%d %d,%d %d,%d %d,%d %d,%d\"/>\n", x, y,
                   right - LAYOUT_POINT, y, right, middle, right - LAYOUT_POINT, bottom, x, bottom);
    else if (shape == GRAPH_SHAPE_SWITCH)
        buf_printf(draw->out, "<polygon points=\"%d,%d %d,%d %d,%d %d,%d %d,%d %d,%d\"/>\n", x + LAYOUT_POINT,
                   y, right - LAYOUT_POINT, y, right, middle, right - LAYOUT_POINT, bottom, x + LAYOUT_POINT,
                   bottom, x, middle);
    else
        buf_printf(draw->out, "<polygon points=\"%d,%d %d,%d %d,%d %d,%d %d,%d %d,%d %d,%d %d,%d\"/>\n",
                   x + 8, y, right - 8, y, right, y + 8, right, bottom - 8, right - 8, bottom, x + 8, bottom,
                   x, bottom - 8, x, y + 8);
}

static void draw_outline(struct draw *draw, enum graph_shape shape, int x, int y, int width, int height)
{
    switch (shape) {
    case GRAPH_SHAPE_START:
    case GRAPH_SHAPE_END:
    case GRAPH_SHAPE_WAIT:
        box(draw, x, y, width, height, height / 2);
        return;
    case GRAPH_SHAPE_SAGA:
        box(draw, x, y, width, height, 0);
        box(draw, x + 5, y, width - 10, height, 0);
        return;
    case GRAPH_SHAPE_STEP:
        box(draw, x, y, width, height, 3);
        return;
    case GRAPH_SHAPE_UNDO:
        box(draw, x, y, width, height, 10);
        return;
    case GRAPH_SHAPE_SWITCH:
    case GRAPH_SHAPE_AWAIT:
    case GRAPH_SHAPE_FAIL:
        polygon(draw, shape, x, y, width, height);
        return;
    case GRAPH_SHAPE_FORK:
    case GRAPH_SHAPE_JOIN:
        return; /* bars, as wide as their branches */
    }
}

static void draw_node(struct draw *draw, uint16_t at, int x, int y, int height)
{
    const struct graph_node *node = &draw->graph->nodes[at];
    int width = layout_node_width(node);
    int text = y + (height - (int)node->line_count * LAYOUT_LINE) / 2 + BASELINE;
    buf_printf(draw->out, "<g class=\"%s%s %s\"><title>", graph_shape_class(node->shape),
               node->pivot ? " pivot" : "", graph_mark_class(node->mark));
    buf_xml(draw->out, node->full);
    buf_puts(draw->out, "</title>\n");
    draw_outline(draw, node->shape, x - width / 2, y, width, height);
    for (unsigned i = 0; i < node->line_count; i++)
        put_text(draw, i == 0 ? "head" : "more", x, text + (int)i * LAYOUT_LINE, node->lines[i]);
    buf_puts(draw->out, "</g>\n");
}

static void draw_leaf(struct draw *draw, const struct plan_node *node, int x, int y)
{
    const struct graph *graph = draw->graph;
    uint16_t at = graph->node_of[node->index], undo = graph->undo_of[node->index];
    int height = draw->layout->of[node->index].height;
    draw_node(draw, at, x, y, height);
    if (undo == GRAPH_NONE)
        return;
    int right = x + layout_node_width(&graph->nodes[at]) / 2;
    int width = layout_node_width(&graph->nodes[undo]);
    buf_printf(draw->out, "<path class=\"back\" d=\"M%d %dh%d\"/>\n", right, y + height / 2, LAYOUT_BESIDE);
    int own = layout_node_height(&graph->nodes[undo]);
    draw_node(draw, undo, right + LAYOUT_BESIDE + width / 2, y + (height - own) / 2, own);
}

/* From the line that spreads, through its label, into the branch, and back to the line that gathers. */
static void draw_branch(struct draw *draw, const struct plan_node *block, uint16_t order, int x, int top,
                        int bottom, bool bus)
{
    const struct plan_node *sequence = child(draw, block, order);
    int at = x + layout_branch_spine(draw->layout, block, order), begin = top + LAYOUT_LABEL;
    int end = begin + draw->layout->of[sequence->index].height;
    struct str label =
        block->kind == PLAN_PARALLEL ? sequence->id : graph_branch_label(draw->out->arena, block, order);
    int width = layout_text_width(label);
    if (bus)
        buf_printf(draw->out, "<path class=\"flow\" d=\"M%d %dH%d\"/>\n", x, top, at);
    if (sequence->child_count > 0)
        arrow(draw, at, top, begin);
    if (sequence->child_count == 0 || !graph_sequence_ends(draw->graph->plan, sequence)) {
        line(draw, at, sequence->child_count > 0 ? end : top, bottom);
        if (bus)
            buf_printf(draw->out, "<path class=\"flow\" d=\"M%d %dH%d\"/>\n", at, bottom, x);
    }
    buf_printf(draw->out, "<rect class=\"paper\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
               at - width / 2 - 2, top + 6, width + 4, LAYOUT_LINE);
    put_text(draw, "label", at, top + 6 + BASELINE, label);
    draw_sequence(draw, sequence, at, begin);
}

static void draw_switch(struct draw *draw, const struct plan_node *node, int x, int y)
{
    uint16_t at = draw->graph->node_of[node->index];
    int head = layout_node_height(&draw->graph->nodes[at]);
    int top = y + head + LAYOUT_BUS;
    int bottom = y + draw->layout->of[node->index].height;
    draw_node(draw, at, x, y, head);
    if (node->child_count > 0)
        line(draw, x, y + head, top);
    for (uint16_t i = 0; i < node->child_count; i++)
        draw_branch(draw, node, i, x, top, bottom, true);
}

static void draw_frame(struct draw *draw, const struct plan_node *node, int x, int y)
{
    const struct graph_group *group = &draw->graph->groups[draw->graph->group_of[node->index]];
    struct layout_extent extent = draw->layout->of[node->index];
    int left = x - extent.left;
    buf_printf(draw->out, "<g class=\"frame %.*s\">\n", STR_ARG(plan_kind_text(node->kind)));
    box(draw, left, y, extent.left + extent.right, extent.height, 6);
    put_text(draw, "title", left + LAYOUT_FRAME / 2, y + LAYOUT_LINE, group->title);
    put_text(draw, "detail", left + LAYOUT_FRAME / 2, y + 2 * LAYOUT_LINE, group->detail);
    buf_puts(draw->out, "</g>\n");
}

static void draw_bar(struct draw *draw, const struct plan_node *node, int x, int y)
{
    int from = x + layout_branch_spine(draw->layout, node, 0) - LAYOUT_STUB;
    int to = x + layout_branch_spine(draw->layout, node, (uint16_t)(node->child_count - 1)) + LAYOUT_STUB;
    buf_printf(draw->out, "<rect class=\"bar\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", from, y,
               to - from, LAYOUT_BAR);
}

static void draw_parallel(struct draw *draw, const struct plan_node *node, int x, int y)
{
    int top = y + 2 * LAYOUT_LINE + 2 * LAYOUT_FRAME;
    int bottom = y + draw->layout->of[node->index].height - LAYOUT_FRAME;
    draw_frame(draw, node, x, y);
    draw_bar(draw, node, x, top);
    draw_bar(draw, node, x, bottom - LAYOUT_BAR);
    for (uint16_t i = 0; i < node->child_count; i++)
        draw_branch(draw, node, i, x, top + LAYOUT_BAR, bottom - LAYOUT_BAR, false);
}

static void draw_child(struct draw *draw, const struct plan_node *node, int x, int y)
{
    switch (node->kind) {
    case PLAN_SEQUENCE:
        draw_sequence(draw, node, x, y);
        return;
    case PLAN_SWITCH:
        draw_switch(draw, node, x, y);
        return;
    case PLAN_PARALLEL:
        draw_parallel(draw, node, x, y);
        return;
    case PLAN_FOREACH:
    case PLAN_SCOPE:
        draw_frame(draw, node, x, y);
        draw_sequence(draw, child(draw, node, 0), x, y + 2 * LAYOUT_LINE + 2 * LAYOUT_FRAME);
        return;
    case PLAN_STEP:
    case PLAN_AWAIT:
    case PLAN_WAIT:
    case PLAN_SAGA:
    case PLAN_FAIL:
        draw_leaf(draw, node, x, y);
        return;
    }
}

static void draw_pivot(struct draw *draw, int x, int y)
{
    buf_printf(draw->out, "<path class=\"pivot-line\" d=\"M%d %dH%d\"/>\n", draw->left, y, draw->right);
    put_text(draw, "detail", x + LAYOUT_PIVOT_SIDE, y - 4, STR(LAYOUT_PIVOT_TEXT));
}

static void draw_sequence(struct draw *draw, const struct plan_node *sequence, int x, int y)
{
    for (uint16_t i = 0; i < sequence->child_count; i++) {
        const struct plan_node *node = child(draw, sequence, i);
        int bottom = y + draw->layout->of[node->index].height;
        int next = bottom + layout_gap(node);
        draw_child(draw, node, x, y);
        if (i + 1 < sequence->child_count)
            arrow(draw, x, bottom, next);
        if (next - bottom > LAYOUT_GAP)
            draw_pivot(draw, x, bottom + LAYOUT_PIVOT);
        y = next;
    }
}

static void put_style(struct draw *draw)
{
    buf_puts(draw->out,
             "<style>\n"
             "text{font:12px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1c2530}\n"
             ".head,.more,.label{text-anchor:middle}\n.head,.title{font-weight:bold}\n"
             ".more,.detail,.label{fill:#4a5563}\n"
             "rect,polygon{fill:#fff;stroke:#3d4a5c}\n"
             ".switch polygon{fill:#fff8e5}\n.fail polygon{fill:#fdecea}\n.await polygon{fill:#eef6ff}\n"
             ".wait rect{fill:#eef6ff}\n.undo rect{stroke-dasharray:4 3;fill:#fafafa}\n"
             ".pivot rect{stroke-width:3}\n.paper{stroke:none}\n.bar{fill:#3d4a5c}\n"
             ".frame rect{fill:none;stroke:#8a97a8}\n.scope rect{stroke-dasharray:8 4}\n"
             ".flow{fill:none;stroke:#3d4a5c}\n.back{stroke:#8a97a8;stroke-dasharray:4 3}\n"
             ".pivot-line{stroke:#b5402a;stroke-dasharray:10 5}\n");
    for (int mark = GRAPH_MARK_IDLE; draw->graph->of_saga && mark < GRAPH_MARK_COUNT; mark++)
        buf_printf(draw->out, "g.%s rect,g.%s polygon{fill:%s;stroke:%s}\n", marks[mark].class,
                   marks[mark].class, marks[mark].fill, marks[mark].line);
    buf_puts(draw->out, "</style>\n<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
                        "markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8Z\" "
                        "fill=\"#3d4a5c\"/></marker></defs>\n");
}

static void put_head(struct draw *draw, int width, int height)
{
    buf_printf(draw->out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
               "<title>",
               width, height, width, height);
    buf_xml(draw->out, draw->graph->title);
    buf_puts(draw->out, "</title>\n");
    put_style(draw);
    buf_printf(draw->out, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", width, height);
    put_text(draw, "title", MARGIN, MARGIN + BASELINE, draw->graph->title);
}

void graph_write_svg(struct buf *out, const struct graph *graph)
{
    struct layout layout;
    struct draw draw = {.out = out, .graph = graph, .layout = &layout};
    layout_measure(&layout, graph);
    const struct plan_node *root = &graph->plan->nodes[0];
    struct layout_extent extent = layout.of[0];
    int half = layout_node_width(&graph->nodes[graph->end]) / 2;
    extent.left = extent.left > half ? extent.left : half;
    extent.right = extent.right > half ? extent.right : half;
    int title = layout_text_width(graph->title);
    int width = extent.left + extent.right > title ? extent.left + extent.right : title;
    int x = MARGIN + extent.left, y = MARGIN + TITLE;
    int begin = y + ENDS + LAYOUT_GAP, end = begin + extent.height;
    const struct plan_node *last = child(&draw, root, (uint16_t)(root->child_count - 1));
    int next = end + layout_gap(last);
    draw.left = MARGIN;
    draw.right = MARGIN + width;
    put_head(&draw, width + 2 * MARGIN, next + ENDS + MARGIN);
    draw_node(&draw, graph->start, x, y, ENDS);
    arrow(&draw, x, y + ENDS, begin);
    draw_sequence(&draw, root, x, begin);
    if (!graph_sequence_ends(graph->plan, root))
        arrow(&draw, x, end, next);
    draw_node(&draw, graph->end, x, next, ENDS);
    buf_puts(out, "</svg>\n");
}
