/* What a hostile file can do: it is refused, located, and soon. */
#include "engine/base/limits.h"
#include "tests/definition/support.h"
#include "tests/support/effort.h"

/* Of effort (effort.h): the worst of these needs a fifth of it, with sanitizers; a wrong order of growth
 * takes minutes. */
enum { TIME_MAX_US = 2000000 };

static void expect_refused(struct arena *arena, struct str text, const char *code)
{
    struct diag_list diags;
    struct effort effort = effort_begin();
    const struct plan *plan = support_load_text(arena, text, &diags);
    int64_t spent = effort_us(effort);
    cr_expect(plan == NULL);
    cr_expect(support_has_code(&diags, code), "%s expected, got:\n%s", code,
              support_render(arena, &diags).data);
    cr_expect(spent < TIME_MAX_US, "took %lld us", (long long)spent);
}

static struct str repeated(struct arena *arena, const char *head, const char *part, size_t count)
{
    struct buf out;
    buf_init(&out, arena);
    buf_puts(&out, head);
    for (size_t i = 0; i < count; i++)
        buf_puts(&out, part);
    return buf_str(&out);
}

Test(limits, nesting)
{
    struct arena arena;
    arena_init(&arena, 0);
    expect_refused(&arena, repeated(&arena, "saga: ", "[", 20000), "too-large");
    expect_refused(&arena, repeated(&arena, "saga: ", "{a: ", 20000), "too-large");
    expect_refused(&arena, repeated(&arena, "", "- ", 20000), "too-large");
    expect_refused(&arena, repeated(&arena, "", "? ", 20000), "bad-key");
    arena_fini(&arena);
}

Test(limits, values_and_bytes)
{
    struct arena arena;
    arena_init(&arena, 0);
    expect_refused(&arena, repeated(&arena, "steps: [", "1,", LIMITS_YAML_NODES + 1), "too-large");
    expect_refused(&arena, repeated(&arena, "{", "a,", 400000), "too-large");
    expect_refused(&arena, repeated(&arena, "{", "\"${ $x }\",", 100000), "too-large");
    expect_refused(&arena, repeated(&arena, "# ", "0123456789abcdef", LIMITS_DEFINITION_BYTES / 16),
                   "too-large");
    arena_fini(&arena);
}

/* Few bytes of text that are many in memory: computed constants, patterns with repetitions. */
Test(limits, what_is_small_as_text_only)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str constants =
        repeated(&arena, "saga: a\nversion: 1\nsteps:\n - id: a\n   command: p.a\n   with:\n",
                 "    - '${ \"xxxxxxxx\" * 100000 }'\n", 3000);
    struct diag_list diags;
    size_t before = arena.used;
    cr_expect_null(support_load_text(&arena, constants, &diags));
    cr_expect(support_has_code(&diags, "too-large"));
    cr_expect_lt(arena.used - before, 2 * (size_t)LIMITS_PLAN_BYTES);
    arena_fini(&arena);
}

/* Files are read only so far: how large one is nobody knows. */
Test(limits, a_file_that_is_too_large)
{
    struct arena arena;
    struct diag_list diags;
    arena_init(&arena, 0);
    struct str text = repeated(&arena, "# ", "0123456789abcdef", LIMITS_DEFINITION_BYTES / 16);
    (void)support_load_text(&arena, text, &diags);
    cr_assert_eq(diags.count, 1);
    cr_expect_str_eq(diags.items[0].message.data, "the file has more than 1048576 bytes");
    arena_fini(&arena);
}

Test(limits, duplicate_keys_in_a_large_mapping)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct buf out;
    buf_init(&out, &arena);
    for (int i = 0; i < 20000; i++)
        buf_printf(&out, "k%d: 1\n", i);
    buf_puts(&out, "k0: 2\n");
    struct diag_list diags;
    cr_expect(support_load_text(&arena, buf_str(&out), &diags) == NULL);
    cr_expect(diags.left_out > 0, "a diagnostic for each key, most of them left out");
    arena_fini(&arena);
}

static struct str steps_text(struct arena *arena, int count)
{
    struct buf out;
    buf_init(&out, arena);
    buf_puts(&out, "saga: many\nversion: 1\nsteps:\n");
    for (int i = 0; i < count; i++)
        buf_printf(&out, "  - { id: s%d, command: a.b, with: { x: \"${ $input.x }\" }, compensate: a.c }\n",
                   i);
    return buf_str(&out);
}

Test(limits, a_thousand_steps_and_no_more)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct diag_list diags;
    const struct plan *plan = support_load_text(&arena, steps_text(&arena, LIMITS_STEPS), &diags);
    cr_assert(plan != NULL, "%s", support_render(&arena, &diags).data);
    cr_expect_eq(plan->step_count, LIMITS_STEPS);
    cr_expect_eq(plan->nodes[LIMITS_STEPS].order, LIMITS_STEPS - 1);
    cr_expect_eq(plan->participant_count, 1);
    expect_refused(&arena, steps_text(&arena, LIMITS_STEPS + 1), "out-of-bounds");
    arena_fini(&arena);
}

Test(limits, more_mistakes_than_are_kept)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct diag_list diags;
    struct str text = repeated(&arena, "saga: a\nversion: 1\nsteps:\n", "  - {}\n", 200);
    cr_expect(support_load_text(&arena, text, &diags) == NULL);
    cr_expect_eq(diags.count, LIMITS_ERRORS_COUNT);
    cr_expect(diags.left_out > 0);
    arena_fini(&arena);
}

Test(limits, depth_of_a_body)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct buf out;
    for (int extra = 0; extra < 2; extra++) {
        buf_init(&out, &arena);
        buf_puts(&out, "saga: deep\nversion: 1\nsteps:\n  - { id: x, command: a.b, compensate: none, with: ");
        for (int i = 0; i < LIMITS_PAYLOAD_DEPTH + extra; i++)
            buf_char(&out, '[');
        for (int i = 0; i < LIMITS_PAYLOAD_DEPTH + extra; i++)
            buf_char(&out, ']');
        buf_puts(&out, " }\n");
        struct diag_list diags;
        const struct plan *plan = support_load_text(&arena, buf_str(&out), &diags);
        cr_expect((plan != NULL) == (extra == 0), "%s", support_render(&arena, &diags).data);
    }
    arena_fini(&arena);
}

Test(limits, texts_counts_and_schemas)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct buf out;
    buf_init(&out, &arena);
    buf_printf(&out, "saga: a\nversion: 1\ndescription: %01001d\ninput:\n  schema: ", 1);
    for (int i = 0; i < LIMITS_JSON_DEPTH; i++)
        buf_puts(&out, "{ items: ");
    buf_puts(&out, "true");
    for (int i = 0; i < LIMITS_JSON_DEPTH; i++)
        buf_puts(&out, " }");
    buf_puts(&out, "\nsteps:\n  - { id: x, command: a.b, compensate: none, errors: {");
    for (int i = 0; i <= LIMITS_ERROR_RULES; i++)
        buf_printf(&out, "E%d: fail, ", i);
    buf_puts(&out, "} }\n");
    struct str text = buf_str(&out);
    expect_refused(&arena, text, "bad-number");
    char *digits = strstr((char *)text.data, "000");
    digits[0] = 'x';
    expect_refused(&arena, text, "out-of-bounds");
    struct diag_list diags;
    cr_expect(support_load_text(&arena, text, &diags) == NULL);
    cr_expect_eq(diags.error_count, 2, "%s", support_render(&arena, &diags).data);
    arena_fini(&arena);
}

/* The most nodes that a file can have: a thousand switches of as many cases as they may. */
Test(limits, as_many_branches_as_there_can_be)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct buf out;
    buf_init(&out, &arena);
    buf_puts(&out, "saga: wide\nversion: 1\nsteps:\n");
    for (int i = 0; i < LIMITS_STEPS - 1; i++) {
        buf_puts(&out, "- parallel: { branches: {");
        for (int k = 0; k < LIMITS_CASES - 2; k++)
            buf_printf(&out, "b%d: ,", k);
        buf_puts(&out, "} }\n");
    }
    buf_puts(&out, "- { id: x, command: a.b, compensate: none }\n");
    expect_refused(&arena, buf_str(&out), "wrong-type");
    arena_fini(&arena);
}

static void put_steps(struct buf *out, int count)
{
    buf_puts(out, "saga: hostile\nversion: 1\nsteps:\n");
    for (int i = 0; i < count; i++)
        buf_printf(out, "- { id: s%d, command: p%d.do, compensate: p%d.undo }\n", i, i, i);
}

Test(limits, references_without_end)
{
    static const char *const refs[] = {"$steps.sx.output", "$event", "$item", "$index", "$steps.s998.output"};
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct buf out;
        buf_init(&out, &arena);
        put_steps(&out, LIMITS_STEPS - 2);
        buf_puts(&out, "- await: { id: late, event: e, timeout: 1d }\n- { id: x, compensate: none, with: [");
        for (int k = 0; k < 500; k++) {
            buf_puts(&out, "\"${ [");
            for (int n = 0; n < 40; n++)
                buf_printf(&out, "%s%s", n ? "," : "", refs[i]);
            buf_puts(&out, "] }\",");
        }
        buf_puts(&out, "] }\n");
        expect_refused(&arena, buf_str(&out), "missing-key");
        arena_fini(&arena);
    }
}

/* Three thousand names, each a letter from many others, and none that is. Five million pairs are compared,
 * with sanitizers: more would be a third power. */
Test(limits, names_that_look_alike)
{
    struct arena arena;
    for (int alike = 0; alike < 2; alike++) {
        arena_init(&arena, 0);
        struct buf out;
        buf_init(&out, &arena);
        buf_puts(&out, "saga: hostile\nversion: 1\nsteps:\n");
        for (int i = 0; i < LIMITS_STEPS; i++) {
            char word[8] = {(char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676), 0};
            const char *twice = alike ? "" : word;
            buf_printf(&out, "- { id: same%s%s, command: party%s%s.do, ", word, twice, word, twice);
            buf_printf(&out, "verify: other%s%s.do, compensate: third%s%s.do }\n", word, twice, word, twice);
        }
        struct diag_list diags;
        struct effort effort = effort_begin();
        const struct plan *plan = support_load_text(&arena, buf_str(&out), &diags);
        int64_t spent = effort_us(effort);
        cr_expect(plan != NULL, "%s", support_render(&arena, &diags).data);
        cr_expect_eq(diags.count, alike ? LIMITS_ERRORS_COUNT : 0);
        cr_expect(spent < TIME_MAX_US, "took %lld us", (long long)spent);
        arena_fini(&arena);
    }
}
