/* Requests for shards that another instance owns, and all that comes by SAGA_IN: read and passed on to the
 * owner, here or over saga.ctl.<shard> (forward.h). Also waits for ends of sagas owned elsewhere, by looking
 * at the store. A thread of its own, which waits for no other engine. */
#pragma once
#include "engine/runtime/inbox.h"

struct router;

/* Opens a store handle of its own and starts the thread. Errors as store.h has them. */
enum err router_open(struct engine *engine, struct router **router, struct err_note *note);
/* One turn of the router's loop. wait: may sleep. Gives the monotonic time until when there is nothing to do
 * unless something arrives. For the router's own thread, or whoever drives by hand. */
int64_t router_turn(struct router *router, bool wait);
/* Ends the thread; who is still waiting is told. */
void router_stop(struct router *router);
/* After router_stop, when no callback of the bus comes any more. */
void router_close(struct router *router);
/* Takes the item; its caller is answered in the end. False: no room. */
bool router_put(struct router *router, struct inbox_item *item);
/* A delivery BUS_SOURCE_CALLED; any thread. */
void router_called(struct router *router, const struct bus_delivery *delivery);
