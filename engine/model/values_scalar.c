/* Numbers and strings. Bounds are read as doubles: what rounding spoils, the check against the schema
 * refuses. */
#include "engine/model/values_parts.h"

#include <math.h>
#include <stdlib.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/definition/word.h"

/* ---- numbers ---- */

enum { WIDE = 100, EXPONENT_MAX = 30 };
/* Numbers are drawn as whole multiples of digits × ten to the exponent. */
struct unit {
    int64_t digits;
    int64_t exponent;
};
struct range {
    double least, most; /* in units */
};

static double in_units(struct str number, struct unit unit, struct arena *arena)
{
    double value = strtod(arena_copy(arena, number).data, NULL);
    return value / ((double)unit.digits * pow(10, (double)unit.exponent));
}

static struct unit unit_of(const struct values_layers *layers, bool integer)
{
    struct unit unit = {1, integer ? 0 : -2};
    for (uint32_t i = 0; i < layers->count; i++) {
        const struct schema_divisor *divisor = layers->items[i]->multiple_of;
        if (divisor && llabs(divisor->exponent) <= EXPONENT_MAX)
            unit = (struct unit){(int64_t)divisor->digits, divisor->exponent};
    }
    return unit;
}

static struct range range_of(const struct values_layers *layers, struct unit unit, struct arena *arena)
{
    struct range range = {-INFINITY, INFINITY};
    for (uint32_t i = 0; i < layers->count; i++) {
        const struct schema *schema = layers->items[i];
        if (schema->minimum.size)
            range.least = fmax(range.least, ceil(in_units(schema->minimum, unit, arena)));
        if (schema->exclusive_minimum.size)
            range.least = fmax(range.least, floor(in_units(schema->exclusive_minimum, unit, arena)) + 1);
        if (schema->maximum.size)
            range.most = fmin(range.most, floor(in_units(schema->maximum, unit, arena)));
        if (schema->exclusive_maximum.size)
            range.most = fmin(range.most, ceil(in_units(schema->exclusive_maximum, unit, arena)) - 1);
    }
    if (isinf(range.least))
        range.least = isinf(range.most) || range.most >= 1 ? 1 : range.most - WIDE;
    if (isinf(range.most) || range.most - range.least > (double)INT32_MAX)
        range.most = range.least + (unit.exponent < 0 ? WIDE * WIDE : WIDE);
    return range;
}

/* The bounds themselves come often: that is where mistakes are. */
static double pick(struct range range, struct rng *rng)
{
    enum { ALL = 8 };
    uint64_t which = rng_below(rng, ALL);
    if (range.most <= range.least || which == 0)
        return range.least;
    if (which == 1)
        return range.most;
    return range.least + (double)rng_below(rng, (uint64_t)(range.most - range.least) + 1);
}

struct str values_number(const struct values_layers *layers, bool integer, struct rng *rng,
                         struct arena *arena)
{
    struct unit unit = unit_of(layers, integer);
    double count = pick(range_of(layers, unit, arena), rng);
    double digits = count * (double)unit.digits;
    struct buf out;
    if (!(fabs(digits) < 1e15))
        return STR("0"); /* so far out a double is no whole number any more */
    buf_init(&out, arena);
    if (unit.exponent >= 0) {
        buf_printf(&out, "%.0f", digits);
        for (int64_t i = 0; i < unit.exponent && fabs(count) > 0; i++)
            buf_char(&out, '0');
        return buf_str(&out);
    }
    int places = (int)-unit.exponent;
    struct str whole = arena_printf(arena, "%0*.0f", places + 1, fabs(digits));
    buf_puts(&out, digits < 0 ? "-" : "");
    buf_put(&out, str_slice(whole, 0, whole.size - (size_t)places));
    buf_char(&out, '.');
    buf_put(&out, str_slice(whole, whole.size - (size_t)places, whole.size));
    return buf_str(&out);
}

/* ---- strings ---- */

static const struct str words[] = {WORD("anna"), WORD("blue"), WORD("corner"), WORD("delta"),
                                   WORD("east"), WORD("fern"), WORD("garden"), WORD("harbour")};
enum { WORD_COUNT = sizeof words / sizeof words[0] };

static struct str formatted(enum schema_format format, struct rng *rng, struct arena *arena)
{
    enum { DAYS = 28, HOURS = 24 };
    unsigned day = 1 + (unsigned)rng_below(rng, DAYS), hour = (unsigned)rng_below(rng, HOURS);
    struct str word = words[rng_below(rng, WORD_COUNT)];
    switch (format) {
    case SCHEMA_FORMAT_DATE_TIME:
        return arena_printf(arena, "2026-03-%02uT%02u:30:00Z", day, hour);
    case SCHEMA_FORMAT_DATE:
        return arena_printf(arena, "2026-03-%02u", day);
    case SCHEMA_FORMAT_TIME:
        return arena_printf(arena, "%02u:30:00Z", hour);
    case SCHEMA_FORMAT_DURATION:
        return arena_printf(arena, "P%uDT%uH", day, hour);
    case SCHEMA_FORMAT_EMAIL:
        return arena_printf(arena, "%.*s%u@example.org", STR_ARG(word), day);
    case SCHEMA_FORMAT_IPV4:
        return arena_printf(arena, "192.0.2.%u", day);
    case SCHEMA_FORMAT_IPV6:
        return arena_printf(arena, "2001:db8::%x", day);
    case SCHEMA_FORMAT_UUID:
        return arena_printf(arena, "%08x-0000-4000-8000-0000000000%02x", (unsigned)rng_below(rng, UINT32_MAX),
                            day);
    case SCHEMA_FORMAT_URI:
        return arena_printf(arena, "https://example.org/%.*s/%u", STR_ARG(word), day);
    case SCHEMA_FORMAT_COUNT:
        break;
    }
    check_never("unknown format of a schema");
}

static struct str plain(const struct values_layers *layers, struct rng *rng, struct arena *arena)
{
    struct values_span span = {0, LIMITS_SCHEMA_PARTS};
    struct buf out;
    for (uint32_t i = 0; i < layers->count; i++) {
        const struct schema *schema = layers->items[i];
        if (schema_has(schema, SCHEMA_KEYWORD_MIN_LENGTH) && schema->min_length > span.least)
            span.least = schema->min_length;
        if (schema_has(schema, SCHEMA_KEYWORD_MAX_LENGTH) && schema->max_length < span.most)
            span.most = schema->max_length;
    }
    buf_init(&out, arena);
    do {
        buf_put(&out, words[rng_below(rng, WORD_COUNT)]);
    } while ((int64_t)out.size < span.least && out.size < LIMITS_SCHEMA_PARTS);
    return str_slice(buf_str(&out), 0, (size_t)span.most);
}

struct str values_text(const struct values_layers *layers, struct rng *rng, struct arena *arena)
{
    for (uint32_t i = 0; i < layers->count; i++) {
        if (schema_has(layers->items[i], SCHEMA_KEYWORD_FORMAT))
            return formatted(layers->items[i]->format, rng, arena);
    }
    for (uint32_t i = 0; i < layers->count; i++) {
        if (layers->items[i]->pattern)
            return values_pattern(layers->items[i]->pattern_text, rng, arena);
    }
    return plain(layers, rng, arena);
}
