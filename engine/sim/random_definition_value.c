/* A random definition's expressions, over what is known at a place. Part of random_definition_parts.h; called
 * where a value may stand. Never refers to what may not have happened. */
#include "engine/sim/random_definition_parts.h"

#include <inttypes.h>
#include "engine/base/duration.h"

static struct str pick(struct random_definition_writer *writer, const char *const *words, uint32_t count)
{
    return str_from(words[random_definition_choose(writer, count)]);
}

#define PICK(writer, ...)                                                                                    \
    pick(writer, (const char *const[]){__VA_ARGS__},                                                         \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* An output that may be named here, or NULL. */
static const struct random_definition_known *any_known(struct random_definition_writer *writer, bool list)
{
    if (writer->known_count == 0)
        return NULL;
    for (int tries = 0; tries < 8; tries++) {
        const struct random_definition_known *known =
            &writer->known[random_definition_choose(writer, writer->known_count)];
        if (known->hidden == 0 && known->lists == (list ? 1 : 0))
            return known;
    }
    return NULL;
}

/* Faults when it is computed, and looks fine to the loader. */
static struct str fault(struct random_definition_writer *writer)
{
    return PICK(writer, "1 / ($input.n - $input.n)", "($input.w // \"\") | tonumber",
                "[$input.n][] | fromjson", "$input.n | tostring | .x");
}

static struct str of_input(struct random_definition_writer *writer)
{
    return PICK(writer, "$input.n", "$input.flag", "$input.w // \"none\"", "$input.items | length",
                "$input.items[0].v // 0", "$saga.id", "$saga.key // \"\"", "$input.n * 1.50 + 1",
                "{ n: $input.n, flag: $input.flag }", "$input.at", "[$input.items[] | select(.v > 3)]",
                "if $input.flag then \"yes\" else null end", "$saga.started_at", "\"n is \\($input.n)\"");
}

static struct str of_known(struct random_definition_writer *writer)
{
    const struct random_definition_known *known = any_known(writer, false);
    if (known == NULL)
        return of_input(writer);
    if (!known->certain)
        return random_definition_chance(writer, 50)
                   ? arena_printf(writer->out.arena, "$steps.%s.output.v // 0", known->id)
                   : arena_printf(writer->out.arena, "$steps.%s.output // null", known->id);
    if (random_definition_chance(writer, 30))
        return arena_printf(writer->out.arena, "$steps.%s.output", known->id);
    return arena_printf(writer->out.arena, "$steps.%s.output.%s", known->id,
                        known->fields && random_definition_chance(writer, 30) ? "w" : "v");
}

static struct str of_list(struct random_definition_writer *writer)
{
    const struct random_definition_known *known = any_known(writer, true);
    if (known == NULL)
        return of_input(writer);
    return arena_printf(writer->out.arena, "($steps.%s.output // []) | %s", known->id,
                        random_definition_chance(writer, 50) ? "length" : "map(.v // null)");
}

static struct str of_loop(struct random_definition_writer *writer)
{
    if (writer->loop_count == 0)
        return of_known(writer);
    const char *name = writer->loops[random_definition_choose(writer, writer->loop_count)];
    switch (random_definition_choose(writer, 3)) {
    case 0:
        return arena_printf(writer->out.arena, "$%s", name);
    case 1:
        return arena_printf(writer->out.arena, "($%s | .v)? // 0", name);
    default:
        return STR("$index");
    }
}

static struct str expression(struct random_definition_writer *writer, enum random_definition_place place,
                             const char *own)
{
    if (random_definition_chance(writer, writer->wanted->faults))
        return fault(writer);
    uint32_t dice = random_definition_choose(writer, 10);
    if (place == RANDOM_DEFINITION_AT_UNDO && own != NULL && dice < 3)
        return arena_printf(writer->out.arena, "$steps.%s.output.v // null", own);
    if (place == RANDOM_DEFINITION_AT_UNDO && dice == 3)
        return PICK(writer, "$error.code", "$error.message", "$error.step", "[$error.code, $input.n]");
    if (writer->event && dice == 4)
        return PICK(writer, "$event // null", "$event.v // 0");
    if (dice < 6)
        return of_known(writer);
    if (dice == 6)
        return of_list(writer);
    return dice == 7 ? of_loop(writer) : of_input(writer);
}

struct str random_definition_value(struct random_definition_writer *writer,
                                   enum random_definition_place place, const char *own)
{
    if (random_definition_chance(writer, 15))
        return PICK(writer, "7", "19.90", "true", "null", "plain", "'$${ not an expression }'",
                    "9223372036854775807");
    struct str text = expression(writer, place, own);
    if (random_definition_chance(writer, 15))
        return arena_printf(writer->out.arena, "'text ${ %.*s } more'", STR_ARG(text));
    return arena_printf(writer->out.arena, "'${ %.*s }'", STR_ARG(text));
}

struct str random_definition_body(struct random_definition_writer *writer, enum random_definition_place place,
                                  const char *own)
{
    struct buf out;
    buf_init(&out, writer->out.arena);
    uint32_t count = 1 + random_definition_choose(writer, 3);
    for (uint32_t i = 0; i < count; i++) {
        struct str value = random_definition_value(writer, place, own);
        const char *sign = i == 0 ? "{" : ",";
        struct str one =
            random_definition_chance(writer, 20)
                ? arena_printf(out.arena, "%s k%" PRIu32 ": [%.*s, { x: null }]", sign, i, STR_ARG(value))
                : arena_printf(out.arena, "%s k%" PRIu32 ": %.*s", sign, i, STR_ARG(value));
        buf_put(&out, one);
    }
    buf_puts(&out, " }");
    return buf_str(&out);
}

struct str random_definition_condition(struct random_definition_writer *writer)
{
    struct str text;
    if (random_definition_chance(writer, writer->wanted->faults))
        text = fault(writer);
    else if (random_definition_chance(writer, 40))
        text = expression(writer, RANDOM_DEFINITION_AT_DO, NULL);
    else
        text = PICK(writer, "$input.flag", "$input.n % 2 == 0", "$input.n > 5", "$input.flag | not",
                    "($input.items | length) > 1", "($input.w // \"\") == \"a\"");
    return random_definition_chance(writer, 50)
               ? arena_printf(writer->out.arena, "'%.*s'", STR_ARG(text))
               : arena_printf(writer->out.arena, "'${ %.*s }'", STR_ARG(text));
}

/* At most items_max items, unless it is to fault. */
struct str random_definition_list(struct random_definition_writer *writer, uint32_t items_max)
{
    const struct random_definition_known *known = any_known(writer, false);
    uint32_t dice = random_definition_choose(writer, 6);
    if (random_definition_chance(writer, writer->wanted->faults))
        return PICK(writer, "'[1, 2, 3, 4, 5, 6, 7, 8, 9] | map(. + $input.n)'",
                    "'if $input.flag then [1] else 7 end'", "'${ 1 / ($input.n - $input.n) }'");
    if (known != NULL && known->fields && dice < 2)
        return arena_printf(writer->out.arena, "'${ ($steps.%s.output.list // [])[:%" PRIu32 "] }'",
                            known->id, items_max);
    if (dice == 2)
        return arena_printf(writer->out.arena, "'[$input.n, 1][:%" PRIu32 "]'", items_max);
    return arena_printf(writer->out.arena, "'${ $input.items[:%" PRIu32 "] }'", items_max);
}

struct str random_definition_time(struct random_definition_writer *writer)
{
    if (random_definition_chance(writer, writer->wanted->faults))
        return PICK(writer, "'\"no time \\($input.n)\"'", "'$input.n'");
    if (random_definition_chance(writer, 25)) {
        struct str time =
            duration_time_text(writer->out.arena, writer->wanted->now_us + 20 * DURATION_SECOND_US);
        return arena_printf(writer->out.arena, "'\"%.*s\"'", STR_ARG(time));
    }
    return PICK(writer, "'$input.at'", "'${ $input.at }'", "'$saga.started_at'");
}

struct str random_definition_schema(struct random_definition_writer *writer)
{
    return PICK(
        writer,
        "{ type: object, required: [v], properties: { v: { type: integer, minimum: 0, maximum: 99 }, w: { "
        "type: "
        "string, maxLength: 6 }, list: { type: array, maxItems: 3, items: { type: integer } } } }",
        "{ type: object, required: [v, w, list], additionalProperties: false, properties: { v: { $ref: "
        "'#/$defs/number' }, w: { enum: [a, b, c] }, list: { type: array, minItems: 1, maxItems: 2, items: { "
        "$ref: '#/$defs/number' } } }, $defs: { number: { type: integer, minimum: 0, exclusiveMaximum: 50 } "
        "} }",
        "{ type: object, properties: { v: { type: [integer, 'null'] }, w: { type: string, pattern: "
        "'^[a-z]{1,3}$' "
        "}, list: { type: array, maxItems: 3, items: { type: object, properties: { v: { type: integer } } } "
        "} } "
        "}");
}
