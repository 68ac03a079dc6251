/* The service over the real engine over the in-memory twins of store and bus, with one participant, "shop",
 * whose actions say what it replies: ok       ok, with the command's body as output reject   rejected, with
 * the code NO silent   nothing A thread of the stage moves messages and the clock. */
#pragma once
#include <stdint.h>
#include "api/api.h"
#include "engine/base/arena.h"
#include "tests/api/wire.h"

enum { STAGE_HELD_BYTES = 8388608 }; /* what the service may hold: small, so that a test may fill it */

struct stage {
    struct memory_store_world *world;
    struct memory_bus_broker *broker;
    struct engine *engine;
    struct api *api;
    uint16_t port;
    struct arena arena; /* of the answers */
    struct pump *pump;
    bool serving;
};

/* Lists of sagas and of definitions wait in the store until they are let go. */
void stage_hold_lists(struct stage *stage, bool held);
/* Until so many stand there. */
void stage_await_held(struct stage *stage, unsigned count);
/* Stops the service first, then lets the lists go; stage_close does the rest. */
void stage_release_and_stop(struct stage *stage);
/* The value of a line of /metrics, 0 when there is none. */
unsigned long stage_metric(struct stage *stage, const char *line);

void stage_open(struct stage *stage);
void stage_close(struct stage *stage);
/* A call whose body, when not NULL, is JSON. */
struct wire_answer stage_call(struct stage *stage, const char *method, const char *target, const char *body);
/* The same, for a body of YAML. */
struct wire_answer stage_put(struct stage *stage, const char *target, const char *yaml);
/* Stores a definition, which must be taken. */
void stage_define(struct stage *stage, const char *target, const char *yaml);
/* Asks for the saga until its status is this; ends the test after 10 s. The last view. */
struct wire_answer stage_await(struct stage *stage, struct str id, const char *status);
/* Until a list has so many sagas. */
void stage_await_count(struct stage *stage, const char *query, uint32_t count);
/* A message that no engine understands, into the replies of a shard. */
void stage_send_garbage(struct stage *stage, const char *subject, const char *body);
