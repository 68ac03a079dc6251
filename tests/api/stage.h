/* The service over the real engine over the in-memory twins of store and bus, with one participant, "shop",
 * whose actions say what it replies: ok       ok, with the command's body as output reject   rejected, with
 * the code NO silent   nothing A thread of the stage moves messages and the clock. */
#pragma once
#include <stdint.h>
#include "api/api.h"
#include "engine/base/arena.h"
#include "tests/api/wire.h"

struct stage {
    struct memory_store_world *world;
    struct memory_bus_broker *broker;
    struct engine *engine;
    struct api *api;
    uint16_t port;
    struct arena arena; /* of the answers */
    struct pump *pump;
};

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
/* A message that no engine understands, into the replies of a shard. */
void stage_send_garbage(struct stage *stage, const char *subject, const char *body);
