/* sagactl test: an author's scenarios (engine/model/scenario.h), told as TAP, as JSON or as JUnit's XML. */
#pragma once
#include "engine/sagactl/invocation.h"

int test_run(struct invocation *invocation);
