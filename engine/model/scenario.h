/* An author's own scenarios (*.test.yaml): what participants answer, what comes from outside, and what must
 * come of it, run on the real core in virtual time.
 *
 * Happy path: scenario_read for the text of a file, scenario_run for each scenario in it. The language is a
 * table: scenario_keys.def. Failure modes: a bad file yields NULL and located diagnostics; a scenario that
 * fails says what was expected, what came, and its timeline. Everything lives in the arena that was given;
 * one thread. */
#pragma once
#include "engine/base/diag.h"
#include "engine/definition/plan.h"
#include "engine/model/coverage.h"

enum {
    SCENARIO_COUNT_MAX = 1000,  /* of one file */
    SCENARIO_FAILURES_MAX = 32, /* kept for one scenario */
    SCENARIO_TIMES_MAX = 100,   /* of one reply */
};

struct scenario; /* scenario_parts.h */
struct scenario_file {
    struct str definition_path; /* as it can be opened from here */
    const struct plan *plan;
    const struct scenario *scenarios; /* a list */
    uint32_t count;
};
struct scenario_result {
    struct str name;
    uint32_t line; /* where it stands in the file */
    bool passed;
    struct str failures[SCENARIO_FAILURES_MAX]; /* each a sentence, some with more lines */
    uint32_t failure_count;
    struct str timeline;
};

/* `folder`: where the file is, NUL-terminated. NULL when diags holds errors. `text` must live as long as the
 * file. */
const struct scenario_file *scenario_read(struct arena *arena, struct str text, const char *folder,
                                          struct diag_list *diags);
/* Runs the scenario with this index; coverage may be NULL. */
void scenario_run(const struct scenario_file *file, uint32_t index, struct arena *arena,
                  struct coverage *coverage, struct scenario_result *result);
