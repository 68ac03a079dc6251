/* Events and timers from outside during the chaos: said until answered, and once more. Never decides how a
 * saga ends. */
#include "tests/chaos/outside.h"

#include <string.h>
#include "engine/base/clock.h"

enum {
    RECENT = 20,
    CANCEL_PERCENT = 10,
    MOVE_PERCENT = 30,
    AGAIN_PERCENT = 25,
    NATS_PERCENT = 40,
    FIRE_EVERY_MS = 3000
};

static bool chance(struct outside *outside, unsigned percent)
{
    return rng_below(outside->rng, 100) < percent;
}

static bool is(struct str text, const char *literal)
{
    return str_equal(text, str_from(literal));
}

void outside_init(struct outside *outside, struct world *world, struct rng *rng)
{
    *outside = (struct outside){.world = world, .rng = rng};
}

/* --- events -------------------------------------------------------------------------------------------- */

void outside_expect(struct outside *outside, const struct courses_plan *plan)
{
    struct arena *arena = &outside->world->arena;
    for (uint32_t i = 0; i < plan->signal_count; i++) {
        if (outside->signal_count == outside->signal_room) {
            uint32_t room = outside->signal_room == 0 ? 256 : 2 * outside->signal_room;
            struct outside_signal *more = arena_array(arena, room, sizeof *more);
            if (outside->signal_count > 0)
                memcpy(more, outside->signals, outside->signal_count * sizeof *more);
            outside->signals = more;
            outside->signal_room = room;
        }
        uint32_t number = outside->signal_count++;
        outside->signals[number] =
            (struct outside_signal){.to = plan->signals[i], .id = arena_printf(arena, "said-%u", number)};
    }
}

/* 404: its saga is not there yet, or never will be. */
static void say(struct outside *outside, uint32_t engine, struct outside_signal *signal)
{
    struct facts_signal said = {
        .definition = str_from(signal->to.definition), .key = signal->to.key, .id = signal->id};
    int status = world_signal_key(outside->world, engine, &said, "guest.said").status;
    outside->said += status == 201;
    signal->settled |= status == 200 || status == 201 || status == 409;
}

static void say_something(struct outside *outside, uint32_t engine)
{
    if (outside->signal_count == 0)
        return;
    uint32_t recent = outside->signal_count < RECENT ? outside->signal_count : RECENT;
    uint32_t at = outside->signal_count - 1 - (uint32_t)rng_below(outside->rng, recent);
    struct outside_signal *signal = &outside->signals[at];
    struct facts_signal said = {
        .definition = str_from(signal->to.definition), .key = signal->to.key, .id = signal->id};
    for (bool again = true; again; again = chance(outside, AGAIN_PERCENT))
        if (chance(outside, NATS_PERCENT))
            (void)world_signal_nats(outside->world, &said, "guest.said");
        else
            say(outside, engine, signal);
}

/* --- the operator -------------------------------------------------------------------------------------- */

static void move(struct outside *outside, uint32_t engine, struct str id, struct str step, const char *due)
{
    outside->moved += world_move(outside->world, engine, id, step, due).status == 200;
}

static const struct json *timers_of(struct outside *outside, uint32_t engine, struct str id)
{
    struct str target = arena_printf(&outside->world->arena, "/v1/sagas/%.*s/timers", STR_ARG(id));
    return json_get(world_get(outside->world, engine, target.data).json, STR("items"));
}

/* Pauses of every kind; an attempt's time limit and an event's decide how the saga ends, and stay. */
static void move_something(struct outside *outside, uint32_t engine, struct str id)
{
    static const char *const dues[] = {"now", "now", "300ms", "2s"};
    const struct json *items = timers_of(outside, engine, id);
    if (items == NULL || items->count == 0)
        return;
    const struct json *timer = items->items[rng_below(outside->rng, items->count)];
    struct str kind = json_get_str(timer, STR("kind"));
    if (is(kind, "wait") || is(kind, "pause"))
        move(outside, engine, id, json_get_str(timer, STR("step")), dues[rng_below(outside->rng, 4)]);
}

static void operate(struct outside *outside, uint32_t engine)
{
    struct client_answer answer = world_get(outside->world, engine, "/v1/sagas?status=running&limit=20");
    const struct json *items = json_get(answer.json, STR("items"));
    if (items == NULL || items->count == 0)
        return;
    const struct json *saga = items->items[rng_below(outside->rng, items->count)];
    struct str id = json_get_str(saga, STR("id"));
    bool fitting = is(json_get_str(saga, STR("definition")), "relay");
    if (fitting && chance(outside, CANCEL_PERCENT))
        outside->cancelled += world_verb(outside->world, engine, id, "cancel", "").status == 200;
    else
        move_something(outside, engine, id);
}

void outside_speak(struct outside *outside, uint32_t engine)
{
    if (chance(outside, MOVE_PERCENT))
        operate(outside, engine);
    else
        say_something(outside, engine);
}

/* --- the end ------------------------------------------------------------------------------------------- */

static struct str next_word(struct str *rest)
{
    size_t blank = str_find(*rest, ' ');
    struct str word = str_slice(*rest, 0, blank);
    *rest = str_slice(*rest, blank < rest->size ? blank + 1 : blank, rest->size);
    return word;
}

/* Of the sagas that are so, as many as an answer holds, with blanks between them. */
static struct str ids_of(struct outside *outside, const char *condition)
{
    struct arena *arena = &outside->world->arena;
    struct str sql = arena_printf(arena,
                                  "select coalesce(string_agg(id::text, ' '), '') from "
                                  "(select id from saga where %s limit 300) as these",
                                  condition);
    return arena_copy(arena, str_from(harness_query(outside->world->database, sql.data)));
}

/* Long waits end; and where nothing is under way an answer that has not come was lost, and its time limit is
 * all there is left. Not too often: an attempt is used up by each, and a participant may be slow. */
static void fire_timers(struct outside *outside, uint32_t engine)
{
    bool idle = clock_monotonic_us() >= outside->fire_at_us && world_is_idle(outside->world);
    if (idle)
        outside->fire_at_us = clock_monotonic_us() + (int64_t)FIRE_EVERY_MS * 1000;
    struct str ids = ids_of(outside, "ended_at is null and wake_at > now() + interval '2 s'");
    while (ids.size > 0) {
        struct str id = next_word(&ids);
        const struct json *items = timers_of(outside, engine, id);
        for (uint32_t i = 0; items != NULL && i < items->count; i++) {
            struct str kind = json_get_str(items->items[i], STR("kind"));
            if (is(kind, "wait") || (is(kind, "attempt") && idle))
                move(outside, engine, id, json_get_str(items->items[i], STR("step")), "now");
        }
    }
}

/* A child that is parked holds its parent: what it is stuck at is let go. */
static void release_children(struct outside *outside, uint32_t engine)
{
    struct str ids = ids_of(outside, "parent is not null and status = 'parked'");
    while (ids.size > 0) {
        struct str id = next_word(&ids);
        struct str target = arena_printf(&outside->world->arena, "/v1/sagas/%.*s", STR_ARG(id));
        struct client_answer saga = world_get(outside->world, engine, target.data);
        const struct json *steps = json_get(saga.json, STR("steps"));
        for (uint32_t i = 0; steps != NULL && i < steps->count; i++) {
            struct str state = json_get_str(steps->items[i], STR("state"));
            struct str step = json_get_str(steps->items[i], STR("id"));
            struct str more = arena_printf(&outside->world->arena, ",\"step\":\"%.*s\"", STR_ARG(step));
            if (is(state, "stuck") || is(state, "undo_stuck"))
                outside->skipped += world_verb(outside->world, engine, id, "skip", more.data).status == 200;
        }
    }
}

void outside_settle(struct outside *outside, uint32_t engine)
{
    for (uint32_t i = 0; i < outside->signal_count; i++)
        if (!outside->signals[i].settled)
            say(outside, engine, &outside->signals[i]);
    release_children(outside, engine);
    fire_timers(outside, engine);
}
