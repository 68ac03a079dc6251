/* Looks at participants while commands of ours wait for them: what has been delivered, what is to be taken
 * back, what is proved to have reached nobody. Called by the runner's turn. Never asks more often than one
 * question a participant at a time. */
#include "engine/runtime/delivery.h"

#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/runtime/delivery_parts.h"
#include "engine/runtime/engine_parts.h"

static const int64_t calm_us = DURATION_SECOND_US; /* between looks while commands wait, */
static const int64_t urgent_us =
    DURATION_SECOND_US / 4;                            /* and while a timer is held or a command asked back */
static const int64_t lost_us = 2 * DURATION_SECOND_US; /* then a deletion without an answer is asked again, */
enum { TRIES_MOST = 3 };                               /* so often */
/* A look that shows a command delivered within this time of its acknowledgement takes it for delivered at
 * once. */
static const int64_t at_once_us = 5 * DURATION_SECOND_US / 2;

/* One lane's walk. */
struct walk {
    struct runner *runner;
    struct delivery_lane *lane;
    struct backlog_sight sight;
    int64_t seen_before_us; /* when the look before this one was asked */
    int64_t now_us;
    bool urgent;
    int64_t next_us; /* when a command that was not looked at yet wants to be */
};

static void give_up(struct walk *walk, struct delivery_flight *flight)
{
    if (flight->entry != NULL)
        delivery_arrived(walk->runner, flight, walk->now_us);
    else if (flight->open > 0)
        delivery_leave_lane(flight);
    else
        delivery_free(&walk->runner->delivery, flight);
}

/* What an earlier owner sent and the repair did not send again was stored before we came: it lies no higher
 * than anything stored since. */
static void adopt(struct walk *walk, struct delivery_flight *flight)
{
    if (!flight->inherited || flight->open > 0 || flight->refusal != NULL ||
        (flight->sequence > 0 && !flight->guessed) || walk->runner->shards[flight->shard].outbox.behind)
        return;
    if (flight->since_us == 0)
        flight->since_us = walk->now_us;
    if (flight->sequence == 0 && walk->runner->delivery.fresh_number > flight->number) {
        flight->sequence = walk->runner->delivery.fresh_sequence;
        flight->guessed = true;
    }
}

static bool is_looked_at(const struct walk *walk, const struct delivery_flight *flight)
{
    return walk->sight.error == ERR_OK && flight->since_us > 0 && walk->sight.asked_us > flight->since_us;
}

static bool is_delivered(const struct walk *walk, const struct delivery_flight *flight)
{
    bool taken_out = flight->back == DELIVERY_ASKED_BACK || flight->back == DELIVERY_GONE;
    bool passed = flight->sequence > 0 && flight->sequence <= walk->sight.delivered;
    return passed || (walk->sight.pending == 0 && !taken_out);
}

/* Delivered between two looks: at the later one, unless it was never seen to wait but just after it was
 * stored. */
static int64_t delivered_at(const struct walk *walk, const struct delivery_flight *flight)
{
    bool was_waiting = walk->seen_before_us - flight->since_us > delivery_precision_us(flight);
    bool at_once = !was_waiting && walk->sight.asked_us - flight->since_us <= at_once_us && !flight->guessed;
    return at_once ? flight->since_us : walk->now_us;
}

static void ask_back(struct walk *walk, struct delivery_flight *flight)
{
    struct runner *runner = walk->runner;
    uint64_t cookie = runner_cookie(runner, flight->number);
    flight->tries++;
    if (bus_take_back(runner->engine->bus, flight->sequence, cookie) != ERR_OK)
        return; /* it stays wanted */
    flight->back = DELIVERY_ASKED_BACK;
    flight->back_us = walk->now_us;
    map_set(&runner->delivery.asked_back, delivery_key(&flight->number), flight);
}

/* Not delivered when it was looked at, and wanted back. */
static void wanted_back(struct walk *walk, struct delivery_flight *flight)
{
    bool here = flight->sequence > 0 && !flight->guessed;
    if (!here && flight->inherited) {
        give_up(walk, flight);
        return;
    }
    if (flight->made == 0)
        flight->made = walk->sight.made;
    if (!here || walk->sight.asked_us < flight->back_us)
        return;
    if (flight->made != walk->sight.made || flight->tries >= TRIES_MOST)
        give_up(walk, flight);
    else
        ask_back(walk, flight);
}

static bool is_proved(const struct walk *walk, const struct delivery_flight *flight)
{
    return flight->handed == 1 && flight->open == 0 && !flight->inherited && flight->life != 0 &&
           flight->life == walk->sight.life;
}

static void go_on(struct walk *walk, struct delivery_flight *flight)
{
    switch (flight->back) {
    case DELIVERY_STAYS:
        if (flight->since_us > 0 && walk->now_us - flight->since_us >= flight->start_within_us) {
            flight->back = DELIVERY_WANTED_BACK;
            flight->back_us = flight->since_us;
            wanted_back(walk, flight);
        }
        return;
    case DELIVERY_WANTED_BACK:
        wanted_back(walk, flight);
        return;
    case DELIVERY_ASKED_BACK:
        if (walk->now_us - flight->back_us < lost_us)
            return;
        (void)map_remove(&walk->runner->delivery.asked_back, delivery_key(&flight->number));
        flight->back = DELIVERY_WANTED_BACK;
        return;
    case DELIVERY_GONE:
        if (walk->sight.asked_us <= flight->back_us)
            return;
        if (is_proved(walk, flight))
            delivery_proved(walk->runner, flight);
        else
            give_up(walk, flight);
        return;
    }
    check_never("a flight that is neither here nor there");
}

/* It never left, and nobody waits for it but to be settled. */
static bool never_left(const struct delivery_flight *flight)
{
    return flight->back == DELIVERY_WANTED_BACK && flight->entry != NULL && flight->handed == 0 &&
           flight->open == 0 && !flight->inherited;
}

/* The broker has had no room for it all the time that it may wait. */
static bool waited_outside(const struct walk *walk, const struct delivery_flight *flight)
{
    return flight->refusal != NULL && flight->back == DELIVERY_STAYS &&
           walk->now_us - flight->refusal->since_us >= flight->start_within_us;
}

/* Not wanted there any more, and it may be in the broker all the same: from an earlier try or owner. */
static bool doubted_outside(const struct delivery_flight *flight)
{
    return flight->refusal != NULL && flight->back == DELIVERY_WANTED_BACK && flight->open == 0 &&
           (flight->handed > 0 || flight->inherited);
}

static void consider(struct walk *walk, struct delivery_flight *flight)
{
    adopt(walk, flight);
    if (waited_outside(walk, flight)) {
        flight->back = DELIVERY_WANTED_BACK;
        flight->back_us = flight->refusal->since_us;
    }
    walk->urgent = walk->urgent || flight->held || flight->back != DELIVERY_STAYS;
    if (never_left(flight))
        delivery_proved(walk->runner, flight);
    else if (doubted_outside(flight) || (walk->sight.blind && flight->since_us > 0))
        give_up(walk, flight);
    else if (!is_looked_at(walk, flight))
        walk->next_us = flight->since_us > 0 ? walk->now_us : walk->next_us;
    else if (!is_delivered(walk, flight))
        go_on(walk, flight);
    else if (flight->entry != NULL)
        delivery_arrived(walk->runner, flight, delivered_at(walk, flight));
    else
        give_up(walk, flight);
}

static void ask(struct walk *walk)
{
    struct runner *runner = walk->runner;
    struct backlog *backlog = &runner->engine->backlog;
    struct backlog_participant *participant = walk->lane->participant;
    uint64_t question = backlog_wants(backlog, participant, walk->now_us, walk->now_us);
    if (question > 0 && bus_look(runner->engine->bus, participant->name, question) != ERR_OK)
        backlog_unasked(backlog, participant);
}

static void look(struct runner *runner, struct delivery_lane *lane, int64_t now_us)
{
    struct walk walk = {.runner = runner, .lane = lane, .now_us = now_us, .next_us = INT64_MAX};
    struct delivery_flight *next = NULL;
    walk.sight = backlog_read(&runner->engine->backlog, lane->participant);
    walk.seen_before_us = lane->read_us;
    bool due = now_us >= lane->look_us;
    bool news = walk.sight.asked_us > lane->read_us;
    if (!due && !news)
        return;
    for (struct delivery_flight *flight = lane->first; flight != NULL; flight = next) {
        next = flight->behind;
        consider(&walk, flight);
    }
    if (walk.sight.error == ERR_OK)
        lane->read_us = walk.sight.asked_us;
    if (due && lane->first != NULL)
        ask(&walk);
    int64_t pause_us = walk.urgent ? urgent_us : calm_us;
    lane->look_us = lane->first == NULL ? INT64_MAX : due ? now_us + pause_us : lane->look_us;
}

void delivery_turn(struct runner *runner)
{
    struct delivery *delivery = &runner->delivery;
    int64_t now_us = engine_clock_us(runner->engine);
    uint32_t sights = atomic_load(&runner->engine->sights);
    if (sights == runner->sights && now_us < delivery->look_us)
        return;
    runner->sights = sights;
    delivery->look_us = INT64_MAX;
    for (struct delivery_lane *lane = delivery->all; lane != NULL; lane = lane->next) {
        look(runner, lane, now_us);
        if (lane->look_us < delivery->look_us)
            delivery->look_us = lane->look_us;
    }
}

void delivery_taken_back(struct runner *runner, uint64_t number, enum err error)
{
    struct delivery *delivery = &runner->delivery;
    struct delivery_flight *flight = map_remove(&delivery->asked_back, delivery_key(&number));
    if (flight == NULL)
        return;
    flight->back = DELIVERY_WANTED_BACK; /* asked again */
    if (error != ERR_OK && error != ERR_NOT_FOUND)
        return;
    int64_t now_us = engine_clock_us(runner->engine);
    if (flight->entry == NULL) {
        delivery_leave_lane(flight);
        if (flight->open == 0)
            delivery_free(delivery, flight);
        return;
    }
    if (error == ERR_NOT_FOUND) { /* somebody has taken it, after all */
        delivery_arrived(runner, flight, now_us);
        return;
    }
    flight->back = DELIVERY_GONE;
    flight->back_us = now_us;
    delivery_look_at(delivery, flight->lane, now_us);
}
