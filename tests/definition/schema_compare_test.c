/* Versions of a schema side by side: each finding with its place, and that "nothing narrower" is never wrong.
 */
#include "engine/definition/schema_compare.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include "engine/base/limits.h"
#include "engine/definition/schema_parts.h"
#include "tests/definition/support.h"

#define SUITE "/usr/share/json-schema-test-suite/tests/draft7"

enum { SCHEMAS_MAX = 400, VALUES_MAX = 4000, PAIRS_LEAST = 500 };

static const struct json *parse(struct arena *arena, const char *text)
{
    const struct json *value = NULL;
    struct err_note note = {""};
    cr_assert_eq(json_parse(arena, str_from(text), LIMITS_DEFINITION_BYTES, &value, &note), ERR_OK, "%s: %s",
                 text, note.text);
    return value;
}

/* NULL when it is beyond our subset. */
static const struct schema *compile(struct arena *arena, const struct json *source)
{
    struct diag_list diags;
    diag_init(&diags, arena, STR("schema"), STR(""));
    return schema_compile(arena, source, (struct diag_place){1, 1, 1}, &diags);
}

struct row {
    const char *older, *newer;
    const char *changes;
};
static const struct row rows[] = {
    {"{}", "{}", ""},
    {"true", "{\"title\":\"anything\"}", ""},
    {"{\"type\":\"string\"}", "{\"description\":\"a text\",\"type\":\"string\"}", ""},
    {"{\"type\":\"integer\"}", "{\"type\":\"number\"}", "wider  may be of more types\n"},
    {"{\"type\":\"number\"}", "{\"type\":\"integer\"}",
     "narrower  must be an integer now, and could be a number\n"},
    {"{}", "{\"type\":[\"string\",\"null\"]}", "narrower  must be null or a string now\n"},
    {"{\"type\":\"string\"}", "false", "narrower  is refused now\n"},
    {"{\"type\":\"string\"}", "{}", "wider  may be anything now\n"},
    {"{\"enum\":[\"a\",\"b\"]}", "{\"enum\":[\"b\",\"c\"]}",
     "wider  may have more values\nnarrower  may not be \"a\" any more\n"},
    {"{\"enum\":[\"a\",\"b\"]}", "{\"const\":\"a\"}", "narrower  may not be \"b\" any more\n"},
    {"{\"type\":\"string\"}", "{\"type\":\"string\",\"enum\":[\"a\"]}",
     "narrower  may have listed values only now\n"},
    {"{\"minimum\":1,\"maximum\":9}", "{\"minimum\":1.0,\"maximum\":10}", "wider  has a looser `maximum`\n"},
    {"{\"minLength\":1}", "{\"minLength\":2,\"maxLength\":5}",
     "narrower  has a tighter `minLength`\nnarrower  has a tighter `maxLength`\n"},
    {"{\"properties\":{\"a\":{\"type\":\"string\"}}}",
     "{\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"string\"}},\"required\":[\"b\"]}",
     "narrower /b is required now\n"},
    {"{\"required\":[\"b\"]}", "{\"properties\":{\"b\":{\"type\":\"string\"}},\"required\":[\"b\"]}",
     "narrower /b must be a string now\n"},
    {"{\"required\":[\"b\"]}", "{\"properties\":{\"b\":true},\"required\":[\"b\"]}", ""},
    {"{\"uniqueItems\":true,\"maxItems\":2}", "{\"maxItems\":2}", "wider  may hold an item twice now\n"},
    {"{\"contains\":true,\"minContains\":0}", "{\"contains\":true}",
     "narrower  has a tighter `minContains`\n"},
    {"{\"contains\":true}", "{\"contains\":true,\"minContains\":0}", "wider  has a looser `minContains`\n"},
    {"{\"properties\":{\"a\":true}}", "{\"properties\":{\"a\":true,\"b\":{\"type\":\"string\"}}}",
     "declared /b is a new field, described now; it could be anything before\n"},
    {"{\"properties\":{\"a\":true},\"additionalProperties\":false}",
     "{\"properties\":{\"a\":true,\"b\":true},\"additionalProperties\":false}", "wider /b is a new field\n"},
    {"{\"properties\":{\"a\":true,\"b\":true},\"required\":[\"b\"],\"additionalProperties\":false}",
     "{\"properties\":{\"a\":true},\"additionalProperties\":false}",
     "narrower /b was removed and is refused now\nwider /b may be left out now\n"},
    {"{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{}", "wider  may be anything now\n"},
    {"{\"additionalProperties\":{\"type\":\"integer\"}}",
     "{\"properties\":{\"a\":{\"type\":\"string\"}},\"additionalProperties\":{\"type\":\"integer\"}}",
     "narrower /a must be a string now, and could be an integer\n"},
    {"{\"properties\":{\"a\":true}}", "{\"properties\":{\"a\":true},\"additionalProperties\":false}",
     "narrower  refuses fields that are not listed\n"},
    {"{\"items\":{\"properties\":{\"w\":{\"type\":\"number\"}}}}",
     "{\"items\":{\"properties\":{\"w\":{\"type\":\"string\"}}}}",
     "narrower /*/w must be a string now, and could be a number\n"},
    {"{\"prefixItems\":[{\"type\":\"string\"}]}", "{\"items\":{\"type\":\"string\"}}",
     "narrower /* must be a string now\n"},
    {"{\"anyOf\":[{\"minimum\":1}]}", "{\"anyOf\":[{\"minimum\":2}]}", "unknown  has another `anyOf`\n"},
    {"{\"pattern\":\"^a\"}", "{}", "wider  may be anything now\n"},
    {"{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"maxLength\":5}}}",
     "{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"maxLength\":4}}}", "narrower  has a tighter `maxLength`\n"},
    {"{\"properties\":{\"down\":{\"$ref\":\"#\"},\"v\":{\"type\":\"number\"}}}",
     "{\"properties\":{\"down\":{\"$ref\":\"#\"},\"v\":{\"type\":\"string\"}}}",
     "narrower /v must be a string now, and could be a number\n"},
    {"{\"not\":{\"$ref\":\"#/$defs/n\"},\"$defs\":{\"n\":{\"maxLength\":5}}}",
     "{\"not\":{\"$ref\":\"#/$defs/n\"},\"$defs\":{\"n\":{\"maxLength\":4}}}",
     "unknown  has a `not` with references, which are not followed\n"},
};

static struct str changes_text(struct arena *arena, const struct schema *older, const struct schema *newer)
{
    static const char *const kinds[] = {"wider", "declared", "narrower", "unknown"};
    struct schema_changes changes = {0};
    struct buf out;
    buf_init(&out, arena);
    schema_compare(older, newer, arena, &changes);
    for (uint32_t i = 0; i < changes.count; i++)
        buf_printf(&out, "%s %.*s %.*s\n", kinds[changes.items[i].kind], STR_ARG(changes.items[i].pointer),
                   STR_ARG(changes.items[i].sentence));
    return buf_str(&out);
}

Test(schema_compare, each_difference_has_its_place)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct str text = changes_text(&arena, compile(&arena, parse(&arena, rows[i].older)),
                                       compile(&arena, parse(&arena, rows[i].newer)));
        cr_expect(str_equal(text, str_from(rows[i].changes)), "%s\n%s\ngives\n%.*sand not\n%s", rows[i].older,
                  rows[i].newer, STR_ARG(text), rows[i].changes);
        arena_fini(&arena);
    }
}

Test(schema_compare, no_schema_is_one_that_anything_fits)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct schema *text = compile(&arena, parse(&arena, "{\"type\":\"string\"}"));
    cr_expect(str_equal(changes_text(&arena, NULL, NULL), STR("")));
    cr_expect(str_equal(changes_text(&arena, text, NULL), STR("wider  may be anything now\n")));
    cr_expect(str_equal(changes_text(&arena, NULL, text), STR("narrower  must be a string now\n")));
    arena_fini(&arena);
}

/* The suite's schemas, as far as they are in the language, and all its values. */
struct suite {
    struct arena arena;
    const struct schema *schemas[SCHEMAS_MAX];
    uint32_t schema_count;
    const struct json *values[VALUES_MAX];
    uint32_t value_count;
};

static void take_case(struct suite *suite, const struct json *one)
{
    const struct json *tests = json_get(one, STR("tests"));
    const struct schema *schema = compile(&suite->arena, json_get(one, STR("schema")));
    if (schema != NULL && suite->schema_count < SCHEMAS_MAX)
        suite->schemas[suite->schema_count++] = schema;
    for (uint32_t i = 0; i < tests->count && suite->value_count < VALUES_MAX; i++)
        suite->values[suite->value_count++] = json_get(tests->items[i], STR("data"));
}

static void take_suite(struct suite *suite)
{
    DIR *open = opendir(SUITE);
    cr_assert(open != NULL, "no %s: install json-schema-test-suite", SUITE);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        if (!str_ends(str_from(entry->d_name), STR(".json")))
            continue;
        const char *path = arena_printf(&suite->arena, "%s/%s", SUITE, entry->d_name).data;
        const struct json *cases = parse(&suite->arena, support_read(&suite->arena, path).data);
        for (uint32_t i = 0; i < cases->count; i++)
            take_case(suite, cases->items[i]);
    }
    closedir(open);
}

static bool is_said_to_fit(const struct schema *older, const struct schema *newer, struct arena *arena)
{
    struct schema_changes changes = {0};
    schema_compare(older, newer, arena, &changes);
    for (uint32_t i = 0; i < changes.count; i++)
        if (changes.items[i].kind != SCHEMA_WIDER)
            return false;
    return true;
}

static void expect_values_fit(const struct suite *suite, const struct schema *older,
                              const struct schema *newer, struct arena *arena)
{
    for (uint32_t i = 0; i < suite->value_count; i++)
        if (schema_check(older, suite->values[i], arena, NULL))
            cr_expect(schema_check(newer, suite->values[i], arena, NULL),
                      "%.*s fits only the older one of %.*s %.*s",
                      STR_ARG(json_text(arena, suite->values[i])), STR_ARG(json_text(arena, older->source)),
                      STR_ARG(json_text(arena, newer->source)));
}

Test(schema_compare, what_is_said_to_fit_fits, .timeout = 120)
{
    static struct suite suite;
    struct arena arena;
    unsigned pairs = 0;
    arena_init(&suite.arena, 0);
    arena_init(&arena, 0);
    take_suite(&suite);
    for (uint32_t i = 0; i < suite.schema_count * suite.schema_count; i++) {
        const struct schema *older = suite.schemas[i / suite.schema_count];
        const struct schema *newer = suite.schemas[i % suite.schema_count];
        arena_reset(&arena);
        if (older == newer || !is_said_to_fit(older, newer, &arena))
            continue;
        pairs++;
        expect_values_fit(&suite, older, newer, &arena);
    }
    cr_expect_gt(pairs, PAIRS_LEAST, "only %u pairs: too few to mean anything", pairs);
    arena_fini(&arena);
    arena_fini(&suite.arena);
}
