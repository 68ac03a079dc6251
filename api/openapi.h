/* The service's contract, api/openapi.yaml, which is embedded at build time. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/str.h"

/* The file as it was written. */
struct str openapi_yaml(void);
/* The same as JSON, in arena. The file is ours, so one that cannot be converted is a bug. */
struct str openapi_to_json(struct arena *arena);
