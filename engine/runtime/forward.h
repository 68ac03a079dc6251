/* Requests on their way to the engines that own their shards, side by side, each with a deadline of its own.
 *
 * Happy path: forward_send hands a request to the bus and keeps its item; the bus's answer is noted by
 * forward_called, on the bus's thread; forward_take gives items and answers out again. Failure modes: nobody
 * serves the shard: known at once, nothing was done; the owner is silent: known after FORWARD_TIMEOUT_US,
 * whether it was done is not. Each shard has its equal part of LIMITS_FORWARDS, so that one frozen owner does
 * not take the room of all; after a few time-outs in a row it counts as frozen and has one, a trial, until it
 * is heard again; all others are refused at once. One thread, but for forward_called. */
#pragma once
#include "engine/bus/bus.h"
#include "engine/runtime/inbox.h"

enum { FORWARD_TIMEOUT_US = 2000000 }; /* an owner that lives answers after one commit, some milliseconds */

struct engine;
struct forwards;
/* The end of one. */
struct forward_end {
    struct inbox_item *item;
    enum err error;  /* OK, with a text; UNAVAILABLE: nobody serves the shard; TIMEOUT; INVALID: whoever
                       answered  did not prove to be an engine */
    struct str text; /* in the item's arena */
};

struct forwards *forward_new(struct engine *engine);
/* Frees the items that are still under way, without an answer. */
void forward_free(struct forwards *forwards);
/* Takes the item. An error, with a sentence for the caller: it was not sent, and is still the caller's.
 * ERR_UNAVAILABLE: the owner does not answer, or the bus is away; ERR_FULL: too many are under way;
 * ERR_LIMIT: it is larger than the server takes. */
enum err forward_send(struct forwards *forwards, struct inbox_item *item, struct err_note *note);
/* Whether one more would be sent, as far as is known: somebody serves the shard and answers. */
bool forward_would_send(struct forwards *forwards, uint32_t shard);
/* A delivery BUS_SOURCE_CALLED; any thread. */
void forward_called(struct forwards *forwards, const struct bus_delivery *delivery);
/* The next one that has ended; false: none. */
bool forward_take(struct forwards *forwards, struct forward_end *end);
/* One that is still under way, to be given up; NULL: none. */
struct inbox_item *forward_give_up(struct forwards *forwards);
uint32_t forward_count(struct forwards *forwards);
