#include "tests/core/plan_builder.h"
#include "engine/base/check.h"

void plan_builder_init(struct plan_builder *builder)
{
    *builder = (struct plan_builder){.plan = {.name = STR("built"), .version = 1, .hash = "0"}};
    builder->nodes[0] = (struct plan_node){.kind = PLAN_SEQUENCE, .children = builder->children};
    builder->plan.nodes = builder->nodes;
    builder->plan.node_count = 1;
}

static struct plan_action action(const char *id)
{
    return (struct plan_action){.participant = STR("service"),
                                .action = str_from(id),
                                .command = str_from(id),
                                .timeout_us = 10000000,
                                .retry = {.attempts_max = 3,
                                          .factor_milli = 1000,
                                          .initial_us = 1000000,
                                          .interval_max_us = 1000000,
                                          .jitter = PLAN_JITTER_NONE}};
}

struct plan_step *plan_builder_step(struct plan_builder *builder, const char *id)
{
    uint16_t index = builder->plan.step_count++;
    check(index < PLAN_BUILDER_STEPS);
    uint16_t node = (uint16_t)(index + 1);
    struct plan_step *step = &builder->steps[index];
    *step = (struct plan_step){.run = action(id), .has_undo = true, .undo = action(id), .verify = action(id)};
    builder->nodes[node] = (struct plan_node){
        .kind = PLAN_STEP, .index = node, .order = index, .id = str_from(id), .step = step};
    builder->children[index] = node;
    builder->nodes[0].child_count = builder->plan.step_count;
    builder->plan.node_count = (uint16_t)(node + 1);
    return step;
}

const struct plan *plan_builder_done(struct plan_builder *builder)
{
    bool after = false;
    for (uint16_t i = 1; i < builder->plan.node_count; i++) {
        builder->nodes[i].after_pivot = after;
        if (after)
            builder->steps[i - 1].has_undo = false;
        after = after || builder->steps[i - 1].pivot;
    }
    return &builder->plan;
}
