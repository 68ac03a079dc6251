/* Schemas that hold together (`allOf`, `$ref`, a schema's own keywords) forbid what one of them forbids;
 * of those that hold one for another (`anyOf`, `oneOf`, `then` and `else`) all must forbid it. Errs on the
 * side of fields that cannot be: `not`, `const` and `enum` are not looked into. */
#include "engine/definition/schema_path.h"

#include "engine/base/limits.h"
#include "engine/definition/problem.h"
#include "engine/definition/schema_parts.h"

enum { NOWHERE = INT32_MAX };

/* What a schema says about a path, or schemas together do. Fields count from 0. */
struct verdict {
    bool never;       /* no value that matches has it */
    uint32_t named;   /* so many fields from the first one are described */
    uint32_t strange; /* the field that is not among those listed; NOWHERE: there is none */
};

struct search {
    struct problem_guess guess; /* among the names at the path's last field */
    unsigned types;             /* allowed where that field is looked for, when they leave out objects */
    bool lists;                 /* members are listed there */
    bool no_list;               /* an item was looked for in what is none */
    uint32_t visits;            /* left: schemas multiply, `anyOf` below `anyOf` */
};

static struct verdict judge(struct search *search, const struct schema *schema, struct str path,
                            uint32_t depth);

static bool is_fine(struct verdict verdict)
{
    return !verdict.never && verdict.strange == NOWHERE;
}

/* Both hold: a prohibition wins; a field that one does not list is fine when the other describes it. */
static struct verdict both(struct verdict a, struct verdict b)
{
    struct verdict verdict = {.never = a.never || b.never, .strange = NOWHERE};
    verdict.named = a.named > b.named ? a.named : b.named;
    if (a.strange >= verdict.named)
        verdict.strange = a.strange;
    if (b.strange >= verdict.named && b.strange < verdict.strange)
        verdict.strange = b.strange;
    return verdict;
}

/* One of them holds. */
static struct verdict either(struct verdict a, struct verdict b)
{
    if (is_fine(a) != is_fine(b))
        return is_fine(a) ? a : b;
    if (a.never != b.never)
        return a.never ? b : a;
    struct verdict verdict = a.named > b.named ? a : b;
    verdict.strange = a.strange > b.strange ? a.strange : b.strange;
    return verdict;
}

static bool is_among(const struct str *names, uint32_t count, struct str name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_equal(names[i], name))
            return true;
    }
    return false;
}

/* Asked for, though maybe not described. */
static bool is_required(const struct schema *schema, struct str field)
{
    bool found = is_among(schema->required, schema->required_count, field);
    for (uint32_t i = 0; i < schema->dependent_count && !found; i++)
        found = str_equal(schema->dependent[i].key, field) ||
                is_among(schema->dependent[i].required, schema->dependent[i].count, field);
    for (uint32_t i = 0; i < schema->dependent_schema_count && !found; i++)
        found = str_equal(schema->dependent_schemas[i].key, field);
    return found;
}

static bool matches(const struct schema_pattern *pattern, struct str field)
{
    uint64_t work = LIMITS_SCHEMA_WORK;
    bool found = true;
    return regex_test(pattern->regex, field, &work, &found) != ERR_OK || found;
}

/* By the keywords that name members. */
static struct verdict judge_member(struct search *search, const struct schema *schema, struct str field,
                                   struct str rest, uint32_t depth)
{
    const struct schema_property *property = schema_find_property(schema, field);
    struct verdict verdict = {.named = depth, .strange = NOWHERE};
    bool known = property != NULL;
    if (property)
        verdict = judge(search, property->schema, rest, depth + 1);
    for (uint32_t i = 0; i < schema->pattern_count; i++) {
        if (!matches(&schema->patterns[i], field))
            continue;
        verdict = both(verdict, judge(search, schema->patterns[i].schema, rest, depth + 1));
        known = true;
    }
    if (known)
        return verdict;
    if (schema->additional)
        return judge(search, schema->additional, rest, depth + 1);
    if (is_required(schema, field))
        verdict.named = depth + 1;
    else if (schema_has(schema, SCHEMA_KEYWORD_PROPERTIES))
        verdict.strange = depth;
    return verdict;
}

static struct verdict judge_choice(struct search *search, struct schema_list list, struct str path,
                                   uint32_t depth)
{
    struct verdict verdict = {.named = depth, .strange = NOWHERE};
    for (uint32_t i = 0; i < list.count; i++) {
        struct verdict next = judge(search, list.items[i], path, depth);
        verdict = i ? either(verdict, next) : next;
    }
    return verdict;
}

/* What holds only sometimes forbids nothing, but what it names is meant. */
static struct verdict at_most_names(struct verdict verdict)
{
    return (struct verdict){.named = verdict.named, .strange = NOWHERE};
}

static struct verdict judge_condition(struct search *search, const struct schema *schema, struct str path,
                                      uint32_t depth)
{
    struct verdict unspoken = {.named = depth, .strange = NOWHERE};
    if (!schema->condition)
        return unspoken;
    struct verdict condition = judge(search, schema->condition, path, depth);
    struct verdict then = schema->then ? judge(search, schema->then, path, depth) : unspoken;
    struct verdict otherwise = schema->otherwise ? judge(search, schema->otherwise, path, depth) : unspoken;
    return both(at_most_names(condition), either(then, otherwise));
}

static struct verdict judge_together(struct search *search, const struct schema *schema, struct str path,
                                     uint32_t depth)
{
    struct verdict verdict = {.named = depth, .strange = NOWHERE};
    if (schema->ref)
        verdict = judge(search, schema->ref, path, depth);
    for (uint32_t i = 0; i < schema->all_of.count; i++)
        verdict = both(verdict, judge(search, schema->all_of.items[i], path, depth));
    for (uint32_t i = 0; i < schema->dependent_schema_count; i++)
        verdict =
            both(verdict, at_most_names(judge(search, schema->dependent_schemas[i].schema, path, depth)));
    verdict = both(verdict, judge_choice(search, schema->any_of, path, depth));
    verdict = both(verdict, judge_choice(search, schema->one_of, path, depth));
    return both(verdict, judge_condition(search, schema, path, depth));
}

/* An item of a list: those that have a schema of their own by their place, and all the others. */
static struct verdict judge_item(struct search *search, const struct schema *schema, struct str rest,
                                 uint32_t depth)
{
    struct verdict verdict = {.named = depth, .strange = NOWHERE};
    if (schema->items)
        verdict = judge(search, schema->items, rest, depth + 1);
    for (uint32_t i = 0; i < schema->prefix_items.count; i++) {
        struct verdict next = judge(search, schema->prefix_items.items[i], rest, depth + 1);
        verdict = i > 0 || schema->items ? either(verdict, next) : next;
    }
    return verdict;
}

static struct verdict judge_inside(struct search *search, const struct schema *schema, struct str field,
                                   struct str rest, uint32_t depth)
{
    return field.size ? judge_member(search, schema, field, rest, depth)
                      : judge_item(search, schema, rest, depth);
}

/* path: the fields still to go, without the first point, `depth` of them being behind; "" for the value
 * itself. */
static struct verdict judge(struct search *search, const struct schema *schema, struct str path,
                            uint32_t depth)
{
    if (search->visits == 0)
        return (struct verdict){.named = NOWHERE, .strange = NOWHERE}; /* rather a field too many */
    search->visits--;
    if (schema->never)
        return (struct verdict){.never = true, .named = depth, .strange = NOWHERE};
    if (path.size == 0)
        return judge_together(search, schema, path, depth);
    struct str field = str_slice(path, 0, str_find(path, '.'));
    struct str rest = str_slice(path, field.size + 1, path.size);
    unsigned type = field.size ? SCHEMA_TYPE_OBJECT : SCHEMA_TYPE_ARRAY;
    if (schema_has(schema, SCHEMA_KEYWORD_TYPE) && !(schema->types & type)) {
        search->types = rest.size ? search->types : schema->types;
        search->no_list |= field.size == 0;
        return (struct verdict){.never = true, .named = depth, .strange = NOWHERE};
    }
    search->lists |= rest.size == 0 && schema->property_count > 0;
    for (uint32_t i = 0; i < schema->property_count && rest.size == 0; i++)
        problem_guess_try(&search->guess, schema->properties[i].key);
    return both(judge_inside(search, schema, field, rest, depth),
                judge_together(search, schema, path, depth));
}

static struct str hint_for(const struct search *search, struct arena *arena)
{
    if (search->types && !search->lists)
        return arena_printf(arena, "the value is %s", schema_types_text(arena, search->types).data);
    return problem_guess_hint(&search->guess, arena,
                              STR("declare it in `properties`, or allow others with `additionalProperties`"));
}

bool schema_path_find_gap(const struct schema *schema, struct str path, struct arena *arena,
                          struct schema_path_gap *gap)
{
    path = str_slice(path, 1, path.size); /* behind the first point */
    for (size_t begin = 0; begin < path.size;) {
        struct str rest = str_slice(path, begin, path.size);
        struct str field = str_slice(rest, 0, str_find(rest, '.'));
        struct search search = {.guess = problem_guess_for(field), .visits = LIMITS_SCHEMA_PARTS};
        if (!is_fine(judge(&search, schema, str_slice(path, 0, begin + field.size), 0))) {
            *gap = (struct schema_path_gap){
                .field = field, .hint = hint_for(&search, arena), .no_list = search.no_list};
            return true;
        }
        begin += field.size + 1;
    }
    return false;
}

bool schema_has_path(const struct schema *schema, struct str path)
{
    struct arena arena;
    struct schema_path_gap gap;
    arena_init(&arena, 0);
    bool missing = schema_path_find_gap(schema, path, &arena, &gap);
    arena_fini(&arena);
    return !missing;
}
