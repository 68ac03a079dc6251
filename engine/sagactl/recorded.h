/* Recorded sagas for replay: from a database or from a file that replay --export wrote (one JSON object a
 * line).
 *
 *   {"saga":{row},"bundle":"…","journal":[{"seq":1,"at":us,"kind":"start","step":"","attempt":0,"data":{…}},…]}
 */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/definition/plan.h"
#include "engine/store/store.h"

struct recorded {
    const struct plan *plan;
    struct store_saga saga;
    struct store_record *records;
    uint32_t count;
};

/* One line of an export. */
void recorded_write(struct buf *out, const struct recorded *recorded);
/* A line back, everything in arena. ERR_INVALID: it is no such line. */
enum err recorded_read(struct str line, struct arena *arena, struct recorded *recorded,
                       struct err_note *note);
