/* A min-heap of (due time, item) with positions kept in the items, so that a timer can be moved or removed in
 * O(log n). Items are embedded by the caller, who owns them; the heap borrows pointers. One thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAP_ABSENT = 0 };

struct heap_item {
    int64_t due_us;  /* or whatever else orders them */
    uint64_t order;  /* breaks ties: the lower first, so that runs are deterministic */
    size_t position; /* 1-based; HEAP_ABSENT while not in a heap */
};
struct heap {
    struct heap_item **items;
    size_t count;
    size_t room;
    uint64_t next_order;
};

void heap_init(struct heap *heap);
void heap_fini(struct heap *heap);
/* Puts the item in, or moves it when it is in already. */
void heap_set(struct heap *heap, struct heap_item *item, int64_t due_us);
/* Takes it out; nothing happens when it is not in. */
void heap_remove(struct heap *heap, struct heap_item *item);
/* The earliest, or NULL. */
struct heap_item *heap_first(const struct heap *heap);
