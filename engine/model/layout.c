/* Places and sizes for the SVG, from the leaves up to the whole, then down again. Called by graph_svg.c. Pure
 * arithmetic in pixels; draws nothing. */
#include "engine/model/layout.h"

enum { CHAR_WIDTH_TENTHS = 73 }; /* of 12 px: DejaVu Sans Mono and Menlo have 72.2, Courier New 72 */

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static const struct plan_node *child(const struct layout *layout, const struct plan_node *node, uint16_t i)
{
    return &layout->graph->plan->nodes[node->children[i]];
}

int layout_text_width(struct str text)
{
    return ((int)graph_columns(text) * CHAR_WIDTH_TENTHS + 9) / 10;
}

int layout_node_width(const struct graph_node *node)
{
    int width = 0;
    for (unsigned i = 0; i < node->line_count; i++)
        width = larger(width, layout_text_width(node->lines[i]));
    return (width + 2 * (LAYOUT_PAD_X + LAYOUT_POINT) + 1) & ~1;
}

int layout_node_height(const struct graph_node *node)
{
    return (int)node->line_count * LAYOUT_LINE + 2 * LAYOUT_PAD_Y;
}

int layout_gap(const struct plan_node *node)
{
    bool pivot = node->kind == PLAN_STEP && node->step->pivot;
    return LAYOUT_GAP + (pivot ? LAYOUT_PIVOT : 0);
}

static struct layout_extent measure_leaf(const struct layout *layout, const struct plan_node *node)
{
    const struct graph *graph = layout->graph;
    const struct graph_node *box = &graph->nodes[graph->node_of[node->index]];
    int half = layout_node_width(box) / 2;
    struct layout_extent extent = {half, half, layout_node_height(box)};
    if (graph->undo_of[node->index] == GRAPH_NONE)
        return extent;
    const struct graph_node *undo = &graph->nodes[graph->undo_of[node->index]];
    extent.right += LAYOUT_BESIDE + layout_node_width(undo);
    extent.height = larger(extent.height, layout_node_height(undo));
    return extent;
}

static struct layout_extent measure_sequence(const struct layout *layout, const struct plan_node *sequence)
{
    struct layout_extent extent = {LAYOUT_STUB, LAYOUT_STUB, 0};
    for (uint16_t i = 0; i < sequence->child_count; i++) {
        const struct plan_node *node = child(layout, sequence, i);
        struct layout_extent one = layout->of[node->index];
        extent.left = larger(extent.left, one.left);
        extent.right = larger(extent.right, one.right);
        if (layout_gap(node) > LAYOUT_GAP)
            extent.right =
                larger(extent.right, LAYOUT_PIVOT_SIDE + layout_text_width(STR(LAYOUT_PIVOT_TEXT)));
        extent.height += one.height + (i + 1 < sequence->child_count ? layout_gap(node) : 0);
    }
    return extent;
}

/* A branch with room for its label. */
static struct layout_extent branch_extent(const struct layout *layout, const struct plan_node *block,
                                          uint16_t branch)
{
    const struct plan_node *sequence = child(layout, block, branch);
    struct str label =
        block->kind == PLAN_PARALLEL ? sequence->id : graph_branch_label(layout->graph->arena, block, branch);
    int half = layout_text_width(label) / 2 + 4;
    struct layout_extent extent = layout->of[sequence->index];
    return (struct layout_extent){larger(extent.left, half), larger(extent.right, half), extent.height};
}

/* From the left edge of all branches. */
static int spine_from_left(const struct layout *layout, const struct plan_node *block, uint16_t branch)
{
    int x = 0;
    for (uint16_t i = 0; i < branch; i++) {
        struct layout_extent extent = branch_extent(layout, block, i);
        x += extent.left + extent.right + LAYOUT_BRANCH;
    }
    return x + branch_extent(layout, block, branch).left;
}

/* The block's spine stands midway between the first branch's and the last one's. */
static int middle(const struct layout *layout, const struct plan_node *block)
{
    uint16_t last = (uint16_t)(block->child_count - 1);
    return (spine_from_left(layout, block, 0) + spine_from_left(layout, block, last)) / 2;
}

int layout_branch_spine(const struct layout *layout, const struct plan_node *block, uint16_t branch)
{
    return spine_from_left(layout, block, branch) - middle(layout, block);
}

int layout_branches_height(const struct layout *layout, const struct plan_node *block)
{
    int height = 0;
    for (uint16_t i = 0; i < block->child_count; i++)
        height = larger(height, layout->of[block->children[i]].height);
    return height;
}

static struct layout_extent measure_branches(const struct layout *layout, const struct plan_node *block)
{
    uint16_t last = (uint16_t)(block->child_count - 1);
    int total = spine_from_left(layout, block, last) + branch_extent(layout, block, last).right;
    int spine = middle(layout, block);
    return (struct layout_extent){spine, total - spine,
                                  2 * LAYOUT_BUS + LAYOUT_LABEL + layout_branches_height(layout, block)};
}

static struct layout_extent measure_switch(const struct layout *layout, const struct plan_node *node)
{
    struct layout_extent head = measure_leaf(layout, node);
    if (node->child_count == 0)
        return head;
    struct layout_extent extent = measure_branches(layout, node);
    return (struct layout_extent){larger(extent.left, head.left), larger(extent.right, head.right),
                                  extent.height + head.height};
}

/* A frame with its two lines of title around what is inside. */
static struct layout_extent framed(const struct layout *layout, const struct plan_node *node,
                                   struct layout_extent inside)
{
    const struct graph_group *group = &layout->graph->groups[layout->graph->group_of[node->index]];
    int title = larger(layout_text_width(group->title), layout_text_width(group->detail));
    inside.left += LAYOUT_FRAME;
    inside.right += LAYOUT_FRAME;
    int lacking = title + 2 * LAYOUT_FRAME - inside.left - inside.right;
    if (lacking > 0) {
        inside.left += lacking / 2;
        inside.right += lacking - lacking / 2;
    }
    inside.height += 2 * LAYOUT_LINE + 3 * LAYOUT_FRAME;
    return inside;
}

static struct layout_extent measure_node(const struct layout *layout, const struct plan_node *node)
{
    struct layout_extent inside;
    switch (node->kind) {
    case PLAN_SEQUENCE:
        return measure_sequence(layout, node);
    case PLAN_SWITCH:
        return measure_switch(layout, node);
    case PLAN_PARALLEL:
        inside = measure_branches(layout, node);
        inside.height += 2 * LAYOUT_BAR;
        return framed(layout, node, inside);
    case PLAN_FOREACH:
    case PLAN_SCOPE:
        return framed(layout, node, layout->of[node->children[0]]);
    case PLAN_STEP:
    case PLAN_AWAIT:
    case PLAN_WAIT:
    case PLAN_SAGA:
    case PLAN_FAIL:
        return measure_leaf(layout, node);
    }
    return (struct layout_extent){0};
}

void layout_measure(struct layout *layout, const struct graph *graph)
{
    uint16_t count = graph->plan->node_count;
    *layout = (struct layout){.graph = graph, .of = arena_array(graph->arena, count, sizeof *layout->of)};
    for (uint16_t i = count; i-- > 0;) /* preorder backwards: children first */
        layout->of[i] = measure_node(layout, &graph->plan->nodes[i]);
}
