/* Programs as the loader uses them: values with ${ … }, references, positions, programs made of programs. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "engine/base/limits.h"
#include "engine/expr/expr.h"

static struct arena arena;
static struct diag_list diags;

static void set_up(void)
{
    arena_init(&arena, 0);
    diag_init(&diags, &arena, STR("order.yaml"), STR(""));
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(expr_program, .init = set_up, .fini = tear_down);

static const struct expr *value_of(const char *text)
{
    return expr_compile_value(&arena, str_from(text), (struct diag_place){12, 7, 1}, &diags);
}

/* An environment in which every reference is its own description. */
static const struct json *describe(const void *context, const struct expr_ref *ref, struct arena *into)
{
    (void)context;
    if (str_equal(ref->name, STR("absent")))
        return NULL;
    struct json_member *member = arena_new(into, struct json_member);
    *member = (struct json_member){STR("slot"), json_new_i64(into, ref->slot)};
    return json_new_object(into, member, 1);
}

static struct str answer(const struct expr *program)
{
    const struct json *value = NULL;
    struct expr_error error;
    struct expr_env env = {.get = describe};
    cr_assert_not_null(program);
    if (expr_eval(program, &env, &arena, &value, &error) == EXPR_FAULT_NONE)
        return json_text(&arena, value);
    return arena_printf(&arena, "%u:%u %.*s %s", error.place.line, error.place.column,
                        STR_ARG(expr_fault_code(error.fault)), error.message);
}

static void expect_value(const char *text, const char *expected)
{
    struct str got = answer(value_of(text));
    cr_expect(str_equal(got, str_from(expected)), "%s gives %.*s, not %s", text, STR_ARG(got), expected);
}

Test(expr_program, an_exact_expression_keeps_its_type)
{
    expect_value("${ 1 + 1 }", "2");
    expect_value("${[1, null]}", "[1,null]");
    expect_value("${ {a: {b: 1}} }", "{\"a\":{\"b\":1}}");
    expect_value("${ \"}\" }", "\"}\"");
    expect_value("${ $absent }", "null");
}

Test(expr_program, text_around_makes_a_string)
{
    expect_value("plain", "\"plain\"");
    expect_value("", "\"\"");
    expect_value("a ${ 1 + 1 } b", "\"a 2 b\"");
    expect_value("${ 1 }${ 2 }", "\"12\"");
    expect_value("${ 1 } ", "\"1 \"");
    expect_value("${ \"x\" }-${ [1, \"a\"] }-${ null }", "\"x-[1,\\\"a\\\"]-null\"");
    expect_value("at ${ $input.slot }", "\"at -1\"");
    expect_value("é ${ \"ü\" }", "\"é ü\"");
}

Test(expr_program, dollar_dollar_brace_is_literal)
{
    expect_value("$${x}", "\"${x}\"");
    expect_value("$$${x}", "\"$${x}\"");
    expect_value("a $${ ${ 1 } }", "\"a ${ 1 }\"");
    expect_value("costs 5$ or $x", "\"costs 5$ or $x\"");
    expect_value("{ }", "\"{ }\"");
}

static void expect_refused(const char *text, unsigned line, unsigned column, const char *message)
{
    diags.count = 0;
    diags.error_count = 0;
    cr_assert_null(value_of(text), "%s", text);
    cr_assert_gt(diags.count, 0);
    const struct diag *diag = &diags.items[0];
    cr_expect(diag->place.line == line && diag->place.column == column, "%s: at %u:%u", text,
              diag->place.line, diag->place.column);
    cr_expect(str_equal(diag->message, str_from(message)), "%s: %.*s", text, STR_ARG(diag->message));
}

Test(expr_program, mistakes_are_located_in_the_file)
{
    expect_refused("${ 1 + }", 12, 14, "expected a value, found \"}\"");
    expect_refused("ab ${ .x }", 12, 13, "there is no value at hand here, so \".\" means nothing");
    expect_refused("${ 1\n + foo }", 13, 4, "unknown function \"foo\"");
    expect_refused("${ 1", 12, 11,
                   "expected an operator or the closing \"}\", found the end of the expression");
    expect_refused("a${ 1 / 0 }", 12, 13, "division by zero");
    expect_refused("${ \"\xff\" }", 12, 7, "the text is not UTF-8");
}

Test(expr_program, all_mistakes_of_one_expression_are_reported)
{
    cr_assert_null(value_of("${ [.a, lenght, $saga.name] }"));
    cr_assert_eq(diags.error_count, 3);
    cr_expect(str_equal(diags.items[1].hint, STR("did you mean \"length\"?")));
    cr_expect(str_equal(diags.items[2].code, STR("expression-unknown")));
}

static const struct expr_ref *only_ref(const char *text)
{
    uint32_t count = 0;
    const struct expr *program = value_of(text);
    cr_assert_not_null(program, "%s", text);
    const struct expr_ref *refs = expr_refs(program, &count);
    cr_assert_eq(count, 1, "%s has %u references", text, count);
    return refs;
}

static void expect_ref(const char *text, enum expr_ref_kind kind, const char *name, const char *path,
                       bool null_allowed)
{
    const struct expr_ref *ref = only_ref(text);
    cr_expect_eq(ref->kind, kind, "%s", text);
    cr_expect(str_equal(ref->name, str_from(name)), "%s: %.*s", text, STR_ARG(ref->name));
    cr_expect(str_equal(ref->path, str_from(path)), "%s: %.*s", text, STR_ARG(ref->path));
    cr_expect_eq(ref->null_allowed, null_allowed, "%s", text);
    cr_expect_eq(ref->slot, -1);
}

Test(expr_program, references_say_what_is_read)
{
    expect_ref("${ $input }", EXPR_REF_INPUT, "input", "", false);
    expect_ref("${ $input.a.b }", EXPR_REF_INPUT, "input", ".a.b", false);
    expect_ref("${ $input[\"a\"].\"b\" }", EXPR_REF_INPUT, "input", ".a.b", false);
    expect_ref("${ $input.a[0].b }", EXPR_REF_INPUT, "input", ".a", false);
    expect_ref("${ $input[\"a.b\"].c }", EXPR_REF_INPUT, "input", "", false);
    expect_ref("${ $input.a?.b }", EXPR_REF_INPUT, "input", "", false);
    expect_ref("${ $steps.reserve.output }", EXPR_REF_STEP_OUTPUT, "reserve", "", false);
    expect_ref("${ $steps.reserve.output.id }", EXPR_REF_STEP_OUTPUT, "reserve", ".id", false);
    expect_ref("${ $steps[\"reserve\"][\"output\"].id }", EXPR_REF_STEP_OUTPUT, "reserve", ".id", false);
    expect_ref("${ $saga.started_at }", EXPR_REF_SAGA, "saga", ".started_at", false);
    expect_ref("${ $error.code }", EXPR_REF_ERROR, "error", ".code", false);
    expect_ref("${ $index + 1 }", EXPR_REF_INDEX, "index", "", false);
    expect_ref("${ $steps.reserve.came }", EXPR_REF_CAME, "reserve", "", false);
    expect_ref("${ $event.by }", EXPR_REF_EVENT, "event", ".by", false);
    expect_ref("${ $parcel.id }", EXPR_REF_NAMED, "parcel", ".id", false);
    expect_ref("${ $parcel as $x | $x.id }", EXPR_REF_NAMED, "parcel", "", false);
    expect_ref("x ${ $input.a } y", EXPR_REF_INPUT, "input", ".a", false);
}

Test(expr_program, left_of_alternative_may_be_null)
{
    expect_ref("${ $input.a // 1 }", EXPR_REF_INPUT, "input", ".a", true);
    expect_ref("${ ($input.a) // 1 }", EXPR_REF_INPUT, "input", ".a", true);
    expect_ref("${ $input.a[0].b // 1 }", EXPR_REF_INPUT, "input", ".a", true);
    expect_ref("${ $steps.reserve.output.id // null }", EXPR_REF_STEP_OUTPUT, "reserve", ".id", true);
    expect_ref("${ 1 // $input.a }", EXPR_REF_INPUT, "input", ".a", false);
    expect_ref("${ $input.a + 1 // 1 }", EXPR_REF_INPUT, "input", ".a", false);
}

Test(expr_program, references_come_in_order_with_their_places)
{
    uint32_t count = 0;
    const struct expr *program = value_of("${ $input.a // $steps.pay.output.id + $x }");
    const struct expr_ref *refs = expr_refs(program, &count);
    cr_assert_eq(count, 3);
    cr_expect(refs[0].place.column == 10 && refs[0].place.size == 8);
    cr_expect(refs[1].place.column == 22 && refs[1].place.size == 20);
    cr_expect(refs[2].place.column == 45 && refs[2].place.size == 2);
    cr_expect(refs[0].null_allowed && !refs[1].null_allowed && !refs[2].null_allowed);
}

Test(expr_program, variables_bound_by_as_are_no_references)
{
    uint32_t count = 0;
    expr_refs(value_of("${ 1 as $x | $x + $x }"), &count);
    cr_assert_eq(count, 0);
    expr_refs(value_of("${ (1 as $x | $x) + $x }"), &count);
    cr_assert_eq(count, 1);
}

Test(expr_program, braces_are_optional_for_conditions)
{
    static const char *const texts[] = {"1 < 2", "${ 1 < 2 }", "  ${1 < 2}\n"};
    for (size_t i = 0; i < 3; i++) {
        const struct expr *program =
            expr_compile(&arena, str_from(texts[i]), (struct diag_place){1, 1, 1}, &diags);
        cr_expect(str_equal(answer(program), STR("true")));
    }
    cr_assert_null(expr_compile(&arena, STR(""), (struct diag_place){1, 1, 1}, &diags));
}

Test(expr_program, programs_without_references_are_constants)
{
    const struct json *value = NULL;
    cr_assert(expr_is_constant(value_of("text"), &value));
    cr_expect(str_equal(value->text, STR("text")));
    cr_assert(expr_is_constant(value_of("${ [1, 2] | map(. + 1) }"), &value));
    cr_expect_eq(value->count, 2);
    cr_assert_not(expr_is_constant(value_of("${ $input }"), &value));
}

Test(expr_program, objects_and_arrays_of_programs)
{
    const struct expr *inner[] = {value_of("${ $a.slot }"), value_of("n ${ $b.slot }")};
    const struct expr *list = expr_array(&arena, inner, 2);
    const struct expr *values[] = {value_of("fixed"), list, value_of("${ $input.slot }")};
    const struct str keys[] = {STR("k"), STR("list"), STR("in")};
    const struct expr *whole = expr_object(&arena, keys, values, 3);
    uint32_t count = 0;
    struct expr_ref *refs = expr_refs(whole, &count);
    cr_assert_eq(count, 3);
    for (uint32_t i = 0; i < count; i++)
        refs[i].slot = 10 + (int32_t)i;
    cr_expect(str_equal(answer(whole), STR("{\"k\":\"fixed\",\"list\":[10,\"n 11\"],\"in\":12}")));
    cr_expect(str_equal(answer(inner[0]), STR("-1")), "a part keeps its own slots");
}

Test(expr_program, objects_of_constants_are_constants)
{
    const struct expr *values[] = {value_of("x"), value_of("${ 1 }")};
    const struct str keys[] = {STR("a"), STR("b")};
    const struct json *value = NULL;
    cr_assert(expr_is_constant(expr_object(&arena, keys, values, 2), &value));
    cr_expect(str_equal(json_text(&arena, value), STR("{\"a\":\"x\",\"b\":1}")));
    cr_assert(expr_is_constant(expr_array(&arena, values, 2), &value));
    cr_expect(str_equal(json_text(&arena, value), STR("[\"x\",1]")));
    cr_assert(expr_is_constant(expr_array(&arena, NULL, 0), &value));
    cr_expect_eq(value->count, 0);
}

Test(expr_program, a_program_is_shown_as_it_was_written)
{
    const struct expr *inner[] = {value_of("${ $a.slot }"), value_of("$${ n ${ $b.slot }")};
    const struct expr *values[] = {value_of("fixed"), expr_array(&arena, inner, 2), value_of("${  1 + 1}")};
    const struct str keys[] = {STR("k"), STR("list"), STR("sum")};
    struct str shown = json_text(&arena, expr_source(expr_object(&arena, keys, values, 3)));
    cr_expect(str_equal(shown, STR("{\"k\":\"fixed\",\"list\":[\"${ $a.slot }\",\"$${ n ${ $b.slot }\"],"
                                   "\"sum\":\"${  1 + 1}\"}")),
              "%.*s", STR_ARG(shown));
    const struct expr *bare =
        expr_compile(&arena, STR(" $input.a > 1 "), (struct diag_place){1, 1, 1}, &diags);
    cr_expect(str_equal(expr_source(bare)->text, STR("$input.a > 1")));
}

Test(expr_program, a_fault_inside_an_object_is_located)
{
    const struct expr *values[] = {value_of("${ $input.slot.x }")};
    const struct str keys[] = {STR("a")};
    cr_expect(str_equal(answer(expr_object(&arena, keys, values, 1)),
                        STR("12:10 EXPRESSION_TYPE cannot read the field \"x\" of a number")));
}

Test(expr_program, truth_is_all_but_false_and_null)
{
    const struct json *zero = json_new_i64(&arena, 0);
    cr_expect(expr_truth(&json_true) && expr_truth(zero) && !expr_truth(&json_false) &&
              !expr_truth(&json_null));
}

Test(expr_program, very_long_texts_are_refused)
{
    struct buf text;
    buf_init(&text, &arena);
    buf_puts(&text, "${ \"");
    for (int i = 0; i < LIMITS_EXPR_BYTES; i++)
        buf_char(&text, 'x');
    buf_puts(&text, "\" }");
    cr_assert_null(expr_compile_value(&arena, buf_str(&text), (struct diag_place){1, 1, 1}, &diags));
    cr_expect(str_equal(diags.items[0].message, STR("an expression of more than 16384 bytes")));
}
