#include "engine/base/heap.h"
#include "engine/base/check.h"
#include "engine/base/memory.h"

enum { FIRST_ROOM = 64 };

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_fini(struct heap *heap)
{
    memory_free(heap->items);
    *heap = (struct heap){0};
}

static bool earlier(const struct heap_item *a, const struct heap_item *b)
{
    if (a->due_us != b->due_us)
        return a->due_us < b->due_us;
    return a->order < b->order;
}

/* Positions count from 1, so that zeroed items are absent; items[position - 1]. */
static void place(struct heap *heap, struct heap_item *item, size_t position)
{
    heap->items[position - 1] = item;
    item->position = position;
}

static void rise(struct heap *heap, struct heap_item *item, size_t position)
{
    while (position > 1 && earlier(item, heap->items[position / 2 - 1])) {
        place(heap, heap->items[position / 2 - 1], position);
        position /= 2;
    }
    place(heap, item, position);
}

static void sink(struct heap *heap, struct heap_item *item, size_t position)
{
    while (position * 2 <= heap->count) {
        size_t child = position * 2;
        if (child < heap->count && earlier(heap->items[child], heap->items[child - 1]))
            child++;
        if (!earlier(heap->items[child - 1], item))
            break;
        place(heap, heap->items[child - 1], position);
        position = child;
    }
    place(heap, item, position);
}

static void settle(struct heap *heap, struct heap_item *item, size_t position)
{
    if (position > 1 && earlier(item, heap->items[position / 2 - 1]))
        rise(heap, item, position);
    else
        sink(heap, item, position);
}

void heap_set(struct heap *heap, struct heap_item *item, int64_t due_us)
{
    item->due_us = due_us;
    item->order = heap->next_order++;
    if (item->position != HEAP_ABSENT) {
        check(item->position <= heap->count && heap->items[item->position - 1] == item);
        settle(heap, item, item->position);
        return;
    }
    if (heap->count == heap->room) {
        heap->room = heap->room ? heap->room * 2 : FIRST_ROOM;
        heap->items = memory_resize(heap->items, heap->room, sizeof *heap->items);
    }
    heap->count++;
    rise(heap, item, heap->count);
}

void heap_remove(struct heap *heap, struct heap_item *item)
{
    size_t position = item->position;
    if (position == HEAP_ABSENT)
        return;
    check(position <= heap->count && heap->items[position - 1] == item);
    struct heap_item *last = heap->items[--heap->count];
    item->position = HEAP_ABSENT;
    if (last != item)
        settle(heap, last, position);
}

struct heap_item *heap_first(const struct heap *heap)
{
    return heap->count ? heap->items[0] : NULL;
}
