/* The seam to PostgreSQL: a small table of functions with a real implementation (postgres.h) and an in-memory
 * twin (memory_store.h), held to the same behaviour by one conformance suite.
 *
 * Happy path of a runner: store_claim once, then for each batch store_append (one transaction: fences,
 * journal rows, saga rows, dead letters, marks), store_renew every third of the lease. Readers (HTTP, tools)
 * use a handle of their own. Errors of every call: ERR_UNAVAILABLE (nothing was written), ERR_UNKNOWN_OUTCOME (a
 * commit's answer was lost: ask store_committed after store_reconnect), ERR_SCHEMA (from renew and reconnect:
 * the database was migrated to a version that does not serve this program: release the shards), ERR_FENCED
 * (another engine owns a shard of the batch: nothing was written, drop what is in memory), ERR_BAD_DATA
 * handled inside by bisection. One thread at a time per handle. Whatever is returned is in the caller's
 * arena. Times are microseconds since 1970 on the database's clock. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/id.h"
#include "engine/base/str.h"

/* A shard as its owner knows it. Marks: every journal row with lsn <= published_lsn has had its commands
 * acknowledged by the broker. */
struct store_shard {
    uint32_t shard;
    int64_t epoch;    /* rises with each claim; a batch under an older one is refused */
    int64_t last_lsn; /* of the shard's newest batch */
    int64_t published_lsn;
    int64_t before_lsn; /* in a batch: the last_lsn it was made on top of */
};
/* The narrow row of a saga: a projection, overwritten by each transition. */
struct store_saga {
    struct id id;
    uint32_t shard;
    struct str definition;
    int32_t version;
    struct str hash;
    struct str status; /* core_status_text */
    bool paused;
    int64_t seq;
    struct str waiting;     /* one line of what it waits for */
    struct str reason_code; /* why it goes or went back, or why it is parked */
    struct str key;         /* "" : none */
    struct str search;      /* JSON object text */
    int64_t started_us;
    int64_t updated_us;
    int64_t ended_us;   /* 0: not ended */
    int64_t wake_us;    /* next timer; 0: none */
    bool has_parent;    /* a child saga; fixed by the row's first batch */
    struct id parent;   /* right behind */
    bool created;       /* in a batch: this batch holds its first record, so the row is inserted */
    int64_t before_seq; /* in a batch, unless created: the seq it was made on top of */
};
struct store_record {
    struct id id;
    uint32_t shard;
    int64_t seq;
    int64_t at_us;
    int64_t lsn;
    struct str kind;
    struct str step; /* "" : none */
    uint32_t attempt;
    struct str data; /* JSON text, kept byte for byte */
};
struct store_dead_letter {
    int64_t number; /* given by the store; 0 in a batch */
    int64_t at_us;
    uint32_t shard;
    struct str reason; /* a sentence */
    struct str subject;
    struct str saga;       /* where it can be told, else "" */
    struct str command;    /* likewise */
    struct str headers;    /* JSON object text */
    struct str body;       /* bytes, cut at LIMITS_PAYLOAD_BYTES */
    struct str message;    /* which message it is (bus_delivery.identity): one that has a dead letter already
                              gets no second one; "" : not told, any number */
    const struct id *with; /* in a batch: the saga on whose rows in it the reason rests, and with which it is
                              refused; NULL: stored whatever becomes of the sagas */
};
/* One transaction. All rows of one saga stand together, in rising seq; rows of a shard in rising lsn. */
struct store_batch {
    struct str owner;                 /* who claimed the shards; "": not compared */
    const struct store_shard *shards; /* each shard touched, with its epoch and its new marks; last_lsn must
                                         rise with every batch */
    uint32_t shard_count;
    const struct store_saga *sagas; /* the state after the batch, one row a saga */
    uint32_t saga_count;
    const struct store_record *records;
    uint32_t record_count;
    const struct store_dead_letter *dead;
    uint32_t dead_count;
    int64_t dead_letters_most; /* that a shard keeps, in number and in bytes; 0: as many as come. The oldest
                                  of the largest class */
    int64_t dead_bytes_most;   /* go first (store_dead.h) */
    int64_t *dead_gone;        /* out, by append_once: how many went for this batch; may be NULL */
};
/* Sagas whose rows the database refused (a value it cannot hold, a key used twice); all else of the batch is
 * committed. */
struct store_rejected {
    struct id id;
    struct str reason;
};
struct store_definition {
    struct str name;
    int32_t version;
    struct str hash;
    struct str bundle;
    bool enabled;
    int64_t created_us;
    int64_t disabled_us; /* of the twin in memory; PostgreSQL keeps it to itself */
};
/* How far a saga is. */
struct store_glance {
    struct id id;
    int64_t seq;
    bool ended;
    struct str status; /* core_status_text */
};
/* What a start with a key finds. */
struct store_keyed {
    struct id id;
    struct str definition;
    struct str key;
    struct str status;
    int64_t seq;
    int32_t version;
    struct str start_data; /* data column of its first record, for comparing the input */
};
struct store_filter {
    struct str status;              /* "" : any */
    struct str definition;          /* "" : any */
    struct str key;                 /* "" : any */
    const struct str *search_names; /* attribute = text, all must hold */
    const struct str *search_values;
    uint32_t search_count;
    int64_t since_us; /* started at or after; 0: any */
    bool has_parent;  /* child sagas of this one */
    struct id parent;
    bool has_cursor; /* continue after this id, newest first */
    struct id cursor;
    uint32_t limit; /* 1 … 1000 */
};
/* An engine as others see it. */
struct store_instance {
    struct str name;
    struct str incarnation; /* this start of it: 16 hex digits, which nobody else has */
    struct str address;     /* for people: where it runs */
    struct str version;
};
/* What an engine hears when it says that it lives. */
struct store_standing {
    int64_t beat_us; /* when whoever has the name last said so; 0: not told */
    uint32_t peers;  /* engines of other names that live and whose bus has worked for a lease */
};
/* A lease that ends later was granted by a clock that was ahead: it counts as expired. config.def allows 10
 * min.
 */
static const int64_t STORE_LEASE_LONGEST_US = 11 * 60 * INT64_C(1000000);
struct store_open_saga {
    struct id id;
    int64_t wake_us; /* 0: none */
    int64_t updated_us;
};
/* L2 of PROMISES.md broken: a saga that is not ended and waits for nothing, or whose shard no engine owns.
 */
struct store_stuck {
    struct id id;
    struct str status;
    struct str problem;
};

struct store;
/* Every function: ERR_OK, or an error and a note. Lists come as (array, count) in arena. */
struct store_ops {
    enum err (*reconnect)(struct store *store, struct err_note *note);
    enum err (*now)(struct store *store, int64_t *now_us, struct err_note *note);
    enum err (*shard_count)(struct store *store, uint32_t *count, struct err_note *note);
    enum err (*enter)(struct store *store, const struct store_instance *instance, int64_t lease_us,
                      int64_t bus_us, struct store_standing *standing, struct err_note *note);
    enum err (*leave)(struct store *store, const struct store_instance *instance, struct err_note *note);
    enum err (*engine_key)(struct store *store, struct arena *arena, struct str *key, struct err_note *note);
    enum err (*claim)(struct store *store, struct str instance, int64_t lease_us, uint32_t most,
                      struct arena *arena, struct store_shard **shards, uint32_t *count,
                      struct err_note *note);
    enum err (*renew)(struct store *store, struct str instance, int64_t lease_us,
                      const struct store_shard *shards, uint32_t count, bool *kept, struct store_shard *found,
                      int64_t *now_us, struct err_note *note);
    enum err (*release)(struct store *store, const struct store_shard *shards, uint32_t count,
                        struct err_note *note);
    enum err (*append_once)(struct store *store, const struct store_batch *batch, struct err_note *note);
    /* As append_once, but undone at the end: tells what append_once would say. */
    enum err (*append_try)(struct store *store, const struct store_batch *batch, struct err_note *note);
    enum err (*committed)(struct store *store, const struct store_batch *batch, bool *committed,
                          struct err_note *note);
    enum err (*open_sagas)(struct store *store, uint32_t shard, struct arena *arena,
                           struct store_open_saga **sagas, uint32_t *count, struct err_note *note);
    enum err (*unpublished)(struct store *store, uint32_t shard, int64_t after_lsn, uint32_t most,
                            struct arena *arena, struct store_record **records, uint32_t *count,
                            struct err_note *note);
    enum err (*load_many)(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                          struct store_saga **sagas, uint32_t *saga_count, struct store_record **records,
                          uint32_t *record_count, struct err_note *note);
    enum err (*find_keys)(struct store *store, const struct str *definitions, const struct str *keys,
                          uint32_t count, struct arena *arena, struct store_keyed **found,
                          uint32_t *found_count, struct err_note *note);
    enum err (*glance)(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                       struct store_glance **found, uint32_t *count, struct err_note *note);
    enum err (*list)(struct store *store, const struct store_filter *filter, struct arena *arena,
                     struct store_saga **sagas, uint32_t *count, struct err_note *note);
    enum err (*dead_letters)(struct store *store, struct str saga, int64_t before_number, uint32_t limit,
                             struct arena *arena, struct store_dead_letter **letters, uint32_t *count,
                             struct err_note *note);
    enum err (*forget_dead)(struct store *store, int64_t before_us, uint32_t most, uint32_t *gone,
                            struct err_note *note);
    enum err (*definition_put)(struct store *store, const struct store_definition *definition,
                               struct err_note *note);
    enum err (*definition_enable)(struct store *store, struct str name, int32_t version, bool enabled,
                                  struct err_note *note);
    enum err (*definition_delete)(struct store *store, struct str name, int32_t version,
                                  struct err_note *note);
    enum err (*definition_get)(struct store *store, struct str name, int32_t version, struct arena *arena,
                               struct store_definition *definition, struct err_note *note);
    enum err (*definitions)(struct store *store, struct str name, struct arena *arena,
                            struct store_definition **definitions, uint32_t *count, struct err_note *note);
    enum err (*doctor)(struct store *store, struct arena *arena, struct store_stuck **stuck, uint32_t *count,
                       struct err_note *note);
    enum err (*suspect)(struct store *store, struct str message, struct str hand, uint32_t *hands,
                        struct err_note *note);
    enum err (*suspect_clear)(struct store *store, struct str message, struct err_note *note);
    enum err (*probe)(struct store *store, struct err_note *note);
    void (*close)(struct store *store);
};
struct store {
    const struct store_ops *ops;
};

/* After a broken connection; ERR_UNAVAILABLE while the server is away, ERR_SCHEMA. Never waits longer than a
 * few seconds. */
enum err store_reconnect(struct store *store, struct err_note *note);
enum err store_now(struct store *store, int64_t *now_us, struct err_note *note);
/* The number of shards fixed at migrate. */
enum err store_shard_count(struct store *store, uint32_t *count, struct err_note *note);
/* Takes the name for this incarnation, or says that it still lives: until now + lease. bus_us: how long its
 * bus has worked without a break; negative: it does not. The first time, shards held under the name before
 * (by "<name>#<runner>/<another incarnation>") are set free. ERR_CONFLICT: another incarnation lives; it does
 * while its lease is not over and it has a session (a handle opened for it). The note names it; standing
 * tells its beat. */
enum err store_enter(struct store *store, const struct store_instance *instance, int64_t lease_us,
                     int64_t bus_us, struct store_standing *standing, struct err_note *note);
/* Gives the name up, if this incarnation has it. */
enum err store_leave(struct store *store, const struct store_instance *instance, struct err_note *note);
/* The secret of this database's engines, STORE_KEY_BYTES random bytes, the same for ever. ERR_NOT_FOUND:
 * somebody took it away. */
enum { STORE_KEY_BYTES = 32 };
enum err store_engine_key(struct store *store, struct arena *arena, struct str *key, struct err_note *note);
/* Takes up to `most` shards that are free, expired or this instance's own already, with a new epoch each,
 * until now + lease. */
enum err store_claim(struct store *store, struct str instance, int64_t lease_us, uint32_t most,
                     struct arena *arena, struct store_shard **shards, uint32_t *count,
                     struct err_note *note);
/* Prolongs; kept[i] false: lost. found[i]: the shard as the database has it, for comparing. Gives the
 * database's clock. ERR_SCHEMA: all may still be released. */
enum err store_renew(struct store *store, struct str instance, int64_t lease_us,
                     const struct store_shard *shards, uint32_t count, bool *kept, struct store_shard *found,
                     int64_t *now_us, struct err_note *note);
/* Gives them back at once (drain), only those whose epoch still holds. */
enum err store_release(struct store *store, const struct store_shard *shards, uint32_t count,
                       struct err_note *note);
/* The batch in one transaction. When the database refuses a value, the culprits are found by bisection, in
 * transactions that are undone: `rejected` (room for saga_count; valid after ERR_UNKNOWN_OUTCOME too) names
 * them, and the rest is committed in one transaction. A saga refused leaves nothing of itself, nor of the
 * dead letters that stand with it. Dead letters that are refused lose their body, not their row.
 * ERR_CONFLICT: the database is not where the batch was made on top of: it was written before, or the
 * database has lost commits (the note tells); what memory holds of its shards is worth nothing then. A saga
 * whose row is not at its before_seq is refused alone. */
enum err store_append(struct store *store, const struct store_batch *batch, struct arena *arena,
                      struct store_rejected *rejected, uint32_t *rejected_count, struct err_note *note);
/* After ERR_UNKNOWN_OUTCOME: whether it was committed (last_lsn of its shards tells). ERR_FENCED when another
 * owns one of them by now, ERR_CONFLICT when the database has lost commits from before it. */
enum err store_committed(struct store *store, const struct store_batch *batch, bool *committed,
                         struct err_note *note);
/* Every saga of the shard that has not ended. */
enum err store_open_sagas(struct store *store, uint32_t shard, struct arena *arena,
                          struct store_open_saga **sagas, uint32_t *count, struct err_note *note);
/* Journal rows above a mark in lsn order, at most `most`: what must be sent again after a takeover. */
enum err store_unpublished(struct store *store, uint32_t shard, int64_t after_lsn, uint32_t most,
                           struct arena *arena, struct store_record **records, uint32_t *count,
                           struct err_note *note);
/* One saga and its journal in seq order; ERR_NOT_FOUND. */
enum err store_load(struct store *store, struct id id, struct arena *arena, struct store_saga *saga,
                    struct store_record **records, uint32_t *count, struct err_note *note);
/* Several at once (one round trip); those not found are left out. Records ordered by saga as in `sagas`, then
 * seq. */
enum err store_load_many(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                         struct store_saga **sagas, uint32_t *saga_count, struct store_record **records,
                         uint32_t *record_count, struct err_note *note);
/* Sagas with these (definition, key) pairs; those not found are left out. */
enum err store_find_keys(struct store *store, const struct str *definitions, const struct str *keys,
                         uint32_t count, struct arena *arena, struct store_keyed **found,
                         uint32_t *found_count, struct err_note *note);
/* How far these sagas are, without their journals, each once, in any order; those not found are left out. At
 * most LIMITS_STORE_LIST ids. */
enum err store_glance(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                      struct store_glance **found, uint32_t *count, struct err_note *note);
/* Newest first (by id), at most filter->limit. */
enum err store_list(struct store *store, const struct store_filter *filter, struct arena *arena,
                    struct store_saga **sagas, uint32_t *count, struct err_note *note);
/* Newest first, numbers below before_number (0: from the newest). saga "": of all; an id's text: of that
 * saga, without headers and bodies. */
enum err store_dead_letters(struct store *store, struct str saga, int64_t before_number, uint32_t limit,
                            struct arena *arena, struct store_dead_letter **letters, uint32_t *count,
                            struct err_note *note);
/* Drops letters from before that time, the oldest first, at most about `most` of them. */
enum err store_forget_dead(struct store *store, int64_t before_us, uint32_t most, uint32_t *gone,
                           struct err_note *note);
/* ERR_CONFLICT when the version exists with another hash; ERR_OK when it exists with the same. */
enum err store_definition_put(struct store *store, const struct store_definition *definition,
                              struct err_note *note);
/* Whether new starts may take this version. The one thing about a stored version that changes. ERR_NOT_FOUND.
 */
enum err store_definition_enable(struct store *store, struct str name, int32_t version, bool enabled,
                                 struct err_note *note);
/* Takes a version out that no saga has used and that is disabled for a minute, so that every engine knows.
 * ERR_NOT_FOUND; ERR_CONFLICT with what stands in the way. */
enum err store_definition_delete(struct store *store, struct str name, int32_t version,
                                 struct err_note *note);
/* For the stores: what an outcome ("deleted", "missing", "enabled", "fresh", "used") means. */
enum err store_deleted(struct str name, int32_t version, struct str outcome, struct err_note *note);
/* With its bundle. ERR_NOT_FOUND. */
enum err store_definition_get(struct store *store, struct str name, int32_t version, struct arena *arena,
                              struct store_definition *definition, struct err_note *note);
/* All versions of a name ("" : of all), by name then version, without their bundles. */
enum err store_definitions(struct store *store, struct str name, struct arena *arena,
                           struct store_definition **definitions, uint32_t *count, struct err_note *note);
/* All sagas that break L2, as one query; at most 1000. */
enum err store_doctor(struct store *store, struct arena *arena, struct store_stuck **stuck, uint32_t *count,
                      struct err_note *note);
/* Notes, durably, that a message is in this hand (an engine and an epoch of the shard), and gives how many
 * different ones it has been in. */
enum err store_suspect(struct store *store, struct str message, struct str hand, uint32_t *hands,
                       struct err_note *note);
/* It is dealt with. Also forgets what nobody has had in hand for a day. */
enum err store_suspect_clear(struct store *store, struct str message, struct err_note *note);
/* A real small commit: for readiness. */
enum err store_probe(struct store *store, struct err_note *note);
void store_close(struct store *store);
