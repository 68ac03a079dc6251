/* What the engine's tests share: a world with one definition, callers that note their answers, and a
 * participant's hand. */
#pragma once
#include "engine/runtime/proof.h"
#include "engine/sim/world.h"

enum { BED_CALLS_MAX = 256, BED_FORWARDS = 50 /* under way to one shard */ };

struct bed_call {
    uint32_t count; /* of answers: must be 1 in the end */
    struct engine_answer answer;
    char message[200];
};
struct bed {
    struct world world;
    struct store *store; /* for looking */
    struct arena arena;
    struct bed_call calls[BED_CALLS_MAX];
    uint32_t call_count;
    enum memory_store_fault next_append;
    const char *deadly;   /* a record with this text ends the engine before it is stored; NULL: none does */
    uint32_t append_most; /* records that the database takes at once; 0: any */
    uint32_t largest_append;      /* records of one try so far */
    size_t largest_batch;         /* bytes of its rows */
    size_t longest_row;           /* bytes of one record so far */
    enum world_fate next_publish; /* of a command to a participant */
    enum world_fate next_child;   /* of a command to a child saga */
    enum world_fate next_reply;   /* of what a child saga tells its parent */
    struct bus_message child;     /* the last command to a child saga */
    uint32_t published_commands, published_events;
};

void bed_open(struct bed *bed, uint32_t hosts);
/* Of two shards each host takes so many; 0: all it gets. */
void bed_open_sharing(struct bed *bed, uint32_t hosts, uint32_t shards_max);
void bed_close(struct bed *bed);
/* Turns and deliveries until nothing is to be done at this time. */
void bed_settle(struct bed *bed);
void bed_advance(struct bed *bed, int64_t span_us);
/* The database's clock jumps, and what is due by it is done. */
void bed_jump(struct bed *bed, int64_t span_us);
/* For a start or verb made by hand. */
struct engine_call bed_call(struct bed_call *call);
/* For all engines that run; there is one already, "order". */
void bed_define(struct bed *bed, const char *yaml);
/* Stored through one of them; the others have not heard of it. */
void bed_define_at(struct bed *bed, uint32_t host, const char *yaml);
/* A request to saga.ctl.<shard> as another engine makes it, and the answer to it; false when there was none.
 */
bool bed_control(struct bed *bed, uint32_t host, uint32_t shard, const char *body,
                 struct engine_answer *answer);
/* Any text in its place; the answer's text, "" when there was none. */
struct str bed_control_text(struct bed *bed, uint32_t host, uint32_t shard, struct str text);
/* The key of the world's engines. */
struct proof_key bed_key(struct bed *bed);
/* A message gets the proof that an engine would give it. */
void bed_stamp(struct bed *bed, struct bus_message *message);
struct bed_call *bed_start_of(struct bed *bed, uint32_t host, const char *definition, const char *key,
                              const char *input);
/* Of "order". */
struct bed_call *bed_start(struct bed *bed, uint32_t host, const char *key, const char *input);
struct bed_call *bed_verb(struct bed *bed, uint32_t host, struct id id, enum core_event_kind kind);
struct bed_call *bed_event(struct bed *bed, uint32_t host, struct id id, const struct core_event *event);
struct bed_call *bed_watch(struct bed *bed, uint32_t host, struct id id, int64_t timeout_us);
/* The next command of participant shop; fails the test when there is none, or it is another. */
struct bus_message bed_take(struct bed *bed, const char *action);
bool bed_has_command(struct bed *bed);
/* Takes commands until one has this action; false when none has. */
bool bed_find(struct bed *bed, const char *action);
/* Takes the command and answers it, and all that follows is done. */
void bed_answer(struct bed *bed, const char *action, const char *status, const char *body);
void bed_reply(struct bed *bed, const struct bus_message *command, const char *status, const char *body);
/* The saga's stored row, folded from its journal and compared with it on the way. */
struct store_saga bed_row(struct bed *bed, struct id id);
void bed_expect(struct bed *bed, struct id id, const char *status);
uint32_t bed_dead_letters(struct bed *bed, const char *part_of_reason);
