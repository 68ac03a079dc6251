/* A saga as people and dashboards see it: JSON for GET /v1/sagas/{id}, and the one line of what it waits for.
 */
#pragma once
#include "engine/base/buf.h"
#include "engine/core/core.h"

/* "waiting for reply to charge, attempt 3, until 2026-…Z, then compensate", "parked at charge: …", "paused",
 * "" when ended. */
void view_waiting(struct buf *out, const struct core_saga *saga);
/* {"id", "definition", "version", "hash", "status", "direction", "paused", "key", "search",
 *  "parent": {"id", "step"} | null,
 *  "reason": {"code", "message", "step"} | null,
 *  "park": likewise,
 *  "waiting", "input", "output", "seq", "started_at", "updated_at", "ended_at", "deadline",
 *  "steps": [{"id", "kind", "state", "command" | null, "child" (of a saga step that was sent),
 *             "attempts": {"do", "verify", "undo"}, "opened_at", "sent_at", "ended_at", "due",
 *             "in_doubt", "error": {"code", "message"} | null, "output"}],
 *  "next": [ids of the steps still to come]} */
void view_json(struct buf *out, const struct core_saga *saga);
