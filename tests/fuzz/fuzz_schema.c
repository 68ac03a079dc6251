/* Schemas: one, a separator, a value. Any schema compiles or is refused with places; a check says the same
 * twice, says why when it refuses, counts what it does, and refuses what takes more than it may. */
#include "tests/fuzz/fuzz.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/definition/schema.h"

enum {
    MEMORY_MAX = 64 << 20, /* of a compiled schema and of one check */
    STEP_NS = 400          /* unoptimized and sanitized */
};

struct run {
    const struct schema *schema;
    const struct json *value;
    uint64_t work;
    uint64_t used;
    bool fits;
    uint32_t problems;
};

static void test(void *context)
{
    struct run *run = context;
    struct schema_problems problems = {.count = 0};
    struct arena arena;
    uint64_t left = run->work;
    arena_init(&arena, 0);
    run->fits = schema_check_within(run->schema, run->value, &arena, &problems, &left);
    run->used = run->work - left;
    run->problems = problems.count;
    check(arena.used <= MEMORY_MAX);
    for (uint32_t i = 0; i < problems.count; i++)
        check(problems.items[i].message.size > 0 && str_is_utf8(problems.items[i].message));
    arena_fini(&arena);
}

static void check_value(struct run *run)
{
    run->work = LIMITS_SCHEMA_WORK;
    fuzz_measured(test, run, &run->used, STEP_NS);
    check(run->used <= LIMITS_SCHEMA_WORK);
    check(run->fits == (run->problems == 0));
    struct run exact = *run, less = *run;
    exact.work = run->used;
    test(&exact);
    if (run->used < LIMITS_SCHEMA_WORK)
        check(exact.fits == run->fits && exact.used == run->used);
    if (run->used == 0)
        return;
    less.work = run->used - 1;
    test(&less);
    check(!less.fits && less.problems > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct str text = fuzz_part(&rest);
    const struct json *source = NULL;
    struct run run = {.value = NULL};
    struct diag_list diags;
    struct arena arena;
    arena_init(&arena, 0);
    diag_init(&diags, &arena, STR("schema"), text);
    if (json_parse(&arena, text, LIMITS_PAYLOAD_BYTES, &source, NULL) == ERR_OK) {
        run.schema = schema_compile(&arena, source, (struct diag_place){1, 1, 1}, &diags);
        check((run.schema == NULL) == (diags.error_count > 0));
        check(arena.used <= MEMORY_MAX);
    }
    if (run.schema && json_parse(&arena, rest, LIMITS_PAYLOAD_BYTES, &run.value, NULL) == ERR_OK)
        check_value(&run);
    arena_fini(&arena);
    return 0;
}
