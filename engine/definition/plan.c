#include "engine/definition/plan.h"

#include "engine/base/check.h"

const struct plan_node *plan_find(const struct plan *plan, struct str id)
{
    check(plan != NULL);
    if (id.size == 0)
        return NULL;
    for (uint16_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].kind != PLAN_SEQUENCE && str_equal(plan->nodes[i].id, id))
            return &plan->nodes[i];
    }
    return NULL;
}

const struct plan_node *plan_find_await(const struct plan *plan, struct str event)
{
    check(plan != NULL);
    for (uint16_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        if (node->kind == PLAN_AWAIT && str_equal(node->await->event, event))
            return node;
    }
    return NULL;
}

const struct plan_error_rule *plan_error_rule_for(const struct plan_step *step, struct str code)
{
    const struct plan_error_rule *any = NULL;
    check(step->error_count == 0 || step->errors != NULL);
    for (uint32_t i = 0; i < step->error_count; i++) {
        if (str_equal(step->errors[i].code, code))
            return &step->errors[i];
        if (str_equal(step->errors[i].code, STR(PLAN_ANY_CODE)))
            any = &step->errors[i];
    }
    return any;
}

struct str plan_kind_text(enum plan_kind kind)
{
    switch (kind) {
    case PLAN_SEQUENCE:
        return STR("sequence");
    case PLAN_STEP:
        return STR("step");
#define X(name, key)                                                                                         \
    case PLAN_##name:                                                                                        \
        return STR(key);
#include "engine/definition/blocks.def"
#undef X
    }
    check_never("unknown kind of node");
}

struct str plan_on_timeout_text(enum plan_on_timeout value)
{
    switch (value) {
    case PLAN_ON_TIMEOUT_RETRY:
        return STR("retry");
    case PLAN_ON_TIMEOUT_VERIFY:
        return STR("verify");
    case PLAN_ON_TIMEOUT_COMPENSATE:
        return STR("compensate");
    case PLAN_ON_TIMEOUT_PARK:
        return STR("park");
    }
    check_never("unknown on_timeout");
}

struct str plan_on_error_text(enum plan_on_error value)
{
    switch (value) {
    case PLAN_ON_ERROR_FAIL:
        return STR("fail");
    case PLAN_ON_ERROR_RETRY:
        return STR("retry");
    case PLAN_ON_ERROR_PARK:
        return STR("park");
    case PLAN_ON_ERROR_CONTINUE:
        return STR("continue");
    }
    check_never("unknown error rule");
}

struct str plan_await_timeout_text(enum plan_await_timeout value)
{
    switch (value) {
    case PLAN_AWAIT_CONTINUE:
        return STR("continue");
    case PLAN_AWAIT_FAIL:
        return STR("fail");
    case PLAN_AWAIT_PARK:
        return STR("park");
    }
    check_never("unknown on_timeout of an await");
}
