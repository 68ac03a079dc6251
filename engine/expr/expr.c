/* The door of the expressions: compile a scalar into a program, evaluate it, ask what it reads. Called by the
 * loader and the core. Never evaluates without a budget. */
#include "engine/expr/expr.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/expr/expr_node.h"
#include "engine/expr/expr_parse.h"
#include "engine/expr/expr_reads.h"
#include "engine/expr/expr_run.h"
#include "engine/expr/expr_value.h"

static const struct diag_place nowhere = {0};

struct str expr_fault_code(enum expr_fault fault)
{
    static const struct str codes[] = {
#define X(name, code, meaning) {code, sizeof(code) - 1},
        EXPR_FAULTS(X)
#undef X
    };
    check((size_t)fault < sizeof(codes) / sizeof(codes[0]));
    return codes[fault];
}

struct expr_ref *expr_refs(const struct expr *program, uint32_t *count)
{
    *count = program->ref_count;
    return program->refs;
}

const struct expr_ref *expr_as_ref(const struct expr *program)
{
    if (program->root->op != EXPR_OP_REF)
        return NULL;
    const struct expr_ref *ref = &program->refs[program->root->index];
    uint32_t fields = 0;
    for (size_t i = 0; i < ref->path.size; i++)
        fields += ref->path.data[i] == '.'; /* no key of a path holds one */
    return fields == program->root->key_count ? ref : NULL;
}

bool expr_truth(const struct json *value)
{
    return value->kind != JSON_NULL && (value->kind != JSON_BOOL || value->boolean);
}

bool expr_is_constant(const struct expr *program, const struct json **value)
{
    if (program->root->op != EXPR_OP_CONSTANT)
        return false;
    *value = program->root->value;
    return true;
}

const struct json *expr_source(const struct expr *program)
{
    return program->source;
}

/* ---- evaluation ---- */

static const struct json *run_root(struct expr_run *run, const struct expr_node *root)
{
    const struct json *value = expr_run_one(run, root, &json_null);
    if (!value)
        return NULL;
    if (run->arena->used - run->bytes_begin > LIMITS_EXPR_RESULT_BYTES && !expr_run_work(run, root, 0))
        return NULL;
    /* What a program takes over is bounded already; what it builds may share parts and be far larger as text.
     */
    if (root->deepens > 0 && !expr_value_measure(run, root, value))
        return NULL;
    return value;
}

static void spend(uint64_t *work, uint64_t units)
{
    *work -= units < *work ? units : *work;
}

enum expr_fault expr_eval(const struct expr *program, const struct expr_env *env, struct arena *arena,
                          const struct json **value, struct expr_error *error)
{
    struct expr_run run; /* not zeroed: its arrays are written before they are read */
    run.env = env;
    run.refs = program->refs;
    run.arena = arena;
    run.bytes_begin = arena->used;
    run.work_begin = (uint64_t)LIMITS_EXPR_STEPS * EXPR_RUN_STEP_WORK;
    if (env->work && *env->work < run.work_begin)
        run.work_begin = *env->work;
    run.work_left = run.work_begin;
    run.stack = run.small_stack;
    run.top = 0;
    run.room = EXPR_RUN_SMALL_STACK;
    run.fault = EXPR_FAULT_NONE;
    run.error = error;
    const struct json *result = run_root(&run, program->root);
    check((result == NULL) == (run.fault != EXPR_FAULT_NONE));
    if (env->work)
        spend(env->work, run.work_begin - run.work_left);
    if (result)
        *value = result;
    return run.fault;
}

/* ---- programs ---- */

static struct expr *new_program(struct arena *arena, const struct expr_node *root)
{
    struct expr *program = arena_new(arena, struct expr);
    program->root = root;
    return program;
}

const struct expr *expr_constant(struct arena *arena, const struct json *value)
{
    struct expr *program = new_program(arena, expr_node_constant(arena, value, nowhere));
    program->source = value;
    return program;
}

/* A program that reads nothing always gives the same: it is computed now, and its fault is the author's
 * mistake. */
static const struct expr *fold(struct arena *arena, struct expr *program, struct diag_list *diags)
{
    const struct json *value = NULL;
    struct expr_error error;
    static const struct expr_env nothing = {0};
    if (program->ref_count > 0)
        return program;
    if (expr_eval(program, &nothing, arena, &value, &error) == EXPR_FAULT_NONE) {
        program->root = expr_node_constant(arena, value, program->root->place);
        return program;
    }
    struct str message = arena_printf(arena, "%s", error.message);
    diag_add(diags, (struct diag){error.place, STR("expression-constant"), message, {0}, false});
    return NULL;
}

static const struct expr *finish(struct expr_parse *parse, struct expr_node *root, struct str source,
                                 size_t errors_before)
{
    if (!root || parse->diags->error_count + parse->diags->left_out > errors_before)
        return NULL;
    struct expr *program = new_program(parse->arena, root);
    expr_reads_find(parse->arena, root, parse->refs);
    program->refs = parse->refs;
    program->ref_count = parse->ref_count;
    program->source = json_new_string(parse->arena, source);
    return fold(parse->arena, program, parse->diags);
}

/* The text's size and encoding; false, reported, when it is no text we read. */
static bool accept_text(struct str text, struct diag_place place, struct diag_list *diags)
{
    struct str message = {0};
    if (text.size > LIMITS_EXPR_BYTES)
        message = arena_printf(diags->arena, "an expression of more than %d bytes", LIMITS_EXPR_BYTES);
    else if (!str_is_utf8(text))
        message = STR("the text is not UTF-8");
    if (message.size == 0)
        return true;
    diag_add(diags, (struct diag){place, STR("expression-text"), message, {0}, false});
    return false;
}

static size_t errors_so_far(const struct diag_list *diags)
{
    return diags->error_count + diags->left_out;
}

const struct expr *expr_compile(struct arena *arena, struct str text, struct diag_place place,
                                struct diag_list *diags)
{
    struct expr_parse parse;
    size_t before = errors_so_far(diags);
    if (!accept_text(text, place, diags))
        return NULL;
    text = arena_copy(arena, text);
    expr_parse_init(&parse, arena, text, place, diags);
    struct str trimmed = str_trim(text);
    uint32_t begin = (uint32_t)(trimmed.data - text.data);
    if (!str_starts(trimmed, STR("${")))
        return finish(&parse, expr_parse_whole(&parse, 0), trimmed, before);
    uint32_t end = 0;
    struct expr_node *root = expr_parse_braced(&parse, begin + 2, &end);
    if (root && end != begin + trimmed.size) {
        expr_parse_error(&parse, expr_parse_place(&parse, end, (uint32_t)(begin + trimmed.size)),
                         "expression-syntax", STR("text behind the closing \"}\""),
                         STR("an expression stands alone here: write it all inside one ${ … }"));
        return NULL;
    }
    return finish(&parse, root, trimmed, before);
}

/* ---- text with expressions in it ---- */

/* The parts of a text: what stands between expressions as constants, and the expressions. */
struct parts {
    struct expr_node **nodes;
    uint32_t count;
    uint32_t room;
};

static void put_part(struct arena *arena, struct parts *parts, struct expr_node *node)
{
    if (parts->count == parts->room) {
        uint32_t room = parts->room ? parts->room * 2 : 8;
        struct expr_node **nodes = arena_array(arena, room, sizeof(*nodes));
        for (uint32_t i = 0; i < parts->count; i++)
            nodes[i] = parts->nodes[i];
        parts->nodes = nodes;
        parts->room = room;
    }
    parts->nodes[parts->count++] = node;
}

/* The text from *at up to the next expression, "$${" made "${"; *at is then at "${" or the end. */
static struct str take_text(struct arena *arena, struct str text, size_t *at)
{
    struct buf out;
    buf_init(&out, arena);
    while (*at < text.size) {
        struct str rest = str_slice(text, *at, text.size);
        if (str_starts(rest, STR("${")))
            break;
        bool escaped = str_starts(rest, STR("$${"));
        buf_put(&out, escaped ? STR("${") : str_slice(rest, 0, 1));
        *at += escaped ? 3 : 1;
    }
    return buf_str(&out);
}

/* Cuts the text into parts; false when one is wrong. */
static bool take_parts(struct expr_parse *parse, struct str text, struct diag_place place,
                       struct parts *parts)
{
    size_t at = 0;
    while (at < text.size) {
        struct str plain = take_text(parse->arena, text, &at);
        if (plain.size > 0)
            put_part(parse->arena, parts,
                     expr_node_constant(parse->arena, json_new_string(parse->arena, plain), place));
        if (at == text.size)
            break;
        uint32_t end = 0;
        struct expr_node *node = expr_parse_braced(parse, (uint32_t)at + 2, &end);
        if (!node)
            return false;
        put_part(parse->arena, parts, node);
        at = end;
    }
    return true;
}

static bool has_expression(struct str text)
{
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '$' && text.data[i + 1] == '{')
            return true;
    return false;
}

const struct expr *expr_compile_value(struct arena *arena, struct str text, struct diag_place place,
                                      struct diag_list *diags)
{
    struct expr_parse parse;
    struct parts parts = {0};
    size_t before = errors_so_far(diags);
    if (!has_expression(text))
        return expr_constant(arena, json_new_string(arena, arena_copy(arena, text)));
    if (!accept_text(text, place, diags))
        return NULL;
    text = arena_copy(arena, text);
    expr_parse_init(&parse, arena, text, place, diags);
    if (!take_parts(&parse, text, place, &parts))
        return NULL;
    bool exact = parts.count == 1 && str_starts(text, STR("${"));
    struct expr_node *root = exact ? parts.nodes[0] : NULL;
    if (!exact)
        root = expr_parse_node(&parse, EXPR_OP_TEXT, place, parts.nodes, parts.count);
    return finish(&parse, root, text, before);
}

bool expr_value_plain(struct arena *scratch, struct str text, size_t *at, struct str *plain)
{
    struct diag_list unheard;
    struct expr_parse parse;
    if (*at >= text.size)
        return false;
    size_t begin = *at;
    (void)take_text(scratch, text, at);
    *plain = str_slice(text, begin, *at);
    if (*at == text.size)
        return true;
    uint32_t end = 0;
    diag_init(&unheard, scratch, STR(""), STR(""));
    expr_parse_init(&parse, scratch, text, nowhere, &unheard);
    *at = expr_parse_braced(&parse, (uint32_t)*at + 2, &end) ? end : text.size;
    return true;
}

/* ---- programs made of programs ---- */

/* Puts the refs of all parts in one stretch and wraps their roots; a part whose value is known becomes it. */
static void wrap(struct arena *arena, const struct expr *part, struct expr *whole, struct expr_node **child)
{
    const struct json *value = NULL;
    if (expr_is_constant(part, &value)) {
        *child = expr_node_constant(arena, value, part->root->place);
        return;
    }
    struct expr_node *root = (struct expr_node *)part->root; /* only linked to, never written */
    *child = expr_node_new(arena, EXPR_OP_PROGRAM, root->place, &root, 1);
    (*child)->single = true;
    (*child)->index = whole->ref_count;
    for (uint32_t i = 0; i < part->ref_count; i++)
        whole->refs[whole->ref_count++] = part->refs[i];
}

static struct expr *join_programs(struct arena *arena, const struct expr **parts, uint32_t count,
                                  struct expr_node **children)
{
    uint32_t refs = 0;
    for (uint32_t i = 0; i < count; i++)
        refs += parts[i]->ref_count;
    struct expr *whole = arena_new(arena, struct expr);
    whole->refs = arena_array(arena, refs, sizeof(*whole->refs));
    for (uint32_t i = 0; i < count; i++)
        wrap(arena, parts[i], whole, &children[i]);
    check(whole->ref_count == refs);
    return whole;
}

static bool all_constant(const struct expr **parts, uint32_t count)
{
    const struct json *value = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (!expr_is_constant(parts[i], &value))
            return false;
    return true;
}

const struct expr *expr_array(struct arena *arena, const struct expr **items, uint32_t count)
{
    struct expr_node **children = arena_array(arena, count, sizeof(*children));
    struct expr *whole = join_programs(arena, items, count, children);
    if (all_constant(items, count)) {
        const struct json **values = arena_array(arena, count, sizeof(*values));
        for (uint32_t i = 0; i < count; i++)
            values[i] = children[i]->value;
        return expr_constant(arena, json_new_array(arena, values, count));
    }
    struct expr_node *list = expr_node_new(arena, EXPR_OP_COMMA, nowhere, children, count);
    const struct json **sources = arena_array(arena, count, sizeof(*sources));
    for (uint32_t i = 0; i < count; i++)
        sources[i] = items[i]->source;
    whole->root = expr_node_new(arena, EXPR_OP_ARRAY, nowhere, &list, 1);
    whole->source = json_new_array(arena, sources, count);
    return whole;
}

const struct expr *expr_object(struct arena *arena, const struct str *keys, const struct expr **values,
                               uint32_t count)
{
    struct expr_node **children = arena_array(arena, count, sizeof(*children));
    struct expr *whole = join_programs(arena, values, count, children);
    if (all_constant(values, count)) {
        struct json_member *members = arena_array(arena, count, sizeof(*members));
        for (uint32_t i = 0; i < count; i++)
            members[i] = (struct json_member){arena_copy(arena, keys[i]), children[i]->value};
        return expr_constant(arena, json_new_object(arena, members, count));
    }
    struct expr_node *record = expr_node_new(arena, EXPR_OP_RECORD, nowhere, children, count);
    record->keys = arena_array(arena, count, sizeof(*record->keys));
    record->key_count = count;
    struct json_member *sources = arena_array(arena, count, sizeof(*sources));
    for (uint32_t i = 0; i < count; i++) {
        record->keys[i] = arena_copy(arena, keys[i]);
        sources[i] = (struct json_member){record->keys[i], values[i]->source};
    }
    whole->root = record;
    whole->source = json_new_object(arena, sources, count);
    return whole;
}
