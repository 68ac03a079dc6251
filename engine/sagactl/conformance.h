/* sagactl conformance: takes the engine's place in front of a running participant (engine/bus/rehearsal.h),
 * goes through what loss, repetition and delay can do to it, and tells what holds, what does not and how to
 * mend it. The contract is api/PROTOCOL.md. */
#pragma once
#include "engine/sagactl/invocation.h"

int conformance_run(struct invocation *invocation);
