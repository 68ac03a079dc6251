/* The order of undoing, as questions about a saga: nothing is written here. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* Something goes or went back: without it there is nothing to ask. */
bool back_order_any(const struct core_saga *saga);
/* Under way, stuck, or to be undone: what came before it in its sequence waits for it. */
bool back_order_in_the_way(const struct core_saga *saga, uint16_t step);
/* The step whose compensation may start now, the latest first; CORE_NO_STEP: none may. */
uint16_t back_order_next(struct work *work);
/* A scope that goes back while the saga goes on, with nothing left to undo; CORE_NO_STEP: there is none. */
uint16_t back_order_undone_scope(struct work *work);
