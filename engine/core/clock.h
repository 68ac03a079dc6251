/* The database's clock has gone back behind the saga's last record: a server was failed over to one whose
 * clock is right, or an administrator has mended it. What was to take thirty seconds must not take an hour
 * and thirty seconds. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* Each span that began in the time that has not come yet (an attempt, a pause, an await, a deadline) begins
 * again now, in full: how much of it is over nobody can say, and ending one early might undo what goes well.
 * Moments (`wait: until`) and what was set before stay. Idle when the saga has ended or its last record is
 * not after the event. */
void clock_back(struct work *work);
