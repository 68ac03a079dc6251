/* The seam: each call goes to the implementation's table; bounds of lists are checked here. Called by
 * runtime, api and tools. Never knows which store it is. */
#include "engine/store/store.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"

enum err store_reconnect(struct store *store, struct err_note *note)
{
    return store->ops->reconnect(store, note);
}

enum err store_now(struct store *store, int64_t *now_us, struct err_note *note)
{
    return store->ops->now(store, now_us, note);
}

enum err store_engine_key(struct store *store, struct arena *arena, struct str *key, struct err_note *note)
{
    return store->ops->engine_key(store, arena, key, note);
}

enum err store_shard_count(struct store *store, uint32_t *count, struct err_note *note)
{
    return store->ops->shard_count(store, count, note);
}

enum err store_enter(struct store *store, const struct store_instance *instance, int64_t lease_us,
                     int64_t bus_us, struct store_standing *standing, struct err_note *note)
{
    *standing = (struct store_standing){0};
    return store->ops->enter(store, instance, lease_us, bus_us, standing, note);
}

enum err store_leave(struct store *store, const struct store_instance *instance, struct err_note *note)
{
    return store->ops->leave(store, instance, note);
}

enum err store_claim(struct store *store, struct str instance, int64_t lease_us, uint32_t most,
                     struct arena *arena, struct store_shard **shards, uint32_t *count, struct err_note *note)
{
    return store->ops->claim(store, instance, lease_us, most, arena, shards, count, note);
}

enum err store_renew(struct store *store, struct str instance, int64_t lease_us,
                     const struct store_shard *shards, uint32_t count, bool *kept, struct store_shard *found,
                     int64_t *now_us, struct err_note *note)
{
    return store->ops->renew(store, instance, lease_us, shards, count, kept, found, now_us, note);
}

enum err store_release(struct store *store, const struct store_shard *shards, uint32_t count,
                       struct err_note *note)
{
    return store->ops->release(store, shards, count, note);
}

enum err store_committed(struct store *store, const struct store_batch *batch, bool *committed,
                         struct err_note *note)
{
    return store->ops->committed(store, batch, committed, note);
}

enum err store_open_sagas(struct store *store, uint32_t shard, struct arena *arena,
                          struct store_open_saga **sagas, uint32_t *count, struct err_note *note)
{
    return store->ops->open_sagas(store, shard, arena, sagas, count, note);
}

enum err store_unpublished(struct store *store, uint32_t shard, int64_t after_lsn, uint32_t most,
                           struct arena *arena, struct store_record **records, uint32_t *count,
                           struct err_note *note)
{
    return store->ops->unpublished(store, shard, after_lsn, most, arena, records, count, note);
}

enum err store_load(struct store *store, struct id id, struct arena *arena, struct store_saga *saga,
                    struct store_record **records, uint32_t *count, struct err_note *note)
{
    struct store_saga *found = NULL;
    uint32_t found_count = 0;
    char text[ID_TEXT_SIZE + 1];
    enum err error = store_load_many(store, &id, 1, arena, &found, &found_count, records, count, note);
    if (error != ERR_OK)
        return error;
    id_format(id, text);
    if (found_count == 0)
        return err_note(note, ERR_NOT_FOUND, "there is no saga %s", text);
    *saga = *found;
    return ERR_OK;
}

enum err store_load_many(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                         struct store_saga **sagas, uint32_t *saga_count, struct store_record **records,
                         uint32_t *record_count, struct err_note *note)
{
    return store->ops->load_many(store, ids, id_count, arena, sagas, saga_count, records, record_count, note);
}

enum err store_find_keys(struct store *store, const struct str *definitions, const struct str *keys,
                         uint32_t count, struct arena *arena, struct store_keyed **found,
                         uint32_t *found_count, struct err_note *note)
{
    return store->ops->find_keys(store, definitions, keys, count, arena, found, found_count, note);
}

enum err store_glance(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                      struct store_glance **found, uint32_t *count, struct err_note *note)
{
    check(id_count <= LIMITS_STORE_LIST);
    return store->ops->glance(store, ids, id_count, arena, found, count, note);
}

enum err store_list(struct store *store, const struct store_filter *filter, struct arena *arena,
                    struct store_saga **sagas, uint32_t *count, struct err_note *note)
{
    check(filter->limit >= 1 && filter->limit <= LIMITS_STORE_LIST);
    return store->ops->list(store, filter, arena, sagas, count, note);
}

enum err store_dead_letters(struct store *store, struct str saga, int64_t before_number, uint32_t limit,
                            struct arena *arena, struct store_dead_letter **letters, uint32_t *count,
                            struct err_note *note)
{
    check(limit >= 1 && limit <= LIMITS_STORE_LIST);
    return store->ops->dead_letters(store, saga, before_number, limit, arena, letters, count, note);
}

enum err store_forget_dead(struct store *store, int64_t before_us, uint32_t most, uint32_t *gone,
                           struct err_note *note)
{
    return store->ops->forget_dead(store, before_us, most, gone, note);
}

enum err store_definition_put(struct store *store, const struct store_definition *definition,
                              struct err_note *note)
{
    return store->ops->definition_put(store, definition, note);
}

enum err store_definition_enable(struct store *store, struct str name, int32_t version, bool enabled,
                                 struct err_note *note)
{
    return store->ops->definition_enable(store, name, version, enabled, note);
}

enum err store_definition_delete(struct store *store, struct str name, int32_t version, struct err_note *note)
{
    return store->ops->definition_delete(store, name, version, note);
}

enum err store_deleted(struct str name, int32_t version, struct str outcome, struct err_note *note)
{
    static const struct {
        const char *outcome;
        enum err error;
        const char *sentence;
    } meanings[] = {
        {"missing", ERR_NOT_FOUND, "there is no definition %.*s version %d"},
        {"enabled", ERR_CONFLICT, "%.*s version %d is enabled: disable it first"},
        {"fresh", ERR_CONFLICT,
         "%.*s version %d was disabled less than a minute ago, and not every engine may know; try again"},
        {"used", ERR_CONFLICT, "%.*s version %d was used by sagas, which need it to be read"},
    };
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (str_equal(outcome, str_from(meanings[i].outcome)))
            return err_note(note, meanings[i].error, meanings[i].sentence, STR_ARG(name), version);
    return ERR_OK;
}

enum err store_definition_get(struct store *store, struct str name, int32_t version, struct arena *arena,
                              struct store_definition *definition, struct err_note *note)
{
    return store->ops->definition_get(store, name, version, arena, definition, note);
}

enum err store_definitions(struct store *store, struct str name, struct arena *arena,
                           struct store_definition **definitions, uint32_t *count, struct err_note *note)
{
    return store->ops->definitions(store, name, arena, definitions, count, note);
}

enum err store_doctor(struct store *store, struct arena *arena, struct store_stuck **stuck, uint32_t *count,
                      struct err_note *note)
{
    return store->ops->doctor(store, arena, stuck, count, note);
}

enum err store_suspect(struct store *store, struct str message, struct str hand, uint32_t *hands,
                       struct err_note *note)
{
    return store->ops->suspect(store, message, hand, hands, note);
}

enum err store_suspect_clear(struct store *store, struct str message, struct err_note *note)
{
    return store->ops->suspect_clear(store, message, note);
}

enum err store_probe(struct store *store, struct err_note *note)
{
    return store->ops->probe(store, note);
}

void store_close(struct store *store)
{
    if (store)
        store->ops->close(store);
}
