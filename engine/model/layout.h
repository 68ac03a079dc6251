/* Where things stand in an SVG: how far each part of the plan's tree reaches from its spine, the vertical
 * line by which the flow enters at the top and leaves at the bottom. Parts are put beside and below each
 * other, so that nothing overlaps by construction. Units: pixels. Inside the graph only. */
#pragma once
#include "engine/model/graph_parts.h"

enum {
    LAYOUT_LINE = 16,       /* height of a line of text */
    LAYOUT_PAD_X = 12,      /* between a text and its box */
    LAYOUT_PAD_Y = 7,       /* likewise */
    LAYOUT_POINT = 10,      /* a hexagon's or a flag's tip */
    LAYOUT_GAP = 30,        /* between a node and the next: room for an arrow */
    LAYOUT_BESIDE = 28,     /* between a step and its compensation */
    LAYOUT_BRANCH = 30,     /* between branches */
    LAYOUT_BUS = 16,        /* from a head down to the line that spreads to the branches, and back */
    LAYOUT_LABEL = 34,      /* from that line to the branch: its label and an arrow */
    LAYOUT_BAR = 5,         /* where parallel branches begin and end */
    LAYOUT_FRAME = 16,      /* between a frame and what is in it */
    LAYOUT_STUB = 8,        /* half the width of an empty branch */
    LAYOUT_PIVOT_SIDE = 10, /* from the spine to the text of that line */
    LAYOUT_PIVOT = 26,      /* the line behind the pivot */
};

#define LAYOUT_PIVOT_TEXT "no way back below"

struct layout_extent {
    int left, right; /* of the spine */
    int height;
};
struct layout {
    const struct graph *graph;
    struct layout_extent *of; /* by index of the plan's node */
};

void layout_measure(struct layout *layout, const struct graph *graph);
/* Of a text in the one font, fixed in width. */
int layout_text_width(struct str text);
int layout_node_width(const struct graph_node *node);
int layout_node_height(const struct graph_node *node);
/* The spine of a branch, counted from the spine of its block. */
int layout_branch_spine(const struct layout *layout, const struct plan_node *block, uint16_t branch);
/* The height of the highest branch. */
int layout_branches_height(const struct layout *layout, const struct plan_node *block);
/* Between two children of a sequence, the first being `child`. */
int layout_gap(const struct plan_node *child);
