/* What the broker answers to publishes and to commands asked back: put down by its threads (runner_published,
 * runner_taken_back), made use of by the runner's. */
#pragma once
#include "engine/runtime/runner.h"

/* For the runner's own thread, at the beginning of a turn and while it drains. */
void answers_take(struct runner *runner);
