/* Requests for shards that another instance owns: forwarded over saga.ctl.<shard> on a thread of their own,
 * because that waits. Also waits for ends of sagas owned elsewhere, by looking at the store. */
#pragma once
#include "engine/runtime/inbox.h"

struct router;

enum err router_open(struct engine *engine, struct router **router, struct err_note *note);
void router_close(struct router *router);
/* Takes the item; its caller is answered in the end. False: no room. */
bool router_put(struct router *router, struct inbox_item *item);
