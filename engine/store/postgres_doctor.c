/* The question of `sagactl doctor`: who waits for nothing (L2). Called through the table of postgres.c. Reads
 * only, and at most so many rows. */
#include "engine/store/postgres_ops.h"

#include "engine/base/limits.h"

static const struct pq_wire_column columns[] = {{PQ_WIRE_ID, offsetof(struct store_stuck, id)},
                                                {PQ_WIRE_TEXT, offsetof(struct store_stuck, status)},
                                                {PQ_WIRE_TEXT, offsetof(struct store_stuck, problem)}};

/* Open sagas of one shard whose journal has a gap: each is a statement of its own, so that none takes long.
 */
static enum err add_gaps(struct store *store, uint32_t shard, struct arena *arena, struct store_stuck *stuck,
                         uint32_t *count, struct err_note *note)
{
    struct pq_wire_params params;
    const uint32_t room = LIMITS_STORE_LIST - *count;
    uint32_t found = 0;
    void *rows = NULL;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_INT4, &shard);
    pq_wire_put(&params, PQ_WIRE_INT4, &room);
    enum err error = postgres_rows(store, PQ_QUERY_ID_DOCTOR_GAPS, &params, POSTGRES_COLUMNS(columns),
                                   sizeof *stuck, arena, &rows, &found, note);
    for (uint32_t i = 0; error == ERR_OK && i < found; i++)
        stuck[(*count)++] = ((const struct store_stuck *)rows)[i];
    return error;
}

enum err postgres_doctor(struct store *store, struct arena *arena, struct store_stuck **stuck,
                         uint32_t *count, struct err_note *note)
{
    void *rows = NULL;
    uint32_t shards = 0, found = 0;
    *count = 0;
    *stuck = arena_array(arena, LIMITS_STORE_LIST, sizeof **stuck);
    enum err error = postgres_shard_count(store, &shards, note);
    if (error == ERR_OK)
        error = postgres_rows(store, PQ_QUERY_ID_DOCTOR, NULL, POSTGRES_COLUMNS(columns), sizeof **stuck,
                              arena, &rows, &found, note);
    for (uint32_t i = 0; error == ERR_OK && i < found; i++)
        (*stuck)[(*count)++] = ((const struct store_stuck *)rows)[i];
    for (uint32_t shard = 0; error == ERR_OK && shard < shards && *count < LIMITS_STORE_LIST; shard++)
        error = add_gaps(store, shard, arena, *stuck, count, note);
    return error;
}
