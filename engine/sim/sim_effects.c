/* What is left in the world at the end: each participant's effects and each child saga, held against what the
 * saga that caused them says. */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include "engine/sim/block_oracle.h"

static void check_effect(struct sim *sim, const struct core_saga *saga, const struct block_oracle *oracle,
                         uint16_t index)
{
    char id[ID_TEXT_SIZE + 1];
    const struct core_step *step = &saga->steps[index];
    const struct plan_step *plan = saga->plan->nodes[step->node].step;
    id_format(saga->id, id);
    struct str key = arena_printf(&sim->arena, "%s/%.*s", id, STR_ARG(core_step_path(saga, index)));
    const struct sim_effect *effect = map_get(&sim->effects, key);
    uint32_t done = effect == NULL ? 0 : effect->do_count, undone = effect == NULL ? 0 : effect->undo_count;
    if (done > 1 || undone > 1 || undone > done)
        sim_fail(sim, "S12: %.*s was done %" PRIu32 " times and undone %" PRIu32 " times", STR_ARG(key), done,
                 undone);
    bool ended = saga->status == CORE_COMPLETED || saga->status == CORE_COMPENSATED;
    bool back = block_oracle_is_back(oracle, index);
    bool there = done - undone != 0;
    if (oracle->steps[index].let_go || !ended)
        return;
    struct str state = core_step_state_text(step->state);
    if (!back && step->state != CORE_STEP_WAIVED && (step->state != CORE_STEP_DONE || !there))
        sim_fail(sim, "S10: %.*s is %.*s in a completed saga, its net effect is %" PRIu32, STR_ARG(key),
                 STR_ARG(state), done - undone);
    if (back && plan->has_undo && step->state != CORE_STEP_WAIVED && step->state != CORE_STEP_UNDO_WAIVED &&
        there)
        sim_fail(sim, "S11: %.*s is %.*s where all is undone, and its effect is still there", STR_ARG(key),
                 STR_ARG(state));
    if (back && step->state == CORE_STEP_REJECTED && there)
        sim_fail(sim, "S8: %.*s counts as rejected and its effect is there", STR_ARG(key));
}

/* The child that a step has begun has come to what the step says. */
static void check_child(struct sim *sim, const struct core_saga *saga, const struct block_oracle *oracle,
                        uint16_t index, struct arena *arena)
{
    struct store_saga row;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct err_note note = {""};
    char id[ID_TEXT_SIZE + 1];
    const struct core_step *step = &saga->steps[index];
    bool back = block_oracle_is_back(oracle, index);
    enum err error = store_load(sim->store, core_child(saga, index), arena, &row, &records, &count, &note);
    bool ended = saga->status == CORE_COMPLETED || saga->status == CORE_COMPENSATED;
    if (oracle->steps[index].let_go || !ended)
        return;
    id_format(saga->id, id);
    struct str status = error == ERR_OK ? row.status : STR("not there");
    struct str path = core_step_path(saga, index), state = core_step_state_text(step->state);
    bool completed = str_equal(status, STR("completed"));
    bool undone = error == ERR_NOT_FOUND || str_equal(status, STR("compensated"));
    if (!back && step->state == CORE_STEP_DONE && !completed)
        sim_fail(sim, "S10: the child of %s/%.*s is %.*s and its parent has completed", id, STR_ARG(path),
                 STR_ARG(status));
    if (back && step->state != CORE_STEP_WAIVED && step->state != CORE_STEP_UNDO_WAIVED && !undone)
        sim_fail(sim, "S11: the child of %s/%.*s is %.*s, and for its parent it is %.*s", id, STR_ARG(path),
                 STR_ARG(status), STR_ARG(state));
    if (error == ERR_OK && (!row.has_parent || !id_equal(row.parent, saga->id)))
        sim_fail(sim, "S1: the child of %s/%.*s has another parent", id, STR_ARG(path));
    sim->result->children += error == ERR_OK;
}

void sim_check_effects(struct sim *sim, const struct core_saga *saga, const struct block_oracle *oracle,
                       struct arena *arena)
{
    for (uint16_t i = 0; i < saga->step_count; i++) {
        enum plan_kind kind = saga->plan->nodes[saga->steps[i].node].kind;
        if (kind == PLAN_STEP)
            check_effect(sim, saga, oracle, i);
        if (kind == PLAN_SAGA && saga->steps[i].attempts[CORE_DO] > 0)
            check_child(sim, saga, oracle, i, arena);
    }
}
