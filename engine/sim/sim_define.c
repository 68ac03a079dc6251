/* Random valid definitions, put into the store: d0 is a sequence, the others nest blocks and may start those
 * before them as children. */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include "engine/base/buf.h"
#include "engine/sim/random_definition.h"

enum { LEAVES_MAX = 9 };

static struct str write_definition(struct sim *sim, uint32_t number)
{
    static const struct str names[SIM_DEFINITIONS] = {{"d0", 2}, {"d1", 2}, {"d2", 2}, {"d3", 2}};
    struct random_definition wanted = {.seed = rng_next(&sim->rng),
                                       .now_us = world_now_us(&sim->world),
                                       .name = names[number],
                                       .leaves = 1 + sim_choose(sim, number == 0 ? 5 : LEAVES_MAX),
                                       .faults = sim_choose(sim, 4) == 0 ? 4 : 0,
                                       .sequential = number == 0,
                                       .children = names,
                                       .child_count = number};
    return random_definition_write(&wanted, &sim->arena);
}

void sim_define(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_DEFINITIONS; i++) {
        struct str text = write_definition(sim, i);
        struct diag_list diags;
        const struct plan *plan = NULL;
        bool created = false;
        struct err_note note = {""};
        enum err error = registry_put(sim->registry, sim->store, STR("sim.yaml"), text, NULL, &sim->arena,
                                      &diags, &plan, &created, &note);
        for (size_t end = 0; sim->trace != NULL && end < text.size;) {
            struct str rest = str_slice(text, end, text.size);
            sim_note(sim, "%.*s", (int)str_find(rest, '\n'), rest.data);
            end += str_find(rest, '\n') + 1;
        }
        if (error == ERR_OK)
            continue;
        struct buf out;
        buf_init(&out, &sim->arena);
        diag_render(&diags, &out);
        sim_fail(sim, "the simulator wrote a bad definition: %.*s", STR_ARG(buf_str(&out)));
    }
}
