/* Values made from schemas match them, are the same for the same seed, and differ between seeds where they
 * can. */
#include <criterion/criterion.h>

#include "engine/model/values.h"

enum { SEEDS = 40 };

static const struct schema *compile(struct arena *arena, const char *text)
{
    const struct json *source = NULL;
    struct err_note note = {""};
    struct diag_list diags;
    struct buf out;
    cr_assert(json_parse(arena, str_from(text), SIZE_MAX, &source, &note) == ERR_OK, "%s", note.text);
    diag_init(&diags, arena, STR("schema"), str_from(text));
    const struct schema *schema = schema_compile(arena, source, (struct diag_place){1, 1, 1}, &diags);
    buf_init(&out, arena);
    diag_render(&diags, &out);
    cr_assert(schema != NULL, "%s", buf_str(&out).data);
    return schema;
}

static struct str make(const struct schema *schema, uint64_t seed, struct arena *arena)
{
    struct rng rng;
    rng_init(&rng, seed);
    const struct json *value = values_make(schema, &rng, arena);
    return value ? json_text(arena, value) : STR("none");
}

/* How many different values the seeds give. Each must match: values_make has checked that, and is checked
 * here again. */
static unsigned try_schema(const char *text)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct schema *schema = compile(&arena, text);
    struct str seen[SEEDS];
    unsigned different = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const struct json *value = NULL;
        struct err_note note = {""};
        struct str made = make(schema, seed, &arena);
        cr_expect(!str_equal(made, STR("none")), "%s: nothing made of seed %u", text, (unsigned)seed);
        cr_assert(json_parse(&arena, made, SIZE_MAX, &value, &note) == ERR_OK, "%s: %s", made.data,
                  note.text);
        cr_expect(schema_check(schema, value, &arena, NULL), "%s does not match %s", made.data, text);
        cr_expect(str_equal(made, make(schema, seed, &arena)), "seed %u gives two values", (unsigned)seed);
        bool is_new = true;
        for (uint64_t i = 0; i < seed; i++)
            is_new = is_new && !str_equal(seen[i], made);
        seen[seed] = made;
        different += is_new;
    }
    arena_fini(&arena);
    return different;
}

struct sample {
    const char *schema;
    unsigned least; /* different values of SEEDS seeds */
};
static const struct sample samples[] = {
    {"true", 2},
    {"{\"const\":{\"a\":1.50}}", 1},
    {"{\"enum\":[1,\"two\",null]}", 3},
    {"{\"type\":\"integer\",\"minimum\":3,\"maximum\":5}", 3},
    {"{\"type\":\"integer\",\"exclusiveMinimum\":3,\"exclusiveMaximum\":5}", 1},
    {"{\"type\":\"integer\",\"maximum\":-7}", 5},
    {"{\"type\":\"number\",\"exclusiveMinimum\":0,\"multipleOf\":0.01}", 10},
    {"{\"type\":\"number\",\"minimum\":-0.5,\"maximum\":0.5,\"multipleOf\":0.25}", 4},
    {"{\"type\":\"integer\",\"multipleOf\":1000,\"minimum\":1}", 5},
    {"{\"type\":\"string\",\"minLength\":20,\"maxLength\":24}", 2},
    {"{\"type\":\"string\",\"maxLength\":1}", 2},
    {"{\"type\":\"string\",\"pattern\":\"^O-[0-9]{4,10}$\"}", 20},
    {"{\"type\":\"string\",\"pattern\":\"^(EUR|USD|[A-Z]{3}\\\\d?)(?:-x+)*$\"}", 3},
    {"{\"type\":\"string\",\"pattern\":\"[^a-z\\\\s]\\\\.\\\\w+\"}", 10},
    {"{\"type\":\"string\",\"format\":\"date-time\"}", 10},
    {"{\"type\":\"string\",\"format\":\"date\"}", 5},
    {"{\"type\":\"string\",\"format\":\"time\"}", 5},
    {"{\"type\":\"string\",\"format\":\"duration\"}", 5},
    {"{\"type\":\"string\",\"format\":\"email\"}", 5},
    {"{\"type\":\"string\",\"format\":\"ipv4\"}", 5},
    {"{\"type\":\"string\",\"format\":\"ipv6\"}", 5},
    {"{\"type\":\"string\",\"format\":\"uuid\"}", 5},
    {"{\"type\":\"string\",\"format\":\"uri\"}", 5},
    {"{\"type\":[\"string\",\"null\"]}", 3},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":3,\"uniqueItems\":"
     "true}",
     10},
    {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"boolean\"}],\"minItems\":2}", 5},
    {"{\"type\":\"array\",\"contains\":{\"const\":7},\"minContains\":2}", 3},
    {"{\"type\":\"object\",\"required\":[\"a\",\"b\"],\"properties\":{\"a\":{\"type\":\"integer\"},"
     "\"c\":{\"type\":\"string\"}},\"additionalProperties\":{\"type\":\"boolean\"}}",
     10},
    {"{\"required\":[\"x-1\"],\"patternProperties\":{\"^x-\":{\"type\":\"integer\"}},"
     "\"additionalProperties\":false}",
     10},
    {"{\"type\":\"object\",\"properties\":{\"a\":true,\"b\":true},\"minProperties\":2}", 3},
    {"{\"type\":\"object\",\"properties\":{\"card\":{\"type\":\"integer\"}},"
     "\"dependentRequired\":{\"card\":[\"name\"]}}",
     3},
    {"{\"allOf\":[{\"type\":\"object\",\"required\":[\"a\"]},{\"properties\":{\"a\":{\"type\":\"integer\"}}},"
     "{\"properties\":{\"a\":{\"minimum\":5}}}]}",
     5},
    {"{\"type\":\"object\",\"required\":[\"payment\"],\"properties\":{\"payment\":{\"oneOf\":["
     "{\"required\":[\"card\"],\"properties\":{\"kind\":{\"const\":\"card\"},\"card\":{\"type\":\"string\"}}}"
     ","
     "{\"required\":[\"iban\"],\"properties\":{\"kind\":{\"const\":\"debit\"},\"iban\":{\"type\":\"string\"}}"
     "}"
     "]}}}",
     5},
    {"{\"type\":\"object\",\"required\":[\"kind\"],\"properties\":{\"kind\":{\"enum\":[\"debit\",\"card\"]}},"
     "\"if\":{\"properties\":{\"kind\":{\"const\":\"debit\"}}},\"then\":{\"required\":[\"iban\"]}}",
     2},
    {"{\"type\":\"integer\",\"not\":{\"multipleOf\":2}}", 5},
    {"{\"$ref\":\"#/$defs/tree\",\"$defs\":{\"tree\":{\"type\":\"object\",\"properties\":{\"left\":"
     "{\"$ref\":\"#/$defs/tree\"},\"right\":{\"$ref\":\"#/$defs/tree\"}}}}}",
     3},
};

Test(values, match_their_schemas)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        unsigned different = try_schema(samples[i].schema);
        cr_expect(different >= samples[i].least, "%s: only %u different values", samples[i].schema,
                  different);
    }
}

Test(values, without_a_schema_an_empty_object)
{
    struct arena arena;
    arena_init(&arena, 0);
    cr_expect_str_eq(make(NULL, 1, &arena).data, "{}");
    arena_fini(&arena);
}

Test(values, none_where_nothing_matches)
{
    struct arena arena;
    arena_init(&arena, 0);
    cr_expect_str_eq(make(compile(&arena, "{\"not\":{}}"), 1, &arena).data, "none");
    cr_expect_str_eq(
        make(compile(&arena, "{\"type\":\"string\",\"minLength\":5,\"maxLength\":4}"), 1, &arena).data,
        "none");
    arena_fini(&arena);
}

Test(values, a_pattern_of_empty_loops_ends)
{
    struct arena arena;
    arena_init(&arena, 0);
    const char *text = "{\"type\":\"string\",\"pattern\":\"^((((((((((((((((((((((((((((((a?)*)*)*)*)*)*)*)*)"
                       "*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*$\"}";
    cr_expect_str_neq(make(compile(&arena, text), 1, &arena).data, "none");
    arena_fini(&arena);
}
