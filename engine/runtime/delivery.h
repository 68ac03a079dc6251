/* Commands on their way: from the hand of act.c to their participant.
 *
 * The core sets an attempt's time when it sends; what it cannot know is when, and whether, the command
 * arrives. So each outstanding command has a flight here: its sequence in the stream, from the publish's
 * acknowledgement, and whether the participant's consumer has got that far (backlog.h). When an attempt's
 * time is over and its command was not delivered, the timer is held, not fired (delivery_gate); once it is
 * seen delivered, the core is told that its time begins now. Happy path: the reply comes, the flight ends,
 * nobody was asked anything.
 *
 * A command that is not wanted any more (its step was decided, a newer attempt is out) is taken back from the
 * stream, after the commit that made it so. So is one that waited longer than its step's start_within, or
 * whose saga goes back; if it is proved that it reached nobody, the core is told so (CORE_EVENT_UNDELIVERED),
 * else its time ends as if it had been delivered now. Proved: handed to the broker once, stored, its consumer
 * below its sequence before it was deleted and after, in one life of consumer and connection from before it
 * was handed over. Unproved is what was sent again, and all that an earlier owner sent: its sequence is not
 * known either; it counts as delivered once the consumer has passed everything stored by then, or nothing
 * waits for it.
 *
 * A flight belongs to its saga's entry while it is outstanding. One thread: the runner's. Times are of the
 * engine's monotonic clock. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/map.h"
#include "engine/runtime/backlog.h"
#include "engine/runtime/batch.h"

struct runner;
struct refusal;
enum delivery_back {
    DELIVERY_STAYS,
    DELIVERY_WANTED_BACK, /* by its age, or because its saga goes back: at the next look */
    DELIVERY_ASKED_BACK,  /* the broker was asked to delete it */
    DELIVERY_GONE,        /* it did; the next look proves whether it was delivered before */
};
struct delivery_flight {
    struct delivery_flight *older, *newer; /* all of the runner's, in the order of their making */
    struct delivery_flight *next;          /* of its entry */
    struct resident_entry *entry;          /* NULL: nobody waits for it any more */
    struct delivery_lane *lane;
    struct delivery_flight *behind, *ahead; /* in its lane, while it is not known to be delivered */
    uint64_t number;
    uint32_t shard;
    uint16_t step;
    enum core_kind kind;
    uint32_t attempt;
    uint32_t handed;   /* times it was given to the broker, unless the broker refused it for certain */
    uint32_t open;     /* of these, unanswered */
    bool inherited;    /* an earlier owner may have sent it */
    bool guessed;      /* the sequence is an upper bound */
    bool waiting;      /* in its lane */
    bool held;         /* its time was over before it was delivered */
    uint64_t sequence; /* 0: not known */
    uint64_t life, made;
    int64_t since_us;     /* acknowledged by the broker; of an inherited one: known since. 0: not yet */
    int64_t delivered_us; /* known to be; at the latest then. 0: not known */
    int64_t timeout_us, start_within_us;
    enum delivery_back back;
    int64_t back_us; /* when that began */
    uint32_t tries;
    struct refusal *refusal; /* the broker has no room for it: refusal.h. NULL: not so */
    struct str verdict;      /* code of CORE_EVENT_UNDELIVERED to be told; "" : none */
};
/* Those of one participant that are not known to be delivered, in the order they were handed over. */
struct delivery_lane {
    struct backlog_participant *participant;
    struct delivery_flight *first, *last;
    struct delivery_lane *next; /* of all of the runner's */
    int64_t read_us;            /* the newest look that was made use of */
    int64_t look_us;            /* when the next one is wanted; INT64_MAX: none is */
};
struct delivery {
    struct map lanes; /* by participant */
    struct delivery_lane *all;
    struct delivery_flight *oldest, *newest;
    struct map asked_back; /* flights by number */
    uint64_t next_number;
    uint64_t fresh_number;   /* of the newest flight that was certainly stored after it was made, */
    uint64_t fresh_sequence; /* and where */
    int64_t look_us;         /* the earliest of all lanes */
};

void delivery_init(struct delivery *delivery);
void delivery_fini(struct delivery *delivery);

/* A command of the stream is on its way out, or held back while its shard is behind; the same flight when it
 * is sent again. NULL: not a command of the stream. inherited: it is read from the journal, so that another
 * may have sent it. */
struct delivery_flight *delivery_enter(struct runner *runner, const struct batch_send *send, bool inherited);
/* That of an outstanding command, or NULL. */
struct delivery_flight *delivery_find(const struct resident_entry *entry, uint16_t step, enum core_kind kind,
                                      uint32_t attempt);
/* What it carries; NULL while its saga is not in memory, or does not wait for it any more. */
const struct plan_action *delivery_action(const struct delivery_flight *flight);
/* It is held: it waits outside of the broker, no longer than its start_within either. */
void delivery_refused(struct runner *runner, struct delivery_flight *flight);
/* It was handed to the broker, which will answer. */
void delivery_handed(struct runner *runner, struct delivery_flight *flight);
/* The broker's answer. flight may be NULL. */
void delivery_answered(struct runner *runner, struct delivery_flight *flight, enum err error, bool refused,
                       uint64_t sequence);
/* A command, of any carrier, that can never be sent: the core will be told. */
void delivery_unsendable(struct runner *runner, const struct batch_send *send);
/* A reply proves that its command arrived. Before the core is told of it. */
void delivery_replied(struct runner *runner, struct resident_entry *entry, const struct core_event *reply);

/* For core_next: steps whose timer is held. context: the entry. */
bool delivery_holds(const void *context, uint16_t step);
/* Whether some timer of it is. */
bool delivery_holds_any(const struct resident_entry *entry);
/* What a timer that is due leads to. FIRE: the time-out. HOLD: nothing now; the entry is looked at again when
 * more is known. Otherwise *event is to be given to the core first. */
enum delivery_gate { DELIVERY_FIRE, DELIVERY_HOLD, DELIVERY_TELL };
enum delivery_gate delivery_gate(struct runner *runner, struct resident_entry *entry, uint16_t step,
                                 struct core_event *event);
/* True while something is to be told to the core whatever the time is: *event. */
bool delivery_verdict(struct runner *runner, struct resident_entry *entry, struct core_event *event);
/* After the commit that changed the saga: what is not wanted any more is let go, or taken back. */
void delivery_review(struct runner *runner, struct resident_entry *entry);
/* The entry is about to be forgotten. */
void delivery_forget(struct runner *runner, struct resident_entry *entry);
/* The shard is not ours any more. */
void delivery_drop_shard(struct runner *runner, uint32_t shard);
/* Makes use of what was seen, and asks what is wanted. */
void delivery_turn(struct runner *runner);
/* The broker's word on a command asked back, by number. */
void delivery_taken_back(struct runner *runner, uint64_t number, enum err error);
