/* Equal values have equal hashes; only those with equal hashes are compared. Called by the checker for
 * uniqueItems. Never counts for nothing: each comparison is charged to the work of the check. */
#include "engine/definition/schema_parts.h"

#include <stdlib.h>

#include "engine/base/check.h"

uint64_t schema_hash_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) *
           UINT64_C(0x9e3779b97f4a7c15); /* 2^64 divided by the golden ratio: odd, spreads bits */
    return hash ^ (hash >> 29);
}

static uint64_t hash_of(const struct json *value, uint64_t *work)
{
    *work += 1;
    uint64_t hash = schema_hash_mix(value->kind, value->count);
    switch (value->kind) {
    case JSON_NULL:
        return hash;
    case JSON_BOOL:
        return schema_hash_mix(hash, value->boolean);
    case JSON_NUMBER:
        return schema_hash_mix(hash, schema_number_hash(value->text));
    case JSON_STRING:
        return schema_hash_mix(hash, str_hash(value->text));
    case JSON_ARRAY:
        for (uint32_t i = 0; i < value->count; i++)
            hash = schema_hash_mix(hash, hash_of(value->items[i], work));
        return hash;
    case JSON_OBJECT:
        for (uint32_t i = 0; i < value->count; i++) /* a sum: members have no order */
            hash += schema_hash_mix(str_hash(value->members[i].key), hash_of(value->members[i].value, work));
        return hash;
    }
    check_never("unknown JSON kind");
}

struct hashed {
    uint64_t hash;
    const struct json *value;
};

static int compare_hashes(const void *left, const void *right)
{
    const struct hashed *a = left;
    const struct hashed *b = right;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

bool schema_items_unique(const struct json *array, struct arena *arena, uint64_t *work)
{
    struct hashed *items = arena_array(arena, array->count, sizeof *items);
    for (uint32_t i = 0; i < array->count; i++)
        items[i] = (struct hashed){hash_of(array->items[i], work), array->items[i]};
    qsort(items, array->count, sizeof *items, compare_hashes);
    for (uint32_t i = 0; i < array->count; i++) {
        for (uint32_t j = i + 1; j < array->count && items[j].hash == items[i].hash; j++) {
            *work += 1;
            if (json_equal(items[i].value, items[j].value))
                return false;
        }
    }
    return true;
}
