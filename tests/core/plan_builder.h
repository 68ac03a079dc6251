/* Plans made by hand, without YAML: for tables and random walks, which want thousands of them fast. All
 * bodies are empty unless a program is given. */
#pragma once
#include "engine/definition/plan.h"

enum { PLAN_BUILDER_STEPS = 16 };

struct plan_builder {
    struct plan plan;
    struct plan_node nodes[PLAN_BUILDER_STEPS + 1];
    struct plan_step steps[PLAN_BUILDER_STEPS];
    uint16_t children[PLAN_BUILDER_STEPS];
};

/* The builder must not be moved afterwards: the plan points into it. */
void plan_builder_init(struct plan_builder *builder);
/* A step with compensation, 10 s of time, 3 attempts one second apart without jitter (do, verify and undo
 * alike). What differs is set in what is returned, before plan_builder_done. */
struct plan_step *plan_builder_step(struct plan_builder *builder, const char *id);
/* Marks what stands behind a pivot and takes its compensation away. */
const struct plan *plan_builder_done(struct plan_builder *builder);
