/* What a start request means: input against its schema, key and search attributes. */
#include <stdio.h>

#include "engine/base/limits.h"
#include "tests/definition/support.h"

#define STEPS "steps: [{ id: x, command: a.b, compensate: none }]\n"

struct world {
    struct arena arena;
    const struct plan *plan;
    struct definition_start start;
};

static bool start(struct world *world, const char *header, const char *input, const char *key)
{
    struct diag_list diags;
    struct err_note note;
    const struct json *value = NULL;
    arena_init(&world->arena, 0);
    struct str text = arena_printf(&world->arena, "saga: a\nversion: 1\n%s" STEPS, header);
    world->plan = support_load_text(&world->arena, text, &diags);
    cr_assert(world->plan != NULL, "%s", support_render(&world->arena, &diags).data);
    if (input)
        cr_assert(json_parse(&world->arena, str_from(input), LIMITS_PAYLOAD_BYTES, &value, &note) == ERR_OK,
                  "%s", note.text);
    return definition_start(world->plan, value, str_from(key), &world->arena, &world->start);
}

static void expect_problem(const struct world *world, uint32_t index, const char *pointer,
                           const char *message)
{
    cr_assert(index < world->start.problems.count, "only %u problems", world->start.problems.count);
    const struct schema_problem *problem = &world->start.problems.items[index];
    support_expect_text("pointer", str_from(pointer), problem->pointer);
    support_expect_text("message", str_from(message), problem->message);
}

Test(start, key_and_search_come_from_the_input)
{
    struct world world;
    cr_expect(start(&world,
                    "key: ${ $input.id }\nsearch: { who: \"${ $input.who }\", none: \"${ $input.none }\" }\n",
                    "{\"id\": 12345678901234567890.10, \"who\": \"Ann\"}", ""));
    support_expect_text("key", STR("12345678901234567890.1"), world.start.key);
    support_expect_text("search", STR("{\"who\":\"Ann\"}"), json_text(&world.arena, world.start.search));
    arena_fini(&world.arena);
}

Test(start, a_given_key_wins)
{
    struct world world;
    cr_expect(start(&world, "key: ${ $input.id }\n", "{\"id\": 7}", "mine"));
    support_expect_text("key", STR("mine"), world.start.key);
    arena_fini(&world.arena);
}

Test(start, without_key_search_and_input)
{
    struct world world;
    cr_expect(start(&world, "", NULL, ""));
    cr_expect_eq(world.start.key.size, 0);
    support_expect_text("search", STR("{}"), json_text(&world.arena, world.start.search));
    arena_fini(&world.arena);
}

Test(start, input_against_its_schema)
{
    struct world world;
    cr_expect_not(
        start(&world,
              "input: { schema: { type: object, required: [id], additionalProperties: false, properties: "
              "{ id: { type: string }, lines: { items: { type: integer } } } } }\n",
              "{\"lines\": [1, 2.5], \"a/b~c\": 1}", "k"));
    cr_expect_eq(world.start.problems.count, 3);
    expect_problem(&world, 0, "/lines/1", "must be an integer, is a number");
    expect_problem(&world, 1, "", "lacks the member \"id\"");
    expect_problem(&world, 2, "/a~1b~0c", "is not allowed here");
    arena_fini(&world.arena);
}

Test(start, a_key_that_cannot_be)
{
    struct world world;
    cr_expect_not(start(&world, "key: ${ $input.id }\n", "{\"id\": [1]}", ""));
    expect_problem(&world, 0, "", "the key must be a text or a number, not a list or an object");
    arena_fini(&world.arena);
    cr_expect_not(start(&world, "key: ${ $input.id }\n", "{}", ""));
    expect_problem(&world, 0, "", "the key is empty: the input lacks what it is made of");
    arena_fini(&world.arena);
    cr_expect_not(start(&world, "key: ${ $input.id / 0 }\n", "{\"id\": 1}", ""));
    cr_expect(str_starts(world.start.problems.items[0].message, STR("the key cannot be computed: ")));
    arena_fini(&world.arena);
}

Test(start, a_key_or_attribute_that_is_too_long)
{
    struct world world;
    char input[LIMITS_KEY_BYTES + 64];
    char text[LIMITS_KEY_BYTES + 2];
    memset(text, 'x', sizeof text);
    text[LIMITS_KEY_BYTES + 1] = 0;
    snprintf(input, sizeof input, "{\"id\": \"%s\"}", text);
    cr_expect_not(start(&world, "key: ${ $input.id }\nsearch: { id: \"${ $input.id }\" }\n", input, ""));
    expect_problem(&world, 0, "", "the key must have at most 200 bytes");
    expect_problem(&world, 1, "", "the search attribute `id` must have at most 200 bytes");
    arena_fini(&world.arena);
    cr_expect_not(start(&world, "", "{}", text));
    expect_problem(&world, 0, "", "the key must have at most 200 bytes");
    text[LIMITS_KEY_BYTES] = 0;
    arena_fini(&world.arena);
    cr_expect(start(&world, "", "{}", text));
    arena_fini(&world.arena);
}

/* However it is written: else the same order would be started twice. */
Test(start, a_number_is_a_key_by_its_value)
{
    static const char *const same[][2] = {{"7", "7"},
                                          {"7.0", "7"},
                                          {"70e-1", "7"},
                                          {"0.7e+1", "7"},
                                          {"-7.50", "-7.5"},
                                          {"0", "0"},
                                          {"-0.0", "0"},
                                          {"0e9", "0"},
                                          {"19.90", "19.9"},
                                          {"0.001", "0.001"},
                                          {"1e-3", "0.001"},
                                          {"1e3", "1000"},
                                          {"1E30", "1e30"},
                                          {"10e399", "1e400"},
                                          {"12e-400", "1.2e-399"},
                                          {"9007199254740993", "9007199254740993"}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct world world;
        char input[64];
        snprintf(input, sizeof input, "{\"id\": %s}", same[i][0]);
        cr_expect(start(&world, "key: ${ $input.id }\n", input, ""), "%s", same[i][0]);
        support_expect_text(same[i][0], str_from(same[i][1]), world.start.key);
        arena_fini(&world.arena);
    }
}

Test(start, true_and_false_are_no_keys)
{
    struct world world;
    cr_expect_not(start(&world, "key: ${ $input.id == 1 }\n", "{\"id\": 1.0}", ""));
    expect_problem(&world, 0, "", "the key must be a text or a number, not true or false");
    arena_fini(&world.arena);
    cr_expect(start(&world, "search: { one: \"${ $input.id == 1 }\" }\n", "{\"id\": 1.0}", ""));
    arena_fini(&world.arena);
}

Test(start, a_key_holds_no_control_characters)
{
    static const char *const inputs[] = {"{\"id\": \"a\\nb\"}", "{\"id\": \"a\\tb\"}",
                                         "{\"id\": \"\\u007f\"}", "{\"id\": \"\\u0085\"}",
                                         "{\"id\": \"\\u001b[1m\"}"};
    struct world world;
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        cr_expect_not(start(&world, "key: ${ $input.id }\n", inputs[i], ""), "%s", inputs[i]);
        expect_problem(&world, 0, "", "the key holds a control character, such as a line feed or a tab");
        arena_fini(&world.arena);
    }
    cr_expect_not(start(&world, "", "{}", "a\nb"));
    arena_fini(&world.arena);
    cr_expect(start(&world, "", "{}", "\xc3\xa4 \xe2\x82\xac"));
    arena_fini(&world.arena);
}

/* The key of a start that is refused is needed too: there may be a saga that has it. */
Test(start, a_key_is_found_though_the_input_does_not_fit)
{
    struct world world;
    const struct json *value = NULL;
    struct err_note note;
    cr_expect_not(start(&world,
                        "key: ${ $input.id }\n"
                        "input: { schema: { properties: { id: {}, sum: { type: integer } } } }\n",
                        "{\"id\": 7.0, \"sum\": \"x\"}", ""));
    cr_assert(json_parse(&world.arena, STR("{\"id\": 7.0, \"sum\": \"x\"}"), 100, &value, &note) == ERR_OK);
    support_expect_text("key", STR("7"), definition_key(world.plan, value, STR(""), &world.arena));
    cr_assert(json_parse(&world.arena, STR("{\"id\": [7]}"), 100, &value, &note) == ERR_OK);
    cr_expect_eq(definition_key(world.plan, value, STR(""), &world.arena).size, 0);
    arena_fini(&world.arena);
}
