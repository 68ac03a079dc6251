/* What is known about a finished run, from three sources that know nothing of each other: the client's own
 * notes, the participants' own logs, and PostgreSQL read by SQL. The checker judges it; its tests corrupt it.
 *
 * Everything lives in one arena, texts borrow from it. One thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/json.h"

/* A start as the client saw it. */
struct facts_start {
    struct str definition;
    struct str key;   /* "" : none */
    struct str input; /* JSON text as sent */
    int status;       /* HTTP; 0: no answer came, so it may or may not have happened */
    struct str id;    /* where it was told */
    bool by_nats;     /* published to saga.start.<definition>: no answer at all */
    struct str end;   /* the status that it must come to rest with; "" : any */
};
/* An operator's verb as the client saw it; reasons are unique. */
struct facts_verb {
    struct str id;
    struct str verb;
    struct str actor;
    struct str reason;
    int status;
};
/* An event for an await, as the client sent it; ids are unique but for repetitions. */
struct facts_signal {
    struct str saga; /* "" : named by the next two */
    struct str definition;
    struct str key;
    struct str id;
    int status; /* 0: no answer came, or it went by NATS */
};
/* A line of a participant's log. */
struct facts_line {
    int64_t at_us;
    struct str participant;
    struct str what; /* recv, effect, closed, reply */
    struct str command;
    struct str key;
    struct str kind;
    struct str action;
    int64_t attempt;
    int64_t delivery;
    struct str body;   /* recv */
    struct str status; /* reply */
    struct str id;     /* reply: Nats-Msg-Id */
};
struct facts_saga {
    struct str id;
    struct str definition;
    struct str hash;
    struct str definition_hash; /* of the stored definition of its version */
    struct str status;
    struct str key;
    struct str reason_code;
    struct str parent; /* "" : none */
    int64_t seq;
    bool ended;
    bool overdue;          /* not ended, and its timer was due long ago */
    uint32_t first_record; /* index into records; its rows stand together, by seq */
    uint32_t record_count;
};
struct facts_record {
    struct str saga;
    int64_t seq;
    int64_t at_us;
    int64_t lsn;
    int64_t shard;
    struct str kind;
    struct str step;
    int64_t attempt;
    const struct json *data;
    const struct json *changes; /* of data */
};
struct facts_dead {
    struct str reason;
    struct str command;
    struct str message_id; /* Nats-Msg-Id among its headers */
};
struct facts_shard {
    int64_t id;
    int64_t last_lsn;
    int64_t published_lsn;
};

struct facts {
    struct arena *arena; /* borrowed */
    struct facts_start *starts;
    struct facts_verb *verbs;
    struct facts_signal *signals;
    struct facts_line *lines;
    struct facts_saga *sagas; /* by id */
    struct facts_record *records;
    struct facts_dead *dead;
    struct facts_shard *shards;
    uint32_t start_count, verb_count, signal_count, line_count, saga_count, record_count, dead_count,
        shard_count;
    uint32_t start_room, verb_room, signal_room, line_room, saga_room, record_room, dead_room, shard_room;
    bool drained;  /* the engines were stopped in order: their marks must stand at the end */
    bool lossless; /* neither the broker's data nor a participant's work was lost on purpose */
};

void facts_init(struct facts *facts, struct arena *arena);
/* Each adds one and gives it, zeroed. */
struct facts_start *facts_add_start(struct facts *facts);
struct facts_verb *facts_add_verb(struct facts *facts);
struct facts_signal *facts_add_signal(struct facts *facts);
struct facts_line *facts_add_line(struct facts *facts);
struct facts_saga *facts_add_saga(struct facts *facts);
struct facts_record *facts_add_record(struct facts *facts);
struct facts_dead *facts_add_dead(struct facts *facts);
struct facts_shard *facts_add_shard(struct facts *facts);

/* Ends the test when a source cannot be read, or when a log has a gap (M6). */
void facts_read_database(struct facts *facts, const char *url);
void facts_read_log(struct facts *facts, const char *path, const char *participant);
/* A deep copy, for tests that corrupt it. */
void facts_copy(struct facts *copy, const struct facts *facts, struct arena *arena);
