/* Trees: access, building, copying, equality, writing for people. */
#include <signal.h>
#include <stdio.h>
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "tests/base/expect.h"

static struct arena arena;

static void begin(void)
{
    arena_init(&arena, 0);
}

static void end(void)
{
    arena_fini(&arena);
}

TestSuite(json_tree, .init = begin, .fini = end);

static const struct json *parse(const char *text)
{
    const struct json *value = NULL;
    struct err_note note = {""};
    enum err code = json_parse(&arena, str_from(text), LIMITS_PAYLOAD_BYTES, &value, &note);
    cr_assert(code == ERR_OK, "%s: %s", text, note.text);
    return value;
}

Test(json_tree, members_are_found_and_typed)
{
    const struct json *order =
        parse("{\"id\":\"o-1\",\"n\":-12,\"price\":1.0,\"big\":9223372036854775808,\"x\":null}");
    int64_t number = 5;
    EXPECT_TEXT(json_get_str(order, STR("id")), "o-1");
    EXPECT_TEXT(json_get_str(order, STR("n")), "");
    EXPECT_TEXT(json_get_str(order, STR("none")), "");
    cr_assert(json_get_i64(order, STR("n"), &number) && number == -12);
    cr_assert(!json_get_i64(order, STR("price"), &number) && !json_get_i64(order, STR("big"), &number));
    cr_assert(!json_get_i64(order, STR("id"), &number) && !json_get_i64(order, STR("none"), &number));
    cr_assert(number == -12);
    cr_assert(json_get(order, STR("x"))->kind == JSON_NULL);
    cr_assert(!json_get(NULL, STR("x")) && !json_get(&json_true, STR("x")) && !json_get(order, STR("I")));
}

Test(json_tree, built_trees_write_as_parsed_ones)
{
    const struct json *items[] = {json_new_i64(&arena, INT64_MIN), json_new_number(&arena, STR("19.90")),
                                  json_new_bool(true), json_new_bool(false), &json_null};
    struct json_member members[] = {
        {STR("list"), json_new_array(&arena, items, COUNT(items))},
        {STR("text"), json_new_string(&arena, STR("say \"hi\"\n"))},
        {STR("none"), json_new_object(&arena, NULL, 0)},
        {STR("nil"), json_new_array(&arena, NULL, 0)},
    };
    const struct json *built = json_new_object(&arena, members, COUNT(members));
    const char *text =
        "{\"list\":[-9223372036854775808,19.90,true,false,null],\"text\":\"say \\\"hi\\\"\\n\","
        "\"none\":{},\"nil\":[]}";
    EXPECT_TEXT(json_text(&arena, built), text);
    cr_assert(json_equal(built, parse(text)));
    struct json null = {.kind = JSON_NULL};
    cr_assert(json_equal(&null, &json_null), "a null need not be the shared one");
}

Test(json_tree, writes_indented_text_for_people)
{
    struct buf buf;
    buf_init(&buf, &arena);
    json_write_pretty(&buf, parse("{\"a\":[1,{\"b\":[]}],\"c\":{},\"d\":\"x\"}"), 0);
    EXPECT_TEXT(buf_str(&buf), "{\n"
                               "  \"a\": [\n"
                               "    1,\n"
                               "    {\n"
                               "      \"b\": []\n"
                               "    }\n"
                               "  ],\n"
                               "  \"c\": {},\n"
                               "  \"d\": \"x\"\n"
                               "}");
    buf_init(&buf, &arena);
    buf_puts(&buf, "  input: ");
    json_write_pretty(&buf, parse("[1]"), 1);
    EXPECT_TEXT(buf_str(&buf), "  input: [\n    1\n  ]");
}

Test(json_tree, writes_every_byte_of_a_string_so_that_it_comes_back)
{
    char all[0x80];
    for (int i = 0; i < 0x80; i++)
        all[i] = (char)(i + 1); /* U+0001 … U+007F, and one more byte below */
    struct str text = {all, 0x7f};
    struct buf buf;
    buf_init(&buf, &arena);
    json_write_string(&buf, text);
    const struct json *back = parse(buf_str(&buf).data);
    cr_assert(str_equal(back->text, text));
    buf_init(&buf, &arena);
    json_write_string(&buf, (struct str){0});
    json_write_string(&buf, (struct str){"a\0b", 3});
    EXPECT_TEXT(buf_str(&buf), "\"\"\"a\\u0000b\"");
}

Test(json_tree, equality_is_by_value)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"null", "null", true},
        {"null", "false", false},
        {"true", "true", true},
        {"true", "false", false},
        {"1", "1.0", true},
        {"1e2", "100", true},
        {"0", "-0.0e5", true},
        {"1", "1.0000000000000000000000001", false},
        {"1", "\"1\"", false},
        {"\"a\"", "\"\\u0061\"", true},
        {"\"a\"", "\"A\"", false},
        {"[1,2]", "[1,2.0]", true},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,1]", false},
        {"[]", "{}", false},
        {"{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}", true},
        {"{\"a\":1}", "{\"a\":2}", false},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"{\"a\":null}", "{}", false},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct json *a = parse(rows[i].a);
        const struct json *b = parse(rows[i].b);
        cr_assert(json_equal(a, b) == rows[i].equal, "%s and %s", rows[i].a, rows[i].b);
        cr_assert(json_equal(b, a) == rows[i].equal, "%s and %s", rows[i].b, rows[i].a);
        cr_assert(json_equal(a, a));
    }
}

/* Keys k0 … in an order shuffled by the seed; the value of one may be changed. */
static const struct json *shuffled(unsigned count, uint64_t seed, unsigned changed)
{
    struct json_member *members = arena_array(&arena, count, sizeof *members);
    struct rng rng;
    rng_init(&rng, seed);
    for (unsigned i = 0; i < count; i++)
        members[i] = (struct json_member){arena_printf(&arena, "k%u", i),
                                          json_new_i64(&arena, i == changed ? -1 : (int64_t)i)};
    for (unsigned i = count; i-- > 1;) {
        unsigned j = (unsigned)rng_below(&rng, i + 1);
        struct json_member swapped = members[i];
        members[i] = members[j];
        members[j] = swapped;
    }
    return json_new_object(&arena, members, count);
}

Test(json_tree, order_of_members_never_matters)
{
    for (unsigned count = 2; count < 300; count += 1 + count / 5) {
        const struct json *a = shuffled(count, 1, count);
        cr_assert(json_equal(a, shuffled(count, 2, count)), "%u members", count);
        cr_assert(!json_equal(a, shuffled(count, 2, count / 2)), "%u members", count);
    }
}

Test(json_tree, copies_stand_alone)
{
    struct arena other;
    arena_init(&other, 0);
    const char *text = "{\"a\":[1,2.50,null,true,false,\"x\\ty\",{\"b\":{}}],\"c\":[]}";
    const struct json *copy = json_copy(&other, parse(text));
    memset(arena_alloc(&arena, 100), '#', 100);
    arena_reset(&arena);
    EXPECT_TEXT(json_text(&other, copy), text);
    cr_assert(!json_copy(&other, NULL));
    arena_fini(&other);
}

static const struct json *tower(unsigned depth)
{
    const struct json *value = &json_null;
    for (unsigned i = 0; i < depth; i++) {
        const struct json **items = arena_array(&arena, 1, sizeof *items);
        items[0] = value;
        value = json_new_array(&arena, items, 1);
    }
    return value;
}

Test(json_tree, depth_of_built_trees_is_told)
{
    cr_assert(json_depth(&json_null) == 0 && json_depth(tower(1)) == 1 && json_depth(tower(300)) == 300);
    cr_assert(json_depth(parse("{\"a\":[],\"b\":[[1]],\"c\":1}")) == 3);
}

Test(json_tree, walks_are_bounded, .init = begin, .signal = SIGABRT)
{
    json_text(&arena, tower(LIMITS_JSON_BUILT_DEPTH + 1));
}
