/* What operators may ask for. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* One of the seven verbs; refused with a sentence that names what is possible instead. */
void operator_verb(struct work *work);
