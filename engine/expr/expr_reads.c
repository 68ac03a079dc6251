/* Which fields a program reads, followed through pipes and variables. Called by expr.c when it compiles. Says
 * only what is certain; never evaluates. */
#include "engine/expr/expr_reads.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/expr/expr_functions.h"

#define NO_REF UINT32_MAX

/* Where a value comes from: a ref and the fields from there, "" and then ".field" or "." for an item. */
struct way {
    uint32_t ref; /* NO_REF: not known */
    struct str path;
};
struct finder {
    struct arena *arena;
    struct expr_ref *refs;
    struct way locals[LIMITS_EXPR_LOCALS];
    bool silent; /* within (…)? */
};

static const struct way unknown = {.ref = NO_REF};

static struct way follow(struct finder *finder, const struct expr_node *node, struct way dot);

static struct way step(struct finder *finder, struct way base, struct str key)
{
    if (base.ref == NO_REF)
        return unknown;
    return (struct way){base.ref, arena_printf(finder->arena, "%.*s.%.*s", STR_ARG(base.path), STR_ARG(key))};
}

static struct way item_of(struct finder *finder, struct way list)
{
    return step(finder, list, (struct str){0});
}

/* A longer way takes the place of the shorter one that it goes on from. */
static void record(struct finder *finder, struct way way, struct str from, struct diag_place place)
{
    struct expr_ref *ref = &finder->refs[way.ref];
    uint32_t last = ref->read_count;
    bool longer = last > 0 && ref->reads[last - 1].path.data == from.data && from.size > 0;
    if ((last & (last - 1)) == 0) { /* none, or a power of two: full */
        struct expr_read *reads = arena_array(finder->arena, last ? last * 2 : 1, sizeof *reads);
        for (uint32_t i = 0; i < last; i++)
            reads[i] = ref->reads[i];
        ref->reads = reads;
    }
    ref->reads[longer ? last - 1 : last] = (struct expr_read){way.path, place};
    ref->read_count = longer ? last : last + 1;
}

static struct way follow_field(struct finder *finder, const struct expr_node *node, struct way dot)
{
    struct way base = follow(finder, node->children[0], dot);
    if (base.ref == NO_REF || node->optional || !expr_is_plain_key(node->key))
        return unknown;
    struct way way = step(finder, base, node->key);
    if (!finder->silent)
        record(finder, way, base.path, node->place);
    return way;
}

static struct way follow_ref(struct finder *finder, const struct expr_node *node)
{
    const struct expr_ref *ref = &finder->refs[node->index];
    for (uint32_t i = 0; i < node->key_count; i++)
        if (!expr_is_plain_key(node->keys[i]))
            return unknown;
    return (struct way){node->index, ref->path};
}

/* With a number it is an item; with what may be a name, anything. */
static struct way follow_index(struct finder *finder, const struct expr_node *node, struct way dot)
{
    struct way base = follow(finder, node->children[0], dot);
    const struct expr_node *at = node->children[1];
    (void)follow(finder, at, dot);
    bool number = (at->op == EXPR_OP_CONSTANT && at->value->kind == JSON_NUMBER) ||
                  (at->op == EXPR_OP_REF && finder->refs[at->index].kind == EXPR_REF_INDEX);
    return number && !node->optional ? item_of(finder, base) : unknown;
}

static void follow_all(struct finder *finder, const struct expr_node *node, struct way dot)
{
    for (uint32_t i = 0; i < node->count; i++)
        (void)follow(finder, node->children[i], dot);
}

static struct way follow_pipe(struct finder *finder, const struct expr_node *node, struct way dot)
{
    for (uint32_t i = 0; i < node->count; i++)
        dot = follow(finder, node->children[i], dot);
    return dot;
}

static struct way follow_as(struct finder *finder, const struct expr_node *node, struct way dot)
{
    check(node->index < LIMITS_EXPR_LOCALS);
    finder->locals[node->index] = follow(finder, node->children[0], dot);
    return follow(finder, node->children[1], dot);
}

static struct way follow_try(struct finder *finder, const struct expr_node *node, struct way dot)
{
    bool was_silent = finder->silent;
    finder->silent = true;
    (void)follow(finder, node->children[0], dot);
    finder->silent = was_silent;
    return unknown;
}

/* Their argument sees each item of the input, which is an array (of map_values and map perhaps an object). */
static bool sees_items(enum expr_function function)
{
    return function == EXPR_FUNCTION_MAP || function == EXPR_FUNCTION_ANY_OF ||
           function == EXPR_FUNCTION_ALL_OF || function == EXPR_FUNCTION_GROUP_BY ||
           function == EXPR_FUNCTION_SORT_BY || function == EXPR_FUNCTION_UNIQUE_BY ||
           function == EXPR_FUNCTION_MIN_BY || function == EXPR_FUNCTION_MAX_BY;
}

/* Their arguments see what is made of the input. */
static bool sees_others(enum expr_function function)
{
    return function == EXPR_FUNCTION_WITH_ENTRIES || function == EXPR_FUNCTION_MAP_VALUES ||
           function == EXPR_FUNCTION_SUB || function == EXPR_FUNCTION_SUB_FLAGS ||
           function == EXPR_FUNCTION_GSUB || function == EXPR_FUNCTION_GSUB_FLAGS;
}

/* They give some or all items of the input, as an array. */
static bool gives_items(enum expr_function function)
{
    return function == EXPR_FUNCTION_SORT || function == EXPR_FUNCTION_SORT_BY ||
           function == EXPR_FUNCTION_UNIQUE || function == EXPR_FUNCTION_UNIQUE_BY;
}

/* They give one item of the input. */
static bool gives_item(enum expr_function function)
{
    return function == EXPR_FUNCTION_FIRST || function == EXPR_FUNCTION_LAST ||
           function == EXPR_FUNCTION_MIN || function == EXPR_FUNCTION_MAX ||
           function == EXPR_FUNCTION_MIN_BY || function == EXPR_FUNCTION_MAX_BY;
}

static struct way follow_call(struct finder *finder, const struct expr_node *node, struct way dot)
{
    enum expr_function function = (enum expr_function)node->index;
    if (sees_items(function)) {
        (void)follow(finder, node->children[0], item_of(finder, dot));
        return gives_items(function) ? dot : gives_item(function) ? item_of(finder, dot) : unknown;
    }
    if (sees_others(function))
        return unknown;
    if (function == EXPR_FUNCTION_ANY_IN || function == EXPR_FUNCTION_ALL_IN) {
        (void)follow(finder, node->children[1], follow(finder, node->children[0], dot));
        return unknown;
    }
    if (function == EXPR_FUNCTION_FIRST_OF || function == EXPR_FUNCTION_LAST_OF)
        return follow(finder, node->children[0], dot);
    follow_all(finder, node, dot);
    if (function == EXPR_FUNCTION_SELECT || function == EXPR_FUNCTION_VALUES || gives_items(function))
        return dot;
    return gives_item(function) ? item_of(finder, dot) : unknown;
}

static struct way follow(struct finder *finder, const struct expr_node *node, struct way dot)
{
    switch (node->op) {
    case EXPR_OP_INPUT:
        return dot;
    case EXPR_OP_REF:
        return follow_ref(finder, node);
    case EXPR_OP_LOCAL:
        return finder->locals[node->index];
    case EXPR_OP_FIELD:
        return follow_field(finder, node, dot);
    case EXPR_OP_INDEX:
        return follow_index(finder, node, dot);
    case EXPR_OP_ITERATE:
        dot = follow(finder, node->children[0], dot);
        return node->optional ? unknown : item_of(finder, dot);
    case EXPR_OP_TRY:
        return follow_try(finder, node, dot);
    case EXPR_OP_PIPE:
        return follow_pipe(finder, node, dot);
    case EXPR_OP_AS:
        return follow_as(finder, node, dot);
    case EXPR_OP_CALL:
        return follow_call(finder, node, dot);
    case EXPR_OP_SLICE:
        follow_all(finder, node, dot);
        return unknown;
    case EXPR_OP_CONSTANT:
    case EXPR_OP_COMMA:
    case EXPR_OP_BINARY:
    case EXPR_OP_NEGATE:
    case EXPR_OP_AND:
    case EXPR_OP_OR:
    case EXPR_OP_ALTERNATIVE:
    case EXPR_OP_IF:
    case EXPR_OP_ARRAY:
    case EXPR_OP_OBJECT:
    case EXPR_OP_RECORD:
    case EXPR_OP_TEXT:
        follow_all(finder, node, dot);
        return unknown;
    case EXPR_OP_PROGRAM: /* looked at when it was compiled */
        return unknown;
    }
    check_never("unknown op");
}

void expr_reads_find(struct arena *arena, const struct expr_node *root, struct expr_ref *refs)
{
    struct finder finder = {.arena = arena, .refs = refs};
    (void)follow(&finder, root, unknown);
}
