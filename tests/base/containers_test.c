/* The heap and the map against models so plain that they cannot be wrong. */
#include <stdint.h>
#include <stdio.h>
#include "engine/base/heap.h"
#include "engine/base/map.h"
#include "engine/base/rng.h"
#include "tests/base/expect.h"

enum { ITEMS = 200 };

/* The earliest by (due, order) of those that are in, found by looking at all. */
static struct heap_item *naive_first(struct heap_item *items, const bool *in)
{
    struct heap_item *first = NULL;
    for (size_t i = 0; i < ITEMS; i++) {
        if (!in[i])
            continue;
        if (!first || items[i].due_us < first->due_us ||
            (items[i].due_us == first->due_us && items[i].order < first->order))
            first = &items[i];
    }
    return first;
}

Test(heap, first_is_always_the_earliest_whatever_is_set_moved_and_removed)
{
    struct heap_item items[ITEMS] = {{0}};
    bool in[ITEMS] = {false};
    struct heap heap;
    struct rng rng;
    size_t count = 0;
    heap_init(&heap);
    rng_init(&rng, 3);
    for (int round = 0; round < 50000; round++) {
        size_t i = (size_t)rng_below(&rng, ITEMS);
        if (rng_below(&rng, 5) < 3) {
            /* Few different times, so that ties are common; sometimes negative. */
            heap_set(&heap, &items[i], (int64_t)rng_below(&rng, 50) - 10);
            count += !in[i];
            in[i] = true;
        } else {
            heap_remove(&heap, &items[i]);
            count -= in[i];
            in[i] = false;
        }
        cr_assert(heap.count == count && (items[i].position != HEAP_ABSENT) == in[i]);
        cr_assert(heap_first(&heap) == naive_first(items, in), "round %d", round);
    }
    while (count-- > 0) {
        struct heap_item *first = naive_first(items, in);
        cr_assert(heap_first(&heap) == first);
        heap_remove(&heap, first);
        in[first - items] = false;
    }
    cr_assert(!heap_first(&heap));
    heap_fini(&heap);
}

Test(heap, ties_come_in_the_order_they_were_set)
{
    struct heap_item items[10] = {{0}};
    struct heap heap;
    heap_init(&heap);
    for (size_t i = 0; i < 10; i++)
        heap_set(&heap, &items[i], 5);
    heap_set(&heap, &items[0], 5); /* set again: behind the others */
    for (size_t i = 1; i <= 10; i++) {
        cr_assert(heap_first(&heap) == &items[i % 10]);
        heap_remove(&heap, &items[i % 10]);
    }
    heap_fini(&heap);
}

enum { KEYS = 3000 };

struct entry {
    char key[12];
    int version;
};

Test(map, holds_what_a_plain_table_holds_through_growth_and_graves)
{
    static struct entry entries[KEYS];
    static bool in[KEYS];
    struct map map;
    struct rng rng;
    size_t count = 0;
    map_init(&map);
    rng_init(&rng, 5);
    cr_assert(!map_get(&map, STR("k1")) && !map_remove(&map, STR("k1")));
    for (size_t i = 0; i < KEYS; i++)
        snprintf(entries[i].key, sizeof entries[i].key, "k%zu", i);
    for (int round = 0; round < 200000; round++) {
        /* Phases that mostly add and phases that mostly remove; few and many keys. */
        size_t range = round / 10000 % 3 ? KEYS : 40;
        size_t i = (size_t)rng_below(&rng, range);
        struct str key = str_from(entries[i].key);
        void *before = in[i] ? &entries[i] : NULL;
        cr_assert(map_get(&map, key) == before);
        if (rng_below(&rng, 10) < (round / 20000 % 2 ? 3u : 7u)) {
            cr_assert(map_set(&map, key, &entries[i]) == before);
            count += !in[i];
            in[i] = true;
        } else {
            cr_assert(map_remove(&map, key) == before);
            count -= in[i];
            in[i] = false;
        }
        cr_assert(map.count == count && map.used >= map.count && map.used < map.room);
    }
    for (size_t i = 0; i < KEYS; i++)
        cr_assert(map_get(&map, str_from(entries[i].key)) == (in[i] ? &entries[i] : NULL));
    map_fini(&map);
}

Test(map, walks_each_entry_once_and_lets_the_walker_remove_it)
{
    static struct entry entries[KEYS];
    struct map map;
    map_init(&map);
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(entries[i].key, sizeof entries[i].key, "k%zu", i);
        map_set(&map, str_from(entries[i].key), &entries[i]);
    }
    size_t cursor = 0;
    for (struct entry *entry; (entry = map_next(&map, &cursor));) {
        entry->version++;
        if (strlen(entry->key) % 2)
            cr_assert(map_remove(&map, str_from(entry->key)) == entry);
    }
    for (size_t i = 0; i < KEYS; i++) {
        cr_assert(entries[i].version == 1, "%s", entries[i].key);
        cr_assert(!map_get(&map, str_from(entries[i].key)) == (strlen(entries[i].key) % 2 == 1));
    }
    map_fini(&map);
}

Test(map, stays_small_when_entries_come_and_go)
{
    struct map map;
    char keys[64][24];
    int value = 1;
    map_init(&map);
    for (int i = 0; i < 100000; i++) {
        char *key = keys[i % 64];
        if (i >= 64)
            cr_assert(map_remove(&map, str_from(key)) == &value);
        snprintf(key, sizeof keys[0], "saga-%d", i);
        cr_assert(!map_set(&map, str_from(key), &value));
    }
    cr_assert(map.count == 64 && map.room <= 256, "graves are cleared, room is %zu", map.room);
    map_fini(&map);
}

Test(map, reuses_graves)
{
    struct map map;
    char keys[12][8];
    int value = 1;
    map_init(&map);
    for (int i = 0; i < 12; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        map_set(&map, str_from(keys[i]), &value);
    }
    const struct map_slot *slots = map.slots;
    for (int i = 0; i < 12000; i++) {
        cr_assert(map_remove(&map, str_from(keys[i % 12])) == &value);
        map_set(&map, str_from(keys[i % 12]), &value);
    }
    cr_assert(map.slots == slots && map.used == 12, "%zu slots used", map.used);
    map_fini(&map);
}

Test(map, takes_the_empty_key_and_replaces_values)
{
    struct map map;
    int first, second;
    map_init(&map);
    cr_assert(!map_set(&map, (struct str){0}, &first));
    cr_assert(map_get(&map, STR("")) == &first);
    cr_assert(map_set(&map, STR(""), &second) == &first);
    cr_assert(map.count == 1 && map_remove(&map, STR("")) == &second && map.count == 0);
    map_fini(&map);
}
