#include "tests/definition/plan_dump.h"

#include <inttypes.h>

#include "engine/base/duration.h"

static void put_duration(struct buf *out, int64_t us)
{
    buf_put(out, us ? duration_text(out->arena, us) : STR("none"));
}

static void put_program(struct buf *out, const char *name, const struct expr *program)
{
    static const char *const roots[] = {"input", "steps", "saga", "error", "index", "event", "named"};
    const struct json *value;
    if (!program)
        return;
    buf_printf(out, "%s: ", name);
    if (expr_is_constant(program, &value)) {
        json_write(out, value);
        buf_char(out, '\n');
        return;
    }
    uint32_t count;
    const struct expr_ref *refs = expr_refs(program, &count);
    buf_puts(out, "reads");
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "%s $%s", i ? "," : "", roots[refs[i].kind]);
        if (refs[i].kind == EXPR_REF_STEP_OUTPUT)
            buf_printf(out, ".%.*s(%d).output", STR_ARG(refs[i].name), refs[i].slot);
        buf_printf(out, "%.*s%s at %u:%u", STR_ARG(refs[i].path), refs[i].null_allowed ? " // …" : "",
                   refs[i].place.line, refs[i].place.column);
    }
    buf_char(out, '\n');
}

static void put_action(struct buf *out, const char *name, const struct plan_action *action)
{
    static const char *const vias[] = {"stream", "request"};
    static const char *const jitters[] = {"full", "equal", "none"};
    const struct plan_retry *retry = &action->retry;
    buf_printf(out, "  %s: %.*s (%.*s, %.*s) via %s, timeout ", name, STR_ARG(action->command),
               STR_ARG(action->participant), STR_ARG(action->action), vias[action->via]);
    put_duration(out, action->timeout_us);
    buf_printf(out, "\n    attempts %" PRIu32 ", pauses ", retry->attempts_max);
    put_duration(out, retry->initial_us);
    buf_printf(out, " x %" PRIu32 ".%03" PRIu32 " up to ", retry->factor_milli / 1000,
               retry->factor_milli % 1000);
    put_duration(out, retry->interval_max_us);
    buf_printf(out, ", jitter %s, elapsed ", jitters[retry->jitter]);
    put_duration(out, retry->elapsed_max_us);
    buf_char(out, '\n');
    put_program(out, "    with", action->with);
}

static void put_step(struct buf *out, const struct plan_node *node)
{
    const struct plan_step *step = node->step;
    buf_printf(out, "step %u %.*s, line %u%s%s\n", node->index, STR_ARG(node->id), node->place.line,
               step->pivot ? ", pivot" : "", node->after_pivot ? ", after the pivot" : "");
    put_action(out, "do", &step->run);
    if (step->has_verify)
        put_action(out, "verify", &step->verify);
    if (step->has_undo)
        put_action(out, "undo", &step->undo);
    buf_printf(out, "  on_timeout: %.*s\n", STR_ARG(plan_on_timeout_text(step->on_timeout)));
    for (uint32_t i = 0; i < step->error_count; i++)
        buf_printf(out, "  error %.*s: %.*s\n", STR_ARG(step->errors[i].code),
                   STR_ARG(plan_on_error_text(step->errors[i].then)));
    if (step->output_schema)
        buf_puts(out, "  has an output schema\n");
}

void plan_dump(const struct plan *plan, struct buf *out)
{
    buf_printf(out, "saga %.*s version %d hash %s\ndescription: %.*s\ntimeout: ", STR_ARG(plan->name),
               plan->version, plan->hash, STR_ARG(plan->description));
    put_duration(out, plan->timeout_us);
    buf_printf(out, "\n%s", plan->input_schema ? "has an input schema\n" : "");
    put_program(out, "key", plan->key);
    for (uint32_t i = 0; i < plan->search_count; i++)
        put_program(out, arena_printf(out->arena, "search %.*s", STR_ARG(plan->search[i].name)).data,
                    plan->search[i].value);
    buf_puts(out, "participants:");
    for (uint32_t i = 0; i < plan->participant_count; i++)
        buf_printf(out, " %.*s", STR_ARG(plan->participants[i]));
    buf_printf(out, "\nsteps: %u\n", plan->step_count);
    for (uint16_t i = 0; i < plan->nodes[0].child_count; i++)
        put_step(out, &plan->nodes[plan->nodes[0].children[i]]);
    put_program(out, "output", plan->output);
}
