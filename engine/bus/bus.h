/* The seam to NATS: a small table of functions with a real implementation (nats_bus.h) and an in-memory twin
 * (memory_bus.h), one conformance suite.
 *
 * JetStream is transport, never truth: any message may be lost, doubled or late. What a message says is
 * envelope.h's matter; here are streams, consumers, publishing with acknowledgement, and requests. Threads:
 * bus_publish, bus_ack, bus_request may be called by any thread. Callbacks come on the bus's own threads,
 * hold borrowed data, may only copy and return; they must not call the bus. Streams: SAGA_CMD (saga.cmd.>,
 * work queue, discard new), SAGA_REPLY (saga.reply.>, work queue), SAGA_EVENT (saga.event.>, limits), SAGA_IN
 * (saga.start.>, saga.signal.>, saga.child.>, work queue). Made when missing at open and repaired when they
 * vanish. What each subject means, and who can have sent what came, is subject.h's matter. Errors of every
 * call that asks the server: ERR_UNAVAILABLE, it cannot be reached or it refuses, as the note says, and
 * ERR_TIMEOUT, it does not answer; further ones are named at each. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

enum {
    BUS_HEADERS_MAX = 24,
    BUS_STREAM_BYTES = 256, /* a stream's name and a NUL */
    BUS_TICKET_BYTES = 640, /* of a request: the longest path of a step, a subject, and their proof */
    BUS_TICKET_SHOWN = 56,  /* of it in a log: enough to find the saga, not enough to answer with */
};
struct bus_header {
    struct str name;
    struct str value; /* no CR or LF */
};
struct bus_message {
    struct str subject;
    struct bus_header headers[BUS_HEADERS_MAX];
    uint32_t header_count;
    struct str body;
    /* Of one that has come: what it says cannot be trusted, for a header that counts may be what is lost. */
    bool garbled;    /* its head cannot be read whole */
    uint16_t status; /* its head bears one, as only a NATS server's own messages should; 0: none */
};
/* Where a delivered message came from. */
enum bus_source {
    BUS_SOURCE_REPLY,   /* SAGA_REPLY, of a shard listened to; to be acknowledged */
    BUS_SOURCE_IN,      /* SAGA_IN; to be acknowledged */
    BUS_SOURCE_ANSWER,  /* an answer to bus_request; nothing to acknowledge */
    BUS_SOURCE_CONTROL, /* a request to a shard served; answer with bus_answer */
    BUS_SOURCE_CALLED,  /* the answer to bus_call; it cannot be turned away */
};
struct bus_delivery {
    enum bus_source source;
    uint32_t shard;      /* REPLY, CONTROL: the subject's */
    struct str ack;      /* REPLY, IN: pass to bus_ack; CONTROL: pass to bus_answer; copy it */
    struct str identity; /* REPLY, IN: tells the message from every other, and is the same however often it is
                            delivered; "" : the broker did not tell. ANSWER: the request's ticket. Copy it */
    uint64_t cookie;     /* CALLED: as given */
    enum err error; /* ANSWER: ERR_OK, or ERR_UNAVAILABLE: nobody listens, it has reached nobody. CALLED: also
                       ERR_TIMEOUT (nobody knows) */
    uint64_t delivery_count; /* 1 for the first */
    struct bus_message message;
};
/* The broker's word on a bus_publish. */
struct bus_published {
    uint64_t cookie;
    /* ERR_OK: stored, or known already. ERR_FULL: the stream takes no more; ERR_LIMIT: too large for it;
     * ERR_NOT_FOUND: no stream takes the subject; ERR_TIMEOUT: no answer in time. Publish again with the same
     * id, but after ERR_LIMIT. */
    enum err error;
    bool refused;      /* the broker itself said no: not stored, for certain */
    bool subject_full; /* with ERR_FULL: this subject has its share; others may have room */
    uint64_t sequence; /* ERR_OK: in its stream, of the first one when it was known already */
    struct str cause;  /* when not ERR_OK: the server's text, or ours; borrowed */
};
/* How far a participant's consumer has got. */
struct bus_sight {
    struct str participant;
    uint64_t cookie; /* the question's */
    /* ERR_NOT_FOUND: there is no such consumer; otherwise not ERR_OK: the broker would not tell. The rest is
     * set with ERR_OK only. */
    enum err error;
    uint64_t delivered; /* each of its commands up to this sequence has been delivered, or is gone */
    uint64_t pending;   /* commands that were never delivered */
    uint64_t working;   /* delivered and not acknowledged */
    /* The same as long as nothing happened after which `delivered` may have lost count: the consumer made
     * anew, another leader, a lost connection. Never 0. */
    uint64_t life;
    uint64_t made; /* the same as long as sequences mean the same: until the consumer, or with it the stream,
                      is made anew. Never 0 */
};
struct bus_callbacks {
    void *context;
    /* Copies into an inbox. False: no room; the bus will deliver it again later (a CONTROL request is lost,
     * and its asker times out). */
    bool (*deliver)(void *context, const struct bus_delivery *delivery);
    void (*published)(void *context, const struct bus_published *published);
    /* The answer to bus_look. */
    void (*seen)(void *context, const struct bus_sight *sight);
    /* The answer to bus_take_back: ERR_OK, the command was in its stream and is not any more; ERR_NOT_FOUND,
     * it was not there; else unknown. */
    void (*taken_back)(void *context, uint64_t cookie, enum err error);
    /* Connected again or lost: for readiness; after a reconnect unanswered publishes have been reported as
     * failed. */
    void (*connected)(void *context, bool connected);
    uint32_t shard_count; /* shards are numbered below it: replies to others are nobody's. 0: not known */
};

/* Who takes commands from the stream. */
struct bus_participant {
    struct str name;
    int64_t work_us; /* the longest it may work on one command: no second delivery before. 0: the least */
};

struct bus;
struct bus_ops {
    enum err (*participants)(struct bus *bus, const struct bus_participant *participants, uint32_t count,
                             struct err_note *note);
    enum err (*look)(struct bus *bus, struct str participant, uint64_t cookie);
    enum err (*take_back)(struct bus *bus, uint64_t sequence, uint64_t cookie);
    enum err (*listen)(struct bus *bus, uint32_t shard, int64_t epoch, struct err_note *note);
    void (*unlisten)(struct bus *bus, uint32_t shard);
    enum err (*listen_in)(struct bus *bus, struct err_note *note);
    void (*unlisten_in)(struct bus *bus);
    enum err (*publish)(struct bus *bus, const struct bus_message *message, struct str id, uint64_t cookie,
                        struct err_note *note);
    enum err (*request)(struct bus *bus, const struct bus_message *message, struct str ticket,
                        struct err_note *note);
    enum err (*holder)(struct bus *bus, struct str subject, char stream[BUS_STREAM_BYTES],
                       struct err_note *note);
    enum err (*answer)(struct bus *bus, struct str ack, struct str body);
    enum err (*call)(struct bus *bus, uint32_t shard, struct str body, int64_t timeout_us, uint64_t cookie,
                     struct err_note *note);
    void (*ack)(struct bus *bus, struct str ack);
    void (*give_back)(struct bus *bus, struct str ack, int64_t delay_us);
    void (*flush)(struct bus *bus);
    enum err (*probe)(struct bus *bus, struct err_note *note);
    uint32_t (*in_flight)(struct bus *bus);
    void (*close)(struct bus *bus);
};
struct bus {
    const struct bus_ops *ops;
};

/* Makes (or repairs) one durable pull consumer per participant, bearing its name, on SAGA_CMD with filter
 * saga.cmd.<name>.>. Its ack_wait is the longest work_us ever told, within the bounds below; one that exists
 * with a shorter one gets the longer one, never the other way round: another engine may know more. ERR_LIMIT:
 * more than a server is asked to keep. */
enum { BUS_ACK_WAIT_LEAST_S = 30, BUS_ACK_WAIT_MOST_S = 3600, BUS_ACK_WAIT_MARGIN_S = 5 };
enum err bus_participants(struct bus *bus, const struct bus_participant *participants, uint32_t count,
                          struct err_note *note);
/* Asks how far a participant has got; returns at once, `seen` tells later, unless the answer is lost: ask
 * again. ERR_UNAVAILABLE when not connected. */
enum err bus_look(struct bus *bus, struct str participant, uint64_t cookie);
/* Takes a command out of SAGA_CMD by the sequence that `published` gave; returns at once, `taken_back` tells
 * later, unless the answer is lost. Whether it was delivered before must be asked by bus_look, afterwards.
 * ERR_UNAVAILABLE when not connected. */
enum err bus_take_back(struct bus *bus, uint64_t sequence, uint64_t cookie);
/* Takes over the replies of a shard: its consumer is made anew, so that what the last owner left
 * unacknowledged comes at once; also serves saga.ctl.<shard>. Pulls go on by themselves; messages not
 * acknowledged bound what is under way (max_ack_pending). epoch: of the claim; the later one has the shard,
 * whatever two engines do that both believe to own it. ERR_CONFLICT: a later one listens. */
enum err bus_listen(struct bus *bus, uint32_t shard, int64_t epoch, struct err_note *note);
void bus_unlisten(struct bus *bus, uint32_t shard);
/* Starts and signals, shared by all engines. */
enum err bus_listen_in(struct bus *bus, struct err_note *note);
void bus_unlisten_in(struct bus *bus);
/* What ack_wait follows from work_us: with a margin, for the answer to be written. */
int64_t bus_ack_wait_us(int64_t work_us);
/* Hands the message to the broker with Nats-Msg-Id `id`; returns at once; `published` comes later, exactly
 * once, also when the connection is lost or the broker does not answer within 5 s (ERR_TIMEOUT: unknown).
 * ERR_FULL when BUS_IN_FLIGHT_MAX are unanswered, ERR_UNAVAILABLE when not connected, ERR_LIMIT when the
 * message is larger than the server takes, now and always: it has not left, `published` does not come then.
 * Copies everything. */
enum { BUS_IN_FLIGHT_MAX = 8192 };
enum err bus_publish(struct bus *bus, const struct bus_message *message, struct str id, uint64_t cookie,
                     struct err_note *note);
/* A plain NATS request (`via: request`). Each answer to it comes as BUS_SOURCE_ANSWER with its ticket,
 * whenever it comes and however many there are, as long as this bus is open; none may come at all. The ticket
 * is the caller's own: tokens of a subject, at most BUS_TICKET_BYTES. Whoever is asked learns it and can
 * answer with it again, so it must tell what it is for and be such that no other can be guessed.
 * ERR_UNAVAILABLE and ERR_FULL: it was not sent. ERR_LIMIT: it never can be. */
enum err bus_request(struct bus *bus, const struct bus_message *message, struct str ticket,
                     struct err_note *note);
/* Which stream, if any, takes what is sent to this subject and acknowledges it to who has sent it: its
 * acknowledgement answers a request before the service does. "" : none. For threads that may block. */
enum err bus_holder(struct bus *bus, struct str subject, char stream[BUS_STREAM_BYTES],
                    struct err_note *note);
/* The answer to a BUS_SOURCE_CONTROL delivery. ERR_UNAVAILABLE when not connected. */
enum err bus_answer(struct bus *bus, struct str ack, struct str body);
/* Asks the owner of a shard (saga.ctl.<shard>); returns at once, and its answer comes as BUS_SOURCE_CALLED,
 * exactly once: ERR_OK with a body; ERR_UNAVAILABLE, nobody serves the shard, so nothing was done;
 * ERR_TIMEOUT, no answer in time or the connection was lost: it may have been done. ERR_FULL when
 * BUS_CALLS_MAX are unanswered, ERR_UNAVAILABLE when not connected, ERR_LIMIT when the body is larger than
 * the server takes: no answer comes then. Goes out with the next bus_flush. Copies the body. */
enum { BUS_CALLS_MAX = 8192 };
enum err bus_call(struct bus *bus, uint32_t shard, struct str body, int64_t timeout_us, uint64_t cookie,
                  struct err_note *note);
/* Acknowledges a REPLY or IN delivery: only after the commit that holds its effect. */
void bus_ack(struct bus *bus, struct str ack);
/* Gives an IN delivery back: it comes again after the delay (0 … 60 s), most likely to another instance. For
 * what this one cannot deal with; what is merely not acknowledged comes again much later. */
void bus_give_back(struct bus *bus, struct str ack, int64_t delay_us);
/* Pushes buffered messages out now: once at the end of each batch. */
void bus_flush(struct bus *bus);
/* For readiness: a real publish with acknowledgement, an answer of each stream, each right the engine needs,
 * and whether deliveries and acknowledgements move. Blocks, at most 2 s; the note names what is missing. */
enum err bus_probe(struct bus *bus, struct err_note *note);
uint32_t bus_in_flight(struct bus *bus);
void bus_close(struct bus *bus);

/* The header's value, or the empty str. Names compare without regard to case. */
struct str bus_header(const struct bus_message *message, struct str name);
/* Adds a header (borrowed); nothing when value is empty. */
void bus_header_add(struct bus_message *message, struct str name, struct str value);

/* What every bus refuses at once: ERR_INVALID for a subject with blanks, wildcards or empty tokens, for
 * header names and values that would break out of their line; ERR_LIMIT when subject or headers are too long.
 */
enum {
    BUS_SUBJECT_BYTES = 511,  /* saga.cmd. and two names fit well; via request: what authors write */
    BUS_HEADERS_BYTES = 8192, /* all headers of one message that we send: a dozen short ones */
};
enum err bus_check(const struct bus_message *message, struct str id, struct err_note *note);
/* A participant's name is one token of a subject and the name of a consumer. ERR_INVALID when it is not. */
enum err bus_check_participant(struct str name, struct err_note *note);
