#include "engine/runtime/outbox.h"

#include "engine/base/check.h"
#include "engine/base/memory.h"

void outbox_init(struct outbox *outbox, int64_t mark, int64_t epoch)
{
    const uint64_t number_mask =
        (UINT64_C(1) << (OUTBOX_NUMBER_BITS - 1)) - 1; /* the top bit: never reached */
    uint64_t first = ((uint64_t)epoch << OUTBOX_EPOCH_SHIFT) & number_mask;
    *outbox = (struct outbox){.room = 64, .first = first, .next = first, .sent_lsn = mark, .behind = true};
    outbox->slots = memory_new(outbox->room, sizeof *outbox->slots);
}

void outbox_fini(struct outbox *outbox)
{
    memory_free(outbox->slots);
    *outbox = (struct outbox){0};
}

static struct outbox_slot *slot(const struct outbox *outbox, uint64_t number)
{
    return &outbox->slots[number & (outbox->room - 1)];
}

static void grow(struct outbox *outbox)
{
    struct outbox_slot *old = outbox->slots;
    uint32_t old_room = outbox->room;
    outbox->room *= 2;
    outbox->slots = memory_new(outbox->room, sizeof *outbox->slots);
    for (uint64_t number = outbox->first; number < outbox->next; number++)
        *slot(outbox, number) = old[number & (old_room - 1)];
    memory_free(old);
}

uint64_t outbox_take(struct outbox *outbox, int64_t lsn, int64_t now_us, struct delivery_flight *flight)
{
    check(outbox->next - outbox->first <= outbox->room);
    if (outbox->next - outbox->first == outbox->room)
        grow(outbox);
    *slot(outbox, outbox->next) = (struct outbox_slot){.lsn = lsn, .flight = flight, .taken_us = now_us};
    outbox->open_count++;
    return outbox->next++;
}

struct outbox_slot outbox_answer(struct outbox *outbox, uint64_t number, bool confirmed)
{
    if (number < outbox->first || number >= outbox->next)
        return (struct outbox_slot){0};
    struct outbox_slot taken = *slot(outbox, number);
    check(outbox->open_count > 0);
    outbox->open_count--;
    slot(outbox, number)->confirmed = confirmed;
    outbox->behind = outbox->behind || !confirmed;
    outbox->refused_count += !confirmed;
    while (outbox->first < outbox->next && slot(outbox, outbox->first)->confirmed)
        outbox->first++;
    return taken;
}

void outbox_sent(struct outbox *outbox, int64_t lsn)
{
    check(lsn >= outbox->sent_lsn);
    outbox->sent_lsn = lsn;
}

int64_t outbox_mark(const struct outbox *outbox)
{
    return outbox->first == outbox->next ? outbox->sent_lsn : slot(outbox, outbox->first)->lsn - 1;
}

bool outbox_restart(struct outbox *outbox)
{
    if (!outbox->behind || outbox->open_count > 0)
        return false;
    outbox->sent_lsn = outbox_mark(outbox);
    outbox->first = outbox->next;
    outbox->refused_count = 0;
    return true;
}
