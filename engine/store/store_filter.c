#include "engine/store/store_filter.h"

#include "engine/base/limits.h"

static const int64_t margin_us = INT64_C(600) * 1000000;

static const struct json *literal(struct str text, struct arena *scratch)
{
    const struct json *value = NULL;
    if (json_parse(scratch, text, LIMITS_KEY_BYTES, &value, NULL) != ERR_OK)
        return NULL;
    return value->kind == JSON_NUMBER || value->kind == JSON_BOOL ? value : NULL;
}

bool store_filter_is_literal(struct str text, struct arena *scratch)
{
    return literal(text, scratch) != NULL;
}

bool store_filter_matches(const struct json *attribute, struct str text, struct arena *scratch)
{
    if (attribute && attribute->kind == JSON_STRING)
        return str_equal(attribute->text, text);
    const struct json *value = literal(text, scratch);
    return attribute && value && json_equal(attribute, value);
}

struct id store_filter_floor(int64_t since_us)
{
    struct id floor = {{0}};
    uint64_t ms = since_us > margin_us ? (uint64_t)(since_us - margin_us) / 1000 : 0;
    for (int i = 0; i < 6; i++)
        floor.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    return floor;
}
