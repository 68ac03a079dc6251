/* What a runner makes of the database's clock: timekeeper.h decides whether it is believed, here it is said.
 */
#pragma once
#include "engine/runtime/runner.h"

/* What the database's clock showed not later than now, so that no timer fires early. */
void runner_time_read(struct runner *runner, int64_t database_us);
/* When time has gone back: sagas whose last record is in a time that has not come are awake at once, and go
 * back when they are looked at (decide_clock). An error: to be called again. Errors as store.h has them. */
enum err runner_time_count_anew(struct runner *runner, struct err_note *note);
