/* A recorded saga through another version of its definition: what would have been commanded, had it run then.
 *
 * Happy path: against_run() with the recorded rows. Each recorded event (start, replies by the step's path,
 * timers, signals, operators' verbs) is given to a fresh saga of the newer version at its recorded time,
 * while the older one is folded from the journal beside it; compared are commands with their bodies, waits,
 * the saga's status, its cause and its output, record by record, up to the first difference. Timers that only
 * the newer version has fire between the events. Writes nothing anywhere. Borrows everything; the result is
 * in the caller's arena. One thread. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/id.h"
#include "engine/definition/plan.h"

/* X(NAME, "name", meaning) */
#define AGAINST_OUTCOMES(X)                                                                                  \
    X(SAME, "same", "everything is commanded as it was")                                                     \
    X(DIVERGES, "diverges", "something else is commanded, or at another time")                               \
    X(REPLY_MISSING, "reply missing", "an answer or event is needed that was never recorded")                \
    X(SCHEMA_ERROR, "schema error", "a recorded input, reply or event does not fit a schema")                \
    X(FAULT, "expression error", "an expression cannot be computed")                                         \
    X(UNREADABLE, "unreadable", "the journal does not fold under its own definition")
enum against_outcome {
#define X(name, text, meaning) AGAINST_##name,
    AGAINST_OUTCOMES(X)
#undef X
        AGAINST_OUTCOME_COUNT
};

/* A row of the journal. */
struct against_row {
    int64_t seq;
    int64_t at_us;
    struct str kind;
    struct str step;
    uint32_t attempt;
    struct str data;
};
struct against {
    enum against_outcome outcome;
    int64_t seq;     /* of the first record that differs; 0: none */
    struct str what; /* one sentence, the same for sagas that differ alike: "charge: another body" */
    struct str then; /* what was recorded, in lines; "" : nothing */
    struct str now;  /* what the newer version makes of it */
};

void against_run(const struct plan *older, const struct plan *newer, struct id id,
                 const struct against_row *rows, uint32_t count, struct arena *arena, struct against *result);
const char *against_text(enum against_outcome outcome);
const char *against_meaning(enum against_outcome outcome);
