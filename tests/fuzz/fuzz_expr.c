/* Expressions: program, separator, input. Any text compiles to a program or to diagnostics; any program ends
 * within its budget in one value that can be sent, or in a typed fault; twice the same. */
#include "tests/fuzz/fuzz.h"
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/expr/expr.h"

/* Beside what is counted: the chunks' gaps under ASan and what a result is wrapped in. */
enum { MEMORY_MAX = 4 * LIMITS_EXPR_RESULT_BYTES };

static const struct json *get(const void *context, const struct expr_ref *ref, struct arena *arena)
{
    switch (ref->kind) {
    case EXPR_REF_INPUT:
    case EXPR_REF_STEP_OUTPUT:
        return context;
    case EXPR_REF_INDEX:
        return json_new_i64(arena, 7);
    case EXPR_REF_SAGA:
    case EXPR_REF_ERROR:
        return json_new_object(arena, NULL, 0);
    case EXPR_REF_CAME:
        return &json_true;
    case EXPR_REF_EVENT:
    case EXPR_REF_NAMED:
        return NULL;
    }
    return NULL;
}

/* What a run gives, as text. */
static struct str evaluate(const struct expr *program, const struct json *input, struct arena *arena)
{
    struct expr_env env = {.context = input, .get = get};
    struct expr_error error = {.fault = EXPR_FAULT_NONE};
    const struct json *value = NULL;
    size_t before = arena->used;
    enum expr_fault fault = expr_eval(program, &env, arena, &value, &error);
    check(arena->used - before <= MEMORY_MAX);
    if (fault != EXPR_FAULT_NONE) {
        check(value == NULL && error.fault == fault);
        check(error.message[0] != '\0' && memchr(error.message, '\0', sizeof error.message) != NULL);
        check(str_is_utf8(str_from(error.message)));
        check(expr_fault_code(fault).size > 0);
        return arena_printf(arena, "%d %u:%u %s", (int)fault, error.place.line, error.place.column,
                            error.message);
    }
    check(value != NULL);
    struct str text = json_text(arena, value);
    check(json_equal(value, fuzz_is_json(arena, text)));
    (void)expr_truth(value);
    return text;
}

static void check_program(const struct expr *program, const struct json *input, const struct diag_list *diags)
{
    struct arena first, second;
    bool from_yaml = str_is_utf8(diags->source) && str_find(diags->source, '\0') == diags->source.size;
    check((program == NULL) == (diags->error_count > 0));
    if (program == NULL || !from_yaml)
        return;
    const struct json *constant = NULL;
    uint32_t count = 0;
    (void)expr_refs(program, &count);
    arena_init(&first, 0);
    arena_init(&second, 0);
    struct str text = evaluate(program, input, &first);
    check(str_equal(text, evaluate(program, input, &second)));
    if (expr_is_constant(program, &constant))
        check(str_equal(text, json_text(&first, constant)));
    arena_fini(&first);
    arena_fini(&second);
}

static void render(struct arena *arena, const struct diag_list *diags)
{
    struct buf out;
    buf_init(&out, arena);
    diag_render(diags, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct str text = fuzz_part(&rest);
    struct diag_place place = {1, 1, 1};
    struct diag_list diags;
    struct arena arena;
    const struct json *input = NULL;
    arena_init(&arena, 0);
    if (json_parse(&arena, rest, LIMITS_PAYLOAD_BYTES, &input, NULL) != ERR_OK)
        input = &json_null;
    diag_init(&diags, &arena, STR("expression"), text);
    const struct expr *plain = expr_compile(&arena, text, place, &diags);
    check_program(plain, input, &diags);
    render(&arena, &diags);
    diag_init(&diags, &arena, STR("value"), text);
    check_program(expr_compile_value(&arena, text, place, &diags), input, &diags);
    render(&arena, &diags);
    if (plain) {
        const struct expr *items[] = {plain, plain};
        diag_init(&diags, &arena, STR("array"), text);
        check_program(expr_array(&arena, items, 2), input, &diags);
    }
    arena_fini(&arena);
    return 0;
}
