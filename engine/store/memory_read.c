/* Reading the memory store: sagas, journals, keys, lists, dead letters, doctor. Called through the table of
 * memory_store.c. Gives copies in the caller's arena, never rows of the world. */
#include "engine/store/memory_world.h"

#include <stdlib.h>
#include <string.h>
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/store/store_filter.h"

enum err memory_world_open_sagas(struct store *store, uint32_t shard, struct arena *arena,
                                 struct store_open_saga **sagas, uint32_t *count, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *sagas = arena_array(arena, world->saga_count, sizeof **sagas);
    *count = 0;
    for (uint32_t i = 0; i < world->saga_count; i++) {
        const struct store_saga *row = &world->sagas[i]->row;
        if (row->shard == shard && row->ended_us == 0)
            (*sagas)[(*count)++] = (struct store_open_saga){
                .id = row->id, .wake_us = row->wake_us, .updated_us = row->updated_us};
    }
    memory_world_leave(world);
    return ERR_OK;
}

static int by_lsn(const void *a, const void *b)
{
    const struct store_record *left = a;
    const struct store_record *right = b;
    return (left->lsn > right->lsn) - (left->lsn < right->lsn);
}

enum err memory_world_unpublished(struct store *store, uint32_t shard, int64_t after_lsn, uint32_t most,
                                  struct arena *arena, struct store_record **records, uint32_t *count,
                                  struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *count = 0;
    *records = NULL;
    if (shard < world->shard_count) {
        const struct memory_shard *from = &world->shards[shard];
        *records = arena_array(arena, from->record_count, sizeof **records);
        for (uint32_t i = 0; i < from->record_count; i++)
            if (from->records[i].lsn > after_lsn)
                memory_world_copy_record(arena, &from->records[i], &(*records)[(*count)++]);
        if (*count > 0)
            qsort(*records, *count, sizeof **records, by_lsn);
        *count = *count < most ? *count : most;
    }
    memory_world_leave(world);
    return ERR_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct memory_saga *const *left = a;
    const struct memory_saga *const *right = b;
    return id_compare((*left)->row.id, (*right)->row.id);
}

/* The sagas with these ids, each once, in the order of their ids. */
static uint32_t pick(const struct memory_store_world *world, const struct id *ids, uint32_t id_count,
                     const struct memory_saga **picked)
{
    uint32_t count = 0;
    uint32_t unique = 0;
    for (uint32_t i = 0; i < id_count; i++) {
        picked[count] = memory_world_find(world, &ids[i]);
        count += picked[count] != NULL;
    }
    if (count > 0)
        qsort(picked, count, sizeof *picked, by_id);
    for (uint32_t i = 0; i < count; i++)
        if (unique == 0 || picked[unique - 1] != picked[i])
            picked[unique++] = picked[i];
    return unique;
}

enum err memory_world_load_many(struct store *store, const struct id *ids, uint32_t id_count,
                                struct arena *arena, struct store_saga **sagas, uint32_t *saga_count,
                                struct store_record **records, uint32_t *record_count, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    const struct memory_saga **picked = arena_array(arena, (size_t)id_count + 1, sizeof *picked);
    uint32_t total = 0;
    *saga_count = pick(world, ids, id_count, picked);
    for (uint32_t i = 0; i < *saga_count; i++)
        total += picked[i]->record_count;
    *sagas = arena_array(arena, *saga_count, sizeof **sagas);
    *records = arena_array(arena, total, sizeof **records);
    *record_count = 0;
    for (uint32_t i = 0; i < *saga_count; i++) {
        memory_world_copy_saga(arena, &picked[i]->row, &(*sagas)[i]);
        for (uint32_t k = 0; k < picked[i]->record_count; k++)
            memory_world_copy_record(arena, &picked[i]->records[k], &(*records)[(*record_count)++]);
    }
    memory_world_leave(world);
    return ERR_OK;
}

enum err memory_world_glance(struct store *store, const struct id *ids, uint32_t id_count,
                             struct arena *arena, struct store_glance **found, uint32_t *count,
                             struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    const struct memory_saga **picked = arena_array(arena, id_count, sizeof *picked);
    *count = pick(world, ids, id_count, picked);
    *found = arena_array(arena, *count, sizeof **found);
    for (uint32_t i = 0; i < *count; i++)
        (*found)[i] = (struct store_glance){.id = picked[i]->row.id,
                                            .seq = picked[i]->row.seq,
                                            .ended = picked[i]->row.ended_us != 0,
                                            .status = arena_copy(arena, picked[i]->row.status)};
    memory_world_leave(world);
    return ERR_OK;
}

enum err memory_world_find_keys(struct store *store, const struct str *definitions, const struct str *keys,
                                uint32_t count, struct arena *arena, struct store_keyed **found,
                                uint32_t *found_count, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *found = arena_array(arena, count, sizeof **found);
    *found_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct memory_saga *saga =
            map_get(&world->by_key, memory_world_key(arena, definitions[i], keys[i]));
        if (!saga || saga->record_count == 0)
            continue;
        (*found)[(*found_count)++] =
            (struct store_keyed){.id = saga->row.id,
                                 .definition = arena_copy(arena, definitions[i]),
                                 .key = arena_copy(arena, keys[i]),
                                 .status = arena_copy(arena, saga->row.status),
                                 .seq = saga->row.seq,
                                 .version = saga->row.version,
                                 .start_data = arena_copy(arena, saga->records[0].data)};
    }
    memory_world_leave(world);
    return ERR_OK;
}

static bool search_matches(const struct store_filter *filter, const struct store_saga *row,
                           struct arena *scratch)
{
    const struct json *search = NULL;
    if (filter->search_count == 0)
        return true;
    if (json_parse(scratch, row->search, SIZE_MAX, &search, NULL) != ERR_OK)
        return false;
    for (uint32_t i = 0; i < filter->search_count; i++)
        if (!store_filter_matches(json_get(search, filter->search_names[i]), filter->search_values[i],
                                  scratch))
            return false;
    return true;
}

static bool matches(const struct store_filter *filter, const struct store_saga *row, struct arena *scratch)
{
    return (filter->status.size == 0 || str_equal(filter->status, row->status)) &&
           (filter->definition.size == 0 || str_equal(filter->definition, row->definition)) &&
           (filter->key.size == 0 || str_equal(filter->key, row->key)) &&
           row->started_us >= filter->since_us &&
           (!filter->has_parent || (row->has_parent && id_equal(row->parent, filter->parent))) &&
           (!filter->has_cursor || id_compare(row->id, filter->cursor) < 0) &&
           search_matches(filter, row, scratch);
}

enum err memory_world_list(struct store *store, const struct store_filter *filter, struct arena *arena,
                           struct store_saga **sagas, uint32_t *count, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    struct memory_saga **sorted = arena_array(arena, world->saga_count, sizeof *sorted);
    if (world->saga_count > 0) {
        memcpy(sorted, world->sagas, world->saga_count * sizeof *sorted);
        qsort(sorted, world->saga_count, sizeof *sorted, by_id);
    }
    *sagas = arena_array(arena, filter->limit, sizeof **sagas);
    *count = 0;
    for (uint32_t i = world->saga_count; i-- > 0 && *count < filter->limit;)
        if (matches(filter, &sorted[i]->row, arena))
            memory_world_copy_saga(arena, &sorted[i]->row, &(*sagas)[(*count)++]);
    memory_world_leave(world);
    return ERR_OK;
}

enum err memory_world_dead_letters(struct store *store, struct str saga, int64_t before_number,
                                   uint32_t limit, struct arena *arena, struct store_dead_letter **letters,
                                   uint32_t *count, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *letters = arena_array(arena, limit, sizeof **letters);
    *count = 0;
    for (uint32_t i = world->dead_count; i-- > 0 && *count < limit;) {
        const struct store_dead_letter *row = &world->dead[i];
        if ((before_number != 0 && row->number >= before_number) ||
            (saga.size > 0 && !str_equal(saga, row->saga)))
            continue;
        struct store_dead_letter *copy = &(*letters)[(*count)++];
        *copy = *row;
        copy->reason = arena_copy(arena, row->reason);
        copy->subject = arena_copy(arena, row->subject);
        copy->saga = arena_copy(arena, row->saga);
        copy->command = arena_copy(arena, row->command);
        copy->headers = saga.size > 0 ? STR("{}") : arena_copy(arena, row->headers);
        copy->body = saga.size > 0 ? STR("") : arena_copy(arena, row->body);
        copy->message = arena_copy(arena, row->message);
    }
    memory_world_leave(world);
    return ERR_OK;
}

/* Why nothing will move the saga; "" when something will. */
static struct str problem_of(const struct memory_store_world *world, const struct store_saga *row)
{
    static const int64_t overdue_us = 300000000;
    const struct memory_shard *shard = &world->shards[row->shard];
    bool parked = str_equal(row->status, STR("parked"));
    bool owned = shard->owner.size > 0 && shard->lease_until_us >= world->now_us;
    bool overdue = row->wake_us != 0 && row->wake_us < world->now_us - overdue_us;
    if (row->ended_us != 0 || row->paused || (parked && row->reason_code.size > 0))
        return STR("");
    if (row->wake_us != 0 && owned)
        return overdue ? STR("its timer is overdue: the engine that owns its shard does not act on it")
                       : STR("");
    if (row->wake_us != 0)
        return STR("no engine owns its shard: its timer will not fire");
    return parked ? STR("parked without a reason")
                  : STR("not ended, and neither a timer, a command nor a human will move it");
}

static bool has_gap(const struct memory_saga *saga)
{
    return saga->row.ended_us == 0 &&
           (saga->record_count == 0 || saga->record_count != (uint64_t)saga->row.seq ||
            saga->records[saga->record_count - 1].seq != saga->row.seq);
}

static void put_stuck(struct store_stuck *stuck, uint32_t *count, struct arena *arena,
                      const struct store_saga *row, struct str problem)
{
    if (problem.size > 0 && *count < LIMITS_STORE_LIST)
        stuck[(*count)++] =
            (struct store_stuck){.id = row->id, .status = arena_copy(arena, row->status), .problem = problem};
}

enum err memory_world_doctor(struct store *store, struct arena *arena, struct store_stuck **stuck,
                             uint32_t *count, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *stuck = arena_array(arena, LIMITS_STORE_LIST, sizeof **stuck);
    *count = 0;
    for (uint32_t i = 0; i < world->saga_count; i++)
        put_stuck(*stuck, count, arena, &world->sagas[i]->row, problem_of(world, &world->sagas[i]->row));
    for (uint32_t i = 0; i < world->saga_count; i++)
        put_stuck(*stuck, count, arena, &world->sagas[i]->row,
                  has_gap(world->sagas[i]) ? STR("its journal cannot be read: records are missing")
                                           : STR(""));
    memory_world_leave(world);
    return ERR_OK;
}
