/* sagactl definitions diff: two versions of a definition side by side; what changed, and whom it affects. */
#pragma once
#include "engine/sagactl/invocation.h"

int diff_run(struct invocation *invocation);
