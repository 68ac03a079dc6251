#include "tests/integration/checker.h"

#include <stdarg.h>
#include <stdio.h>
#include "tests/integration/checker_parts.h"

enum { SHOWN = 40 };

static const struct checker_plan plans[] = {
    {"calm", {{"inn", {4, 0, 4}, true}, {"taxi", {4, 0, 4}, true}, {"tour", {4, 0, 4}, true}}},
    {"brisk", {{"inn", {4, 0, 4}, true}, {"taxi", {4, 4, 4}, true}, {"tour", {4, 0, 4}, true}}},
    {"pivot", {{"inn", {4, 0, 4}, true}, {"taxi", {4, 0, 0}, true}, {"tour", {4, 0, 0}, true}}},
    {"asked", {{"inn", {4, 0, 4}, true}, {"desk", {4, 0, 4}, false}, {"tour", {4, 0, 4}, true}}},
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

unsigned checker_step(struct str id)
{
    return id.size == 1 && id.data[0] >= 'a' && id.data[0] < 'a' + CHECKER_STEPS
               ? (unsigned)(id.data[0] - 'a')
               : CHECKER_STEPS;
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

static struct map *const *maps_of(struct checker *checker, struct map *maps[6])
{
    maps[0] = &checker->sagas;
    maps[1] = &checker->sends;
    maps[2] = &checker->replies;
    maps[3] = &checker->cited;
    maps[4] = &checker->keys;
    maps[5] = &checker->dead;
    return maps;
}

uint32_t checker_run(const struct facts *facts, struct buf *report)
{
    struct checker checker = {.facts = facts, .report = report};
    struct map *maps[6];
    arena_init(&checker.arena, 0);
    for (int i = 0; i < 6; i++)
        map_init(maps_of(&checker, maps)[i]);
    index_facts(&checker);
    checker_read_lines(&checker);
    for (uint32_t i = 0; i < facts->saga_count; i++) {
        struct checker_walk walk;
        checker_journal(&checker, &facts->sagas[i], &walk);
        checker_end(&walk);
    }
    checker_lines(&checker);
    checker_client(&checker);
    check_marks(&checker);
    for (int i = 0; i < 6; i++)
        map_fini(maps_of(&checker, maps)[i]);
    arena_fini(&checker.arena);
    return checker.problems;
}
