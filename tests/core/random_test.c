/* Random sagas in a bad world: commands and replies are lost, doubled, reordered and late; participants
 * refuse, ask to wait, or answer with nonsense; operators interfere at any time. The oracle watches each
 * record, the twin folds it; in the end the world heals and every saga must end or be parked, with each
 * effect there exactly when it should be. SAGA_SEED=n runs one seed and prints its story. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/memory.h"
#include "engine/base/rng.h"
#include "engine/core/record.h"
#include "tests/core/oracle.h"
#include "tests/core/plan_builder.h"
#include "tests/core/twin.h"

enum { MESSAGES_MAX = 512, SEEDS = 20000, EVENTS_PER_SEED = 60, HEAL_MAX = 4000 };

/* A command on its way, or a reply to one. */
struct message {
    bool reply;
    uint16_t step;
    enum core_kind kind;
    uint32_t attempt;
    enum core_reply_status status;
};
/* A participant with a barrier: each of do and undo takes effect once, and no do after an undo. */
struct truth {
    bool did;
    bool undid;
    int effect;
};
struct world {
    struct rng rng;
    struct plan_builder builder;
    struct twin twin;
    struct oracle oracle;
    struct truth truths[ORACLE_STEPS];
    struct message messages[MESSAGES_MAX];
    unsigned count;
    int64_t now_us;
    bool healed;
    bool operators;
    bool loud;
};

/* Said when a breach ends the process: SAGA_SEED=n shows its story. */
static uint64_t walking;
static void say_seed(int number)
{
    fprintf(stderr, "seed %llu\n", (unsigned long long)walking);
    signal(number, SIG_DFL);
}

static bool chance(struct world *world, unsigned percent)
{
    return rng_below(&world->rng, 100) < percent;
}

static void post(struct world *world, struct message message)
{
    cr_assert(world->count < MESSAGES_MAX);
    world->messages[world->count++] = message;
}

static void collect(struct world *world, const struct core_record *record)
{
    for (uint32_t i = 0; i < record->change_count; i++) {
        const struct core_change *change = &record->changes[i];
        if (change->kind == CORE_CHANGE_SEND)
            post(world,
                 (struct message){.step = change->step, .kind = change->command, .attempt = change->attempt});
    }
}

static enum core_verdict give(struct world *world, const struct core_event *event)
{
    struct twin *twin = &world->twin;
    enum core_verdict verdict = twin_step(twin, event);
    if (world->loud) {
        struct buf out;
        buf_init(&out, &twin->batch);
        if (verdict == CORE_USED)
            record_narrate(&out, &twin->live, &twin->update.record);
        else
            buf_printf(&out, "event %d %.*s/%d#%u: %.*s\n", (int)event->kind, STR_ARG(event->step),
                       (int)event->command_kind, event->attempt, STR_ARG(twin->update.why));
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&out)));
    }
    if (verdict == CORE_USED) {
        oracle_watch(&world->oracle, &twin->live, &twin->update.record);
        collect(world, &twin->update.record);
    }
    twin_clear(twin);
    return verdict;
}

static enum core_reply_status do_it(struct world *world, struct truth *truth)
{
    if (truth->did)
        return CORE_REPLY_OK;
    if (truth->undid || chance(world, 25))
        return CORE_REPLY_REJECTED;
    truth->did = true;
    truth->effect++;
    return CORE_REPLY_OK;
}

static enum core_reply_status undo_it(struct world *world, struct truth *truth)
{
    if (!truth->undid && !world->healed && chance(world, 10))
        return CORE_REPLY_REJECTED;
    if (truth->did && !truth->undid)
        truth->effect--;
    truth->undid = true;
    return CORE_REPLY_OK;
}

static void execute(struct world *world, struct message message)
{
    struct truth *truth = &world->truths[message.step];
    message.reply = true;
    if (!world->healed && chance(world, 15))
        message.status = chance(world, 50) ? CORE_REPLY_RETRY : CORE_REPLY_PENDING;
    else if (message.kind == CORE_DO)
        message.status = do_it(world, truth);
    else if (message.kind == CORE_UNDO)
        message.status = undo_it(world, truth);
    else
        message.status = truth->did && !truth->undid ? CORE_REPLY_OK : CORE_REPLY_REJECTED;
    post(world, message);
    if (world->healed || !chance(world, 6))
        return;
    /* Whatever it was, its answer does not tell. The true one comes, too: this world's verify does not see to
     * it that what did not happen never will. */
    message.status = chance(world, 50) ? CORE_REPLY_UNCLEAR : CORE_REPLY_UNUSABLE;
    post(world, message);
}

static void deliver_reply(struct world *world, struct message message)
{
    static const struct str codes[] = {{"", 0}, {"RETRY", 5}, {"PARK", 4}, {"CONTINUE", 8}, {"OTHER", 5}};
    struct core_event event = {.kind = CORE_EVENT_REPLY,
                               .at_us = world->now_us,
                               .step = core_step_path(&world->twin.live, message.step),
                               .command_kind = message.kind,
                               .attempt = message.attempt,
                               .status = message.status,
                               .participant = STR("service"),
                               .body = &json_true};
    if (message.status == CORE_REPLY_REJECTED)
        event.error_code = codes[message.attempt % 5]; /* the same for each copy of a reply */
    give(world, &event);
}

static void deliver(struct world *world)
{
    if (world->count == 0)
        return;
    unsigned at = (unsigned)rng_below(&world->rng, world->count);
    struct message message = world->messages[at];
    bool lost = !world->healed && chance(world, 20);
    bool again = !world->healed && chance(world, 15);
    if (!again)
        world->messages[at] = world->messages[--world->count];
    if (lost && !(message.reply && message.status == CORE_REPLY_OK))
        return; /* a lost success would hide an effect for ever: the bus delivers it in the end */
    if (message.reply)
        deliver_reply(world, message);
    else
        execute(world, message);
}

/* Answers that no honest participant gives. */
static void deliver_nonsense(struct world *world)
{
    const struct core_saga *saga = &world->twin.live;
    struct core_event event = {.kind = CORE_EVENT_REPLY, .at_us = world->now_us, .step = STR("nowhere")};
    if (saga->step_count > 0 && chance(world, 80))
        event.step = core_step_path(saga, (uint16_t)rng_below(&world->rng, saga->step_count));
    event.command_kind = (enum core_kind)rng_below(&world->rng, 3);
    event.status = (enum core_reply_status)rng_below(&world->rng, CORE_REPLY_UNSENT + 1);
    event.attempt = UINT32_MAX - (uint32_t)rng_below(&world->rng, 2);
    if (chance(world, 50)) {
        event.attempt = 1;
        event.participant = STR("stranger");
    }
    enum core_verdict verdict = give(world, &event);
    cr_assert(verdict == CORE_DEAD || verdict == CORE_LATE);
}

static void operate(struct world *world)
{
    static const enum core_event_kind kinds[] = {
        CORE_EVENT_CANCEL, CORE_EVENT_PAUSE, CORE_EVENT_RESUME, CORE_EVENT_RESUME, CORE_EVENT_RETRY,
        CORE_EVENT_RETRY,  CORE_EVENT_SKIP,  CORE_EVENT_FORCE,  CORE_EVENT_START,  CORE_EVENT_TERMINATE};
    struct core_event event = {.kind = kinds[rng_below(&world->rng, world->operators ? 10 : 6)],
                               .at_us = world->now_us,
                               .actor = STR("ann"),
                               .reason = STR("because")};
    const struct core_saga *saga = &world->twin.live;
    if (event.kind == CORE_EVENT_TERMINATE && chance(world, 80))
        return;
    if (saga->step_count > 0 && chance(world, 30))
        event.step = core_step_path(saga, (uint16_t)rng_below(&world->rng, saga->step_count));
    event.status = chance(world, 60) ? CORE_REPLY_OK : CORE_REPLY_REJECTED;
    give(world, &event);
}

static void fire(struct world *world)
{
    struct core_event event = {.kind = CORE_EVENT_TIMER};
    int64_t wake_us = core_wake(&world->twin.live);
    if (wake_us != INT64_MAX && wake_us > world->now_us && (world->healed || chance(world, 70)))
        world->now_us = wake_us;
    event.at_us = world->now_us - (world->healed ? 0 : (int64_t)rng_below(&world->rng, 2));
    give(world, &event);
}

static void act(struct world *world)
{
    world->now_us += (int64_t)rng_below(&world->rng, 2000000);
    unsigned dice = (unsigned)rng_below(&world->rng, 100);
    if (dice < 55)
        deliver(world);
    else if (dice < 80)
        fire(world);
    else if (dice < 95)
        operate(world);
    else
        deliver_nonsense(world);
}

/* From now on everything arrives, nobody refuses a compensation, and operators only let go on what waits for
 * them. */
static void heal(struct world *world)
{
    const struct core_saga *saga = &world->twin.live;
    struct core_event event = {.actor = STR("ann"), .reason = STR("healed")};
    world->healed = true;
    for (int i = 0; i < HEAL_MAX && (!core_ended(saga) || world->count > 0); i++) {
        event.at_us = world->now_us;
        event.kind = saga->paused ? CORE_EVENT_RESUME : CORE_EVENT_RETRY;
        if (world->count > 0)
            deliver(world);
        else if (!core_ended(saga) && (saga->paused || saga->status == CORE_PARKED))
            give(world, &event);
        else
            fire(world);
    }
    cr_assert_eq(world->count, 0);
}

static void check_effects(struct world *world)
{
    const struct core_saga *saga = &world->twin.live;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct oracle_step *watched = &world->oracle.steps[i];
        enum core_step_state state = saga->steps[i].state;
        cr_assert(world->truths[i].effect == 0 || world->truths[i].effect == 1);
        if (watched->let_go || saga->status == CORE_TERMINATED)
            continue;
        if (saga->status == CORE_COMPLETED && state == CORE_STEP_DONE && !saga->steps[i].waived)
            cr_assert_eq(world->truths[i].effect, 1, "seed %llu: completed without the effect of step %u",
                         (unsigned long long)walking, i);
        if (saga->status == CORE_COMPENSATED && world->builder.steps[i].has_undo)
            cr_assert_eq(world->truths[i].effect, 0, "seed %llu: compensated with the effect of step %u",
                         (unsigned long long)walking, i);
    }
}

static void random_action(struct world *world, struct plan_action *action)
{
    action->retry.attempts_max = 1 + (uint32_t)rng_below(&world->rng, 3);
    action->retry.factor_milli = 1000 + (uint32_t)rng_below(&world->rng, 3000);
    action->retry.initial_us = (int64_t)rng_below(&world->rng, 3000000);
    action->retry.interval_max_us = 5000000;
    action->retry.jitter = (enum plan_jitter)rng_below(&world->rng, 3);
    action->retry.elapsed_max_us = chance(world, 20) ? 30000000 : 0;
}

static const struct plan *random_plan(struct world *world)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    static const struct plan_error_rule rules[] = {{{"RETRY", 5}, PLAN_ON_ERROR_RETRY},
                                                   {{"PARK", 4}, PLAN_ON_ERROR_PARK},
                                                   {{"CONTINUE", 8}, PLAN_ON_ERROR_CONTINUE}};
    unsigned count = 1 + (unsigned)rng_below(&world->rng, 5);
    unsigned pivot = (unsigned)rng_below(&world->rng, 2 * count);
    plan_builder_init(&world->builder);
    for (unsigned i = 0; i < count; i++) {
        struct plan_step *step = plan_builder_step(&world->builder, ids[i]);
        random_action(world, &step->run);
        random_action(world, &step->undo);
        random_action(world, &step->verify);
        step->has_verify = chance(world, 40);
        step->has_undo = chance(world, 85);
        step->pivot = i == pivot;
        step->on_timeout = (enum plan_on_timeout)rng_below(&world->rng, 4);
        step->errors = rules;
        step->error_count = chance(world, 50) ? 3 : 0;
    }
    world->builder.plan.timeout_us = chance(world, 30) ? 40000000 : 0;
    return plan_builder_done(&world->builder);
}

static void live(uint64_t seed, bool loud, unsigned ends[CORE_TERMINATED + 1])
{
    struct world *world = memory_new(1, sizeof *world);
    rng_init(&world->rng, seed);
    world->loud = loud;
    world->now_us = twin_epoch_us;
    world->operators = chance(world, 40);
    const struct plan *plan = random_plan(world);
    twin_init(&world->twin, plan);
    oracle_init(&world->oracle, plan);
    struct core_event start = {
        .kind = CORE_EVENT_START, .at_us = world->now_us, .seed = seed, .key = STR("k")};
    give(world, &start);
    for (int i = 0; i < EVENTS_PER_SEED; i++)
        act(world);
    heal(world);
    cr_assert(core_ended(&world->twin.live) || world->twin.live.status == CORE_PARKED,
              "seed %llu, L1: it does not end", (unsigned long long)seed);
    check_effects(world);
    ends[world->twin.live.status]++;
    twin_fini(&world->twin);
    memory_free(world);
}

Test(core, random_walks, .timeout = 300)
{
    unsigned ends[CORE_TERMINATED + 1] = {0};
    const char *one = getenv("SAGA_SEED");
    const char *many = getenv("SAGA_SEEDS");
    signal(SIGABRT, say_seed);
    uint64_t seeds = many ? strtoull(many, NULL, 10) : SEEDS;
    if (one) {
        live(strtoull(one, NULL, 10), true, ends);
        return;
    }
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        walking = seed;
        live(seed, false, ends);
    }
    cr_log_info("completed %u, compensated %u, terminated %u, parked %u", ends[CORE_COMPLETED],
                ends[CORE_COMPENSATED], ends[CORE_TERMINATED], ends[CORE_PARKED]);
    cr_assert(ends[CORE_COMPLETED] > seeds / 20 && ends[CORE_COMPENSATED] > seeds / 20,
              "M2: the world is too bad");
}
