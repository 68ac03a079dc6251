/* Judges a finished run: S1 to S18 of the safety rules as far as three independent sources can show them, and
 * S21, S22, S23, S24, S26, S27. S25 (replay) and L2 (doctor) are asked of sagactl, by world_judge.
 *
 * Pure: reads the facts, writes a line per problem, "S6 <saga>: …". It shares no code with the core: what a
 * definition means is written down once more in checker.c. One thread. */
#pragma once
#include "engine/base/buf.h"
#include "tests/integration/facts.h"

/* The number of problems; the first 40 are written. */
uint32_t checker_run(const struct facts *facts, struct buf *report);
