#include "engine/definition/schema_parts.h"

static void put_token(struct buf *out, const struct schema_at *at)
{
    buf_char(out, '/');
    if (at->is_index) {
        buf_i64(out, at->index);
        return;
    }
    for (size_t i = 0; i < at->key.size; i++) {
        if (at->key.data[i] == '~')
            buf_puts(out, "~0");
        else if (at->key.data[i] == '/')
            buf_puts(out, "~1");
        else
            buf_char(out, at->key.data[i]);
    }
}

struct str schema_pointer(struct arena *arena, const struct schema_at *at)
{
    struct buf out;
    buf_init(&out, arena);
    uint32_t depth = 0;
    for (const struct schema_at *step = at; step; step = step->up)
        depth++;
    while (depth-- > 0) {
        const struct schema_at *step = at;
        for (uint32_t i = 0; i < depth; i++)
            step = step->up;
        put_token(&out, step);
    }
    return buf_str(&out);
}

bool schema_has(const struct schema *schema, enum schema_keyword keyword)
{
    return (schema->present & (UINT64_C(1) << keyword)) != 0;
}

const struct schema_property *schema_find_property(const struct schema *schema, struct str key)
{
    uint32_t begin = 0;
    for (uint32_t count = schema->property_count; count > 0;) {
        uint32_t half = count / 2;
        int order = str_compare(schema->properties[begin + half].key, key);
        if (order == 0)
            return &schema->properties[begin + half];
        begin += order < 0 ? half + 1 : 0;
        count = order < 0 ? count - half - 1 : half;
    }
    return NULL;
}
