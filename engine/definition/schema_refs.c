/* References are resolved when all schemas of the file are known. Whether checking ends is decided here,
 * once: a step into a member or an item makes the value smaller, so only steps that stay at the same value
 * count. */
#include "engine/definition/schema_refs.h"

#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"

void schema_refs_add_part(struct schema_refs *refs, struct schema *schema, const struct json *const *slot,
                          const struct schema_at *at)
{
    struct schema_part *part = arena_new(refs->arena, struct schema_part);
    *part = (struct schema_part){schema, slot, at, refs->parts};
    schema->number = refs->count++;
    refs->parts = part;
}

void schema_refs_add(struct schema_refs *refs, struct schema *schema, struct str target,
                     const struct schema_at *at)
{
    struct schema_ref *ref = arena_new(refs->arena, struct schema_ref);
    *ref = (struct schema_ref){schema, target, at, refs->refs};
    refs->refs = ref;
}

/* ---- pointers ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A fragment without its escapes (%25). */
static bool decode_fragment(struct arena *arena, struct str text, struct str *pointer)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '%') {
            buf_char(&out, text.data[i]);
            continue;
        }
        if (i + 2 >= text.size || hex_digit(text.data[i + 1]) < 0 || hex_digit(text.data[i + 2]) < 0)
            return false;
        buf_char(&out, (char)(hex_digit(text.data[i + 1]) * 16 + hex_digit(text.data[i + 2])));
        i += 2;
    }
    *pointer = buf_str(&out);
    return true;
}

/* A pointer's step without its escapes (~0 is ~, ~1 is /). */
static bool decode_step(struct arena *arena, struct str text, struct str *step)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '~') {
            i++;
            if (i == text.size || (text.data[i] != '0' && text.data[i] != '1'))
                return false;
            c = text.data[i] == '0' ? '~' : '/';
        }
        buf_char(&out, c);
    }
    *step = buf_str(&out);
    return true;
}

static const struct json *const *slot_below(const struct json *value, struct str step)
{
    int64_t index;
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < value->count; i++) {
        if (str_equal(value->members[i].key, step))
            return &value->members[i].value;
    }
    bool plain = str_to_i64(step, &index) && (step.size == 1 || (step.data[0] >= '1' && step.data[0] <= '9'));
    if (value->kind != JSON_ARRAY || !plain || index < 0 || index >= value->count)
        return NULL;
    return &value->items[index];
}

static const struct json *const *slot_at(struct arena *arena, const struct json *const *root,
                                         struct str pointer)
{
    const struct json *const *slot = root;
    while (slot && pointer.size > 0) {
        struct str rest = str_slice(pointer, 1, pointer.size);
        struct str step = str_slice(rest, 0, str_find(rest, '/'));
        pointer = str_slice(rest, step.size, rest.size);
        if (!decode_step(arena, step, &step))
            return NULL;
        slot = slot_below(*slot, step);
    }
    return slot;
}

static int compare_slots(const void *left, const void *right)
{
    const struct schema_part *const *a = left;
    const struct schema_part *const *b = right;
    uintptr_t left_slot = (uintptr_t)(*a)->slot;
    uintptr_t right_slot = (uintptr_t)(*b)->slot;
    return left_slot < right_slot ? -1 : left_slot > right_slot;
}

static void sort_parts(struct schema_refs *refs)
{
    uint32_t count = 0;
    refs->sorted = arena_array(refs->arena, refs->count, sizeof(struct schema_part *));
    for (struct schema_part *part = refs->parts; part; part = part->next)
        refs->sorted[count++] = part;
    qsort(refs->sorted, count, sizeof(struct schema_part *), compare_slots);
}

const struct schema *schema_refs_find(struct schema_refs *refs, const struct json *const *root,
                                      struct str target)
{
    struct str pointer;
    if (!refs->sorted)
        sort_parts(refs);
    if (!str_starts(target, STR("#")) ||
        !decode_fragment(refs->arena, str_slice(target, 1, target.size), &pointer))
        return NULL;
    if (pointer.size > 0 && pointer.data[0] != '/')
        return NULL;
    struct schema_part wanted = {.slot = slot_at(refs->arena, root, pointer)};
    const struct schema_part *key = &wanted;
    if (!wanted.slot)
        return NULL;
    struct schema_part **found =
        bsearch(&key, refs->sorted, refs->count, sizeof(struct schema_part *), compare_slots);
    return found ? (*found)->schema : NULL;
}

/* ---- loops ---- */

enum { HEIGHT_UNKNOWN = 0, HEIGHT_OPEN = UINT16_MAX };

/* The search along steps that stay at the same value. */
struct loop_search {
    uint16_t *heights; /* of each schema by its number: schemas on the longest way from it, itself included */
    const struct schema *loop;
    bool is_loop;
};

static uint16_t height_of(struct loop_search *search, const struct schema *schema, unsigned depth);

static void raise_by(struct loop_search *search, const struct schema *below, unsigned depth, uint16_t *height)
{
    if (!below || search->loop)
        return;
    uint16_t more = (uint16_t)(height_of(search, below, depth + 1) + 1);
    *height = more > *height ? more : *height;
}

static void raise_by_list(struct loop_search *search, struct schema_list list, unsigned depth,
                          uint16_t *height)
{
    for (uint32_t i = 0; i < list.count; i++)
        raise_by(search, list.items[i], depth, height);
}

/* Heights found stay, so the whole search is linear; its depth is bounded, since it ends at the first way
 * that is too long. */
static uint16_t height_of(struct loop_search *search, const struct schema *schema, unsigned depth)
{
    uint16_t *known = &search->heights[schema->number];
    bool is_loop = *known == HEIGHT_OPEN;
    if (is_loop || depth >= LIMITS_SCHEMA_CHAIN || depth + *known > LIMITS_SCHEMA_CHAIN) {
        search->loop = schema;
        search->is_loop = is_loop;
        return 1;
    }
    if (*known != HEIGHT_UNKNOWN)
        return *known;
    uint16_t height = 1;
    *known = HEIGHT_OPEN;
    raise_by(search, schema->ref, depth, &height);
    raise_by_list(search, schema->all_of, depth, &height);
    raise_by_list(search, schema->any_of, depth, &height);
    raise_by_list(search, schema->one_of, depth, &height);
    for (uint32_t i = 0; i < schema->dependent_schema_count; i++)
        raise_by(search, schema->dependent_schemas[i].schema, depth, &height);
    raise_by(search, schema->not_this, depth, &height);
    raise_by(search, schema->condition, depth, &height);
    raise_by(search, schema->then, depth, &height);
    raise_by(search, schema->otherwise, depth, &height);
    *known = height;
    return height;
}

const struct schema_part *schema_refs_find_loop(struct schema_refs *refs, bool *is_loop)
{
    struct loop_search search = {.heights = arena_array(refs->arena, refs->count, sizeof(uint16_t))};
    for (const struct schema_part *part = refs->parts; part && !search.loop; part = part->next)
        (void)height_of(&search, part->schema, 0);
    *is_loop = search.is_loop;
    for (const struct schema_part *part = refs->parts; part && search.loop; part = part->next) {
        if (part->schema == search.loop)
            return part;
    }
    check(!search.loop);
    return NULL;
}
