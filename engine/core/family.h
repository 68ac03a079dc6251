/* How many sagas a child saga may bring about: a root has LIMITS_FAMILY, each gives its children a part of
 * what it has left, so that nobody need count over engines. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* What the child that this step begins is given, itself included; 0: nothing is left. Asked again, or
 * begun anew by an operator, it has the same. */
uint32_t family_share(struct work *work, uint16_t step);
