#include "engine/base/map.h"
#include <stdbool.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"

enum { FIRST_ROOM = 16 };

static const struct map_slot GRAVE = {.key = {"", 0}};

static bool is_free(const struct map_slot *slot)
{
    return !slot->value && !slot->key.data;
}

void map_init(struct map *map)
{
    *map = (struct map){0};
}

void map_fini(struct map *map)
{
    memory_free(map->slots);
    *map = (struct map){0};
}

/* The slot of the key, or the first free or grave one where it may go. There is always a free slot. */
static struct map_slot *find(const struct map *map, struct str key)
{
    struct map_slot *grave = NULL;
    size_t mask = map->room - 1;
    for (size_t i = str_hash(key) & mask;; i = (i + 1) & mask) {
        struct map_slot *slot = &map->slots[i];
        if (is_free(slot))
            return grave ? grave : slot;
        if (slot->value && str_equal(slot->key, key))
            return slot;
        if (!slot->value && !grave)
            grave = slot;
    }
}

/* Grows when half of the slots would live, else only clears the graves. */
static void rebuild(struct map *map)
{
    struct map old = *map;
    size_t room = old.room ? old.room : FIRST_ROOM;
    if (old.count >= room / 2)
        room *= 2;
    *map = (struct map){.slots = memory_new(room, sizeof *map->slots), .room = room};
    for (size_t i = 0; i < old.room; i++) {
        if (!old.slots[i].value)
            continue;
        *find(map, old.slots[i].key) = old.slots[i];
        map->count++;
        map->used++;
    }
    memory_free(old.slots);
}

void *map_get(const struct map *map, struct str key)
{
    return map->count ? find(map, key)->value : NULL;
}

void *map_set(struct map *map, struct str key, void *value)
{
    check(value);
    struct map_slot *slot = map->room ? find(map, key) : NULL;
    if (!slot || (is_free(slot) && (map->used + 1) * 4 > map->room * 3)) {
        rebuild(map);
        slot = find(map, key);
    }
    void *before = slot->value;
    map->count += !before;
    map->used += is_free(slot);
    *slot = (struct map_slot){key, value};
    return before;
}

void *map_remove(struct map *map, struct str key)
{
    struct map_slot *slot = map->count ? find(map, key) : NULL;
    if (!slot || !slot->value)
        return NULL;
    void *value = slot->value;
    map->count--;
    /* Nobody's way leads past a slot before a free one: it needs no grave. */
    size_t after = ((size_t)(slot - map->slots) + 1) & (map->room - 1);
    if (is_free(&map->slots[after])) {
        *slot = (struct map_slot){0};
        map->used--;
    } else {
        *slot = GRAVE;
    }
    return value;
}

void *map_next(const struct map *map, size_t *cursor)
{
    while (*cursor < map->room) {
        void *value = map->slots[(*cursor)++].value;
        if (value)
            return value;
    }
    return NULL;
}
