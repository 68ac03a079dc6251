/* A recursive reader over one private copy of the text. Strings are decoded in place: an escape is never
 * shorter than what it stands for, so a decoded string fits where it stood, and a value costs one node and
 * nothing else.
 *
 * Members and items wait on a stack shared by all levels until their bracket closes and their number is
 * known. Errors unwind by false; the first one wrote the note. Places are told from the original text. */
#include "engine/base/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/json_scan.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

enum { FIRST_STACK = 64 };

struct parser {
    struct arena *arena;
    const char *source; /* as given, for places in errors */
    char *text;         /* the copy; a NUL stands behind it, which no rule accepts: it ends every loop */
    char *at;
    char *end;
    struct json_member *stack; /* of values (and keys) whose bracket is still open */
    size_t stack_count;
    size_t stack_room;
    unsigned depth;
    enum err code;
    struct err_note *note;
    struct json_member first_stack[FIRST_STACK];
};

struct place {
    size_t line, column;
};

static struct place place_of(const char *source, size_t offset)
{
    struct place place = {1, 1};
    for (size_t i = 0; i < offset; i++) {
        place.column++;
        if (source[i] == '\n')
            place = (struct place){place.line + 1, 1};
    }
    return place;
}

/* Refuses at a place of the copy. The message is a literal or short text of ours. */
static bool fail(struct parser *parser, const char *at, const char *message)
{
    struct place place = place_of(parser->source, (size_t)(at - parser->text));
    parser->code = err_note(parser->note, ERR_INVALID, "%zu:%zu: %s", place.line, place.column, message);
    return false;
}

/* Says what was expected at the cursor and what stands there; the text is known to be UTF-8. */
static bool fail_expected(struct parser *parser, const char *expected)
{
    unsigned char c = (unsigned char)*parser->at;
    char message[128];
    if (parser->at == parser->end)
        snprintf(message, sizeof message, "expected %s, found the end", expected);
    else if (c < 0x20 || c == 0x7f)
        snprintf(message, sizeof message, "expected %s, found byte 0x%02x", expected, c);
    else {
        int size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        snprintf(message, sizeof message, "expected %s, found '%.*s'", expected, size, parser->at);
    }
    return fail(parser, parser->at, message);
}

static void skip_space(struct parser *parser)
{
    char *at = parser->at;
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    parser->at = at;
}

/* Outside the arena, because it ends with the parse and the arena lives on. */
static void grow_stack(struct parser *parser)
{
    bool first = parser->stack == parser->first_stack;
    parser->stack_room *= 2;
    parser->stack = memory_resize(first ? NULL : parser->stack, parser->stack_room, sizeof *parser->stack);
    if (first)
        memcpy(parser->stack, parser->first_stack, sizeof parser->first_stack);
}

static void push(struct parser *parser, struct str key, const struct json *value)
{
    if (parser->stack_count == parser->stack_room)
        grow_stack(parser);
    parser->stack[parser->stack_count++] = (struct json_member){key, value};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* The number of the four digits behind \u, or -1. Stops at the NUL behind the text. */
static int32_t hex_four(const char *at)
{
    int32_t number = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        number = number * 16 + digit;
    }
    return number;
}

static char *put_utf8(char *to, int32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* \uXXXX with the cursor at its backslash: one character, or two halves of one. */
static bool parse_unicode(struct parser *parser, char **to)
{
    const char *at = parser->at;
    int32_t code = hex_four(at + 2);
    if (code < 0)
        return fail(parser, at, "\\u needs four hexadecimal digits");
    if (code == 0)
        return fail(parser, at, "\\u0000 is not allowed");
    parser->at += 6;
    if (code >= 0xd800 && code <= 0xdfff) {
        int32_t low = at[6] == '\\' && at[7] == 'u' ? hex_four(at + 8) : -1;
        if (code > 0xdbff || low < 0xdc00 || low > 0xdfff)
            return fail(parser, at, "half of a surrogate pair without its other half");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        parser->at += 6;
    }
    *to = put_utf8(*to, code);
    return true;
}

static bool parse_escape(struct parser *parser, char **to)
{
    static const char meanings[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                       ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    if (parser->at[1] == 'u')
        return parse_unicode(parser, to);
    char meaning = meanings[(unsigned char)parser->at[1]];
    if (!meaning)
        return fail(parser, parser->at,
                    "unknown escape: allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    *(*to)++ = meaning;
    parser->at += 2;
    return true;
}

/* With the cursor at the opening quote; leaves it behind the closing one. */
static bool parse_string(struct parser *parser, struct str *text)
{
    char *begin = parser->at + 1;
    char *to = begin;
    parser->at = begin;
    for (;;) {
        char *run = parser->at;
        char *stop = run + (json_scan_plain(run, parser->end) - run);
        size_t size = (size_t)(stop - run);
        if (to != run)
            memmove(to, run, size);
        to += size;
        parser->at = stop;
        if (stop == parser->end)
            return fail(parser, begin - 1, "string is not closed");
        if (*stop == '"')
            break;
        if (*stop != '\\')
            return fail(parser, stop, "control character in a string: write it as an escape");
        if (!parse_escape(parser, &to))
            return false;
    }
    parser->at++;
    *text = (struct str){begin, (size_t)(to - begin)};
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool skip_digits(struct parser *parser)
{
    if (!is_digit(*parser->at))
        return fail_expected(parser, "a digit");
    while (is_digit(*parser->at))
        parser->at++;
    return true;
}

static bool parse_number(struct parser *parser, const struct json **value)
{
    char *begin = parser->at;
    if (*parser->at == '-')
        parser->at++;
    if (parser->at[0] == '0' && is_digit(parser->at[1]))
        return fail(parser, parser->at, "a number does not begin with 0");
    if (!skip_digits(parser))
        return false;
    if (*parser->at == '.') {
        parser->at++;
        if (!skip_digits(parser))
            return false;
    }
    if (*parser->at == 'e' || *parser->at == 'E') {
        parser->at++;
        if (*parser->at == '+' || *parser->at == '-')
            parser->at++;
        if (!skip_digits(parser))
            return false;
    }
    *value = json_new_number(parser->arena, (struct str){begin, (size_t)(parser->at - begin)});
    return true;
}

static bool parse_word(struct parser *parser, struct str word, const struct json *meaning,
                       const struct json **value)
{
    struct str rest = {parser->at, (size_t)(parser->end - parser->at)};
    if (!str_starts(rest, word))
        return fail_expected(parser, "a value");
    parser->at += word.size;
    *value = meaning;
    return true;
}

/* By key, then by place. */
static int compare_keys(const void *left, const void *right)
{
    const struct str *a = left;
    const struct str *b = right;
    int order = str_compare(*a, *b);
    return order ? order : (a->data > b->data) - (a->data < b->data);
}

/* The first key of the text that repeats an earlier one, or an empty str with NULL data. */
static struct str find_repeated(const struct json_member *members, uint32_t count)
{
    for (uint32_t i = 1; count <= LIMITS_JSON_PAIRS && i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (str_equal(members[i].key, members[j].key))
                return members[i].key;
        }
    }
    struct str found = {0};
    if (count <= LIMITS_JSON_PAIRS)
        return found;
    struct str *keys = memory_new(count, sizeof *keys);
    for (uint32_t i = 0; i < count; i++)
        keys[i] = members[i].key;
    qsort(keys, count, sizeof *keys, compare_keys);
    for (uint32_t i = 1; i < count; i++) {
        if (str_equal(keys[i - 1], keys[i]) && (!found.data || keys[i].data < found.data))
            found = keys[i];
    }
    memory_free(keys);
    return found;
}

/* A name as people give to members. Other keys may be data, the number of a card in a map, and messages name
 * no data. */
static bool is_word(struct str key)
{
    for (size_t i = 0; i < key.size; i++) {
        char c = key.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || (c != '-' && c != '.' && (c < '0' || c > '9'))))
            return false;
    }
    return key.size > 0 && key.size <= LIMITS_JSON_SHOWN_BYTES;
}

static bool fail_repeated(struct parser *parser, struct str key)
{
    char message[LIMITS_JSON_SHOWN_BYTES + 64];
    if (is_word(key))
        snprintf(message, sizeof message, "duplicate key \"%.*s\"", STR_ARG(key));
    else
        snprintf(message, sizeof message, "duplicate key of %zu bytes", key.size);
    return fail(parser, key.data - 1, message);
}

static bool parse_value(struct parser *parser, const struct json **value);

/* Behind an item: true and *more when a comma follows, true and not *more when the bracket closes. */
static bool parse_between(struct parser *parser, char close, const char *expected, bool *more)
{
    skip_space(parser);
    *more = *parser->at == ',';
    if (!*more && *parser->at != close)
        return fail_expected(parser, expected);
    parser->at++;
    return true;
}

static bool parse_items(struct parser *parser)
{
    bool more = true;
    while (more) {
        const struct json *item;
        if (!parse_value(parser, &item))
            return false;
        push(parser, (struct str){0}, item);
        if (!parse_between(parser, ']', "',' or ']'", &more))
            return false;
    }
    return true;
}

static bool parse_members(struct parser *parser)
{
    bool more = true;
    while (more) {
        struct str key;
        const struct json *member;
        skip_space(parser);
        if (*parser->at != '"')
            return fail_expected(parser, "a key in quotes");
        if (!parse_string(parser, &key))
            return false;
        skip_space(parser);
        if (*parser->at != ':')
            return fail_expected(parser, "':'");
        parser->at++;
        if (!parse_value(parser, &member))
            return false;
        push(parser, key, member);
        if (!parse_between(parser, '}', "',' or '}'", &more))
            return false;
    }
    return true;
}

static bool finish_array(struct parser *parser, size_t from, struct json *array)
{
    const struct json **items = arena_array(parser->arena, array->count, sizeof *items);
    for (uint32_t i = 0; i < array->count; i++)
        items[i] = parser->stack[from + i].value;
    array->items = items;
    return true;
}

static bool finish_object(struct parser *parser, size_t from, struct json *object)
{
    struct str repeated = find_repeated(parser->stack + from, object->count);
    if (repeated.data)
        return fail_repeated(parser, repeated);
    object->members = arena_array(parser->arena, object->count, sizeof *object->members);
    if (object->count)
        memcpy(object->members, parser->stack + from, object->count * sizeof *object->members);
    return true;
}

/* With the cursor at the opening bracket. */
static bool parse_nested(struct parser *parser, enum json_kind kind, const struct json **value)
{
    size_t from = parser->stack_count;
    char close = kind == JSON_ARRAY ? ']' : '}';
    if (parser->depth == LIMITS_JSON_DEPTH) {
        char message[64];
        snprintf(message, sizeof message, "nested deeper than %d levels", LIMITS_JSON_DEPTH);
        fail(parser, parser->at, message);
        parser->code = ERR_LIMIT;
        return false;
    }
    parser->depth++;
    parser->at++;
    skip_space(parser);
    if (*parser->at == close)
        parser->at++;
    else if (!(kind == JSON_ARRAY ? parse_items(parser) : parse_members(parser)))
        return false;
    struct json *made = arena_new(parser->arena, struct json);
    made->kind = kind;
    made->count = (uint32_t)(parser->stack_count - from);
    if (!(kind == JSON_ARRAY ? finish_array(parser, from, made) : finish_object(parser, from, made)))
        return false;
    parser->stack_count = from;
    parser->depth--;
    *value = made;
    return true;
}

static bool parse_value(struct parser *parser, const struct json **value)
{
    struct str text;
    skip_space(parser);
    switch (*parser->at) {
    case '{':
        return parse_nested(parser, JSON_OBJECT, value);
    case '[':
        return parse_nested(parser, JSON_ARRAY, value);
    case '"':
        if (!parse_string(parser, &text))
            return false;
        *value = json_new_string(parser->arena, text);
        return true;
    case 't':
        return parse_word(parser, STR("true"), &json_true, value);
    case 'f':
        return parse_word(parser, STR("false"), &json_false, value);
    case 'n':
        return parse_word(parser, STR("null"), &json_null, value);
    default:
        if (*parser->at == '-' || is_digit(*parser->at))
            return parse_number(parser, value);
        return fail_expected(parser, "a value");
    }
}

static bool parse_all(struct parser *parser, const struct json **value)
{
    const struct json *parsed;
    if (!parse_value(parser, &parsed))
        return false;
    skip_space(parser);
    if (parser->at != parser->end)
        return fail_expected(parser, "the end");
    *value = parsed;
    return true;
}

enum err json_parse(struct arena *arena, struct str text, size_t size_max, const struct json **value,
                    struct err_note *note)
{
    if (text.size > size_max || text.size > UINT32_MAX)
        return err_note(note, ERR_LIMIT, "1:1: %zu bytes, the limit is %zu", text.size, size_max);
    size_t good = str_utf8_size(text);
    if (good < text.size) {
        struct place place = place_of(text.data, good);
        return err_note(note, ERR_INVALID, "%zu:%zu: not UTF-8: byte 0x%02x", place.line, place.column,
                        (unsigned char)text.data[good]);
    }
    struct parser
        parser; /* not initialised as a whole: clearing first_stack would cost more than most parses */
    parser.arena = arena;
    parser.source = text.data;
    parser.text = arena_resize(arena, NULL, 0, text.size + 1);
    if (text.size)
        memcpy(parser.text, text.data, text.size);
    parser.at = parser.text;
    parser.end = parser.text + text.size;
    *parser.end = '\0';
    parser.stack = parser.first_stack;
    parser.stack_count = 0;
    parser.stack_room = FIRST_STACK;
    parser.depth = 0;
    parser.code = ERR_OK;
    parser.note = note;
    enum err code = parse_all(&parser, value) ? ERR_OK : parser.code;
    if (parser.stack != parser.first_stack)
        memory_free(parser.stack);
    return code;
}

struct str json_place(const char *message)
{
    struct str text = str_from(message);
    size_t colon = str_find(text, ':');
    return str_slice(text, 0, colon + 1 + str_find(str_slice(text, colon + 1, text.size), ':'));
}
