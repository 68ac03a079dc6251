/* The keeper: a thread that looks at streams and consumers every NATS_KEEPER_PERIOD_MS, and at once when a
 * publish or a pull was refused, and makes again what vanished.
 *
 * Also cures what makes no error. A consumer is made anew when it stalls (messages wait, somebody pulls,
 * nothing moves over several looks; seen with nats-server 2.9.10 when a stream is deleted and made again),
 * and when it no longer delivers again what was not acknowledged (2.9.10, one in 40 times after kill -9). A
 * shard's consumer that bears another's mark was taken over: by an earlier owner, and we take it back at
 * once; by a later one, and we stop pulling, and take it back only when nobody has pulled from it for long
 * though we were never told to unlisten. So two who both believe to own a shard do not take it from each
 * other in turn. Each stream and each consumer is kept for itself: what fails with one does not stop the
 * others, and is logged once for each reason, as is its end; only the consumers of a stream that does not
 * answer wait for the next round, and so does the rest when several in a row fail. Definitions may name
 * thousands of participants: a round looks at those that commands wait for, and at some others in turn. */
#include "engine/bus/nats_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"

enum { STILL_LOOKS = 3 };

/* What the keeper remembers of each thing it keeps. */
struct sight {
    uint64_t seen;  /* progress */
    uint32_t still; /* looks without */
    uint64_t told;  /* hash of the trouble that was logged last; 0: none */
};
struct memory {
    struct sight streams[NATS_STREAM_COUNT];
    struct sight pulls[NATS_IN_SLOT + 1];
    struct sight participants[NATS_PARTICIPANTS_MAX];
    struct nats_strays strays;
    uint32_t next; /* participant: where a round that was cut off goes on */
};
/* A round under way. */
struct round {
    struct memory *memory;
    bool answers[NATS_STREAM_COUNT]; /* the streams that are well */
    uint32_t strikes;                /* time-outs in a row */
    uint32_t failures;               /* of any kind in a row */
    uint32_t told, untold;           /* in the log, and left out of it */
    bool failed;
};

/* A consumer that vanished. */
static enum err make_again(struct nats_bus *bus, const struct nats_consumer *consumer, struct err_note *note)
{
    enum err err = nats_admin_make(bus, consumer, note);
    if (err == ERR_OK)
        log_warn("consumer_made_again", "stream=%s consumer=%s", consumer->stream, consumer->name);
    return err;
}

/* A consumer that stalls or was deserted. */
static enum err remake(struct nats_bus *bus, const struct nats_consumer *consumer, uint32_t slot,
                       struct err_note *note)
{
    enum err err = nats_admin_remove(bus, consumer->stream, consumer->name, note);
    if (err == ERR_OK)
        err = make_again(bus, consumer, note);
    if (err == ERR_OK && slot <= NATS_IN_SLOT)
        nats_pull_restart(bus, slot);
    return err;
}

/* True when a message that was delivered is neither acknowledged nor delivered again. */
static bool forgets(struct nats_pull *pull, const struct nats_consumer_look *look, int64_t now_us)
{
    bool first = pull->moved_us == 0 || !look->owing || !look->ours;
    if (first || look->progress != pull->seen)
        pull->moved_us = now_us;
    if (first || look->floor != pull->floor)
        pull->rose_us = now_us;
    pull->floor = look->floor;
    return now_us - pull->moved_us > NATS_OWING_US || now_us - pull->rose_us > NATS_FLOOR_US;
}

/* True when acknowledgements are sent and none arrives: nothing at all has changed since. */
static bool is_stuck(struct nats_pull *pull, const struct nats_consumer_look *look, uint64_t acks,
                     int64_t now_us)
{
    bool same =
        look->floor == pull->floor && look->pending == pull->pending && look->delivered == pull->delivered;
    if (!same || !look->ours || pull->stood_us == 0)
        pull->acks_then = acks;
    if (acks == pull->acks_then)
        pull->stood_us = now_us;
    pull->pending = look->pending;
    pull->delivered = look->delivered;
    return look->pending > 0 && now_us - pull->stood_us > NATS_STUCK_US;
}

/* Another's mark: true when it is to be taken back. */
static bool is_taken_back(struct nats_pull *pull, const struct nats_consumer_look *look, int64_t now_us)
{
    if (look->ours) {
        pull->lost_us = pull->deserted_us = 0;
        return false;
    }
    pull->lost_us = pull->lost_us == 0 ? now_us : pull->lost_us;
    if (look->waiting)
        pull->deserted_us = 0;
    else if (pull->deserted_us == 0)
        pull->deserted_us = now_us;
    return look->epoch < pull->epoch ||
           (pull->deserted_us != 0 && now_us - pull->deserted_us > NATS_DESERTED_US);
}

/* Notes what was seen; true when the consumer must be remade. */
static bool note_look(struct nats_bus *bus, uint32_t slot, const struct nats_consumer_look *look,
                      bool *restart)
{
    bool remake_it = false;
    int64_t now_us = clock_monotonic_us();
    uint64_t acks = atomic_load(&bus->acks[slot]);
    pthread_mutex_lock(&bus->pull_mutex);
    struct nats_pull *pull = bus->pulls[slot];
    if (pull != NULL) {
        bool stalled = look->ours && look->backlog && look->progress == pull->seen;
        pull->stuck = is_stuck(pull, look, acks, now_us);
        bool forgetful = forgets(pull, look, now_us);
        bool taken_back = is_taken_back(pull, look, now_us);
        pull->still = stalled ? pull->still + 1 : 0;
        pull->seen = look->progress;
        remake_it = pull->still >= STILL_LOOKS || forgetful || taken_back;
        bus->uneasy = bus->uneasy || pull->still > 0 || !look->ours || pull->stuck;
        if (remake_it) {
            pull->still = 0;
            pull->moved_us = 0;
            pull->deserted_us = 0;
        }
        pull->lost = !look->ours;
        *restart = look->ours && pull->rest_us > now_us;
    }
    pthread_mutex_unlock(&bus->pull_mutex);
    return remake_it;
}

/* With admin_mutex held. */
static enum err keep_pull(struct nats_bus *bus, uint32_t slot, struct err_note *note)
{
    pthread_mutex_lock(&bus->pull_mutex);
    struct nats_pull copy = {.slot = slot};
    bool listening = bus->pulls[slot] != NULL;
    if (listening)
        copy = *bus->pulls[slot];
    pthread_mutex_unlock(&bus->pull_mutex);
    if (!listening)
        return ERR_OK;
    char filter[NATS_NAME_BYTES];
    struct nats_consumer consumer;
    struct nats_consumer_look look;
    bool restart = false;
    nats_admin_pull(&copy, filter, &consumer);
    enum err err = nats_admin_look(bus, &consumer, &look, note);
    if (err != ERR_OK)
        return err;
    if (!look.exists) {
        err = make_again(bus, &consumer, note);
        if (err == ERR_OK)
            nats_pull_restart(bus, slot);
    } else if (note_look(bus, slot, &look, &restart)) {
        err = remake(bus, &consumer, slot, note);
    } else if (restart) {
        nats_pull_restart(bus, slot);
    }
    return err;
}

/* Logs a failure unless the one before was for the same reason, and the end of the trouble; the first ones of
 * a round, because one cause may be everybody's. */
static void tell(struct round *round, struct sight *sight, const char *what, enum err err,
                 const struct err_note *note)
{
    uint64_t hash = err == ERR_OK ? 0 : str_hash(str_from(note->text)) | 1;
    bool news = hash != sight->told;
    sight->told = hash;
    if (!news)
        return;
    if (round->told >= NATS_TOLD_MAX) {
        round->untold++;
        return;
    }
    round->told++;
    if (hash != 0)
        log_warn("bus_not_repaired", "what=%s error=%s why=%s", what, err_text(err), note->text);
    else
        log_info("bus_repaired", "what=%s", what);
}

/* False when the rest of the round would fare no better. */
static bool note_result(struct nats_bus *bus, struct round *round, struct sight *sight, const char *what,
                        enum err err, const struct err_note *note)
{
    tell(round, sight, what, err, note);
    round->failed = round->failed || err != ERR_OK;
    round->strikes = err == ERR_TIMEOUT ? round->strikes + 1 : 0;
    round->failures = err != ERR_OK ? round->failures + 1 : 0;
    return round->strikes < NATS_STRIKES_MAX && round->failures < NATS_FAILURES_MAX &&
           nats_line_is_up(bus->admin, NULL, 0);
}

static bool stream_answers(const struct round *round, const char *name)
{
    for (uint32_t i = 0; i < NATS_STREAM_COUNT; i++)
        if (strcmp(nats_admin_stream_name(i), name) == 0)
            return round->answers[i];
    return false;
}

static void keep_streams(struct nats_bus *bus, struct round *round)
{
    for (uint32_t i = 0; i < NATS_STREAM_COUNT; i++) {
        struct err_note note = {""};
        pthread_mutex_lock(&bus->admin_mutex);
        enum err err = nats_admin_stream(bus, i, &note);
        pthread_mutex_unlock(&bus->admin_mutex);
        round->answers[i] = err == ERR_OK;
        (void)note_result(bus, round, &round->memory->streams[i], nats_admin_stream_name(i), err, &note);
    }
}

static void keep_pulls(struct nats_bus *bus, struct round *round)
{
    bool go_on = true;
    round->strikes = round->failures = 0;
    for (uint32_t slot = 0; slot <= NATS_IN_SLOT && go_on; slot++) {
        struct err_note note = {""};
        char what[32];
        if (!stream_answers(round, slot == NATS_IN_SLOT ? "SAGA_IN" : "SAGA_REPLY"))
            continue;
        snprintf(what, sizeof what, slot == NATS_IN_SLOT ? "engine" : "shard-%" PRIu32, slot);
        pthread_mutex_lock(&bus->admin_mutex);
        enum err err = keep_pull(bus, slot, &note);
        pthread_mutex_unlock(&bus->admin_mutex);
        go_on = note_result(bus, round, &round->memory->pulls[slot], what, err, &note);
    }
}

/* *missed: it had vanished. */
static enum err keep_participant(struct nats_bus *bus, uint32_t index, struct sight *sight, bool *missed,
                                 struct err_note *note)
{
    char filter[NATS_NAME_BYTES];
    char durable[NATS_NAME_BYTES];
    struct nats_consumer consumer;
    struct nats_consumer_look look;
    nats_admin_participant(&bus->participants[index], filter, durable, &consumer);
    enum err err = nats_admin_look(bus, &consumer, &look, note);
    if (err != ERR_OK)
        return err;
    *missed = !look.exists;
    if (!look.exists)
        return make_again(bus, &consumer, note);
    if (look.ack_wait_ms < consumer.ack_wait_ms)
        return nats_admin_make(bus, &consumer, note);
    sight->still = look.backlog && look.progress == sight->seen ? sight->still + 1 : 0;
    sight->seen = look.progress;
    bus->uneasy = bus->uneasy || sight->still > 0;
    if (sight->still < STILL_LOOKS)
        return ERR_OK;
    sight->still = 0;
    return remake(bus, &consumer, UINT32_MAX, note);
}

static bool is_wanted(struct nats_bus *bus, struct str name)
{
    uint64_t hash = str_hash(name);
    return atomic_compare_exchange_strong(&bus->wanted[hash % NATS_WANTED], &hash, 0);
}

/* False when the rest of the round would fare no better. */
static bool turn_to(struct nats_bus *bus, struct round *round, uint32_t index, bool always, bool *missed)
{
    struct err_note note = {""};
    char what[NATS_NAME_BYTES] = "";
    enum err err = ERR_OK;
    pthread_mutex_lock(&bus->admin_mutex);
    bool due = index < bus->participant_count && (is_wanted(bus, bus->participants[index].name) || always);
    if (due) {
        snprintf(what, sizeof what, "%.*s", STR_ARG(bus->participants[index].name));
        err = keep_participant(bus, index, &round->memory->participants[index], missed, &note);
    }
    pthread_mutex_unlock(&bus->admin_mutex);
    return !due || note_result(bus, round, &round->memory->participants[index], what, err, &note);
}

/* Those that commands wait for, then the others, where the last round left off. Where one has vanished, all
 * may have: those count for nothing. */
static void keep_participants(struct nats_bus *bus, struct round *round)
{
    pthread_mutex_lock(&bus->admin_mutex);
    uint32_t count = bus->participant_count;
    pthread_mutex_unlock(&bus->admin_mutex);
    bool go_on = stream_answers(round, "SAGA_CMD"), missed = false;
    round->strikes = round->failures = 0;
    for (uint32_t i = 0; i < count && go_on; i++)
        go_on = turn_to(bus, round, i, false, &missed);
    for (uint32_t i = 0, turns = 0; i < count && turns < NATS_TURN && go_on; i++) {
        missed = false;
        go_on = turn_to(bus, round, round->memory->next++ % count, true, &missed);
        turns += !missed;
    }
}

/* False when something could not be kept. */
static bool keep(struct nats_bus *bus, struct memory *memory)
{
    struct round round = {.memory = memory};
    struct err_note note = {""};
    keep_streams(bus, &round);
    keep_pulls(bus, &round);
    keep_participants(bus, &round);
    if (stream_answers(&round, "SAGA_REPLY"))
        nats_strays_keep(bus, &memory->strays);
    if (nats_faults_subscribe(&bus->faults))
        nats_control_retry(bus);
    if (round.untold > 0)
        log_info("bus_lines_left_out", "count=%" PRIu32, round.untold);
    bool well = nats_probe(&bus->base, &note) == ERR_OK;
    bus->uneasy = bus->uneasy || !well;
    return !round.failed;
}

enum err nats_keeper_well(struct nats_bus *bus, struct err_note *note)
{
    enum err err = ERR_OK;
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&bus->pull_mutex);
    for (uint32_t i = 0; i < bus->listed_count && err == ERR_OK; i++) {
        const struct nats_pull *pull = bus->pulls[bus->listed[i]];
        if (pull->stuck)
            err = err_note(note, ERR_UNAVAILABLE,
                           "acknowledgements of %s do not arrive: %" PRIu64 " messages wait for theirs",
                           pull->consumer, pull->pending);
        else if (pull->deaf)
            err = err_note(note, ERR_UNAVAILABLE, "NATS does not answer the pulls of %s", pull->consumer);
        else if (pull->lost_us != 0 && now_us - pull->lost_us > NATS_DESERTED_US)
            err = err_note(note, ERR_UNAVAILABLE, "another engine listens to %s, which this one owns",
                           pull->consumer);
    }
    pthread_mutex_unlock(&bus->pull_mutex);
    return err;
}

/* Sleeps until kicked, closing, or `most_ms` have passed; false when closing. */
static bool rest(struct nats_bus *bus, int64_t most_ms, bool wake_on_kick)
{
    int64_t end_us = clock_real_us() + most_ms * 1000;
    struct timespec end = {.tv_sec = end_us / 1000000, .tv_nsec = (end_us % 1000000) * 1000};
    pthread_mutex_lock(&bus->state_mutex);
    int timed_out = 0;
    while (!bus->closing && !(wake_on_kick && bus->kicked) && timed_out == 0)
        timed_out = pthread_cond_timedwait(&bus->state_changed, &bus->state_mutex, &end);
    bool go_on = !bus->closing;
    if (wake_on_kick)
        bus->kicked = false;
    pthread_mutex_unlock(&bus->state_mutex);
    return go_on;
}

static void *run(void *argument)
{
    struct nats_bus *bus = argument;
    struct memory *memory = memory_new(1, sizeof *memory);
    while (rest(bus, bus->uneasy ? NATS_KEEPER_UNEASY_MS : NATS_KEEPER_PERIOD_MS, true)) {
        bus->uneasy = false;
        if (!keep(bus, memory))
            nats_keeper_kick(bus);
        if (!rest(bus, NATS_KEEPER_REST_MS, false))
            break;
    }
    memory_free(memory);
    nats_ReleaseThreadMemory();
    return NULL;
}

void nats_keeper_start(struct nats_bus *bus)
{
    check(pthread_create(&bus->keeper, NULL, run, bus) == 0);
    bus->keeper_runs = true;
}

void nats_keeper_kick(struct nats_bus *bus)
{
    pthread_mutex_lock(&bus->state_mutex);
    bus->kicked = true;
    pthread_cond_broadcast(&bus->state_changed);
    pthread_mutex_unlock(&bus->state_mutex);
}

void nats_keeper_stop(struct nats_bus *bus)
{
    if (!bus->keeper_runs)
        return;
    pthread_mutex_lock(&bus->state_mutex);
    bus->closing = true;
    pthread_cond_broadcast(&bus->state_changed);
    pthread_mutex_unlock(&bus->state_mutex);
    pthread_join(bus->keeper, NULL);
}
