/* What this engine knows of how far participants have got: one entry for each, shared by its runners.
 *
 * Runners ask for a look (bus_look) while a command of theirs waits; the answer comes on the bus's thread and
 * is kept here, and every runner reads it. So a participant that answers at once costs nothing, and one that
 * is away costs a few questions a second, however many sagas wait for it. Times are of the engine's monotonic
 * clock. Any thread. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/map.h"
#include "engine/bus/bus.h"
#include "engine/definition/plan.h"
#include "engine/runtime/engine.h"

/* What is known of one participant. A copy, for whoever asked. */
struct backlog_sight {
    enum err error;     /* of the newest answer; ERR_UNAVAILABLE before the first */
    uint64_t delivered; /* these as in bus_sight, of the newest good answer */
    uint64_t pending;
    uint64_t life; /* 0: there was no good answer yet */
    uint64_t made;
    int64_t asked_us; /* when the question was sent whose answer this is; 0: none was answered */
    int64_t seen_us;  /* when it came */
    bool blind;       /* the broker is there and has not told for BACKLOG_BLIND: nobody knows */
};
struct backlog_participant {
    struct str name; /* its bytes follow the struct */
    struct backlog_sight sight;
    uint64_t question;        /* number of the newest one; 0: none yet */
    int64_t asked_us;         /* when it was */
    bool waits;               /* it is unanswered */
    int64_t failing_since_us; /* no good answer since; 0: the newest is good */
    int64_t moved_us;         /* the last look that saw it take something, or nothing pending */
    uint64_t held;            /* commands that the broker has no room for: refusal.h */
    int64_t held_told_us;     /* in the log, the last time; 0: never */
    bool held_told;           /* there was no room since */
    int64_t told_us;          /* in the log, that it takes nothing; 0: not, or it took something since */
};
struct backlog {
    pthread_mutex_t mutex;
    struct map participants; /* by name; never removed: as many as definitions name */
    uint64_t most;           /* pending commands of one participant with which sagas still start; 0: any */
};

void backlog_init(struct backlog *backlog, uint64_t most);
void backlog_fini(struct backlog *backlog);
/* Finds or makes it; lives as long as the backlog. */
struct backlog_participant *backlog_find(struct backlog *backlog, struct str name);
struct backlog_sight backlog_read(struct backlog *backlog, const struct backlog_participant *participant);
/* The number of the question to be sent now: none is under way, and the last one was asked before `since_us`.
 * 0: no question. */
uint64_t backlog_wants(struct backlog *backlog, struct backlog_participant *participant, int64_t since_us,
                       int64_t now_us);
/* The question could not even be sent: the broker is away, which says nothing about the participant. */
void backlog_unasked(struct backlog *backlog, struct backlog_participant *participant);
/* The answer to a question. */
void backlog_seen(struct backlog *backlog, const struct bus_sight *sight, int64_t now_us);
/* `more` commands of this participant (negative: fewer) wait outside of the broker, which has no room for
 * them. command: "payments.charge". Told in the log, at most once a minute. */
void backlog_held(struct backlog *backlog, struct backlog_participant *participant, struct str command,
                  int64_t more, int64_t now_us);
/* Those whose commands do: for people. Names live as long as the backlog. */
uint32_t backlog_list_full(struct backlog *backlog, struct engine_full *list, uint32_t most);
/* True while a participant of the plan has more commands waiting than sagas may be started on: *name and
 * *pending say which. */
bool backlog_is_full(struct backlog *backlog, const struct plan *plan, int64_t now_us, struct str *name,
                     uint64_t *pending);
