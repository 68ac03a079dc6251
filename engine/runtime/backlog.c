/* How far each participant's consumer has got, shared by the engine's runners under one lock. Written by the
 * bus's thread (backlog_seen), read by delivery, refusal and the API. Never asks the broker itself, and never
 * calls out while it holds the lock. */
#include "engine/runtime/backlog.h"

#include <string.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"

static const int64_t lost_us = 2 * DURATION_SECOND_US;   /* then an unanswered question counts as lost */
static const int64_t blind_us = 60 * DURATION_SECOND_US; /* without an answer; then attempts' time runs as if
                                                            commands were delivered at once */
static const int64_t stale_us = 5 * DURATION_SECOND_US;  /* an older look keeps no saga from starting */
static const int64_t idle_us = 10 * DURATION_SECOND_US;  /* taking nothing for so long is told, */
static const int64_t tell_us = 60 * DURATION_SECOND_US;  /* and told again */

void backlog_init(struct backlog *backlog, uint64_t most)
{
    *backlog = (struct backlog){.most = most};
    map_init(&backlog->participants);
    check(pthread_mutex_init(&backlog->mutex, NULL) == 0);
}

void backlog_fini(struct backlog *backlog)
{
    size_t cursor = 0;
    for (void *it = map_next(&backlog->participants, &cursor); it != NULL;
         it = map_next(&backlog->participants, &cursor))
        memory_free(it);
    map_fini(&backlog->participants);
    pthread_mutex_destroy(&backlog->mutex);
}

/* With the mutex held. */
static struct backlog_participant *make(struct backlog *backlog, struct str name)
{
    struct backlog_participant *made = memory_new(1, sizeof *made + name.size);
    char *text = (char *)(made + 1);
    memcpy(text, name.data, name.size);
    made->name = (struct str){text, name.size};
    made->sight.error = ERR_UNAVAILABLE;
    map_set(&backlog->participants, made->name, made);
    return made;
}

struct backlog_participant *backlog_find(struct backlog *backlog, struct str name)
{
    check(name.size > 0);
    pthread_mutex_lock(&backlog->mutex);
    struct backlog_participant *found = map_get(&backlog->participants, name);
    if (found == NULL)
        found = make(backlog, name);
    pthread_mutex_unlock(&backlog->mutex);
    return found;
}

struct backlog_sight backlog_read(struct backlog *backlog, const struct backlog_participant *participant)
{
    pthread_mutex_lock(&backlog->mutex);
    struct backlog_sight sight = participant->sight;
    pthread_mutex_unlock(&backlog->mutex);
    return sight;
}

uint64_t backlog_wants(struct backlog *backlog, struct backlog_participant *participant, int64_t since_us,
                       int64_t now_us)
{
    pthread_mutex_lock(&backlog->mutex);
    bool under_way = participant->waits && now_us - participant->asked_us < lost_us;
    bool wanted = !under_way && (participant->question == 0 || participant->asked_us < since_us);
    uint64_t question = 0;
    if (wanted) {
        participant->waits = true;
        question = ++participant->question;
        participant->asked_us = now_us;
        if (participant->failing_since_us == 0)
            participant->failing_since_us = now_us;
        participant->sight.blind = now_us - participant->failing_since_us > blind_us;
    }
    pthread_mutex_unlock(&backlog->mutex);
    return question;
}

void backlog_unasked(struct backlog *backlog, struct backlog_participant *participant)
{
    pthread_mutex_lock(&backlog->mutex);
    participant->waits = false;
    participant->failing_since_us = 0;
    participant->sight.blind = false;
    pthread_mutex_unlock(&backlog->mutex);
}

/* With the mutex held. */
static void tell(struct backlog_participant *participant, int64_t now_us)
{
    const struct backlog_sight *sight = &participant->sight;
    if (now_us - participant->moved_us < idle_us ||
        (participant->told_us > 0 && now_us - participant->told_us < tell_us))
        return;
    participant->told_us = now_us;
    log_warn("participant_takes_nothing", "participant=%.*s waiting=%llu seconds=%lld",
             STR_ARG(participant->name), (unsigned long long)sight->pending,
             (long long)((now_us - participant->moved_us) / DURATION_SECOND_US));
}

/* With the mutex held. */
static void take(struct backlog_participant *participant, const struct bus_sight *sight, int64_t now_us)
{
    struct backlog_sight *kept = &participant->sight;
    bool moved = kept->seen_us == 0 || sight->delivered != kept->delivered || sight->life != kept->life ||
                 sight->pending == 0;
    kept->error = ERR_OK;
    kept->delivered = sight->delivered;
    kept->pending = sight->pending;
    kept->life = sight->life;
    kept->made = sight->made;
    kept->asked_us = participant->asked_us;
    kept->seen_us = now_us;
    kept->blind = false;
    participant->failing_since_us = 0;
    if (moved)
        participant->moved_us = now_us;
    if (moved && participant->told_us > 0) {
        participant->told_us = 0;
        log_info("participant_takes_again", "participant=%.*s waiting=%llu", STR_ARG(participant->name),
                 (unsigned long long)sight->pending);
    }
    tell(participant, now_us);
}

void backlog_seen(struct backlog *backlog, const struct bus_sight *sight, int64_t now_us)
{
    pthread_mutex_lock(&backlog->mutex);
    struct backlog_participant *participant = map_get(&backlog->participants, sight->participant);
    if (participant != NULL && participant->waits && sight->cookie == participant->question) {
        participant->waits = false;
        if (sight->error == ERR_OK)
            take(participant, sight, now_us);
        else
            participant->sight.error = sight->error;
    }
    pthread_mutex_unlock(&backlog->mutex);
    if (sight->error == ERR_OK)
        metrics_set(METRICS_COMMANDS_WAITING, (int64_t)sight->pending, sight->participant);
}

/* With the mutex held. */
static void tell_held(struct backlog_participant *participant, struct str command, int64_t now_us)
{
    if (participant->held_told_us > 0 && now_us - participant->held_told_us < tell_us)
        return;
    log_warn("participant_full", "participant=%.*s command=%.*s held=%llu", STR_ARG(participant->name),
             STR_ARG(command), (unsigned long long)participant->held);
    participant->held_told_us = now_us;
    participant->held_told = true;
}

void backlog_held(struct backlog *backlog, struct backlog_participant *participant, struct str command,
                  int64_t more, int64_t now_us)
{
    pthread_mutex_lock(&backlog->mutex);
    check(more >= 0 || participant->held >= (uint64_t)-more);
    participant->held += (uint64_t)more;
    uint64_t held = participant->held;
    if (held > 0)
        tell_held(participant, command, now_us);
    else if (participant->held_told)
        log_info("participant_has_room", "participant=%.*s", STR_ARG(participant->name));
    participant->held_told = participant->held_told && held > 0;
    pthread_mutex_unlock(&backlog->mutex);
    metrics_set(METRICS_COMMANDS_HELD, (int64_t)held, participant->name);
}

uint32_t backlog_list_full(struct backlog *backlog, struct engine_full *list, uint32_t most)
{
    uint32_t count = 0;
    size_t cursor = 0;
    pthread_mutex_lock(&backlog->mutex);
    for (const struct backlog_participant *it = map_next(&backlog->participants, &cursor);
         it != NULL && count < most; it = map_next(&backlog->participants, &cursor))
        if (it->held > 0)
            list[count++] = (struct engine_full){it->name, it->held};
    pthread_mutex_unlock(&backlog->mutex);
    return count;
}

/* In the broker, as far as that is known, and outside. */
static uint64_t waiting(const struct backlog_participant *participant, int64_t now_us)
{
    bool known = participant->sight.seen_us > 0 && now_us - participant->sight.seen_us < stale_us;
    return (known ? participant->sight.pending : 0) + participant->held;
}

bool backlog_is_full(struct backlog *backlog, const struct plan *plan, int64_t now_us, struct str *name,
                     uint64_t *pending)
{
    bool full = false;
    if (backlog->most == 0 || plan->participant_count == 0)
        return false;
    pthread_mutex_lock(&backlog->mutex);
    for (uint32_t i = 0; i < plan->participant_count && !full; i++) {
        const struct backlog_participant *participant =
            map_get(&backlog->participants, plan->participants[i]);
        *pending = participant == NULL ? 0 : waiting(participant, now_us);
        *name = plan->participants[i];
        full = *pending >= backlog->most;
    }
    pthread_mutex_unlock(&backlog->mutex);
    return full;
}
