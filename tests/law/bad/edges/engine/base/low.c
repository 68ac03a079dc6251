#include "engine/base/low.h"
#include "engine/core/machine.h"
