/* Between struct bus_message and natsMsg: made with one header block, read without a copy.
 *
 * Two traps of nats.c decide how. It makes three allocations for each header set one by one; so all headers
 * go in as one, whose name is the block up to the last name (nats.c writes names as they are). And its reader
 * takes the next header line for the value of an empty one, losing that header, and refuses all headers when
 * one is malformed; so the block is read here, from the message's own memory. Any thread. */
#pragma once
#include <nats/nats.h>
#include "engine/base/err.h"
#include "engine/bus/bus.h"

/* Makes the message to send; *made belongs to the caller. `id` becomes Nats-Msg-Id unless empty; `reply` may
 * be NULL. Errors as bus_check. */
enum err nats_message_make(const struct bus_message *message, struct str id, const char *reply,
                           natsMsg **made, struct err_note *note) __attribute__((warn_unused_result));
/* Fills `message` with borrows from `msg`; headers beyond BUS_HEADERS_MAX are left out, a line that is no
 * header is skipped, and `garbled` says whether one that counts may be lost. The status of an inline status
 * line ("NATS/1.0 503"), or 0. */
int nats_message_read(natsMsg *msg, struct bus_message *message);
/* Whether a message that was read is, to the byte, what a server says to a request that nobody listens to: a
 * service may say 503 too, and it got the request. */
bool nats_message_is_nobody(natsMsg *msg, const struct bus_message *message);
