/* Several sagas together, and the order of effects: a child saga against the step of its parent that it is,
 * and S6 and S9 once more by the participants' clocks, which are one. A child's effects count as those of the
 * step. */
#include "tests/integration/checker_parts.h"

enum { DEPTH_MAX = 8 };

static bool is(struct str text, const char *literal)
{
    return str_equal(text, str_from(literal));
}

#define PROBLEM(walk, rule, ...) checker_problem((walk)->checker, rule, (walk)->saga->id, __VA_ARGS__)

/* --- parent and child ---------------------------------------------------------------------------------- */

static struct checker_walk *walk_of(struct checker_walk *walk, struct str id)
{
    const struct facts_saga *saga = map_get(&walk->checker->sagas, id);
    return saga == NULL ? NULL : &walk->checker->walks[saga - walk->checker->facts->sagas];
}

/* What one saga did, its child did with it; what it took back, the child took back. An operator's word, or a
 * second child that he had begun, breaks the bond. */
static void check_parent(struct checker_walk *walk, struct checker_walk *parent)
{
    struct str status = walk->saga->status;
    const struct checker_view *view = parent->plan == NULL ? NULL : checker_view(parent, walk->parent_step);
    if (view == NULL) {
        PROBLEM(walk, "S3", "its parent %.*s has no step %.*s", STR_ARG(parent->saga->id),
                STR_ARG(walk->parent_step));
        return;
    }
    bool let_go = view->forced || walk->again || is(view->state, "waived") || is(view->state, "undo_waived");
    bool apart = (is(view->state, "done") && !is(status, "completed")) ||
                 (is(view->state, "undone") && !is(status, "compensated")) ||
                 (is(view->state, "rejected") && !is(status, "compensated"));
    if (apart && !let_go)
        PROBLEM(walk, "S11", "it is %.*s and step %.*s of its parent %.*s is %.*s", STR_ARG(status),
                STR_ARG(view->path), STR_ARG(parent->saga->id), STR_ARG(view->state));
    if (parent->ended && !walk->ended && !let_go && !is(parent->status, "terminated"))
        PROBLEM(walk, "S11", "it is %.*s and its parent %.*s has ended", STR_ARG(status),
                STR_ARG(parent->saga->id));
}

static struct checker_walk *child_of(struct checker_walk *walk, const struct checker_view *view)
{
    struct str place = checker_text(walk->checker, "%.*s %.*s", STR_ARG(walk->saga->id), STR_ARG(view->path));
    return map_get(&walk->checker->children, place);
}

static bool is_child(const struct checker_walk *walk, const struct checker_view *view)
{
    const char *participant = checker_step(walk, view)->participant;
    return participant != NULL && is(STR("sagad"), participant);
}

static void check_children(struct checker_walk *walk)
{
    for (uint32_t i = 0; i < walk->view_count; i++)
        if (is_child(walk, &walk->views[i]) && is(walk->views[i].state, "done") && !walk->views[i].forced &&
            child_of(walk, &walk->views[i]) == NULL)
            PROBLEM(walk, "S11", "step %.*s is done, and there is no child", STR_ARG(walk->views[i].path));
}

/* --- the order of effects ------------------------------------------------------------------------------ */

/* From the first effect of a kind to the last; 0: none. */
struct span {
    int64_t first_us;
    int64_t last_us;
};
struct spans {
    struct span did;
    struct span undone;
    bool late; /* something in it was decided twice: clocks prove nothing then */
};

static void widen(struct span *span, int64_t at_us)
{
    if (at_us == 0)
        return;
    if (span->first_us == 0 || at_us < span->first_us)
        span->first_us = at_us;
    if (at_us > span->last_us)
        span->last_us = at_us;
}

static void gather(struct checker_walk *walk, const struct checker_view *view, unsigned depth,
                   struct spans *spans)
{
    const struct checker_key *key = checker_key_of(walk, view);
    struct checker_walk *child = is_child(walk, view) ? child_of(walk, view) : NULL;
    widen(&spans->did, key->done_at_us);
    widen(&spans->undone, key->undone_at_us);
    spans->late |= view->late || view->forced || is(view->state, "waived");
    for (uint32_t i = 0; child != NULL && child->plan != NULL && depth < DEPTH_MAX && i < child->view_count;
         i++)
        gather(child, &child->views[i], depth + 1, spans);
    spans->late |= child != NULL && child->again;
}

static void check_pair(struct checker_walk *walk, uint32_t first, uint32_t second, const struct spans *spans)
{
    struct span undone_before = spans[first].undone, undone_after = spans[second].undone;
    struct span did_before = spans[first].did, did_after = spans[second].did;
    struct str before = walk->views[first].path, after = walk->views[second].path;
    if (undone_before.first_us != 0 && undone_after.last_us != 0 &&
        undone_before.first_us < undone_after.last_us)
        PROBLEM(walk, "S9", "the participant of %.*s was undone before that of %.*s", STR_ARG(before),
                STR_ARG(after));
    if (did_before.last_us != 0 && did_after.first_us != 0 && did_after.first_us < did_before.last_us)
        PROBLEM(walk, "S6", "the participant of %.*s had its effect before that of %.*s", STR_ARG(after),
                STR_ARG(before));
}

static void check_order(struct checker_walk *walk)
{
    struct spans spans[CHECKER_VIEWS] = {0};
    for (uint32_t i = 0; i < walk->view_count; i++) {
        gather(walk, &walk->views[i], 0, &spans[i]);
        if (spans[i].late)
            return;
    }
    for (uint32_t i = 0; i < walk->view_count; i++)
        for (uint32_t j = 0; j < walk->view_count; j++)
            if (checker_before(walk, &walk->views[i], &walk->views[j]))
                check_pair(walk, i, j, spans);
}

void checker_family(struct checker_walk *walk)
{
    struct checker_walk *parent = walk_of(walk, walk->saga->parent);
    if (walk->plan == NULL)
        return;
    if (walk->saga->parent.size > 0 && parent == NULL)
        PROBLEM(walk, "S3", "its parent %.*s does not exist", STR_ARG(walk->saga->parent));
    else if (parent != NULL)
        check_parent(walk, parent);
    check_children(walk);
    check_order(walk);
}
