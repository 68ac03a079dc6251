/* F20 with rights that were given too widely: somebody who reads what parents command their children sends an
 * answer to it, and a command of his own, with all that true ones have but the proof. Whatever an engine
 * believes of that shows in the journal, by its body. */
#include "engine/sim/sim_parts.h"

#include "engine/bus/envelope.h"

#define FORGED "\"forged\""

bool sim_is_forged(struct str text)
{
    struct str word = STR(FORGED);
    for (size_t i = 0; i + word.size <= text.size; i++)
        if (str_starts(str_slice(text, i, text.size), word))
            return true;
    return false;
}

static void answer(struct sim *sim, const struct bus_message *command)
{
    struct bus_message forged = {.subject = bus_header(command, STR("Saga-Reply-To")), .body = STR(FORGED)};
    bus_header_add(&forged, STR("Saga-Command"), bus_header(command, STR("Saga-Command")));
    bus_header_add(&forged, STR("Saga-Child"), bus_header(command, STR("Saga-Child")));
    bus_header_add(&forged, STR("Saga-Proof"), bus_header(command, STR("Saga-Proof")));
    memory_bus_send(sim->world.broker, &forged);
}

/* To begin a child that nobody has: its id begins otherwise, which leaves its shard. */
static void command(struct sim *sim, const struct bus_message *true_one)
{
    struct bus_message forged = *true_one;
    forged.body = STR(FORGED);
    for (uint32_t i = 0; i < forged.header_count; i++) {
        struct str *value = &forged.headers[i].value;
        if (!str_equal(forged.headers[i].name, STR("Saga-Child")) || value->size == 0)
            continue;
        const char *other = value->data[0] == '0' ? "1" : "0";
        *value = arena_printf(&sim->arena, "%s%.*s", other, (int)value->size - 1, value->data + 1);
    }
    memory_bus_send(sim->world.broker, &forged);
}

void sim_forge(struct sim *sim, const struct bus_message *true_one)
{
    if (!sim_strikes(sim, SIM_FORGED, 300))
        return;
    sim_note(sim, "somebody forges what has to do with %.*s",
             STR_ARG(bus_header(true_one, STR("Saga-Command"))));
    if (sim_choose(sim, 2) == 0)
        answer(sim, true_one);
    else
        command(sim, true_one);
}
