/* Which ways lead from one node to another. Children have higher indexes than their parents, so two nodes
 * climb to where they meet by moving the higher one. */
#include "engine/definition/load.h"

#include "engine/base/check.h"

/* One step up from `at`, a node on the way to what is read: what the block above means for the reader. */
static uint16_t climb(const struct load *load, uint16_t at, struct load_path *path)
{
    uint16_t parent = load->nodes[at].parent;
    switch (load->nodes[parent].kind) {
    case PLAN_SWITCH:
    case PLAN_SCOPE:
        path->skipped = parent;
        break;
    case PLAN_FOREACH:
        path->loops++;
        path->loop = parent;
        path->skipped = 0; /* within: an item's output is null then, the list is there */
        break;
    case PLAN_SEQUENCE:
    case PLAN_PARALLEL:
    case PLAN_STEP:
    case PLAN_AWAIT:
    case PLAN_WAIT:
    case PLAN_SAGA:
    case PLAN_FAIL:
        break;
    }
    return parent;
}

static enum load_order order_at(const struct load *load, uint16_t meeting, uint16_t from, uint16_t to)
{
    switch (load->nodes[meeting].kind) {
    case PLAN_SEQUENCE:
        return to < from ? LOAD_ORDER_BEFORE : LOAD_ORDER_LATER;
    case PLAN_PARALLEL:
        return LOAD_ORDER_BESIDE;
    case PLAN_SWITCH:
        return LOAD_ORDER_OTHER_CASE;
    case PLAN_FOREACH:
    case PLAN_SCOPE:
    case PLAN_STEP:
    case PLAN_AWAIT:
    case PLAN_WAIT:
    case PLAN_SAGA:
    case PLAN_FAIL:
        break;
    }
    check_never("nodes meet in a block of one sequence");
}

struct load_path load_path_to(const struct load *load, struct load_scope reader, uint16_t node)
{
    struct load_path path = {.order = LOAD_ORDER_BEFORE};
    uint16_t to = node;
    if (reader.where == LOAD_AT_OUTPUT) {
        while (to != 0)
            to = climb(load, to, &path);
        return path;
    }
    uint16_t from = reader.node;
    uint16_t below_from = from;
    uint16_t below_to = to;
    while (from != to) {
        if (from > to) {
            below_from = from;
            from = load->nodes[from].parent;
        } else {
            below_to = to;
            to = climb(load, to, &path);
        }
    }
    if (from == node)
        path.order = LOAD_ORDER_SELF;
    else if (from == reader.node)
        path.order = LOAD_ORDER_LATER; /* within the block itself */
    else
        path.order = order_at(load, from, below_from, below_to);
    path.fan = from;
    return path;
}

uint16_t load_path_end(const struct load *load, uint16_t node)
{
    for (uint16_t at = node; at != 0; at = load->nodes[at].parent) {
        const struct plan_node *parent = &load->nodes[load->nodes[at].parent];
        if (load->nodes[at].order + 1 < parent->child_count)
            return parent->children[load->nodes[at].order + 1];
    }
    return load->plan->node_count;
}

/* ---- events ---- */

/* Behind `node`: itself when it is an await; unclear when it may have waited for one within; else as before.
 */
static struct load_event event_behind(const struct load *load, const uint16_t *awaits, uint16_t node)
{
    if (load->nodes[node].kind == PLAN_AWAIT)
        return (struct load_event){.await = node};
    if (awaits[load_path_end(load, node)] > awaits[node])
        return (struct load_event){.within = node};
    return load->events[node];
}

void load_path_events(struct load *load)
{
    uint16_t count = load->plan->node_count;
    uint16_t *awaits =
        arena_array(load->diags->arena, (size_t)count + 1, sizeof *awaits); /* before each node */
    load->events = arena_array(load->diags->arena, (size_t)count + 1, sizeof *load->events);
    for (uint16_t i = 0; i < count; i++)
        awaits[i + 1] = (uint16_t)(awaits[i] + (load->nodes[i].kind == PLAN_AWAIT));
    for (uint16_t i = 1; i < count; i++) {
        const struct plan_node *node = &load->nodes[i];
        const struct plan_node *parent = &load->nodes[node->parent];
        bool follows = parent->kind == PLAN_SEQUENCE && node->order > 0;
        load->events[i] = follows ? event_behind(load, awaits, parent->children[node->order - 1])
                                  : load->events[node->parent];
    }
    const struct plan_node *root = &load->nodes[0];
    if (root->child_count)
        load->events[count] = event_behind(load, awaits, root->children[root->child_count - 1]);
}

struct load_event load_path_event(const struct load *load, struct load_scope reader)
{
    return load->events[reader.where == LOAD_AT_OUTPUT ? load->plan->node_count : reader.node];
}
