/* A world for real engines on one thread and in virtual time: hosts that run an engine each, over one
 * in-memory store and one in-memory broker, with a seam where faults are let in.
 *
 * Happy path: world_open, world_boot for each host, then world_turn, world_deliver and world_advance in any
 * order. Every call of an engine to its store or bus is an action; a host may die before any of them
 * (world_die_in), after which nothing it does has an effect, as after kill -9; world_bury then frees its
 * memory. Owner: the caller owns the struct; hosts own their engines. One thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/bus/memory_bus.h"
#include "engine/runtime/engine.h"
#include "engine/store/memory_store.h"

/* What becomes of a publish. */
enum world_fate {
    WORLD_FINE,
    WORLD_ANSWER_LOST, /* F12: stored, and reported as timed out */
    WORLD_LOST,        /* F11: reported as stored, and gone */
    WORLD_REFUSED,     /* not connected */
    WORLD_LATE,        /* F15: reported as timed out, delivered later */
    WORLD_FORGOTTEN,   /* F18: the broker does not know the id any more */
};
enum { WORLD_HOSTS_MAX = 4, WORLD_FORCED_MAX = 8192, WORLD_CALLS_MAX = 8192 };

struct world_host;
/* Where faults and observers come in; any may be NULL. */
struct world_hooks {
    void *context;
    enum world_fate (*publish)(void *context, struct world_host *host, const struct bus_message *message);
    enum memory_store_fault (*append)(void *context, struct world_host *host,
                                      const struct store_batch *batch);
    /* The database refuses a value of this batch. */
    bool (*refuses)(void *context, const struct store_batch *batch);
    /* After a batch has been stored; the answer may still be lost. */
    void (*stored)(void *context, struct world_host *host, const struct store_batch *batch);
    /* Each message the broker has taken, or says it has. */
    void (*published)(void *context, struct world_host *host, const struct bus_message *message);
    /* A message handed to an engine, which took it or not. */
    void (*delivered)(void *context, struct world_host *host, const struct bus_delivery *delivery);
    /* An acknowledgement on its way to the broker. */
    void (*acknowledged)(void *context, struct world_host *host, struct str ack);
};
struct world_notice {
    uint64_t cookie;
    enum err error;
    uint64_t sequence;
};
struct world_call {
    uint64_t cookie;
    int64_t until_us;
};
struct world_late {
    struct world_late *next;
    int64_t due_us;
    struct arena arena;
    struct bus_message message;
};
struct world_host {
    struct world *world;
    uint32_t index;
    char name[16];
    char incarnation[17]; /* of its engine: another with each boot */
    uint32_t boots;
    int64_t skew_us; /* of its monotonic clock: each machine has begun at another time */
    struct engine *engine;
    struct bus_callbacks callbacks;
    struct bus *inner;     /* the broker's end */
    bool dead;             /* killed, and not buried yet */
    bool frozen;           /* stopped: hears everything, does nothing; set it as you like */
    bool cut;              /* from the broker, which others may reach */
    bool turning;          /* inside engine_turn */
    uint32_t actions_left; /* until it dies; 0: it does not */
    uint64_t actions;
    struct world_notice *forced; /* answers that will be told otherwise; and those without a message */
    uint32_t forced_count;
    struct world_notice *notices;
    uint32_t notice_count;
    struct world_call *calls; /* that it made and that are not answered; WORLD_CALLS_MAX */
    uint32_t call_count;
    char call_ack[32]; /* of a question put by hand, whose answer goes to answer_arena */
    struct str answer;
    struct arena *answer_arena;
    bool answered;
};
struct world {
    struct memory_store_world *store;
    struct memory_bus_broker *broker;
    struct world_host hosts[WORLD_HOSTS_MAX];
    uint32_t shard_count;
    int64_t clock_us;
    int64_t ahead_us; /* the store's clock shows so much more than it should; negative: less */
    bool store_down;
    bool bus_down;
    struct world_hooks hooks;
    struct world_late *late;
    int64_t late_us; /* how long a late message takes */
    uint64_t seed;
    struct engine_options options; /* for world_boot; instance and functions are filled in */
};

void world_open(struct world *world, uint64_t seed, uint32_t shards);
void world_close(struct world *world);
/* Starts the engine of a host. An error leaves it off. Errors as engine_open. */
enum err world_boot(struct world *world, uint32_t host, struct err_note *note);
/* Stops it in good order. */
void world_stop(struct world *world, uint32_t host);
/* The host dies before its n-th action from now, n from 1. */
void world_die_in(struct world *world, uint32_t host, uint32_t actions);
/* Frees what a dead host has left in memory. */
void world_bury(struct world *world, uint32_t host);
/* Cuts the host off from the broker, or mends that; its engine is told, as a lost connection tells it. What
 * it has published and not heard of is reported as failed. */
void world_cut(struct world *world, uint32_t host, bool cut);
bool world_is_up(const struct world *world, uint32_t host);
/* One turn of its engine; the virtual time of its next duty, or INT64_MAX when it is off. */
int64_t world_turn(struct world *world, uint32_t host);
/* Hands out at most `most` of what the broker holds for engines; how many. */
uint32_t world_deliver(struct world *world, uint32_t most);
void world_advance(struct world *world, int64_t span_us);
/* The store's clock. */
int64_t world_now_us(const struct world *world);
/* A handle that no fault reaches, for observers. */
struct store *world_observe(struct world *world);
