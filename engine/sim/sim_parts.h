/* What the files of the simulator share. Not for others. */
#pragma once
#include "engine/base/map.h"
#include "engine/definition/plan.h"
#include "engine/sim/sim.h"
#include "engine/sim/world.h"

enum {
    SIM_HOSTS_MAX = 3,
    SIM_DEFINITIONS = 4,
    SIM_SHARDS = 4,
    SIM_PARTICIPANTS = 3,
    SIM_STARTS_MAX = 50,
    SIM_CALLS_MAX = 4096,
};
enum sim_do { SIM_DO_NONE, SIM_DO_OK, SIM_DO_REJECTED, SIM_DO_CLOSED };
/* What a participant knows of one Saga-Key: its barrier row and its own log of effects. */
struct sim_effect {
    struct str key;
    enum sim_do state;
    struct str output; /* JSON text of what it replies */
    uint32_t attempt;  /* that was rejected */
    uint32_t put_off;  /* the newest attempt that was told `retry`: it stays so, also for its duplicates */
    bool undone;
    bool undo_fails; /* F30 */
    uint32_t do_count, undo_count;
};
/* A command stored in some journal. */
struct sim_command {
    struct sim_command *next; /* of those of the shard that were not published yet */
    struct str id;
    struct str body;
    int64_t lsn;
    int64_t at_us, fence; /* when it was stored, and under which fence of its shard */
    bool published;
    bool taken;       /* by its participant, once at least */
    bool undelivered; /* its saga was told that nobody has taken it nor will */
    bool muddled;     /* a copy of it was lost, or wiped, or comes late, or twice */
};
/* A message between the broker and a participant. */
struct sim_wire {
    struct sim_wire *next;
    int64_t due_us;
    bool reply;
    struct bus_message message;
};
struct sim_start {
    uint32_t number; /* stands in the input */
    uint32_t definition;
    bool keyed;
    bool by_message;
    char key[16];
    struct str input;
    uint32_t accepted; /* answers that said so */
    struct id id;
};
enum sim_call_kind { SIM_CALL_START, SIM_CALL_VERB, SIM_CALL_WATCH };
struct sim_call {
    struct sim *sim;
    enum sim_call_kind kind;
    uint32_t host;
    struct sim_start *start;
    bool other_input; /* the same key with another input: must be refused */
    struct id id;
    enum core_event_kind verb;
    bool answered;
};
struct sim {
    struct world world;
    struct rng rng;
    struct arena arena; /* lives as long as the run */
    struct store *store;
    struct registry *registry; /* the observer's */
    struct sim_result *result;
    void (*trace)(int64_t at_us, const char *line);
    bool healing;
    bool failed;
    uint32_t chance; /* of a fault, in a thousand: how rough this run is */
    uint32_t hosts;
    int64_t paused_until_us[SIM_HOSTS_MAX];
    int64_t store_back_us, bus_back_us, services_back_us;
    int64_t away_until_us[SIM_PARTICIPANTS];
    struct map effects;  /* by Saga-Key */
    struct map commands; /* by command id: all that stand in a journal */
    struct sim_command *unpublished[SIM_SHARDS];
    struct map delivered; /* replies by their ack, for S16 */
    struct map wordings;  /* of replies: sim_dead.c */
    struct sim_wire *wires;
    struct sim_start starts[SIM_STARTS_MAX];
    uint32_t start_count;
    uint32_t signal_count;
    struct sim_call calls[SIM_CALLS_MAX];
    uint32_t call_count;
    struct map cancelled; /* ids of sagas whose cancel was accepted */
    int64_t fence[SIM_SHARDS];
    uint32_t fence_host[SIM_SHARDS];
};

/* One choice: 0 … bound-1. */
uint32_t sim_choose(struct sim *sim, uint32_t bound);
/* True about once in a thousand / per_mille, while faults are on; counts it. */
bool sim_strikes(struct sim *sim, enum sim_fault fault, uint32_t per_mille);
/* A line of the timeline; all of them make the trace hash. */
void sim_note(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The first failure counts. */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* sim_define.c: random valid definitions, put into the store. */
void sim_define(struct sim *sim);
/* sim_participant.c */
void sim_participants(struct sim *sim);
bool sim_wires_empty(const struct sim *sim);
struct sim_effect *sim_effect(struct sim *sim, struct str key);
/* sim_delivery.c: participants that are away; streams that are wiped; a command that a participant has taken;
 * a record about one on its way. */
void sim_strike_participants(struct sim *sim);
bool sim_is_away(const struct sim *sim, uint32_t participant);
void sim_wipe(struct sim *sim);
void sim_taken(struct sim *sim, const struct bus_message *command);
void sim_check_delivery(struct sim *sim, const char *saga, const struct store_record *record,
                        const struct json *data);
/* sim_client.c */
void sim_submit(struct sim *sim);
void sim_operate(struct sim *sim);
/* Events from outside: early, late and twice. */
void sim_signal(struct sim *sim);
/* While healing: resumes what is paused, and decides about children that are parked. */
void sim_resume_all(struct sim *sim);
/* sim_watch.c: the hooks, which check each action as it happens. */
void sim_watch(struct sim *sim);
/* sim_check.c: L2 now; all sagas at rest; the whole history at the end. */
void sim_check_waiting(struct sim *sim);
bool sim_check_rest(struct sim *sim);
/* L1 is broken: says by whom. */
void sim_fail_restless(struct sim *sim);
void sim_check_history(struct sim *sim);
/* sim_effects.c: the effects and children of one saga at the end. */
struct block_oracle;
void sim_check_effects(struct sim *sim, const struct core_saga *saga, const struct block_oracle *oracle,
                       struct arena *arena);
/* sim_dead.c: S27. A reply handed to an engine for the first time; acknowledged for the first time; at the
 * end.
 */
void sim_dead_delivered(struct sim *sim, const struct bus_message *message);
void sim_dead_acknowledged(struct sim *sim, const struct bus_message *message);
void sim_dead_check(struct sim *sim);
/* sim_forger.c. Perhaps sends something forged beside a command to a child. */
void sim_forge(struct sim *sim, const struct bus_message *command);
/* Whether a journal row or a message holds what was forged. */
bool sim_is_forged(struct str text);
struct store_saga *sim_list(struct sim *sim, struct arena *arena, uint32_t *count);
