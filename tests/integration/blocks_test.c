/* Each block of the language over real servers: sagas that go well and sagas that go back, while the engine
 * is killed -9 in the middle of them, again and again. The checker knows what each definition means. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/integration/world.h"

enum { STARTS_MAX = 100, HOW_STEPS = 5 };

/* How one saga goes. `how` and `undo`: "c=reject d=retry"; all else is ok. more: further members of the
 * input. */
struct course {
    const char *definition;
    const char *how;
    const char *undo;
    const char *more;
    const char *end;
};
struct tour {
    struct world world;
    const struct course *courses;
    uint32_t count;
};

static void put_hows(struct buf *out, const char *member, const char *hows)
{
    char pattern[4] = "a=";
    buf_printf(out, ",\"%s\":{", member);
    for (int i = 0; i < HOW_STEPS; i++) {
        pattern[0] = (char)('a' + i);
        const char *at = strstr(hows, pattern);
        size_t size = at == NULL ? 0 : strcspn(at + 2, " ");
        buf_printf(out, "%s\"%c\":\"%.*s\"", i > 0 ? "," : "", 'a' + i, size > 0 ? (int)size : 2,
                   size > 0 ? at + 2 : "ok");
    }
    buf_char(out, '}');
}

static struct str input_of(struct world *world, const struct course *course, uint32_t number)
{
    struct buf out;
    buf_init(&out, &world->arena);
    buf_printf(&out, "{\"n\":%u", number);
    put_hows(&out, "how", course->how);
    put_hows(&out, "undo", course->undo);
    buf_printf(&out, "%s}", course->more);
    return buf_str(&out);
}

static const struct course *course_of(const struct tour *tour, uint32_t number)
{
    return &tour->courses[number % tour->count];
}

static struct str start(struct tour *tour, uint32_t engine, uint32_t number)
{
    struct world *world = &tour->world;
    const struct course *course = course_of(tour, number);
    struct str key = arena_printf(&world->arena, "key-%u", number);
    struct client_answer answer =
        world_start_with(world, engine, course->definition, key, input_of(world, course, number));
    return json_get_str(answer.json, STR("id"));
}

/* Starts sagas until the engine dies of it; each course at least once. */
static void start_until_death(struct tour *tour, const char *failpoint)
{
    struct world *world = &tour->world;
    for (int i = 0; i < STARTS_MAX; i++) {
        if (!process_running(&world->engines[0].program.process, NULL))
            return;
        (void)start(tour, 0, world->number++);
    }
    cr_assert(world_await_death(world, 0, WORLD_PATIENCE_MS), "never killed at %s", failpoint);
}

/* A start that was not answered is made again with its key, as a client should. */
static void start_again(struct tour *tour)
{
    struct world *world = &tour->world;
    uint32_t count = world->facts.start_count;
    for (uint32_t i = 0; i < count; i++) {
        struct facts_start lost = world->facts.starts[i];
        if (lost.status == 201 || lost.status == 200)
            continue;
        struct client_answer answer = world_start_with(world, 0, lost.definition.data, lost.key, lost.input);
        cr_assert(answer.status == 201 || answer.status == 200, "repeated start: %d %.*s", answer.status,
                  STR_ARG(answer.body));
    }
}

static void expect_ends(struct tour *tour)
{
    struct world *world = &tour->world;
    for (uint32_t number = 1; number < world->number; number++) {
        const struct course *course = course_of(tour, number);
        struct str sql = arena_printf(&world->arena, "select status from saga where key = 'key-%u'", number);
        const char *status = harness_query(world->database, sql.data);
        cr_expect_str_eq(status, course->end, "%s %u (%s; %s; %s) is %s instead of %s", course->definition,
                         number, course->how, course->undo, course->more, status, course->end);
    }
}

static void open_tour(struct tour *tour, const struct course *courses, uint32_t count)
{
    *tour = (struct tour){.courses = courses, .count = count};
    world_open(&tour->world);
    (void)world_serve(&tour->world, 0, NULL);
}

static void end_tour(struct tour *tour)
{
    world_await_rest(&tour->world, WORLD_PATIENCE_MS);
    expect_ends(tour);
    world_judge(&tour->world);
    world_close(&tour->world);
}

/* Killed at each of these in turn; the sagas of one go on through the kills of the next. */
static void kill_on_the_way(struct tour *tour, void (*meanwhile)(struct tour *tour))
{
    static const char *const failpoints[] = {"before_commit:3", "after_commit:4", "after_publish:6",
                                             "before_ack:9", "stepped:14"};
#ifndef SAGA_FAILPOINTS
    cr_skip("built without failpoints");
#endif
    for (uint32_t i = 0; i < tour->count; i++)
        (void)start(tour, 0, tour->world.number++);
    world_stop(&tour->world, 0);
    for (size_t i = 0; i < sizeof failpoints / sizeof failpoints[0]; i++)
        if (world_serve(&tour->world, 0, failpoints[i])) {
            start_until_death(tour, failpoints[i]);
            if (meanwhile != NULL)
                meanwhile(tour);
        }
    world_serve(&tour->world, 0, NULL);
    start_again(tour);
}

#define RUN(courses, meanwhile)                                                                              \
    do {                                                                                                     \
        struct tour tour;                                                                                    \
        open_tour(&tour, courses, sizeof courses / sizeof courses[0]);                                       \
        kill_on_the_way(&tour, meanwhile);                                                                   \
        end_tour(&tour);                                                                                     \
    } while (0)

TestSuite(blocks, .timeout = 240);

Test(blocks, switch_)
{
    static const struct course courses[] = {
        {"switch", "", "", ",\"way\":\"taxi\"", "completed"},
        {"switch", "", "", ",\"way\":\"tour\"", "completed"},
        {"switch", "", "", ",\"way\":\"none\"", "completed"},
        {"switch", "", "", ",\"way\":\"another\"", "compensated"},
        {"switch", "d=reject", "", ",\"way\":\"taxi\"", "compensated"},
        {"switch", "c=reject", "a=retry", ",\"way\":\"tour\"", "compensated"},
        {"switch", "d=reject", "b=reject", ",\"way\":\"taxi\"", "parked"},
    };
    RUN(courses, NULL);
}

Test(blocks, parallel)
{
    static const struct course courses[] = {
        {"parallel", "", "", "", "completed"},
        {"parallel", "b=retry d=twice", "", "", "completed"},
        {"parallel", "e=reject", "", "", "compensated"},
        {"parallel", "d=reject", "b=retry", "", "compensated"},
        {"parallel", "c=reject b=retry", "d=twice", "", "compensated"},
        {"parallel", "c=reject d=reject", "", "", "compensated"},
        {"parallel", "e=reject", "d=reject", "", "parked"},
    };
    RUN(courses, NULL);
}

#define ITEMS "\"items\":["
#define FINE "{\"b\":\"ok\",\"c\":\"ok\"}"
#define SLOWLY "{\"b\":\"retry\",\"c\":\"twice\"}"
#define NOT "{\"b\":\"ok\",\"c\":\"reject\"}"

Test(blocks, foreach)
{
    static const struct course courses[] = {
        {"foreach", "", "", "," ITEMS "]", "completed"},
        {"foreach", "", "", "," ITEMS FINE "," SLOWLY "," FINE "]", "completed"},
        {"foreach", "d=reject", "", "," ITEMS FINE "," FINE "," SLOWLY "]", "compensated"},
        {"foreach", "", "", "," ITEMS FINE "," NOT "," FINE "]", "compensated"},
        {"foreach", "", "b=retry", "," ITEMS SLOWLY "," FINE "," NOT "," FINE "]", "compensated"},
        {"foreach", "", "", "," ITEMS "1,2,3,4,5,6,7,8,9,10,11]", "compensated"},
    };
    RUN(courses, NULL);
}

Test(blocks, scope)
{
    static const struct course courses[] = {
        {"scope", "", "", "", "completed"},
        {"scope", "c=reject", "", "", "completed"},
        {"scope", "b=reject", "", "", "completed"},
        {"scope", "c=reject d=reject", "", "", "compensated"},
        {"scope", "d=reject", "c=retry", "", "compensated"},
        {"scope", "c=reject", "b=reject", "", "parked"},
    };
    RUN(courses, NULL);
}

Test(blocks, fail)
{
    static const struct course courses[] = {
        {"fail", "", "", ",\"fail\":false", "completed"},
        {"fail", "", "", ",\"fail\":true", "compensated"},
        {"fail", "", "a=retry", ",\"fail\":true", "compensated"},
        {"fail", "", "a=reject", ",\"fail\":true", "parked"},
    };
    RUN(courses, NULL);
}

/* --- events and timers --------------------------------------------------------------------------------- */

/* To every saga that is known by now: most await it, some do not yet. What came before counts. */
static void say_to_all(struct tour *tour)
{
    struct world *world = &tour->world;
    uint32_t count = world->facts.start_count;
    for (uint32_t i = 0; i < count; i++) {
        struct facts_start *begun = &world->facts.starts[i];
        char signal[64];
        snprintf(signal, sizeof signal, "said-%u", i);
        if (begun->id.size > 0)
            (void)world_signal(world, 0, begun->id, signal, "{\"word\":\"yes\"}");
    }
}

static const struct course awaiting[] = {
    {"await", "", "", "", "completed"},
    {"await", "a=retry", "", "", "completed"},
    {"await", "c=reject", "", "", "compensated"},
    {"await", "c=reject", "a=retry", "", "compensated"},
};

Test(blocks, await)
{
    struct tour tour;
    open_tour(&tour, awaiting, sizeof awaiting / sizeof awaiting[0]);
    say_to_all(&tour);
    kill_on_the_way(&tour, say_to_all);
    for (uint32_t number = 1; number < tour.world.number; number++) {
        char key[32], message[32];
        snprintf(key, sizeof key, "key-%u", number);
        snprintf(message, sizeof message, "by-nats-%u", number);
        const char *const headers[] = {"Saga-Definition", "await", "Saga-Start-Key", key, "Saga-Signal-Id",
                                       message,           NULL};
        for (int twice = 0; twice < 2; twice++)
            world_publish(&tour.world, "saga.signal.guest.said", headers, STR("{\"word\":\"at last\"}"));
    }
    end_tour(&tour);
}

Test(blocks, an_event_before_its_await_is_kept)
{
    static const struct course late[] = {{"await", "a=die_before", "", "", "completed"}};
    struct tour tour;
    open_tour(&tour, late, 1);
    struct str id = start(&tour, 0, tour.world.number++);
    struct client_answer said = world_signal(&tour.world, 0, id, "first", "{\"word\":\"early\"}");
    cr_assert_eq(said.status, 201, "%.*s", STR_ARG(said.body));
    cr_assert_eq(world_signal(&tour.world, 0, id, "first", "{\"word\":\"early\"}").status, 200);
    cr_assert_eq(world_signal(&tour.world, 0, id, "second", "{\"word\":\"later\"}").status, 409);
    cr_assert_eq(world_signal(&tour.world, 0, id, "bad", "{\"word\":7}").status, 422);
    tour.world.facts.signal_count--; /* it must not be there at all */
    world_kill(&tour.world, 0);
    (void)world_serve(&tour.world, 0, NULL);
    struct str target = arena_printf(&tour.world.arena, "/v1/sagas/%.*s/timers", STR_ARG(id));
    struct client_answer moved =
        world_post(&tour.world, 0, target.data, STR("{\"actor\":\"olga\",\"step\":\"a\",\"due\":\"now\"}"));
    cr_assert_eq(moved.status, 200, "%.*s", STR_ARG(moved.body));
    world_await_status(&tour.world, id, "completed");
    struct client_answer view =
        world_get(&tour.world, 0, arena_printf(&tour.world.arena, "/v1/sagas/%.*s", STR_ARG(id)).data);
    cr_assert(str_equal(json_get_str(json_get(view.json, STR("output")), STR("word")), STR("early")), "%.*s",
              STR_ARG(view.body));
    cr_assert_eq(world_signal(&tour.world, 0, id, "third", "{\"word\":\"too late\"}").status, 409);
    tour.world.facts.signal_count--;
    end_tour(&tour);
}

Test(blocks, wait)
{
    static const struct course courses[] = {
        {"wait", "", "", "", "completed"},
        {"wait", "c=reject", "", "", "compensated"},
        {"wait", "a=retry c=reject", "a=retry", "", "compensated"},
    };
    RUN(courses, NULL);
}

/* The timer of the wait is there after the kill, and an operator fires it. */
Test(blocks, a_wait_survives_and_is_fired)
{
    static const struct course courses[] = {{"wait", "", "", "", "completed"}};
    struct tour tour;
    open_tour(&tour, courses, 1);
    struct str id = start(&tour, 0, tour.world.number++);
    struct str target = arena_printf(&tour.world.arena, "/v1/sagas/%.*s/timers", STR_ARG(id));
    world_await_query(&tour.world, "select waiting like '%b%' from saga", WORLD_PATIENCE_MS);
    struct client_answer moved =
        world_post(&tour.world, 0, target.data, STR("{\"actor\":\"olga\",\"step\":\"b\",\"due\":\"1h\"}"));
    cr_assert_eq(moved.status, 200, "%.*s", STR_ARG(moved.body));
    world_kill(&tour.world, 0);
    (void)world_serve(&tour.world, 0, NULL);
    struct client_answer timers = world_get(&tour.world, 0, target.data);
    const struct json *items = json_get(timers.json, STR("items"));
    cr_assert(items != NULL && items->count == 1, "%.*s", STR_ARG(timers.body));
    cr_assert(str_equal(json_get_str(items->items[0], STR("step")), STR("b")));
    cr_assert(str_equal(json_get_str(items->items[0], STR("kind")), STR("wait")));
    moved = world_post(&tour.world, 0, target.data,
                       STR("{\"actor\":\"olga\",\"reason\":\"long enough\",\"step\":\"b\",\"due\":\"now\"}"));
    cr_assert_eq(moved.status, 200, "%.*s", STR_ARG(moved.body));
    world_await_status(&tour.world, id, "completed");
    end_tour(&tour);
}

/* --- child sagas --------------------------------------------------------------------------------------- */

#define CHILD(how_a, how_b, undo_a)                                                                          \
    ",\"child\":{\"how\":{\"a\":\"" how_a "\",\"b\":\"" how_b "\"},\"undo\":{\"a\":\"" undo_a                \
    "\",\"b\":\"ok\"}}"

static const struct course families[] = {
    {"family", "", "", CHILD("ok", "ok", "ok"), "completed"},
    {"family", "", "", CHILD("retry", "twice", "ok"), "completed"},
    {"family", "c=reject", "", CHILD("ok", "ok", "ok"), "compensated"},
    {"family", "c=reject", "a=retry", CHILD("ok", "retry", "retry"), "compensated"},
    {"family", "", "", CHILD("ok", "reject", "ok"), "compensated"},
    {"family", "", "", CHILD("reject", "ok", "ok"), "compensated"},
};

Test(blocks, saga)
{
    RUN(families, NULL);
}

/* Two engines share the shards; parents and children live on both, and one of the two dies. */
Test(blocks, children_on_another_shard_whose_engine_dies)
{
    static const char *const two_shards[] = {"--shards-max", "2", NULL};
    struct tour tour = {.courses = families, .count = sizeof families / sizeof families[0]};
    struct world *world = &tour.world;
    world_open(world);
    world->arguments = two_shards;
    (void)world_serve(world, 0, NULL);
    (void)world_serve(world, 1, NULL);
    for (int i = 0; i < 60; i++)
        (void)start(&tour, (uint32_t)i % 2, world->number++);
    world_kill(world, 1);
    world->arguments = NULL;
    (void)world_serve(world, 2, NULL);
    start_again(&tour);
    world_await_query(world,
                      "select count(*) > 20 from saga child join saga parent on parent.id = child.parent "
                      "where child.shard <> parent.shard",
                      WORLD_PATIENCE_MS);
    end_tour(&tour);
}

/* The child cannot be undone and parks; its parent, cancelled, waits for it until a human has decided. */
Test(blocks, a_parked_child_holds_its_cancelled_parent)
{
    static const struct course parks[] = {
        {"family", "c=mute", "", CHILD("ok", "ok", "reject"), "compensated"}};
    struct tour tour;
    open_tour(&tour, parks, 1);
    struct world *world = &tour.world;
    struct str id = start(&tour, 0, world->number++);
    world_await_query(world,
                      "select count(*) = 1 from saga where status = 'completed' and parent is not null",
                      WORLD_PATIENCE_MS);
    world_await_lines(world, "recv", NULL, 4);
    cr_assert_eq(world_verb(world, 0, id, "cancel", "").status, 200);
    struct str target = arena_printf(&world->arena, "/v1/sagas/%.*s/timers", STR_ARG(id));
    struct client_answer fired =
        world_post(world, 0, target.data, STR("{\"actor\":\"olga\",\"step\":\"c\",\"due\":\"now\"}"));
    cr_assert_eq(fired.status, 200, "%.*s", STR_ARG(fired.body));
    world_await_query(world, "select count(*) = 1 from saga where status = 'parked' and parent is not null",
                      WORLD_PATIENCE_MS);
    cr_assert(str_equal(world_status(world, id), STR("compensating")));
    world_kill(world, 0);
    (void)world_serve(world, 0, NULL);
    const char *child = harness_query(world->database, "select id from saga where parent is not null");
    struct str child_id = arena_copy(&world->arena, str_from(child));
    cr_assert_eq(world_verb(world, 0, child_id, "skip", ",\"step\":\"a\"").status, 200);
    world_await_status(world, id, "compensated");
    struct str list = arena_printf(&world->arena, "/v1/sagas?parent=%.*s", STR_ARG(id));
    struct client_answer children = world_get(world, 0, list.data);
    const struct json *items = json_get(children.json, STR("items"));
    cr_assert(items != NULL && items->count == 1, "%.*s", STR_ARG(children.body));
    cr_assert(str_equal(json_get_str(items->items[0], STR("id")), child_id));
    end_tour(&tour);
}

static struct str child_of(struct world *world, const char *status)
{
    struct str sql = arena_printf(
        &world->arena, "select count(*) = 1 from saga where parent is not null and status = '%s'", status);
    world_await_query(world, sql.data, WORLD_PATIENCE_MS);
    sql =
        arena_printf(&world->arena, "select id from saga where parent is not null and status = '%s'", status);
    return arena_copy(&world->arena, str_from(harness_query(world->database, sql.data)));
}

/* Its own command is still out when the parent is cancelled: it is told at once, and ends in its own time. */
Test(blocks, a_cancel_reaches_a_child_under_way)
{
    static const struct course courses[] = {{"family", "", "", CHILD("ok", "mute", "retry"), "compensated"}};
    struct tour tour;
    open_tour(&tour, courses, 1);
    struct world *world = &tour.world;
    struct str id = start(&tour, 0, world->number++);
    struct str child = child_of(world, "running");
    world_await_lines(world, "recv", NULL, 3);
    cr_assert_eq(world_verb(world, 0, id, "cancel", "").status, 200);
    world_await_status(world, child, "compensating");
    world_kill(world, 0);
    (void)world_serve(world, 0, NULL);
    struct str target = arena_printf(&world->arena, "/v1/sagas/%.*s/timers", STR_ARG(child));
    struct client_answer fired =
        world_post(world, 0, target.data, STR("{\"actor\":\"olga\",\"step\":\"b\",\"due\":\"now\"}"));
    cr_assert_eq(fired.status, 200, "%.*s", STR_ARG(fired.body));
    world_await_status(world, child, "compensated");
    world_await_status(world, id, "compensated");
    end_tour(&tour);
}

/* Nobody undid what it did: a human decides what becomes of its parent, and may have it begun once more. */
Test(blocks, a_terminated_child_parks_its_parent)
{
    static const struct course courses[] = {{"family", "", "", CHILD("ok", "mute", "ok"), "parked"}};
    struct tour tour;
    open_tour(&tour, courses, 1);
    struct world *world = &tour.world;
    struct str id = start(&tour, 0, world->number++);
    struct str child = child_of(world, "running");
    world_await_lines(world, "recv", NULL, 3);
    cr_assert_eq(world_verb(world, 0, child, "terminate", "").status, 200);
    world_await_status(world, id, "parked");
    struct str sql =
        arena_printf(&world->arena, "select reason_code from saga where id = '%.*s'", STR_ARG(id));
    cr_assert_str_eq(harness_query(world->database, sql.data), "CHILD_TERMINATED");
    world_kill(world, 0);
    (void)world_serve(world, 0, NULL);
    cr_assert_eq(world_verb(world, 0, id, "retry", ",\"step\":\"b\"").status, 200);
    struct str second = child_of(world, "running");
    cr_assert(!str_equal(child, second));
    cr_assert_eq(world_verb(world, 0, second, "terminate", "").status, 200);
    world_await_status(world, id, "parked");
    end_tour(&tour);
}

/* --- what operators name -------------------------------------------------------------------------------- */

/* Items are stuck side by side; each is named by its path. */
Test(blocks, a_step_of_an_item_is_named_by_its_path)
{
    static const struct course stuck[] = {
        {"foreach", "d=reject", "c=reject", "," ITEMS FINE "," FINE "]", "compensated"}};
    struct tour tour;
    open_tour(&tour, stuck, 1);
    struct world *world = &tour.world;
    struct str id = start(&tour, 0, world->number++);
    world_await_status(world, id, "parked");
    world_await_lines(world, "reply", "undo", 2);
    world_await_query(world, "select count(*) = 2 from saga_journal where data::text like '%undo_stuck%'",
                      WORLD_PATIENCE_MS);
    struct client_answer unnamed = world_verb(world, 0, id, "skip", "");
    cr_assert_eq(unnamed.status, 409, "%.*s", STR_ARG(unnamed.body));
    cr_assert(strstr(unnamed.body.data, "c[0]") != NULL && strstr(unnamed.body.data, "c[1]") != NULL, "%.*s",
              STR_ARG(unnamed.body));
    world_kill(world, 0);
    (void)world_serve(world, 0, NULL);
    cr_assert_eq(world_verb(world, 0, id, "skip", ",\"step\":\"c[0]\"").status, 200);
    cr_assert(str_equal(world_status(world, id), STR("parked")));
    cr_assert_eq(world_verb(world, 0, id, "skip", ",\"step\":\"c[1]\"").status, 200);
    world_await_status(world, id, "compensated");
    end_tour(&tour);
}
