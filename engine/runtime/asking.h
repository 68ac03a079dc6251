/* Requests under way (`via: request`), of one runner: what a plain request lacks beside a stream.
 *
 * Happy path: asking_send hands the request to the bus under a ticket (bus/ticket.h); its answer comes with
 * that ticket and is read by asking_read, whether anything is still known here of what was asked or not.
 * Nobody there: the server says so at once, and that nobody got it is certain. So within the attempt's own
 * time it is tried again, from ASKING_FIRST_US doubling to ASKING_MOST_US; when the time is over and nobody
 * ever took it, asking_turn makes an item that says so, before the attempt's own timer could call its outcome
 * unknown. The same for a request that could not be handed out. Failure modes: the shard moves or the process
 * dies: what was between two tries is forgotten, and its attempt times out. Over ASKING_COUNT or ASKING_BYTES
 * requests are sent and not kept: the first refusal is the last then. One thread: the runner's. */
#pragma once
#include "engine/base/heap.h"
#include "engine/base/map.h"
#include "engine/base/siphash.h"
#include "engine/core/core.h"

struct runner;
struct batch_send;
struct inbox_item;

enum {
    ASKING_FIRST_US = 50000,
    ASKING_MOST_US = 1000000,
    ASKING_COUNT = 65536,    /* about a kilobyte each, beside its texts */
    ASKING_BYTES = 67108864, /* of messages kept to be sent once more */
};
struct asking {
    struct map tickets; /* of struct asked */
    struct heap due;    /* on the engine's monotonic clock, whatever the database's does */
    size_t bytes;
};

void asking_init(struct asking *asking);
void asking_fini(struct asking *asking);
/* One that is out already is not sent twice. again: it may have been sent before, so that it will never be
 * said to have reached nobody. */
void asking_send(struct runner *runner, const struct batch_send *send, bool again);
/* True when the answer is an event of a saga; borrows from the item. False: nobody was there, or it is none
 * of ours. */
bool asking_read(struct runner *runner, struct inbox_item *item, struct core_event *event, struct id *saga);
/* For its dead letter: the answer under the subject that was asked, and the command it belongs to. */
void asking_label(struct inbox_item *item, const struct siphash_key *key);
/* Tries again what is due. Items for the batch at hand, a list: requests that nobody ever took. */
struct inbox_item *asking_turn(struct runner *runner);
/* INT64_MAX: nothing is due. On the engine's monotonic clock. */
int64_t asking_next_us(const struct asking *asking);
/* The shard is another's now. */
void asking_forget(struct asking *asking, uint32_t shard);
