#include "engine/runtime/inbox.h"

#include <time.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

void inbox_init(struct inbox *inbox, uint32_t count_max, size_t bytes_max)
{
    *inbox = (struct inbox){.count_max = count_max, .bytes_max = bytes_max};
    pthread_condattr_t attributes;
    check(pthread_mutex_init(&inbox->lock, NULL) == 0);
    check(pthread_condattr_init(&attributes) == 0);
    check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    check(pthread_cond_init(&inbox->wake, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
}

void inbox_fini(struct inbox *inbox)
{
    while (inbox->first != NULL) {
        struct inbox_item *item = inbox->first;
        inbox->first = item->next;
        inbox_item_free(item);
    }
    pthread_cond_destroy(&inbox->wake);
    pthread_mutex_destroy(&inbox->lock);
}

struct inbox_item *inbox_item_new(enum inbox_origin origin, enum inbox_kind kind, size_t expected_bytes)
{
    struct arena arena;
    arena_init(&arena, sizeof(struct inbox_item) + expected_bytes + 512);
    struct inbox_item *item = arena_new(&arena, struct inbox_item);
    item->origin = origin;
    item->task.kind = kind;
    item->bytes = sizeof *item + expected_bytes;
    item->arena = arena;
    return item;
}

void inbox_item_free(struct inbox_item *item)
{
    struct arena arena = item->arena; /* the item lies in its own arena */
    arena_fini(&arena);
}

bool inbox_item_is_message(const struct inbox_item *item)
{
    return item->origin == INBOX_DELIVERY && item->delivery.source != BUS_SOURCE_CONTROL;
}

int64_t inbox_item_back_off_us(const struct inbox_item *item)
{
    const int64_t first_us = 100000, most_us = 10000000;
    uint64_t before = item->delivery.delivery_count > 0 ? item->delivery.delivery_count - 1 : 0;
    int64_t pause_us = first_us << (before < 8 ? before : 8);
    return pause_us < most_us ? pause_us : most_us;
}

static bool has_room(const struct inbox *inbox, size_t bytes, bool urgent)
{
    uint32_t count_max = urgent ? inbox->count_max : inbox->count_max - inbox->count_max / 4;
    size_t bytes_max = urgent ? inbox->bytes_max : inbox->bytes_max - inbox->bytes_max / 4;
    return inbox->count < count_max && inbox->bytes + bytes <= bytes_max;
}

bool inbox_put(struct inbox *inbox, struct inbox_item *item, bool urgent)
{
    item->queued_us = clock_monotonic_us();
    item->next = NULL;
    pthread_mutex_lock(&inbox->lock);
    bool room = !inbox->closed && has_room(inbox, item->bytes, urgent);
    if (room) {
        if (inbox->last != NULL)
            inbox->last->next = item;
        else
            inbox->first = item;
        inbox->last = item;
        inbox->bytes += item->bytes;
        if (inbox->count++ == 0)
            pthread_cond_signal(&inbox->wake);
    }
    pthread_mutex_unlock(&inbox->lock);
    return room;
}

void inbox_wake(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->woken = true;
    pthread_cond_signal(&inbox->wake);
    pthread_mutex_unlock(&inbox->lock);
}

static void wait_for_work(struct inbox *inbox, bool for_items, int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = (until_us % 1000000) * 1000};
    while ((inbox->count == 0 || !for_items) && !inbox->woken && clock_monotonic_us() < until_us)
        pthread_cond_timedwait(&inbox->wake, &inbox->lock, &until);
    inbox->woken = false;
}

struct inbox_item *inbox_take(struct inbox *inbox, uint32_t most, size_t bytes_most,
                              int64_t until_monotonic_us)
{
    pthread_mutex_lock(&inbox->lock);
    wait_for_work(inbox, most > 0, until_monotonic_us);
    struct inbox_item *taken = most > 0 ? inbox->first : NULL;
    struct inbox_item *last = NULL;
    size_t bytes = 0;
    uint32_t count = 0;
    for (struct inbox_item *item = taken; item != NULL && count < most; item = item->next) {
        if (count > 0 && bytes + item->bytes > bytes_most)
            break;
        bytes += item->bytes;
        count++;
        last = item;
    }
    if (last != NULL) {
        inbox->first = last->next;
        inbox->last = inbox->first == NULL ? NULL : inbox->last;
        inbox->count -= count;
        inbox->bytes -= bytes;
        last->next = NULL;
    }
    pthread_mutex_unlock(&inbox->lock);
    return taken;
}

void inbox_close(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->closed = true;
    inbox->woken = true;
    pthread_cond_signal(&inbox->wake);
    pthread_mutex_unlock(&inbox->lock);
}

void inbox_look(struct inbox *inbox, uint32_t *count, int64_t *oldest_us)
{
    pthread_mutex_lock(&inbox->lock);
    *count = inbox->count;
    *oldest_us = inbox->first == NULL ? 0 : inbox->first->queued_us;
    pthread_mutex_unlock(&inbox->lock);
}
