/* What the parts of the NATS bus share; private to engine/bus.
 *
 * Three lines of nats_line.h: `publisher` (commands, events, requests, calls, and what answers them),
 * `consumer` (pulling and acknowledging), and `admin` for what is rare and may block: streams, consumers,
 * control. Parts: nats_publish.c the publisher, nats_backlog.c participants' progress, nats_call.c calls to
 * other engines, nats_pull.c the consumer, nats_admin.c streams and consumers, nats_keeper.c the thread that
 * repairs them, nats_strays.c what no consumer takes, nats_control.c the admin line and calls of other
 * engines, nats_probe.c readiness, nats_faults.h what is refused, nats_bus.c opening and closing. Locks:
 * admin_mutex before pull_mutex; no callback of the owner is called with one held. Errors as bus.h has them
 * for what each serves. */
#pragma once
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include "engine/base/limits.h"
#include "engine/bus/bus.h"
#include "engine/bus/nats_faults.h"
#include "engine/bus/nats_line.h"
#include "engine/bus/nats_message.h"
#include "engine/bus/nats_slots.h"

enum {
    NATS_PUBLISH_WAIT_US = 5000000, /* then the publish is unknown (bus.h) */
    NATS_API_WAIT_MS = 2000,        /* one call to the JetStream API: a healthy server takes 1 ms */
    NATS_KEEPER_PERIOD_MS = 5000,   /* streams and consumers are looked at this often, */
    NATS_KEEPER_REST_MS = 200,      /* and when something failed, but not more often than this; */
    NATS_KEEPER_UNEASY_MS = 1000,   /* and so often while a consumer does not move */
    NATS_ACK_WAIT_MS = 10000,       /* of our consumers: then the server delivers again; */
    NATS_OWING_US = 15000000,       /* if nothing at all moves for so long, it forgot to, */
    NATS_FLOOR_US = 60000000,       /* and so it did if others pass the oldest one for so long */
    NATS_STUCK_US = 8000000, /* acknowledgements were sent, and none arrived: less than NATS_ACK_WAIT_MS */
    NATS_DESERTED_US =
        15000000,           /* a shard that a later owner listens to no more: longer than its start takes */
    NATS_STRIKES_MAX = 3,   /* time-outs in a row after which the rest of a round waits for the next one, */
    NATS_FAILURES_MAX = 16, /* and so many failures of any kind */
    NATS_TOLD_MAX = 4,      /* lines in the log about one round's failures; the rest is one number */
    NATS_TURN = 128,    /* participants looked at in a round, each in its turn: 4096 of them in three minutes,
                           for a fortieth of what JetStream can answer */
    NATS_WANTED = 1024, /* that commands wait for: looked at in each round, so many at most; a power of two */
    NATS_STREAM_COUNT = 5,
    NATS_SHARE_MESSAGES = 100000, /* commands of one subject: ten times the default of backlog_commands, so
                                     that starts end first; a hundred of them fill the stream that we make */
    NATS_SHARE_PARTS = 10, /* of a stream that an operator made smaller, no subject gets more than a tenth, */
    NATS_SHARE_LEAST = 10, /* unless that were too few to work with */
    NATS_GONE_US = 1000000, /* before a vanished stream is made again; deleting files takes less */
    NATS_PULL_WINDOW = 512, /* messages asked for at a time: max_ack_pending of a shard's consumer */
    NATS_PULL_EXPIRES_MS = 30000,
    NATS_PULL_HEARTBEAT_MS = 5000,
    NATS_PULL_SILENCE_US = 12000000, /* two heartbeats missed and some: ask again */
    NATS_PULL_REST_US = 250000,      /* after a refusal, before asking again */
    NATS_NAK_DELAY_MS = 100, /* before a message that found no room comes again: so long the first time, */
    NATS_NAK_DOUBLINGS = 3,  /* and twice as long so often */
    NATS_NAME_BYTES = 160,   /* of a consumer, a subject of ours or a stream */
    NATS_HELD_US = 60000000, /* an answer that finds no room is offered for so long */
    NATS_HELD_MAX = 8192,    /* answers held for that: what a runner's inbox takes, once more, */
    NATS_HELD_BYTES = 67108864,
    NATS_TOKEN_SIZE = 17,                        /* 16 hex digits and a NUL */
    NATS_PARTICIPANTS_MAX = LIMITS_PARTICIPANTS, /* distinct participants of all definitions loaded */
    NATS_IN_SLOT = LIMITS_SHARDS_MAX             /* the pull of SAGA_IN stands behind those of the shards */
};

/* Of every engine's inbox, before the instance's name. */
#define NATS_INBOX_PREFIX "_INBOX_saga."

/* One consumer we pull from. Exists while listened to. All fields under pull_mutex. */
struct nats_pull {
    uint32_t slot; /* shard, or NATS_IN_SLOT */
    char stream[16];
    char consumer[32];
    uint64_t epoch;      /* of the shard's owner: the later one has the consumer */
    char mark[80];       /* description of a shard's consumer, begins with the epoch: tells ours from another
                            owner's */
    int32_t asked;       /* messages asked for and not come yet; 0: nothing is under way */
    int64_t heard_us;    /* last message, heartbeat or request */
    int64_t rest_us;     /* no request before this time */
    bool lost;           /* another bus took the shard over, */
    int64_t lost_us;     /* since when, */
    int64_t deserted_us; /* and since when nobody pulls there; 0: not so */
    bool deaf;           /* what was asked for came to silence, and nothing was heard since */
    uint64_t seen;       /* progress at the keeper's last look, to notice a stalled consumer */
    uint32_t still;      /* looks without progress while messages wait */
    uint64_t floor;      /* at the keeper's last look */
    int64_t moved_us;    /* the last look that saw progress, or nothing owed; 0: none yet */
    int64_t rose_us;     /* the last look that saw the floor rise, or nothing owed */
    uint64_t delivered;  /* these two: at the keeper's last look */
    uint64_t pending;
    uint64_t acks_then;        /* acknowledgements sent before the last look that saw something arrive */
    int64_t stood_us;          /* when that was, or when one was sent for the first time since */
    bool stuck;                /* they do not arrive */
    natsSubscription *control; /* saga.ctl.<shard>; NULL for SAGA_IN */
};

/* Answers to requests that found no room at the owner's: offered again with each tick. */
struct nats_held {
    natsMsg *message; /* owned */
    int64_t until_us; /* then it is dropped */
};

/* One question of a look at readiness, and its answer. */
enum nats_probe_kind {
    NATS_PROBE_STORE,    /* to be stored */
    NATS_PROBE_STREAM,   /* to be refused by the leader of the stream */
    NATS_PROBE_API,      /* any answer of JetStream's is right */
    NATS_PROBE_REFUSED,  /* to be refused by any stream, or by nobody: the server let it through */
    NATS_PROBE_CONSUMER, /* somebody must be there to answer */
    NATS_PROBE_RIGHT,    /* any answer is right: the server let it through */
};
struct nats_probe {
    enum nats_probe_kind kind;
    char subject[NATS_FAULTS_SUBJECT_BYTES];
    char what[NATS_FAULTS_SUBJECT_BYTES];
    bool answered;
    int status;
    char answer[512]; /* cut; an error of JetStream's is shorter */
};
enum { NATS_PROBES_MAX = NATS_FAULTS_MAX + 32 };
struct nats_probing {
    pthread_mutex_t turn;  /* one look at a time */
    pthread_mutex_t mutex; /* all below */
    pthread_cond_t changed;
    uint32_t round;
    uint32_t count, open; /* questions, and those not answered */
    struct nats_probe probes[NATS_PROBES_MAX];
};

struct nats_bus {
    struct bus base; /* first: struct bus * is struct nats_bus * */
    struct arena arena;
    struct nats_options options;
    const char *own_inbox; /* a subject below our inbox prefix */
    struct bus_callbacks callbacks;
    uint32_t replicas;
    struct nats_line *publisher;
    struct nats_line *consumer;
    struct nats_line *admin;
    jsCtx *js; /* of the admin's connection: for who holds that */
    struct nats_slots publishes;
    struct nats_slots calls;
    uint64_t call_secret; /* what answers to calls must know */
    pthread_mutex_t held_mutex;
    struct nats_held *held; /* NATS_HELD_MAX */
    uint32_t held_count;
    size_t held_bytes;
    char publish_token[NATS_TOKEN_SIZE]; /* of reply subjects: who is asked something sees the inbox, not this
                                          */
    pthread_mutex_t admin_mutex; /* one maker of streams and consumers at a time; guards participants */
    int64_t gone_us[NATS_STREAM_COUNT]; /* when a stream was first seen to be missing; 0: it is there */
    uint32_t replicas_seen[NATS_STREAM_COUNT]; /* 0: never seen */
    bool share_told;                           /* in the log, that it could not be given */
    bool opened;                               /* streams that miss now were there before */
    struct bus_participant *participants;
    uint32_t participant_count;
    _Atomic uint64_t wanted[NATS_WANTED]; /* hashes of names, each at its place: nats_backlog.c asked for them
                                             since the keeper's last look. One that another pushes out waits
                                             for its turn */
    atomic_uint publisher_life;           /* connections of the publisher so far: nats_backlog.c */
    pthread_mutex_t pull_mutex;
    struct nats_pull **pulls; /* LIMITS_SHARDS_MAX + 1; NULL: not listened to */
    uint32_t *listed;         /* slots that are not NULL */
    uint32_t listed_count;
    _Atomic uint64_t *acks; /* by slot: acknowledgements sent */
    struct nats_faults faults;
    struct nats_probing probing;
    pthread_mutex_t state_mutex;
    pthread_cond_t state_changed;
    bool publisher_up;
    bool consumer_up;
    bool told;   /* what `connected` was last told */
    bool kicked; /* the keeper should look now */
    bool closing;
    bool keeper_runs;
    bool uneasy; /* the keeper's own: something did not move since the last look */
    pthread_t keeper;
};

/* nats_bus.c: a line went up or down (then: why); logs it, tells the owner when both are up or one is not.
 * `flag`: of the publisher or the consumer, NULL for the admin. */
void nats_bus_state(struct nats_bus *bus, const char *line, bool *flag, bool up, const char *why);

/* nats_publish.c: the publisher's callbacks and operations. */
extern const struct nats_line_callbacks nats_publish_callbacks; /* context to be set */
enum err nats_publish(struct bus *base, const struct bus_message *message, struct str id, uint64_t cookie,
                      struct err_note *note);
/* Answers everything unanswered with `error`. */
void nats_publish_fail_all(struct nats_bus *bus, enum err error);

/* nats_backlog.c: how far participants have got, and commands taken back; on the publisher's line. */
enum err nats_backlog_look(struct bus *base, struct str participant, uint64_t cookie);
enum err nats_backlog_take_back(struct bus *base, uint64_t sequence, uint64_t cookie);
/* What came to <inbox>.<kind>.<rest>; kind is 'i' or 'd'. */
void nats_backlog_answer(struct nats_bus *bus, char kind, const char *rest, natsMsg *message);
/* nats_request.c: plain requests, on the publisher's line. */
enum err nats_request(struct bus *base, const struct bus_message *message, struct str ticket,
                      struct err_note *note);
enum err nats_holder(struct bus *base, struct str subject, char stream[BUS_STREAM_BYTES],
                     struct err_note *note);
/* An answer came to <inbox>.q.<ticket>; takes the message. */
void nats_request_answered(struct nats_bus *bus, natsMsg *message);
/* Offers again what found no room. */
void nats_request_tick(struct nats_bus *bus, int64_t now_us);

/* nats_pull.c: the consumer's callbacks and operations. */
extern const struct nats_line_callbacks nats_pull_callbacks; /* context to be set */
enum err nats_pull_listen(struct bus *base, uint32_t shard, int64_t epoch, struct err_note *note);
void nats_pull_unlisten(struct bus *base, uint32_t shard);
enum err nats_pull_listen_in(struct bus *base, struct err_note *note);
void nats_pull_unlisten_in(struct bus *base);
void nats_pull_ack(struct bus *base, struct str ack);
void nats_pull_give_back(struct bus *base, struct str ack, int64_t delay_us);
/* Forgets what was asked for and asks anew: after its consumer was made anew. */
void nats_pull_restart(struct nats_bus *bus, uint32_t slot);
void nats_pull_free_all(struct nats_bus *bus);

/* nats_admin.c: with admin_mutex held by the caller, except where said. */
enum err nats_admin_streams(struct nats_bus *bus, struct err_note *note);
/* One of them, by number; its name in any case. */
enum err nats_admin_stream(struct nats_bus *bus, uint32_t number, struct err_note *note);
const char *nats_admin_stream_name(uint32_t number);
enum err nats_admin_participants(struct bus *base, const struct bus_participant *participants, uint32_t count,
                                 struct err_note *note); /* takes admin_mutex */
/* One durable consumer of ours; `mark` (may be "") goes into its description. */
struct nats_consumer {
    const char *stream;
    const char *name;
    const char *filter; /* NULL: all */
    const char *mark;
    int64_t ack_wait_ms;
    int64_t ack_pending_max;
};
/* Makes it, or gives the one that exists this ack_wait. */
enum err nats_admin_make(struct nats_bus *bus, const struct nats_consumer *consumer, struct err_note *note);
enum err nats_admin_remove(struct nats_bus *bus, const char *stream, const char *name, struct err_note *note);
/* What the keeper needs to know of a consumer. */
struct nats_consumer_look {
    bool exists;
    bool ours;          /* it bears the mark */
    uint64_t epoch;     /* in the mark it bears; 0: none */
    uint64_t delivered; /* the last sequence of the stream that was */
    uint64_t pending;   /* delivered and not acknowledged */
    bool waiting;       /* somebody pulls */
    bool backlog;       /* messages wait though a pull and room for them are there */
    bool owing;         /* somebody pulls, and messages that were delivered are not acknowledged */
    int64_t ack_wait_ms;
    uint64_t progress;
    uint64_t floor; /* all deliveries up to this one are acknowledged */
};
enum err nats_admin_look(struct nats_bus *bus, const struct nats_consumer *consumer,
                         struct nats_consumer_look *look, struct err_note *note);
void nats_admin_participant(const struct bus_participant *participant, char filter[NATS_NAME_BYTES],
                            char durable[NATS_NAME_BYTES], struct nats_consumer *consumer);
void nats_admin_pull(const struct nats_pull *pull, char filter[NATS_NAME_BYTES],
                     struct nats_consumer *consumer);

/* nats_widen.c: gives a stream that exists these subjects, and leaves all else of its configuration as it is,
 * also what this version of nats.c does not know. With admin_mutex held. */
enum err nats_widen_stream(struct nats_bus *bus, const char *stream, const char *const *subjects, int count,
                           struct err_note *note);

/* nats_strays.c: the keeper's; which were handed over in the last round. */
enum { NATS_STRAYS_MAX = 32 }; /* subjects a round: who sends to more is counted all the same, next time */
struct nats_stray {
    char subject[256];
    uint64_t sequence;
};
struct nats_strays {
    struct nats_stray items[NATS_STRAYS_MAX];
    uint32_t count;
    int64_t look_us; /* monotonic: not before */
};
void nats_strays_keep(struct nats_bus *bus, struct nats_strays *strays);

/* Gives a stream, whose messages are refused when it is full, a share for each subject, so that one that
 * nobody takes from fills its own share only. Nothing when it has one that is less than the whole, and not
 * before the stream is empty enough: the server drops what is above the share. *share: the one given, or 0.
 */
enum err nats_widen_share(struct nats_bus *bus, const char *stream, int64_t *share, struct err_note *note);

/* nats_keeper.c */
void nats_keeper_start(struct nats_bus *bus);
void nats_keeper_kick(struct nats_bus *bus);
void nats_keeper_stop(struct nats_bus *bus);
/* Whether pulls are answered and acknowledgements arrive, as far as the keeper has seen. */
enum err nats_keeper_well(struct nats_bus *bus, struct err_note *note);

/* nats_probe.c */
void nats_probe_init(struct nats_probing *probing);
void nats_probe_fini(struct nats_probing *probing);
enum err nats_probe(struct bus *base, struct err_note *note);
/* What came to <inbox>.s.<rest>; takes the message. */
void nats_probe_answer(struct nats_bus *bus, const char *rest, natsMsg *message);

/* nats_call.c */
enum err nats_call(struct bus *base, uint32_t shard, struct str body, int64_t timeout_us, uint64_t cookie,
                   struct err_note *note);
/* text: what stands behind "<inbox>.c." in the subject. Takes the message. */
void nats_call_answered(struct nats_bus *bus, const char *text, natsMsg *message);
/* Ends those whose deadline is at or before now_us (INT64_MAX: all). */
void nats_call_expire(struct nats_bus *bus, int64_t now_us);

/* nats_control.c */
enum err nats_control_open(struct nats_bus *bus, struct err_note *note);
void nats_control_close(struct nats_bus *bus);
/* The admin's JetStream context, good until nats_control_release; NULL and a note when it is not connected.
 */
jsCtx *nats_control_hold(struct nats_bus *bus, struct err_note *note);
void nats_control_release(struct nats_bus *bus);
/* Subscribes saga.ctl.<shard> for a shard that is listed. After the admin line was lost it comes back by
 * itself. */
enum err nats_control_serve(struct nats_bus *bus, uint32_t shard, struct err_note *note);
/* Tries again what was refused: the admin line is made anew. */
void nats_control_retry(struct nats_bus *bus);
enum err nats_control_answer(struct bus *base, struct str ack, struct str body);
