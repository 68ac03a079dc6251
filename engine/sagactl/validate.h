/* sagactl validate: loads definition files and shows every mistake; nothing is sent anywhere. */
#pragma once
#include "engine/sagactl/invocation.h"

int validate_run(struct invocation *invocation);
