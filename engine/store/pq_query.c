#include "engine/store/pq_query.h"

#include <pthread.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"
#include "engine/store/pq_embed.h"

enum { MIGRATIONS_MAX = 64, RULE_BEGAN = 2 };

static const char *const names[PQ_QUERY_COUNT] = {
#define X(name, text, when) [PQ_QUERY_ID_##name] = text,
#include "engine/store/pq_query.def"
#undef X
};
static const enum pq_query_when whens[PQ_QUERY_COUNT] = {
#define X(name, text, when) [PQ_QUERY_ID_##name] = PQ_QUERY_##when,
#include "engine/store/pq_query.def"
#undef X
};
static const char *texts[PQ_QUERY_COUNT];
static struct pq_query_migration migrations[MIGRATIONS_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char marker[] = "-- name: ";

static int find_name(struct str name)
{
    int found = 0;
    while (found < PQ_QUERY_COUNT && !str_equal(name, str_from(names[found])))
        found++;
    return found;
}

/* Keeps a copy of one block for as long as the process lives. */
static void keep_block(struct str name, const char *begin, size_t size)
{
    int index = find_name(name);
    check(index < PQ_QUERY_COUNT); /* else pq_query.def lacks it */
    check(texts[index] == NULL);   /* else it stands twice */
    char *copy = memory_new(size + 1, 1);
    memcpy(copy, begin, size);
    texts[index] = copy;
}

static void split_file(const char *text)
{
    const char *block = strstr(text, marker);
    while (block) {
        const char *name = block + sizeof marker - 1;
        const char *body = strchr(name, '\n');
        check(body);
        const char *next = strstr(body, marker);
        size_t size = next ? (size_t)(next - body) : strlen(body);
        keep_block((struct str){name, (size_t)(body - name)}, body, size);
        block = next;
    }
}

/* migrations/README.md: the first line of each file says it. The first two are older than that rule. */
static int32_t serves(int32_t number, const char *sql)
{
    static const char line[] = "-- serves: ";
    int64_t oldest = number;
    struct str text = str_from(sql);
    if (!str_starts(text, str_from(line))) {
        check(number <= RULE_BEGAN);
        return number;
    }
    struct str rest = str_slice(text, sizeof line - 1, text.size);
    check(str_to_i64(str_slice(rest, 0, str_find(rest, '\n')), &oldest) && oldest >= 1 && oldest <= number);
    return (int32_t)oldest;
}

static void load_all(void)
{
    for (uint32_t i = 0; i < pq_embed_query_count; i++)
        split_file(pq_embed_queries[i].text);
    for (int i = 0; i < PQ_QUERY_COUNT; i++)
        check(texts[i] != NULL);
    check(pq_embed_migration_count <= MIGRATIONS_MAX);
    for (uint32_t i = 0; i < pq_embed_migration_count; i++)
        migrations[i] = (struct pq_query_migration){
            .number = (int32_t)i + 1,
            .name = pq_embed_migrations[i].name,
            .sql = pq_embed_migrations[i].text,
            .serves = serves((int32_t)i + 1, pq_embed_migrations[i].text),
        };
}

const char *pq_query_name(enum pq_query query)
{
    check(query < PQ_QUERY_COUNT);
    return names[query];
}

const char *pq_query_text(enum pq_query query)
{
    check(query < PQ_QUERY_COUNT);
    pthread_once(&once, load_all);
    return texts[query];
}

enum pq_query_when pq_query_when(enum pq_query query)
{
    check(query < PQ_QUERY_COUNT);
    return whens[query];
}

const struct pq_query_migration *pq_query_migrations(uint32_t *count)
{
    pthread_once(&once, load_all);
    *count = pq_embed_migration_count;
    return migrations;
}
