/* sagactl plan-compensation: what a cancel would send now, as the running service foresees it. */
#pragma once
#include "engine/sagactl/invocation.h"

int undo_plan_run(struct invocation *invocation);
