/* Where data come from, and the values tried for each: an ordinary one, what differs from it in one place,
 * and values drawn at random; each held against its schema. */
#include "engine/model/explore_data.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/model/explore_shape.h"
#include "engine/model/values.h"

enum {
    DRAWN = 24,
    DRAWN_ORDINARY = 64,
    VARIANTS_MAX = 300,
    SCATTERED = 300,
    CHANGES_MAX = 2000,
    NESTED_MAX = 6,
    LITERALS_MAX = 64,
};

/* Values that authors compare with: the literals of their expressions. */
struct literals {
    const struct json *items[LITERALS_MAX];
    uint32_t count;
};
struct changes {
    const struct json **items;
    uint32_t count;
    const struct literals *literals;
    const struct plan *bounds; /* NULL: lists stay short */
    struct arena *arena;
};

static void add_literal(struct literals *literals, const struct json *value)
{
    for (uint32_t i = 0; i < literals->count; i++)
        if (json_equal(literals->items[i], value))
            return;
    if (literals->count < LITERALS_MAX)
        literals->items[literals->count++] = value;
}

/* "text" and 123 in the source of an expression; a number also with its neighbours. */
static void scan(struct literals *literals, struct str text, struct arena *arena)
{
    for (size_t at = 0; at < text.size; at++) {
        struct str rest = str_slice(text, at + 1, text.size);
        size_t end = at;
        int64_t number = 0;
        if (text.data[at] == '"') {
            add_literal(literals, json_new_string(arena, str_slice(rest, 0, str_find(rest, '"'))));
            at += str_find(rest, '"') + 1;
            continue;
        }
        while (end < text.size && text.data[end] >= '0' && text.data[end] <= '9')
            end++;
        if (end == at)
            continue;
        bool fits = str_to_i64(str_slice(text, at, end), &number) && number < INT32_MAX;
        for (int64_t near = number - 1; fits && near <= number + 1; near++)
            add_literal(literals, json_new_i64(arena, near));
        at = end;
    }
}

static void scan_source(struct literals *literals, const struct json *source, struct arena *arena)
{
    if (source->kind == JSON_STRING)
        scan(literals, source->text, arena);
    for (uint32_t i = 0; i < source->count; i++)
        scan_source(literals, source->kind == JSON_ARRAY ? source->items[i] : source->members[i].value,
                    arena);
}

static void put(struct changes *changes, const struct json *value)
{
    if (changes->count < CHANGES_MAX)
        changes->items[changes->count++] = value;
}

static void change(struct changes *changes, const struct json *value, uint32_t depth);

static void change_members(struct changes *changes, const struct json *value, uint32_t depth)
{
    struct arena *arena = changes->arena;
    for (uint32_t i = 0; i < value->count; i++) {
        struct json_member *rest = arena_array(arena, value->count, sizeof *rest);
        uint32_t count = 0;
        for (uint32_t k = 0; k < value->count; k++)
            if (k != i)
                rest[count++] = value->members[k];
        put(changes, json_new_object(arena, rest, count));
        uint32_t begin = changes->count;
        change(changes, value->members[i].value, depth + 1);
        for (uint32_t k = begin; k < changes->count; k++) {
            struct json_member *members = arena_array(arena, value->count, sizeof *members);
            for (uint32_t n = 0; n < value->count; n++)
                members[n] = value->members[n];
            members[i].value = changes->items[k];
            changes->items[k] = json_new_object(arena, members, value->count);
        }
    }
}

/* One item more than a foreach takes: the schema must not allow it. */
static void put_too_many(struct changes *changes, const struct json *item, uint32_t items_max)
{
    size_t item_bytes = json_text(changes->arena, item).size + 1;
    uint32_t count = items_max + 1;
    if (item_bytes * count > LIMITS_PAYLOAD_BYTES / 2)
        return; /* too large to arrive */
    const struct json **items = arena_array(changes->arena, count, sizeof *items);
    for (uint32_t i = 0; i < count; i++)
        items[i] = item;
    put(changes, json_new_array(changes->arena, items, count));
}

static void put_long(struct changes *changes, const struct json *item)
{
    const struct plan *plan = changes->bounds;
    bool done[LIMITS_ITEMS + 1] = {false};
    for (uint16_t i = 0; plan && i < plan->node_count; i++) {
        if (plan->nodes[i].kind != PLAN_FOREACH || done[plan->nodes[i].fan->items_max])
            continue;
        done[plan->nodes[i].fan->items_max] = true;
        put_too_many(changes, item, plan->nodes[i].fan->items_max);
    }
}

static void change_items(struct changes *changes, const struct json *value, uint32_t depth)
{
    struct arena *arena = changes->arena;
    put(changes, json_new_array(arena, NULL, 0));
    if (value->count == 0)
        return;
    for (uint32_t size = 1; size <= 2; size++) {
        const struct json **items = arena_array(arena, 2, sizeof *items);
        items[0] = items[1] = value->items[0];
        put(changes, json_new_array(arena, items, size));
    }
    put_long(changes, value->items[0]);
    uint32_t begin = changes->count;
    change(changes, value->items[0], depth + 1);
    uint32_t size = value->count < 2 ? 2 : value->count;
    for (uint32_t k = begin; k < changes->count; k++) {
        const struct json **items = arena_array(arena, size, sizeof *items);
        for (uint32_t i = 0; i < value->count; i++)
            items[i] = value->items[i];
        items[1] = changes->items[k];
        changes->items[k] = json_new_array(arena, items, size);
    }
}

/* Everything that differs from the value in one place. */
static void change(struct changes *changes, const struct json *value, uint32_t depth)
{
    struct arena *arena = changes->arena;
    put(changes, &json_null);
    if (depth > NESTED_MAX)
        return;
    if (value->kind == JSON_OBJECT)
        change_members(changes, value, depth);
    else if (value->kind == JSON_ARRAY)
        change_items(changes, value, depth);
    else if (value->kind == JSON_BOOL)
        put(changes, json_new_bool(!value->boolean));
    else if (value->kind == JSON_STRING)
        put(changes, json_new_string(arena, STR("")));
    for (int64_t number = -1; number <= 1 && value->kind == JSON_NUMBER; number++)
        put(changes, json_new_i64(arena, number));
    if (value->kind == JSON_NUMBER)
        put(changes, json_new_number(arena, STR("0.5"))); /* `%` cuts it to 0 */
    for (uint32_t i = 0; i < changes->literals->count; i++)
        if (changes->literals->items[i]->kind == value->kind)
            put(changes, changes->literals->items[i]);
}

static void keep(struct explore_source *source, const struct json *value, struct arena *scratch)
{
    arena_reset(scratch);
    if (source->schema && !schema_check(source->schema, value, scratch, NULL))
        return;
    for (uint32_t i = 0; i < source->all_count; i++)
        if (json_equal(source->variants[i], value))
            return;
    source->variants[source->all_count++] = value;
}

/* ---- what differs in several places ---- */

struct scatter {
    const struct literals *literals;
    struct rng *rng;
    struct arena *arena;
    bool drops; /* members */
};

static const struct json *scatter_value(const struct scatter *scatter, const struct json *value,
                                        uint32_t depth);

static const struct json *scatter_members(const struct scatter *scatter, const struct json *value,
                                          uint32_t depth)
{
    struct json_member *members = arena_array(scatter->arena, value->count, sizeof *members);
    uint32_t count = 0;
    for (uint32_t i = 0; i < value->count; i++) {
        if (scatter->drops && rng_below(scatter->rng, 4) == 0)
            continue;
        members[count].key = value->members[i].key;
        members[count++].value = scatter_value(scatter, value->members[i].value, depth + 1);
    }
    return json_new_object(scatter->arena, members, count);
}

static const struct json *scatter_items(const struct scatter *scatter, const struct json *value,
                                        uint32_t depth)
{
    const struct json **items = arena_array(scatter->arena, value->count, sizeof *items);
    for (uint32_t i = 0; i < value->count; i++)
        items[i] = scatter_value(scatter, value->items[i], depth + 1);
    return json_new_array(scatter->arena, items, value->count);
}

/* Every other text and number is one that the file compares with: a condition on several fields is met. */
static const struct json *scatter_value(const struct scatter *scatter, const struct json *value,
                                        uint32_t depth)
{
    const struct literals *literals = scatter->literals;
    if (depth > NESTED_MAX)
        return value;
    if (value->kind == JSON_OBJECT)
        return scatter_members(scatter, value, depth);
    if (value->kind == JSON_ARRAY)
        return scatter_items(scatter, value, depth);
    if (rng_below(scatter->rng, 2) == 0)
        return value;
    if (value->kind == JSON_BOOL)
        return json_new_bool(!value->boolean);
    for (uint32_t i = 0, at = 0; i < literals->count; i++) {
        at = (uint32_t)rng_below(scatter->rng, literals->count);
        if (literals->items[at]->kind == value->kind)
            return literals->items[at];
    }
    return value;
}

static void scatter(struct explore_source *source, const struct json *base, const struct literals *literals,
                    struct arena *arena, struct arena *scratch)
{
    struct rng rng;
    rng_init(&rng, source->node + 1u);
    for (uint32_t i = 0; i < SCATTERED; i++) {
        const struct scatter turn = {literals, &rng, arena, i % 2 == 1};
        keep(source, scatter_value(&turn, base, 0), scratch);
    }
}

static void vary(struct explore_source *source, const struct plan *plan, const struct json *base,
                 const struct literals *literals, struct arena *arena, struct arena *scratch)
{
    struct changes changes = {.items = arena_array(arena, CHANGES_MAX, sizeof *changes.items),
                              .literals = literals,
                              .bounds = source->schema ? plan : NULL,
                              .arena = arena};
    struct rng rng;
    keep(source, base, scratch);
    change(&changes, base, 0);
    for (uint32_t i = 0; i < changes.count && source->all_count < VARIANTS_MAX; i++)
        keep(source, changes.items[i], scratch);
    rng_init(&rng, source->node + 1u);
    for (uint32_t i = 0; i < DRAWN && source->schema && source->all_count < VARIANTS_MAX; i++) {
        const struct json *drawn = values_make(source->schema, &rng, arena);
        if (drawn)
            keep(source, drawn, scratch);
    }
    source->count = source->all_count;
    scatter(source, base, literals, arena, scratch);
}

/* How far its lists are from having one or two items. */
static uint32_t oddness(const struct json *value)
{
    uint32_t odd = 0;
    if (value->kind == JSON_ARRAY)
        odd = value->count == 0 ? 1 : (value->count > 2 ? value->count - 2 : 0);
    for (uint32_t i = 0; i < value->count; i++)
        if (value->kind == JSON_ARRAY || value->kind == JSON_OBJECT)
            odd += oddness(value->kind == JSON_ARRAY ? value->items[i] : value->members[i].value);
    return odd;
}

/* The most ordinary of some drawings: the one with most members, and of those the one whose lists have one or
 * two items. Others differ from it in one place: with a list too long to be explored none would be. */
static const struct json *ordinary(const struct schema *schema, uint64_t seed, struct arena *arena)
{
    const struct json *best = NULL;
    size_t most = 0;
    uint32_t least = 0;
    struct rng rng;
    rng_init(&rng, seed);
    for (uint32_t i = 0; i < DRAWN_ORDINARY; i++) {
        const struct json *drawn = values_make(schema, &rng, arena);
        if (!drawn)
            continue;
        size_t size = 1 + (drawn->kind == JSON_OBJECT ? (size_t)drawn->count : 0);
        uint32_t odd = oddness(drawn);
        if (size > most || (size == most && odd < least)) {
            most = size;
            least = odd;
            best = drawn;
        }
    }
    return best ? best : &json_null;
}

/* Whether anybody reads what comes from the node. */
static bool is_read(const struct explore_program *programs, uint32_t program_count, uint16_t node)
{
    for (uint32_t i = 0; i < program_count; i++) {
        uint32_t count;
        const struct expr_ref *refs = expr_refs(programs[i].expr, &count);
        for (uint32_t k = 0; k < count; k++) {
            bool output = refs[k].kind == EXPR_REF_STEP_OUTPUT || refs[k].kind == EXPR_REF_EVENT;
            if (node == 0 ? refs[k].kind == EXPR_REF_INPUT : output && refs[k].slot == node)
                return true;
        }
    }
    return false;
}

const struct schema *explore_schema_of(const struct plan *plan, uint16_t node)
{
    const struct plan_node *it = &plan->nodes[node];
    if (node == 0)
        return plan->input_schema;
    return it->kind == PLAN_AWAIT ? it->await->schema : it->step->output_schema;
}

static bool is_source(const struct plan *plan, uint16_t node)
{
    return node == 0 || plan->nodes[node].step != NULL || plan->nodes[node].kind == PLAN_AWAIT;
}

static struct explore_data known_values(const struct plan *plan, struct arena *arena)
{
    const struct json **outputs = arena_array(arena, plan->node_count, sizeof *outputs);
    for (uint16_t i = 0; i < plan->node_count; i++)
        if (is_source(plan, i) && explore_schema_of(plan, i))
            outputs[i] = ordinary(explore_schema_of(plan, i), i + 1u, arena);
    return (struct explore_data){outputs[0], outputs};
}

struct explore_source *explore_sources(const struct plan *plan, const struct explore_program *programs,
                                       uint32_t program_count, struct arena *arena, uint32_t *count)
{
    struct explore_source *sources = arena_array(arena, plan->node_count, sizeof *sources);
    struct explore_data known = known_values(plan, arena);
    struct explore_shape shape = explore_shape_make(plan, programs, program_count, &known, arena);
    struct literals literals = {.count = 0};
    struct arena scratch;
    arena_init(&scratch, 0);
    for (uint32_t i = 0; i < program_count; i++)
        scan_source(&literals, expr_source(programs[i].expr), arena);
    *count = 0;
    for (uint16_t i = 0; i < plan->node_count; i++) {
        if (!is_source(plan, i))
            continue;
        struct explore_source *source = &sources[(*count)++];
        source->node = i;
        source->schema = explore_schema_of(plan, i);
        source->variants = arena_array(arena, VARIANTS_MAX + SCATTERED, sizeof *source->variants);
        const struct json *base = known.outputs[i] ? known.outputs[i] : explore_shape_build(&shape, i, arena);
        if (is_read(programs, program_count, i))
            vary(source, plan, base, &literals, arena, &scratch);
        else
            source->variants[0] = base;
        source->count = source->count > 0 ? source->count : 1;
        source->all_count = source->all_count > 0 ? source->all_count : 1;
    }
    arena_fini(&scratch);
    return sources;
}
