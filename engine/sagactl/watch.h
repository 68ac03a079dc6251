/* sagactl watch: follows one saga over HTTP, record by record, to its end or park. */
#pragma once
#include "engine/sagactl/invocation.h"

int watch_run(struct invocation *invocation);
