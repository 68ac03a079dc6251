/* The checker's frame: what the definitions of this folder mean, written down once more, and the order of the
 * rules. Shares no code with the core. */
#include "tests/integration/checker.h"

#include <stdarg.h>
#include <stdio.h>
#include "tests/integration/checker_parts.h"

enum { SHOWN = 40, MAPS = 8 };

enum { A = 1, B = 2, C = 4, D = 8, E = 16, F = 32, G = 64 };
#define INN(...)                                                                                             \
    {                                                                                                        \
        .participant = "inn", .attempts = {4, 0, 4}, .logged = true, __VA_ARGS__                             \
    }
#define TAXI(...)                                                                                            \
    {                                                                                                        \
        .participant = "taxi", .attempts = {4, 0, 4}, .logged = true, __VA_ARGS__                            \
    }
#define TOUR(...)                                                                                            \
    {                                                                                                        \
        .participant = "tour", .attempts = {4, 0, 4}, .logged = true, __VA_ARGS__                            \
    }
/* With attempts enough for whatever is lost on the way. */
#define LASTING(who, ...)                                                                                    \
    {                                                                                                        \
        .participant = who, .attempts = {12, 0, 12}, .logged = true, __VA_ARGS__                             \
    }
/* As long as it takes: pokes. */
#define SAGA(...)                                                                                            \
    {                                                                                                        \
        .participant = "sagad", .attempts = {1000000, 0, 1000000}, __VA_ARGS__                               \
    }
#define QUIET(...)                                                                                           \
    {                                                                                                        \
        .participant = "", __VA_ARGS__                                                                       \
    }
static const struct checker_plan plans[] = {
    {"calm", {INN(.before = 0), TAXI(.before = A), TOUR(.before = A | B)}},
    {"brisk", {INN(.before = 0), {"taxi", {4, 4, 4}, true, .before = A}, TOUR(.before = A | B)}},
    {"pivot",
     {INN(.before = 0), {"taxi", {4, 0, 0}, true, .before = A}, {"tour", {4, 0, 0}, true, .before = A | B}}},
    {"asked", {INN(.before = 0), {"desk", {4, 0, 4}, false, .before = A}, TOUR(.before = A | B)}},
    {"asked-items",
     {INN(.before = 0),
      {"desk", {4, 0, 4}, false, .before = A, .item = true, .maybe = true},
      TOUR(.before = A | B),
      [4] = QUIET(.before = A, .maybe = true)}},
    {"switch",
     {INN(.before = 0), TAXI(.before = A, .maybe = true), TOUR(.before = A, .maybe = true),
      INN(.before = A | B | C), QUIET(.before = A, .maybe = true)}},
    {"parallel",
     {INN(.before = 0), TAXI(.before = A), TOUR(.before = A | B), INN(.before = A),
      TAXI(.before = A | B | C | D)}},
    {"foreach",
     {INN(.before = 0), TAXI(.before = A, .item = true, .maybe = true),
      TOUR(.before = A | B, .item = true, .maybe = true), INN(.before = A | B | C),
      QUIET(.before = A, .maybe = true)}},
    {"medley",
     {INN(.before = 0), TAXI(.before = A), TOUR(.before = A),
      INN(.before = A | B | C, .item = true, .maybe = true), TAXI(.before = A | B | C | D, .scoped = true),
      QUIET(.before = A | B | C, .maybe = true), TOUR(.before = A | B | C | D | E, .scoped = true),
      INN(.before = A | B | C | D | E | G)}},
    {"await", {INN(.before = 0), QUIET(.before = A), TOUR(.before = A | B)}},
    {"wait", {INN(.before = 0), QUIET(.before = A), TOUR(.before = A | B)}},
    {"scope",
     {INN(.before = 0), TAXI(.before = A, .scoped = true), TOUR(.before = A | B, .scoped = true),
      INN(.before = A | B | C)}},
    {"fail", {INN(.before = 0), QUIET(.before = A, .maybe = true), TOUR(.before = A)}},
    {"family", {INN(.before = 0), SAGA(.before = A), TOUR(.before = A | B)}},
    {"child", {TAXI(.before = 0), TOUR(.before = A)}},
    {"errand",
     {LASTING("inn", .before = 0), QUIET(.before = A), LASTING("tour", .before = A | B),
      SAGA(.before = A), [5] = QUIET(.before = A | B | C | D, .maybe = true),
      [7] = LASTING("inn", .before = A | B | C | D | F)}},
    {"caravan",
     {LASTING("inn", .before = 0), SAGA(.before = A, .item = true, .maybe = true),
      LASTING("taxi", .before = A | B, .item = true, .maybe = true), QUIET(.before = A | B | C),
      QUIET(.before = A, .maybe = true), LASTING("tour", .before = A | B | C | D, .scoped = true),
      SAGA(.before = A | B | C | D | F, .scoped = true), LASTING("inn", .before = A | B | C | D | F | G)}},
    {"excursion",
     {LASTING("taxi", .before = 0), QUIET(.before = A, .maybe = true), QUIET(.before = A, .maybe = true),
      QUIET(.before = A, .maybe = true), [5] = QUIET(.before = A, .maybe = true),
      [6] = SAGA(.before = A, .maybe = true), [7] = LASTING("tour", .before = A | B | C | D | F | G)}},
    {"relay",
     {INN(.before = 0), QUIET(.before = A), TOUR(.before = A | B), SAGA(.before = A),
      TAXI(.before = A | B | C | D, .scoped = true), SAGA(.before = A | B | C | D | E, .scoped = true),
      QUIET(.before = A | B | C | D | E | F), INN(.before = A | B | C | D | E | F | G)}},
    {"dash", {TAXI(.before = 0), QUIET(.before = A), TOUR(.before = A | B)}},
};

void checker_problem(struct checker *checker, const char *rule, struct str about, const char *format, ...)
{
    char text[1000];
    va_list arguments;
    if (++checker->problems > SHOWN)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buf_printf(checker->report, "%s %.*s: %s\n", rule, STR_ARG(about), text);
}

struct str checker_text(struct checker *checker, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return arena_copy(&checker->arena, str_from(text));
}

const struct checker_plan *checker_plan(struct str definition)
{
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
        if (str_equal(definition, str_from(plans[i].name)))
            return &plans[i];
    return NULL;
}

/* "b" and "b[2]". */
static bool parse_path(struct str path, struct checker_view *view)
{
    int64_t item = -1;
    size_t size = path.size;
    bool indexed = size > 3 && path.data[1] == '[' && path.data[size - 1] == ']';
    if (size == 0 || path.data[0] < 'a' || path.data[0] >= 'a' + CHECKER_STEPS)
        return false;
    if (indexed ? !str_to_i64(str_slice(path, 2, size - 1), &item) || item < 0 || item > 1000 : size != 1)
        return false;
    *view = (struct checker_view){.path = path, .step = (unsigned)(path.data[0] - 'a'), .item = (int)item};
    return true;
}

struct checker_view *checker_view(struct checker_walk *walk, struct str path)
{
    struct checker_view view;
    for (uint32_t i = 0; i < walk->view_count; i++)
        if (str_equal(walk->views[i].path, path))
            return &walk->views[i];
    if (walk->view_count == CHECKER_VIEWS || !parse_path(path, &view) ||
        walk->plan->steps[view.step].participant == NULL ||
        walk->plan->steps[view.step].item != (view.item >= 0))
        return NULL;
    walk->views[walk->view_count] = view;
    return &walk->views[walk->view_count++];
}

const struct checker_step *checker_step(const struct checker_walk *walk, const struct checker_view *view)
{
    return &walk->plan->steps[view->step];
}

/* Items of one foreach overlap. */
bool checker_before(const struct checker_walk *walk, const struct checker_view *first,
                    const struct checker_view *second)
{
    bool apart = first->item >= 0 && second->item >= 0 && first->item != second->item;
    return !apart && (walk->plan->steps[second->step].before & 1u << first->step) != 0;
}

enum checker_kind checker_kind(struct str text)
{
    static const char *const names[] = {"do", "verify", "undo"};
    for (int kind = 0; kind < CHECKER_KINDS; kind++)
        if (str_equal(text, str_from(names[kind])))
            return (enum checker_kind)kind;
    return CHECKER_NO_KIND;
}

static void index_facts(struct checker *checker)
{
    const struct facts *facts = checker->facts;
    for (uint32_t i = 0; i < facts->saga_count; i++)
        if (map_set(&checker->sagas, facts->sagas[i].id, &facts->sagas[i]) != NULL)
            checker_problem(checker, "S1", facts->sagas[i].id, "two sagas have this id");
    for (uint32_t i = 0; i < facts->saga_count; i++)
        if (facts->sagas[i].key.size > 0 &&
            map_set(&checker->named,
                    checker_text(checker, "%.*s %.*s", STR_ARG(facts->sagas[i].definition),
                                 STR_ARG(facts->sagas[i].key)),
                    &facts->sagas[i]) != NULL)
            checker_problem(checker, "S2", facts->sagas[i].id, "another saga has its key %.*s",
                            STR_ARG(facts->sagas[i].key));
    for (uint32_t i = 0; i < facts->dead_count; i++)
        if (facts->dead[i].message_id.size > 0 &&
            map_set(&checker->dead, facts->dead[i].message_id, &facts->dead[i]) != NULL)
            checker_problem(checker, "S27", facts->dead[i].message_id,
                            "two dead letters of one message: %.*s", STR_ARG(facts->dead[i].reason));
}

/* A mark's own commit takes an lsn too, so the mark need only cover what has a record. */
static void check_marks(struct checker *checker)
{
    const struct facts *facts = checker->facts;
    for (uint32_t i = 0; facts->drained && i < facts->record_count; i++) {
        const struct facts_record *record = &facts->records[i];
        for (uint32_t at = 0; at < facts->shard_count; at++)
            if (facts->shards[at].id == record->shard && facts->shards[at].published_lsn < record->lsn)
                checker_problem(checker, "S18", record->saga, "seq %lld has lsn %lld, published is %lld",
                                (long long)record->seq, (long long)record->lsn,
                                (long long)facts->shards[at].published_lsn);
    }
}

static struct map *const *maps_of(struct checker *checker, struct map *maps[MAPS])
{
    maps[0] = &checker->sagas;
    maps[1] = &checker->sends;
    maps[2] = &checker->replies;
    maps[3] = &checker->cited;
    maps[4] = &checker->keys;
    maps[5] = &checker->dead;
    maps[6] = &checker->children;
    maps[7] = &checker->named;
    return maps;
}

uint32_t checker_run(const struct facts *facts, struct buf *report)
{
    struct checker checker = {.facts = facts, .report = report};
    struct map *maps[MAPS];
    arena_init(&checker.arena, 0);
    for (int i = 0; i < MAPS; i++)
        map_init(maps_of(&checker, maps)[i]);
    index_facts(&checker);
    checker_read_lines(&checker);
    checker.walks = arena_array(&checker.arena, facts->saga_count + 1, sizeof *checker.walks);
    for (uint32_t i = 0; i < facts->saga_count; i++)
        checker_journal(&checker, &facts->sagas[i], &checker.walks[i]);
    for (uint32_t i = 0; i < facts->saga_count; i++) {
        checker_family(&checker.walks[i]);
        checker_end(&checker.walks[i]);
    }
    checker_lines(&checker);
    checker_client(&checker);
    check_marks(&checker);
    for (int i = 0; i < MAPS; i++)
        map_fini(maps_of(&checker, maps)[i]);
    arena_fini(&checker.arena);
    return checker.problems;
}
