/* A store may use what is left of it, but not its neighbour. */
#include "engine/core/machine.h"
#include "engine/bus/bus.h"
