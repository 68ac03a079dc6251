/* Events: the first byte names the definition, the others are decisions about what happens next. Replies are
 * true, false, late, doubled or nonsense; time passes or does not; operators interfere. After each event the
 * twin holds that the folded journal is the state and that every saga waits for something (L2), the oracle
 * that each record keeps the promises of PROMISES.md. */
#include "tests/fuzz/fuzz.h"
#include "engine/base/check.h"
#include "engine/core/record.h"
#include "engine/core/state.h"
#include "tests/core/oracle.h"
#include "tests/core/plan_builder.h"
#include "tests/core/twin.h"

enum { PLANS = 5, EVENTS_MAX = 400, BUILT = 4 };

struct play {
    struct str bytes;
    struct plan_builder builder;
    struct twin twin;
    struct oracle oracle;
    int64_t now_us;
};

static void build_action(struct play *play, struct plan_action *action)
{
    uint8_t byte = fuzz_byte(&play->bytes);
    action->retry.attempts_max = 1 + byte % 3;
    action->retry.factor_milli = 1000 + 500 * (uint32_t)(byte >> 2 & 3);
    action->retry.jitter = (enum plan_jitter)((byte >> 4) % 3);
    action->retry.elapsed_max_us = byte >= 0xc0 ? 15000000 : 0;
}

/* Up to five steps with every combination of what a step may say. */
static const struct plan *build_plan(struct play *play)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    static const struct plan_error_rule rules[] = {{{"RETRY", 5}, PLAN_ON_ERROR_RETRY},
                                                   {{"PARK", 4}, PLAN_ON_ERROR_PARK},
                                                   {{"CONTINUE", 8}, PLAN_ON_ERROR_CONTINUE}};
    uint8_t shape = fuzz_byte(&play->bytes);
    unsigned count = 1 + shape % 5;
    unsigned pivot = shape >> 4; /* none when it is not one of them */
    plan_builder_init(&play->builder);
    play->builder.plan.timeout_us = shape & 8 ? 40000000 : 0;
    for (unsigned i = 0; i < count; i++) {
        struct plan_step *step = plan_builder_step(&play->builder, ids[i]);
        uint8_t byte = fuzz_byte(&play->bytes);
        step->errors = rules;
        step->error_count = 3;
        step->on_timeout = (enum plan_on_timeout)(byte & 3);
        step->has_verify = (byte & 4) != 0 || step->on_timeout == PLAN_ON_TIMEOUT_VERIFY;
        step->has_undo = (byte & 8) != 0 && i != pivot;
        step->pivot = i == pivot;
        build_action(play, &step->run);
        build_action(play, &step->undo);
        build_action(play, &step->verify);
    }
    return plan_builder_done(&play->builder);
}

static void give(struct play *play, const struct core_event *event)
{
    struct twin *twin = &play->twin;
    if (twin_step(twin, event) == CORE_USED) {
        for (uint32_t i = 0; i < twin->update.record.change_count; i++) {
            const struct core_change *change = &twin->update.record.changes[i];
            check(change->kind != CORE_CHANGE_STEP || state_move_allowed(change->from, change->state));
        }
        oracle_watch(&play->oracle, &twin->live, &twin->update.record);
    }
    check(str_is_utf8(twin->update.why));
    twin_clear(twin);
}

static struct str any_step(struct play *play, uint8_t byte)
{
    const struct core_saga *saga = &play->twin.live;
    if (saga->step_count == 0 || byte >= 0xf0)
        return STR("nowhere");
    /* mostly the newest: it is the one that waits */
    return core_step_path(saga, (uint16_t)(byte & 8 ? byte % saga->step_count : saga->step_count - 1));
}

static void reply(struct play *play)
{
    const struct str codes[] = {STR(""),         STR("RETRY"),           STR("PARK"),
                                STR("CONTINUE"), STR("CARD_EXPIRED"),    STR("RATE_LIMITED"),
                                STR("OTHER"),    STR("FRAUD_SUSPECTED"), STR("NONE_LEFT")};
    static const char *const bodies[] = {
        "{\"reservation\":1,\"payment\":\"p\",\"tracking\":2,\"authorization\":\"a\"}", "null", "{}",
        "[1.50]"};
    const struct core_saga *saga = &play->twin.live;
    uint8_t which = fuzz_byte(&play->bytes);
    uint8_t how = fuzz_byte(&play->bytes);
    struct core_event event = {.kind = CORE_EVENT_REPLY, .at_us = play->now_us};
    event.step = any_step(play, which);
    event.command_kind = (enum core_kind)((which & 7) % CORE_KIND_COUNT);
    uint16_t step = core_find(saga, event.step);
    event.attempt = step == CORE_NO_STEP ? 1 : saga->steps[step].attempts[event.command_kind];
    event.attempt -= which >> 6 == 1; /* an earlier one, or 0 */
    event.attempt += which >> 6 == 2; /* one that was never sent */
    event.status = (enum core_reply_status)(how & 3);
    if (event.status == CORE_REPLY_REJECTED)
        event.error_code = codes[(how >> 2 & 15) % 9];
    else
        event.body = fuzz_is_json(&play->twin.batch, str_from(bodies[how >> 4 & 3]));
    event.retry_after_us = event.status == CORE_REPLY_RETRY ? (int64_t)(how >> 2) * 100000 : 0;
    if (how >= 0xf0)
        event.participant = STR("stranger");
    give(play, &event);
}

static void operate(struct play *play, uint8_t byte)
{
    struct core_event event = {
        .kind = (enum core_event_kind)(CORE_EVENT_CANCEL + byte % (CORE_EVENT_FORCE - CORE_EVENT_CANCEL + 1)),
        .at_us = play->now_us,
        .actor = STR("ann"),
        .reason = STR("because")};
    uint8_t how = fuzz_byte(&play->bytes);
    event.status = how & 1 ? CORE_REPLY_REJECTED : CORE_REPLY_OK;
    if (how & 2)
        event.step = any_step(play, how);
    give(play, &event);
}

static void pass_time(struct play *play, uint8_t byte)
{
    struct core_event event = {.kind = CORE_EVENT_TIMER};
    int64_t wake_us = core_wake(&play->twin.live);
    if (wake_us != INT64_MAX && byte & 0x40 && wake_us > play->now_us)
        play->now_us = wake_us;
    else
        play->now_us += (int64_t)1 << (byte & 0x1f);
    event.at_us = play->now_us - (byte >= 0x80);
    give(play, &event);
}

static void start(struct play *play, unsigned which)
{
    struct core_event event = {.kind = CORE_EVENT_START, .at_us = play->now_us, .key = STR("k")};
    event.seed = fuzz_byte(&play->bytes);
    event.input = fuzz_is_json(&play->twin.batch, fuzz_input(which));
    give(play, &event);
}

static void act(struct play *play)
{
    uint8_t what = fuzz_byte(&play->bytes);
    switch (what & 7) {
    case 0:
    case 1:
    case 2:
    case 3:
        reply(play);
        break;
    case 4:
    case 5:
        pass_time(play, fuzz_byte(&play->bytes));
        break;
    case 6:
        operate(play, what >> 3);
        break;
    default:
        start(play, what >> 3);
        break;
    }
}

/* The oracle knows no blocks; fuzz_walk.c is for those. */
static bool is_sequence(const struct plan *plan)
{
    for (uint16_t i = 1; i < plan->node_count; i++)
        if (plan->nodes[i].kind != PLAN_STEP)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play play;
    play = (struct play){.bytes = {(const char *)data, size}, .now_us = twin_epoch_us};
    unsigned which = fuzz_byte(&play.bytes) % PLANS;
    const struct plan *plan =
        which == BUILT || !is_sequence(fuzz_plan(which)) ? build_plan(&play) : fuzz_plan(which);
    twin_init(&play.twin, plan);
    oracle_init(&play.oracle, plan);
    start(&play, which);
    for (int i = 0; i < EVENTS_MAX && play.bytes.size > 0; i++)
        act(&play);
    twin_fini(&play.twin);
    return 0;
}
