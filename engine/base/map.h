/* A hash table from bytes to pointers, open addressing. Keys are borrowed: they must live as long as their
 * entry (embed them in the value). One thread at a time. */
#pragma once
#include <stddef.h>
#include "engine/base/str.h"

struct map_slot {
    struct str key;
    void *value; /* NULL: free, or a grave when key.data is not NULL */
};
struct map {
    struct map_slot *slots;
    size_t count; /* live entries */
    size_t used;  /* live entries and graves */
    size_t room;  /* a power of two */
};

void map_init(struct map *map);
void map_fini(struct map *map);
/* The value or NULL. */
void *map_get(const struct map *map, struct str key);
/* Puts value (not NULL) under key; gives back what was there before, or NULL. */
void *map_set(struct map *map, struct str key, void *value);
/* Takes it out and gives it back; NULL when there is none. */
void *map_remove(struct map *map, struct str key);
/* Walks all: start with *cursor 0; NULL at the end. Nothing may be set while walking; removing the current
 * one is fine. */
void *map_next(const struct map *map, size_t *cursor);
