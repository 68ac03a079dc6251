/* The longest that a definition takes, from its numbers: attempts, pauses, time-outs, waits. Part of the
 * explorer; called by explore.c. Never simulates; what has no bound is told as having none. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

enum { MILLI = 1000 };
static const int64_t most_us = INT64_MAX / 4; /* sums stay below: no duration comes near */

struct span {
    const struct plan *plan;
    struct str unbounded;
    bool back; /* counts undoing, not doing */
};

static int64_t add(int64_t a, int64_t b)
{
    return a > most_us - b ? most_us : a + b;
}

static int64_t times(int64_t a, uint32_t n)
{
    return n > 0 && a > most_us / n ? most_us : a * n;
}

/* All attempts of one budget and the pauses between them. */
static int64_t budget_us(const struct plan_action *action)
{
    const struct plan_retry *retry = &action->retry;
    int64_t sum = action->timeout_us, pause = retry->initial_us;
    for (uint32_t i = 1; i < retry->attempts_max; i++) {
        if (pause >= retry->interval_max_us || pause > most_us / retry->factor_milli) {
            int64_t each = add(retry->interval_max_us, action->timeout_us);
            sum = add(sum, times(each, retry->attempts_max - i));
            break;
        }
        sum = add(sum, add(pause, action->timeout_us));
        pause = pause * retry->factor_milli / MILLI;
    }
    if (retry->elapsed_max_us > 0 && sum > retry->elapsed_max_us + action->timeout_us)
        sum = retry->elapsed_max_us + action->timeout_us;
    return sum;
}

static bool asks(const struct plan_step *step)
{
    return step->has_verify &&
           (step->on_timeout == PLAN_ON_TIMEOUT_RETRY || step->on_timeout == PLAN_ON_TIMEOUT_VERIFY);
}

static bool is_unlimited(const struct plan_retry *retry)
{
    return retry->attempts_max >= LIMITS_ATTEMPTS_MAX && retry->elapsed_max_us == 0;
}

static void note(struct span *span, const struct plan_node *node)
{
    if (span->unbounded.size == 0)
        span->unbounded = node->id;
}

static int64_t step_us(struct span *span, const struct plan_node *node)
{
    const struct plan_step *step = node->step;
    if (node->kind == PLAN_SAGA || is_unlimited(span->back ? &step->undo.retry : &step->run.retry)) {
        if (!span->back || step->has_undo)
            note(span, node);
        return 0;
    }
    if (span->back)
        return step->has_undo ? budget_us(&step->undo) : 0;
    return add(budget_us(&step->run), asks(step) ? budget_us(&step->verify) : 0);
}

static int64_t wait_us(struct span *span, const struct plan_node *node)
{
    if (span->back)
        return 0;
    if (node->wait->until)
        note(span, node);
    return node->wait->for_us;
}

static int64_t node_us(struct span *span, uint16_t index);

static int64_t sum_us(struct span *span, const struct plan_node *node)
{
    int64_t sum = 0;
    for (uint16_t i = 0; i < node->child_count; i++)
        sum = add(sum, node_us(span, node->children[i]));
    return sum;
}

static int64_t longest_us(struct span *span, const struct plan_node *node)
{
    int64_t longest = 0;
    for (uint16_t i = 0; i < node->child_count; i++) {
        int64_t one = node_us(span, node->children[i]);
        longest = one > longest ? one : longest;
    }
    return longest;
}

/* Whoever is free takes the next branch: never longer than an even share and one more. */
static int64_t parallel_us(struct span *span, const struct plan_node *node)
{
    uint32_t most = node->fan->concurrency_max;
    if (most >= node->child_count)
        return longest_us(span, node);
    int64_t sum = sum_us(span, node);
    return most == 1 ? sum : add(sum / most, longest_us(span, node));
}

static int64_t foreach_us(struct span *span, const struct plan_node *node)
{
    uint32_t most = node->fan->concurrency_max;
    uint32_t rounds = (node->fan->items_max + most - 1) / most;
    return times(sum_us(span, node), rounds);
}

/* A scope may be done and undone, and the saga goes on. */
static int64_t scope_us(struct span *span, const struct plan_node *node)
{
    int64_t sum = sum_us(span, node);
    if (span->back)
        return sum;
    span->back = true;
    sum = add(sum, sum_us(span, node));
    span->back = false;
    return sum;
}

static int64_t node_us(struct span *span, uint16_t index)
{
    const struct plan_node *node = &span->plan->nodes[index];
    switch (node->kind) {
    case PLAN_SEQUENCE:
        return sum_us(span, node);
    case PLAN_STEP:
    case PLAN_SAGA:
        return step_us(span, node);
    case PLAN_SWITCH:
        return longest_us(span, node);
    case PLAN_PARALLEL:
        return parallel_us(span, node);
    case PLAN_FOREACH:
        return foreach_us(span, node);
    case PLAN_AWAIT:
        return span->back ? 0 : node->await->timeout_us;
    case PLAN_WAIT:
        return wait_us(span, node);
    case PLAN_SCOPE:
        return scope_us(span, node);
    case PLAN_FAIL:
        return 0;
    }
    check_never("a node of no kind");
}

/* After the deadline one attempt may still be out, and then be asked about. */
static int64_t settle_us(const struct plan *plan)
{
    int64_t longest = 0;
    for (uint16_t i = 0; i < plan->node_count; i++) {
        const struct plan_step *step = plan->nodes[i].step;
        if (step == NULL || plan->nodes[i].kind == PLAN_SAGA)
            continue;
        int64_t one = add(step->run.timeout_us, asks(step) ? budget_us(&step->verify) : 0);
        longest = one > longest ? one : longest;
    }
    return longest;
}

struct explore_time explore_time_of(const struct plan *plan)
{
    struct explore_time time = {0};
    struct span span = {.plan = plan};
    time.forward_us = node_us(&span, 0);
    if (plan->timeout_us > 0) {
        int64_t most = add(plan->timeout_us, settle_us(plan));
        if (span.unbounded.size > 0 || time.forward_us > most)
            time.forward_us = most;
        span.unbounded = (struct str){0};
    }
    span.back = true;
    const struct plan_node *root = &plan->nodes[0];
    for (uint16_t i = 0; i < root->child_count; i++) {
        const struct plan_node *node = &plan->nodes[root->children[i]];
        if (node->step && node->step->pivot)
            break; /* what stands behind it is not undone when the saga goes back */
        time.back_us = add(time.back_us, node_us(&span, node->index));
    }
    time.unbounded = span.unbounded;
    return time;
}
