/* Functions on numbers, exact as the operators are. Part of expr_functions.h; called by the evaluator through
 * functions.def. Never goes through a double. */
#include "engine/expr/expr_functions.h"

#include "engine/base/check.h"
#include "engine/expr/decimal.h"

bool expr_functions_abs(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_NUMBER)
        return expr_functions_needs(run, node, "a number", input);
    if (!str_starts(input->text, STR("-")))
        return expr_run_push(run, input);
    return expr_functions_push(run, json_new_number(run->arena, str_slice(input->text, 1, input->text.size)));
}

static enum decimal_rounding rounding_of(enum expr_function function)
{
    if (function == EXPR_FUNCTION_FLOOR)
        return DECIMAL_FLOOR;
    return function == EXPR_FUNCTION_CEIL ? DECIMAL_CEIL : DECIMAL_ROUND;
}

/* floor, ceil, round */
bool expr_functions_round(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    struct decimal value, whole;
    if (input->kind != JSON_NUMBER)
        return expr_functions_needs(run, node, "a number", input);
    if (decimal_parse(input->text, &value) != ERR_OK ||
        decimal_round(&value, rounding_of((enum expr_function)node->index), &whole) != ERR_OK)
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the number has too many digits");
    return expr_functions_push(run, json_new_number(run->arena, decimal_text(run->arena, &whole)));
}
