/* What subjects mean: those of saga.> and the one JetStream gives a message for its acknowledgement. Each is
 * read whole or not at all. Pure.
 *
 * A message's subject says what its sender wants. It does not say how the message came here: nats-server
 * hands a pulled message to whatever subject the pull names as its reply, with the subject it was stored
 * under. So a participant may pull its own commands into anybody's subscription or stream. Where a message
 * comes from is told by its acknowledgement subject alone, which the server makes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/str.h"

/* Decimal as we write it: no sign, no leading zero, so that a number has one text. */
bool subject_number(struct str text, uint32_t most, uint32_t *number);
/* saga.ctl.<shard>, the shard in decimal as we write it and below LIMITS_SHARDS_MAX. */
bool subject_control(struct str subject, uint32_t *shard);
/* saga.reply.<shard>.<participant>. Here and below a name is at most LIMITS_NAME_BYTES letters, digits, "-"
 * and
 * "_". */
bool subject_reply(struct str subject, uint32_t *shard, struct str *participant);
/* What stream SAGA_IN takes. name: the definition's name, or the event: UTF-8 without blanks and controls, at
 * most LIMITS_EVENT_BYTES. */
enum subject_wish { SUBJECT_NONE, SUBJECT_START, SUBJECT_CHILD, SUBJECT_SIGNAL };
enum subject_wish subject_in(struct str subject, struct str *name);
/* $JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer sequence>.<time ns>.<pending>; from 11 tokens
 * on with a domain and an account behind "ACK". The texts borrow; the numbers are from 1. */
struct subject_ack {
    struct str stream;
    struct str consumer;
    uint64_t deliveries;
    struct str sequence; /* in the stream; with the time, the same at each delivery and no other message's */
    struct str time;
    int64_t time_ns;
};
bool subject_ack(struct str subject, struct subject_ack *ack);
/* Whose a message is that came with this acknowledgement: SAGA_IN's, of its one consumer, or a shard's, of
 * its consumer of SAGA_REPLY. */
enum subject_origin { SUBJECT_OF_OTHERS, SUBJECT_OF_IN, SUBJECT_OF_SHARD };
enum subject_origin subject_origin(const struct subject_ack *ack, uint32_t *shard);
