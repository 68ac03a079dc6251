/* Entering what comes next in a sequence: a leaf is opened, a block gets its frame. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* The child at the cursor of an open sequence. */
void enter_next(struct work *work, uint16_t frame);
/* The next branch or item of a parallel or foreach, or the body of a scope. */
void enter_part(struct work *work, uint16_t frame);
/* Branches or items of a parallel or foreach; 1 of a scope. */
uint16_t enter_part_count(const struct core_saga *saga, uint16_t frame);
