/* A random definition: the head of the file, and the blocks down to a depth. Called by simulator, walks and
 * fuzz. Everything comes from the generator it is given, and what it writes always loads. */
#include "engine/sim/random_definition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/model/values.h"
#include "engine/sim/random_definition_parts.h"

uint32_t random_definition_choose(struct random_definition_writer *writer, uint32_t bound)
{
    return (uint32_t)rng_below(&writer->rng, bound);
}

bool random_definition_chance(struct random_definition_writer *writer, uint32_t percent)
{
    return random_definition_choose(writer, 100) < percent;
}

void random_definition_line(struct random_definition_writer *writer, const char *format, ...)
{
    char text[2000];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    check(size >= 0 && size < (int)sizeof text);
    buf_printf(&writer->out, "%*s%s\n", writer->indent, "", text);
}

void random_definition_learn(struct random_definition_writer *writer, const char *id, bool certain,
                             bool fields)
{
    check(writer->known_count < RANDOM_DEFINITION_LEAVES);
    struct random_definition_known *known = &writer->known[writer->known_count++];
    *known = (struct random_definition_known){.certain = certain, .fields = fields};
    snprintf(known->id, sizeof known->id, "%s", id);
}

/* Opens "- word:" and gives an id of the kind. */
static void open(struct random_definition_writer *writer, const char *word, char letter, char id[8])
{
    snprintf(id, 8, "%c%" PRIu32, letter, writer->ids++);
    random_definition_line(writer, "- %s:", word);
    writer->indent += 4;
}

static void close(struct random_definition_writer *writer)
{
    writer->indent -= 4;
}

static void put_sequence(struct random_definition_writer *writer, uint32_t count);

/* A list inside a block: what stands in it is known behind it only with `//`, when certain is false. */
static void put_list(struct random_definition_writer *writer, bool certain)
{
    uint32_t known = writer->known_count;
    writer->indent += 2;
    writer->depth++;
    put_sequence(writer, 1 + random_definition_choose(writer, 3));
    writer->depth--;
    writer->indent -= 2;
    for (uint32_t i = known; i < writer->known_count && !certain; i++)
        writer->known[i].certain = false;
    writer->event = false; /* which await is the nearest one depends on the way here */
}

static void put_await(struct random_definition_writer *writer)
{
    static const char *const words[] = {"continue", "fail", "park"};
    char id[8];
    const char *word = words[random_definition_choose(writer, 3)];
    uint32_t event = random_definition_choose(writer, 3);
    open(writer, "await", 'a', id);
    random_definition_line(writer, "id: %s", id);
    random_definition_line(writer, "event: e.n%" PRIu32, event);
    random_definition_line(writer, "timeout: %" PRIu32 "s", 2 + random_definition_choose(writer, 10));
    random_definition_line(writer, "on_timeout: %s", word);
    if (event > 0)
        random_definition_line(writer, "schema: { type: object, properties: { v: { type: integer } } }");
    close(writer);
    random_definition_learn(writer, id, word[0] != 'c', false);
    writer->event = true;
}

static void put_wait(struct random_definition_writer *writer)
{
    char id[8];
    open(writer, "wait", 'w', id);
    random_definition_line(writer, "id: %s", id);
    if (random_definition_chance(writer, 60)) {
        random_definition_line(writer, "for: %" PRIu32 "ms",
                               100 + 300 * random_definition_choose(writer, 10));
    } else {
        struct str time = random_definition_time(writer);
        random_definition_line(writer, "until: %.*s", STR_ARG(time));
    }
    close(writer);
}

static void put_saga(struct random_definition_writer *writer)
{
    char id[8];
    struct str name = writer->wanted->children[random_definition_choose(writer, writer->wanted->child_count)];
    struct str value = random_definition_value(writer, RANDOM_DEFINITION_AT_DO, NULL);
    open(writer, "saga", 'c', id);
    random_definition_line(writer, "id: %s", id);
    random_definition_line(writer, "name: %.*s", STR_ARG(name));
    if (random_definition_chance(writer, 30))
        random_definition_line(writer, "version: 1");
    if (random_definition_chance(writer, 90)) /* else the child's schema refuses the empty input */
        random_definition_line(writer,
                               "with: { n: '${ $input.n }', flag: '${ $input.flag | not }', items: '${ "
                               "$input.items[:1] }', at: '${ $input.at }', extra: %.*s }",
                               STR_ARG(value));
    close(writer);
    random_definition_learn(writer, id, true, false);
}

static void put_fail(struct random_definition_writer *writer, bool always)
{
    char id[8];
    open(writer, "fail", 'x', id);
    if (random_definition_chance(writer, 50))
        random_definition_line(writer, "id: %s", id);
    random_definition_line(writer, "code: %s",
                           random_definition_chance(writer, 50) ? "NOT_POSSIBLE" : "SOLD_OUT");
    if (random_definition_chance(writer, 70)) {
        struct str message = random_definition_value(writer, RANDOM_DEFINITION_AT_DO, NULL);
        if (!str_equal(message, STR("null")))
            random_definition_line(writer, "message: %.*s", STR_ARG(message));
    }
    if (!always) {
        struct str when = random_definition_chance(writer, 70) ? STR("'$input.n % 7 == 6'")
                                                               : random_definition_condition(writer);
        random_definition_line(writer, "when: %.*s", STR_ARG(when));
    }
    close(writer);
}

/* What a branch beside this one, or another case, knows may not be named here. */
static void hide(struct random_definition_writer *writer, uint32_t first, int by)
{
    for (uint32_t i = first; i < writer->known_count; i++)
        writer->known[i].hidden += by;
}

/* One case may always fail, never all: what stands behind the switch must be reached. */
static void put_case(struct random_definition_writer *writer, bool may_fail)
{
    uint32_t first = writer->known_count;
    struct str when = random_definition_condition(writer);
    random_definition_line(writer, "- when: %.*s", STR_ARG(when));
    if (random_definition_chance(writer, 15)) {
        random_definition_line(writer, "  steps: []");
        return;
    }
    random_definition_line(writer, "  steps:");
    writer->indent += 2;
    put_list(writer, false);
    if (may_fail && random_definition_chance(writer, 20)) {
        writer->indent += 2;
        put_fail(writer, true);
        writer->indent -= 2;
    }
    writer->indent -= 2;
    hide(writer, first, 1);
}

static void put_switch(struct random_definition_writer *writer)
{
    char id[8];
    uint32_t first = writer->known_count;
    bool named = random_definition_chance(writer, 50);
    open(writer, "switch", 'h', id);
    if (named) {
        random_definition_line(writer, "id: %s", id);
        random_definition_line(writer, "cases:");
        writer->indent += 2;
    }
    uint32_t cases = 1 + random_definition_choose(writer, 3);
    for (uint32_t i = 0; i < cases; i++)
        put_case(writer, i == 0 && cases > 1);
    uint32_t shown = writer->known_count;
    if (random_definition_chance(writer, 25)) {
        random_definition_line(writer, "- else: []");
    } else if (random_definition_chance(writer, 80)) {
        random_definition_line(writer, "- else:");
        writer->indent += 2;
        put_list(writer, false);
        writer->indent -= 2;
    }
    for (uint32_t i = first; i < shown; i++)
        writer->known[i].hidden--;
    writer->indent -= named ? 2 : 0;
    close(writer);
}

static void put_fan(struct random_definition_writer *writer, uint32_t concurrency_max)
{
    uint32_t dice = random_definition_choose(writer, 3);
    if (concurrency_max > 1)
        random_definition_line(writer, "max_concurrency: %" PRIu32,
                               1 + random_definition_choose(writer, concurrency_max));
    if (dice > 0)
        random_definition_line(writer, "on_failure: %s", dice == 1 ? "wait" : "cancel");
}

static void put_parallel(struct random_definition_writer *writer)
{
    char id[8];
    uint32_t first = writer->known_count;
    uint32_t branches = 2 + random_definition_choose(writer, 3);
    bool event = writer->event;
    open(writer, "parallel", 'b', id);
    if (random_definition_chance(writer, 50))
        random_definition_line(writer, "id: %s", id);
    put_fan(writer, random_definition_chance(writer, 60) ? branches : 0);
    random_definition_line(writer, "branches:");
    for (uint32_t i = 0; i < branches; i++) {
        uint32_t from = writer->known_count;
        writer->event = event;
        random_definition_line(writer, "  y%" PRIu32 ":", i);
        writer->indent += 2;
        put_list(writer, true);
        writer->indent -= 2;
        hide(writer, from, 1);
    }
    hide(writer, first, -1);
    close(writer);
}

static void put_foreach(struct random_definition_writer *writer)
{
    char id[8];
    uint32_t first = writer->known_count;
    uint32_t items = 1 + random_definition_choose(writer, 4), wide = writer->wide;
    struct str list = random_definition_list(writer, items);
    open(writer, "foreach", 'f', id);
    random_definition_line(writer, "id: %s", id);
    random_definition_line(writer, "in: %.*s", STR_ARG(list));
    random_definition_line(writer, "as: i%s", id);
    random_definition_line(writer, "max_items: %" PRIu32, items);
    if (wide == 1 && items > 1 && random_definition_chance(writer, 70))
        writer->wide = items;
    put_fan(writer, writer->wide > wide ? items : 0);
    random_definition_line(writer, "steps:");
    snprintf(writer->loops[writer->loop_count++], 12, "i%s", id);
    writer->items *= items;
    put_list(writer, true);
    writer->items /= items;
    writer->wide = wide;
    writer->loop_count--;
    for (uint32_t i = first; i < writer->known_count; i++)
        writer->known[i].lists++;
    close(writer);
}

static void put_scope(struct random_definition_writer *writer)
{
    char id[8];
    bool scope = writer->scope;
    open(writer, "scope", 'o', id);
    random_definition_line(writer, "id: %s", id);
    random_definition_line(writer, "on_failure: continue");
    random_definition_line(writer, "steps:");
    writer->scope = true;
    put_list(writer, false);
    writer->scope = scope;
    close(writer);
}

static void put_leaf(struct random_definition_writer *writer)
{
    uint32_t dice = writer->wanted->sequential ? 99 : random_definition_choose(writer, 100);
    writer->leaves -= writer->leaves > 0;
    if (dice < 10)
        put_await(writer);
    else if (dice < 18)
        put_wait(writer);
    else if (dice < 30 && writer->wanted->child_count > 0)
        put_saga(writer);
    else if (dice < 35)
        put_fail(writer, false);
    else
        random_definition_step(writer, false);
}

static void put_block(struct random_definition_writer *writer)
{
    switch (random_definition_choose(writer, 5)) {
    case 0:
        put_switch(writer);
        return;
    case 1:
    case 2:
        put_parallel(writer);
        return;
    case 3:
        put_scope(writer);
        return;
    default:
        if (writer->items <= 10 && writer->loop_count < RANDOM_DEFINITION_LOOPS)
            put_foreach(writer);
        else
            put_scope(writer);
    }
}

/* A list is never empty: when no leaf is left, it gets one that counts for nothing and is remembered nowhere.
 */
static void put_sequence(struct random_definition_writer *writer, uint32_t count)
{
    if (writer->leaves == 0)
        put_wait(writer);
    for (uint32_t i = 0; i < count && writer->leaves > 0; i++) {
        bool block = !writer->wanted->sequential && writer->depth < writer->depth_max &&
                     random_definition_chance(writer, writer->depth_max > 5 ? 60 : 30);
        if (block)
            put_block(writer);
        else
            put_leaf(writer);
    }
}

static void put_root(struct random_definition_writer *writer)
{
    bool pivots = random_definition_chance(writer, 35);
    uint32_t pivot_at = random_definition_choose(writer, writer->leaves + 1);
    while (writer->leaves > 0) {
        if (pivots && !writer->pivoted && writer->leaves <= pivot_at) {
            writer->leaves--;
            random_definition_step(writer, true);
            writer->pivoted = true;
        } else {
            put_sequence(writer, 1);
        }
    }
}

static void put_head(struct random_definition_writer *writer)
{
    const struct random_definition *wanted = writer->wanted;
    random_definition_line(writer, "saga: %.*s", STR_ARG(wanted->name));
    random_definition_line(writer, "version: 1");
    writer->input = random_definition_chance(writer, 80);
    struct str soon = duration_time_text(writer->out.arena, wanted->now_us + 5 * DURATION_SECOND_US);
    struct str later = duration_time_text(writer->out.arena, wanted->now_us + 30 * DURATION_SECOND_US);
    if (writer->input)
        random_definition_line(
            writer,
            "input: { schema: { type: object, required: [n, flag, items, at], properties: { n: { type: "
            "integer, "
            "minimum: 0, maximum: 1000000 }, flag: { type: boolean }, w: { type: string, maxLength: 4 }, at: "
            "{ "
            "enum: ['%.*s', '%.*s'] }, items: { type: array, maxItems: 4, items: { type: object, required: "
            "[v], "
            "properties: { v: { type: integer, minimum: 0, maximum: 9 } } } }, extra: {} } } }",
            STR_ARG(soon), STR_ARG(later));
    if (random_definition_chance(writer, 30))
        random_definition_line(writer, "timeout: %" PRIu32 "s", 60 + random_definition_choose(writer, 120));
    if (wanted->keyed)
        random_definition_line(writer, "key: '${ $input.n }'");
    if (random_definition_chance(writer, 30))
        random_definition_line(writer, "search: { n: '${ $input.n }', flag: '${ $input.flag }' }");
    if (random_definition_chance(writer, 30))
        random_definition_line(writer,
                               "defaults: { timeout: 2s, retry: { max_attempts: 2 }, compensate: { retry: "
                               "{ max_attempts: 3, max_interval: 1s } } }");
}

struct str random_definition_write(const struct random_definition *wanted, struct arena *arena)
{
    struct random_definition_writer writer = {.wanted = wanted, .items = 1, .wide = 1};
    check(wanted->leaves >= 1 && wanted->leaves <= RANDOM_DEFINITION_LEAVES);
    rng_init(&writer.rng, wanted->seed);
    buf_init(&writer.out, arena);
    writer.leaves = wanted->leaves;
    writer.depth_max = random_definition_chance(&writer, 5) ? 12 : 4;
    put_head(&writer);
    random_definition_line(&writer, "steps:");
    writer.indent = 2;
    put_root(&writer);
    writer.indent = 0;
    if (random_definition_chance(&writer, 80)) {
        struct str body = random_definition_body(&writer, RANDOM_DEFINITION_AT_DO, NULL);
        random_definition_line(&writer, "output: %.*s", STR_ARG(body));
    }
    return buf_str(&writer.out);
}

static const struct json *plain_input(int64_t now_us, struct rng *rng, struct arena *arena)
{
    static const char *const items[] = {"[]", "[{\"v\":1}]", "[{\"v\":5},{\"v\":2,\"w\":\"x\"},{\"v\":9}]"};
    const struct json *input = NULL;
    struct err_note note;
    struct str at = duration_time_text(arena, now_us + (int64_t)rng_below(rng, 10) * DURATION_SECOND_US);
    struct str text =
        arena_printf(arena, "{\"n\":0,\"flag\":%s,\"items\":%s,\"at\":\"%.*s\"}",
                     rng_below(rng, 2) == 0 ? "true" : "false", items[rng_below(rng, 3)], STR_ARG(at));
    check(json_parse(arena, text, SIZE_MAX, &input, &note) == ERR_OK);
    return input;
}

const struct json *random_definition_input(const struct plan *plan, int64_t number, int64_t now_us,
                                           struct rng *rng, struct arena *arena)
{
    const struct json *made = plan->input_schema == NULL ? plain_input(now_us, rng, arena)
                                                         : values_make(plan->input_schema, rng, arena);
    struct buf out;
    const struct json *input = NULL;
    struct err_note note;
    check(made != NULL);
    buf_init(&out, arena);
    buf_printf(&out, "{\"n\":%" PRId64, number);
    for (uint32_t i = 0; i < made->count; i++) {
        if (str_equal(made->members[i].key, STR("n")))
            continue;
        buf_char(&out, ',');
        json_write_string(&out, made->members[i].key);
        buf_char(&out, ':');
        json_write(&out, made->members[i].value);
    }
    buf_char(&out, '}');
    check(json_parse(arena, buf_str(&out), SIZE_MAX, &input, &note) == ERR_OK);
    return input;
}

const struct json *random_definition_signal(struct str event, struct rng *rng, struct arena *arena)
{
    static const char *const bodies[] = {"{\"v\":7}", "{}", "{\"v\":1,\"more\":[true]}", "null", "\"text\""};
    const struct json *body = NULL;
    struct err_note note;
    struct str text = str_from(bodies[rng_below(rng, str_equal(event, STR("e.n0")) ? 5 : 3)]);
    check(json_parse(arena, text, SIZE_MAX, &body, &note) == ERR_OK);
    return body;
}
