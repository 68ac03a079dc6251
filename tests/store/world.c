/* A store of either kind with handles to it, and batches made of short calls. */
#include "tests/store/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include "engine/base/clock.h"

static const int64_t lease_us = 60000000;

const char *world_why(const struct world *world, enum err error)
{
    static char text[640];
    snprintf(text, sizeof text, "%s: %s", err_text(error), world->note.text);
    return text;
}

void world_str(struct str found, const char *expected)
{
    cr_assert(str_equal(found, str_from(expected)), "found: %.*s\nexpected: %s", STR_ARG(found), expected);
}

struct store *world_handle(struct world *world)
{
    return world_handle_as(world, NULL);
}

struct store *world_handle_as(struct world *world, const struct store_instance *instance)
{
    struct store *store = NULL;
    if (world->kind == WORLD_MEMORY)
        return memory_store_open_as(world->memory, instance);
    enum err error = postgres_open_as(world->url, instance, &store, &world->note);
    cr_assert_eq(error, ERR_OK, "%s", world_why(world, error));
    return store;
}

static void open_handle(struct world *world)
{
    struct store_shard *shards = NULL;
    uint32_t count = 0;
    arena_init(&world->arena, 0);
    rng_init(&world->rng, 42);
    world->now_us = 1700000000000000;
    world->store = world_handle(world);
    enum err error = store_claim(world->store, STR("one"), lease_us, WORLD_SHARDS, &world->arena, &shards,
                                 &count, &world->note);
    cr_assert_eq(error, ERR_OK, "%s", world_why(world, error));
    cr_assert_eq(count, WORLD_SHARDS);
    for (uint32_t i = 0; i < count; i++) {
        world->marks[shards[i].shard] = shards[i];
        world->marks[shards[i].shard].before_lsn = shards[i].last_lsn;
    }
}

void world_open_at(struct world *world, const char *url)
{
    uint32_t applied = 0;
    world->kind = WORLD_POSTGRES;
    snprintf(world->url, sizeof world->url, "%s", url);
    enum err error = postgres_migrate(world->url, WORLD_SHARDS, &applied, &world->note);
    cr_assert_eq(error, ERR_OK, "%s", world_why(world, error));
    open_handle(world);
}

void world_open(struct world *world, enum world_kind kind)
{
    world->kind = kind;
    if (kind == WORLD_POSTGRES) {
        char url[SERVERS_URL_SIZE];
        harness_database(url);
        world_open_at(world, url);
        return;
    }
    world->memory = memory_store_new(WORLD_SHARDS);
    open_handle(world);
}

void world_close(struct world *world)
{
    store_close(world->store);
    if (world->memory)
        memory_store_free(world->memory);
    arena_fini(&world->arena);
}

struct span {
    struct store *store;
    int64_t until_us;
};

static bool is_past(void *context)
{
    struct span *span = context;
    int64_t now_us = 0;
    return store_now(span->store, &now_us, NULL) == ERR_OK && now_us > span->until_us;
}

void world_pass(struct world *world, int64_t span_us)
{
    struct span span = {.store = world->store};
    cr_assert_eq(store_now(world->store, &span.until_us, &world->note), ERR_OK);
    span.until_us += span_us;
    if (world->kind == WORLD_MEMORY)
        memory_store_clock(world->memory, span.until_us + 1);
    cr_assert(harness_await(is_past, &span, (int)(span_us / 1000) + 5000));
}

static struct store_record *put_record(struct world *world, const struct store_saga *row, const char *kind,
                                       const char *data)
{
    cr_assert_lt(world->record_count, WORLD_ROWS);
    struct store_record *record = &world->records[world->record_count++];
    *record = (struct store_record){.id = row->id,
                                    .shard = row->shard,
                                    .seq = row->seq,
                                    .at_us = row->updated_us,
                                    .lsn = ++world->marks[row->shard].last_lsn,
                                    .kind = str_from(kind),
                                    .data = arena_copy(&world->arena, str_from(data))};
    return record;
}

struct store_saga *world_start(struct world *world, uint32_t shard, const char *key)
{
    cr_assert_lt(world->saga_count, WORLD_ROWS);
    struct store_saga *row = &world->sagas[world->saga_count++];
    world->now_us += 1000;
    *row = (struct store_saga){.id = id_make(world->now_us, shard, &world->rng),
                               .shard = shard,
                               .definition = STR("order"),
                               .version = 3,
                               .hash = STR("abc"),
                               .status = STR("running"),
                               .seq = 1,
                               .waiting = STR("waiting for reply to charge"),
                               .key = arena_copy(&world->arena, str_from(key)),
                               .search = STR("{}"),
                               .started_us = world->now_us,
                               .updated_us = world->now_us,
                               .wake_us = world->now_us + 5000000,
                               .created = true};
    put_record(world, row, "start", "{\"event\":{\"input\":{\"total\":19.90}},\"changes\":[]}");
    return row;
}

struct store_saga *world_go_on(struct world *world, struct store_saga *row, const char *data)
{
    cr_assert_lt(world->saga_count, WORLD_ROWS);
    world->now_us += 1000;
    struct store_saga *next = &world->sagas[world->saga_count++];
    struct store_saga copy = *row;
    *next = copy;
    next->before_seq = next->seq++;
    next->updated_us = world->now_us;
    next->created = false;
    struct store_record *record = put_record(world, next, "reply", data);
    record->step = STR("charge");
    record->attempt = 2;
    return next;
}

struct store_dead_letter *world_dead(struct world *world, const char *reason)
{
    struct store_dead_letter *letter = &world->dead[world->dead_count++];
    *letter = (struct store_dead_letter){.at_us = world->now_us,
                                         .reason = arena_copy(&world->arena, str_from(reason)),
                                         .subject = STR("saga.reply.0.payments"),
                                         .saga = STR(""),
                                         .command = STR(""),
                                         .headers = STR("{\"Saga-Status\":\"ok\"}"),
                                         .body = STR("{}")};
    return letter;
}

struct store_batch world_batch(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_SHARDS; i++)
        world->marks[i].last_lsn++;
    return (struct store_batch){.shards = world->marks,
                                .shard_count = WORLD_SHARDS,
                                .sagas = world->sagas,
                                .saga_count = world->saga_count,
                                .records = world->records,
                                .record_count = world->record_count,
                                .dead = world->dead,
                                .dead_count = world->dead_count};
}

enum err world_commit(struct world *world)
{
    struct store_batch batch = world_batch(world);
    enum err error = store_append(world->store, &batch, &world->arena, world->rejected,
                                  &world->rejected_count, &world->note);
    if (error == ERR_OK)
        world_forget(world);
    for (uint32_t i = 0; error == ERR_OK && i < WORLD_SHARDS; i++)
        world->marks[i].before_lsn = world->marks[i].last_lsn;
    return error;
}

void world_forget(struct world *world)
{
    world->saga_count = 0;
    world->record_count = 0;
    world->dead_count = 0;
}
