/* Whatever an author or a participant sends: an evaluation ends soon, in little memory, and deep nesting is
 * no way to the end of a stack. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "engine/base/limits.h"
#include "tests/support/effort.h"
#include "table.h"

enum { SECONDS_MAX = 5, DEEP = 3000, INPUT_ITEMS = 1000 };

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(expr_budget, .init = set_up, .fini = tear_down);

static struct str repeat(const char *text, size_t times)
{
    struct buf out;
    buf_init(&out, &arena);
    for (size_t i = 0; i < times; i++)
        buf_puts(&out, text);
    return buf_str(&out);
}

static struct str numbers(size_t count)
{
    struct buf out;
    buf_init(&out, &arena);
    buf_char(&out, '[');
    for (size_t i = 0; i < count; i++)
        buf_printf(&out, "%s%zu", i > 0 ? "," : "", i);
    buf_char(&out, ']');
    return buf_str(&out);
}

/* The answer begins with `expected`, came soon, and took no more memory than allowed. */
static void expect_answer(struct str program, struct str input, const char *expected)
{
    enum { SLACK_BYTES = 4 << 20 }; /* the compiled program, the parsed input, and the last allocation */
    const struct json *value = NULL;
    struct effort effort = effort_begin();
    size_t used = arena.used;
    struct str answer = table_answer(&arena, program, input, &value);
    struct str start = str_slice(answer, 0, strlen(expected));
    cr_expect(str_equal(start, str_from(expected)), "%.60s: %.*s", program.data,
              STR_ARG(str_slice(answer, 0, 200)));
    cr_expect_lt(arena.used - used, (size_t)LIMITS_EXPR_RESULT_BYTES + SLACK_BYTES, "%.60s", program.data);
    cr_expect_lt(effort_us(effort), SECONDS_MAX * INT64_C(1000000), "%.60s", program.data);
}

Test(expr_budget, nested_maps_that_multiply)
{
    expect_answer(STR("$input as $x | $x | map($x | map($x | map(1)))"), numbers(INPUT_ITEMS),
                  "error EXPRESSION_BUDGET: ");
    expect_answer(STR("$input as $x | [$x[] as $a | $x[] as $b | $x[] as $c | $a + $b + $c] | length"),
                  numbers(INPUT_ITEMS), "error EXPRESSION_BUDGET: ");
    expect_answer(STR("$input | any(.[] as $a | .[] as $b | .[]; false)"), numbers(INPUT_ITEMS),
                  "error EXPRESSION_BUDGET: ");
    expect_answer(STR("any($input[] as $a | $input[] as $b | $input[]; false)"), numbers(INPUT_ITEMS),
                  "error EXPRESSION_BUDGET: ");
}

Test(expr_budget, a_budget_cannot_be_caught)
{
    expect_answer(STR("[($input as $x | $x | map($x | map($x | map(1))))?]"), numbers(INPUT_ITEMS),
                  "error EXPRESSION_BUDGET: ");
    expect_answer(STR("first(1, ($input as $x | $x | map($x | map($x | map(1)))))"), numbers(INPUT_ITEMS),
                  "error EXPRESSION_BUDGET: ");
}

Test(expr_budget, shared_parts_that_are_huge_as_text)
{
    struct str doubled = repeat(" | [., .]", 25);
    expect_answer(arena_printf(&arena, "$input%.*s", STR_ARG(doubled)), STR("1"),
                  "error EXPRESSION_BUDGET: ");
    expect_answer(arena_printf(&arena, "$input%.*s | tojson | length", STR_ARG(doubled)), STR("1"),
                  "error EXPRESSION_BUDGET: ");
    expect_answer(arena_printf(&arena, "($input%.*s) == ($input%.*s)", STR_ARG(doubled), STR_ARG(doubled)),
                  STR("1"), "error EXPRESSION_BUDGET: ");
    expect_answer(
        arena_printf(&arena, "$input%.*s | [.] | contains([$input%.*s])", STR_ARG(doubled), STR_ARG(doubled)),
        STR("1"), "error EXPRESSION_BUDGET: ");
    expect_answer(arena_printf(&arena, "$input%.*s | \"\\(.)\"", STR_ARG(doubled)), STR("1"),
                  "error EXPRESSION_BUDGET: ");
    expect_answer(
        arena_printf(&arena, "[($input%.*s), ($input%.*s)] | unique", STR_ARG(doubled), STR_ARG(doubled)),
        STR("1"), "error EXPRESSION_BUDGET: ");
}

Test(expr_budget, strings_that_double)
{
    expect_answer(arena_printf(&arena, "$input%.*s", STR_ARG(repeat(" | . + .", 60))), STR("\"ab\""),
                  "error EXPRESSION_BUDGET: ");
    expect_answer(STR("$input * 1000000000000"), STR("\"ab\""), "error EXPRESSION_BUDGET: ");
    expect_answer(STR("$input * 1e300"), STR("\"\""), "\"\"");
    expect_answer(arena_printf(&arena, "$input%.*s", STR_ARG(repeat(" | \"\\(.)\\(.)\"", 60))), STR("\"ab\""),
                  "error EXPRESSION_BUDGET: ");
    expect_answer(arena_printf(&arena, "$input%.*s", STR_ARG(repeat(" | [.[], .[]]", 60))), STR("[1]"),
                  "error EXPRESSION_BUDGET: ");
}

Test(expr_budget, quadratic_work_is_counted)
{
    expect_answer(STR("$input - $input | length"), numbers(20000), "error EXPRESSION_BUDGET: ");
    expect_answer(STR("$input | contains([-1])"), numbers(20000), "false");
    expect_answer(STR("$input as $x | $x | map(. as $a | $x | contains([-$a]))"), numbers(5000),
                  "error EXPRESSION_BUDGET: ");
}

Test(expr_budget, ordinary_large_input_is_fine)
{
    expect_answer(STR("{order: $input} | .order | length"), numbers(40000), "40000");
    expect_answer(STR("$input | add"), numbers(10000), "49995000");
    expect_answer(STR("$input | sort | first"), numbers(5000), "0");
    expect_answer(STR("$input | map(. * 2) | length"), numbers(3000), "3000");
    expect_answer(STR("$input | map({(tostring): .}) | add | length"), numbers(2000), "2000");
    expect_answer(STR("$input | map(tostring) | join(\",\") | length"), numbers(3000), "13889");
}

Test(expr_budget, long_regular_expressions_over_long_texts)
{
    struct str text = arena_printf(&arena, "\"%.*s\"", STR_ARG(repeat("a", 200000)));
    expect_answer(STR("$input | test(\"^(a+)+$\")"), text, "true");
    expect_answer(STR("$input | test(\"(a|aa)+b\")"), text, "false");
    expect_answer(STR("$input | test(\"a{900}b\")"), text, "error EXPRESSION_BUDGET: ");
    expect_answer(STR("$input | test(\"((a{0,100}){0,100}){0,100}\")"), text, "refused");
}

Test(expr_budget, values_built_too_deep)
{
    struct str depth_64 =
        arena_printf(&arena, "%.*s%.*s", STR_ARG(repeat("[", 64)), STR_ARG(repeat("]", 64)));
    expect_answer(STR("[$input]"), depth_64, "error EXPRESSION_VALUE: the value is nested deeper than 64");
    expect_answer(STR("$input"), depth_64, "[[");
    expect_answer(STR("[$input] | length"), depth_64, "1");
    struct str boxes = repeat(" | [.]", 60);
    expect_answer(arena_printf(&arena, "$input%.*s", STR_ARG(boxes)), STR("1"), "[[");
    expect_answer(arena_printf(&arena, "$input%.*s", STR_ARG(repeat(" | [.]", 70))), STR("1"), "refused");
}

Test(expr_budget, programs_nested_too_deep)
{
    static const char *const openings[] = {"(",     "[",         "{a: ",   "-",          "$input[",
                                           "if ",   "\"\\(",     "first(", "1 as $x | ", "1 // ",
                                           "1 + (", "$input | ", "1 + ",   "[1] | map("};
    for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
        size_t times = LIMITS_EXPR_BYTES / (strlen(openings[i]) + 1);
        struct str program = repeat(openings[i], times < DEEP ? times : DEEP);
        expect_answer(program, STR("1"), "refused");
        expect_answer(arena_printf(&arena, "%.*s1", STR_ARG(program)), STR("1"), "refused");
    }
}

/* As deep as it goes, with every frame of the evaluator on the stack. */
Test(expr_budget, programs_nested_as_deep_as_allowed)
{
    struct str sum = repeat("1 + ", LIMITS_EXPR_DEPTH / 2);
    expect_answer(arena_printf(&arena, "%.*s$input", STR_ARG(sum)), STR("1"), "101");
    struct str parentheses =
        arena_printf(&arena, "%.*s$input%.*s", STR_ARG(repeat("(1 + ", 60)), STR_ARG(repeat(")", 60)));
    expect_answer(parentheses, STR("1"), "61");
    struct str maps = arena_printf(&arena, "$input%.*s | .%.*s", STR_ARG(repeat(" | map([.][0]", 30)),
                                   STR_ARG(repeat(")", 30)));
    expect_answer(maps, STR("[]"), "[");
    expect_answer(arena_printf(&arena, "$input%.*s", STR_ARG(repeat(" | .", 190))), STR("1"), "1");
}
