#include "engine/expr/expr_node.h"

#include <string.h>

/* A stage of a pipe, or a body after `as`, works on what the stage before has built: their depths add up. All
 * other nodes put their children side by side. */
static bool children_feed_each_other(enum expr_op op)
{
    return op == EXPR_OP_PIPE || op == EXPR_OP_AS;
}

/* Whether a node gives one value when all its children do. Of calls the parser tells it, and how much they
 * deepen, since it knows the function. */
static bool one_from_one(enum expr_op op)
{
    return op != EXPR_OP_ITERATE && op != EXPR_OP_TRY && op != EXPR_OP_COMMA && op != EXPR_OP_CALL;
}

static uint32_t own_level(enum expr_op op)
{
    return op == EXPR_OP_ARRAY || op == EXPR_OP_OBJECT || op == EXPR_OP_RECORD ? 1 : 0;
}

struct expr_node *expr_node_new(struct arena *arena, enum expr_op op, struct diag_place place,
                                struct expr_node *const *children, uint32_t count)
{
    struct expr_node *node = arena_new(arena, struct expr_node);
    node->op = op;
    node->place = place;
    node->count = count;
    node->single = one_from_one(op);
    node->children = arena_array(arena, count, sizeof(*children));
    for (uint32_t i = 0; i < count; i++) {
        const struct expr_node *child = children[i];
        node->children[i] = children[i];
        node->single = node->single && (child->single || op == EXPR_OP_ARRAY);
        node->height = child->height > node->height ? child->height : node->height;
        if (children_feed_each_other(op))
            node->deepens += child->deepens;
        else
            node->deepens = child->deepens > node->deepens ? child->deepens : node->deepens;
    }
    /* the evaluator goes one call deeper for each stage of a pipe */
    node->height += op == EXPR_OP_PIPE ? count : 1;
    node->deepens += own_level(op);
    return node;
}

struct expr_node *expr_node_constant(struct arena *arena, const struct json *value, struct diag_place place)
{
    struct expr_node *node = expr_node_new(arena, EXPR_OP_CONSTANT, place, NULL, 0);
    node->value = value;
    return node;
}

bool expr_is_plain_key(struct str key)
{
    return key.size > 0 && str_find(key, '.') == key.size;
}
