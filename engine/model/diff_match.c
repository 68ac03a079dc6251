/* Which node is which: by the author's id; then, of those left, by what they do (so that a step under a new
 * name is found, and a switch, which has no name, when others were put before it); then by the id that the
 * loader made. */
#include "engine/model/diff_parts.h"

static bool made(const struct plan_node *node)
{
    return str_find(node->id, ':') < node->id.size;
}

static void pair(struct diff_work *work, const struct plan_node *older, const struct plan_node *newer)
{
    work->older_of[newer->index] = older->index;
    work->newer_of[older->index] = newer->index;
}

static bool same_choice(const struct plan_node *a, const struct plan_node *b)
{
    bool same = a->child_count == b->child_count;
    for (uint16_t i = 0; same && i < a->child_count; i++)
        same = diff_same(a->choice->when[i], b->choice->when[i]);
    return same;
}

static bool same_branches(const struct diff_work *work, const struct plan_node *a, const struct plan_node *b)
{
    bool same = a->child_count == b->child_count;
    for (uint16_t i = 0; same && i < a->child_count; i++)
        same = str_equal(work->older->nodes[a->children[i]].id, work->newer->nodes[b->children[i]].id);
    return same;
}

/* Both are of the same kind. */
static bool does_the_same(const struct diff_work *work, const struct plan_node *a, const struct plan_node *b)
{
    switch (a->kind) {
    case PLAN_STEP:
        return str_equal(a->step->run.command, b->step->run.command);
    case PLAN_SWITCH:
        return same_choice(a, b);
    case PLAN_PARALLEL:
        return same_branches(work, a, b);
    case PLAN_FOREACH:
        return diff_same(a->fan->in, b->fan->in);
    case PLAN_AWAIT:
        return str_equal(a->await->event, b->await->event);
    case PLAN_WAIT:
        return a->wait->for_us == b->wait->for_us && diff_same(a->wait->until, b->wait->until);
    case PLAN_SAGA:
        return str_equal(a->saga->name, b->saga->name);
    case PLAN_FAIL:
        return str_equal(a->fail->code, b->fail->code);
    case PLAN_SEQUENCE:
    case PLAN_SCOPE:
        return false;
    }
    return false;
}

static void match_by_id(struct diff_work *work, bool loaders)
{
    for (uint16_t i = 0; i < work->newer->node_count; i++) {
        const struct plan_node *node = &work->newer->nodes[i];
        if (node->kind == PLAN_SEQUENCE || made(node) != loaders || work->older_of[i] != DIFF_NONE)
            continue;
        const struct plan_node *was = plan_find(work->older, node->id);
        if (was != NULL && work->newer_of[was->index] == DIFF_NONE)
            pair(work, was, node);
    }
}

static void match_by_deed(struct diff_work *work, const struct plan_node *node)
{
    for (uint16_t i = 0; i < work->older->node_count; i++) {
        const struct plan_node *was = &work->older->nodes[i];
        if (work->newer_of[i] != DIFF_NONE || was->kind != node->kind || !does_the_same(work, was, node))
            continue;
        pair(work, was, node);
        if (!made(was) && !made(node))
            diff_add(work, DIFF_NODE_RENAMED, node->id, diff_became(work, was->id, node->id));
        return;
    }
}

void diff_match(struct diff_work *work)
{
    work->older_of = arena_array(work->arena, work->newer->node_count, sizeof *work->older_of);
    work->newer_of = arena_array(work->arena, work->older->node_count, sizeof *work->newer_of);
    for (uint16_t i = 0; i < work->newer->node_count; i++)
        work->older_of[i] = DIFF_NONE;
    for (uint16_t i = 0; i < work->older->node_count; i++)
        work->newer_of[i] = DIFF_NONE;
    match_by_id(work, false);
    for (uint16_t i = 0; i < work->newer->node_count; i++)
        if (work->newer->nodes[i].kind != PLAN_SEQUENCE && work->older_of[i] == DIFF_NONE)
            match_by_deed(work, &work->newer->nodes[i]);
    match_by_id(work, true);
}

/* ---- order ---- */

/* Whether two sequences are the same branch of the same block. */
static bool same_place(const struct diff_work *work, const struct plan_node *was, const struct plan_node *is)
{
    if (was->index == 0 || is->index == 0)
        return was->index == is->index;
    bool same = work->older_of[is->parent] == was->parent;
    return same &&
           (was->id.size > 0 || is->id.size > 0 ? str_equal(was->id, is->id) : was->order == is->order);
}

static struct str place_text(struct diff_work *work, const struct plan *plan,
                             const struct plan_node *sequence)
{
    if (sequence->index == 0)
        return STR("the top");
    const struct plan_node *block = &plan->nodes[sequence->parent];
    if (block->kind == PLAN_FOREACH || block->kind == PLAN_SCOPE)
        return block->id;
    if (block->kind == PLAN_PARALLEL)
        return arena_printf(work->arena, "branch %.*s of %.*s", STR_ARG(sequence->id), STR_ARG(block->id));
    return arena_printf(work->arena, "case %u of %.*s", sequence->order + 1U, STR_ARG(block->id));
}

/* Of the children that stayed, those outside the longest run that kept its order have moved. `kept` marks the
 * run. */
static void keep_longest(const uint16_t *orders, uint16_t count, bool *kept, struct arena *arena)
{
    uint16_t *length = arena_array(arena, count, sizeof *length);
    uint16_t *before = arena_array(arena, count, sizeof *before);
    uint16_t best = 0;
    for (uint16_t i = 0; i < count; i++) {
        length[i] = 1;
        before[i] = DIFF_NONE;
        for (uint16_t j = 0; j < i; j++)
            if (orders[j] < orders[i] && length[j] >= length[i]) {
                length[i] = (uint16_t)(length[j] + 1);
                before[i] = j;
            }
        best = length[i] > length[best] ? i : best;
    }
    for (uint16_t i = count > 0 ? best : DIFF_NONE; i != DIFF_NONE; i = before[i])
        kept[i] = true;
}

static void order_children(struct diff_work *work, const struct plan_node *sequence)
{
    uint16_t count = 0;
    uint16_t *orders = arena_array(work->arena, sequence->child_count, sizeof *orders);
    uint16_t *children = arena_array(work->arena, sequence->child_count, sizeof *children);
    bool *kept = arena_array(work->arena, sequence->child_count, sizeof *kept);
    for (uint16_t i = 0; i < sequence->child_count; i++) {
        const struct plan_node *node = &work->newer->nodes[sequence->children[i]];
        if (work->older_of[node->index] == DIFF_NONE)
            continue;
        const struct plan_node *was = &work->older->nodes[work->older_of[node->index]];
        const struct plan_node *home = &work->older->nodes[was->parent];
        if (!same_place(work, home, sequence)) {
            diff_add(work, DIFF_NODE_MOVED, node->id,
                     arena_printf(work->arena, "it stands in %.*s now, and stood in %.*s",
                                  STR_ARG(place_text(work, work->newer, sequence)),
                                  STR_ARG(place_text(work, work->older, home))));
            continue;
        }
        orders[count] = was->order;
        children[count++] = node->index;
    }
    keep_longest(orders, count, kept, work->arena);
    for (uint16_t i = 0; i < count; i++)
        if (!kept[i])
            diff_add(work, DIFF_NODE_MOVED, work->newer->nodes[children[i]].id,
                     STR("it stands at another place among its neighbours"));
}

void diff_order(struct diff_work *work)
{
    for (uint16_t i = 0; i < work->newer->node_count; i++)
        if (work->newer->nodes[i].kind == PLAN_SEQUENCE)
            order_children(work, &work->newer->nodes[i]);
}
