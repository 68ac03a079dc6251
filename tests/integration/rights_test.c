/* Under deploy/nats.conf: every right that is taken away from the engine shows in /readyz and in the log, by
 * name, and is over when it is given back; users that may not log in for a while stop nothing for good. All
 * without a restart. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"
#include "tests/integration/world.h"

enum { NAMED_MS = 10000 };

static const struct world_plan well = {"calm", {NULL}, {NULL}};
static const struct world_plan asks = {"asked", {NULL}, {NULL}};

static void open_and_serve(struct world *world)
{
    world_open(world);
    (void)world_serve(world, 0, NULL);
}

static void end(struct world *world)
{
    world_await_rest(world, WORLD_PATIENCE_MS);
    world_judge(world);
    world_close(world);
}

static void change(struct world *world, const struct rights *rights)
{
    world_rights(world, rights);
    rights_reload(&world->harness.nats);
}

static const char *log_of(const struct world *world, uint32_t engine)
{
    return world->engines[engine].program.process.log;
}

static long size_of(const char *path)
{
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    fclose(file);
    return size;
}

/* Lines behind `from` that hold all of these. */
static uint32_t count_lines(const char *path, long from, const char *one, const char *other)
{
    char line[4096];
    uint32_t count = 0;
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, from, SEEK_SET), 0);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, one) != NULL && strstr(line, other) != NULL;
    fclose(file);
    return count;
}

/* What every subject of a right begins with. */
static const char *stem_of(const char *right)
{
    static char stem[RIGHTS_SUBJECT_BYTES];
    snprintf(stem, sizeof stem, "%.*s", (int)strcspn(right, "*>"), right);
    return stem;
}

struct awaited {
    struct world *world;
    const char *stem;
    long from;
    char detail[1024];
};

static bool is_named(void *context)
{
    struct awaited *awaited = context;
    struct client_answer answer = world_get(awaited->world, 0, "/readyz");
    snprintf(awaited->detail, sizeof awaited->detail, "%d %.*s", answer.status, STR_ARG(answer.body));
    return answer.status == 503 && strstr(awaited->detail, awaited->stem) != NULL &&
           count_lines(log_of(awaited->world, 0), awaited->from, "event=nats_denied", awaited->stem) > 0;
}

static void take_away(struct world *world, const char *right)
{
    struct awaited awaited = {.world = world, .stem = stem_of(right), .from = size_of(log_of(world, 0))};
    change(world, &(struct rights){.without = right});
    if (strcmp(right, "desk.>") == 0) /* used by nothing but the sagas that ask */
        (void)world_start(world, 0, &asks);
    cr_assert(harness_await(is_named, &awaited, NAMED_MS), "without %s readyz says: %s", right,
              awaited.detail);
}

Test(rights, each_one_taken_away_shows_by_name, .timeout = 300)
{
    struct world world;
    char list[RIGHTS_MAX][RIGHTS_SUBJECT_BYTES];
    open_and_serve(&world);
    uint32_t count = rights_of_engine(list);
    cr_assert_geq(count, 10);
    for (uint32_t i = 0; i < count; i++) {
        const char *right = strcmp(list[i], "_INBOX_saga.sagad-1.>") == 0 ? "_INBOX_saga.engine0.>"
                            : strcmp(list[i], "billing.>") == 0           ? "desk.>"
                                                                          : list[i];
        take_away(&world, right);
        change(&world, &(struct rights){.without = NULL});
        if (strcmp(right, "desk.>") == 0)
            (void)world_start(&world, 0, &asks); /* so that it is seen to be allowed again */
        world_await_ready(&world, 0, 200);
    }
    world_await_status(&world, world_start(&world, 0, &well), "completed");
    end(&world);
}

static void show_lines(const char *path, const char *what)
{
    char line[4096];
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strstr(line, what) != NULL)
            fputs(line, stderr);
    if (file != NULL)
        fclose(file);
}

static bool is_refused_often(void *context)
{
    struct world *world = context;
    return count_lines(world->harness.nats.process.log, 0, "authentication error", "engine0") >= 20 &&
           count_lines(world->harness.nats.process.log, 0, "authentication error", "engine1") >= 20;
}

/* Twice the same refusal closes a connection of nats.c for good: here each line is refused many times. */
Test(rights, a_login_refused_for_a_while_stops_nothing_for_good, .timeout = 120)
{
    static const char *const lines[] = {"line=publisher ", "line=consumer ", "line=admin "};
    struct world world;
    open_and_serve(&world);
    (void)world_serve(&world, 1, NULL); /* owns nothing: what it is asked it passes on by saga.ctl */
    long from = size_of(log_of(&world, 0));
    change(&world, &(struct rights){.nobody = true});
    world_await_ready(&world, 0, 503);
    cr_assert(harness_await(is_refused_often, &world, WORLD_PATIENCE_MS));
    struct client_answer answer = world_get(&world, 0, "/readyz");
    cr_expect(strstr(answer.body.data, "Authorization Violation") != NULL, "%.*s", STR_ARG(answer.body));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect_geq(count_lines(log_of(&world, 0), from, "event=bus_lost", lines[i]), 1, "%s", lines[i]);
    uint32_t told = count_lines(log_of(&world, 0), from, "event=bus_lost", "Authorization Violation");
    if (told != 3)
        show_lines(log_of(&world, 0), "event=bus_lost");
    cr_expect_eq(told, 3, "each line says why");
    change(&world, &(struct rights){.without = NULL});
    world_await_ready(&world, 0, 200);
    world_await_status(&world, world_start(&world, 0, &well), "completed");
    struct str passed_on = {0};
    for (int i = 0; i < 100 && passed_on.size == 0; i++) {
        passed_on = world_start(&world, 1, &well);
        process_pause(50); /* until engine1 is back, too: it says so by an answer alone */
    }
    world_await_status(&world, passed_on, "completed");
    end(&world);
}
