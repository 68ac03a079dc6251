/* One run of the simulator: set up from a seed, faults for a while, heal, come to rest, judge. Called by
 * tests/sim and the bug bank. Never takes a choice but from sim_choose, and never sleeps. */
#include "engine/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "engine/base/duration.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"
#include "engine/sim/sim_parts.h"

static const int64_t lease_us = 2 * DURATION_SECOND_US;
static const int64_t heal_most_us =
    3600 * DURATION_SECOND_US; /* the longest definition with all its retries; a parent asks its child every
                                  ten minutes when an answer was lost, through three generations */
enum {
    ROUGH_STEPS = 500,
    LOOK_EVERY = 16,
    QUIET_STEPS = 200, /* three rounds of redelivery: what was left unacknowledged comes again and is done */
};

const char *sim_fault_words(enum sim_fault fault)
{
    static const char *const words[] = {
#define X(name, text) text,
        SIM_FAULTS(X)
#undef X
    };
    return words[fault];
}

uint32_t sim_choose(struct sim *sim, uint32_t bound)
{
    return (uint32_t)rng_below(&sim->rng, bound);
}

bool sim_strikes(struct sim *sim, enum sim_fault fault, uint32_t per_mille)
{
    if (sim->healing || sim_choose(sim, 1000) >= per_mille * sim->chance / 100)
        return false;
    sim->result->faults[fault]++;
    return true;
}

void sim_note(struct sim *sim, const char *format, ...)
{
    char line[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    sim->result->hash = rng_mix(sim->result->hash, str_hash(str_from(line)) ^ (uint64_t)sim->world.clock_us);
    if (sim->trace != NULL)
        sim->trace(sim->world.clock_us, line);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    if (sim->failed)
        return;
    sim->failed = true;
    va_start(arguments, format);
    vsnprintf(sim->result->why, sizeof sim->result->why, format, arguments);
    va_end(arguments);
    sim_note(sim, "FAILED %s", sim->result->why);
}

static void boot(struct sim *sim, uint32_t host)
{
    struct err_note note = {""};
    enum err error = world_boot(&sim->world, host, &note);
    sim_note(sim, "host%" PRIu32 " boots: %s", host, error == ERR_OK ? "up" : note.text);
}

static void keep_hosts(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->hosts; i++) {
        if (sim->world.hosts[i].dead) {
            sim_note(sim, "host%" PRIu32 " is dead", i);
            world_bury(&sim->world, i);
        }
        if (sim->world.hosts[i].engine == NULL && (sim->healing || sim_choose(sim, 20) == 0))
            boot(sim, i);
    }
}

static void strike_hosts(struct sim *sim)
{
    uint32_t host = sim_choose(sim, sim->hosts);
    if (world_is_up(&sim->world, host) && sim_strikes(sim, SIM_KILLED, 15)) {
        uint32_t actions = 1 + sim_choose(sim, 30);
        sim_note(sim, "host%" PRIu32 " will die before its action %" PRIu32, host, actions);
        world_die_in(&sim->world, host, actions);
    }
    if (sim_strikes(sim, SIM_PAUSED, 8)) {
        sim->paused_until_us[host] = sim->world.clock_us + lease_us / 2 + (int64_t)sim_choose(sim, 4000000);
        sim_note(sim, "host%" PRIu32 " is paused", host);
    }
}

static void strike_servers(struct sim *sim)
{
    int64_t now_us = sim->world.clock_us;
    if (!sim->world.store_down && sim_strikes(sim, SIM_STORE_DOWN, 4)) {
        sim->world.store_down = true;
        sim->store_back_us = now_us + (int64_t)sim_choose(sim, 5000) * 1000;
        sim_note(sim, "the database is away");
    }
    if (!sim->world.bus_down && sim_strikes(sim, SIM_BUS_DOWN, 4)) {
        sim->world.bus_down = true;
        sim->bus_back_us = now_us + (int64_t)sim_choose(sim, 3000) * 1000;
        sim_note(sim, "the broker is away");
    }
    if (sim_strikes(sim, SIM_WIPED, 3))
        sim_wipe(sim);
    sim->world.store_down = sim->world.store_down && !sim->healing && now_us < sim->store_back_us;
    sim->world.bus_down = sim->world.bus_down && !sim->healing && now_us < sim->bus_back_us;
    if (now_us >= sim->services_back_us && sim_strikes(sim, SIM_NOBODY, 4))
        sim->services_back_us = now_us + (int64_t)sim_choose(sim, 6000) * 1000;
    memory_bus_serve(sim->world.broker, sim->healing || now_us >= sim->services_back_us);
}

/* One turn of each host that is up and awake, in an order of its own. */
static int64_t turn_hosts(struct sim *sim)
{
    int64_t next_us = INT64_MAX;
    uint32_t first = sim_choose(sim, sim->hosts);
    for (uint32_t i = 0; i < sim->hosts; i++) {
        uint32_t host = (first + i) % sim->hosts;
        if (!sim->healing && sim->world.clock_us < sim->paused_until_us[host])
            continue;
        int64_t duty_us = world_turn(&sim->world, host);
        next_us = duty_us < next_us ? duty_us : next_us;
    }
    return next_us;
}

static int64_t next_wire_us(const struct sim *sim)
{
    int64_t next_us = INT64_MAX;
    for (const struct sim_wire *wire = sim->wires; wire != NULL; wire = wire->next)
        next_us = wire->due_us < next_us ? wire->due_us : next_us;
    return next_us;
}

static void pass_time(struct sim *sim, int64_t duty_us, bool busy)
{
    int64_t wire_us = next_wire_us(sim);
    int64_t until_us = wire_us < duty_us ? wire_us : duty_us;
    int64_t span_us = 1 + (int64_t)sim_choose(sim, 5000);
    if (!busy && until_us != INT64_MAX && until_us - sim->world.clock_us > span_us && sim_choose(sim, 4) > 0)
        span_us = until_us - sim->world.clock_us;
    world_advance(&sim->world, span_us < DURATION_SECOND_US ? span_us : DURATION_SECOND_US);
}

static void step(struct sim *sim, uint32_t number)
{
    keep_hosts(sim);
    strike_hosts(sim);
    strike_servers(sim);
    sim_strike_participants(sim);
    int64_t duty_us = turn_hosts(sim);
    uint32_t moved = world_deliver(&sim->world, 1 + sim_choose(sim, 20));
    sim_participants(sim);
    if (number % LOOK_EVERY == 0)
        sim_check_waiting(sim);
    if (number % 64 == 63)
        memory_bus_redeliver(sim->world.broker); /* the wait for an acknowledgement is over */
    pass_time(sim, duty_us, moved > 0);
}

static void be_rough(struct sim *sim)
{
    for (uint32_t i = 0; i < ROUGH_STEPS && !sim->failed; i++) {
        if (sim_choose(sim, 8) == 0)
            sim_submit(sim);
        if (sim_choose(sim, 12) == 0)
            sim_operate(sim);
        if (sim_choose(sim, 12) == 0)
            sim_signal(sim);
        step(sim, i);
    }
}

/* L1: within its bound everything ends or is parked. */
static void heal(struct sim *sim)
{
    sim->healing = true;
    sim_note(sim, "all heals");
    int64_t until_us = sim->world.clock_us + heal_most_us;
    uint32_t quiet = 0;
    for (uint32_t i = 0; quiet < QUIET_STEPS && !sim->failed; i++) {
        step(sim, i);
        if (i % 64 == 0)
            sim_resume_all(sim);
        bool rest = i % 8 != 0 || (sim_check_rest(sim) && sim_wires_empty(sim) && sim->world.late == NULL);
        quiet = rest ? quiet + 1 : 0;
        if (sim->world.clock_us > until_us)
            sim_fail_restless(sim);
    }
}

static void check_answers(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->call_count; i++)
        if (!sim->calls[i].answered)
            sim_fail(sim, "call %" PRIu32 " was never answered", i);
}

static void begin(struct sim *sim, const struct sim_options *options, struct sim_result *result)
{
    *sim = (struct sim){.result = result, .trace = options->trace};
    *result = (struct sim_result){.hash = options->seed, .definitions = SIM_DEFINITIONS};
    rng_init(&sim->rng, options->seed);
    arena_init(&sim->arena, 0);
    world_open(&sim->world, options->seed, SIM_SHARDS);
    map_init(&sim->effects);
    map_init(&sim->commands);
    map_init(&sim->delivered);
    map_init(&sim->wordings);
    map_init(&sim->cancelled);
    sim->hosts = 1 + sim_choose(sim, SIM_HOSTS_MAX);
    sim->chance = sim_choose(sim, 4) * 70; /* some runs are calm */
    sim->world.options.lease_us = lease_us;
    sim->world.options.runners = 1 + sim_choose(sim, 2);
    uint32_t share = (SIM_SHARDS + sim->hosts - 1) / sim->hosts; /* fewer would leave a shard to nobody */
    sim->world.options.shards_max =
        sim_choose(sim, 2) == 0 ? 0 : share + sim_choose(sim, SIM_SHARDS - share + 1);
    sim->world.options.batch_events = 1 + sim_choose(sim, 32);
    sim->world.options.resident_max = sim_choose(sim, 2) == 0 ? 0 : 1 + sim_choose(sim, 4);
    sim->store = world_observe(&sim->world);
    sim->registry = registry_new(0);
    sim_define(sim);
    for (uint32_t i = 0; i < sim->hosts; i++)
        boot(sim, i);
    sim_watch(sim);
}

static void end(struct sim *sim)
{
    map_fini(&sim->effects);
    map_fini(&sim->commands);
    map_fini(&sim->delivered);
    map_fini(&sim->wordings);
    map_fini(&sim->cancelled);
    registry_free(sim->registry);
    store_close(sim->store);
    arena_fini(&sim->arena);
}

void sim_run(const struct sim_options *options, struct sim_result *result)
{
    struct sim *sim = memory_new(1, sizeof *sim);
    begin(sim, options, result);
    be_rough(sim);
    heal(sim);
    if (!sim->failed)
        sim_check_history(sim);
    if (!sim->failed)
        sim_dead_check(sim);
    sim->world.hooks = (struct world_hooks){.context = NULL};
    world_close(&sim->world);
    check_answers(sim);
    result->good = !sim->failed;
    end(sim);
    memory_free(sim);
}
