/* What messages say: from a decided command to a NATS message, from a reply to an event for the core. Pure:
 * no I/O.
 *
 * Subjects and headers as in engine/DESIGN.md (Messages). A message that cannot be understood
 * yields a reason (a sentence) for its dead letter. */
#pragma once
#include "engine/bus/bus.h"
#include "engine/bus/ticket.h"
#include "engine/bus/subject.h"
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
/* A reply into event (REPLY; at_us not set; borrows from message) and its saga. What it says is read as
 * generously as its meaning is clear: a status in capitals, a rejection whose code breaks the rule of codes
 * (INVALID_CODE then, its text in the message) or whose body is no JSON; an error of a micro service
 * (Nats-Service-Error-Code without Saga-Status) is rejected from 400 on, unclear from 500 on. What cannot be
 * used is told to its command as UNUSABLE, with the reason as its message. False: it belongs to no command,
 * *reason says why it is a dead letter; *saga_known tells whether the saga could be told. The participant is
 * the last token of the subject saga.reply.<shard>.<participant>; PLAN_ENGINE, which no participant is
 * called, is an engine that bears proof (runtime/proof.h) or a forger. Body: JSON up to LIMITS_PAYLOAD_BYTES;
 * an empty body is null. */
bool envelope_reply(const struct bus_message *message, struct arena *arena, struct core_event *event,
                    struct id *saga, bool *saga_known, struct str *reason);
/* The answer to a `via: request` command as a reply event, read like any reply. An error says that the
 * attempt has reached nobody: UNSENT. */
void envelope_answer(const struct bus_delivery *delivery, const struct ticket *asked, struct arena *arena,
                     struct core_event *event);
/* Whether it is, to the last member, what JetStream says when it has stored a message or failed to: a body
 * {"stream", "seq", …} without any header. A service may say the same: any header tells its answer from a
 * stream's. */
bool envelope_is_stream_ack(const struct bus_message *message);
/* Makes it a reply that cannot be used; reason: a sentence without values of its body. */
void envelope_spoil(struct core_event *event, struct str reason);
struct envelope_start {
    struct str definition;
    int32_t version; /* 0: the newest */
    struct str key;
    struct str correlation;
    struct str traceparent;
    const struct json *input;
};
/* What a message of SAGA_IN asks for, by its subject; false: it is none of those that are taken there. */
bool envelope_wish(const struct bus_message *message, struct arena *arena, enum subject_wish *wish,
                   struct str *reason);
/* saga.start.<definition>: body = input; headers Saga-Version, Saga-Start-Key, Saga-Correlation-Id,
 * traceparent. */
bool envelope_start(const struct bus_message *message, struct arena *arena, struct envelope_start *start,
                    struct str *reason);
struct envelope_signal {
    struct str event; /* "delivery.signed" */
    bool has_saga;    /* the saga is named by its id; false: by definition and business key */
    struct id saga;
    struct str definition;
    struct str key;
    struct str id; /* a second one with the same id is a duplicate */
    const struct json *body;
};
/* saga.signal.<event>: body = the event's body, an empty one is NULL. Headers: Saga-Id, or Saga-Definition
 * and Saga-Start-Key; Saga-Signal-Id, else Nats-Msg-Id, else the delivery's identity, so that what is merely
 * delivered twice is one signal. Borrows from delivery. */
bool envelope_signal(const struct bus_delivery *delivery, struct arena *arena, struct envelope_signal *signal,
                     struct str *reason);

/* What a saga wants of a child saga. */
struct envelope_child {
    struct id parent;
    struct str parent_definition; /* for people; writing only */
    struct str step;              /* path in the parent */
    enum core_kind kind;          /* DO: start it; UNDO: undo it, or see to it that it never begins */
    uint32_t attempt;
    struct id child; /* core_child: the same over all attempts */
    uint32_t depth;  /* sagas above the child, at least 1 */
    uint32_t family; /* sagas it may bring about, itself included; 0: not told, by an older engine */
    struct str definition;
    int32_t version; /* 0: the newest */
    struct str correlation;
    struct str traceparent;
    struct str body;          /* writing: JSON text of the child's input */
    const struct json *input; /* reading: the same, never NULL */
};
/* saga.child.<definition>: body = input; headers Saga-Command (of the parent, also the id), Saga-Key,
 * Saga-Kind, Saga-Attempt, Saga-Reply-To (saga.reply.<parent's shard>.sagad), Saga-Child, Saga-Depth,
 * Saga-Version (unless the newest), Saga-Definition (the parent's), Saga-Correlation-Id, traceparent. The
 * child's shard is in its id. */
void envelope_child(const struct envelope_child *child, struct arena *arena, struct bus_message *message,
                    struct str *id);
/* Borrows from message. That an engine wrote it is told by its proof (runtime/proof.h); a saga that exists is
 * undone only for the parent and step that its first record names, all the same. */
bool envelope_child_read(const struct bus_message *message, struct arena *arena, struct envelope_child *child,
                         struct str *reason);
/* The child's reply to its parent. */
struct envelope_child_reply {
    struct id parent;
    struct str step;
    enum core_kind kind;
    uint32_t attempt;
    struct id child;
    enum core_reply_status status; /* OK, REJECTED or NO_OUTPUT */
    struct str error_code;
    struct str error_message;
    struct str body; /* JSON text; "" : null */
};
/* saga.reply.<parent's shard>.sagad with the headers of any reply, and Saga-Child. What envelope_reply makes
 * of it is a REPLY of the participant PLAN_ENGINE. */
void envelope_child_reply(const struct envelope_child_reply *reply, struct arena *arena,
                          struct bus_message *message, struct str *id);
/* saga.event.<definition>.<what> with CloudEvents 1.0 headers (ce-specversion, ce-id, ce-source, ce-type,
 * ce-time, ce-subject); body: {"id","definition", "version","key","status","reason"}. `what`: started,
 * completed, compensating, compensated, parked, terminated. */
void envelope_event(const struct core_saga *saga, struct str what, struct arena *arena,
                    struct bus_message *message, struct str *id);
/* All headers as a JSON object, for dead letters. */
struct str envelope_headers_json(const struct bus_message *message, struct arena *arena);
