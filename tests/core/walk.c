/* One saga in a bad world: what is on its way, what comes, who interferes, until it must end. */
#include "tests/core/walk.h"
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/memory.h"
#include "engine/base/rng.h"
#include "engine/core/record.h"
#include "engine/core/view.h"
#include "engine/model/values.h"
#include "engine/sim/random_definition.h"
#include "engine/sim/block_oracle.h"
#include "tests/core/data_oracle.h"
#include "tests/core/twin.h"
enum { MESSAGES_MAX = 2048, HEAL_MAX = 60000, COPY_EVERY = 8 };

/* A command on its way, or a reply to one. */
struct message {
    bool reply;
    uint16_t step;
    enum core_kind kind;
    uint32_t attempt;
    enum core_reply_status status;
    bool given; /* a copy of it was delivered */
};
/* A participant with a barrier: each of do and undo takes effect once, and no do after an undo. */
struct truth {
    bool did;
    bool undid;
    int effect;
    uint32_t refused; /* newest attempt that was; its duplicates are too */
    uint32_t put_off; /* likewise, told `retry` */
    struct id child;  /* of the last do of a child saga */
    bool granted;     /* fresh attempts since then */
};
struct walk {
    const struct plan *plan;
    const struct walk_choices *choices;
    struct walk_result *result;
    struct twin twin;
    struct block_oracle oracle;
    struct data_oracle data;
    struct truth truths[BLOCK_ORACLE_STEPS];
    struct message messages[MESSAGES_MAX];
    unsigned count;
    int64_t now_us;
    uint64_t seed;
    uint32_t undo_attempt; /* of the parent */
    uint32_t signals;
    bool has_parent;
    uint32_t rough; /* percent of the faults below: some worlds are calm, so that much gets done */
    bool healed;
    bool operators;
    bool loud;
};

#define MUST(walk, what) ((what) ? (void)0 : broken(walk, #what))

static _Noreturn void broken(const struct walk *walk, const char *what)
{
    fprintf(stderr, "after record %lld: broken: %s\n", (long long)walk->twin.live.seq, what);
    abort();
}

static uint32_t choose(struct walk *walk, uint32_t bound)
{
    return walk->choices->choose(walk->choices->context, bound);
}

static bool chance(struct walk *walk, unsigned percent)
{
    return choose(walk, 100) < percent;
}

/* Of what is bad; nothing is once the world has healed. */
static bool strikes(struct walk *walk, unsigned percent)
{
    return !walk->healed && choose(walk, 10000) < percent * walk->rough;
}

static void post(struct walk *walk, struct message message)
{
    if (walk->count < MESSAGES_MAX)
        walk->messages[walk->count++] = message;
    else
        MUST(walk, !walk->healed);
}

/* Fresh attempts are about another child. */
static void check_child(struct walk *walk, const struct core_change *change)
{
    struct truth *truth = &walk->truths[change->step];
    const struct core_saga *saga = &walk->twin.live;
    bool child = saga->plan->nodes[saga->steps[change->step].node].kind == PLAN_SAGA;
    if (child && change->command == CORE_DO && change->kind == CORE_CHANGE_BUDGET)
        truth->granted = true;
    if (!child || change->command != CORE_DO || change->kind != CORE_CHANGE_SEND)
        return;
    struct id id = core_child(saga, change->step);
    MUST(walk, change->attempt == 1 || id_equal(id, truth->child) != truth->granted);
    truth->child = id;
    truth->granted = false;
}

static void collect(struct walk *walk, const struct core_record *record)
{
    for (uint32_t i = 0; i < record->change_count; i++) {
        const struct core_change *change = &record->changes[i];
        if (change->kind == CORE_CHANGE_SEND || change->kind == CORE_CHANGE_BUDGET)
            check_child(walk, change);
        if (change->kind == CORE_CHANGE_SEND)
            post(walk,
                 (struct message){.step = change->step, .kind = change->command, .attempt = change->attempt});
        walk->result->signals_taken += change->kind == CORE_CHANGE_TAKE;
        walk->result->scopes_undone += change->kind == CORE_CHANGE_BLOCK && change->block == CORE_BLOCK_BACK;
    }
}

static struct str seen(struct arena *arena, const struct core_saga *saga, const struct core_update *update)
{
    struct buf out;
    buf_init(&out, arena);
    buf_printf(&out, "%d %.*s\n", (int)update->verdict, STR_ARG(update->why));
    if (update->verdict == CORE_USED) {
        record_write(&out, saga, &update->record);
        record_narrate(&out, saga, &update->record);
    }
    view_json(&out, saga);
    buf_printf(&out, "\n%lld", (long long)core_wake(saga));
    return buf_str(&out);
}

static void tell(struct walk *walk, const struct core_event *event)
{
    struct twin *twin = &walk->twin;
    struct buf out;
    buf_init(&out, &twin->batch);
    if (twin->update.verdict == CORE_USED)
        record_narrate(&out, &twin->live, &twin->update.record);
    else
        buf_printf(&out, "%.*s %.*s/%d#%u: %.*s\n", STR_ARG(core_event_text(event->kind)),
                   STR_ARG(event->step), (int)event->command_kind, event->attempt, STR_ARG(twin->update.why));
    fprintf(stderr, "%.*s", STR_ARG(buf_str(&out)));
}

static void count(struct walk_result *result, enum core_verdict verdict)
{
    result->events++;
    result->used += verdict == CORE_USED;
    result->refused += verdict == CORE_REFUSED;
    result->dead += verdict == CORE_DEAD;
    result->late += verdict == CORE_LATE;
    result->stale += verdict == CORE_STALE;
    result->duplicate += verdict == CORE_DUPLICATE;
}

/* The copy is asked first: what it does must leave no trace in the saga it was made from. */
static struct str step_copy(struct walk *walk, const struct core_event *event, struct arena *arena)
{
    struct core_saga copy;
    struct core_update update;
    struct arena own;
    arena_init(&own, 0);
    core_copy(&copy, &walk->twin.live, &own);
    core_step(&copy, event, arena, &update);
    struct str text = seen(arena, &copy, &update);
    arena_fini(&own);
    return text;
}

static enum core_verdict give(struct walk *walk, const struct core_event *event)
{
    struct twin *twin = &walk->twin;
    struct arena arena;
    struct core_update nothing = {.verdict = CORE_IDLE};
    bool copies = choose(walk, COPY_EVERY) == 0 && twin->live.seq > 0;
    arena_init(&arena, 0);
    struct str copied = copies ? step_copy(walk, event, &arena) : STR("");
    enum core_verdict verdict = twin_step(twin, event);
    if (walk->loud)
        tell(walk, event);
    MUST(walk, !copies || str_equal(copied, seen(&arena, &twin->live, &twin->update)));
    MUST(walk, str_equal(seen(&arena, &twin->live, &nothing), seen(&arena, &twin->twin, &nothing)));
    MUST(walk, str_is_utf8(twin->update.why));
    if (verdict == CORE_USED) {
        block_oracle_watch(&walk->oracle, &twin->update.record);
        data_oracle_watch(&walk->data, &twin->update.record);
        if (walk->oracle.why[0] != '\0')
            broken(walk, walk->oracle.why);
        collect(walk, &twin->update.record);
    }
    count(walk->result, verdict);
    twin_clear(twin);
    arena_fini(&arena);
    return verdict;
}

static enum core_reply_status do_it(struct walk *walk, struct truth *truth, uint32_t attempt)
{
    if (truth->did)
        return CORE_REPLY_OK;
    if (truth->undid || attempt <= truth->refused)
        return CORE_REPLY_REJECTED;
    if (attempt <= truth->put_off)
        return CORE_REPLY_RETRY;
    if (choose(walk, 10000) < 6 * walk->rough) {
        truth->refused = attempt;
        return CORE_REPLY_REJECTED;
    }
    truth->did = true;
    truth->effect++;
    return CORE_REPLY_OK;
}

static enum core_reply_status undo_it(struct walk *walk, struct truth *truth)
{
    if (!truth->undid && strikes(walk, 8))
        return CORE_REPLY_REJECTED;
    if (truth->did && !truth->undid)
        truth->effect--;
    truth->undid = true;
    return CORE_REPLY_OK;
}

/* Who has said that it did not happen sees to it that it will not. */
static enum core_reply_status look(struct truth *truth)
{
    bool there = truth->did && !truth->undid;
    truth->undid = truth->undid || !truth->did;
    return there ? CORE_REPLY_OK : CORE_REPLY_REJECTED;
}

static void execute(struct walk *walk, struct message message)
{
    struct truth *truth = &walk->truths[message.step];
    bool open = message.kind != CORE_DO || (!truth->did && !truth->undid && message.attempt > truth->refused);
    message.reply = true;
    if (open && strikes(walk, 8))
        message.status = chance(walk, 50) ? CORE_REPLY_RETRY : CORE_REPLY_PENDING;
    else if (message.kind == CORE_DO)
        message.status = do_it(walk, truth, message.attempt);
    else if (message.kind == CORE_UNDO)
        message.status = undo_it(walk, truth);
    else
        message.status = look(truth);
    if (message.kind == CORE_DO && message.status == CORE_REPLY_RETRY && message.attempt > truth->put_off)
        truth->put_off = message.attempt;
    bool child = walk->plan->nodes[walk->oracle.steps[message.step].node].kind == PLAN_SAGA;
    bool lacks = child && message.kind == CORE_DO && message.status == CORE_REPLY_OK && !walk->healed;
    if (lacks && rng_mix(walk->seed, message.step) % 5 == 0)
        message.status = CORE_REPLY_NO_OUTPUT;
    if (!child && strikes(walk, 4)) /* whatever it was, its answer does not tell */
        message.status = chance(walk, 50) ? CORE_REPLY_UNCLEAR : CORE_REPLY_UNUSABLE;
    post(walk, message);
}

static struct str path_of(const struct walk *walk, uint16_t step)
{
    return str_from(walk->oracle.steps[step].path);
}

static const struct plan_step *plan_of(const struct walk *walk, uint16_t step)
{
    return walk->plan->nodes[walk->oracle.steps[step].node].step;
}

/* The same for each copy of a reply. */
static const struct json *output_of(struct walk *walk, uint16_t step)
{
    struct rng rng;
    rng_init(&rng, rng_mix(walk->seed, str_hash(path_of(walk, step))));
    const struct plan_step *plan = plan_of(walk, step);
    if (plan->output_schema != NULL)
        return values_make(plan->output_schema, &rng, &walk->twin.batch);
    return random_definition_signal(STR("e.n1"), &rng, &walk->twin.batch);
}

static void deliver_reply(struct walk *walk, struct message message)
{
    static const struct str codes[] = {{"", 0}, {"AGAIN", 5}, {"HUMAN", 5}, {"SKIP", 4}, {"NO", 2}};
    const struct plan_step *plan = plan_of(walk, message.step);
    struct core_event event = {.kind = CORE_EVENT_REPLY,
                               .at_us = walk->now_us,
                               .step = path_of(walk, message.step),
                               .command_kind = message.kind,
                               .attempt = message.attempt,
                               .status = message.status,
                               .participant = core_action(plan, message.kind)->participant,
                               .body = &json_true};
    bool success = message.status == CORE_REPLY_OK && message.kind != CORE_UNDO;
    if (message.status == CORE_REPLY_REJECTED)
        event.error_code = codes[message.attempt % 5]; /* the same for each copy of a reply */
    bool child = walk->plan->nodes[walk->oracle.steps[message.step].node].kind == PLAN_SAGA;
    if (child && message.status == CORE_REPLY_REJECTED && message.attempt % 2 == 1)
        event.error_code = core_code_text(CORE_CODE_CHILD_TERMINATED);
    if (success && (walk->healed || chance(walk, 95)))
        event.body = output_of(walk, message.step);
    else if (success && plan->output_schema == NULL)
        event.body = NULL;
    if (message.status == CORE_REPLY_RETRY)
        event.retry_after_us = (int64_t)choose(walk, 3) * 500000;
    enum core_verdict verdict = give(walk, &event);
    MUST(walk, verdict != CORE_REFUSED && verdict != CORE_IDLE);
}

static struct str any_step(struct walk *walk)
{
    uint16_t opened = walk->oracle.step_count;
    if (opened == 0 || chance(walk, 3))
        return STR("nowhere[7]");
    uint32_t newest = opened > 8 && chance(walk, 50) ? 8 : opened; /* they are the ones that wait */
    return path_of(walk, (uint16_t)(opened - 1 - choose(walk, newest)));
}

/* A command that no copy of has been delivered has reached nobody, and will not. */
static bool take_back(struct walk *walk, const struct message *message)
{
    const struct block_oracle_step *step = &walk->oracle.steps[message->step];
    struct core_event event = {.kind = CORE_EVENT_UNDELIVERED, .at_us = walk->now_us};
    if (message->reply || message->given || walk->plan->nodes[step->node].kind != PLAN_STEP)
        return false;
    event.attempt = message->attempt, event.command_kind = message->kind;
    event.step = path_of(walk, message->step), event.error_code = chance(walk, 60) ? STR("") : STR("SKIP");
    MUST(walk, give(walk, &event) != CORE_DEAD);
    return true;
}

static void deliver(struct walk *walk)
{
    if (walk->count == 0)
        return;
    unsigned at = choose(walk, walk->count);
    struct message message = walk->messages[at];
    bool lost = strikes(walk, 10);
    bool again = strikes(walk, 12);
    walk->messages[at].given = true;
    if (!again)
        walk->messages[at] = walk->messages[--walk->count];
    if (!again && !lost && strikes(walk, 6) && take_back(walk, &message))
        return;
    if (lost && !(message.reply && message.status == CORE_REPLY_OK))
        return; /* a lost success would hide an effect for ever: the bus delivers it in the end */
    if (message.reply)
        deliver_reply(walk, message);
    else
        execute(walk, message);
}

/* Answers that no honest participant gives. */
static void deliver_nonsense(struct walk *walk)
{
    struct core_event event = {.kind = CORE_EVENT_REPLY, .at_us = walk->now_us, .step = any_step(walk)};
    event.command_kind = (enum core_kind)choose(walk, 3);
    event.status = (enum core_reply_status)choose(walk, CORE_REPLY_UNSENT + 1);
    event.attempt = UINT32_MAX - choose(walk, 2);
    if (chance(walk, 50)) {
        event.attempt = choose(walk, 3);
        event.participant = STR("stranger");
    }
    enum core_verdict verdict = give(walk, &event);
    MUST(walk, verdict == CORE_DEAD || verdict == CORE_LATE || verdict == CORE_DUPLICATE);
}

static void signal_it(struct walk *walk, struct str name)
{
    struct rng rng;
    rng_init(&rng, choose(walk, 1000));
    uint32_t number = chance(walk, 20) ? choose(walk, walk->signals + 1) : walk->signals++;
    struct core_event event = {.kind = CORE_EVENT_SIGNAL, .at_us = walk->now_us, .signal = name};
    event.signal_id = chance(walk, 20) ? STR("") : arena_printf(&walk->twin.batch, "id%u", number);
    event.body = chance(walk, 90) ? random_definition_signal(name, &rng, &walk->twin.batch) : NULL;
    give(walk, &event);
}

static void signal_any(struct walk *walk)
{
    static const struct str names[] = {{"e.n0", 4}, {"e.n1", 4}, {"e.n2", 4}, {"e.n9", 4}};
    signal_it(walk, names[choose(walk, chance(walk, 5) ? 4 : 3)]);
}

static void move(struct walk *walk)
{
    struct core_event event = {
        .kind = CORE_EVENT_MOVE, .at_us = walk->now_us, .actor = STR("ann"), .reason = STR("sooner")};
    event.step = chance(walk, 20) ? STR("") : any_step(walk);
    event.due_us = walk->now_us + ((int64_t)choose(walk, 20000) - 5000) * 1000;
    if (chance(walk, 2))
        event.due_us = chance(walk, 50) ? INT64_MAX : INT64_MIN;
    give(walk, &event);
}

static void undo(struct walk *walk)
{
    struct core_event event = {.kind = CORE_EVENT_UNDO, .at_us = walk->now_us};
    walk->undo_attempt += chance(walk, 60) || walk->undo_attempt == 0;
    event.attempt = walk->undo_attempt;
    enum core_verdict verdict = give(walk, &event);
    MUST(walk, verdict != CORE_USED || walk->twin.live.direction == CORE_BACK);
}

static void operate(struct walk *walk)
{
    static const enum core_event_kind kinds[] = {
        CORE_EVENT_CANCEL, CORE_EVENT_PAUSE, CORE_EVENT_RESUME, CORE_EVENT_RESUME, CORE_EVENT_RETRY,
        CORE_EVENT_RETRY,  CORE_EVENT_SKIP,  CORE_EVENT_FORCE,  CORE_EVENT_START,  CORE_EVENT_TERMINATE};
    struct core_event event = {.kind = kinds[choose(walk, walk->operators ? 10 : 6)],
                               .at_us = walk->now_us,
                               .actor = STR("ann"),
                               .reason = STR("because")};
    event.deadline = event.kind == CORE_EVENT_PAUSE && chance(walk, 50);
    bool rare = event.kind == CORE_EVENT_TERMINATE || event.kind == CORE_EVENT_CANCEL;
    if (rare && !strikes(walk, 20))
        return;
    event.step = chance(walk, 50) ? any_step(walk) : STR("");
    event.status = chance(walk, 60) ? CORE_REPLY_OK : CORE_REPLY_REJECTED;
    if (walk->has_parent && chance(walk, 10))
        undo(walk);
    else
        give(walk, &event);
}

static bool is_far(const struct walk *walk, int64_t due_us)
{
    return due_us > walk->now_us + INT64_C(400) * 86400 * 1000000;
}

static void fire(struct walk *walk)
{
    struct core_event event = {.kind = CORE_EVENT_TIMER};
    int64_t wake_us = core_wake(&walk->twin.live);
    if (!is_far(walk, wake_us) && wake_us > walk->now_us && (walk->healed || chance(walk, 70)))
        walk->now_us = wake_us;
    event.at_us = walk->now_us - (walk->healed ? 0 : (int64_t)choose(walk, 2));
    give(walk, &event);
}

static void act(struct walk *walk)
{
    walk->now_us += (int64_t)choose(walk, 600) * 1000;
    unsigned dice = choose(walk, 100);
    if (dice < 58)
        deliver(walk);
    else if (dice < 58 + 18 * walk->rough / 100)
        fire(walk);
    else if (dice < 76)
        walk->count > 0 ? deliver(walk) : fire(walk);
    else if (dice < 85)
        operate(walk);
    else if (dice < 92)
        signal_any(walk);
    else if (dice < 96)
        move(walk);
    else
        deliver_nonsense(walk);
}

/* An operator has moved all timers that run out of sight: he moves one back. */
static void bring_near(struct walk *walk)
{
    const struct core_saga *saga = &walk->twin.live;
    struct core_event event = {.kind = CORE_EVENT_MOVE, .at_us = walk->now_us, .reason = STR("healed")};
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (is_far(walk, saga->steps[i].due_us))
            event.step = path_of(walk, i);
    give(walk, &event);
}

/* What a human says about one step that is stuck; several may be. */
static void resolve(struct walk *walk)
{
    const struct core_saga *saga = &walk->twin.live;
    struct core_event event = {.at_us = walk->now_us, .reason = STR("healed"), .body = &json_true};
    event.kind = core_lacks_output(saga) ? CORE_EVENT_FORCE : CORE_EVENT_RETRY;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        if (saga->steps[i].state != CORE_STEP_STUCK && saga->steps[i].state != CORE_STEP_UNDO_STUCK)
            continue;
        event.step = path_of(walk, i);
        unsigned dice = choose(walk, 10);
        event.kind = dice < 6 ? CORE_EVENT_RETRY : dice < 8 ? CORE_EVENT_SKIP : CORE_EVENT_FORCE;
        event.status = chance(walk, 70) ? CORE_REPLY_OK : CORE_REPLY_REJECTED;
        if (event.kind == CORE_EVENT_FORCE && plan_of(walk, i) != NULL)
            event.body = output_of(walk, i);
        if (chance(walk, 60))
            break;
    }
    give(walk, &event);
}

static void signal_waiting(struct walk *walk)
{
    const struct core_saga *saga = &walk->twin.live;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        if (saga->steps[i].state != CORE_STEP_AWAITING)
            continue;
        signal_it(walk, walk->plan->nodes[saga->steps[i].node].await->event);
        return;
    }
}

/* From now on everything arrives, nobody refuses a compensation, and operators only let go on what waits for
 * them. */
static void heal(struct walk *walk)
{
    const struct core_saga *saga = &walk->twin.live;
    struct core_event resume = {.kind = CORE_EVENT_RESUME, .actor = STR("ann"), .reason = STR("healed")};
    walk->healed = true;
    for (int i = 0; i < HEAL_MAX && (!core_ended(saga) || walk->count > 0); i++) {
        resume.at_us = walk->now_us;
        bool hasty = saga->status == CORE_PARKED && walk->count > 0 && chance(walk, 20);
        if (hasty) /* what is on its way comes late, then */
            resolve(walk);
        else if (walk->count > 0)
            deliver(walk);
        else if (!core_ended(saga) && saga->paused)
            give(walk, &resume);
        else if (!core_ended(saga) && saga->status == CORE_PARKED &&
                 (core_wake(saga) == INT64_MAX || i % 2 == 0))
            resolve(walk);
        else if (i % 8 == 1)
            signal_waiting(walk);
        else if (!core_ended(saga) && is_far(walk, core_wake(saga)) && core_wake(saga) != INT64_MAX)
            bring_near(walk);
        else
            fire(walk);
    }
    MUST(walk, walk->count == 0);
    MUST(walk, core_ended(saga)); /* L1 */
}

static void check_effect(struct walk *walk, uint16_t step)
{
    const struct core_saga *saga = &walk->twin.live;
    const struct core_step *it = &saga->steps[step];
    const struct plan_step *plan = plan_of(walk, step);
    bool back = block_oracle_is_back(&walk->oracle, step);
    int effect = walk->truths[step].effect;
    MUST(walk, effect == 0 || effect == 1);
    MUST(walk, back == core_going_back(saga, step));
    if (walk->oracle.steps[step].let_go || saga->status == CORE_TERMINATED || plan == NULL)
        return;
    if (!back && it->state == CORE_STEP_DONE && !it->waived)
        MUST(walk, effect == 1);
    if (back && plan->has_undo)
        MUST(walk, effect == 0);
    if (it->state == CORE_STEP_REJECTED)
        MUST(walk, effect == 0);
}

static void start(struct walk *walk)
{
    struct rng rng;
    struct core_event event = {
        .kind = CORE_EVENT_START, .at_us = walk->now_us, .seed = walk->seed, .shards = 4};
    rng_init(&rng, walk->seed);
    event.input =
        random_definition_input(walk->plan, choose(walk, 20), walk->now_us, &rng, &walk->twin.batch);
    if (chance(walk, 70))
        event.key = STR("k");
    walk->has_parent = chance(walk, 30);
    if (walk->has_parent) {
        event.has_parent = true;
        event.parent = (struct id){{7}};
        event.parent_step = STR("c1[2]");
        event.parent_attempt = 1 + choose(walk, 3);
        event.stillborn = chance(walk, 5);
    }
    give(walk, &event);
    MUST(walk, !event.stillborn || walk->twin.live.status == CORE_COMPENSATED);
}

void walk_run(const struct plan *plan, uint64_t seed, uint32_t events, const struct walk_choices *choices,
              bool loud, struct walk_result *result)
{
    struct walk *walk = memory_new(1, sizeof *walk);
    *result = (struct walk_result){.status = CORE_RUNNING};
    walk->plan = plan;
    walk->choices = choices;
    walk->result = result;
    walk->seed = seed;
    walk->loud = loud;
    walk->now_us = twin_epoch_us;
    walk->rough = choose(walk, 5) * 25;
    walk->operators = chance(walk, 40);
    twin_init(&walk->twin, plan);
    block_oracle_init(&walk->oracle, plan);
    data_oracle_init(&walk->data, plan, walk->twin.live.id);
    start(walk);
    bool over = false; /* some time after the end, a few late ones are enough */
    for (uint32_t i = 0; i < events && !over; i++) {
        act(walk);
        over = core_ended(&walk->twin.live) && chance(walk, 8);
    }
    heal(walk);
    for (uint16_t i = 0; i < walk->twin.live.step_count; i++)
        check_effect(walk, i);
    result->status = walk->twin.live.status;
    result->steps = walk->twin.live.step_count;
    data_oracle_fini(&walk->data);
    twin_fini(&walk->twin);
    memory_free(walk);
}
