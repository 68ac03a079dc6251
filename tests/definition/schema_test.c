/* What the suite of others does not ask: exact numbers, pointers, bounds, fields of paths. */
#include "engine/base/limits.h"
#include "engine/definition/schema_format.h"
#include "tests/definition/support.h"
#include "tests/support/effort.h"

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
         ": must be at most 0.1, is more"},
        {"{\"maximum\": 9007199254740992}", "9007199254740993",
         ": must be at most 9007199254740992, is more"},
        {"{\"const\": 1}", "1.000", ""},
        {"{\"x-order\": {\"type\": 1}, \"id\": \"http://old/\", \"items\": {\"id\": \"#a\", \"x-\": 0}}",
         "[7]", ""},
        {"{\"id\": \"old\", \"type\": \"string\"}", "7", ": must be a string, is an integer"},
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
         "/a/1: must be at least 3, is less; /a/3: must be at least 3, is less"},
        {"{\"properties\": {\"a\": false}}", "{\"a\": 1}", "/a: is not allowed here"},
        {"false", "1", ": no value is allowed"},
        {"{\"exclusiveMinimum\": 0}", "0.0", ": must be more than 0, is not"},
        {"{\"exclusiveMaximum\": -1}", "-1", ": must be less than -1, is not"},
        {"{\"minItems\": 1, \"maxItems\": 2.0}", "[]", ": must have at least 1 items, has 0"},
        {"{\"maxItems\": 2.0}", "[1,2,3]", ": must have at most 2 items, has 3"},
        {"{\"maxLength\": 1}", "\"ab\"", ": must have at most 1 characters, has 2"},
        {"{\"title\": \"t\", \"default\": 1, \"examples\": [1], \"$id\": \"x\", \"$comment\": \"y\"}", "[]",
         ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i]);
}

Test(schema, rows_of_members_items_and_choices)
{
    static const struct row rows[] = {
        {"{\"pattern\": \"b+$\"}", "\"abb\"", ""},
        {"{\"pattern\": \"^b\"}", "\"abb\"", ": must match the pattern ^b"},
        {"{\"pattern\": \"^\\\\s[\\\\s]\\\\S.$\"}", "\"\\u00a0\\ufeffé \"", ""},
        {"{\"pattern\": \"^.$\"}", "\"\\u2028\"", ": must match the pattern ^.$"},
        {"{\"format\": \"date\"}", "\"2026-02-29\"", ": must be a date of RFC 3339, such as 2026-03-01"},
        {"{\"patternProperties\": {\"^x-\": {\"type\": \"string\"}}, \"additionalProperties\": false}",
         "{\"x-a\": 1, \"y\": 2}", "/x-a: must be a string, is an integer; /y: is not allowed here"},
        {"{\"dependentRequired\": {\"card\": [\"name\", \"cvc\"]}}", "{\"card\": 1, \"name\": 2}",
         ": lacks the member \"cvc\", which goes with \"card\""},
        {"{\"propertyNames\": {\"maxLength\": 2}}", "{\"ab\": {\"long\": 1}, \"abc\": 1}",
         "/abc: is not a name that `propertyNames` allows"},
        {"{\"dependentSchemas\": {\"a\": {\"required\": [\"b\"]}, \"c\": false}}", "{\"a\": 1}",
         ": lacks the member \"b\""},
        {"{\"minProperties\": 1}", "{}", ": must have at least 1 members, has 0"},
        {"{\"maxProperties\": 1}", "{\"a\": 1, \"b\": 1}", ": must have at most 1 members, has 2"},
        {"{\"prefixItems\": [{\"type\": \"string\"}], \"items\": false}", "[1, 2]",
         "/0: must be a string, is an integer; /1: is not allowed here"},
        {"{\"contains\": {\"minimum\": 2}}", "[0, 1]",
         ": must have at least 1 items that match `contains`, has 0"},
        {"{\"contains\": {\"minimum\": 2}, \"minContains\": 0, \"maxContains\": 1}", "[2, 3]",
         ": must have at most 1 items that match `contains`, has 2"},
        {"{\"allOf\": [{\"minimum\": 1}, {\"maximum\": -1}]}", "0",
         ": must be at least 1, is less; : must be at most -1, is more"},
        {"{\"anyOf\": [{\"minimum\": 1}, {\"maximum\": -1}]}", "0",
         ": matches none of the 2 schemas of `anyOf`"},
        {"{\"oneOf\": [{\"minimum\": 1}, {\"maximum\": -1}]}", "0",
         ": matches none of the 2 schemas of `oneOf`"},
        {"{\"oneOf\": [{\"minimum\": 1}, true, true]}", "1",
         ": matches more than one of the 3 schemas of `oneOf`"},
        {"{\"not\": {\"type\": \"null\"}}", "null", ": must not match the schema of `not`"},
        {"{\"if\": {\"minimum\": 10}, \"then\": {\"multipleOf\": 10}, \"else\": {\"minimum\": 5}}", "15",
         ": must be a multiple of 10, is not"},
        {"{\"if\": {\"minimum\": 10}, \"then\": {\"multipleOf\": 10}, \"else\": {\"minimum\": 5}}", "4",
         ": must be at least 5, is less"},
        {"{\"$ref\": \"#/$defs/a~1b%25\", \"maximum\": 1, \"$defs\": {\"a/b%\": {\"type\": \"integer\"}}}",
         "1.5", ": must be an integer, is a number; : must be at most 1, is more"},
        {"{\"properties\": {\"next\": {\"$ref\": \"#\"}, \"value\": {\"$ref\": \"#/allOf/1/not\"}},"
         " \"allOf\": [true, {\"not\": {\"type\": \"string\"}}]}",
         "{\"next\": {\"next\": {\"value\": 7, \"next\": \"x\"}}}",
         "/next/next/value: must be a string, is an integer; /next/next/next: must not match the schema of "
         "`not`"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i]);
}

Test(schema, rows_of_multiples)
{
    static const struct row rows[] = {
        {"{\"multipleOf\": 0.01}", "19.99", ""},
        {"{\"multipleOf\": 0.01}", "19.999", ": must be a multiple of 0.01, is not"},
        {"{\"multipleOf\": 0.3}", "0.9", ""},
        {"{\"multipleOf\": 7e-3}", "-49000000000000000000000000000000000000000000000000e-25", ""},
        {"{\"multipleOf\": 7}", "1e999999999999", ": must be a multiple of 7, is not"},
        {"{\"multipleOf\": 1024}", "1e10", ""},
        {"{\"multipleOf\": 1024}", "1e9", ": must be a multiple of 1024, is not"},
        {"{\"multipleOf\": 999999999999999999}", "999999999999999998000000000000000001", ""},
        {"{\"multipleOf\": 1e10}", "1e9", ": must be a multiple of 1e10, is not"},
        {"{\"multipleOf\": 5}", "0e-7", ""},
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
    struct effort effort = effort_begin();
    cr_expect(schema_check(compile(&arena, "{\"uniqueItems\": true}"), array, &arena, NULL));
    cr_expect(effort_us(effort) < 500000);
    arena_fini(&arena);
}

/* `anyOf` within `anyOf` doubles the work at each level: it ends by its budget, and the value is refused. */
Test(schema, a_check_that_multiplies_ends)
{
    struct arena arena;
    struct buf out;
    arena_init(&arena, 0);
    buf_init(&out, &arena);
    buf_puts(&out, "{\"items\": {\"$ref\": \"#/$defs/d0\"}, \"$defs\": {");
    for (int i = 0; i < 4; i++)
        buf_printf(&out,
                   "\"d%d\": {\"oneOf\": [{\"$ref\": \"#/$defs/d%d\"}, false, {\"allOf\": [{\"$ref\": "
                   "\"#/$defs/d%d\"},"
                   " {\"$ref\": \"#/$defs/d%d\"}, {\"pattern\": \"(a|aa)+$\"}]}]}, ",
                   i, i + 1, i + 1, i + 1);
    buf_puts(&out, "\"d4\": {\"type\": \"string\"}}}");
    const struct schema *schema = compile(&arena, buf_str(&out).data);
    struct buf value;
    buf_init(&value, &arena);
    buf_puts(&value, "[\"a\"");
    while (value.size < LIMITS_PAYLOAD_BYTES - 40)
        buf_puts(&value, ",\"aaaaaaaaaaaaaaaaaaaaaaab\"");
    buf_puts(&value, "]");
    struct schema_problems problems = {.count = 0};
    const struct json *list = parse(&arena, buf_str(&value).data);
    struct effort effort = effort_begin();
    cr_expect_not(schema_check(schema, list, &arena, &problems));
    int64_t spent = effort_us(effort);
    cr_expect(spent < 5000000, "%lld us", (long long)spent);
    struct schema_problem last = problems.items[problems.count - 1];
    support_expect_text("work", STR("takes too much work to check against its schema"), last.message);
    cr_expect_not(schema_check(schema, list, &arena, NULL));
    arena_fini(&arena);
}

/* The deepest recursion there can be: every level of the value passes the longest chain of schemas. */
Test(schema, the_deepest_check_fits_the_stack)
{
    struct arena arena;
    struct buf out;
    arena_init(&arena, 0);
    buf_init(&out, &arena);
    buf_puts(&out, "{\"$ref\": \"#/$defs/d2\", \"$defs\": {");
    for (int i = 2; i < LIMITS_SCHEMA_CHAIN; i++)
        buf_printf(&out, "\"d%d\": {\"$ref\": \"#/$defs/d%d\"}, ", i, i + 1);
    buf_printf(&out, "\"d%d\": {\"items\": {\"$ref\": \"#/$defs/d2\"}}}}", LIMITS_SCHEMA_CHAIN);
    const struct schema *schema = compile(&arena, buf_str(&out).data);
    struct buf value;
    buf_init(&value, &arena);
    for (int i = 0; i < LIMITS_JSON_DEPTH; i++)
        buf_char(&value, '[');
    for (int i = 0; i < LIMITS_JSON_DEPTH; i++)
        buf_char(&value, ']');
    cr_expect(schema_check(schema, parse(&arena, buf_str(&value).data), &arena, NULL));
    arena_fini(&arena);
}

Test(schema, the_number_of_schemas_is_bounded)
{
    struct arena arena;
    struct diag_list diags;
    struct buf out;
    arena_init(&arena, 0);
    buf_init(&out, &arena);
    buf_puts(&out, "{\"$defs\": {\"all\": {\"anyOf\": [true");
    for (int i = 3; i < LIMITS_SCHEMA_PARTS; i++)
        buf_puts(&out, ",{}");
    struct str fits = arena_printf(&arena, "%s]}}}", buf_str(&out).data);
    cr_expect(compile(&arena, fits.data) != NULL);
    struct str over = arena_printf(&arena, "%s,{},{},{}]}}}", buf_str(&out).data);
    diag_init(&diags, &arena, STR("schema"), STR(""));
    cr_expect(schema_compile(&arena, parse(&arena, over.data), (struct diag_place){1, 1, 1}, &diags) == NULL);
    cr_expect_eq(diags.error_count, 1);
    cr_expect(support_has_code(&diags, "too-large"));
    arena_fini(&arena);
}

/* A few bytes of {m,n} are a large machine: all of a schema's together are bounded, and said once. */
Test(schema, the_patterns_of_a_schema_are_bounded)
{
    struct arena arena;
    struct diag_list diags;
    struct buf out;
    arena_init(&arena, 0);
    buf_init(&out, &arena);
    buf_puts(&out, "{\"patternProperties\": {\"a\": true");
    for (int i = 0; i < 2000; i++)
        buf_printf(&out, ",\"%d|[^a]{900}\": true", i);
    buf_puts(&out, "}}");
    diag_init(&diags, &arena, STR("schema"), STR(""));
    const struct json *source = parse(&arena, buf_str(&out).data);
    size_t used = arena.used;
    cr_expect(schema_compile(&arena, source, (struct diag_place){1, 1, 1}, &diags) == NULL);
    cr_expect(arena.used - used < 2 * LIMITS_SCHEMA_PATTERN_BYTES);
    cr_expect_eq(diags.error_count, 1);
    cr_expect(support_has_code(&diags, "too-large"));
    arena_fini(&arena);
}

struct format_row {
    const char *format;
    const char *good[12];
    const char *bad[16];
};

static void check_format_row(struct arena *arena, const struct format_row *row)
{
    const struct schema *schema =
        compile(arena, arena_printf(arena, "{\"format\": \"%s\"}", row->format).data);
    for (size_t i = 0; row->good[i]; i++)
        cr_expect(schema_check(schema, json_new_string(arena, str_from(row->good[i])), arena, NULL), "%s: %s",
                  row->format, row->good[i]);
    for (size_t i = 0; row->bad[i]; i++)
        cr_expect_not(schema_check(schema, json_new_string(arena, str_from(row->bad[i])), arena, NULL),
                      "%s: %s", row->format, row->bad[i]);
    cr_expect(schema_check(schema, &json_null, arena, NULL), "a format is about strings only");
}

Test(schema, formats)
{
    static const struct format_row rows[] = {
        {"date",
         {"2024-02-29", "2000-02-29", "0001-12-31"},
         {"1900-02-29", "2023-02-29", "2023-04-31", "2023-00-10", "2023-13-01", "2023-1-01", "2023-01-00", "",
          "2023-01-01 ", "२०२३-०१-०१"}},
        {"time",
         {"00:00:00Z", "23:59:60Z", "23:59:59.000001z", "22:59:60-01:00", "00:29:60+00:30", "23:59:59+23:59"},
         {"24:00:00Z", "00:60:00Z", "00:00:61Z", "22:59:60Z", "12:00:00", "12:00:00.Z", "12:00Z",
          "12:00:00+24:00", "12:00:00+0100", "12:00:00+01:60", "23:59:60+01:00"}},
        {"date-time",
         {"2026-03-01T09:30:00Z", "1998-12-31T23:59:60Z", "1998-12-31t15:59:60.5-08:00"},
         {"2026-03-01 09:30:00Z", "2026-03-01T09:30:00", "2026-03-01T", "2026-03-01T09:30:00Zz",
          "T09:30:00Z"}},
        {"duration",
         {"P1Y", "P1Y2M3D", "P4W", "PT1H", "PT1H2M3S", "P1DT12H", "PT0S", "P12M", "PT36H"},
         {"P", "PT", "P1", "1D", "P1YT", "P1D2Y", "P1Y3D", "PT1H3S", "P1W2D", "P2D1W", "P1.5D", "P1H", "p1d",
          "PT1D", ""}},
        {"email",
         {"name@example.org", "a.b+c@x-y.example", "\"a b\"@example.org", "\"a\\\"b\"@localhost", "a@1.2",
          "a@[127.0.0.1]", "a@[IPv6:::1]"},
         {"name", "@example.org", "a@", "a@@b", ".a@b", "a.@b", "a..b@c", "a@-b", "a@b-", "a@b..c", "a b@c",
          "a@b.", "\"a@b", "é@example.org", "a@[127.0.0.256]"}},
        {"ipv4",
         {"0.0.0.0", "255.255.255.255", "192.0.2.1"},
         {"1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4567", "1..2.3", "", "1.2.3.", "a.b.c.d"}},
        {"ipv6",
         {"::", "::1", "1::", "2001:db8::7", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "::ffff:1.2.3.4",
          "1::8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"},
         {"", ":", ":::", "1", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:",
          "1::2::3", "12345::", "g::", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "::ffff:01.2.3.4"}},
        {"uuid",
         {"2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"},
         {"2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8aa08aa9811eab4aa73b441d16380",
          "2eb8aa08-aa98-11ea-b4aa-73b441d163800", "2eb8aa08-aa98-11ea-b4aa-73b441d1638g",
          "2eb8-aa08-aa98-11ea-b4aa73b44-1d16380", ""}},
        {"uri",
         {"http://a", "a:", "urn:isbn:1", "https://u:p@h:80/p?q=/?#f?", "http://[::1]:8/", "file:///x",
          "x://[v1.a]", "a:%41", "http://", "mailto:a@b"},
         {"", ":a", "1a:b", "//a", "a b:c", "http://a b", "http://[::1", "http://a:b", "a:%4", "a:%zz",
          "a:<b>", "a:#b#c", "a:é", "http://[]", "http://[::g]"}},
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_format_row(&arena, &rows[i]);
    cr_expect_eq(sizeof rows / sizeof rows[0], SCHEMA_FORMAT_COUNT);
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

/* What each way of putting schemas together says about a field. */
Test(schema, paths_through_schemas_together)
{
    static const struct {
        const char *schema;
        const char *fine[4];
        const char *gaps[4];
    } rows[] = {
        {"{\"$ref\": \"#/$defs/a\", \"$defs\": {\"a\": {\"properties\": {\"x\": {\"type\": \"string\"}}}}}",
         {".x"},
         {".y", ".x.z"}},
        {"{\"properties\": {\"own\": true}, \"allOf\": [{\"properties\": {\"x\": true}}, {\"required\": "
         "[\"r\"]}]}",
         {".own", ".x.deep", ".r"},
         {".y"}},
        {"{\"allOf\": [{\"properties\": {\"x\": true}}, {\"additionalProperties\": false}]}", {NULL}, {".x"}},
        {"{\"anyOf\": [{\"properties\": {\"x\": {\"properties\": {\"a\": true}}}},"
         " {\"properties\": {\"x\": {\"properties\": {\"b\": true}}, \"y\": true}}]}",
         {".x.a", ".x.b", ".y"},
         {".z", ".x.c"}},
        {"{\"oneOf\": [{\"type\": \"string\"}, {\"type\": \"object\"}]}", {".x"}, {NULL}},
        {"{\"oneOf\": [{\"type\": \"string\"}, {\"type\": \"null\"}]}", {NULL}, {".x"}},
        {"{\"if\": {\"properties\": {\"k\": true}}, \"then\": {\"properties\": {\"x\": true}},"
         " \"else\": {\"properties\": {\"y\": true}}}",
         {".k", ".x", ".y"},
         {".z"}},
        {"{\"if\": {\"properties\": {\"k\": true}}, \"then\": {\"properties\": {\"x\": true}}}",
         {".z"},
         {NULL}},
        {"{\"properties\": {\"x\": true}, \"not\": {\"required\": [\"x\"]}, \"patternProperties\": "
         "{\"^n[0-9]\":"
         " {\"properties\": {\"a\": true}}}}",
         {".x", ".n1", ".n1.a"},
         {".n", ".n1.b"}},
        {"{\"properties\": {\"x\": false, \"next\": {\"$ref\": \"#\"}}}",
         {".next.next.next.next"},
         {".x", ".next.next.x"}},
        {"{\"allOf\": [{\"properties\": {\"x\": {\"properties\": {\"y\": {}}}}},"
         " {\"properties\": {\"x\": {\"properties\": {\"z\": {\"properties\": {}}}}}}]}",
         {".x.y.any", ".x.z"},
         {".x.q", ".x.z.q", ".y"}},
        {"{\"properties\": {\"x\": true}, \"dependentSchemas\": {\"a\": {\"properties\": {\"b\": true}}, "
         "\"c\": false}}",
         {".a", ".b", ".x"},
         {".d"}},
        {"{\"properties\": {\"x\": true}, \"dependentRequired\": {\"a\": [\"b\"]}}", {".a", ".b"}, {".c"}},
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct schema *schema = compile(&arena, rows[i].schema);
        for (int j = 0; rows[i].fine[j]; j++)
            cr_expect(schema_has_path(schema, str_from(rows[i].fine[j])), "%s: %s", rows[i].schema,
                      rows[i].fine[j]);
        for (int j = 0; rows[i].gaps[j]; j++)
            cr_expect_not(schema_has_path(schema, str_from(rows[i].gaps[j])), "%s: %s", rows[i].schema,
                          rows[i].gaps[j]);
    }
    arena_fini(&arena);
}
