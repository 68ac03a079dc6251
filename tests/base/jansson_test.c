/* The reader against jansson: the same texts accepted and refused, the same values. Known and wanted
 * differences: jansson refuses numbers that do not fit a double or 64 bits, nests deeper than 64, and
 * overlooks a zero byte right behind a number or a word. */
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "tests/base/expect.h"
#include "tests/base/jansson_reader.h"

static const char *const corpus[] = {
    "{\"order\":{\"id\":\"o-1\",\"total\":19.90,\"items\":[{\"sku\":\"a\",\"n\":2},{\"sku\":\"b\",\"n\":1}]}"
    "}",
    "[null,true,false,0,-0,1.5e3,-2E-2,\"\",{},[]]",
    "\"\\u00e9\\ud83d\\ude00\\\\\\/\\\"\\b\\f\\n\\r\\t\"",
    " { \"a\" : 1 , \"b\" : [ 1 , 2 ] , \"c\" : { \"d\" : \"e\" } } ",
    "\"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 text long enough for eight at a time\"",
    "[[[[[[[[[[1]]]]]]]]]]",
    "-12.75",
    "{\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":7,\"k8\":8,\"k9\":9,\"ka\":1,\"kb\":2,"
    "\"kc\":3,\"kd\":4,\"ke\":5,\"kf\":6,\"kg\":7,\"kh\":8,\"ki\":9}",
    "[\"\\u0000\"]",
    "[\"\\ud800\"]",
    "\xef\xbb\xbf[1]",
    "[1e5,1E5,1e+5,1e-5,0.5,0e0,10,100,-1,-0.0]",
};

/* What a mutation may put in: all that JSON gives meaning to, and what it must refuse. */
static const char *const pieces[] = {"{",
                                     "}",
                                     "[",
                                     "]",
                                     ":",
                                     ",",
                                     "\"",
                                     "\\",
                                     "\\u",
                                     "\\u00",
                                     "\\ud83d",
                                     "\\udc00",
                                     "\\u0000",
                                     "\\n",
                                     "\\x",
                                     "/",
                                     "0",
                                     "1",
                                     "9",
                                     "-",
                                     "+",
                                     ".",
                                     "e",
                                     "E",
                                     "00",
                                     "1e9",
                                     "0.1",
                                     "true",
                                     "false",
                                     "null",
                                     "nul",
                                     "NaN",
                                     " ",
                                     "\n",
                                     "\t",
                                     "\r",
                                     "\f",
                                     "\v",
                                     "\x01",
                                     "\x1f",
                                     "\x7f",
                                     "\x80",
                                     "\xc3",
                                     "\xc3\xa9",
                                     "\xed\xa0\x80",
                                     "\xf4\x90\x80\x80",
                                     "\xc0\xaf",
                                     "\xef\xbb\xbf",
                                     "\xe2\x80\xa8",
                                     "\"a\":1",
                                     ",\"a\":1",
                                     "\"k1\":1,",
                                     "{\"a\":1,\"a\":2}",
                                     "[]",
                                     "{}",
                                     "//",
                                     "/**/",
                                     "'",
                                     "a"};

enum { ROOM = 1024, MUTANTS = 200000 };

struct text {
    char data[ROOM];
    size_t size;
};

static void replace(struct text *text, size_t at, size_t gone, const char *data, size_t size)
{
    if (text->size - gone + size > ROOM)
        return;
    memmove(text->data + at + size, text->data + at + gone, text->size - at - gone);
    memcpy(text->data + at, data, size);
    text->size = text->size - gone + size;
}

static void mutate(struct text *text, struct rng *rng)
{
    size_t at = (size_t)rng_below(rng, text->size + 1);
    size_t left = text->size - at;
    size_t gone = (size_t)rng_below(rng, (left < 4 ? left : 4) + 1);
    const char *piece = pieces[rng_below(rng, COUNT(pieces))];
    char byte = (char)rng_below(rng, 256);
    switch (rng_below(rng, 5)) {
    case 0:
        replace(text, at, gone, piece, strlen(piece));
        break;
    case 1:
        replace(text, at, 0, piece, strlen(piece));
        break;
    case 2:
        replace(text, at, gone, "", 0);
        break;
    case 3:
        replace(text, at, left ? 1 : 0, &byte, 1);
        break;
    default: /* a part of the text stands twice */
        replace(text, at, 0, text->data + at, left < 12 ? left : 12);
        break;
    }
}

/* Both read the text; when both take it, what we write means the same to jansson. Returns whether it was
 * taken. */
static bool compare(struct arena *arena, struct str text)
{
    const struct json *value = NULL;
    struct err_note note = {""};
    char reason[160] = "";
    char *theirs = NULL;
    enum err code = json_parse(arena, text, LIMITS_PAYLOAD_BYTES, &value, &note);
    enum jansson_verdict verdict = jansson_read(text.data, text.size, &theirs, reason);
    bool zero = str_find(text, '\0') < text.size;
    cr_assert(!zero || code == ERR_INVALID, "%.*s", STR_ARG(text));
    if (verdict == JANSSON_NUMBER_TOO_LARGE || code == ERR_LIMIT || zero) {
        free(theirs);
        return false;
    }
    cr_assert((code == ERR_OK) == (verdict == JANSSON_ACCEPTED), "%.*s\nours: %s\njansson: %s", STR_ARG(text),
              code ? note.text : "accepted", verdict ? reason : "accepted");
    if (code == ERR_OK) {
        const struct json *again;
        char *back = NULL;
        struct str written = json_text(arena, value);
        verdict = jansson_read(written.data, written.size, &back, reason);
        cr_assert(verdict == JANSSON_ACCEPTED, "%.*s\n%s", STR_ARG(written), reason);
        EXPECT_TEXT(str_from(back), theirs);
        cr_assert(json_parse(arena, written, SIZE_MAX, &again, &note) == ERR_OK, "%s", note.text);
        cr_assert(json_equal(value, again) && str_equal(json_text(arena, again), written), "%.*s",
                  STR_ARG(written));
        free(back);
    }
    free(theirs);
    return code == ERR_OK;
}

Test(jansson, agrees_on_the_corpus)
{
    struct arena arena;
    arena_init(&arena, 0);
    size_t taken = 0;
    for (size_t i = 0; i < COUNT(corpus); i++)
        taken += compare(&arena, str_from(corpus[i]));
    cr_assert(taken == COUNT(corpus) - 3); /* U+0000, a lone surrogate, a byte order mark */
    arena_fini(&arena);
}

Test(jansson, agrees_on_single_pieces_and_pairs)
{
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        for (size_t j = 0; j < COUNT(pieces); j++) {
            compare(&arena, arena_printf(&arena, "%s%s", pieces[i], pieces[j]));
            compare(&arena, arena_printf(&arena, "\"%s%s\"", pieces[i], pieces[j]));
            compare(&arena, arena_printf(&arena, "[%s%s]", pieces[i], pieces[j]));
            arena_reset(&arena);
        }
    }
    arena_fini(&arena);
}

static void compare_mutants(uint64_t seed, long *taken)
{
    struct arena arena;
    struct rng rng;
    arena_init(&arena, 0);
    rng_init(&rng, seed);
    for (int i = 0; i < MUTANTS; i++) {
        struct text text;
        const char *origin = corpus[rng_below(&rng, COUNT(corpus))];
        text.size = strlen(origin);
        memcpy(text.data, origin, text.size);
        for (uint64_t changes = 1 + rng_below(&rng, 4); changes > 0; changes--)
            mutate(&text, &rng);
        *taken += compare(&arena, (struct str){text.data, text.size});
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

Test(jansson, agrees_on_mutants)
{
    long taken = 0;
    compare_mutants(20261121, &taken);
    /* Both sorts must be well represented, or this compares little. */
    cr_assert(taken > MUTANTS / 50 && taken < MUTANTS - MUTANTS / 10, "%ld of %d taken", taken, MUTANTS);
}
