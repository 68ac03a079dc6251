/* GET /v1/sagas/{id}/history: the records of a saga in words, by pages. Called by route.c on a reader's
 * thread. Reads only, and no more than LIMITS_HTTP_PAGE_BYTES at once. */
#include "api/handlers.h"
#include "api/letters.h"
#include "api/members.h"
#include "api/sagas.h"
#include "api/state.h"
#include "engine/base/limits.h"
#include "engine/core/record.h"

enum {
    HISTORY_DEFAULT = 200,
    HISTORY_MAX = 1000,
};

struct telling {
    struct request *request;
    struct id id;
    struct store_saga row;
    struct store_record *records;
    uint32_t count;
    struct letters letters;
    int64_t after;
    int64_t limit;
};

static enum err read_records(struct store *store, void *context, struct err_note *note)
{
    struct telling *telling = context;
    enum err error = store_load(store, telling->id, &telling->request->arena, &telling->row,
                                &telling->records, &telling->count, note);
    struct registry *registry = engine_registry(telling->request->api->engine);
    if (error == ERR_OK && !registry_by_hash(registry, telling->row.hash)) { /* else told without words */
        error = registry_learn(registry, store, telling->row.definition, note);
    }
    if (error == ERR_OK)
        error = letters_read(store, telling->id, &telling->request->arena, &telling->letters, note);
    return error;
}

static void put_narration(struct buf *out, struct str text)
{
    bool first = true;
    buf_puts(out, ",\"narration\":[");
    for (size_t begin = 0; begin < text.size;) {
        size_t size = str_find(str_slice(text, begin, text.size), '\n');
        struct str line = str_slice(text, begin, begin + size);
        if (line.size) {
            buf_puts(out, first ? "" : ",");
            json_write_string(out, line);
            first = false;
        }
        begin += size + 1;
    }
    buf_char(out, ']');
}

static void put_record(struct buf *out, const struct store_record *row, struct str narration)
{
    buf_printf(out, "{\"seq\":%lld", (long long)row->seq);
    members_time(out, "at", row->at_us);
    members_text(out, "kind", row->kind);
    members_text(out, "step", row->step);
    buf_printf(out, ",\"attempt\":%u,\"data\":", row->attempt);
    buf_put(out, row->data); /* JSON as it was stored */
    put_narration(out, narration);
    buf_char(out, '}');
}

/* What the record says in words; the saga moves on by it. A record that does not fold (a damaged journal)
 * ends the words, not the listing: *plan becomes NULL. */
static struct str narrate(const struct telling *telling, const struct plan **plan, struct core_saga *saga,
                          const struct store_record *row)
{
    struct arena *arena = &telling->request->arena;
    struct core_record record;
    struct buf text;
    struct err_note note = {""};
    if (!*plan)
        return (struct str){NULL, 0};
    buf_init(&text, arena);
    enum err error = record_read(saga, row->seq, row->at_us, row->kind, row->step, row->attempt, row->data,
                                 arena, &record, &note);
    if (error == ERR_OK)
        error = core_fold(saga, &record, &note);
    if (error == ERR_OK) {
        letters_number_record(&telling->letters, saga, &record, arena);
        record_narrate(&text, saga, &record);
        return buf_str(&text);
    }
    buf_printf(&text, "this record cannot be read: %s", note.text);
    *plan = NULL;
    return buf_str(&text);
}

static struct str write_history(struct telling *telling)
{
    struct arena *arena = &telling->request->arena;
    const struct plan *plan =
        registry_by_hash(engine_registry(telling->request->api->engine), telling->row.hash);
    struct core_saga saga;
    struct buf out;
    char id[ID_TEXT_SIZE + 1];
    id_format(telling->id, id);
    if (plan)
        core_init(&saga, plan, telling->id, arena);
    buf_init(&out, arena);
    buf_printf(&out, "{\"id\":\"%s\",\"items\":[", id);
    int64_t shown = 0;
    uint32_t i = 0;
    for (; i < telling->count && shown < telling->limit && out.size < LIMITS_HTTP_PAGE_BYTES; i++) {
        const struct store_record *row = &telling->records[i];
        struct str words = narrate(telling, &plan, &saga, row);
        if (row->seq <= telling->after)
            continue;
        buf_puts(&out, shown++ ? ",\n" : "\n");
        put_record(&out, row, words);
    }
    if (i < telling->count)
        buf_printf(&out, "],\"next\":%lld}\n", (long long)telling->records[i - 1].seq);
    else
        buf_puts(&out, "],\"next\":null}\n");
    return buf_str(&out);
}

void handlers_get_history(struct request *request)
{
    struct telling telling = {.request = request};
    struct err_note note = {""};
    if (!request_saga_id(request, &telling.id) ||
        !request_number(request, STR("after"), 0, INT64_MAX, 0, &telling.after) ||
        !request_number(request, STR("limit"), 1, HISTORY_MAX, HISTORY_DEFAULT, &telling.limit))
        return;
    enum err error = readers_run(&request->api->readers, read_records, &telling, &note);
    if (error != ERR_OK)
        sagas_refuse(request, error, &note);
    else
        request_answer_json(request, 200, write_history(&telling));
}
