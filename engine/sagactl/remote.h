/* The subcommands that ask the running service. */
#pragma once
#include "engine/sagactl/invocation.h"

int remote_start(struct invocation *invocation);
int remote_get(struct invocation *invocation);
int remote_list(struct invocation *invocation);
int remote_verb(struct invocation *invocation);
int remote_dead_letters(struct invocation *invocation);
int remote_definitions(struct invocation *invocation);
int remote_put(struct invocation *invocation);
