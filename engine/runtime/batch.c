#include "engine/runtime/batch.h"

#include <string.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/bus/envelope.h"

void batch_init(struct batch *batch)
{
    *batch = (struct batch){0};
    arena_init(&batch->arena, 65536);
}

void batch_fini(struct batch *batch)
{
    arena_fini(&batch->arena);
}

void batch_begin(struct batch *batch, int64_t now_us)
{
    struct arena arena = batch->arena;
    uint64_t number = batch->number + 1;
    arena_reset(&arena);
    *batch = (struct batch){.arena = arena, .number = number, .now_us = now_us};
}

void *batch_grow(struct batch *batch, void *array, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return array;
    uint32_t wider = *room == 0 ? 64 : *room * 2;
    void *moved = arena_array(&batch->arena, wider, size);
    if (count > 0)
        memcpy(moved, array, count * size);
    *room = wider;
    return moved;
}

uint32_t batch_touch(struct batch *batch, struct resident_entry *entry)
{
    if (entry->batch == batch->number)
        return entry->batch_index;
    batch->sagas =
        batch_grow(batch, batch->sagas, batch->saga_count, &batch->saga_room, sizeof *batch->sagas);
    entry->batch = batch->number;
    entry->batch_index = batch->saga_count;
    batch->sagas[batch->saga_count] = (struct batch_saga){.entry = entry};
    batch_shard(batch, id_shard(entry->id));
    return batch->saga_count++;
}

void batch_shard(struct batch *batch, uint32_t shard)
{
    for (uint32_t i = 0; i < batch->shard_count; i++)
        if (batch->shards[i] == shard)
            return;
    batch->shards =
        batch_grow(batch, batch->shards, batch->shard_count, &batch->shard_room, sizeof *batch->shards);
    batch->shards[batch->shard_count++] = shard;
}

void batch_finish(struct batch *batch, struct inbox_item *item, uint32_t saga,
                  const struct engine_answer *answer)
{
    check(item->finished_in != batch->number);
    item->finished_in = batch->number;
    batch->done = batch_grow(batch, batch->done, batch->done_count, &batch->done_room, sizeof *batch->done);
    batch->done[batch->done_count++] = (struct batch_done){.saga = saga, .item = item, .answer = *answer};
    if (saga != BATCH_NO_SAGA && item->task.kind != INBOX_WATCH)
        batch->sagas[saga].item_count++;
}

void batch_dead_letter(struct batch *batch, uint32_t row, uint32_t shard, const struct bus_delivery *delivery,
                       struct str saga, struct str reason)
{
    const struct bus_message *message = &delivery->message;
    struct id *with = row == BATCH_NO_SAGA ? NULL : arena_new(&batch->arena, struct id);
    if (with != NULL)
        *with = batch->sagas[row].entry->id;
    batch->dead = batch_grow(batch, batch->dead, batch->dead_count, &batch->dead_room, sizeof *batch->dead);
    batch->dead[batch->dead_count++] = (struct store_dead_letter){
        .at_us = batch->now_us,
        .shard = shard,
        .reason = reason,
        .subject = message->subject,
        .saga = saga,
        .command = bus_header(message, STR("Saga-Command")),
        .headers = envelope_headers_json(message, &batch->arena),
        .body = str_slice(message->body, 0, LIMITS_PAYLOAD_BYTES),
        /* A ticket names a request, not one of its answers. */
        .message = delivery->source == BUS_SOURCE_ANSWER ? STR("") : delivery->identity,
        .with = with,
    };
    batch->bytes += message->body.size;
    batch_shard(batch, shard);
}

bool batch_full(const struct batch *batch)
{
    return batch->bytes - batch->heavy_bytes > LIMITS_BATCH_BYTES || batch->steps > LIMITS_BATCH_STEPS ||
           batch->arena.used > LIMITS_BATCH_ARENA_BYTES;
}

bool batch_heavy_full(const struct batch *batch)
{
    return batch->heavy_bytes >= LIMITS_BATCH_HEAVY_BYTES;
}

bool batch_empty(const struct batch *batch)
{
    return batch->record_count == 0 && batch->dead_count == 0;
}
