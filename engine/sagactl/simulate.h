/* sagactl simulate: one random run of a definition (engine/model/chance.h), as a timeline. */
#pragma once
#include "engine/sagactl/invocation.h"

int simulate_run(struct invocation *invocation);
