/* The parts of the PostgreSQL store: the functions behind store_ops (store.h has their contracts), by file.
 * Errors as store.h has them. */
#pragma once
#include "engine/store/pq_session.h"
#include "engine/store/store.h"

struct postgres {
    struct store store; /* first: a struct store * is a struct postgres * */
    struct pq_session session;
};

static inline struct postgres *postgres_of(struct store *store)
{
    return (struct postgres *)store;
}
#define POSTGRES_COLUMNS(columns) (columns), sizeof(columns) / sizeof *(columns)

/* postgres_append.c */
enum err postgres_append_once(struct store *store, const struct store_batch *batch, struct err_note *note);
enum err postgres_append_try(struct store *store, const struct store_batch *batch, struct err_note *note);
enum err postgres_committed(struct store *store, const struct store_batch *batch, bool *committed,
                            struct err_note *note);
/* postgres_shards.c */
enum err postgres_now(struct store *store, int64_t *now_us, struct err_note *note);
enum err postgres_shard_count(struct store *store, uint32_t *count, struct err_note *note);
enum err postgres_engine_key(struct store *store, struct arena *arena, struct str *key,
                             struct err_note *note);
enum err postgres_claim(struct store *store, struct str instance, int64_t lease_us, uint32_t most,
                        struct arena *arena, struct store_shard **shards, uint32_t *count,
                        struct err_note *note);
enum err postgres_renew(struct store *store, struct str instance, int64_t lease_us,
                        const struct store_shard *shards, uint32_t count, bool *kept,
                        struct store_shard *found, int64_t *now_us, struct err_note *note);
enum err postgres_release(struct store *store, const struct store_shard *shards, uint32_t count,
                          struct err_note *note);
enum err postgres_probe(struct store *store, struct err_note *note);
/* postgres_instances.c */
enum err postgres_enter(struct store *store, const struct store_instance *instance, int64_t lease_us,
                        int64_t bus_us, struct store_standing *standing, struct err_note *note);
enum err postgres_leave(struct store *store, const struct store_instance *instance, struct err_note *note);
/* postgres_read.c */
enum err postgres_open_sagas(struct store *store, uint32_t shard, struct arena *arena,
                             struct store_open_saga **sagas, uint32_t *count, struct err_note *note);
enum err postgres_unpublished(struct store *store, uint32_t shard, int64_t after_lsn, uint32_t most,
                              struct arena *arena, struct store_record **records, uint32_t *count,
                              struct err_note *note);
enum err postgres_load_many(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                            struct store_saga **sagas, uint32_t *saga_count, struct store_record **records,
                            uint32_t *record_count, struct err_note *note);
enum err postgres_find_keys(struct store *store, const struct str *definitions, const struct str *keys,
                            uint32_t count, struct arena *arena, struct store_keyed **found,
                            uint32_t *found_count, struct err_note *note);
enum err postgres_glance(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                         struct store_glance **found, uint32_t *count, struct err_note *note);
/* postgres_list.c */
enum err postgres_list(struct store *store, const struct store_filter *filter, struct arena *arena,
                       struct store_saga **sagas, uint32_t *count, struct err_note *note);
enum err postgres_dead_letters(struct store *store, struct str saga, int64_t before_number, uint32_t limit,
                               struct arena *arena, struct store_dead_letter **letters, uint32_t *count,
                               struct err_note *note);
enum err postgres_forget_dead(struct store *store, int64_t before_us, uint32_t most, uint32_t *gone,
                              struct err_note *note);
enum err postgres_doctor(struct store *store, struct arena *arena, struct store_stuck **stuck,
                         uint32_t *count, struct err_note *note);
enum err postgres_suspect(struct store *store, struct str message, struct str hand, uint32_t *hands,
                          struct err_note *note);
enum err postgres_suspect_clear(struct store *store, struct str message, struct err_note *note);
enum err postgres_definition_put(struct store *store, const struct store_definition *definition,
                                 struct err_note *note);
enum err postgres_definition_enable(struct store *store, struct str name, int32_t version, bool enabled,
                                    struct err_note *note);
enum err postgres_definition_delete(struct store *store, struct str name, int32_t version,
                                    struct err_note *note);
enum err postgres_definition_get(struct store *store, struct str name, int32_t version, struct arena *arena,
                                 struct store_definition *definition, struct err_note *note);
enum err postgres_definitions(struct store *store, struct str name, struct arena *arena,
                              struct store_definition **definitions, uint32_t *count, struct err_note *note);
/* The columns of saga in the order of the statements that read it, and of saga_journal. */
enum { POSTGRES_SAGA_COLUMNS = 17, POSTGRES_RECORD_COLUMNS = 9 };
extern const struct pq_wire_column postgres_saga_columns[POSTGRES_SAGA_COLUMNS];
extern const struct pq_wire_column postgres_record_columns[POSTGRES_RECORD_COLUMNS];
/* One statement whose rows become an array of structs. */
enum err postgres_rows(struct store *store, enum pq_query query, const struct pq_wire_params *params,
                       const struct pq_wire_column *columns, size_t column_count, size_t stride,
                       struct arena *arena, void **rows, uint32_t *count, struct err_note *note)
    __attribute__((warn_unused_result));
/* Empties the session's scratch and starts parameters in it. */
void postgres_params(struct store *store, struct pq_wire_params *params);
