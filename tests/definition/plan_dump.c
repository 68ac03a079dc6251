/* A plan as text, everything of it: what is not dumped is not tested. */
#include "tests/definition/plan_dump.h"

#include <criterion/criterion.h>
#include <inttypes.h>

#include "engine/base/duration.h"
#include "engine/base/limits.h"

static void put_duration(struct buf *out, int64_t us)
{
    buf_put(out, us ? duration_text(out->arena, us) : STR("none"));
}

static void put_program(struct buf *out, const char *name, const struct expr *program)
{
    static const char *const roots[] = {"input", "steps", "saga", "error", "index", "event", "came", "named"};
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
        else if (refs[i].slot >= 0)
            buf_printf(out, " %.*s(%d)", STR_ARG(refs[i].name), refs[i].slot);
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
    put_action(out, "do", &step->run);
    if (step->has_verify)
        put_action(out, "verify", &step->verify);
    if (step->has_undo)
        put_action(out, "undo", &step->undo);
    if (step->start_within_us != INT64_C(3600000000) && node->kind == PLAN_STEP) {
        buf_puts(out, "  start within ");
        put_duration(out, step->start_within_us);
        buf_char(out, '\n');
    }
    buf_printf(out, "  on_timeout: %.*s\n", STR_ARG(plan_on_timeout_text(step->on_timeout)));
    for (uint32_t i = 0; i < step->error_count; i++)
        buf_printf(out, "  error %.*s: %.*s\n", STR_ARG(step->errors[i].code),
                   STR_ARG(plan_on_error_text(step->errors[i].then)));
    if (step->output_schema)
        buf_puts(out, "  has an output schema\n");
}

static void put_fan(struct buf *out, const struct plan_node *node)
{
    const struct plan_fan *fan = node->fan;
    buf_printf(out, "  at once: %" PRIu32 ", on failure %s", fan->concurrency_max,
               fan->cancels ? "cancel" : "wait");
    if (node->kind == PLAN_FOREACH)
        buf_printf(out, ", as %.*s, at most %" PRIu32, STR_ARG(fan->as), fan->items_max);
    buf_char(out, '\n');
    put_program(out, "  in", fan->in);
}

static void put_await(struct buf *out, const struct plan_await *await)
{
    buf_printf(out, "  event %.*s, timeout ", STR_ARG(await->event));
    put_duration(out, await->timeout_us);
    buf_printf(out, ", then %.*s%s\n", STR_ARG(plan_await_timeout_text(await->on_timeout)),
               await->schema ? ", has a schema" : "");
}

static void put_kind(struct buf *out, const struct plan_node *node)
{
    switch (node->kind) {
    case PLAN_SEQUENCE:
    case PLAN_SCOPE:
        break;
    case PLAN_SAGA:
        buf_printf(out, "  saga %.*s version %d\n", STR_ARG(node->saga->name), node->saga->version);
        put_step(out, node);
        break;
    case PLAN_STEP:
        put_step(out, node);
        break;
    case PLAN_SWITCH:
        for (uint16_t i = 0; i < node->child_count; i++)
            if (node->choice->when[i])
                put_program(out, "  when", node->choice->when[i]);
            else
                buf_puts(out, "  else\n");
        break;
    case PLAN_PARALLEL:
    case PLAN_FOREACH:
        put_fan(out, node);
        break;
    case PLAN_AWAIT:
        put_await(out, node->await);
        break;
    case PLAN_WAIT:
        if (node->wait->for_us) {
            buf_puts(out, "  for ");
            put_duration(out, node->wait->for_us);
            buf_char(out, '\n');
        }
        put_program(out, "  until", node->wait->until);
        break;
    case PLAN_FAIL:
        buf_printf(out, "  code %.*s\n", STR_ARG(node->fail->code));
        put_program(out, "  message", node->fail->message);
        put_program(out, "  when", node->fail->when);
        break;
    }
}

/* Indented by blocks. A sequence shows only when it is a branch of something. */
static void put_node(struct buf *out, const struct plan *plan, const struct plan_node *node, int depth)
{
    cr_assert(depth <= LIMITS_DEPTH * 2 + 1);
    const struct plan_node *parent = &plan->nodes[node->parent];
    cr_expect(node->index == (uint16_t)(node - plan->nodes));
    cr_expect(node->index == 0 || parent->children[node->order] == node->index);
    cr_expect_eq(parent->kind == PLAN_SEQUENCE, node->index == 0 || node->kind != PLAN_SEQUENCE);
    if (node->index > 0) {
        buf_printf(out, "%.*s %u %.*s, line %u in %u", STR_ARG(plan_kind_text(node->kind)), node->index,
                   STR_ARG(node->id), node->place.line, node->parent);
        if (node->loop)
            buf_printf(out, ", loop %u", node->loop);
        if (node->scope)
            buf_printf(out, ", scope %u", node->scope);
        buf_printf(out, "%s%s\n", node->kind == PLAN_STEP && node->step->pivot ? ", pivot" : "",
                   node->after_pivot ? ", after the pivot" : "");
        put_kind(out, node);
    }
    for (uint16_t i = 0; i < node->child_count; i++)
        put_node(out, plan, &plan->nodes[node->children[i]], depth + 1);
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
    put_node(out, plan, &plan->nodes[0], 0);
    put_program(out, "output", plan->output);
    if (plan->completes_without_output)
        buf_puts(out, "without an output it is completed all the same\n");
}
