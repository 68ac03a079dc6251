/* Fingerprints: two states with the same one behave alike from here on. Left out are times, numbers of
 * attempts beyond the third, texts that no expression reads any more, and what a step's state says does not
 * matter any more (whether a done step once went unanswered). Steps and frames are added up, so that their
 * order in memory does not matter. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

static uint64_t mix_text(uint64_t hash, struct str text)
{
    return mix(hash, str_hash(text));
}

/* Attempts of the present budget as far as they matter: an unlimited one never ends. Also whether there is an
 * older attempt that could be answered. */
static uint64_t used(const struct core_saga *saga, const struct core_step *step, enum core_kind kind)
{
    const struct plan_step *plan = saga->plan->nodes[step->node].step;
    const struct plan_action *action = plan ? core_action(plan, kind) : NULL;
    uint32_t most = action && action->retry.attempts_max < LIMITS_ATTEMPTS_MAX ? 3 : 1;
    uint32_t count = step->attempts[kind] - step->budget_base[kind];
    uint64_t ever = step->attempts[kind] < 2 ? step->attempts[kind] : 2;
    return (count < most ? count : most) * 4 + ever;
}

static bool is_undecided(enum core_step_state state)
{
    return state < CORE_STEP_DONE;
}

static bool is_undoing(enum core_step_state state)
{
    return state >= CORE_STEP_UNDO_WAITING && state < CORE_STEP_UNDONE;
}

static uint64_t print_command(uint64_t hash, const struct core_saga *saga, const struct core_step *step,
                              enum core_kind kind)
{
    return mix(hash, used(saga, step, kind) * 2 + step->answered[kind]);
}

/* What is settled remembers only whether it ever succeeded, and whether it was asked about. */
static uint64_t print_step(const struct core_saga *saga, uint16_t index)
{
    const struct core_step *step = &saga->steps[index];
    uint64_t hash = mix_text(step->node, core_step_path(saga, index));
    hash = mix(hash, (uint64_t)step->state * 16 + (uint64_t)(step->succeeded * 4) +
                         (uint64_t)(step->waived * 2) + (step->due_us > 0));
    if (is_undecided(step->state) || step->state == CORE_STEP_WAIVED)
        hash = mix(hash, (uint64_t)step->unknown * 2 + step->put_off);
    if (is_undecided(step->state)) {
        hash = print_command(hash, saga, step, CORE_DO);
        hash = print_command(hash, saga, step, CORE_VERIFY);
    } else if (!step->succeeded) {
        hash = mix(hash, step->attempts[CORE_VERIFY] > 0);
    }
    if (is_undoing(step->state)) {
        hash = print_command(hash, saga, step, CORE_UNDO);
        hash = mix(hash, step->attempts[CORE_UNDO] > step->undo_floor);
    } else {
        hash = mix(hash, step->attempts[CORE_UNDO] > 0);
    }
    return hash;
}

static uint64_t print_fact(const struct core_step *step, const struct explore_fact *fact)
{
    bool settled = !is_undecided(step->state);
    const bool flags[] = {
        fact->known,
        fact->undo_sent,
        fact->undone,
        fact->retried,
        fact->late,
        fact->known || fact->did,
        !fact->known && (settled ? explore_may_exist(fact) : fact->newest_live),
        !fact->known && !settled && fact->older_live,
        !fact->known && fact->doubt,
        fact->undid,
    };
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        bits = bits * 2 + flags[i];
    return bits;
}

static uint64_t print_cause(const struct explore *explore, const struct explore_level *level)
{
    const struct core_saga *saga = &level->saga;
    uint64_t hash = saga->cause_code.size > 0;
    if (!explore_is_error_read(explore, level))
        return hash;
    if (explore->code_matters)
        hash = mix_text(hash, saga->cause_code);
    if (explore->message_matters)
        hash = mix_text(hash, saga->cause_message);
    if (explore->step_matters && saga->cause_step != CORE_NO_STEP)
        hash = mix_text(hash, core_step_path(saga, saga->cause_step));
    return hash;
}

/* Which frame it is, wherever it stands in memory. */
static uint64_t identity(const struct core_saga *saga, uint16_t frame)
{
    const struct core_frame *it = &saga->frames[frame];
    if (frame == 0)
        return 0;
    return mix(identity(saga, it->parent), (uint64_t)it->node * 65536 + it->index);
}

static uint64_t print_frame(const struct explore *explore, const struct explore_level *level, uint16_t frame)
{
    const struct core_saga *saga = &level->saga;
    const struct core_frame *it = &saga->frames[frame];
    uint64_t hash = mix(identity(saga, frame), it->cursor);
    hash = mix(hash, (uint64_t)it->state * 2 + it->went_back);
    hash = mix(hash, it->items ? it->items->count : 0);
    if (it->cause_code.size == 0 || !explore_is_error_read(explore, level))
        return hash;
    if (explore->code_matters)
        hash = mix_text(hash, it->cause_code);
    if (explore->message_matters)
        hash = mix_text(hash, it->cause_message);
    if (explore->step_matters && it->cause_step != CORE_NO_STEP)
        hash = mix_text(hash, core_step_path(saga, it->cause_step));
    return hash;
}

/* Going back nobody asks how far a part had come, only which of its steps are left. */
static bool frame_matters(const struct explore *explore, const struct explore_level *level, uint16_t frame)
{
    return level->saga.direction != CORE_BACK || !level->world.back ||
           explore_is_frame_free(explore, level, frame);
}

static uint64_t print_signals(const struct core_saga *saga)
{
    uint64_t sum = 0;
    for (uint16_t i = 0; i < saga->signal_count; i++)
        if (core_signal_kept(&saga->signals[i]))
            sum += rng_mix(1, str_hash(saga->signals[i].name));
    return sum;
}

uint64_t explore_print(const struct explore *explore, const struct explore_level *level)
{
    const struct core_saga *saga = &level->saga;
    uint64_t hash = mix((uint64_t)saga->status * 2 + (uint64_t)saga->direction, saga->deadline_us > 0);
    uint64_t sum = 0;
    hash = mix(hash, (uint64_t)(saga->pivot_commanded * 2) + saga->pivot_done);
    hash = mix(hash, print_cause(explore, level));
    hash = mix(hash, (uint64_t)(level->world.back * 2) + level->world.committed);
    hash = mix(hash, saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP);
    for (uint16_t i = 0; i < saga->frame_count; i++)
        if (frame_matters(explore, level, i))
            sum += rng_mix(print_frame(explore, level, i), 1);
    for (uint16_t i = 0; i < level->world.focus_count; i++)
        sum += level->world.focus[i] ? rng_mix(identity(saga, i), 2u + level->world.focus[i]) : 0;
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (!explore_is_spent(explore, level, i))
            sum += rng_mix(print_step(saga, i), print_fact(&saga->steps[i], &level->world.facts[i]));
    check(level->world.count == saga->step_count);
    hash = rng_mix(hash, rng_mix(print_signals(saga), sum));
    return hash ? hash : 1;
}
