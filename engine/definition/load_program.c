/* A scalar to a program: an expression, a text around one, or a condition; its mistakes carried back to the
 * file. Part of load.h. Never evaluates it. */
#include "engine/definition/load.h"

#include "engine/base/check.h"

/* A few bytes of text may become many: a constant that is computed, a pattern with repetitions. Told once. */
static bool is_too_large(struct load *load, const struct tree *tree)
{
    if (load->arena->used - load->bytes_before <= LIMITS_PLAN_BYTES)
        return false;
    if (!load->is_large)
        problem_add(load->diags, tree->place, PROBLEM_TOO_LARGE, STR(""),
                    "the definition takes more than %d bytes of memory up to here", LIMITS_PLAN_BYTES);
    load->is_large = true;
    return true;
}

/* `compile` is the expr_compile… for its kind of text. */
static const struct expr *program_by(struct load *load, const struct tree *tree, struct load_scope scope,
                                     const struct expr *(*compile)(struct arena *, struct str,
                                                                   struct diag_place, struct diag_list *))
{
    size_t before = load->diags->count;
    if (is_too_large(load, tree))
        return expr_constant(load->arena, &json_null);
    const struct expr *program = compile(load->arena, tree->text, tree->inside, load->diags);
    for (size_t i = before; i < load->diags->count; i++)
        load->diags->items[i].place = tree_place(tree, load->yaml, load->diags->items[i].place);
    if (!program)
        return expr_constant(load->arena, &json_null);
    uint32_t count;
    struct expr_ref *refs = expr_refs(program, &count);
    for (uint32_t i = 0; i < count; i++)
        refs[i].place = tree_place(tree, load->yaml, refs[i].place);
    load_refs(load, program, scope);
    return program;
}

static const struct expr *program_of_text(struct load *load, const struct tree *tree, struct load_scope scope)
{
    size_t before = load->diags->error_count;
    const struct expr *program = program_by(load, tree, scope, expr_compile_value);
    if (load->diags->error_count == before)
        load_text(load, tree, scope);
    return program;
}

static const struct expr *program_of(struct load *load, const struct tree *tree, struct load_scope scope);

static const struct expr *program_of_sequence(struct load *load, const struct tree *tree,
                                              struct load_scope scope)
{
    const struct expr **items = arena_array(load->arena, tree->count, sizeof(struct expr *));
    uint32_t count = 0;
    for (const struct tree *item = tree->first; item; item = item->next)
        items[count++] = program_of(load, item, scope);
    return expr_array(load->arena, items, count);
}

static const struct expr *program_of_mapping(struct load *load, const struct tree *tree,
                                             struct load_scope scope)
{
    const struct expr **values = arena_array(load->arena, tree->count, sizeof(struct expr *));
    struct str *keys = arena_array(load->arena, tree->count, sizeof *keys);
    uint32_t count = 0;
    for (const struct tree *entry = tree->first; entry; entry = entry->next) {
        keys[count] = entry->key;
        values[count++] = program_of(load, entry, scope);
    }
    return expr_object(load->arena, keys, values, count);
}

static const struct expr *program_of(struct load *load, const struct tree *tree, struct load_scope scope)
{
    switch (tree->kind) {
    case TREE_NULL:
    case TREE_BOOL:
    case TREE_NUMBER:
    case TREE_BROKEN:
        return expr_constant(load->arena, tree_json(load->arena, tree));
    case TREE_STRING:
        return program_of_text(load, tree, scope);
    case TREE_SEQUENCE:
        return program_of_sequence(load, tree, scope);
    case TREE_MAPPING:
        return program_of_mapping(load, tree, scope);
    }
    check_never("unknown tree kind");
}

const struct expr *load_program(struct load *load, const struct tree *tree, struct load_scope scope)
{
    if (tree->depth > LIMITS_PAYLOAD_DEPTH) {
        problem_add(load->diags, tree->place, PROBLEM_TOO_LARGE, STR(""),
                    "a value has at most %d levels, this one has %u", LIMITS_PAYLOAD_DEPTH, tree->depth);
        return expr_constant(load->arena, &json_null);
    }
    return program_of(load, tree, scope);
}

const struct expr *load_condition(struct load *load, const struct tree *tree, struct load_scope scope)
{
    if (tree->kind == TREE_STRING)
        return program_by(load, tree, scope, expr_compile);
    return expr_constant(load->arena, tree_json(load->arena, tree));
}
