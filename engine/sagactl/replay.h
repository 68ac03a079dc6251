/* sagactl replay: recorded sagas once more through the very state machine that ran them. Reads only.
 *
 * Each stored event is given to a fresh saga; the record the core then makes must equal the stored one byte
 * for byte, and the state at the end the stored projection. Exit 0 only if all of them do; else the first
 * difference of each saga is shown. */
#pragma once
#include "engine/sagactl/invocation.h"

int replay_run(struct invocation *invocation);
