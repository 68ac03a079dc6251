/* The part of state.c about blocks, signals and what a start brings. Only state.c calls it. */
#pragma once
#include "engine/core/core.h"

void state_start(struct core_saga *saga, const struct core_event *event);
/* "book[3]": the node's id and the items it stands in. Borrowed from the plan where there are none. */
struct str state_path(struct core_saga *saga, uint16_t node, uint16_t frame);
void state_enter(struct core_saga *saga, const struct core_change *change);
void state_block(struct core_saga *saga, const struct core_change *change);
void state_cursor(struct core_saga *saga, const struct core_change *change);
/* KEEP, TAKE or DROP; step: of TAKE. */
void state_signal(struct core_saga *saga, struct core_step *step, const struct core_event *event,
                  const struct core_change *change);
