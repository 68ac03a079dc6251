#include "engine/runtime/loader.h"

#include "engine/base/check.h"
#include "engine/core/record.h"
#include "engine/core/view.h"

static const struct plan *plan_of(struct registry *registry, struct store *store, struct str definition,
                                  struct str hash, struct err_note *note)
{
    const struct plan *plan = registry_by_hash(registry, hash);
    if (plan == NULL && registry_learn(registry, store, definition, note) == ERR_OK)
        plan = registry_by_hash(registry, hash);
    return plan;
}

enum err loader_load(struct registry *registry, struct store *store, struct id id, struct arena *arena,
                     struct arena *scratch, struct core_saga *saga, struct store_saga *row,
                     struct err_note *note)
{
    struct store_saga found = {0};
    struct store_record *records = NULL;
    uint32_t count = 0;
    enum err error = store_load(store, id, scratch, &found, &records, &count, note);
    if (error != ERR_OK)
        return error;
    const struct plan *plan = plan_of(registry, store, found.definition, found.hash, note);
    if (plan == NULL)
        return err_note(note, ERR_INVALID, "definition %.*s version %d (%.*s) is not loaded here",
                        STR_ARG(found.definition), found.version, STR_ARG(found.hash));
    if (row != NULL)
        *row = found;
    return loader_fold(plan, id, records, count, arena, scratch, saga, note);
}

enum err loader_fold(const struct plan *plan, struct id id, const struct store_record *records,
                     uint32_t count, struct arena *arena, struct arena *scratch, struct core_saga *saga,
                     struct err_note *note)
{
    core_init(saga, plan, id, arena);
    for (uint32_t i = 0; i < count; i++) {
        const struct store_record *row = &records[i];
        struct core_record record;
        enum err error = record_read(saga, row->seq, row->at_us, row->kind, row->step, row->attempt,
                                     row->data, scratch, &record, note);
        if (error == ERR_OK)
            error = core_fold(saga, &record, note);
        if (error != ERR_OK)
            return error;
    }
    return ERR_OK;
}

void loader_row(const struct core_saga *saga, struct arena *scratch, struct store_saga *row)
{
    struct buf waiting;
    buf_init(&waiting, scratch);
    view_waiting(&waiting, saga);
    int64_t wake = core_wake(saga);
    *row = (struct store_saga){
        .id = saga->id,
        .shard = id_shard(saga->id),
        .definition = saga->plan->name,
        .version = saga->plan->version,
        .hash = str_from(saga->plan->hash),
        .status = core_status_text(saga->status),
        .paused = saga->paused,
        .seq = saga->seq,
        .waiting = buf_str(&waiting),
        .reason_code = saga->park_code.size > 0 ? saga->park_code : saga->cause_code,
        .key = saga->key,
        .has_parent = saga->has_parent,
        .parent = saga->parent,
        .search = saga->search == NULL ? STR("{}") : json_text(scratch, saga->search),
        .started_us = saga->started_us,
        .updated_us = saga->updated_us,
        .ended_us = saga->ended_us,
        .wake_us = wake == INT64_MAX ? 0 : wake,
    };
}
