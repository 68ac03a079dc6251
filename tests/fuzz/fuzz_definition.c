/* The loader: YAML, separator, the text of every schema file, separator, the input of a start. A text gives a
 * plan or errors, never both; a plan's bundle gives the same plan; any input is judged. A text that begins
 * with { is tried as a bundle too. */
#include "tests/fuzz/fuzz.h"
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/definition/definition.h"

static enum err read_part(void *context, struct str path, struct arena *arena, struct str *text,
                          struct err_note *note)
{
    const struct str *part = context;
    (void)arena;
    if (str_ends(path, STR("missing.json")))
        return err_note(note, ERR_IO, "there is no such file");
    *text = *part;
    return ERR_OK;
}

static void check_diags(struct arena *arena, const struct plan *plan, struct diag_list *diags)
{
    struct buf out, json;
    buf_init(&out, arena);
    buf_init(&json, arena);
    check((plan == NULL) == (diags->error_count > 0));
    diag_sort(diags);
    diag_render(diags, &out);
    diag_render_json(diags, &json);
    check(str_is_utf8(buf_str(&out)));
    check(fuzz_is_json(arena, buf_str(&json))->count == diags->count);
}

static void check_nodes(const struct plan *plan)
{
    uint16_t steps = 0;
    check(plan->name.size > 0 && plan->name.size <= LIMITS_NAME_BYTES && plan->version >= 1);
    check(plan->node_count > 1 && strlen(plan->hash) == 64);
    for (uint16_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        check(node->index == i && (i == 0 ? node->parent == 0 : node->parent < i));
        bool commands = node->kind == PLAN_STEP || node->kind == PLAN_SAGA;
        check(commands == (node->step != NULL));
        steps = (uint16_t)(steps + (node->kind == PLAN_STEP));
        check(node->kind == PLAN_SEQUENCE || plan_find(plan, node->id) == node);
        if (node->step == NULL)
            continue;
        check(node->step->run.timeout_us > 0 && node->step->run.retry.attempts_max > 0);
        check(!node->after_pivot || !node->step->has_undo);
    }
    check(steps == plan->step_count && steps <= LIMITS_STEPS);
    for (uint32_t i = 1; i < plan->participant_count; i++)
        check(str_compare(plan->participants[i - 1], plan->participants[i]) < 0);
}

static void check_start(struct arena *arena, const struct plan *plan, struct str text)
{
    struct definition_start start;
    const struct json *input = NULL;
    if (json_parse(arena, text, LIMITS_PAYLOAD_BYTES, &input, NULL) != ERR_OK)
        input = &json_null;
    bool fine = definition_start(plan, input, STR(""), arena, &start);
    check(fine == (start.problems.count == 0));
    check(start.problems.count <= SCHEMA_PROBLEMS_MAX && start.key.size <= LIMITS_KEY_BYTES);
    for (uint32_t i = 0; i < start.problems.count; i++)
        check(start.problems.items[i].message.size > 0 && str_is_utf8(start.problems.items[i].message));
    if (fine && start.search)
        (void)fuzz_is_json(arena, json_text(arena, start.search));
}

static void check_plan(struct arena *arena, const struct plan *plan, struct str input)
{
    struct diag_list diags;
    if (plan == NULL)
        return;
    diag_init(&diags, arena, STR("bundle"), STR(""));
    const struct plan *again = definition_load_bundle(arena, plan->bundle, &diags);
    check(again != NULL && strcmp(again->hash, plan->hash) == 0);
    check(str_equal(again->bundle, plan->bundle));
    check(plan->bundle.size <= LIMITS_BUNDLE_BYTES);
    check_nodes(plan);
    check_start(arena, plan, input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct str text = fuzz_part(&rest);
    struct str schema = fuzz_part(&rest);
    struct definition_files files = {.context = &schema, .read = read_part};
    struct diag_list diags;
    struct arena arena;
    arena_init(&arena, 0);
    diag_init(&diags, &arena, STR("fuzz.yaml"), text);
    const struct plan *plan = definition_load(&arena, text, &files, &diags);
    check_diags(&arena, plan, &diags);
    check_plan(&arena, plan, rest);
    if (str_starts(text, STR("{"))) {
        diag_init(&diags, &arena, STR("bundle"), STR(""));
        plan = definition_load_bundle(&arena, text, &diags);
        check_diags(&arena, plan, &diags);
        check_plan(&arena, plan, rest);
    }
    arena_fini(&arena);
    return 0;
}
