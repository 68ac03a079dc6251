/* Mutated programs on mutated inputs: none crashes, hangs, or gives what is no JSON value. Seeded, so that a
 * failure replays. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/expr/expr.h"
#include "table.h"

enum { ROUNDS = 20000, PROGRAM_BYTES_MAX = 400, MUTATIONS_MAX = 4, BYTES_A_RESET = 1 << 22 };

static struct arena tables;
static struct arena arena;

static const char *const pieces[] = {
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    ",",
    ";",
    ":",
    ".",
    "..",
    "?",
    "//",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "<",
    "$input",
    "$x",
    " as $x | ",
    ".a",
    "[0]",
    "[]",
    "[1:]",
    "\"a\"",
    "\"\\(1)\"",
    "\\",
    "\"",
    "1",
    "0",
    "1e9",
    "0.1",
    "99999999999999999999",
    "null",
    "true",
    "if ",
    " then ",
    " else ",
    " end",
    " and ",
    " or ",
    "not",
    "map(",
    "select(",
    "length",
    "keys",
    "first(",
    "any(",
    "add",
    "sort",
    "group_by(",
    "join(",
    "split(",
    "test(",
    "index(",
    "contains(",
    "sort_by(",
    "with_entries(",
    "from_entries",
    "flatten",
    "limit(",
    "nth(",
    "IN(",
    "sub(",
    "gsub(",
    "(?<n>a)*",
    "; ",
    "capture(",
    "splits(",
    "scan(",
    "strftime(",
    "strptime(",
    "\"%Y-%m-%dT%H:%M:%S%z\"",
    "gmtime",
    "fromdate",
    "@uri ",
    "@base64d",
    "@csv",
    "round",
    "indices(",
    "tojson",
    "fromjson",
    "tonumber",
    "tostring",
    "-1",
    "{a: 1}",
    "${",
    "$$",
    "$steps.a.output",
    "é",
    "\xff",
    "\x01",
};
enum { PIECES_COUNT = sizeof(pieces) / sizeof(pieces[0]) };

struct text {
    size_t size;
    char data[PROGRAM_BYTES_MAX];
};

static void splice(struct text *text, size_t at, size_t removed, struct str added)
{
    removed = removed > text->size - at ? text->size - at : removed;
    if (text->size - removed + added.size > PROGRAM_BYTES_MAX)
        return;
    memmove(text->data + at + added.size, text->data + at + removed, text->size - at - removed);
    if (added.size > 0)
        memcpy(text->data + at, added.data, added.size);
    text->size = text->size - removed + added.size;
}

static void mutate(struct text *text, const struct table *table, struct rng *rng)
{
    size_t at = rng_below(rng, text->size + 1);
    struct str other = table->cases[rng_below(rng, table->count)].program;
    size_t cut = rng_below(rng, other.size + 1);
    char byte = (char)rng_below(rng, 256);
    switch (rng_below(rng, 4)) {
    case 0:
        splice(text, at, rng_below(rng, 4), str_from(pieces[rng_below(rng, PIECES_COUNT)]));
        break;
    case 1:
        splice(text, at, rng_below(rng, 8), (struct str){0});
        break;
    case 2:
        splice(text, at, rng_below(rng, 8), str_slice(other, cut, cut + rng_below(rng, 12)));
        break;
    default:
        splice(text, at, 1, (struct str){&byte, 1});
        break;
    }
}

/* As a YAML value too, where ${ may stand anywhere: only that it ends, with a program or with a reason. */
static void compile_value(struct str text)
{
    struct diag_list diags;
    diag_init(&diags, &arena, STR("fuzz"), text);
    const struct expr *program = expr_compile_value(&arena, text, (struct diag_place){1, 1, 1}, &diags);
    cr_assert_eq(program == NULL, diags.error_count > 0);
}

static void run_one(const struct table *table, struct rng *rng, size_t *computed)
{
    struct text text = {0};
    const struct table_case *entry = &table->cases[rng_below(rng, table->count)];
    struct str input = table->cases[rng_below(rng, table->count)].input;
    splice(&text, 0, 0, entry->program);
    for (uint64_t i = rng_below(rng, MUTATIONS_MAX + 1); i > 0; i--)
        mutate(&text, table, rng);
    const struct json *value = NULL;
    const struct json *again = NULL;
    struct err_note note;
    struct str program = {text.data, text.size};
    compile_value(program);
    compile_value(arena_printf(&arena, "a ${ %.*s } b ${ 1 }", STR_ARG(program)));
    struct str answer = table_answer(&arena, program, input, &value);
    if (!value)
        return;
    (*computed)++;
    cr_assert_eq(json_parse(&arena, answer, 1 << 22, &again, &note), ERR_OK, "%.*s on %.*s: %s",
                 STR_ARG(program), STR_ARG(input), note.text);
    cr_assert(json_equal(value, again));
}

Test(expr_fuzz, mutated_programs, .timeout = 300)
{
    struct rng rng;
    size_t computed = 0;
    const char *seed = getenv("EXPR_FUZZ_SEED");
    const char *rounds = getenv("EXPR_FUZZ_ROUNDS");
    rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 20261121);
    arena_init(&tables, 0);
    arena_init(&arena, 0);
    const struct table *same = table_read(&tables, "same.table");
    const struct table *refused = table_read(&tables, "refused.table");
    long count = rounds ? strtol(rounds, NULL, 10) : ROUNDS;
    for (long i = 0; i < count; i++) {
        run_one(rng_below(&rng, 8) == 0 ? refused : same, &rng, &computed);
        if (arena.used > BYTES_A_RESET)
            arena_reset(&arena);
    }
    cr_assert_gt(computed, (size_t)count / 10, "the mutations leave too few programs whole to test anything");
    arena_fini(&arena);
    arena_fini(&tables);
}
