/* The list of steps as a whole: first what there is, then each of it, in the order of the file. Part of
 * load.h; called for the file and for each block, no deeper than LIMITS_DEPTH. Never resolves a reference
 * before all steps are known. */
#include "engine/definition/load.h"

void load_steps(struct load *load, const struct tree *list)
{
    if (list && list->count == 0)
        problem_add(load->diags, list->key_place, PROBLEM_NO_STEPS, STR(""), "a saga has at least one step");
    load_nodes(load, list);
    for (uint16_t i = 1; i < load->plan->node_count; i++) {
        switch (load->nodes[i].kind) {
        case PLAN_SEQUENCE:
            break;
        case PLAN_STEP:
            load_step(load, i);
            break;
        case PLAN_SWITCH:
        case PLAN_PARALLEL:
        case PLAN_FOREACH:
        case PLAN_AWAIT:
        case PLAN_WAIT:
        case PLAN_SAGA:
        case PLAN_SCOPE:
        case PLAN_FAIL:
            load_block(load, i);
            break;
        }
    }
}
