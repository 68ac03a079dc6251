/* Journal records as JSON: what the `data` column holds, and back.
 *
 * Columns beside it: seq, at, kind (core_event_text), step and attempt (of REPLY, RETRY, SKIP, FORCE, and of
 * TIMER the step whose timer fired). Absent members are empty, 0 or none.
 *
 *   {"event": {…}, "changes": [{"change": "send", "step": "charge", …}, …]}
 *
 *   event of start         {"input", "search", "key", "seed": "<decimal>", "correlation", "traceparent"};
 *                          of a child also {"parent": id, "parent_step", "parent_attempt", "depth",
 *                          "stillborn": true}; of any saga of an installation with several shards
 *                          {"shards"}; of one that began under newer rules than the first {"rules"}
 *            reply         {"kind": "do", "participant", "status": "ok", "code", "message",
 *                          "retry_after_us", "body"}
 *            timer         {}, or {"deadline": true}
 *            delivered     {"kind", "due"}
 *            undelivered   {"kind", "code", "message"}
 *            signal        {"signal", "id", "body"}
 *            a verb        {"actor", "reason"}; force also {"status", "code", "message", "body"};
 *                          move also {"due"}
 *
 *   changes  open          {"step": path, "node": n, "frame": n}
 *            send          {"step", "kind": "do", "attempt": n, "due": us, "to": "payments.charge", "body"}
 *            step          {"step", "from": "sent", "state": "done", "due"}
 *            status        {"status": "compensating", "direction": "back"}
 *            …             every other field of core.h's list by its name: "due", "flag", "kind", "code",
 *                          "message", "frame", "cursor", "body"
 *
 * Times are integers, microseconds since 1970. Deterministic: the same record gives the same bytes, so replay
 * compares texts. */
#pragma once
#include "engine/core/core.h"

/* Appends the JSON text of the data column. `saga` is the state after the record (for paths). */
void record_write(struct buf *out, const struct core_saga *saga, const struct core_record *record);
/* The columns and the text back into a record, everything in arena. `saga` is the state before it (for paths
 * of steps; an "open" names its own). ERR_INVALID: it is no record; the note says where. */
enum err record_read(const struct core_saga *saga, int64_t seq, int64_t at_us, struct str kind,
                     struct str step, uint32_t attempt, struct str data, struct arena *arena,
                     struct core_record *record, struct err_note *note) __attribute__((warn_unused_result));
/* The step and attempt columns of a record ("" and 0 where none is meant). */
struct str record_step(const struct core_saga *saga, const struct core_record *record);
uint32_t record_attempt(const struct core_record *record);
/* What happened and what was decided, in lines that people read; the same in golden scripts, `sagactl
 * history` and `replay`. `saga` is the state after it, or any later one.
 *
 *   reply ok to charge, attempt 2
 *     charge: output {"receipt":7}
 *     charge: sent -> done
 *     send ship do/1 to shipping.ship until +10s with {}                                              */
void record_narrate(struct buf *out, const struct core_saga *saga, const struct core_record *record);
