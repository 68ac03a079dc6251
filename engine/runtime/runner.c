#include "engine/runtime/runner.h"

#include <stdio.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"
#include "engine/runtime/act.h"
#include "engine/runtime/commit.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/intake.h"
#include "engine/runtime/meter.h"
#include "engine/runtime/recovery.h"

static const int64_t idle_wait_us = 1000000;  /* longest sleep without anything to do */
static const int64_t starved_wait_us = 50000; /* a lost wake-up costs no more */
static const int64_t behind_wait_us = 100000; /* between looks at a failed publish */
enum { ROOM_LEAST = 64 };                     /* publishes that must fit before a batch is begun */

enum err runner_open(struct runner *runner, struct engine *engine, uint32_t index, struct err_note *note)
{
    *runner = (struct runner){.engine = engine, .index = index};
    const struct engine_options *options = &engine->options;
    snprintf(runner->name, sizeof runner->name, "%s#%u", options->instance, index);
    inbox_init(&runner->inbox, options->inbox_events, LIMITS_INBOX_BYTES);
    resident_init(&runner->resident);
    batch_init(&runner->batch);
    map_init(&runner->asked);
    rng_init(&runner->rng, rng_entropy());
    check(pthread_mutex_init(&runner->answers_lock, NULL) == 0);
    runner->shards = memory_new(engine->shard_count, sizeof *runner->shards);
    uint32_t wanted = options->shards_max == 0 ? engine->shard_count : options->shards_max;
    runner->shards_most = (wanted + engine->runner_count - 1) / engine->runner_count;
    return options->open_store(options->context, &runner->store, note);
}

void runner_close(struct runner *runner)
{
    for (uint32_t i = 0; i < runner->engine->shard_count; i++)
        if (runner->shards[i].owned)
            runner_drop_shard(runner, i, "the engine stops");
    size_t cursor = 0;
    for (struct runner_asked *asked = map_next(&runner->asked, &cursor); asked != NULL;
         asked = map_next(&runner->asked, &cursor)) {
        map_remove(&runner->asked, (struct str){(const char *)&asked->cookie, sizeof asked->cookie});
        memory_free(asked);
    }
    map_fini(&runner->asked);
    resident_fini(&runner->resident);
    batch_fini(&runner->batch);
    inbox_fini(&runner->inbox);
    pthread_mutex_destroy(&runner->answers_lock);
    memory_free(runner->answers);
    memory_free(runner->answers_taken);
    memory_free(runner->shards);
    if (runner->store != NULL)
        store_close(runner->store);
}

int64_t runner_now_us(const struct runner *runner)
{
    return clock_monotonic_us() + runner->offset_us;
}

struct runner_shard *runner_shard(struct runner *runner, uint32_t shard)
{
    check(shard < runner->engine->shard_count);
    return &runner->shards[shard];
}

void runner_published(struct runner *runner, uint64_t cookie, bool confirmed)
{
    pthread_mutex_lock(&runner->answers_lock);
    if (runner->answer_count == runner->answer_room) {
        runner->answer_room = runner->answer_room == 0 ? 1024 : runner->answer_room * 2;
        runner->answers = memory_resize(runner->answers, runner->answer_room, sizeof *runner->answers);
    }
    runner->answers[runner->answer_count++] = (struct runner_answer){cookie, confirmed, clock_monotonic_us()};
    pthread_mutex_unlock(&runner->answers_lock);
    if (!confirmed || atomic_exchange(&runner->starved, false))
        inbox_wake(&runner->inbox);
}

static void take_answers(struct runner *runner)
{
    pthread_mutex_lock(&runner->answers_lock);
    struct runner_answer *answers = runner->answers;
    uint32_t count = runner->answer_count, room = runner->answer_room;
    runner->answers = runner->answers_taken;
    runner->answer_room = runner->taken_room;
    runner->answer_count = 0;
    pthread_mutex_unlock(&runner->answers_lock);
    runner->answers_taken = answers;
    runner->taken_room = room;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t shard = (uint32_t)(answers[i].cookie >> OUTBOX_NUMBER_BITS);
        uint64_t number = answers[i].cookie & ((UINT64_C(1) << OUTBOX_NUMBER_BITS) - 1);
        if (shard < runner->engine->shard_count && runner->shards[shard].owned)
            meter_published(outbox_answer(&runner->shards[shard].outbox, number, answers[i].confirmed),
                            answers[i].at_us);
    }
}

void runner_drop_shard(struct runner *runner, uint32_t shard, const char *why)
{
    struct runner_shard *lost = &runner->shards[shard];
    struct engine_answer answer = {.error = ERR_UNAVAILABLE, .message = str_from(why)};
    check(lost->owned);
    atomic_store(&runner->engine->owners[shard], NULL);
    bus_unlisten(runner->engine->bus, shard);
    size_t cursor = 0;
    for (struct resident_entry *entry = map_next(&runner->resident.entries, &cursor); entry != NULL;
         entry = map_next(&runner->resident.entries, &cursor)) {
        if (id_shard(entry->id) != shard)
            continue;
        while (entry->watches != NULL) {
            struct engine_call call = entry->watches->call;
            resident_unwatch(&runner->resident, entry->watches);
            answer.id = entry->id;
            call.done(call.context, &answer);
        }
        resident_forget(&runner->resident, entry);
    }
    outbox_fini(&lost->outbox);
    *lost = (struct runner_shard){0};
    runner->owned_count--;
    log_info("shard_dropped", "shard=%u why=%s", shard, why);
}

static void own(struct runner *runner, const struct store_shard *claimed)
{
    struct runner_shard *shard = &runner->shards[claimed->shard];
    struct err_note note = {""};
    if (shard->owned)
        runner_drop_shard(runner, claimed->shard, "the shard was claimed anew");
    *shard = (struct runner_shard){.owned = true, .store = *claimed, .next_lsn = claimed->last_lsn};
    outbox_init(&shard->outbox, claimed->published_lsn);
    runner->owned_count++;
    if (recovery_enter(runner, claimed->shard, &note) != ERR_OK) {
        log_warn("shard_not_recovered", "shard=%u why=%s", claimed->shard, note.text);
        runner_drop_shard(runner, claimed->shard, "its sagas could not be read");
        return;
    }
    atomic_store(&runner->engine->owners[claimed->shard], runner);
    log_info("shard_owned", "shard=%u epoch=%lld", claimed->shard, (long long)claimed->epoch);
}

static enum err claim(struct runner *runner, struct err_note *note)
{
    struct arena arena;
    struct store_shard *claimed = NULL;
    uint32_t count = 0;
    arena_init(&arena, 0);
    uint32_t most = runner->shards_most - runner->owned_count;
    enum err error = ERR_OK;
    if (runner->owned_count < runner->shards_most)
        error = store_claim(runner->store, str_from(runner->name), runner->engine->options.lease_us, most,
                            &arena, &claimed, &count, note);
    for (uint32_t i = 0; i < count && error == ERR_OK; i++)
        own(runner, &claimed[i]);
    arena_fini(&arena);
    return error;
}

static enum err renew(struct runner *runner, struct err_note *note)
{
    struct arena arena;
    int64_t now_us = 0;
    arena_init(&arena, 0);
    struct store_shard *held = arena_array(&arena, runner->owned_count, sizeof *held);
    bool *kept = arena_array(&arena, runner->owned_count, sizeof *kept);
    uint32_t count = 0;
    for (uint32_t i = 0; i < runner->engine->shard_count; i++)
        if (runner->shards[i].owned)
            held[count++] = runner->shards[i].store;
    enum err error = store_renew(runner->store, str_from(runner->name), runner->engine->options.lease_us,
                                 held, count, kept, &now_us, note);
    for (uint32_t i = 0; i < count && error == ERR_OK; i++)
        if (!kept[i])
            runner_drop_shard(runner, held[i].shard, "another engine owns the shard");
    /* Time never goes back in a runner: the offset only grows, so that a step of the database's clock cannot
     * fire a timer twice. */
    int64_t offset_us =
        now_us - clock_monotonic_us(); /* at most the true one, so that no timer fires early */
    if (error == ERR_OK && offset_us > runner->offset_us)
        runner->offset_us = offset_us;
    arena_fini(&arena);
    return error;
}

static void listen_all(struct runner *runner)
{
    struct err_note note = {""};
    for (uint32_t i = 0; i < runner->engine->shard_count; i++) {
        struct runner_shard *shard = &runner->shards[i];
        if (!shard->owned || shard->listening)
            continue;
        shard->listening = bus_listen(runner->engine->bus, i, &note) == ERR_OK;
        if (!shard->listening) {
            log_warn("shard_not_listening", "shard=%u why=%s", i, note.text);
            return; /* the broker is away: all others would fail the same way */
        }
    }
}

/* Lease, clock and ownership; every third of a lease, or each second while something is missing. */
static void keep_shards(struct runner *runner)
{
    int64_t now_us = clock_monotonic_us();
    if (now_us < runner->renew_at_us)
        return;
    struct err_note note = {""};
    int64_t third = runner->engine->options.lease_us / 3;
    enum err error = renew(runner, &note);
    if (error == ERR_OK)
        error = claim(runner, &note);
    if (error != ERR_OK) {
        log_warn("lease_not_renewed", "why=%s", note.text);
        atomic_store(&runner->store_connected, false);
        if (store_reconnect(runner->store, &note) != ERR_OK)
            third = DURATION_SECOND_US / 2;
    } else {
        atomic_store(&runner->store_connected, true);
    }
    listen_all(runner);
    bool missing = runner->owned_count < runner->shards_most;
    runner->renew_at_us =
        clock_monotonic_us() + (missing && third > DURATION_SECOND_US ? DURATION_SECOND_US : third);
}

/* Until when there is nothing to do, on the monotonic clock. */
static int64_t next_duty(const struct runner *runner, bool behind)
{
    int64_t until_us = clock_monotonic_us() + (behind ? behind_wait_us : idle_wait_us);
    const struct heap_item *timer = heap_first(&runner->resident.timers);
    const struct heap_item *watch = heap_first(&runner->resident.watches);
    if (timer != NULL && timer->due_us - runner->offset_us < until_us)
        until_us = timer->due_us - runner->offset_us;
    if (watch != NULL && watch->due_us - runner->offset_us < until_us)
        until_us = watch->due_us - runner->offset_us;
    return until_us < runner->renew_at_us ? until_us : runner->renew_at_us;
}

static struct inbox_item *wait_for_items(struct runner *runner, bool behind)
{
    uint32_t in_flight = bus_in_flight(runner->engine->bus);
    uint32_t room = in_flight < BUS_IN_FLIGHT_MAX ? BUS_IN_FLIGHT_MAX - in_flight : 0;
    uint32_t most = runner->engine->options.batch_events;
    if (room < ROOM_LEAST) { /* no more work until the broker has answered some */
        atomic_store(&runner->starved, true);
        return inbox_take(&runner->inbox, 0, 0, clock_monotonic_us() + starved_wait_us);
    }
    return inbox_take(&runner->inbox, most < room ? most : room, LIMITS_BATCH_BYTES,
                      next_duty(runner, behind));
}

static void turn(struct runner *runner)
{
    keep_shards(runner);
    take_answers(runner);
    bool behind = recovery_resend(runner);
    struct inbox_item *items = wait_for_items(runner, behind);
    batch_begin(&runner->batch, runner_now_us(runner));
    if (items != NULL)
        intake_items(runner, items);
    intake_timers(runner);
    commit_batch(runner);
    act_on_late_watches(runner);
    resident_shrink(&runner->resident, runner->engine->options.resident_max, runner->batch.number);
    atomic_store(&runner->resident_figure, runner->resident.loaded_count);
}

static bool publishes_open(const struct runner *runner)
{
    for (uint32_t i = 0; i < runner->engine->shard_count; i++)
        if (runner->shards[i].owned && runner->shards[i].outbox.open_count > 0)
            return true;
    return false;
}

/* What is in the inbox is finished, the broker's answers are awaited so that the next owner has nothing to
 * send twice, the shards are given back. */
static void drain(struct runner *runner)
{
    int64_t until_us = clock_monotonic_us() + runner->engine->options.drain_us;
    uint32_t depth = 1;
    int64_t oldest_us = 0;
    while (depth > 0 && clock_monotonic_us() < until_us) {
        turn(runner);
        inbox_look(&runner->inbox, &depth, &oldest_us);
    }
    for (take_answers(runner); publishes_open(runner) && clock_monotonic_us() < until_us;
         take_answers(runner)) {
        atomic_store(&runner->starved, true);
        inbox_take(&runner->inbox, 0, 0, clock_monotonic_us() + starved_wait_us);
    }
    commit_marks(runner);
}

static void *run(void *context)
{
    struct runner *runner = context;
    while (!atomic_load(&runner->stop))
        turn(runner);
    drain(runner);
    return NULL;
}

enum err runner_start(struct runner *runner, struct err_note *note)
{
    int64_t now_us = 0;
    enum err error = store_now(runner->store, &now_us, note);
    if (error != ERR_OK)
        return error;
    runner->offset_us = now_us - clock_monotonic_us();
    keep_shards(runner);
    check(pthread_create(&runner->thread, NULL, run, runner) == 0);
    return ERR_OK;
}

void runner_stop(struct runner *runner)
{
    atomic_store(&runner->stop, true);
    inbox_close(&runner->inbox);
    pthread_join(runner->thread, NULL);
}
