/* The regular expressions: the subset, what is refused, and that time is linear. */
#include <criterion/criterion.h>

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "engine/expr/regex.h"

enum { RANDOM_ROUNDS = 20000 };

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(regex, .init = set_up, .fini = tear_down);

/* 1, 0, or -1 when the pattern is refused. */
static int matches(const char *pattern, const char *text, bool ignore_case)
{
    const struct regex *regex = NULL;
    struct err_note note;
    uint64_t work = UINT64_C(1) << 40;
    bool found = false;
    if (regex_compile(&arena, str_from(pattern), ignore_case ? REGEX_IGNORE_CASE : 0, &regex, &note) !=
        ERR_OK)
        return -1;
    cr_assert_eq(regex_test(regex, str_from(text), &work, &found), ERR_OK);
    return found;
}

#define YES(pattern, text) cr_expect_eq(matches(pattern, text, false), 1, "%s on %s", pattern, text)
#define NO(pattern, text) cr_expect_eq(matches(pattern, text, false), 0, "%s on %s", pattern, text)

Test(regex, literals_and_any)
{
    YES("", "");
    YES("", "abc");
    YES("b", "abc");
    NO("d", "abc");
    YES("a.c", "abc");
    YES("a.c", "aéc");
    YES("^.$", "日");
    NO("a.c", "a\nc");
    NO("^.$", "");
    YES("日本", "x日本x");
    YES("a}]", "a}]");
}

Test(regex, repetitions)
{
    YES("^a*$", "");
    YES("^a*$", "aaa");
    NO("^a+$", "");
    YES("^a+$", "aa");
    YES("^ab?c$", "ac");
    YES("^ab?c$", "abc");
    NO("^ab?c$", "abbc");
    YES("^a{2}$", "aa");
    NO("^a{2}$", "aaa");
    YES("^a{2,}$", "aaaa");
    NO("^a{2,}$", "a");
    YES("^a{2,3}$", "aaa");
    NO("^a{2,3}$", "aaaa");
    YES("^a{0}$", "");
    YES("^(ab){2}$", "abab");
    YES("^(a*)*$", "aaa");
    YES("^(a*)+b$", "aaab");
    YES("^(|a)+$", "aa");
    YES("^(){3}$", "");
    YES("^a*?b+?c??$", "aab");
    YES("^(a{2}){2}$", "aaaa");
}

Test(regex, choices_and_groups)
{
    YES("^(a|b)c$", "bc");
    NO("^(a|b)c$", "c");
    YES("^a|b$", "xb");
    YES("^(?:x|yz)+$", "xyzx");
    YES("^(a|)$", "");
    YES("a|", "zzz");
    YES("^((a)(b(c)))$", "abc");
}

Test(regex, classes)
{
    YES("^[abc]+$", "cab");
    NO("^[abc]+$", "cad");
    YES("^[^abc]$", "d");
    NO("^[^abc]$", "a");
    YES("^[^a]$", "\n");
    YES("^[a-z0-9_-]+$", "a-b_9");
    YES("^[-a]+$", "-a");
    YES("^[à-ü]$", "é");
    YES("^[\\]\\[\\\\^]+$", "][\\^");
    YES("^[\\d.]+$", "1.5");
    YES("^[\\w-]+$", "a-b");
    YES("^[^\\s]+$", "ab");
    YES("^[\\D]$", "x");
    NO("^[\\D]$", "5");
    YES("^[.*+?()|{}$]+$", ".*+?()|{}$");
}

Test(regex, escapes)
{
    YES("^\\d\\D\\w\\W\\s\\S$", "1xa- b");
    NO("^\\d$", "x");
    NO("^\\w$", "é");
    YES("^\\t\\n\\r\\f\\v$", "\t\n\r\f\v");
    YES("^\\u00e9\\u65e5$", "é日");
    YES("^\\.\\/\\-\\$$", "./-$");
    YES("^\\s{6}$", " \t\n\r\f\v");
}

Test(regex, anchors_are_the_ends_of_the_text)
{
    NO("^b", "a\nb");
    NO("a$", "a\nb");
    NO("a$", "a\n");
    YES("^$", "");
    NO("^$", "a");
    NO("a^b", "ab");
    YES("(^|,)b(,|$)", "a,b");
    YES("(^|,)a(,|$)", "a,b");
}

Test(regex, ignoring_case_of_ascii)
{
    cr_expect_eq(matches("^abc$", "aBC", true), 1);
    cr_expect_eq(matches("^[A-C]+$", "abc", true), 1);
    cr_expect_eq(matches("^[^a]$", "A", true), 0);
    cr_expect_eq(matches("^é$", "É", true), 0);
    cr_expect_eq(matches("^[X-c]+$", "xyzABC", true), 1);
}

static void expect_refused(const char *pattern, enum err expected, const char *sentence)
{
    const struct regex *regex = NULL;
    struct err_note note = {{0}};
    cr_expect_eq(regex_compile(&arena, str_from(pattern), 0, &regex, &note), expected, "%.40s", pattern);
    cr_expect_str_eq(note.text, sentence, "%.40s: %s", pattern, note.text);
}

Test(regex, what_is_not_in_the_subset_is_refused)
{
    expect_refused("(a", ERR_INVALID, "at 3: a \"(\" without its \")\"");
    expect_refused("a)", ERR_INVALID, "at 2: a \")\" without its \"(\"");
    expect_refused("[a", ERR_INVALID, "at 3: a \"[\" without its \"]\"");
    expect_refused("[a-", ERR_INVALID, "at 4: a \"[\" without its \"]\"");
    expect_refused("[]", ERR_INVALID, "at 2: an empty class; a \"]\" inside of [ ] is written \\]");
    expect_refused("[z-a]", ERR_INVALID, "at 5: a range that ends before it begins");
    expect_refused("[a-\\d]", ERR_INVALID, "at 6: a range that ends before it begins");
    expect_refused("[[:alpha:]]", ERR_INVALID, "at 2: a \"[\" inside of [ ] is written \\[");
    expect_refused("[a&&b]", ERR_INVALID, "at 3: && inside of [ ] is written \\&\\&");
    expect_refused("*a", ERR_INVALID, "at 1: there is nothing here to repeat");
    expect_refused("(+a)", ERR_INVALID, "at 2: there is nothing here to repeat");
    expect_refused("a**", ERR_INVALID, "at 3: a repetition of a repetition needs ( )");
    expect_refused("^*", ERR_INVALID, "at 3: ^ and $ cannot be repeated");
    expect_refused("{2}", ERR_INVALID, "at 1: a \"{\" that begins no {m,n} is written \\{");
    expect_refused("a{x}", ERR_INVALID, "at 3: a repetition is {m}, {m,} or {m,n}");
    expect_refused("a{2", ERR_INVALID, "at 4: a repetition is {m}, {m,} or {m,n}");
    expect_refused("a{3,2}", ERR_INVALID, "at 7: a repetition whose end is below its begin");
    expect_refused("a{1001}", ERR_LIMIT, "at 6: too many repetitions");
    expect_refused("a{99999999999}", ERR_LIMIT, "at 6: too many repetitions");
    expect_refused("(?=a)", ERR_INVALID,
                   "at 2: of the groups with (? only (?: ) and (?<name> ) are in this subset");
    expect_refused("\\1", ERR_INVALID, "at 2: an escape that is not in this subset");
    expect_refused("\\b", ERR_INVALID, "at 2: an escape that is not in this subset");
    expect_refused("a\\", ERR_INVALID, "at 3: an escape that is not in this subset");
    expect_refused("\\u12", ERR_INVALID, "at 5: \\u needs four hexadecimal digits");
    expect_refused("\\ud800", ERR_INVALID, "at 7: half of a surrogate pair is no character");
    expect_refused("\xff", ERR_INVALID, "it is not UTF-8");
    expect_refused("((a{100}){100}){100}", ERR_LIMIT, "it needs more than 2000 states");
    expect_refused("(((){1000}){1000}){1000}", ERR_LIMIT, "it needs more than 2000 states");
}

Test(regex, nesting_and_length_are_bounded)
{
    char pattern[LIMITS_REGEX_BYTES + 2];
    memset(pattern, '(', sizeof(pattern));
    pattern[LIMITS_REGEX_BYTES] = '\0';
    expect_refused(pattern, ERR_LIMIT, "at 52: too many groups in groups");
    memset(pattern, 'a', sizeof(pattern));
    pattern[LIMITS_REGEX_BYTES + 1] = '\0';
    expect_refused(pattern, ERR_LIMIT, "it is longer than 1000 bytes");
    pattern[LIMITS_REGEX_BYTES] = '\0';
    cr_expect_eq(matches(pattern, pattern, false), 1);
}

/* What takes a backtracking matcher the age of the universe. */
Test(regex, a_class_takes_memory_in_proportion_to_its_members)
{
    enum { BYTES_EACH = 512 }; /* of a pattern: a member's range, twice for its other case, while it grows */
    const struct regex *regex = NULL;
    struct err_note note;
    struct buf pattern;
    buf_init(&pattern, &arena);
    buf_char(&pattern, '[');
    while (pattern.size < LIMITS_REGEX_BYTES - 1)
        buf_char(&pattern, (char)('a' + pattern.size % 26));
    buf_char(&pattern, ']');
    size_t before = arena.used;
    cr_assert_eq(regex_compile(&arena, buf_str(&pattern), REGEX_IGNORE_CASE, &regex, &note), ERR_OK);
    cr_expect_leq(arena.used - before, (size_t)LIMITS_REGEX_BYTES * BYTES_EACH);
}

Test(regex, work_is_linear)
{
    enum { SIZE = 20000, WORK_A_CHARACTER = 64 };
    const struct regex *regex = NULL;
    static char text[SIZE];
    bool found = true;
    uint64_t work = (uint64_t)SIZE * WORK_A_CHARACTER;
    memset(text, 'a', SIZE);
    cr_assert_eq(regex_compile(&arena, STR("^(a+)+(a|aa)*b$"), 0, &regex, NULL), ERR_OK);
    cr_assert_eq(regex_test(regex, (struct str){text, SIZE}, &work, &found), ERR_OK);
    cr_expect_not(found);
    work = SIZE;
    cr_expect_eq(regex_test(regex, (struct str){text, SIZE}, &work, &found), ERR_LIMIT);
    cr_expect_eq(work, 0);
}

/* Random patterns of what POSIX writes the same way, on random texts, against the C library. */
Test(regex, agrees_with_the_c_library)
{
    static const char *const parts[] = {"a",       "b",  "c",  ".",     "[ab]",   "[^a]",
                                        "a*",      "b+", "c?", "(a|b)", "(ab)*",  "a{1,2}",
                                        "(a|bc)+", "|",  "^",  "$",     "(b|c*)", "[b-c]{2}"};
    struct rng rng;
    size_t found = 0;
    rng_init(&rng, 11);
    for (int i = 0; i < RANDOM_ROUNDS; i++) {
        char pattern[64] = "";
        char text[16] = "";
        int size = 0;
        for (uint64_t n = 1 + rng_below(&rng, 4); n > 0; n--)
            size += snprintf(pattern + size, sizeof(pattern) - (size_t)size, "%s",
                             parts[rng_below(&rng, sizeof(parts) / sizeof(parts[0]))]);
        for (uint64_t n = rng_below(&rng, 8), at = 0; at < n; at++)
            text[at] = "abc"[rng_below(&rng, 3)];
        regex_t posix;
        if (regcomp(&posix, pattern, REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        int expected = regexec(&posix, text, 0, NULL, 0) == 0;
        regfree(&posix);
        cr_assert_eq(matches(pattern, text, false), expected, "%s on \"%s\"", pattern, text);
        found += (size_t)expected;
    }
    cr_assert_gt(found, RANDOM_ROUNDS / 10);
}

/* ---- finding ---- */

/* What the pattern finds in the text from a byte on: "1-3 1-2 -" is the match and its groups, "none" no
 * match. */
static const char *find(const char *pattern, const char *text, size_t from)
{
    const struct regex *regex = NULL;
    struct regex_part parts[1 + LIMITS_REGEX_GROUPS];
    struct err_note note = {{0}};
    uint64_t work = 1000000;
    bool found = false;
    struct buf out;
    buf_init(&out, &arena);
    cr_assert_eq(regex_compile(&arena, str_from(pattern), REGEX_CAPTURES, &regex, &note), ERR_OK, "%s",
                 note.text);
    void *scratch = arena_alloc(&arena, regex_scratch_size(regex));
    cr_assert_eq(regex_find(regex, str_from(text), from, scratch, &work, &found, parts), ERR_OK);
    if (!found)
        return "none";
    for (uint32_t i = 0; i <= regex_group_count(regex); i++)
        if (parts[i].begin == REGEX_NOWHERE)
            buf_puts(&out, " -");
        else
            buf_printf(&out, "%s%u-%u", i > 0 ? " " : "", parts[i].begin, parts[i].end);
    return buf_str(&out).data;
}

Test(regex, finds_the_leftmost_match_and_in_it_what_is_tried_first)
{
    cr_expect_str_eq(find("b+", "abbc", 0), "1-3");
    cr_expect_str_eq(find("b+", "abbc", 2), "2-3");
    cr_expect_str_eq(find("b+", "abbc", 3), "none");
    cr_expect_str_eq(find("b+?", "abbc", 0), "1-2");
    cr_expect_str_eq(find("ab|abc", "abc", 0), "0-2");
    cr_expect_str_eq(find("abc|ab", "abc", 0), "0-3");
    cr_expect_str_eq(find("c|b|a", "abc", 0), "0-1");
    cr_expect_str_eq(find("a*", "baa", 0), "0-0");
    cr_expect_str_eq(find("^a", "aa", 1), "none");
    cr_expect_str_eq(find("a$", "aa", 0), "1-2");
    cr_expect_str_eq(find("é", "aéb", 0), "1-3");
}

Test(regex, groups_are_those_of_the_way_that_matched)
{
    cr_expect_str_eq(find("(a)(b)?", "ac", 0), "0-1 0-1 -");
    cr_expect_str_eq(find("(a)|(b)", "b", 0), "0-1 - 0-1");
    cr_expect_str_eq(find("(a|ab)(c|bcd)(d*)", "abcd", 0), "0-4 0-1 1-4 4-4");
    cr_expect_str_eq(find("(a*?)(a*)", "aa", 0), "0-2 0-0 0-2");
    cr_expect_str_eq(find("(?:(a)|b)*", "ab", 0), "0-2 0-1");
    cr_expect_str_eq(find("(a+)+", "aaa", 0), "0-3 0-3");
    cr_expect_str_eq(find("(?<x>a(?:b))", "ab", 0), "0-2 0-2");
    cr_expect_str_eq(find("((a)(b))", "ab", 0), "0-2 0-2 0-1 1-2");
}

/* The budget ends a search as it ends a test, and a long text costs in proportion. */
Test(regex, a_search_ends_by_its_budget)
{
    enum { SIZE = 5000 };
    static char text[SIZE + 1];
    const struct regex *regex = NULL;
    struct regex_part parts[1 + LIMITS_REGEX_GROUPS];
    bool found = false;
    memset(text, 'a', SIZE);
    cr_assert_eq(regex_compile(&arena, STR("(a|aa)+(a*)*b"), REGEX_CAPTURES, &regex, NULL), ERR_OK);
    void *scratch = arena_alloc(&arena, regex_scratch_size(regex));
    uint64_t begin = 100000000, work = begin, little = 1000;
    cr_assert_eq(regex_find(regex, (struct str){text, SIZE}, 0, scratch, &work, &found, parts), ERR_OK);
    cr_expect_not(found);
    cr_expect_lt(begin - work, (uint64_t)SIZE * 200);
    cr_expect_eq(regex_find(regex, (struct str){text, SIZE}, 0, scratch, &little, &found, parts), ERR_LIMIT);
    cr_expect_eq(little, 0);
}
