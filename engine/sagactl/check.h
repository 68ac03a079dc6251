/* sagactl check: explores every behaviour of a definition on the real core; nothing is sent anywhere. */
#pragma once
#include "engine/sagactl/invocation.h"

int check_run(struct invocation *invocation);
