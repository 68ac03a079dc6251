/* The subcommands for what a saga waits for: events from outside, and timers. */
#pragma once
#include "engine/sagactl/invocation.h"

int events_signal(struct invocation *invocation);
int events_timers(struct invocation *invocation);
int events_timer(struct invocation *invocation);
