#include "engine/runtime/outbox.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

void outbox_init(struct outbox *outbox, int64_t mark, int64_t epoch)
{
    const uint64_t number_mask =
        (UINT64_C(1) << (OUTBOX_NUMBER_BITS - 1)) - 1; /* the top bit: never reached */
    uint64_t first = ((uint64_t)epoch << OUTBOX_EPOCH_SHIFT) & number_mask;
    *outbox = (struct outbox){.room = 64, .first = first, .next = first, .sent_lsn = mark, .behind = true};
    outbox->slots = memory_new(outbox->room, sizeof *outbox->slots);
    heap_init(&outbox->held);
}

void outbox_fini(struct outbox *outbox)
{
    heap_fini(&outbox->held);
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

static uint64_t take(struct outbox *outbox, struct outbox_slot taken)
{
    check(outbox->next - outbox->first <= outbox->room);
    if (outbox->next - outbox->first == outbox->room)
        grow(outbox);
    *slot(outbox, outbox->next) = taken;
    outbox->open_count++;
    return outbox->next++;
}

uint64_t outbox_take(struct outbox *outbox, int64_t lsn, int64_t now_us, struct delivery_flight *flight)
{
    return take(outbox, (struct outbox_slot){.lsn = lsn, .flight = flight, .taken_us = now_us});
}

uint64_t outbox_take_again(struct outbox *outbox, int64_t now_us, struct delivery_flight *flight)
{
    /* Above all that was handed out, so that the mark is as if it were not there. */
    return take(outbox,
                (struct outbox_slot){
                    .lsn = outbox->sent_lsn + 1, .flight = flight, .taken_us = now_us, .again = true});
}

struct outbox_slot outbox_look(const struct outbox *outbox, uint64_t number)
{
    if (number < outbox->first || number >= outbox->next)
        return (struct outbox_slot){0};
    return *slot(outbox, number);
}

bool outbox_hold(struct outbox *outbox, struct heap_item *held, int64_t lsn)
{
    check(held->position == HEAP_ABSENT);
    if (outbox->held.count >= LIMITS_HELD_COMMANDS)
        return false;
    heap_set(&outbox->held, held, lsn);
    return true;
}

void outbox_let_go(struct outbox *outbox, struct heap_item *held)
{
    heap_remove(&outbox->held, held);
}

struct outbox_slot outbox_answer(struct outbox *outbox, uint64_t number, bool confirmed)
{
    struct outbox_slot taken = outbox_look(outbox, number);
    if (number < outbox->first || number >= outbox->next)
        return taken;
    check(outbox->open_count > 0);
    outbox->open_count--;
    confirmed = confirmed || taken.again;
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

/* As if nothing was held. */
static int64_t slots_mark(const struct outbox *outbox)
{
    return outbox->first == outbox->next ? outbox->sent_lsn : slot(outbox, outbox->first)->lsn - 1;
}

int64_t outbox_mark(const struct outbox *outbox)
{
    int64_t mark = slots_mark(outbox);
    const struct heap_item *held = heap_first(&outbox->held);
    return held != NULL && held->due_us <= mark ? held->due_us - 1 : mark;
}

bool outbox_restart(struct outbox *outbox)
{
    if (!outbox->behind || outbox->open_count > 0)
        return false;
    outbox->sent_lsn = slots_mark(outbox);
    outbox->first = outbox->next;
    outbox->refused_count = 0;
    return true;
}
