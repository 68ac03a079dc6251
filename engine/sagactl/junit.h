/* Results of scenarios as JUnit's XML, which build servers read. One thread; everything in the arena. */
#pragma once
#include "engine/base/buf.h"
#include "engine/model/scenario.h"

struct junit {
    struct buf cases; /* of the file at hand */
    uint32_t passed;
    uint32_t failed;
};

void junit_begin(struct buf *out);
/* One file: begin, its scenarios, end. */
void junit_open(struct junit *junit, struct arena *arena);
void junit_add(struct junit *junit, struct str file, const struct scenario_result *result);
/* A file that cannot be run. */
void junit_add_broken(struct junit *junit, struct str file, struct str why);
void junit_close(struct junit *junit, struct str file, struct buf *out);
void junit_end(struct buf *out);
