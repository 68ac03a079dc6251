#include "engine/bus/nats_slots.h"

#include "engine/base/memory.h"
#include "engine/bus/bus.h"

_Static_assert((int)NATS_SLOTS_MAX == (int)BUS_IN_FLIGHT_MAX, "one slot for each publish in flight");

/* A ticket is generation * NATS_SLOTS_MAX + number. */
void nats_slots_init(struct nats_slots *slots)
{
    pthread_mutex_init(&slots->mutex, NULL);
    slots->slots = memory_new(NATS_SLOTS_MAX, sizeof *slots->slots);
    slots->free = memory_new(NATS_SLOTS_MAX, sizeof *slots->free);
    slots->free_count = NATS_SLOTS_MAX;
    for (uint32_t i = 0; i < NATS_SLOTS_MAX; i++)
        slots->free[i] = (uint16_t)(NATS_SLOTS_MAX - 1 - i);
}

void nats_slots_fini(struct nats_slots *slots)
{
    memory_free(slots->slots);
    memory_free(slots->free);
    pthread_mutex_destroy(&slots->mutex);
}

bool nats_slots_take(struct nats_slots *slots, uint64_t cookie, int64_t deadline_us, uint64_t *ticket)
{
    pthread_mutex_lock(&slots->mutex);
    bool found = slots->free_count > 0;
    if (found) {
        uint16_t number = slots->free[--slots->free_count];
        struct nats_slot *slot = &slots->slots[number];
        slot->cookie = cookie;
        slot->deadline_us = deadline_us;
        slot->taken = true;
        *ticket = (uint64_t)slot->generation * NATS_SLOTS_MAX + number;
    }
    pthread_mutex_unlock(&slots->mutex);
    return found;
}

/* With the mutex held. */
static uint64_t release(struct nats_slots *slots, uint32_t number)
{
    struct nats_slot *slot = &slots->slots[number];
    slot->taken = false;
    slot->generation++;
    slots->free[slots->free_count++] = (uint16_t)number;
    return slot->cookie;
}

bool nats_slots_end(struct nats_slots *slots, uint64_t ticket, uint64_t *cookie)
{
    uint32_t number = (uint32_t)(ticket % NATS_SLOTS_MAX);
    pthread_mutex_lock(&slots->mutex);
    const struct nats_slot *slot = &slots->slots[number];
    bool open = slot->taken && slot->generation == ticket / NATS_SLOTS_MAX;
    if (open) {
        uint64_t ended = release(slots, number);
        if (cookie != NULL)
            *cookie = ended;
    }
    pthread_mutex_unlock(&slots->mutex);
    return open;
}

uint32_t nats_slots_expire(struct nats_slots *slots, int64_t now_us, uint64_t *cookies, uint32_t most)
{
    uint32_t count = 0;
    pthread_mutex_lock(&slots->mutex);
    if (slots->free_count < NATS_SLOTS_MAX)
        for (uint32_t i = 0; i < NATS_SLOTS_MAX && count < most; i++)
            if (slots->slots[i].taken && slots->slots[i].deadline_us <= now_us)
                cookies[count++] = release(slots, i);
    pthread_mutex_unlock(&slots->mutex);
    return count;
}

uint32_t nats_slots_count(struct nats_slots *slots)
{
    pthread_mutex_lock(&slots->mutex);
    uint32_t count = NATS_SLOTS_MAX - slots->free_count;
    pthread_mutex_unlock(&slots->mutex);
    return count;
}
