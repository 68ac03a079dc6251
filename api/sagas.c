/* GET /v1/sagas, GET /v1/sagas/{id}, GET /v1/sagas/{id}/history. */
#include "api/sagas.h"
#include <string.h>
#include "api/handlers.h"
#include "api/state.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/core/record.h"
#include "engine/core/view.h"
#include "engine/runtime/loader.h"

enum {
    LIST_DEFAULT = 50,
    LIST_MAX = 500, /* the store gives at most 1,000 and one more is asked for */
    HISTORY_DEFAULT = 200,
    HISTORY_MAX = 1000,
    HISTORY_BYTES = 8388608, /* of one page: 32 records of the largest payload */
};

/* One saga */

struct viewing {
    struct request *request;
    struct id id;
    struct str text;
    int64_t seq;
};

static enum err read_view(struct store *store, void *context, struct err_note *note)
{
    struct viewing *viewing = context;
    struct arena *arena = &viewing->request->arena;
    struct registry *registry = engine_registry(viewing->request->api->engine);
    struct arena scratch;
    struct core_saga saga;
    struct buf out;
    arena_init(&scratch, 0);
    buf_init(&out, arena);
    enum err error = loader_load(registry, store, viewing->id, arena, &scratch, &saga, NULL, note);
    if (error == ERR_OK) {
        view_json(&out, &saga);
        buf_char(&out, '\n');
        viewing->text = buf_str(&out);
        viewing->seq = saga.seq;
    }
    arena_fini(&scratch);
    return error;
}

enum err sagas_view(struct request *request, struct id id, struct str *text, int64_t *seq,
                    struct err_note *note)
{
    struct viewing viewing = {.request = request, .id = id};
    enum err error = readers_run(&request->api->readers, read_view, &viewing, note);
    *text = viewing.text;
    if (seq)
        *seq = viewing.seq;
    return error;
}

static void refuse_read(struct request *request, enum err error, const struct err_note *note)
{
    if (error == ERR_NOT_FOUND)
        request_refuse(request, PROBLEM_UNKNOWN_SAGA, "there is no saga %.*s",
                       STR_ARG(request->target.segments[2]));
    else
        request_refuse_err(request, error, note);
}

void handlers_get_saga(struct request *request)
{
    struct id id;
    struct str text;
    int64_t seq = 0;
    struct err_note note = {""};
    if (!request_saga_id(request, &id))
        return;
    enum err error = sagas_view(request, id, &text, &seq, &note);
    if (error != ERR_OK) {
        refuse_read(request, error, &note);
        return;
    }
    struct str tag = arena_printf(&request->arena, "\"%lld\"", (long long)seq);
    if (str_equal(guard_header(&request->head, STR("If-None-Match")), tag))
        request_answer(request, 304, STR("application/json"), STR(""));
    else
        request_answer_json(request, 200, text);
    request_add_header(request, STR("ETag"), tag);
    request_add_header(request, STR("Cache-Control"), STR("no-cache"));
}

/* Lists */

struct listing {
    struct request *request;
    struct store_filter filter;
    struct store_saga *sagas;
    uint32_t count;
    int64_t span_us; /* `since` as a time before now; 0: it is not */
};

static enum err read_list(struct store *store, void *context, struct err_note *note)
{
    struct listing *listing = context;
    if (listing->span_us) {
        int64_t now_us = 0;
        enum err error = store_now(store, &now_us, note);
        if (error != ERR_OK)
            return error;
        listing->filter.since_us = now_us > listing->span_us ? now_us - listing->span_us : 1;
    }
    return store_list(store, &listing->filter, &listing->request->arena, &listing->sagas, &listing->count,
                      note);
}

static bool read_since(struct request *request, struct listing *listing)
{
    const struct str *given = request_param(request, STR("since"));
    if (!given || duration_parse(*given, &listing->span_us))
        return true;
    struct str text = arena_copy(&request->arena, *given);
    size_t space = str_find(text, ' '); /* a + that was not percent-encoded: 2026-…T12:00:00+01:00 */
    if (space < text.size)
        memcpy((char *)(uintptr_t)text.data + space, "+", 1);
    if (duration_time_parse(text, &listing->filter.since_us) && listing->filter.since_us > 0)
        return true;
    request_refuse(request, PROBLEM_INVALID_PARAMETER,
                   "since must be a time (2026-11-21T12:00:00Z) or how long ago (90s, 1h, 7d)");
    return false;
}

static void read_search(struct request *request, struct store_filter *filter)
{
    struct str *names = arena_array(&request->arena, GUARD_PARAMS_MAX, sizeof *names);
    struct str *values = arena_array(&request->arena, GUARD_PARAMS_MAX, sizeof *values);
    for (uint32_t i = 0; i < request->target.param_count; i++) {
        struct guard_param param = request->target.params[i];
        if (!str_starts(param.name, STR("search.")))
            continue;
        names[filter->search_count] = str_slice(param.name, sizeof "search." - 1, param.name.size);
        values[filter->search_count++] = param.value;
    }
    filter->search_names = names;
    filter->search_values = values;
}

static bool read_status(struct request *request, struct store_filter *filter)
{
    enum core_status status;
    const struct str *text = request_param(request, STR("status"));
    if (!text)
        return true;
    filter->status = *text;
    if (core_status_parse(*text, &status))
        return true;
    request_refuse(request, PROBLEM_INVALID_PARAMETER,
                   "status must be running, compensating, parked, completed, compensated or terminated");
    return false;
}

static bool read_filter(struct request *request, struct listing *listing)
{
    int64_t limit = 0;
    struct store_filter *filter = &listing->filter;
    const struct str *definition = request_param(request, STR("definition"));
    const struct str *key = request_param(request, STR("key"));
    const struct str *cursor = request_param(request, STR("cursor"));
    if (!request_number(request, STR("limit"), 1, LIST_MAX, LIST_DEFAULT, &limit) ||
        !read_since(request, listing) || !read_status(request, filter))
        return false;
    filter->limit = (uint32_t)limit + 1; /* one more shows whether there is a next page */
    filter->definition = definition ? *definition : (struct str){NULL, 0};
    filter->key = key ? *key : (struct str){NULL, 0};
    read_search(request, filter);
    filter->has_cursor = cursor != NULL;
    if (!cursor || id_parse(*cursor, &filter->cursor))
        return true;
    request_refuse(request, PROBLEM_INVALID_PARAMETER, "cursor must be the `next` of an earlier page");
    return false;
}

static void put_text(struct buf *out, const char *name, struct str text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text.size)
        json_write_string(out, text);
    else
        buf_puts(out, "null");
}

static void put_time(struct buf *out, const char *name, int64_t time_us)
{
    put_text(out, name, time_us ? duration_time_text(out->arena, time_us) : (struct str){NULL, 0});
}

static void put_row(struct buf *out, const struct store_saga *saga)
{
    char id[ID_TEXT_SIZE + 1];
    id_format(saga->id, id);
    buf_printf(out, "{\"id\":\"%s\"", id);
    put_text(out, "definition", saga->definition);
    buf_printf(out, ",\"version\":%d", saga->version);
    put_text(out, "status", saga->status);
    buf_printf(out, ",\"paused\":%s,\"seq\":%lld", saga->paused ? "true" : "false", (long long)saga->seq);
    put_text(out, "waiting", saga->waiting);
    put_text(out, "reason", saga->reason_code);
    put_text(out, "key", saga->key);
    buf_puts(out, ",\"search\":");
    buf_put(out, saga->search.size ? saga->search : STR("{}"));
    put_time(out, "started_at", saga->started_us);
    put_time(out, "updated_at", saga->updated_us);
    put_time(out, "ended_at", saga->ended_us);
    buf_char(out, '}');
}

static struct str write_list(struct listing *listing)
{
    struct buf out;
    uint32_t most = listing->filter.limit - 1;
    uint32_t shown = listing->count > most ? most : listing->count;
    buf_init(&out, &listing->request->arena);
    buf_puts(&out, "{\"items\":[");
    for (uint32_t i = 0; i < shown; i++) {
        buf_puts(&out, i ? ",\n" : "\n");
        put_row(&out, &listing->sagas[i]);
    }
    buf_puts(&out, "],\"next\":");
    if (listing->count > most) {
        char id[ID_TEXT_SIZE + 1];
        id_format(listing->sagas[shown - 1].id, id);
        buf_printf(&out, "\"%s\"}\n", id);
    } else {
        buf_puts(&out, "null}\n");
    }
    return buf_str(&out);
}

void handlers_list_sagas(struct request *request)
{
    struct listing listing = {.request = request};
    struct err_note note = {""};
    if (!read_filter(request, &listing))
        return;
    enum err error = readers_run(&request->api->readers, read_list, &listing, &note);
    if (error != ERR_OK)
        request_refuse_err(request, error, &note);
    else
        request_answer_json(request, 200, write_list(&listing));
}

/* Histories */

struct telling {
    struct request *request;
    struct id id;
    struct store_saga row;
    struct store_record *records;
    uint32_t count;
    int64_t after;
    int64_t limit;
};

static enum err read_records(struct store *store, void *context, struct err_note *note)
{
    struct telling *telling = context;
    enum err error = store_load(store, telling->id, &telling->request->arena, &telling->row,
                                &telling->records, &telling->count, note);
    struct registry *registry = engine_registry(telling->request->api->engine);
    if (error == ERR_OK && !registry_by_hash(registry, telling->row.hash)) {
        error = registry_refresh(registry, store, note);
        error = error == ERR_INVALID ? ERR_OK : error; /* then its records are told without words */
    }
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
    put_time(out, "at", row->at_us);
    put_text(out, "kind", row->kind);
    put_text(out, "step", row->step);
    buf_printf(out, ",\"attempt\":%u,\"data\":", row->attempt);
    buf_put(out, row->data); /* JSON as it was stored */
    put_narration(out, narration);
    buf_char(out, '}');
}

/* What the record says in words; the saga moves on by it. A record that does not fold (a damaged journal)
 * ends the words, not the listing: *plan becomes NULL. */
static struct str narrate(const struct plan **plan, struct core_saga *saga, const struct store_record *row,
                          struct arena *arena)
{
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
    if (error == ERR_OK)
        record_narrate(&text, saga, &record);
    else
        buf_printf(&text, "this record cannot be read: %s", note.text);
    if (error != ERR_OK)
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
    for (; i < telling->count && shown < telling->limit && out.size < HISTORY_BYTES; i++) {
        const struct store_record *row = &telling->records[i];
        struct str words = narrate(&plan, &saga, row, arena);
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
        refuse_read(request, error, &note);
    else
        request_answer_json(request, 200, write_history(&telling));
}
