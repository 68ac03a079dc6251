/* Scenario files, as `sagactl test` reads them: any text is a list of scenarios or has located mistakes; each
 * scenario ends, and says what it expected in text that can be shown. */
#include "tests/fuzz/fuzz.h"
#include "engine/base/check.h"
#include "engine/model/scenario.h"

enum { SCENARIOS_MAX = 3 };

static void run_all(const struct scenario_file *file)
{
    static struct scenario_result result;
    struct arena arena;
    arena_init(&arena, 0);
    for (uint32_t i = 0; i < file->count && i < SCENARIOS_MAX; i++) {
        arena_reset(&arena);
        scenario_run(file, i, &arena, NULL, &result);
        check(result.passed == (result.failure_count == 0));
        check(result.failure_count <= SCENARIO_FAILURES_MAX);
        for (uint32_t k = 0; k < result.failure_count; k++)
            check(result.failures[k].size > 0 && str_is_utf8(result.failures[k]));
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct diag_list diags;
    struct buf shown;
    struct arena arena;
    arena_init(&arena, 0);
    diag_init(&diags, &arena, STR("fuzz.test.yaml"), text);
    const struct scenario_file *file =
        scenario_read(&arena, text, SAGA_SOURCE_DIR "/definitions/examples", &diags);
    check((file == NULL) == (diags.error_count > 0));
    buf_init(&shown, &arena);
    diag_render(&diags, &shown);
    if (file)
        run_all(file);
    arena_fini(&arena);
    return 0;
}
