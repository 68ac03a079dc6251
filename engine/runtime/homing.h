/* Answers of `via: request` services that cannot go straight to their saga.
 *
 * A plain request is answered to the engine that asked. When its saga has moved to another engine meanwhile,
 * the answer goes on as a reply on SAGA_REPLY, which the saga's owner reads like any reply; it is sent until
 * the broker has it. An answer that looks like the acknowledgement of a stream is none while a stream holds
 * the subject that was asked and acknowledges: then the service's own answer is still to come. What looks
 * like one and comes from no stream is an answer. Failure modes: the broker is away for HOMING_PATIENCE_US:
 * the answer is lost, counted and said, and its attempt has timed out. One thread, the router's, but for
 * homing_published. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/err.h"

enum {
    HOMING_SHARD = UINT16_MAX,     /* in the cookies of what is published here: no shard has it */
    HOMING_MAX = 4096,             /* answers under way at once */
    HOMING_PATIENCE_US = 60000000, /* as long as an answer waits for room anywhere */
    HOMING_AGAIN_US = 1000000,     /* between tries */
    HOMING_KNOWN_US = 5000000,     /* what is known of a subject is asked for again after this */
    HOMING_KNOWN = 16,             /* subjects */
};
struct engine;
struct homing;
struct inbox_item;

struct homing *homing_new(struct engine *engine);
void homing_free(struct homing *homing);
/* Takes an item with an ANSWER. */
void homing_take(struct homing *homing, struct inbox_item *item);
/* Tries again what the broker has not taken; true while something is under way. */
bool homing_turn(struct homing *homing);
/* The broker's word on what was published with this number. Any thread. */
void homing_published(struct homing *homing, uint64_t number, bool confirmed);
