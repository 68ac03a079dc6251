/* What the files of the world share. Not for others. */
#pragma once
#include "engine/sim/world.h"

/* One action of the host; false when it is dead: the action must have no effect. */
bool world_act(struct world_host *host);
/* For engine_options; context: the host. Errors as store.h and bus.h have them. */
enum err world_open_store(void *context, struct store **store, struct err_note *note);
/* Ends the calls of a host whose time is over. */
void world_end_calls(struct world_host *host);
/* Likewise. Errors as bus.h has them. */
enum err world_open_bus(void *context, const struct bus_callbacks *callbacks, struct bus **bus,
                        struct err_note *note);
