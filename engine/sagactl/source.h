/* A definition named on the command line: a file, or NAME@VERSION of the running service (NAME: its newest
 * enabled version). */
#pragma once
#include "engine/definition/plan.h"
#include "engine/sagactl/invocation.h"

/* NULL after a sentence or the file's mistakes on stderr; *code is then the exit code. */
const struct plan *source_load(struct invocation *invocation, const char *source, int *code);
