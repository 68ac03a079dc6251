/* Plans drawn from a seed: most sagas go well, some meet each kind of trouble. The same seed gives the same
 * plans. */
#pragma once
#include "engine/base/rng.h"
#include "tests/integration/world.h"

struct world_plan mixture_draw(struct rng *rng);
/* How one step goes, a name of shop.h: mostly well. */
const char *mixture_how(struct rng *rng);
