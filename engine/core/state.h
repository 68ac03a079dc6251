/* The state of a saga and the only functions that write it: one for the event of a record, one for a change.
 * core_step and core_fold both go through them, so that a saga folded from its journal is the saga that was
 * stepped. Internal to the core. */
#pragma once
#include "engine/core/core.h"

/* Whether moves.def allows it. */
bool state_move_allowed(enum core_step_state from, enum core_step_state to);
/* Active states have a timer: the eight that wait for a time, for an answer or for an event. */
bool state_is_active(enum core_step_state state);
/* A human decides about it. */
bool state_is_stuck(enum core_step_state state);
/* The state in which a command of this kind is to be sent, and the one in which its answer is outstanding. */
enum core_step_state state_waiting(enum core_kind kind);
enum core_step_state state_sent(enum core_kind kind);
/* Active, and about a command: not an await and not a wait. */
bool state_commands(enum core_step_state state);
/* The kind of the command that an active state is about; DO for an await and a wait, which command nothing.
 */
enum core_kind state_kind(enum core_step_state state);

/* Takes the next record's event: seq, time, what a start brings, which attempt was answered. Copies. */
void state_event(struct core_saga *saga, int64_t seq, const struct core_event *event);
/* Applies one change. Copies. The change must follow (state_follows); a bug in the core stops here. */
void state_change(struct core_saga *saga, const struct core_event *event, const struct core_change *change);
/* NULL when the change can be applied to this state, else what is wrong with it: for journals, which may be
 * broken. */
const char *state_follows(const struct core_saga *saga, const struct core_event *event,
                          const struct core_change *change);
/* The same for a record's event. */
const char *state_event_follows(const struct core_saga *saga, int64_t seq, const struct core_event *event);
/* The same for the state after a record: what no sequence of single changes that follow may leave behind. */
const char *state_inconsistent(const struct core_saga *saga);
