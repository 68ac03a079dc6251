/* Schemas that hold together (`allOf`, `$ref`, a schema's own keywords) forbid what one of them forbids;
 * of those that hold one for another (`anyOf`, `oneOf`, `then` and `else`) all must forbid it. Errs on the
 * side of fields that cannot be: `not`, `const` and `enum` are not looked into. */
#include "engine/definition/schema_path.h"

#include "engine/base/limits.h"
#include "engine/definition/problem.h"
#include "engine/definition/schema_parts.h"

/* What a schema says about a field, or schemas together do. */
enum verdict {
    VERDICT_NEVER,    /* no value that matches has it */
    VERDICT_STRANGE,  /* members are listed, this one is not */
    VERDICT_UNSPOKEN, /* nothing */
    VERDICT_NAMED,
};

struct search {
    struct problem_guess guess; /* among the names at the path's last field */
    unsigned types;             /* allowed where that field is looked for, when they leave out objects */
    bool lists;                 /* members are listed where that field is looked for */
    uint32_t visits;            /* left: schemas multiply, `anyOf` below `anyOf` */
};

static enum verdict judge(struct search *search, const struct schema *schema, struct str path);

static enum verdict least(enum verdict a, enum verdict b)
{
    return a < b ? a : b;
}

static enum verdict most(enum verdict a, enum verdict b)
{
    return a > b ? a : b;
}

/* Both hold: a prohibition wins, then a name. */
static enum verdict both(enum verdict a, enum verdict b)
{
    if (a == VERDICT_NEVER || b == VERDICT_NEVER)
        return VERDICT_NEVER;
    return a == VERDICT_NAMED || b == VERDICT_NAMED ? VERDICT_NAMED : least(a, b);
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
    return found;
}

/* A member that is described: by its name, its pattern, or as one of the others. */
static enum verdict judge_below(struct search *search, const struct schema *schema, struct str rest)
{
    enum verdict verdict = judge(search, schema, rest);
    return rest.size == 0 && verdict != VERDICT_NEVER ? VERDICT_NAMED : verdict;
}

static bool matches(const struct schema_pattern *pattern, struct str field)
{
    uint64_t work = LIMITS_SCHEMA_WORK;
    bool found = true;
    return regex_test(pattern->regex, field, &work, &found) != ERR_OK || found;
}

/* By the keywords that name members. */
static enum verdict judge_member(struct search *search, const struct schema *schema, struct str field,
                                 struct str rest)
{
    const struct schema_property *property = schema_find_property(schema, field);
    enum verdict verdict = VERDICT_UNSPOKEN;
    bool known = property != NULL;
    if (property)
        verdict = judge_below(search, property->schema, rest);
    for (uint32_t i = 0; i < schema->pattern_count; i++) {
        if (!matches(&schema->patterns[i], field))
            continue;
        enum verdict next = judge_below(search, schema->patterns[i].schema, rest);
        verdict = known ? both(verdict, next) : next;
        known = true;
    }
    if (known)
        return verdict;
    if (schema->additional)
        return judge_below(search, schema->additional, rest);
    if (is_required(schema, field))
        return rest.size ? VERDICT_UNSPOKEN : VERDICT_NAMED;
    return schema_has(schema, SCHEMA_KEYWORD_PROPERTIES) ? VERDICT_STRANGE : VERDICT_UNSPOKEN;
}

static enum verdict judge_one_of(struct search *search, struct schema_list list, struct str path)
{
    enum verdict verdict = list.count ? VERDICT_NEVER : VERDICT_UNSPOKEN;
    for (uint32_t i = 0; i < list.count; i++)
        verdict = most(verdict, judge(search, list.items[i], path));
    return verdict;
}

/* A condition forbids nothing, but what it names is meant. */
static enum verdict judge_condition(struct search *search, const struct schema *schema, struct str path)
{
    if (!schema->condition)
        return VERDICT_UNSPOKEN;
    enum verdict then = schema->then ? judge(search, schema->then, path) : VERDICT_UNSPOKEN;
    enum verdict otherwise = schema->otherwise ? judge(search, schema->otherwise, path) : VERDICT_UNSPOKEN;
    bool named = judge(search, schema->condition, path) == VERDICT_NAMED;
    return named ? VERDICT_NAMED : most(then, otherwise);
}

static enum verdict judge_together(struct search *search, const struct schema *schema, struct str path)
{
    enum verdict verdict = schema->ref ? judge(search, schema->ref, path) : VERDICT_UNSPOKEN;
    for (uint32_t i = 0; i < schema->all_of.count; i++)
        verdict = both(verdict, judge(search, schema->all_of.items[i], path));
    verdict = both(verdict, judge_one_of(search, schema->any_of, path));
    verdict = both(verdict, judge_one_of(search, schema->one_of, path));
    return both(verdict, judge_condition(search, schema, path));
}

/* path: the fields still to go, without the first point; "" for the value itself. */
static enum verdict judge(struct search *search, const struct schema *schema, struct str path)
{
    if (search->visits == 0)
        return VERDICT_NAMED; /* rather a field too many than one too few */
    search->visits--;
    if (schema->never)
        return VERDICT_NEVER;
    if (path.size == 0)
        return judge_together(search, schema, path);
    struct str field = str_slice(path, 0, str_find(path, '.'));
    struct str rest = str_slice(path, field.size + 1, path.size);
    if (schema_has(schema, SCHEMA_KEYWORD_TYPE) && !(schema->types & SCHEMA_TYPE_OBJECT)) {
        search->types = rest.size ? search->types : schema->types;
        return VERDICT_NEVER;
    }
    search->lists |= rest.size == 0 && schema->property_count > 0;
    for (uint32_t i = 0; i < schema->property_count && rest.size == 0; i++)
        problem_guess_try(&search->guess, schema->properties[i].key);
    return both(judge_member(search, schema, field, rest), judge_together(search, schema, path));
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
        enum verdict verdict = judge(&search, schema, str_slice(path, 0, begin + field.size));
        if (verdict == VERDICT_NEVER || verdict == VERDICT_STRANGE) {
            *gap = (struct schema_path_gap){.field = field, .hint = hint_for(&search, arena)};
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
