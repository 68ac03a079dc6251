/* Participants that are away for a while, and what engines make of commands on their way: nobody's time may
 * be over before he was given the command, and what is said to have reached nobody must not have. */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include "engine/base/duration.h"
#include "engine/core/core.h"
#include "engine/runtime/loader.h"

void sim_strike_participants(struct sim *sim)
{
    uint32_t who = sim_choose(sim, SIM_PARTICIPANTS);
    if (!sim_strikes(sim, SIM_AWAY, 4))
        return;
    int64_t span_us = sim_choose(sim, 3) == 0 ? 30 * DURATION_SECOND_US : 4 * DURATION_SECOND_US;
    sim->away_until_us[who] =
        sim->world.clock_us + (int64_t)sim_choose(sim, (uint32_t)(span_us / 1000)) * 1000;
    sim_note(sim, "p%" PRIu32 " is away", who);
}

bool sim_is_away(const struct sim *sim, uint32_t participant)
{
    return !sim->healing && sim->world.clock_us < sim->away_until_us[participant];
}

void sim_wipe(struct sim *sim)
{
    size_t cursor = 0;
    sim_note(sim, "the streams are wiped");
    for (struct sim_command *command = map_next(&sim->commands, &cursor); command != NULL;
         command = map_next(&sim->commands, &cursor))
        command->muddled = command->muddled || (command->published && !command->taken);
    memory_bus_wipe(sim->world.broker);
}

void sim_taken(struct sim *sim, const struct bus_message *command)
{
    struct str id = bus_header(command, STR("Saga-Command"));
    struct sim_command *known = map_get(&sim->commands, id);
    if (known == NULL)
        return;
    known->taken = true;
    if (known->undelivered)
        sim_fail(sim, "S22: %.*s reached its participant, and its saga holds that it never will",
                 STR_ARG(id));
}

static struct sim_command *find(struct sim *sim, const char *saga, const struct store_record *record,
                                enum core_kind kind)
{
    struct str id = arena_printf(&sim->arena, "%s/%.*s/%.*s/%" PRIu32, saga, STR_ARG(record->step),
                                 STR_ARG(core_kind_text(kind)), record->attempt);
    return map_get(&sim->commands, id);
}

static void check_undelivered(struct sim *sim, const char *saga, const struct store_record *record,
                              const struct json *event)
{
    enum core_kind kind = CORE_DO;
    sim->result->undelivered++;
    struct sim_command *command =
        core_kind_parse(json_get_str(event, STR("kind")), &kind) ? find(sim, saga, record, kind) : NULL;
    if (command == NULL)
        sim_fail(sim, "S22: %s #%" PRId64 " is about no command", saga, record->seq);
    else if (command->taken)
        sim_fail(sim, "S22: %.*s was taken by its participant, and its saga is told that it was not",
                 STR_ARG(command->id));
    else
        command->undelivered = true;
}

/* The kind of command whose attempt this time-out ends; false: it ends none. */
static bool ends_attempt(const struct store_record *record, const struct json *changes, enum core_kind *kind)
{
    static const struct {
        struct str state;
        enum core_kind kind;
    } sent[] = {{{"sent", 4}, CORE_DO}, {{"verifying", 9}, CORE_VERIFY}, {{"undoing", 7}, CORE_UNDO}};
    for (uint32_t i = 0; changes != NULL && i < changes->count; i++)
        for (size_t k = 0; k < sizeof sent / sizeof *sent; k++)
            if (str_equal(json_get_str(changes->items[i], STR("step")), record->step) &&
                str_equal(json_get_str(changes->items[i], STR("from")), sent[k].state)) {
                *kind = sent[k].kind;
                return true;
            }
    return false;
}

/* Whether the step is not wanted any more, or the command is older than it may become. */
static bool is_unwanted(struct sim *sim, const struct store_record *record, enum core_kind kind,
                        const struct sim_command *command)
{
    struct arena arena, scratch;
    struct core_saga saga;
    struct err_note note = {""};
    bool unwanted = false;
    arena_init(&arena, 0);
    arena_init(&scratch, 0);
    enum err error = loader_load(sim->registry, sim->store, record->id, &arena, &scratch, &saga, NULL, &note);
    uint16_t step = error == ERR_OK ? core_find(&saga, record->step) : CORE_NO_STEP;
    if (step != CORE_NO_STEP) {
        const struct plan_step *plan = saga.plan->nodes[saga.steps[step].node].step;
        unwanted = (kind == CORE_DO && core_halted(&saga, step)) ||
                   record->at_us - command->at_us >= plan->start_within_us;
    }
    arena_fini(&scratch);
    arena_fini(&arena);
    return unwanted;
}

/* Its sequence is not known, or not in which stream: an earlier owner sent it, or streams were made anew
 * since the engine last looked. */
static bool is_elusive(const struct sim *sim, const struct store_record *record,
                       const struct sim_command *command)
{
    return command->fence != sim->fence[record->shard] || sim->result->faults[SIM_WIPED] > 0;
}

/* A copy that was lost, or comes from nowhere, is another matter: the engine cannot know of it. And what it
 * wants back and cannot take back counts as delivered (delivery.h). */
static void check_time_out(struct sim *sim, const char *saga, const struct store_record *record,
                           const struct json *changes)
{
    enum core_kind kind = CORE_DO;
    if (!ends_attempt(record, changes, &kind))
        return;
    const struct sim_command *command = find(sim, saga, record, kind);
    if (command != NULL && !command->taken && !command->muddled &&
        memory_bus_holds(sim->world.broker, command->id) &&
        !(is_elusive(sim, record, command) && is_unwanted(sim, record, kind, command)))
        sim_fail(sim, "S22: the time of %.*s was over before it was delivered", STR_ARG(command->id));
}

void sim_check_delivery(struct sim *sim, const char *saga, const struct store_record *record,
                        const struct json *data)
{
    sim->result->late_deliveries += str_equal(record->kind, core_event_text(CORE_EVENT_DELIVERED));
    if (str_equal(record->kind, core_event_text(CORE_EVENT_UNDELIVERED)))
        check_undelivered(sim, saga, record, json_get(data, STR("event")));
    if (str_equal(record->kind, core_event_text(CORE_EVENT_TIMER)))
        check_time_out(sim, saga, record, json_get(data, STR("changes")));
}
