/* Random schemas and values: a field that a matching value has must never be called impossible, and saying
 * why a value does not match must not change whether it does. */
#include <stdio.h>

#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "tests/definition/support.h"

enum { SCHEMAS = 3000, VALUES = 12, DEPTH = 4 };

static const char *const names[] = {"a", "b", "x1"};
static const char *const leaves[] = {"null", "true", "0", "7", "2.5", "\"b\"", "\"long\"", "[]", "[1,{}]"};

static void put_value(struct rng *rng, struct buf *out, int depth)
{
    if (depth == 0 || rng_below(rng, 4) == 0) {
        buf_puts(out, leaves[rng_below(rng, sizeof leaves / sizeof leaves[0])]);
        return;
    }
    buf_char(out, '{');
    const char *comma = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (rng_below(rng, 2))
            continue;
        buf_printf(out, "%s\"%s\":", comma, names[i]);
        put_value(rng, out, depth - 1);
        comma = ",";
    }
    buf_char(out, '}');
}

static void put_schema(struct rng *rng, struct buf *out, int depth);

static void put_list(struct rng *rng, struct buf *out, const char *keyword, int depth)
{
    buf_printf(out, "\"%s\":[", keyword);
    put_schema(rng, out, depth - 1);
    buf_char(out, ',');
    put_schema(rng, out, depth - 1);
    buf_char(out, ']');
}

static void put_one(struct rng *rng, struct buf *out, const char *keyword, int depth)
{
    buf_printf(out, "\"%s\":", keyword);
    put_schema(rng, out, depth - 1);
}

/* A schema that lists members always says what others there may be: without it the language takes a field
 * that is not listed for a slip, which JSON Schema does not. */
static void put_members(struct rng *rng, struct buf *out, int depth)
{
    const char *name = names[rng_below(rng, sizeof names / sizeof names[0])];
    static const char *const patterns[] = {"^a", "[0-9]", "^x1$", "."};
    buf_printf(out, "\"properties\":{\"%s\":", name);
    put_schema(rng, out, depth - 1);
    buf_puts(out, "},");
    if (rng_below(rng, 3) == 0) {
        buf_printf(out, "\"patternProperties\":{\"%s\":",
                   patterns[rng_below(rng, sizeof patterns / sizeof patterns[0])]);
        put_schema(rng, out, depth - 1);
        buf_puts(out, "},");
    }
    put_one(rng, out, "additionalProperties", depth);
}

static void put_keyword(struct rng *rng, struct buf *out, int depth)
{
    static const char *const types[] = {"\"object\"", "[\"object\",\"null\"]", "\"integer\"", "\"string\""};
    switch (rng_below(rng, 11)) {
    case 0:
        put_list(rng, out, "allOf", depth);
        break;
    case 1:
        put_list(rng, out, "anyOf", depth);
        break;
    case 2:
        put_list(rng, out, "oneOf", depth);
        break;
    case 3:
        put_one(rng, out, "not", depth);
        break;
    case 4:
        put_one(rng, out, "if", depth);
        buf_char(out, ',');
        put_one(rng, out, "then", depth);
        buf_char(out, ',');
        put_one(rng, out, "else", depth);
        break;
    case 5:
        buf_printf(out, "\"type\":%s", types[rng_below(rng, sizeof types / sizeof types[0])]);
        break;
    case 6:
        buf_printf(out,
                   "\"dependentSchemas\":{\"%s\":", names[rng_below(rng, sizeof names / sizeof names[0])]);
        put_schema(rng, out, depth - 1);
        buf_char(out, '}');
        break;
    case 7:
        buf_printf(out, "\"required\":[\"%s\"]", names[rng_below(rng, sizeof names / sizeof names[0])]);
        break;
    default:
        put_members(rng, out, depth);
        break;
    }
}

static void put_schema(struct rng *rng, struct buf *out, int depth)
{
    uint64_t way = rng_below(rng, 8);
    if (depth == 0 || way == 0)
        buf_puts(out, rng_below(rng, 3) ? "true" : "false");
    else if (way == 1)
        buf_puts(out, "{\"properties\":{\"a\":{\"$ref\":\"#/$defs/r\"}},\"additionalProperties\":true}");
    else {
        buf_char(out, '{');
        put_keyword(rng, out, depth);
        buf_char(out, '}');
    }
}

/* Every path of a value that matches. */
static int expect_paths(struct arena *arena, const struct schema *schema, const struct json *value,
                        const char *path, const char *source)
{
    int count = 0;
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < value->count; i++) {
        const char *below = arena_printf(arena, "%s.%.*s", path, STR_ARG(value->members[i].key)).data;
        cr_assert(schema_has_path(schema, str_from(below)), "%s can exist in %s", below, source);
        count += 1 + expect_paths(arena, schema, value->members[i].value, below, source);
    }
    return count;
}

static const struct json *parse(struct arena *arena, struct buf *text)
{
    const struct json *value;
    cr_assert(json_parse(arena, buf_str(text), LIMITS_DEFINITION_BYTES, &value, NULL) == ERR_OK, "%s",
              text->data);
    return value;
}

/* Paths and values seen. */
struct tally {
    int fine, wrong, paths, gaps;
};

static void try_value(struct arena *arena, struct rng *rng, const struct schema *schema, const char *source,
                      struct tally *tally)
{
    struct buf text;
    struct schema_problems problems = {.count = 0};
    buf_init(&text, arena);
    put_value(rng, &text, DEPTH);
    const struct json *value = parse(arena, &text);
    bool fine = schema_check(schema, value, arena, &problems);
    cr_assert_eq(fine, problems.count == 0);
    cr_assert_eq(fine, schema_check(schema, value, arena, NULL));
    tally->fine += fine;
    tally->wrong += !fine;
    if (fine)
        tally->paths += expect_paths(arena, schema, value, "", source);
    tally->gaps += !schema_has_path(schema, STR(".a.b"));
}

Test(schema_random, a_path_that_exists_is_never_refused)
{
    struct rng rng;
    struct tally tally = {0};
    rng_init(&rng, 3);
    for (int i = 0; i < SCHEMAS; i++) {
        struct arena arena;
        struct buf text;
        struct diag_list diags;
        arena_init(&arena, 0);
        buf_init(&text, &arena);
        diag_init(&diags, &arena, STR("random"), STR(""));
        buf_puts(&text, "{\"allOf\":[");
        put_schema(&rng, &text, DEPTH);
        buf_puts(&text, "],\"$defs\":{\"r\":");
        put_schema(&rng, &text, DEPTH - 1);
        buf_puts(&text, "}}");
        const struct schema *schema =
            schema_compile(&arena, parse(&arena, &text), (struct diag_place){1, 1, 1}, &diags);
        cr_assert(schema != NULL, "%s", buf_str(&text).data);
        for (int j = 0; j < VALUES; j++)
            try_value(&arena, &rng, schema, buf_str(&text).data, &tally);
        arena_fini(&arena);
    }
    fprintf(stderr, "random schemas: %d values match, %d do not, %d paths, %d gaps\n", tally.fine,
            tally.wrong, tally.paths, tally.gaps);
    cr_expect(tally.fine > SCHEMAS && tally.wrong > SCHEMAS && tally.paths > SCHEMAS && tally.gaps > SCHEMAS);
}
