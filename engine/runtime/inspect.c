/* Whether the broker would answer in a service's place: a stream that holds the subject of a `via: request`.
 * Called when a definition is stored and when it is announced. Asks and warns; changes nothing, here or
 * there. */
#include "engine/runtime/engine_parts.h"

#include "engine/ops/log.h"

static enum err inspect_action(struct engine *engine, const struct plan_action *action, struct err_note *note)
{
    char stream[BUS_STREAM_BYTES];
    if (action->via != PLAN_VIA_REQUEST || action->command.size == 0)
        return ERR_OK;
    enum err error = bus_holder(engine->bus, action->command, stream, note);
    if (error != ERR_OK || stream[0] == '\0')
        return error;
    return err_note(
        note, ERR_CONFLICT,
        "%.*s cannot be asked by `via: request`: stream %s takes what is sent there and acknowledges "
        "it before the service can answer; give the stream no_ack, or the service another subject",
        STR_ARG(action->command), stream);
}

enum err engine_inspect(struct engine *engine, const struct plan *plan, struct err_note *note)
{
    enum err error = ERR_OK;
    for (uint32_t i = 0; i < plan->node_count && error == ERR_OK; i++) {
        const struct plan_step *step = plan->nodes[i].step;
        if (step == NULL || plan->nodes[i].kind != PLAN_STEP)
            continue;
        error = inspect_action(engine, &step->run, note);
        if (error == ERR_OK && step->has_undo)
            error = inspect_action(engine, &step->undo, note);
        if (error == ERR_OK && step->has_verify)
            error = inspect_action(engine, &step->verify, note);
    }
    return error;
}

void engine_warn_of_held(struct engine *engine, const struct plan *plan)
{
    struct err_note note = {""};
    if (engine_inspect(engine, plan, &note) == ERR_CONFLICT)
        log_warn("request_subject_held", "definition=%.*s version=%d why=%s", STR_ARG(plan->name),
                 plan->version, note.text);
}
