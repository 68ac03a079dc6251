/* A node as it was and as it is: each of its parts compared, and what differs reported as a finding. Part of
 * diff_parts.h; called by diff.c for each pair that was matched. Never matches nodes itself. */
#include "engine/model/diff_parts.h"

#include "engine/base/duration.h"
#include "engine/base/limits.h"

static struct str yes_no(bool value)
{
    return value ? STR("yes") : STR("no");
}

static struct str number(struct diff_work *work, uint32_t value)
{
    return arena_printf(work->arena, "%u", value);
}

/* "timeout: 5s is 10s now" when they differ. */
static void became(struct diff_work *work, enum diff_kind kind, struct str place, const char *what,
                   struct str was, struct str is)
{
    if (!str_equal(was, is))
        diff_add(work, kind, place,
                 arena_printf(work->arena, "%s: %.*s", what, STR_ARG(diff_became(work, was, is))));
}

static void became_expr(struct diff_work *work, enum diff_kind kind, struct str place, const char *what,
                        const struct expr *was, const struct expr *is)
{
    if (!diff_same(was, is))
        became(work, kind, place, what, diff_source(work, was), diff_source(work, is));
}

static struct str duration(struct diff_work *work, int64_t time_us)
{
    return time_us == 0 ? STR("none") : duration_text(work->arena, time_us);
}

/* ---- steps ---- */

static struct str retry_text(struct diff_work *work, const struct plan_retry *retry)
{
    static const char *const jitters[] = {"full", "equal", "none"};
    struct buf out;
    buf_init(&out, work->arena);
    if (retry->attempts_max == LIMITS_ATTEMPTS_MAX)
        buf_puts(&out, "unlimited attempts");
    else
        buf_printf(&out, "%u attempts", retry->attempts_max);
    buf_printf(&out, " from %.*s by %u.%03u up to %.*s, jitter %s",
               STR_ARG(duration_text(work->arena, retry->initial_us)), retry->factor_milli / 1000,
               retry->factor_milli % 1000, STR_ARG(duration_text(work->arena, retry->interval_max_us)),
               jitters[retry->jitter]);
    if (retry->elapsed_max_us > 0)
        buf_printf(&out, ", within %.*s", STR_ARG(duration_text(work->arena, retry->elapsed_max_us)));
    return buf_str(&out);
}

static void compare_action(struct diff_work *work, struct str place, const char *prefix,
                           const struct plan_action *was, const struct plan_action *is, bool with)
{
    static const struct diff_fields fields = {DIFF_FIELD_REMOVED, DIFF_FIELD_RETYPED, DIFF_FIELD_CHANGED,
                                              DIFF_FIELD_ADDED, DIFF_FIELD_UNKNOWN};
    struct arena *arena = work->arena;
    became(work, DIFF_COMMAND_CHANGED, place, arena_printf(arena, "%scommand", prefix).data, was->command,
           is->command);
    if (was->via != is->via)
        diff_add(
            work, DIFF_CARRIER_CHANGED, place,
            arena_printf(arena, "%svia: %s now", prefix, is->via == PLAN_VIA_REQUEST ? "request" : "stream"));
    if (with)
        diff_value(work, &fields, place, arena_printf(arena, "%swith", prefix).data, was->with, is->with);
    became(work, DIFF_TIMING_CHANGED, place, arena_printf(arena, "%stimeout", prefix).data,
           duration(work, was->timeout_us), duration(work, is->timeout_us));
    became(work, DIFF_TIMING_CHANGED, place, arena_printf(arena, "%sretry", prefix).data,
           retry_text(work, &was->retry), retry_text(work, &is->retry));
}

static struct str rules_text(struct diff_work *work, const struct plan_step *step)
{
    struct buf out;
    buf_init(&out, work->arena);
    for (uint32_t i = 0; i < step->error_count; i++)
        buf_printf(&out, "%s%.*s: %.*s", i > 0 ? ", " : "", STR_ARG(step->errors[i].code),
                   STR_ARG(plan_on_error_text(step->errors[i].then)));
    return step->error_count == 0 ? STR("no rules") : buf_str(&out);
}

/* A compensation that says no `with` has its step's: that is told once. */
static void compare_undo(struct diff_work *work, struct str place, const struct plan_step *was,
                         const struct plan_step *is)
{
    if (was->has_undo && is->has_undo)
        compare_action(work, place, "compensation's ", &was->undo, &is->undo,
                       !diff_same(was->undo.with, was->run.with) || !diff_same(is->undo.with, is->run.with));
    else if (is->has_undo)
        diff_add(work, DIFF_UNDO_ADDED, place, is->undo.command);
    else if (was->has_undo)
        diff_add(work, DIFF_UNDO_REMOVED, place,
                 arena_printf(work->arena, "%.*s is gone", STR_ARG(was->undo.command)));
}

static void compare_verify(struct diff_work *work, struct str place, const struct plan_step *was,
                           const struct plan_step *is)
{
    became(work, DIFF_TIMING_CHANGED, place, "start_within", duration(work, was->start_within_us),
           duration(work, is->start_within_us));
    became(work, DIFF_RULE_CHANGED, place, "on_timeout", plan_on_timeout_text(was->on_timeout),
           plan_on_timeout_text(is->on_timeout));
    if (was->has_verify && is->has_verify) /* its body is the step's */
        compare_action(work, place, "verify's ", &was->verify, &is->verify, false);
    else
        became(work, DIFF_RULE_CHANGED, place, "verify",
               was->has_verify ? was->verify.command : STR("nothing"),
               is->has_verify ? is->verify.command : STR("nothing"));
    became(work, DIFF_RULE_CHANGED, place, "errors", rules_text(work, was), rules_text(work, is));
}

static void compare_step(struct diff_work *work, const struct plan_node *was, const struct plan_node *is)
{
    static const struct diff_schemas reply = {DIFF_REPLY_WIDER, DIFF_REPLY_DECLARED, DIFF_REPLY_NARROWER,
                                              DIFF_REPLY_UNKNOWN};
    compare_action(work, is->id, "", &was->step->run, &is->step->run, true);
    compare_undo(work, is->id, was->step, is->step);
    compare_verify(work, is->id, was->step, is->step);
    diff_schema(work, &reply, is->id, was->step->output_schema, is->step->output_schema);
}

/* ---- the others ---- */

static void compare_await(struct diff_work *work, const struct plan_node *was, const struct plan_node *is)
{
    static const struct diff_schemas signal = {DIFF_SIGNAL_WIDER, DIFF_SIGNAL_DECLARED, DIFF_SIGNAL_NARROWER,
                                               DIFF_SIGNAL_UNKNOWN};
    became(work, DIFF_CHOICE_CHANGED, is->id, "event", was->await->event, is->await->event);
    became(work, DIFF_TIMING_CHANGED, is->id, "timeout", duration(work, was->await->timeout_us),
           duration(work, is->await->timeout_us));
    became(work, DIFF_RULE_CHANGED, is->id, "on_timeout", plan_await_timeout_text(was->await->on_timeout),
           plan_await_timeout_text(is->await->on_timeout));
    diff_schema(work, &signal, is->id, was->await->schema, is->await->schema);
}

static void compare_fan(struct diff_work *work, const struct plan_node *was, const struct plan_node *is)
{
    const struct plan_fan *a = was->fan, *b = is->fan;
    if (is->kind == PLAN_FOREACH && b->items_max < a->items_max)
        became(work, DIFF_ITEMS_FEWER, is->id, "max_items", number(work, a->items_max),
               number(work, b->items_max));
    else if (is->kind == PLAN_FOREACH)
        became(work, DIFF_LOOP_CHANGED, is->id, "max_items", number(work, a->items_max),
               number(work, b->items_max));
    became(work, DIFF_LOOP_CHANGED, is->id, "max_concurrency", number(work, a->concurrency_max),
           number(work, b->concurrency_max));
    became(work, DIFF_LOOP_CHANGED, is->id, "a failure cancels the others", yes_no(a->cancels),
           yes_no(b->cancels));
    became_expr(work, DIFF_LOOP_CHANGED, is->id, "in", a->in, b->in);
}

static const struct expr *case_at(const struct plan_node *node, uint16_t at)
{
    return at < node->child_count ? node->choice->when[at] : NULL;
}

static void compare_choice(struct diff_work *work, const struct plan_node *was, const struct plan_node *is)
{
    if (was->child_count != is->child_count)
        became(work, DIFF_CHOICE_CHANGED, is->id, "cases", number(work, was->child_count),
               number(work, is->child_count));
    for (uint16_t i = 0; i < was->child_count && i < is->child_count; i++)
        became_expr(work, DIFF_CHOICE_CHANGED, is->id, arena_printf(work->arena, "case %u", i + 1U).data,
                    case_at(was, i), case_at(is, i));
}

static void compare_child(struct diff_work *work, const struct plan_node *was, const struct plan_node *is)
{
    static const struct diff_fields fields = {DIFF_CHILD_CHANGED, DIFF_CHILD_CHANGED, DIFF_CHILD_CHANGED,
                                              DIFF_CHILD_CHANGED, DIFF_CHILD_CHANGED};
    became(work, DIFF_CHILD_CHANGED, is->id, "name", was->saga->name, is->saga->name);
    became(work, DIFF_CHILD_CHANGED, is->id, "version",
           was->saga->version == 0 ? STR("the newest") : number(work, (uint32_t)was->saga->version),
           is->saga->version == 0 ? STR("the newest") : number(work, (uint32_t)is->saga->version));
    diff_value(work, &fields, is->id, "with", was->step->run.with, is->step->run.with);
    became(work, DIFF_RULE_CHANGED, is->id, "errors", rules_text(work, was->step),
           rules_text(work, is->step));
}

static void compare_fail(struct diff_work *work, const struct plan_node *was, const struct plan_node *is)
{
    became(work, DIFF_CODE_CHANGED, is->id, "code", was->fail->code, is->fail->code);
    became_expr(work, DIFF_RULE_CHANGED, is->id, "message", was->fail->message, is->fail->message);
    became_expr(work, DIFF_CHOICE_CHANGED, is->id, "when", was->fail->when, is->fail->when);
}

void diff_node(struct diff_work *work, const struct plan_node *older, const struct plan_node *newer)
{
    if (older->kind != newer->kind) {
        became(work, DIFF_NODE_RETYPED, newer->id, "kind", plan_kind_text(older->kind),
               plan_kind_text(newer->kind));
        return;
    }
    switch (newer->kind) {
    case PLAN_STEP:
        compare_step(work, older, newer);
        return;
    case PLAN_SWITCH:
        compare_choice(work, older, newer);
        return;
    case PLAN_PARALLEL:
    case PLAN_FOREACH:
        compare_fan(work, older, newer);
        return;
    case PLAN_AWAIT:
        compare_await(work, older, newer);
        return;
    case PLAN_WAIT:
        became(work, DIFF_TIMING_CHANGED, newer->id, "for", duration(work, older->wait->for_us),
               duration(work, newer->wait->for_us));
        became_expr(work, DIFF_TIMING_CHANGED, newer->id, "until", older->wait->until, newer->wait->until);
        return;
    case PLAN_SAGA:
        compare_child(work, older, newer);
        return;
    case PLAN_FAIL:
        compare_fail(work, older, newer);
        return;
    case PLAN_SEQUENCE:
    case PLAN_SCOPE:
        return;
    }
}
