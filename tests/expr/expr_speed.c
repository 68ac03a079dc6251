/* Nanoseconds of one evaluation, for the shapes that stand on the hot path. Not a test: prints figures. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/check.h"
#include "engine/expr/expr.h"

enum { ROUNDS = 200000 };

static const struct json *get_input(const void *context, const struct expr_ref *ref, struct arena *arena)
{
    (void)ref;
    (void)arena;
    return context;
}

static const struct expr *compile(struct arena *plan, const char *text)
{
    struct diag_list diags;
    diag_init(&diags, plan, STR("speed"), str_from(text));
    const struct expr *program =
        expr_compile_value(plan, str_from(text), (struct diag_place){1, 1, 1}, &diags);
    check(program != NULL);
    return program;
}

static void measure(const char *name, const struct expr *program, const struct json *input)
{
    struct arena batch;
    struct timespec begin, end;
    struct expr_env env = {.context = input, .get = get_input};
    arena_init(&batch, 65536);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < ROUNDS; i++) {
        const struct json *value = NULL;
        struct expr_error error;
        check(expr_eval(program, &env, &batch, &value, &error) == EXPR_FAULT_NONE);
        if (i % 100 == 0)
            arena_reset(&batch);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double ns = (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
    printf("%8.0f ns  %s\n", ns / ROUNDS, name);
    arena_fini(&batch);
}

int main(void)
{
    struct arena plan;
    const struct json *input = NULL;
    struct err_note note;
    arena_init(&plan, 0);
    check(
        json_parse(
            &plan,
            STR("{\"sku\":\"a-1\",\"quantity\":2,\"total\":19.90,\"gift\":false,\"items\":[{\"p\":1,\"n\":2},"
                "{\"p\":3,\"n\":4}]}"),
            1 << 20, &input, &note) == ERR_OK);
    const struct str keys[] = {STR("sku"), STR("quantity")};
    const struct expr *values[] = {compile(&plan, "${ $input.sku }"), compile(&plan, "${ $input.quantity }")};
    measure("constant", compile(&plan, "text"), input);
    measure("$input.sku", values[0], input);
    measure("{sku: $input.sku, quantity: $input.quantity}", expr_object(&plan, keys, values, 2), input);
    static const char *const texts[] = {"${ {sku: $input.sku, quantity: $input.quantity} }",
                                        "order of ${ $input.sku }",
                                        "${ $input.total > 10 and ($input.gift | not) }",
                                        "${ $input.quantity + 1 }",
                                        "${ $input.total * 1.19 }",
                                        "${ $input.total / 3 }",
                                        "${ $input.items | map(.p * .n) | add }",
                                        "${ $input.sku | test(\"^[a-z]-[0-9]+$\") }"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        measure(texts[i], compile(&plan, texts[i]), input);
    arena_fini(&plan);
    return EXIT_SUCCESS;
}
