/* The keeper: a thread that looks at streams and consumers every NATS_KEEPER_PERIOD_MS, and at once when a
 * publish or a pull was refused, and makes again what vanished.
 *
 * Also cures what makes no error. A consumer is made anew when it stalls (messages wait, somebody pulls,
 * nothing moves over several looks; seen with nats-server 2.9.10 when a stream is deleted and made again),
 * and when it no longer delivers again what was not acknowledged (2.9.10, one in 40 times after kill -9). A
 * shard's consumer that bears another's mark was taken over: we stop pulling, and take it back only when
 * nobody pulls from it any more though we were never told to unlisten. An error ends the round; the next one
 * comes soon. What was made again and why a round failed is logged, the latter only when the reason is new:
 * rounds follow each other within NATS_KEEPER_REST_MS then. */
#include "engine/bus/nats_parts.h"

#include <string.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/ops/log.h"

enum { STILL_LOOKS = 3 };

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

/* Notes what was seen; true when the consumer must be remade. */
static bool note_look(struct nats_bus *bus, uint32_t slot, const struct nats_consumer_look *look,
                      bool *restart)
{
    bool remake_it = false;
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&bus->pull_mutex);
    struct nats_pull *pull = bus->pulls[slot];
    if (pull != NULL) {
        bool deserted = !look->ours && !look->waiting;
        bool stalled = look->ours && look->backlog && look->progress == pull->seen;
        bool forgetful = forgets(pull, look, now_us);
        pull->still = deserted || stalled ? pull->still + 1 : 0;
        pull->seen = look->progress;
        remake_it = pull->still >= STILL_LOOKS || forgetful;
        bus->uneasy = bus->uneasy || pull->still > 0;
        if (remake_it) {
            pull->still = 0;
            pull->moved_us = 0;
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

static enum err keep_pulls(struct nats_bus *bus, struct err_note *note)
{
    enum err err = ERR_OK;
    for (uint32_t slot = 0; slot <= NATS_IN_SLOT && err == ERR_OK; slot++) {
        pthread_mutex_lock(&bus->admin_mutex);
        err = keep_pull(bus, slot, note);
        pthread_mutex_unlock(&bus->admin_mutex);
    }
    return err;
}

/* What a participant's consumer was last seen at; the keeper's own. */
struct sight {
    uint64_t seen;
    uint32_t still;
};

static enum err keep_participant(struct nats_bus *bus, uint32_t index, struct sight *sight,
                                 struct err_note *note)
{
    char filter[NATS_NAME_BYTES];
    char durable[NATS_NAME_BYTES];
    struct nats_consumer consumer;
    struct nats_consumer_look look;
    nats_admin_participant(bus->participants[index], filter, durable, &consumer);
    enum err err = nats_admin_look(bus, &consumer, &look, note);
    if (err != ERR_OK)
        return err;
    if (!look.exists)
        return make_again(bus, &consumer, note);
    sight->still = look.backlog && look.progress == sight->seen ? sight->still + 1 : 0;
    sight->seen = look.progress;
    bus->uneasy = bus->uneasy || sight->still > 0;
    if (sight->still < STILL_LOOKS)
        return ERR_OK;
    sight->still = 0;
    return remake(bus, &consumer, UINT32_MAX, note);
}

static enum err keep_participants(struct nats_bus *bus, struct sight *sights, struct err_note *note)
{
    enum err err = ERR_OK;
    uint32_t count = 1;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        pthread_mutex_lock(&bus->admin_mutex);
        count = bus->participant_count;
        if (i < count)
            err = keep_participant(bus, i, &sights[i], note);
        pthread_mutex_unlock(&bus->admin_mutex);
    }
    return err;
}

static enum err keep(struct nats_bus *bus, struct sight *sights, struct err_note *note)
{
    pthread_mutex_lock(&bus->admin_mutex);
    enum err err = nats_admin_streams(bus, note);
    pthread_mutex_unlock(&bus->admin_mutex);
    if (err == ERR_OK)
        err = keep_participants(bus, sights, note);
    if (err == ERR_OK)
        err = keep_pulls(bus, note);
    return err;
}

/* Tells of a failed round unless the one before failed for the same reason, and of the end of the trouble. */
static void tell(enum err err, const struct err_note *note, struct err_note *told)
{
    if (err != ERR_OK && strcmp(note->text, told->text) != 0)
        log_warn("bus_not_repaired", "error=%s why=%s", err_text(err), note->text);
    if (err == ERR_OK && told->text[0] != '\0')
        log_info("bus_repaired", "after=%s", told->text);
    *told = *note;
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
    static const struct sight none;
    struct err_note told = {""};
    struct sight sights[NATS_PARTICIPANTS_MAX];
    for (uint32_t i = 0; i < NATS_PARTICIPANTS_MAX; i++)
        sights[i] = none;
    while (rest(bus, bus->uneasy ? NATS_KEEPER_UNEASY_MS : NATS_KEEPER_PERIOD_MS, true)) {
        struct err_note note = {""};
        bus->uneasy = false;
        enum err err = keep(bus, sights, &note);
        tell(err, &note, &told);
        if (err != ERR_OK)
            nats_keeper_kick(bus);
        if (!rest(bus, NATS_KEEPER_REST_MS, false))
            break;
    }
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
