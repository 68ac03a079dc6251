/* The data that come from outside: inputs and outputs drawn from their schemas, and where there is none an
 * empty object and null. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/model/values.h"

enum { DRAWINGS = 4 };

static const struct json *draw(const struct schema *schema, uint32_t turn, uint64_t salt, struct arena *arena)
{
    struct rng rng;
    if (schema == NULL)
        return turn % 2 == 0 ? json_new_object(arena, NULL, 0) : &json_null;
    rng_init(&rng, rng_mix(turn, salt));
    const struct json *value = values_make(schema, &rng, arena);
    return value ? value : &json_null;
}

static void make(const struct plan *plan, uint32_t turn, struct arena *arena, struct explore_data *data)
{
    const struct json **outputs = arena_array(arena, plan->node_count, sizeof(struct json *));
    for (uint16_t i = 0; i < plan->node_count; i++) {
        const struct plan_step *step = plan->nodes[i].step;
        outputs[i] = step ? draw(step->output_schema, turn, i, arena) : NULL;
    }
    data->outputs = outputs;
    data->input = draw(plan->input_schema, turn, plan->node_count, arena);
}

const struct explore_data *explore_data_make(const struct plan *plan, struct arena *arena, uint32_t *count)
{
    struct explore_data *data = arena_array(arena, DRAWINGS, sizeof *data);
    check(plan->node_count > 0);
    for (uint32_t i = 0; i < DRAWINGS; i++)
        make(plan, i, arena, &data[i]);
    *count = DRAWINGS;
    return data;
}
