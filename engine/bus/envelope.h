/* What messages say: from a decided command to a NATS message, from a reply to an event for the core. Pure:
 * no I/O.
 *
 * Subjects and headers as in DESIGN.md, section 4. A message that cannot be understood yields a reason (a
 * sentence) for its dead letter. */
#pragma once
#include "engine/bus/bus.h"
#include "engine/core/core.h"

/* "<saga>/<step>/<do|undo|verify>/<attempt>" */
struct str envelope_command_id(struct arena *arena, struct id saga, struct str step, enum core_kind kind,
                               uint32_t attempt);
bool envelope_command_parse(struct str text, struct id *saga, struct str *step, enum core_kind *kind,
                            uint32_t *attempt);

struct envelope_command {
    struct id saga;
    uint32_t shard;
    struct str definition;
    struct str step;
    enum core_kind kind;
    uint32_t attempt;
    const struct plan_action *action;
    struct str correlation;
    struct str traceparent;
    struct str body; /* JSON text, exactly as in the journal */
};
/* Fills message (texts in arena) and the command id. For via request the subject is the command itself. */
void envelope_command(const struct envelope_command *command, struct arena *arena,
                      struct bus_message *message, struct str *id);
/* A reply into event (REPLY; at_us not set; borrows from message) and its saga. False: *reason says why it is
 * a dead letter; *saga_known tells whether the saga could be told. The participant is the last token of the
 * subject saga.reply.<shard>.<participant>. Body: JSON up to LIMITS_PAYLOAD_BYTES; an empty body is null. */
bool envelope_reply(const struct bus_message *message, struct arena *arena, struct core_event *event,
                    struct id *saga, bool *saga_known, struct str *reason);
/* The answer to a `via: request` command as a reply event: Nats-Service-Error-Code 4xx = rejected, 5xx =
 * retry, no responders = retry; Saga-Status, when there, wins. A time-out gives false with an empty reason:
 * the attempt's own deadline handles it. */
bool envelope_answer(const struct bus_delivery *delivery, const struct envelope_command *asked,
                     struct arena *arena, struct core_event *event, struct str *reason);
struct envelope_start {
    struct str definition;
    int32_t version; /* 0: the newest */
    struct str key;
    struct str correlation;
    struct str traceparent;
    const struct json *input;
};
/* saga.start.<definition>: body = input; headers Saga-Version, Saga-Start-Key, Saga-Correlation-Id,
 * traceparent. */
bool envelope_start(const struct bus_message *message, struct arena *arena, struct envelope_start *start,
                    struct str *reason);
/* saga.event.<definition>.<what> with CloudEvents 1.0 headers (ce-specversion, ce-id, ce-source, ce-type,
 * ce-time, ce-subject); body: {"id","definition", "version","key","status","reason"}. `what`: started,
 * completed, compensating, compensated, parked, terminated. */
void envelope_event(const struct core_saga *saga, struct str what, struct arena *arena,
                    struct bus_message *message, struct str *id);
/* All headers as a JSON object, for dead letters. */
struct str envelope_headers_json(const struct bus_message *message, struct arena *arena);
