/* @text, @json, @csv and the other formats: a value as a piece of some other text. Part of expr_functions.h.
 */
#include "engine/expr/expr_functions.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/expr/expr_value.h"

static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Where what is written goes: room for all of it was asked for before. */
struct writer {
    char *text;
    size_t size;
};

static void put(struct writer *writer, const char *text, size_t size)
{
    memcpy(writer->text + writer->size, text, size);
    writer->size += size;
}

/* ---- of a text ---- */

static void put_uri(struct writer *writer, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                 c == '_' || c == '.' || c == '~';
    char coded[3] = {'%', digits[c >> 4], digits[c & 15]};
    if (plain)
        coded[0] = (char)c;
    put(writer, coded, plain ? 1 : 3);
}

static void put_html(struct writer *writer, unsigned char c)
{
    static const struct {
        char c;
        const char *name;
    } names[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'\'', "&#39;"}, {'"', "&quot;"}};
    char plain = (char)c;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].c != plain)
            continue;
        put(writer, names[i].name, strlen(names[i].name));
        return;
    }
    put(writer, &plain, 1);
}

static bool push_escaped(struct expr_run *run, const struct expr_node *node, struct str text,
                         void (*put_byte)(struct writer *writer, unsigned char c), size_t most)
{
    struct writer writer = {.text = expr_functions_room(run, node, text.size * most)};
    if (!writer.text)
        return false;
    for (size_t i = 0; i < text.size; i++)
        put_byte(&writer, (unsigned char)text.data[i]);
    return expr_functions_push_text(run, (struct str){writer.text, writer.size});
}

static bool push_base64(struct expr_run *run, const struct expr_node *node, struct str text)
{
    struct writer writer = {.text = expr_functions_room(run, node, text.size / 3 * 4 + 4)};
    if (!writer.text)
        return false;
    for (size_t i = 0; i < text.size; i += 3) {
        size_t left = text.size - i;
        uint32_t bits = (uint32_t)(unsigned char)text.data[i] << 16;
        if (left > 1)
            bits |= (uint32_t)(unsigned char)text.data[i + 1] << 8;
        if (left > 2)
            bits |= (unsigned char)text.data[i + 2];
        char four[4] = {base64_letters[bits >> 18], base64_letters[bits >> 12 & 63],
                        left > 1 ? base64_letters[bits >> 6 & 63] : '=',
                        left > 2 ? base64_letters[bits & 63] : '='};
        put(&writer, four, sizeof(four));
    }
    return expr_functions_push_text(run, (struct str){writer.text, writer.size});
}

/* Letters, at most two `=` at the end or none. */
static bool read_base64(struct str coded, struct writer *writer)
{
    uint32_t bits = 0;
    size_t letters = coded.size;
    while (letters > 0 && coded.size - letters < 2 && coded.data[letters - 1] == '=')
        letters--;
    if (letters % 4 == 1 || (letters < coded.size && coded.size % 4 != 0))
        return false;
    for (size_t i = 0; i < letters; i++) {
        const char *letter = memchr(base64_letters, coded.data[i], sizeof(base64_letters) - 1);
        if (!letter)
            return false;
        bits = bits << 6 | (uint32_t)(letter - base64_letters);
        char byte = (char)(bits >> (6 - i % 4 * 2) & 255);
        if (i % 4 > 0)
            put(writer, &byte, 1);
    }
    return true;
}

bool expr_functions_base64d(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_STRING)
        return expr_functions_needs(run, node, "a string", input);
    struct writer writer = {.text = expr_functions_room(run, node, input->text.size + 1)};
    if (!writer.text)
        return false;
    if (!read_base64(input->text, &writer))
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the string is not base64");
    struct str text = {writer.text, writer.size};
    if (!str_is_utf8(text) || memchr(text.data, '\0', text.size))
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "what the base64 stands for is no text");
    return expr_functions_push_text(run, text);
}

/* ---- of an array ---- */

/* Quotes around it, those in it twice. */
static void put_csv(struct writer *writer, struct str text)
{
    put(writer, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        put(writer, &text.data[i], 1);
        if (text.data[i] == '"')
            put(writer, "\"", 1);
    }
    put(writer, "\"", 1);
}

static void put_tsv(struct writer *writer, struct str text)
{
    static const char plain[] = "\t\n\r\\";
    static const char letters[] = "tnr\\";
    for (size_t i = 0; i < text.size; i++) {
        const char *found = memchr(plain, text.data[i], sizeof(plain) - 1);
        char escaped[2] = {'\\', found ? letters[found - plain] : '\0'};
        if (found)
            put(writer, escaped, 2);
        else
            put(writer, &text.data[i], 1);
    }
}

/* A field that is no string: null is empty. */
static bool field_text(struct expr_run *run, const struct expr_node *node, const struct json *field,
                       struct str *text)
{
    if (field->kind == JSON_ARRAY || field->kind == JSON_OBJECT)
        return expr_functions_needs(run, node, "strings, numbers, booleans or null in the array", field);
    *text = (struct str){0};
    return field->kind == JSON_NULL || expr_value_text(run, node, field, text);
}

static bool push_row(struct expr_run *run, const struct expr_node *node, const struct json *input, bool csv)
{
    if (input->kind != JSON_ARRAY)
        return expr_functions_needs(run, node, "an array", input);
    size_t size = 0;
    struct str text;
    for (uint32_t i = 0; i < input->count; i++) {
        if (!field_text(run, node, input->items[i], &text))
            return false;
        size += 2 * text.size + 3;
    }
    struct writer writer = {.text = expr_functions_room(run, node, size)};
    if (!writer.text)
        return false;
    for (uint32_t i = 0; i < input->count; i++) {
        bool string = input->items[i]->kind == JSON_STRING;
        if (!field_text(run, node, input->items[i], &text))
            return false;
        if (i > 0)
            put(&writer, csv ? "," : "\t", 1);
        if (string && csv)
            put_csv(&writer, text);
        else
            put_tsv(&writer, text);
    }
    return expr_functions_push_text(run, (struct str){writer.text, writer.size});
}

/* ---- which ---- */

bool expr_functions_format(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    enum { URI_MOST = 3, HTML_MOST = 6 };
    enum expr_function function = (enum expr_function)node->index;
    struct str text;
    if (function == EXPR_FUNCTION_FORMAT_CSV || function == EXPR_FUNCTION_FORMAT_TSV)
        return push_row(run, node, input, function == EXPR_FUNCTION_FORMAT_CSV);
    if (!expr_value_text(run, node, input, &text))
        return false;
    if (function == EXPR_FUNCTION_FORMAT_JSON && input->kind == JSON_STRING)
        text = json_text(run->arena, input);
    if (function == EXPR_FUNCTION_FORMAT_URI)
        return push_escaped(run, node, text, put_uri, URI_MOST);
    if (function == EXPR_FUNCTION_FORMAT_HTML)
        return push_escaped(run, node, text, put_html, HTML_MOST);
    if (function == EXPR_FUNCTION_FORMAT_BASE64)
        return push_base64(run, node, text);
    check(function == EXPR_FUNCTION_FORMAT_TEXT || function == EXPR_FUNCTION_FORMAT_JSON);
    return expr_functions_push_text(run, text);
}
