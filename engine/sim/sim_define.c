/* Random valid definitions: short sequences with every key a step may have. */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include "engine/base/buf.h"
#include "engine/base/check.h"

static const char *pick(struct sim *sim, const char *const *words, uint32_t count)
{
    return words[sim_choose(sim, count)];
}

static void put_retry(struct sim *sim, struct buf *out, uint32_t attempts_most)
{
    static const char *const jitters[] = {"full", "equal", "none"};
    buf_printf(out,
               "retry: { max_attempts: %" PRIu32 ", initial: %" PRIu32 "ms, max_interval: 2s, jitter: %s }",
               1 + sim_choose(sim, attempts_most), 50 + 50 * sim_choose(sim, 6), pick(sim, jitters, 3));
}

static void put_step(struct sim *sim, struct buf *out, uint32_t index, uint32_t pivot)
{
    static const char *const timeouts[] = {"retry", "verify", "park", "compensate"};
    uint32_t participant = sim_choose(sim, SIM_PARTICIPANTS);
    bool undone = index < pivot && sim_choose(sim, 8) > 0;
    const char *on_timeout = pick(sim, timeouts, undone ? 4 : 3);
    buf_printf(out, "  - id: s%" PRIu32 "\n    command: p%" PRIu32 ".do\n", index, participant);
    buf_puts(out, "    with: { n: \"${ $input.n }\"");
    if (index > 0)
        buf_printf(out, ", before: \"${ $steps.s%" PRIu32 ".output.v // null }\"", sim_choose(sim, index));
    buf_printf(out, " }\n    timeout: %" PRIu32 "ms\n    ", 400 + 200 * sim_choose(sim, 8));
    put_retry(sim, out, 4);
    buf_printf(out, "\n    errors: { AGAIN: retry, HUMAN: park, SKIP: continue }\n    on_timeout: %s\n",
               on_timeout);
    if (on_timeout[0] == 'v')
        buf_printf(out, "    verify: p%" PRIu32 ".look\n", participant);
    if (index == pivot)
        buf_puts(out, "    pivot: true\n    compensate: none\n");
    if (index >= pivot)
        return;
    if (!undone) {
        buf_puts(out, "    compensate: none\n");
        return;
    }
    buf_printf(out, "    compensate:\n      command: p%" PRIu32 ".undo\n      timeout: 1s\n      ",
               participant);
    put_retry(sim, out, 5);
    buf_puts(out, "\n");
}

static struct str write_definition(struct sim *sim, uint32_t number)
{
    struct buf out;
    uint32_t steps = 1 + sim_choose(sim, 5);
    uint32_t pivot = sim_choose(sim, 3) == 0 ? sim_choose(sim, steps) : UINT32_MAX;
    buf_init(&out, &sim->arena);
    buf_printf(&out, "saga: d%" PRIu32 "\nversion: 1\n", number);
    if (sim_choose(sim, 3) == 0)
        buf_printf(&out, "timeout: %" PRIu32 "s\n", 3 + sim_choose(sim, 20));
    buf_puts(&out, "steps:\n");
    for (uint32_t i = 0; i < steps; i++)
        put_step(sim, &out, i, pivot);
    buf_printf(&out, "output: { last: \"${ $steps.s%" PRIu32 ".output.v // null }\" }\n", steps - 1);
    return buf_str(&out);
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
        if (error == ERR_OK)
            continue;
        struct buf out;
        buf_init(&out, &sim->arena);
        diag_render(&diags, &out);
        sim_fail(sim, "the simulator wrote a bad definition: %.*s", STR_ARG(buf_str(&out)));
    }
}
