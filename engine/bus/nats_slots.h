/* What was sent and awaits its answer: a bounded table, each entry answered exactly once.
 *
 * A slot is taken before sending; its number goes out within the reply subject. Whoever gets it out first
 * (the answer, the deadline, the lost connection, the sender whose send failed) owns its end. Any thread. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { NATS_SLOTS_MAX = 8192 }; /* of one table: BUS_IN_FLIGHT_MAX */

struct nats_slot {
    uint64_t cookie;
    int64_t deadline_us; /* monotonic */
    uint32_t generation; /* tells a late answer from the present one's */
    bool taken;
};
struct nats_slots {
    pthread_mutex_t mutex;
    struct nats_slot *slots;
    uint16_t *free; /* a stack of numbers */
    uint32_t free_count;
};

void nats_slots_init(struct nats_slots *slots);
void nats_slots_fini(struct nats_slots *slots);
/* False when all are taken. `ticket` names the slot for the reply subject. */
bool nats_slots_take(struct nats_slots *slots, uint64_t cookie, int64_t deadline_us, uint64_t *ticket);
/* True when the ticket was still open: it is the caller's to answer now. cookie may be NULL. */
bool nats_slots_end(struct nats_slots *slots, uint64_t ticket, uint64_t *cookie);
/* Gets up to `most` tickets out whose deadline is at or before now_us (INT64_MAX: all); how many. */
uint32_t nats_slots_expire(struct nats_slots *slots, int64_t now_us, uint64_t *cookies, uint32_t most);
uint32_t nats_slots_count(struct nats_slots *slots);
