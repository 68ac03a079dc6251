/* `sagactl schema`: the language as a JSON Schema, for editors. */
#pragma once
#include "engine/sagactl/invocation.h"

int editor_run(struct invocation *invocation);
