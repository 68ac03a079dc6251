/* What a new owner does, and what repairs a failed publish: everything outstanding is found again from
 * PostgreSQL alone. */
#pragma once
#include "engine/runtime/batch.h"
#include "engine/runtime/runner.h"

/* Makes entries and timers for every open saga of a shard. Those whose last record is in a time that has not
 * come (the database's clock went back) are due at once. Errors as store.h has them. */
enum err recovery_enter(struct runner *runner, uint32_t shard, struct err_note *note);
/* One step of sending again what lies above the marks; true when some shard still is behind. */
bool recovery_resend(struct runner *runner);
/* A command that was decided, and where it stands in the journal. */
struct recovery_command {
    struct id saga;
    int64_t lsn;
    uint16_t step;
    enum core_kind kind;
    uint32_t attempt;
};
/* Reads these again and hands those to the broker that are still outstanding. One round trip, and one more
 * when a saga is not in memory. Errors as store.h has them. */
enum err recovery_send(struct runner *runner, const struct recovery_command *commands, uint32_t count,
                       struct err_note *note);
/* Loads the sagas with these ids that are not in memory. Those that do not exist stay unknown. One whose
 * journal cannot be read is marked as broken, which is no error. Errors as store.h has them. */
enum err recovery_load(struct runner *runner, const struct id *ids, uint32_t count, struct err_note *note);
