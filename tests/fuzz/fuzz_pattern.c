/* Patterns: one, a separator, a text. Any pattern compiles in bounded memory or is refused with a place; a
 * test of it takes no more than text times machine, says the same twice, ends where its work is used up, and
 * counts what it does. */
#include "tests/fuzz/fuzz.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/expr/regex.h"

enum {
    MEMORY_MAX = LIMITS_REGEX_BYTES * 2048, /* a set of its own for each byte of a pattern, at most */
    RANGES_OF_BYTE = 3,                     /* of a pattern: "[\\W" brings five, "[a-z" three */
    VISIT_NS = 200                          /* unoptimized and sanitized */
};

struct run {
    const struct regex *regex;
    struct str text;
    uint64_t work;
    uint64_t used;
    enum err error;
    bool matches;
};

static void test(void *context)
{
    struct run *run = context;
    uint64_t left = run->work;
    run->matches = false;
    run->error = regex_test(run->regex, run->text, &left, &run->matches);
    run->used = run->work - left;
}

static void check_budget(const struct run *whole)
{
    struct run exact = *whole, less = *whole;
    exact.work = whole->used;
    test(&exact);
    check(exact.error == ERR_OK && exact.matches == whole->matches);
    if (whole->used == 0)
        return;
    less.work = whole->used - 1;
    test(&less);
    check(less.error == ERR_LIMIT && less.used == less.work);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct str pattern = fuzz_part(&rest);
    struct err_note note = {""};
    struct arena arena;
    struct run run = {.text = rest, .work = UINT64_MAX / 2};
    if (!str_is_utf8(pattern) || !str_is_utf8(rest))
        return 0;
    arena_init(&arena, 0);
    bool ignore_case = pattern.size > 0 && pattern.data[0] == 'i';
    enum err error = regex_compile(&arena, pattern, ignore_case, &run.regex, &note);
    check(arena.used <= MEMORY_MAX);
    check(error == ERR_OK || ((error == ERR_INVALID || error == ERR_LIMIT) && note.text[0] != '\0'));
    if (error == ERR_OK) {
        fuzz_measured(test, &run, &run.used, VISIT_NS);
        check(run.error == ERR_OK);
        check(run.used <=
              (rest.size + 1) * (uint64_t)LIMITS_REGEX_STATES * (RANGES_OF_BYTE * pattern.size + 1));
        check_budget(&run);
    }
    arena_fini(&arena);
    return 0;
}
