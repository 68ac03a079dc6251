/* What an engine says in its log, and of a saga in the database. */
#include "tests/integration/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct sought {
    const char *log;
    const char *text;
};

static bool log_has(void *context)
{
    const struct sought *sought = context;
    char line[4096];
    bool found = false;
    FILE *file = fopen(sought->log, "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, sought->text) != NULL;
    if (file != NULL)
        (void)fclose(file);
    return found;
}

void world_await_log(struct world *world, uint32_t index, const char *text)
{
    struct sought sought = {world->engines[index].program.process.log, text};
    bool found = harness_await(log_has, &sought, WORLD_PATIENCE_MS);
    char tail[6000];
    process_log_tail(sought.log, tail, sizeof tail);
    cr_assert(found, "%s never said: %s\n%s", world->engines[index].name, text, tail);
}

struct str world_status(struct world *world, struct str id)
{
    struct str sql = arena_printf(&world->arena, "select status from saga where id = '%.*s'", STR_ARG(id));
    return arena_copy(&world->arena, str_from(harness_query(world->database, sql.data)));
}
