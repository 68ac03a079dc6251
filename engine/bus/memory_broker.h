/* The broker behind the in-memory buses; private to engine/bus.
 *
 * Messages stand in one list in the order they came, with what is delivered and not acknowledged marked as
 * out; notices (answers to publishes, requests and calls) in another. Everything under one mutex, which is
 * free while a callback runs. */
#pragma once
#include <pthread.h>
#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "engine/bus/memory_bus.h"

enum {
    MEMORY_BROKER_IDS_MAX = 65536,   /* ids remembered: the oldest are forgotten, as a server's window does */
    MEMORY_BROKER_UNACKED_MAX = 512, /* of one shard: max_ack_pending of the real consumer */
    MEMORY_BROKER_MESSAGE_BYTES = 1048576, /* NATS's default max_payload */
    MEMORY_BROKER_ACK_BYTES = 24,
};

/* A message in one block of memory, its texts behind it. */
struct stored {
    struct stored *next;
    struct bus_message message;
    uint64_t sequence;
    char ack[MEMORY_BROKER_ACK_BYTES];
    bool out; /* delivered and not acknowledged */
    uint64_t delivery_count;
    uint64_t round;   /* the memory_bus_deliver that last offered it: once each */
    uint64_t spurned; /* number of the bus that had it last and gave it back; 0: none */
};
struct memory_id {
    uint64_t sequence;
    size_t size;
    char text[];
};
/* Anything that is not in a stream and waits for memory_bus_deliver. */
struct notice {
    struct notice *next;
    struct memory_bus *to;
    enum {
        NOTICE_PUBLISHED,
        NOTICE_ANSWER,
        NOTICE_CONTROL,
        NOTICE_CALLED,
        NOTICE_SIGHT,
        NOTICE_TAKEN_BACK
    } kind;
    uint64_t cookie;
    enum err error;
    uint32_t shard;                    /* CONTROL */
    char ack[MEMORY_BROKER_ACK_BYTES]; /* CONTROL */
    char *text;                        /* CONTROL, CALLED: the body; owned */
    size_t size;
    uint64_t sequence;                      /* PUBLISHED */
    struct memory_participant *participant; /* SIGHT */
    struct stored *answer;                  /* ANSWER: owned; its subject is the ticket */
    uint64_t round;
};
/* A bus_call without its answer. */
struct memory_call {
    struct memory_call *next;
    struct memory_bus *asker;
    uint64_t cookie;
    char ack[MEMORY_BROKER_ACK_BYTES];
    int64_t until_us; /* monotonic */
};
struct memory_bus {
    struct bus base; /* first */
    struct memory_bus *next;
    struct memory_bus_broker *broker;
    uint64_t number; /* from 1, never given again: an address may be */
    struct bus_callbacks callbacks;
    bool listens_in;
    uint32_t in_flight;
};
/* How far it has got. Made when first asked about or taken from; lives as long as the broker. */
struct memory_participant {
    struct memory_participant *next;
    uint64_t delivered;
    size_t size;
    char name[];
};
struct memory_bus_broker {
    pthread_mutex_t mutex;
    struct memory_bus *buses;
    uint64_t bus_count;                           /* ever opened */
    struct memory_bus *owners[LIMITS_SHARDS_MAX]; /* who listens; NULL: nobody */
    uint32_t unacked[LIMITS_SHARDS_MAX];
    struct stored *first;
    struct stored **last;
    struct notice *notices;
    struct notice **last_notice;
    struct memory_call *calls;
    char held_subject[BUS_SUBJECT_BYTES + 1]; /* memory_bus_hold */
    bool serves;                              /* services take requests: memory_bus_take_request */
    struct map ids;
    struct memory_id *ring[MEMORY_BROKER_IDS_MAX];
    uint64_t id_count;
    uint64_t sequence;
    uint64_t round;
    size_t bytes_max;      /* of a message */
    uint64_t subject_most; /* commands of one subject; 0: any number */
    uint64_t life;         /* of all consumers: another one when everything was lost */
    struct memory_participant *participants;
};

/* All with the mutex held. */

/* True when a stream takes this subject. */
bool memory_broker_takes(struct str subject);
/* Puts a message into its stream unless the id ("" : none) is known; its sequence, or the known one's. */
uint64_t memory_broker_store(struct memory_bus_broker *broker, const struct bus_message *message,
                             struct str id);
/* True when this is a command whose subject has its share already, and its id is new. */
bool memory_broker_is_full(const struct memory_bus_broker *broker, struct str subject, struct str id);
/* Puts a request where services find it; reply: "<bus number>.<ticket>". */
void memory_broker_ask(struct memory_bus_broker *broker, const struct bus_message *message, struct str reply);
/* An answer on its way to its bus; NULL: nobody was there. */
void memory_broker_answer(struct memory_bus *to, struct str ticket, const struct bus_message *message);
/* Takes a message out of its stream. */
void memory_broker_remove(struct memory_bus_broker *broker, struct stored **place);
struct memory_participant *memory_broker_participant(struct memory_bus_broker *broker, struct str name);
/* body: of a CONTROL or CALLED notice, copied. */
void memory_broker_notify(struct memory_bus *to, struct notice notice, struct str body);
/* Ends the calls of a bus (NULL: of any) whose time was over at now_us, with this error. */
void memory_broker_end_calls(struct memory_bus_broker *broker, const struct memory_bus *asker, int64_t now_us,
                             enum err error);
/* Its text is the caller's to free. */
void memory_broker_forget(struct memory_bus_broker *broker, struct notice **place);
/* Marks as undelivered what is out and matches the shard (LIMITS_SHARDS_MAX: everything). */
void memory_broker_take_back(struct memory_bus_broker *broker, uint32_t shard);
