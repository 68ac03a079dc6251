/* Batches in the memory store: fences, keys and rows checked, then all of it or nothing. Called through the
 * table of memory_store.c, with the world's lock held by it. Never keeps a pointer into the batch: what is
 * stored is copied. */
#include "engine/store/memory_world.h"

#include "engine/base/check.h"
#include "engine/base/json.h"

static bool is_text(struct str text)
{
    return str_is_utf8(text) && str_find(text, '\0') == text.size;
}

/* As PostgreSQL sees it: depth and size are no business of its. */
static bool is_json(struct str text, struct arena *scratch)
{
    const struct json *value;
    enum err error = json_parse(scratch, text, SIZE_MAX, &value, NULL);
    return error == ERR_OK || error == ERR_LIMIT;
}

static enum err check_fence(const struct memory_shard *found, const struct store_batch *batch,
                            const struct store_shard *mine, struct err_note *note)
{
    const struct store_shard *marks = &found->marks;
    if (marks->epoch < mine->epoch || (marks->epoch == mine->epoch && marks->last_lsn < mine->before_lsn))
        return err_note(note, ERR_CONFLICT, "the database has lost commits of shard %u", mine->shard);
    if (marks->epoch != mine->epoch || (batch->owner.size > 0 && !str_equal(found->owner, batch->owner)))
        return err_note(note, ERR_FENCED, "another engine owns shard %u", mine->shard);
    if (marks->last_lsn != mine->before_lsn || mine->last_lsn <= mine->before_lsn)
        return err_note(note, ERR_CONFLICT, "the batch does not follow last_lsn of its shards");
    return ERR_OK;
}

static enum err check_fences(const struct memory_store_world *world, const struct store_batch *batch,
                             struct err_note *note)
{
    enum err error = ERR_OK;
    for (uint32_t i = 0; i < batch->shard_count && error == ERR_OK; i++) {
        const struct store_shard *mine = &batch->shards[i];
        error = mine->shard < world->shard_count
                    ? check_fence(&world->shards[mine->shard], batch, mine, note)
                    : err_note(note, ERR_FENCED, "there is no shard %u", mine->shard);
    }
    return error;
}

/* keys: those of the batch so far. */
static enum err check_saga(const struct memory_store_world *world, const struct store_saga *saga,
                           struct map *keys, struct arena *scratch, struct err_note *note)
{
    const struct memory_saga *old = memory_world_find(world, &saga->id);
    bool texts = is_text(saga->definition) && is_text(saga->hash) && is_text(saga->status) &&
                 is_text(saga->waiting) && is_text(saga->reason_code) && is_text(saga->key);
    if (!texts || (saga->search.size > 0 && !is_json(saga->search, scratch)))
        return err_note(note, ERR_BAD_DATA, "a value of the saga's row is not valid text or JSON");
    if (saga->created && old)
        return err_note(note, ERR_BAD_DATA, "the saga exists already");
    if (!saga->created && (!old || old->row.seq != saga->before_seq))
        return err_note(note, ERR_BAD_DATA, "a saga of the batch has no row, or one of another seq");
    if (!saga->created || saga->key.size == 0)
        return ERR_OK;
    struct str key = memory_world_key(scratch, saga->definition, saga->key);
    if (map_get(&world->by_key, key) || map_set(keys, key, (void *)saga))
        return err_note(note, ERR_BAD_DATA, "the key %.*s is used already", STR_ARG(key));
    return ERR_OK;
}

static enum err check_record(const struct memory_store_world *world, const struct store_record *record,
                             struct arena *scratch, struct err_note *note)
{
    const struct memory_saga *saga = memory_world_find(world, &record->id);
    if (!is_text(record->kind) || !is_text(record->step) || !is_json(record->data, scratch))
        return err_note(note, ERR_BAD_DATA, "a value of a journal row is not valid text or JSON");
    for (uint32_t i = saga ? saga->record_count : 0; i-- > 0;)
        if (saga->records[i].seq == record->seq)
            return err_note(note, ERR_BAD_DATA, "the journal has this row already");
    return ERR_OK;
}

static enum err check_dead(const struct store_dead_letter *dead, struct arena *scratch, struct err_note *note)
{
    bool texts = is_text(dead->reason) && is_text(dead->subject) && is_text(dead->saga) &&
                 is_text(dead->command) && is_text(dead->message);
    if (!texts || !is_json(dead->headers, scratch))
        return err_note(note, ERR_BAD_DATA, "a value of a dead letter is not valid text or JSON");
    return ERR_OK;
}

static enum err check_rows(const struct memory_store_world *world, const struct store_batch *batch,
                           struct err_note *note)
{
    struct arena scratch;
    struct map keys;
    enum err error = ERR_OK;
    arena_init(&scratch, 0);
    map_init(&keys);
    for (uint32_t i = 0; error == ERR_OK && i < batch->saga_count; i++)
        error = check_saga(world, &batch->sagas[i], &keys, &scratch, note);
    for (uint32_t i = 0; error == ERR_OK && i < batch->record_count; i++)
        error = check_record(world, &batch->records[i], &scratch, note);
    for (uint32_t i = 0; error == ERR_OK && i < batch->dead_count; i++)
        error = check_dead(&batch->dead[i], &scratch, note);
    map_fini(&keys);
    arena_fini(&scratch);
    return error;
}

static enum err check_batch(const struct memory_store_world *world, const struct store_batch *batch,
                            struct err_note *note)
{
    enum err error = check_fences(world, batch, note);
    return error == ERR_OK ? check_rows(world, batch, note) : error;
}

static void put_saga(struct memory_store_world *world, const struct store_saga *saga)
{
    struct memory_saga *row = memory_world_find(world, &saga->id);
    if (saga->created) {
        row = arena_new(&world->arena, struct memory_saga);
        world->sagas =
            memory_world_grow(world->sagas, world->saga_count, &world->saga_room, sizeof *world->sagas);
        world->sagas[world->saga_count++] = row;
        memory_world_copy_saga(&world->arena, saga, &row->row);
        map_set(&world->by_id, (struct str){(const char *)row->row.id.bytes, sizeof row->row.id.bytes}, row);
        if (saga->key.size > 0)
            map_set(&world->by_key, memory_world_key(&world->arena, saga->definition, saga->key), row);
        return;
    }
    check(row);
    row->row.seq = saga->seq;
    row->row.updated_us = saga->updated_us;
    row->row.ended_us = saga->ended_us;
    row->row.wake_us = saga->wake_us;
    row->row.paused = saga->paused;
    row->row.status = arena_copy(&world->arena, saga->status);
    row->row.waiting = arena_copy(&world->arena, saga->waiting);
    row->row.reason_code = arena_copy(&world->arena, saga->reason_code);
}

static void put_record(struct memory_store_world *world, const struct store_record *record)
{
    struct store_record copy;
    struct memory_saga *saga = memory_world_find(world, &record->id);
    struct memory_shard *shard = &world->shards[record->shard];
    check(saga);
    memory_world_copy_record(&world->arena, record, &copy);
    saga->records = memory_world_grow(saga->records, saga->record_count, &saga->record_room, sizeof copy);
    saga->records[saga->record_count++] = copy;
    shard->records = memory_world_grow(shard->records, shard->record_count, &shard->record_room, sizeof copy);
    shard->records[shard->record_count++] = copy;
}

static void put_batch(struct memory_store_world *world, const struct store_batch *batch)
{
    for (uint32_t i = 0; i < batch->shard_count; i++) {
        struct store_shard *marks = &world->shards[batch->shards[i].shard].marks;
        marks->last_lsn = batch->shards[i].last_lsn;
        if (marks->published_lsn < batch->shards[i].published_lsn)
            marks->published_lsn = batch->shards[i].published_lsn;
    }
    for (uint32_t i = 0; i < batch->saga_count; i++)
        put_saga(world, &batch->sagas[i]);
    for (uint32_t i = 0; i < batch->record_count; i++)
        put_record(world, &batch->records[i]);
    memory_world_bury(world, batch);
}

static enum err append(struct memory_store *handle, const struct store_batch *batch, struct err_note *note)
{
    struct memory_store_world *world = handle->world;
    enum memory_store_fault fault = world->fault;
    world->fault = MEMORY_STORE_FINE;
    if (fault == MEMORY_STORE_REFUSED)
        return err_note(note, ERR_UNAVAILABLE, "the commit was refused, as asked for");
    handle->broken = fault == MEMORY_STORE_DROPPED || fault == MEMORY_STORE_LOST;
    if (fault == MEMORY_STORE_DROPPED)
        return err_note(note, ERR_UNKNOWN_OUTCOME, "the connection was dropped, as asked for");
    enum err error = check_batch(world, batch, note);
    if (error == ERR_OK)
        put_batch(world, batch);
    if (fault == MEMORY_STORE_LOST)
        return err_note(note, ERR_UNKNOWN_OUTCOME, "the answer was lost, as asked for");
    return error;
}

enum err memory_world_append_once(struct store *store, const struct store_batch *batch, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    error = append((struct memory_store *)store, batch, note);
    memory_world_leave(world);
    return error;
}

enum err memory_world_append_try(struct store *store, const struct store_batch *batch, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    error = check_batch(world, batch, note);
    memory_world_leave(world);
    return error;
}

enum err memory_world_committed(struct store *store, const struct store_batch *batch, bool *committed,
                                struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *committed = batch->shard_count > 0;
    for (uint32_t i = 0; error == ERR_OK && i < batch->shard_count; i++) {
        const struct store_shard *mine = &batch->shards[i];
        check(mine->shard < world->shard_count);
        const struct store_shard *found = &world->shards[mine->shard].marks;
        if (found->epoch < mine->epoch || (found->epoch == mine->epoch && found->last_lsn < mine->before_lsn))
            error = err_note(note, ERR_CONFLICT, "the database has lost commits of shard %u", mine->shard);
        else if (found->epoch != mine->epoch)
            error = err_note(note, ERR_FENCED, "another engine owns shard %u", mine->shard);
        *committed = *committed && found->last_lsn >= mine->last_lsn;
    }
    memory_world_leave(world);
    return error;
}
