/* The reader and the writer of JSON. What is read, written and read again is the same value and the same
 * bytes; numbers are ordered, as strtod orders them; equality is one. */
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"

enum { NUMBERS_MAX = 12 };

struct numbers {
    struct str texts[NUMBERS_MAX];
    unsigned count;
};

static void collect(const struct json *value, struct arena *arena, struct numbers *numbers)
{
    if (value->kind == JSON_NUMBER && numbers->count < NUMBERS_MAX)
        numbers->texts[numbers->count++] = arena_copy(arena, value->text);
    for (uint32_t i = 0; i < value->count; i++)
        collect(value->kind == JSON_ARRAY ? value->items[i] : value->members[i].value, arena, numbers);
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

/* Rounding to a double keeps the order, so what strtod tells apart must be told apart the same way. */
static void check_pair(struct arena *arena, struct str a, struct str b)
{
    int order = sign(json_number_compare(a, b));
    check(order == -sign(json_number_compare(b, a)));
    check((order == 0) == json_equal(json_new_number(arena, a), json_new_number(arena, b)));
    double left = strtod(a.data, NULL);
    double right = strtod(b.data, NULL);
    check(!(left < right) || order < 0);
    check(!(left > right) || order > 0);
}

static void check_numbers(struct arena *arena, const struct numbers *numbers)
{
    const struct str *texts = numbers->texts;
    for (unsigned i = 0; i < numbers->count; i++) {
        int64_t number;
        check(json_number_compare(texts[i], texts[i]) == 0);
        if (json_to_i64(json_new_number(arena, texts[i]), &number))
            check(json_number_compare(texts[i], json_new_i64(arena, number)->text) == 0);
        for (unsigned j = 0; j < numbers->count; j++) {
            check_pair(arena, texts[i], texts[j]);
            for (unsigned k = 0; k < numbers->count; k++)
                check(json_number_compare(texts[i], texts[j]) > 0 ||
                      json_number_compare(texts[j], texts[k]) > 0 ||
                      json_number_compare(texts[i], texts[k]) <= 0);
        }
    }
}

static void check_value(struct arena *arena, const struct json *value)
{
    struct str text = json_text(arena, value);
    const struct json *again = fuzz_is_json(arena, text);
    struct buf pretty;
    buf_init(&pretty, arena);
    json_write_pretty(&pretty, value, 2);
    check(str_is_utf8(text));
    check(str_equal(text, json_text(arena, again)));
    check(json_equal(value, again) && json_equal(again, value));
    check(json_equal(value, fuzz_is_json(arena, buf_str(&pretty))));
    check(json_equal(value, json_copy(arena, value)));
    check(json_depth(value) <= LIMITS_JSON_DEPTH && json_depth(value) == json_depth(again));
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < value->count; i++)
        check(json_get(value, value->members[i].key) == value->members[i].value);
}

static const struct json *read_one(struct arena *arena, struct str text, struct numbers *numbers)
{
    const struct json *value = NULL;
    struct err_note note = {""};
    if (json_parse(arena, text, LIMITS_PAYLOAD_BYTES, &value, &note) != ERR_OK) {
        check(note.text[0] != '\0' && value == NULL);
        return NULL;
    }
    check(str_is_utf8(text));
    check_value(arena, value);
    collect(value, arena, numbers);
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct numbers numbers = {.count = 0};
    struct arena arena;
    arena_init(&arena, 0);
    struct str first = fuzz_part(&rest);
    const struct json *a = read_one(&arena, first, &numbers);
    const struct json *b = read_one(&arena, rest, &numbers);
    if (a && b) {
        check(json_equal(a, b) == json_equal(b, a));
        check(!str_equal(json_text(&arena, a), json_text(&arena, b)) || json_equal(a, b));
    }
    check_numbers(&arena, &numbers);
    arena_fini(&arena);
    return 0;
}
