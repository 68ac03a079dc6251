/* A value for data without a schema, shaped by what expressions read of it. Part of the explorer; called by
 * explore_sources.c. Never random: the same definition gives the same value. */
#include "engine/model/explore_shape.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

/* Reads: which leaf a reference is about. False: none that comes from outside. */
static bool origin_of(const struct expr_ref *ref, struct explore_leaf *leaf)
{
    *leaf = (struct explore_leaf){.path = ref->path};
    switch (ref->kind) {
    case EXPR_REF_INPUT:
        return true;
    case EXPR_REF_STEP_OUTPUT:
    case EXPR_REF_EVENT:
        leaf->node = (uint16_t)ref->slot;
        return ref->slot > 0;
    case EXPR_REF_NAMED:
        leaf->of_item = true;
        leaf->node = (uint16_t)ref->slot;
        return ref->slot > 0;
    case EXPR_REF_CAME:
    case EXPR_REF_SAGA:
    case EXPR_REF_ERROR:
    case EXPR_REF_INDEX:
        return false;
    }
    check_never("a reference of no kind");
}

static struct explore_leaf *find(struct explore_shape *shape, const struct explore_leaf *leaf)
{
    for (uint32_t i = 0; i < shape->count; i++) {
        struct explore_leaf *it = &shape->leaves[i];
        if (it->of_item == leaf->of_item && it->node == leaf->node && str_equal(it->path, leaf->path))
            return it;
    }
    return NULL;
}

static void collect(struct explore_shape *shape, const struct explore_program *program)
{
    uint32_t count;
    const struct expr_ref *refs = expr_refs(program->expr, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct explore_leaf leaf;
        if (!origin_of(&refs[i], &leaf))
            continue;
        struct explore_leaf *old = find(shape, &leaf);
        if (old == NULL) {
            old = &shape->leaves[shape->count++];
            *old = leaf;
        }
        if (program->use == EXPLORE_USE_ITEMS && count == 1)
            old->loop = program->node;
    }
}

static const struct json *build(const struct explore_shape *shape, bool of_item, uint16_t node, struct str at,
                                uint32_t depth, struct arena *arena);

static const struct json *scalar(uint8_t kind, struct arena *arena)
{
    switch (kind) {
    case 0:
        return json_new_string(arena, STR("x"));
    case 1:
        return json_new_i64(arena, 1);
    case 2:
        return &json_true;
    case 3:
        return json_new_array(arena, NULL, 0);
    case 4:
        return json_new_string(arena, STR("2026-01-01T00:00:00Z"));
    default:
        return json_new_object(arena, NULL, 0);
    }
}

static const struct json *build_leaf(const struct explore_shape *shape, const struct explore_leaf *leaf,
                                     uint32_t depth, struct arena *arena)
{
    if (leaf->loop == 0 || depth > LIMITS_DEPTH)
        return scalar(leaf->kind, arena);
    const struct json **items = arena_array(arena, 2, sizeof *items);
    items[0] = items[1] = build(shape, true, leaf->loop, STR(""), depth + 1, arena);
    return json_new_array(arena, items, 2);
}

/* The key behind `at` in the path: ".a.b" behind ".a" is "b". False when the path does not lead on from
 * there. */
static bool next_key(struct str path, struct str at, struct str *key)
{
    if (!str_starts(path, at) || path.size <= at.size || path.data[at.size] != '.')
        return false;
    struct str rest = str_slice(path, at.size + 1, path.size);
    *key = str_slice(rest, 0, str_find(rest, '.'));
    return key->size > 0;
}

static bool has_key(const struct json_member *members, uint32_t count, struct str key)
{
    for (uint32_t i = 0; i < count; i++)
        if (str_equal(members[i].key, key))
            return true;
    return false;
}

/* What stands at the path `at`: an object when something below it is read. */
static const struct json *build(const struct explore_shape *shape, bool of_item, uint16_t node, struct str at,
                                uint32_t depth, struct arena *arena)
{
    struct json_member *members = arena_array(arena, shape->count, sizeof *members);
    const struct explore_leaf *here = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < shape->count; i++) {
        const struct explore_leaf *leaf = &shape->leaves[i];
        struct str key;
        if (leaf->of_item != of_item || leaf->node != node)
            continue;
        if (str_equal(leaf->path, at))
            here = leaf;
        if (!next_key(leaf->path, at, &key) || has_key(members, count, key))
            continue;
        struct str below = arena_printf(arena, "%.*s.%.*s", STR_ARG(at), STR_ARG(key));
        members[count++] = (struct json_member){key, build(shape, of_item, node, below, depth, arena)};
    }
    if (count > 0 || (at.size == 0 && (here == NULL || (here->loop == 0 && here->kind == 0))))
        return json_new_object(arena, members, count);
    return here ? build_leaf(shape, here, depth, arena) : &json_null;
}

const struct json *explore_shape_build(const struct explore_shape *shape, uint16_t node, struct arena *arena)
{
    return build(shape, false, node, STR(""), 0, arena);
}

struct search {
    struct explore_shape shape;
    const struct plan *plan;
    const struct explore_program *programs;
    uint32_t count;
    const struct explore_data *known;
    struct arena scratch;
};

static uint32_t count_faults(struct search *search)
{
    uint32_t faults = 0;
    const struct explore_data *known = search->known;
    struct arena *scratch = &search->scratch;
    arena_reset(scratch);
    const struct json **outputs = arena_array(scratch, search->plan->node_count, sizeof *outputs);
    for (uint16_t i = 1; i < search->plan->node_count; i++)
        outputs[i] = known->outputs[i] ? known->outputs[i] : explore_shape_build(&search->shape, i, scratch);
    struct explore_data data = {known->input ? known->input : explore_shape_build(&search->shape, 0, scratch),
                                outputs};
    for (uint32_t i = 0; i < search->count; i++)
        faults += explore_faults(search->plan, &search->programs[i], &data, scratch);
    return faults;
}

/* One leaf after the other takes the kind with which fewest programs fault. */
static void descend(struct search *search)
{
    uint32_t faults = count_faults(search);
    for (uint32_t i = 0; i < search->shape.count && faults > 0; i++) {
        struct explore_leaf *leaf = &search->shape.leaves[i];
        uint8_t best = 0;
        for (uint8_t kind = 1; kind < EXPLORE_SHAPE_KINDS; kind++) {
            leaf->kind = kind;
            uint32_t now = count_faults(search);
            if (now < faults) {
                faults = now;
                best = kind;
            }
        }
        leaf->kind = best;
    }
}

struct explore_shape explore_shape_make(const struct plan *plan, const struct explore_program *programs,
                                        uint32_t count, const struct explore_data *known, struct arena *arena)
{
    struct search search = {.plan = plan, .programs = programs, .count = count, .known = known};
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t refs;
        (void)expr_refs(programs[i].expr, &refs);
        most += refs;
    }
    search.shape.leaves = arena_array(arena, most, sizeof *search.shape.leaves);
    for (uint32_t i = 0; i < count; i++)
        collect(&search.shape, &programs[i]);
    arena_init(&search.scratch, 0);
    descend(&search);
    arena_fini(&search.scratch);
    return search.shape;
}
