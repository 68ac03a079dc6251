/* What the suite of others does not ask: exact numbers, pointers, bounds, fields of paths. */
#include "engine/base/limits.h"
#include "tests/definition/support.h"

static const struct json *parse(struct arena *arena, const char *text)
{
    const struct json *value;
    struct err_note note;
    cr_assert(json_parse(arena, str_from(text), LIMITS_DEFINITION_BYTES, &value, &note) == ERR_OK, "%s: %s",
              text, note.text);
    return value;
}

static const struct schema *compile(struct arena *arena, const char *text)
{
    struct diag_list diags;
    diag_init(&diags, arena, STR("schema"), STR(""));
    const struct schema *schema =
        schema_compile(arena, parse(arena, text), (struct diag_place){1, 1, 1}, &diags);
    cr_assert(schema != NULL, "%s", support_render(arena, &diags).data);
    return schema;
}

struct row {
    const char *schema;
    const char *value;
    const char *problem; /* "": fine */
};

static void check_row(const struct row *row)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct schema_problems problems = {.count = 0};
    const struct schema *schema = compile(&arena, row->schema);
    bool fine = schema_check(schema, parse(&arena, row->value), &arena, &problems);
    struct buf out;
    buf_init(&out, &arena);
    for (uint32_t i = 0; i < problems.count; i++)
        buf_printf(&out, "%s%.*s: %.*s", i ? "; " : "", STR_ARG(problems.items[i].pointer),
                   STR_ARG(problems.items[i].message));
    support_expect_text(row->schema, str_from(row->problem), buf_str(&out));
    cr_expect_eq(fine, problems.count == 0);
    cr_expect_eq(fine, schema_check(schema, parse(&arena, row->value), &arena, NULL));
    arena_fini(&arena);
}

Test(schema, rows)
{
    static const struct row rows[] = {
        {"{\"maximum\": 0.1}", "0.1000000000000000000000000000000000000000001",
         ": must be at most 0.1, is 0.10000000000000000000000000000000000000…"},
        {"{\"maximum\": 9007199254740992}", "9007199254740993",
         ": must be at most 9007199254740992, is 9007199254740993"},
        {"{\"const\": 1}", "1.000", ""},
        {"{\"const\": {\"a\": [1]}}", "{\"a\": [2]}", ": must be {\"a\":[1]}"},
        {"{\"enum\": [1, \"a\", null]}", "false", ": must be one of [1,\"a\",null]"},
        {"{\"type\": \"integer\"}", "100e-2", ""},
        {"{\"type\": \"integer\"}", "1e400000000000", ""},
        {"{\"type\": \"integer\"}", "1e-1", ": must be an integer, is a number"},
        {"{\"type\": \"integer\"}", "0.000e-999999999999", ""},
        {"{\"type\": [\"string\", \"null\"]}", "7", ": must be null or a string, is an integer"},
        {"{\"minLength\": 2}", "\"é\"", ": must have at least 2 characters, has 1"},
        {"{\"uniqueItems\": true}", "[1, 10, 100, 0.1, \"1\", [1], {\"a\": 1}]", ""},
        {"{\"uniqueItems\": true}", "[{\"a\": 1, \"b\": 2}, {\"b\": 2.0, \"a\": 10e-1}]",
         ": must not have an item twice"},
        {"{\"properties\": {\"a\": {\"items\": {\"minimum\": 3}}}}", "{\"a\": [3, 2, 4, 1]}",
         "/a/1: must be at least 3, is 2; /a/3: must be at least 3, is 1"},
        {"{\"properties\": {\"a\": false}}", "{\"a\": 1}", "/a: is not allowed here"},
        {"false", "1", ": no value is allowed"},
        {"{\"exclusiveMinimum\": 0}", "0.0", ": must be more than 0, is 0.0"},
        {"{\"exclusiveMaximum\": -1}", "-1", ": must be less than -1, is -1"},
        {"{\"minItems\": 1, \"maxItems\": 2.0}", "[]", ": must have at least 1 items, has 0"},
        {"{\"maxItems\": 2.0}", "[1,2,3]", ": must have at most 2 items, has 3"},
        {"{\"maxLength\": 1}", "\"ab\"", ": must have at most 1 characters, has 2"},
        {"{\"title\": \"t\", \"default\": 1, \"examples\": [1], \"$id\": \"x\", \"$comment\": \"y\"}", "[]",
         ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i]);
}

Test(schema, problems_are_bounded)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct schema_problems problems = {.count = 0};
    struct buf out;
    buf_init(&out, &arena);
    buf_puts(&out, "[1");
    for (int i = 0; i < 1000; i++)
        buf_puts(&out, ",1");
    buf_puts(&out, "]");
    cr_expect_not(schema_check(compile(&arena, "{\"items\": {\"type\": \"string\"}}"),
                               parse(&arena, buf_str(&out).data), &arena, &problems));
    cr_expect_eq(problems.count, SCHEMA_PROBLEMS_MAX);
    arena_fini(&arena);
}

/* A start request of the largest size must not cost a second, whatever its author thought of. */
Test(schema, unique_items_of_a_large_array_are_fast)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct buf out;
    buf_init(&out, &arena);
    buf_puts(&out, "[0");
    for (int i = 1; out.size < LIMITS_PAYLOAD_BYTES - 16; i++)
        buf_printf(&out, ",%d", i);
    buf_puts(&out, "]");
    const struct json *array = parse(&arena, buf_str(&out).data);
    int64_t begin = support_cpu_us();
    cr_expect(schema_check(compile(&arena, "{\"uniqueItems\": true}"), array, &arena, NULL));
    cr_expect(support_cpu_us() - begin < 500000);
    arena_fini(&arena);
}

Test(schema, paths_that_can_exist)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct schema *schema = compile(
        &arena, "{\"properties\": {\"a\": {\"properties\": {\"b\": {\"type\": \"string\"}}}, \"open\": {},"
                "\"map\": {\"additionalProperties\": {\"properties\": {\"x\": true}}},"
                "\"more\": {\"properties\": {\"y\": true}, \"additionalProperties\": true},"
                "\"closed\": {\"additionalProperties\": false}}}");
    static const char *const fine[] = {".a", ".a.b", ".open.any.thing", ".map.k.x", ".more.y.z", ".more.q"};
    static const char *const gaps[] = {".b", ".a.c", ".a.b.c", ".map.k.y", ".closed.x"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        cr_expect(schema_has_path(schema, str_from(fine[i])), "%s", fine[i]);
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++)
        cr_expect_not(schema_has_path(schema, str_from(gaps[i])), "%s", gaps[i]);
    arena_fini(&arena);
}
