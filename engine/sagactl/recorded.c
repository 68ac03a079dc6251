#include "engine/sagactl/recorded.h"

#include <inttypes.h>
#include "engine/base/json.h"
#include "engine/definition/definition.h"

static void text(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, ",\"%s\":", name);
    json_write_string(out, value);
}

static void number(struct buf *out, const char *name, int64_t value)
{
    buf_printf(out, ",\"%s\":%" PRId64, name, value);
}

static void write_saga(struct buf *out, const struct store_saga *saga)
{
    char id[ID_TEXT_SIZE + 1];
    id_format(saga->id, id);
    buf_printf(out, "{\"id\":\"%s\"", id);
    text(out, "definition", saga->definition);
    number(out, "version", saga->version);
    text(out, "hash", saga->hash);
    text(out, "status", saga->status);
    buf_printf(out, ",\"paused\":%s", saga->paused ? "true" : "false");
    number(out, "seq", saga->seq);
    text(out, "waiting", saga->waiting);
    text(out, "reason_code", saga->reason_code);
    text(out, "key", saga->key);
    number(out, "started_at", saga->started_us);
    number(out, "updated_at", saga->updated_us);
    number(out, "ended_at", saga->ended_us);
    number(out, "wake_at", saga->wake_us);
    if (saga->has_parent) {
        char parent[ID_TEXT_SIZE + 1];
        id_format(saga->parent, parent);
        text(out, "parent", str_from(parent));
    }
    buf_printf(out, ",\"search\":%.*s}", STR_ARG(saga->search));
}

void recorded_write(struct buf *out, const struct recorded *recorded)
{
    buf_puts(out, "{\"saga\":");
    write_saga(out, &recorded->saga);
    text(out, "bundle", recorded->plan->bundle);
    buf_puts(out, ",\"journal\":[");
    for (uint32_t i = 0; i < recorded->count; i++) {
        const struct store_record *record = &recorded->records[i];
        buf_printf(out, "%s{\"seq\":%" PRId64, i > 0 ? "," : "", record->seq);
        number(out, "at", record->at_us);
        text(out, "kind", record->kind);
        text(out, "step", record->step);
        number(out, "attempt", record->attempt);
        buf_printf(out, ",\"data\":%.*s}", STR_ARG(record->data));
    }
    buf_puts(out, "]}\n");
}

static bool read_saga(const struct json *from, struct arena *arena, struct store_saga *saga)
{
    int64_t version = 0;
    const struct json *paused = json_get(from, STR("paused"));
    const struct json *search = json_get(from, STR("search"));
    bool fine = id_parse(json_get_str(from, STR("id")), &saga->id) &&
                json_get_i64(from, STR("version"), &version) && json_get_i64(from, STR("seq"), &saga->seq) &&
                json_get_i64(from, STR("started_at"), &saga->started_us) &&
                json_get_i64(from, STR("updated_at"), &saga->updated_us) &&
                json_get_i64(from, STR("ended_at"), &saga->ended_us) &&
                json_get_i64(from, STR("wake_at"), &saga->wake_us) && paused != NULL && search != NULL;
    if (!fine)
        return false;
    saga->has_parent = json_get(from, STR("parent")) != NULL;
    if (saga->has_parent && !id_parse(json_get_str(from, STR("parent")), &saga->parent))
        return false;
    saga->version = (int32_t)version;
    saga->paused = paused->boolean;
    saga->definition = json_get_str(from, STR("definition"));
    saga->hash = json_get_str(from, STR("hash"));
    saga->status = json_get_str(from, STR("status"));
    saga->waiting = json_get_str(from, STR("waiting"));
    saga->reason_code = json_get_str(from, STR("reason_code"));
    saga->key = json_get_str(from, STR("key"));
    saga->search = json_text(arena, search);
    return true;
}

static bool read_record(const struct json *from, struct arena *arena, struct store_record *record)
{
    int64_t attempt = 0;
    const struct json *data = json_get(from, STR("data"));
    bool fine = json_get_i64(from, STR("seq"), &record->seq) &&
                json_get_i64(from, STR("at"), &record->at_us) &&
                json_get_i64(from, STR("attempt"), &attempt) && attempt >= 0 && data != NULL;
    if (!fine)
        return false;
    record->attempt = (uint32_t)attempt;
    record->kind = json_get_str(from, STR("kind"));
    record->step = json_get_str(from, STR("step"));
    record->data = json_text(arena, data);
    return true;
}

enum err recorded_read(struct str line, struct arena *arena, struct recorded *recorded, struct err_note *note)
{
    const struct json *value = NULL;
    struct diag_list diags;
    enum err error = json_parse(arena, line, SIZE_MAX, &value, note);
    if (error != ERR_OK)
        return error;
    const struct json *journal = json_get(value, STR("journal"));
    *recorded = (struct recorded){0};
    if (!read_saga(json_get(value, STR("saga")), arena, &recorded->saga) || journal == NULL ||
        journal->kind != JSON_ARRAY)
        return err_note(note, ERR_INVALID,
                        "not a line of replay --export: \"saga\" or \"journal\" is missing or incomplete");
    diag_init(&diags, arena, recorded->saga.definition, (struct str){0});
    recorded->plan = definition_load_bundle(arena, json_get_str(value, STR("bundle")), &diags);
    if (recorded->plan == NULL)
        return err_note(note, ERR_INVALID, "its definition does not load: %.*s",
                        diags.count > 0 ? (int)diags.items[0].message.size : 0,
                        diags.count > 0 ? diags.items[0].message.data : "");
    recorded->count = journal->count;
    recorded->records = arena_array(arena, journal->count, sizeof *recorded->records);
    for (uint32_t i = 0; i < journal->count; i++)
        if (!read_record(journal->items[i], arena, &recorded->records[i]))
            return err_note(note, ERR_INVALID, "record %u of the journal is incomplete", i + 1);
    return ERR_OK;
}
