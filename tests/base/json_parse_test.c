/* What the JSON reader takes, and the exact sentence for what it refuses. */
#include <stdio.h>
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "tests/base/expect.h"
#include "tests/support/effort.h"

static struct arena arena;

static void begin(void)
{
    arena_init(&arena, 0);
}

static void end(void)
{
    arena_fini(&arena);
}

TestSuite(json_parse, .init = begin, .fini = end);

static void expect_refused(struct str text, enum err code, const char *message)
{
    const struct json *value = &json_true;
    struct err_note note = {""};
    enum err got = json_parse(&arena, text, LIMITS_PAYLOAD_BYTES, &value, &note);
    cr_assert(got == code, "%.*s: %s", STR_ARG(text), err_text(got));
    EXPECT_TEXT(str_from(note.text), message);
    cr_assert(value == &json_true, "a refused text leaves the result alone");
}

static const struct json *parse(struct str text)
{
    const struct json *value = NULL;
    struct err_note note = {""};
    enum err code = json_parse(&arena, text, LIMITS_PAYLOAD_BYTES, &value, &note);
    cr_assert(code == ERR_OK, "%.*s: %s", STR_ARG(text), note.text);
    return value;
}

Test(json_parse, takes_each_kind_and_writes_it_compact)
{
    static const struct {
        const char *text;
        const char *written;
    } rows[] = {
        {"null", "null"},
        {" true ", "true"},
        {"\t\r\nfalse\n", "false"},
        {"0", "0"},
        {"-0", "-0"},
        {"19.90", "19.90"},
        {"-0.0e-0", "-0.0e-0"},
        {"1E+400", "1E+400"},
        {"123456789012345678901234567890.000", "123456789012345678901234567890.000"},
        {"\"\"", "\"\""},
        {"\"a\\/b\"", "\"a/b\""},
        {"\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\"\\\\\\b\\f\\n\\r\\t\""},
        {"\"\\u0001\\u001F\\u007f\"", "\"\\u0001\\u001f\x7f\""},
        {"\"\\u00e9\\u20AC\\ud83d\\uDE00\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\"\xc3\xa9\"", "\"\xc3\xa9\""},
        {"\"\\uffff\\ud7ff\\ue000\"", "\"\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80\""},
        {"[]", "[]"},
        {"[ ]", "[]"},
        {"{ }", "{}"},
        {"[1 , [ 2,3 ] ,{ } ]", "[1,[2,3],{}]"},
        {"{\"b\" : 1 , \"a\":[ null ]}", "{\"b\":1,\"a\":[null]}"},
        {"{\"\":0,\" \":1}", "{\"\":0,\" \":1}"},
        {"{\"a\":{\"a\":{\"a\":1}}}", "{\"a\":{\"a\":{\"a\":1}}}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        EXPECT_TEXT(json_text(&arena, parse(str_from(rows[i].text))), rows[i].written);
}

static const struct {
    const char *text;
    const char *message;
} refused[] = {
    {"", "1:1: expected a value, found the end"},
    {" \n ", "2:2: expected a value, found the end"},
    {"nul", "1:1: expected a value, found 'n'"},
    {"True", "1:1: expected a value, found 'T'"},
    {"NaN", "1:1: expected a value, found 'N'"},
    {"Infinity", "1:1: expected a value, found 'I'"},
    {"nullx", "1:5: expected the end, found 'x'"},
    {"1 2", "1:3: expected the end, found '2'"},
    {"{} {}", "1:4: expected the end, found '{'"},
    {"'a'", "1:1: expected a value, found '''"},
    {"\xef\xbb\xbf{}", "1:1: expected a value, found '\xef\xbb\xbf'"},
    {"\xe2\x82\xac", "1:1: expected a value, found '\xe2\x82\xac'"},
    {"\f1", "1:1: expected a value, found byte 0x0c"},
    {"// c\n1", "1:1: expected a value, found '/'"},
    {"01", "1:1: a number does not begin with 0"},
    {"-012", "1:2: a number does not begin with 0"},
    {"+1", "1:1: expected a value, found '+'"},
    {".5", "1:1: expected a value, found '.'"},
    {"-", "1:2: expected a digit, found the end"},
    {"-a", "1:2: expected a digit, found 'a'"},
    {"1.", "1:3: expected a digit, found the end"},
    {"[1.]", "1:4: expected a digit, found ']'"},
    {"1e", "1:3: expected a digit, found the end"},
    {"1e+", "1:4: expected a digit, found the end"},
    {"1.5.2", "1:4: expected the end, found '.'"},
    {"0x10", "1:2: expected the end, found 'x'"},
    {"1_000", "1:2: expected the end, found '_'"},
    {"[", "1:2: expected a value, found the end"},
    {"[1", "1:3: expected ',' or ']', found the end"},
    {"[1 2]", "1:4: expected ',' or ']', found '2'"},
    {"[1,]", "1:4: expected a value, found ']'"},
    {"[,1]", "1:2: expected a value, found ','"},
    {"[1}", "1:3: expected ',' or ']', found '}'"},
    {"{", "1:2: expected a key in quotes, found the end"},
    {"{a:1}", "1:2: expected a key in quotes, found 'a'"},
    {"{1:1}", "1:2: expected a key in quotes, found '1'"},
    {"{\"a\"}", "1:5: expected ':', found '}'"},
    {"{\"a\" 1}", "1:6: expected ':', found '1'"},
    {"{\"a\":}", "1:6: expected a value, found '}'"},
    {"{\"a\":1,}", "1:8: expected a key in quotes, found '}'"},
    {"{\"a\":1]", "1:7: expected ',' or '}', found ']'"},
    {"{\n  \"a\": 1,\n  \"b\": x\n}", "3:8: expected a value, found 'x'"},
    {"\"abc", "1:1: string is not closed"},
    {"[\"abc]", "1:2: string is not closed"},
    {"\"a\\\"", "1:1: string is not closed"},
    {"\"a\nb\"", "1:3: control character in a string: write it as an escape"},
    {"\"0123456789\tb\"", "1:12: control character in a string: write it as an escape"},
    {"\"a\\x\"", "1:3: unknown escape: allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"},
    {"\"\\", "1:2: unknown escape: allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"},
    {"\"\\u12\"", "1:2: \\u needs four hexadecimal digits"},
    {"\"\\u12g4\"", "1:2: \\u needs four hexadecimal digits"},
    {"\"\\u", "1:2: \\u needs four hexadecimal digits"},
    {"\"ab\\u0000\"", "1:4: \\u0000 is not allowed"},
    {"{\"\\u0000\":1}", "1:3: \\u0000 is not allowed"},
    {"\"\\ud800\"", "1:2: half of a surrogate pair without its other half"},
    {"\"\\udfff\"", "1:2: half of a surrogate pair without its other half"},
    {"\"\\ud800\\ud800\"", "1:2: half of a surrogate pair without its other half"},
    {"\"\\ud800\\n\"", "1:2: half of a surrogate pair without its other half"},
    {"\"\\ud800\\u12\"", "1:2: half of a surrogate pair without its other half"},
    {"{\"a\":1,\"b\":2,\"a\":3}", "1:14: duplicate key \"a\""},
    {"{\"a\":1,\n\"\\u0061\":2}", "2:1: duplicate key \"a\""},
    {"[{\"\":1,\"\":2}]", "1:8: duplicate key of 0 bytes"},
};

Test(json_parse, refuses_with_place_and_reason)
{
    for (size_t i = 0; i < COUNT(refused); i++)
        expect_refused(str_from(refused[i].text), ERR_INVALID, refused[i].message);
}

Test(json_parse, refuses_zero_bytes_and_bad_utf8_with_their_place)
{
    expect_refused((struct str){"\"a\0b\"", 5}, ERR_INVALID,
                   "1:3: control character in a string: write it as an escape");
    expect_refused((struct str){"1\0", 2}, ERR_INVALID, "1:2: expected the end, found byte 0x00");
    expect_refused((struct str){"\0", 1}, ERR_INVALID, "1:1: expected a value, found byte 0x00");
    expect_refused(STR("{\n\"\xc3\x28\":1}"), ERR_INVALID, "2:2: not UTF-8: byte 0xc3");
    expect_refused(STR("\"\xed\xa0\x80\""), ERR_INVALID, "1:2: not UTF-8: byte 0xed");
    expect_refused(STR("\"\xc0\x80\""), ERR_INVALID, "1:2: not UTF-8: byte 0xc0");
    expect_refused((struct str){0}, ERR_INVALID, "1:1: expected a value, found the end");
}

/* `depth` levels, alternately arrays and objects, around one number. */
static struct str nested(unsigned depth)
{
    struct buf buf;
    buf_init(&buf, &arena);
    for (unsigned i = 0; i < depth; i++)
        buf_puts(&buf, i % 2 ? "{\"a\":" : "[");
    buf_puts(&buf, "1");
    for (unsigned i = depth; i-- > 0;)
        buf_puts(&buf, i % 2 ? "}" : "]");
    return buf_str(&buf);
}

Test(json_parse, nests_64_levels_and_no_more)
{
    cr_assert(json_depth(parse(nested(0))) == 0);
    const struct json *deepest = parse(nested(64));
    cr_assert(json_depth(deepest) == 64);
    EXPECT_TEXT(json_text(&arena, deepest), nested(64).data);
    expect_refused(nested(65), ERR_LIMIT, "1:193: nested deeper than 64 levels");
    char brackets[20000];
    memset(brackets, '[', sizeof brackets);
    expect_refused((struct str){brackets, sizeof brackets}, ERR_LIMIT, "1:65: nested deeper than 64 levels");
    parse(STR("[[],[],[[[]]],{\"a\":{}}]")); /* depth counts what is open, not what there is */
}

Test(json_parse, takes_exactly_size_max_bytes)
{
    const struct json *value;
    struct err_note note;
    cr_assert(json_parse(&arena, STR("[1,2]"), 5, &value, &note) == ERR_OK);
    cr_assert(json_parse(&arena, STR("[1,2] "), 5, &value, &note) == ERR_LIMIT);
    EXPECT_TEXT(str_from(note.text), "1:1: 6 bytes, the limit is 5");
    cr_assert(json_parse(&arena, STR("x"), 5, &value, NULL) == ERR_INVALID, "the note may be left out");
}

Test(json_parse, result_does_not_need_the_text)
{
    char text[] = "{\"key\":[\"value\",12.50,\"\\u00e9\"]}";
    const struct json *value = parse(str_from(text));
    memset(text, '#', sizeof text);
    EXPECT_TEXT(json_text(&arena, value), "{\"key\":[\"value\",12.50,\"\xc3\xa9\"]}");
}

/* An object of `count` keys; the one at `repeat` (if below count) is called as the first. */
static struct str wide(unsigned count, unsigned repeat)
{
    struct buf buf;
    buf_init(&buf, &arena);
    buf_char(&buf, '{');
    for (unsigned i = 0; i < count; i++)
        buf_printf(&buf, "%s\n\"k%05u\":%u", i ? "," : "", i == repeat ? 0 : i, i);
    buf_char(&buf, '}');
    return buf_str(&buf);
}

Test(json_parse, finds_a_duplicate_in_objects_of_any_size)
{
    for (unsigned count = 1; count < 200; count++) {
        const struct json *value = parse(wide(count, count));
        cr_assert(value->count == count);
        char message[64];
        for (unsigned repeat = 1; repeat < count; repeat += 1 + count / 8) {
            snprintf(message, sizeof message, "%u:1: duplicate key \"k00000\"", repeat + 2);
            expect_refused(wide(count, repeat), ERR_INVALID, message);
        }
        arena_reset(&arena);
    }
}

Test(json_parse, names_the_first_of_several_duplicates)
{
    struct buf buf;
    buf_init(&buf, &arena);
    buf_char(&buf, '{');
    for (int i = 0; i < 30; i++)
        buf_printf(&buf, "\"%c\":1,", 'z' - i % 20);
    buf_puts(&buf, "\"a\":1}");
    expect_refused(buf_str(&buf), ERR_INVALID, "1:122: duplicate key \"z\"");
    char key[300];
    memset(key, 'k', sizeof key);
    struct str text = arena_printf(&arena, "{\"%.100s\":1,\"%.100s\":2}", key, key);
    expect_refused(text, ERR_INVALID, "1:107: duplicate key of 100 bytes");
    expect_refused(STR("{\"4111 1111\":1,\"4111 1111\":2}"), ERR_INVALID, "1:16: duplicate key of 9 bytes");
}

Test(json_parse, is_not_slow_on_objects_of_many_keys)
{
    enum { KEYS = 15000 };
    struct str text = wide(KEYS, KEYS);
    struct effort effort = effort_begin();
    cr_assert(parse(text)->count == KEYS);
    int64_t spent = effort_us(effort);
    /* About 5 ms with sanitizers; comparing each with each would take a hundred million comparisons. */
    cr_assert(spent < 200000, "%lld us", (long long)spent);
}

Test(json_parse, long_arrays_and_strings_come_back)
{
    struct buf text;
    buf_init(&text, &arena);
    buf_char(&text, '[');
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "%s%d,[\"%0*d\"]", i ? "," : "", i, i % 70 + 1, i);
    buf_char(&text, ']');
    const struct json *value = parse(buf_str(&text));
    cr_assert(value->count == 10000 && value->items[9999]->kind == JSON_ARRAY);
    EXPECT_TEXT(json_text(&arena, value), buf_str(&text).data);
}

/* A special character at each place around the eight bytes that are read at once. */
Test(json_parse, escapes_are_found_at_every_offset)
{
    for (int before = 0; before < 20; before++) {
        for (int after = 0; after < 20; after++) {
            struct str text = arena_printf(&arena, "\"%.*s\\n%.*s\"", before, "abcdefghijklmnopqrst", after,
                                           "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                           "\xc3\xa9\xc3\xa9");
            if (after % 2)
                continue; /* would cut a character */
            const struct json *value = parse(text);
            cr_assert(value->text.size == (size_t)(before + 1 + after));
            cr_assert(value->text.data[before] == '\n');
            EXPECT_TEXT(json_text(&arena, value), text.data);
        }
    }
}
