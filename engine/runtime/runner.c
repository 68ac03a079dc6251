/* The loop of one runner: leases and clock, what the broker answered, repairs, then one batch. Started by
 * engine.c, or driven by hand in tests. Only here are shards taken and dropped. Never begins a batch while a
 * commit's outcome is open. */
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
#include "engine/runtime/answers.h"
#include "engine/runtime/commit.h"
#include "engine/runtime/dead.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/intake.h"
#include "engine/runtime/mend.h"
#include "engine/runtime/meter.h"
#include "engine/runtime/recovery.h"
#include "engine/runtime/runner_time.h"
#include "engine/runtime/suspect.h"

static const int64_t idle_wait_us = 1000000;  /* longest sleep without anything to do */
static const int64_t starved_wait_us = 50000; /* a lost wake-up costs no more */
static const int64_t behind_wait_us = 100000; /* between looks at a failed publish */
static const int64_t away_wait_us = 500000;   /* between tries to reach the database */
enum { DRAIN_TURNS = 10000 };                 /* by hand: an inbox one by one */
enum { FINE_BATCHES = 16 };                   /* stored in turn before larger ones are tried again */

enum err runner_open(struct runner *runner, struct engine *engine, uint32_t index, struct err_note *note)
{
    *runner = (struct runner){.engine = engine, .index = index};
    const struct engine_options *options = &engine->options;
    runner->batch_most = options->batch_events;
    runner->width = 1;
    snprintf(runner->name, sizeof runner->name, "%s#%u", options->instance, index);
    uint64_t own = str_hash(str_from(runner->name));
    snprintf(runner->name, sizeof runner->name, "%s#%u/%s", options->instance, index,
             engine->presence.incarnation);
    inbox_init(&runner->inbox, options->inbox_events, LIMITS_INBOX_BYTES);
    resident_init(&runner->resident);
    batch_init(&runner->batch);
    trail_init(&runner->trail);
    delivery_init(&runner->delivery);
    refusal_init(&runner->refusals);
    asking_init(&runner->asking);
    uint64_t seed = options->seed == 0 ? rng_entropy() : options->seed;
    rng_init(&runner->rng, rng_mix(seed, own));
    check(pthread_mutex_init(&runner->answers_lock, NULL) == 0);
    runner->shards = memory_new(engine->shard_count, sizeof *runner->shards);
    uint32_t wanted = options->shards_max == 0 ? engine->shard_count : options->shards_max;
    runner->shards_most = (wanted + engine->runner_count - 1) / engine->runner_count;
    return options->open_store(options->context, &runner->store, note);
}

static void drop_all(struct runner *runner, const char *why)
{
    for (uint32_t i = 0; i < runner->engine->shard_count; i++)
        if (runner->shards[i].owned)
            runner_drop_shard(runner, i, why);
}

void runner_close(struct runner *runner)
{
    drop_all(runner, "the engine stops");
    delivery_fini(&runner->delivery);
    refusal_fini(&runner->refusals);
    asking_fini(&runner->asking);
    resident_fini(&runner->resident);
    batch_fini(&runner->batch);
    trail_fini(&runner->trail);
    memory_free(runner->mend.lost);
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
    return timekeeper_now(&runner->time, engine_clock_us(runner->engine));
}

struct runner_shard *runner_shard(struct runner *runner, uint32_t shard)
{
    check(shard < runner->engine->shard_count);
    return &runner->shards[shard];
}

void runner_halve(struct runner *runner)
{
    const struct batch *batch = &runner->batch;
    uint32_t parts = batch->done_count > batch->saga_count ? batch->done_count : batch->saga_count;
    parts = parts < runner->batch_most ? parts : runner->batch_most;
    runner->batch_most = parts > 1 ? parts / 2 : 1;
    runner->batches_fine = 0;
}

void runner_recover(struct runner *runner)
{
    uint32_t most = runner->engine->options.batch_events;
    if (runner->batch_most == most || ++runner->batches_fine < FINE_BATCHES)
        return;
    runner->batch_most = runner->batch_most > most / 2 ? most : runner->batch_most * 2;
    runner->batches_fine = 0;
}

/* Another runner of this engine may have the shard by now, and listen to it: that is left alone. */
static void leave(struct runner *runner, uint32_t shard)
{
    struct engine *engine = runner->engine;
    struct runner *owner = runner;
    pthread_mutex_lock(&engine->listening);
    if (atomic_compare_exchange_strong(&engine->owners[shard], &owner, NULL) && engine->bus != NULL)
        bus_unlisten(engine->bus, shard);
    pthread_mutex_unlock(&engine->listening);
}

void runner_drop_shard(struct runner *runner, uint32_t shard, const char *why)
{
    struct runner_shard *lost = &runner->shards[shard];
    struct engine_answer answer = {.error = ERR_UNAVAILABLE, .message = str_from(why)};
    check(lost->owned);
    leave(runner, shard);
    asking_forget(&runner->asking, shard);
    delivery_drop_shard(runner, shard);
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
    *lost = (struct runner_shard){.known_lsn = lost->known_lsn};
    runner->owned_count--;
    log_info("shard_dropped", "shard=%u why=%s", shard, why);
}

static void own(struct runner *runner, const struct store_shard *claimed)
{
    struct runner_shard *shard = &runner->shards[claimed->shard];
    struct err_note note = {""};
    if (shard->owned && claimed->epoch == shard->store.epoch + 1 &&
        claimed->last_lsn == shard->store.last_lsn) {
        shard->store.epoch = claimed->epoch; /* nobody else had it in between: what memory holds is true */
        return;
    }
    if (shard->owned)
        runner_drop_shard(runner, claimed->shard, "the shard was claimed anew");
    *shard = (struct runner_shard){.owned = true,
                                   .store = *claimed,
                                   .next_lsn = claimed->last_lsn,
                                   .claimed_us = engine_clock_us(runner->engine),
                                   .known_lsn = shard->known_lsn};
    if (claimed->last_lsn < shard->known_lsn)
        mend_begin(runner, claimed->shard, claimed->last_lsn);
    shard->known_lsn = claimed->last_lsn;
    outbox_init(&shard->outbox, claimed->published_lsn, claimed->epoch);
    runner->owned_count++;
    suspect_claimed(runner, claimed->shard);
    if (recovery_enter(runner, claimed->shard, &note) != ERR_OK) {
        log_warn("shard_not_recovered", "shard=%u why=%s", claimed->shard, note.text);
        runner_drop_shard(runner, claimed->shard, "its sagas could not be read");
        return;
    }
    atomic_store(&runner->engine->owners[claimed->shard], runner);
    log_info("shard_owned", "shard=%u epoch=%lld", claimed->shard, (long long)claimed->epoch);
}

/* The store offers own shards first, those held included, so that all wanted are asked for, not the missing.
 */
static enum err claim(struct runner *runner, struct err_note *note)
{
    struct arena arena;
    struct store_shard *claimed = NULL;
    uint32_t count = 0;
    arena_init(&arena, 0);
    enum err error = ERR_OK;
    if (runner->owned_count < runner->shards_most)
        error = store_claim(runner->store, str_from(runner->name), runner->engine->options.lease_us,
                            runner->shards_most, &arena, &claimed, &count, note);
    for (uint32_t i = 0; i < count && error == ERR_OK; i++)
        own(runner, &claimed[i]);
    arena_fini(&arena);
    return error;
}

static uint32_t held_shards(const struct runner *runner, struct store_shard *held)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < runner->engine->shard_count; i++)
        if (runner->shards[i].owned)
            held[count++] = runner->shards[i].store;
    return count;
}

void runner_refuse_schema(struct runner *runner, const char *why)
{
    struct err_note note = {""};
    struct arena arena;
    arena_init(&arena, 0);
    struct store_shard *held = arena_array(&arena, runner->owned_count, sizeof *held);
    uint32_t count = held_shards(runner, held);
    if (engine_refuse_schema(runner->engine, why) || count > 0)
        log_error("schema_refused", "shards=%u why=%s", count, why);
    if (count > 0 && store_release(runner->store, held, count, &note) != ERR_OK)
        log_warn("shards_not_released", "why=%s", note.text);
    for (uint32_t i = 0; i < count; i++)
        runner_drop_shard(runner, held[i].shard, "the database's schema is not this program's");
    arena_fini(&arena);
}

static enum err renew(struct runner *runner, struct err_note *note)
{
    struct arena arena;
    int64_t now_us = 0;
    arena_init(&arena, 0);
    struct store_shard *held = arena_array(&arena, runner->owned_count, sizeof *held);
    struct store_shard *found = arena_array(&arena, runner->owned_count, sizeof *found);
    bool *kept = arena_array(&arena, runner->owned_count, sizeof *kept);
    uint32_t count = held_shards(runner, held);
    enum err error = store_renew(runner->store, str_from(runner->name), runner->engine->options.lease_us,
                                 held, count, kept, found, &now_us, note);
    for (uint32_t i = 0; i < count && error == ERR_OK; i++)
        mend_compare(runner, &held[i], kept[i], &found[i]);
    if (error == ERR_OK)
        runner_time_read(runner, now_us);
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
        pthread_mutex_lock(&runner->engine->listening);
        shard->listening = bus_listen(runner->engine->bus, i, shard->store.epoch, &note) == ERR_OK;
        pthread_mutex_unlock(&runner->engine->listening);
        if (!shard->listening) {
            log_warn("shard_not_listening", "shard=%u why=%s", i, note.text);
            return; /* the broker is away: all others would fail the same way */
        }
    }
}

/* When to look at the leases next: every third of one, or each second while something is missing. */
static int64_t next_renewal(const struct runner *runner, enum err error, bool connected)
{
    int64_t third = runner->engine->options.lease_us / 3;
    bool missing = runner->owned_count < runner->shards_most;
    if (error != ERR_OK && connected)
        return 0; /* back again: nobody waits longer than needed */
    if (error != ERR_OK)
        return third < away_wait_us ? third : away_wait_us;
    return missing && third > DURATION_SECOND_US ? DURATION_SECOND_US : third;
}

/* What became of the connection after an error; ERR_SCHEMA goes before what led to it. */
static enum err meet_again(struct runner *runner, enum err error, bool *connected, struct err_note *note)
{
    struct err_note again = {""};
    enum err met = error == ERR_SCHEMA ? error : store_reconnect(runner->store, &again);
    *connected = met == ERR_OK;
    if (met != ERR_SCHEMA)
        log_warn("lease_not_renewed", "why=%s", note->text);
    else if (error != ERR_SCHEMA)
        *note = again;
    return met == ERR_SCHEMA ? met : error;
}

/* Between two batches: what was decided is stored, and the next owner finds how far the broker has it. */
static void give_up_all(struct runner *runner, const char *why)
{
    if (runner->owned_count == 0)
        return;
    answers_take(runner);
    suspect_settle(runner, true);
    commit_marks(runner);
    drop_all(runner, why);
}

static enum err keep(struct runner *runner, struct err_note *note)
{
    enum err error = presence_beat(runner->engine, runner->store, note);
    if (error == ERR_CONFLICT) {
        drop_all(runner, "another engine runs under the name of this one");
        return ERR_OK; /* for good: nothing to reconnect for */
    }
    if (error == ERR_OK)
        error = renew(runner, note);
    if (error == ERR_OK)
        error = runner_time_count_anew(runner, note);
    if (error != ERR_OK)
        return error;
    if (presence_cut_off(runner->engine))
        give_up_all(runner, "NATS is out of reach here, and another engine reaches it");
    return presence_may_claim(runner->engine) ? claim(runner, note) : ERR_OK;
}

/* Name, lease, clock and ownership. */
static void keep_shards(struct runner *runner)
{
    if (engine_clock_us(runner->engine) < runner->renew_at_us)
        return;
    struct err_note note = {""};
    bool connected = true;
    enum err error = keep(runner, &note);
    if (error != ERR_OK)
        error = meet_again(runner, error, &connected, &note);
    if (error == ERR_SCHEMA)
        runner_refuse_schema(runner, note.text);
    else if (error == ERR_OK)
        (void)engine_refuse_schema(runner->engine, "");
    atomic_store(&runner->store_connected, error == ERR_OK);
    listen_all(runner);
    if (error == ERR_OK) {
        suspect_settle(runner, false);
        dead_forget(runner);
    }
    runner->renew_at_us = engine_clock_us(runner->engine) + next_renewal(runner, error, connected);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Until when there is nothing to do, on the monotonic clock. */
static int64_t next_duty(const struct runner *runner, bool behind)
{
    int64_t until_us = engine_clock_us(runner->engine) + (behind ? behind_wait_us : idle_wait_us);
    const struct heap_item *timer = heap_first(&runner->resident.timers);
    const struct heap_item *watch = heap_first(&runner->resident.watches);
    if (timer != NULL)
        until_us = earlier(until_us, timekeeper_when(&runner->time, timer->due_us));
    if (watch != NULL)
        until_us = earlier(until_us, watch->due_us);
    until_us = earlier(until_us, runner->refusals.try_us);
    until_us = earlier(until_us, asking_next_us(&runner->asking));
    return earlier(earlier(until_us, runner->delivery.look_us), runner->renew_at_us);
}

/* Something is left to do at once, or from when on. */
static int64_t next_turn(const struct runner *runner, bool behind)
{
    if (runner->commit.open)
        return runner->commit.try_at_us;
    if (mend_is_open(runner))
        return runner->mend.at_us;
    if (runner->again.first != NULL)
        return earlier(runner->again.at_us, next_duty(runner, behind));
    return next_duty(runner, behind);
}

/* What must be alone has a batch without anything else, timers and answers that nobody gave included:
 * whatever the database says of it then is its own doing. The others have every second batch meanwhile. */
static struct inbox_item *by_turns(struct runner *runner, struct inbox_item *items)
{
    bool alone = items != NULL && items->alone;
    runner->apart = alone && !runner->apart;
    if (alone && !runner->apart)
        runner_take_back(runner, &(struct runner_again){.first = items, .last = items});
    return alone && !runner->apart ? NULL : items;
}

static void new_batch(struct runner *runner, bool behind, bool wait)
{
    if (mend_is_open(runner)) {
        mend_turn(runner, wait);
        return;
    }
    struct inbox_item *items = suspect_part(runner, runner_items(runner, wait, next_duty(runner, behind)));
    items = by_turns(runner, items);
    batch_begin(&runner->batch, runner_now_us(runner));
    if (runner->apart) {
        intake_items(runner, items);
        commit_batch(runner);
        return;
    }
    struct inbox_item *untaken =
        asking_turn(runner); /* before their timers: what has reached nobody is not unknown */
    if (untaken != NULL)
        intake_items(runner, untaken);
    bool timers_first = runner->timers_first;
    if (timers_first)
        intake_timers(runner);
    if (items != NULL)
        intake_items(runner, items);
    bool full = batch_full(&runner->batch) || batch_heavy_full(&runner->batch);
    runner->timers_first = !timers_first && full; /* by turns: neither starves */
    if (!timers_first)
        intake_timers(runner);
    runner_widen(runner);
    commit_batch(runner);
}

static void open_commit(struct runner *runner, bool wait)
{
    if (engine_clock_us(runner->engine) < runner->commit.try_at_us)
        runner_rest(runner, wait, runner->commit.try_at_us);
    else
        commit_try(runner);
}

int64_t runner_turn(struct runner *runner, bool wait)
{
    bool behind = false;
    if (runner->commit.open) {
        open_commit(runner, wait);
    } else {
        keep_shards(runner);
        answers_take(runner);
        behind = mend_is_open(runner) || recovery_resend(runner);
        if (!mend_is_open(runner)) {
            refusal_turn(runner);
            delivery_turn(runner);
        }
        new_batch(runner, behind, wait);
    }
    act_on_late_watches(runner);
    if (!runner->commit.open)
        resident_shrink(&runner->resident, runner->engine->options.resident_max, runner->batch.number);
    atomic_store(&runner->resident_figure, runner->resident.loaded_count);
    return next_turn(runner, behind);
}

static bool publishes_open(const struct runner *runner)
{
    for (uint32_t i = 0; i < runner->engine->shard_count; i++)
        if (runner->shards[i].owned && runner->shards[i].outbox.open_count > 0)
            return true;
    return false;
}

static bool work_left(struct runner *runner)
{
    uint32_t depth = 0;
    int64_t oldest_us = 0;
    inbox_look(&runner->inbox, &depth, &oldest_us);
    return depth > 0 || runner->again.first != NULL || runner->commit.open || mend_is_open(runner);
}

/* What is in the inbox is finished, the broker's answers are awaited so that the next owner has nothing to
 * send twice, the shards are given back. By hand time stands still meanwhile, so that turns are counted. */
static void drain(struct runner *runner)
{
    const struct engine_options *options = &runner->engine->options;
    bool wait = !options->by_hand;
    int64_t until_us = engine_clock_us(runner->engine) + options->drain_us;
    for (uint32_t turns = 0;
         work_left(runner) && engine_clock_us(runner->engine) < until_us && (wait || turns < DRAIN_TURNS);
         turns++)
        runner_turn(runner, wait);
    if (runner->commit.open)
        commit_give_up(runner);
    for (answers_take(runner); wait && publishes_open(runner) && engine_clock_us(runner->engine) < until_us;
         answers_take(runner)) {
        atomic_store(&runner->starved, true);
        runner_rest(runner, wait, engine_clock_us(runner->engine) + starved_wait_us);
    }
    suspect_settle(runner, true);
    commit_marks(runner);
}

static void *run(void *context)
{
    struct runner *runner = context;
    while (!atomic_load(&runner->stop))
        runner_turn(runner, true);
    drain(runner);
    return NULL;
}

enum err runner_start(struct runner *runner, struct err_note *note)
{
    int64_t now_us = 0;
    enum err error = store_now(runner->store, &now_us, note);
    if (error != ERR_OK)
        return error;
    timekeeper_init(&runner->time, engine_clock_us(runner->engine), now_us);
    keep_shards(runner);
    if (!runner->engine->options.by_hand)
        check(pthread_create(&runner->thread, NULL, run, runner) == 0);
    return ERR_OK;
}

/* There was no time for these any more. Their messages stay unacknowledged. */
static void refuse_rest(struct runner *runner, struct inbox_item *items)
{
    struct engine_answer stopping = {.error = ERR_UNAVAILABLE, .message = STR("the engine stops; try again")};
    while (items != NULL) {
        struct inbox_item *item = items;
        items = item->next;
        act_leave(runner, item);
        act_answer(runner, item, &stopping);
    }
}

void runner_stop(struct runner *runner)
{
    atomic_store(&runner->stop, true);
    inbox_close(&runner->inbox);
    if (runner->engine->options.by_hand)
        drain(runner);
    else
        pthread_join(runner->thread, NULL);
    refuse_rest(runner, runner->again.first);
    runner->again = (struct runner_again){0};
    refuse_rest(runner, inbox_take(&runner->inbox, UINT32_MAX, SIZE_MAX, 0));
}
