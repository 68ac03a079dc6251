/* Definitions made known to the bus: which participants there are, and how long one may work on a command.
 * Called at the start and when the registry has learned a plan. Never lets one definition that cannot be
 * announced keep the others from it. */
#include "engine/runtime/engine.h"

#include "engine/ops/log.h"
#include "engine/runtime/engine_parts.h"

/* The longest attempt that the plan gives this participant. */
static int64_t longest_us(const struct plan *plan, struct str participant)
{
    int64_t longest_us = 0;
    for (uint16_t i = 0; i < plan->node_count; i++)
        for (enum core_kind kind = CORE_DO; kind <= CORE_UNDO && plan->nodes[i].kind == PLAN_STEP; kind++) {
            const struct plan_action *action = core_action(plan->nodes[i].step, kind);
            if (action != NULL && action->via == PLAN_VIA_STREAM &&
                str_equal(action->participant, participant) && action->timeout_us > longest_us)
                longest_us = action->timeout_us;
        }
    return longest_us;
}

/* So that what is known of it is older than the first command to it: delivery.h needs that for its proofs. */
static void look_at(struct engine *engine, struct str name)
{
    int64_t now_us = engine_clock_us(engine);
    struct backlog_participant *participant = backlog_find(&engine->backlog, name);
    uint64_t question = backlog_wants(&engine->backlog, participant, now_us, now_us);
    if (question > 0 && bus_look(engine->bus, name, question) != ERR_OK)
        backlog_unasked(&engine->backlog, participant);
}

enum err engine_announce(struct engine *engine, const struct plan *plan, struct err_note *note)
{
    struct arena arena;
    engine_warn_of_held(engine, plan);
    if (plan->participant_count == 0)
        return ERR_OK;
    arena_init(&arena, 0);
    struct bus_participant *participants = arena_array(&arena, plan->participant_count, sizeof *participants);
    for (uint32_t i = 0; i < plan->participant_count; i++) {
        participants[i].name = plan->participants[i];
        participants[i].work_us = longest_us(plan, plan->participants[i]);
    }
    enum err error = bus_participants(engine->bus, participants, plan->participant_count, note);
    for (uint32_t i = 0; i < plan->participant_count && error == ERR_OK; i++)
        look_at(engine, participants[i].name);
    arena_fini(&arena);
    if (error != ERR_LIMIT)
        return error;
    log_error("definition_not_announced", "definition=%.*s version=%d why=%s", STR_ARG(plan->name),
              plan->version, note->text);
    return ERR_OK;
}
