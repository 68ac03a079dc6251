/* GET /v1/sagas and GET /v1/sagas/{id}: lists by pages and filters, and one saga whole. Called by route.c on
 * a reader's thread. Reads committed rows only, never an engine's memory. */
#include "api/handlers.h"
#include <string.h>
#include "api/members.h"
#include "api/sagas.h"
#include "api/state.h"
#include "engine/base/duration.h"

enum {
    LIST_DEFAULT = 50,
    LIST_MAX = 500, /* the store gives at most 1,000 and one more is asked for */
};

void handlers_get_saga(struct request *request)
{
    struct id id;
    struct str text, tag = {0};
    struct err_note note = {""};
    if (!request_saga_id(request, &id))
        return;
    enum err error = sagas_view(request, id, &text, &tag, &note);
    if (error != ERR_OK) {
        sagas_refuse(request, error, &note);
        return;
    }
    if (str_equal(guard_header(&request->head, STR("If-None-Match")), tag))
        request_answer(request, 304, STR("application/json"), STR(""));
    else
        request_answer_json(request, 200, text);
    request_add_header(request, STR("ETag"), tag);
    request_add_header(request, STR("Cache-Control"), STR("no-cache"));
}

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
    request_refuse(request, PAGE_INVALID_PARAMETER,
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
    request_refuse(request, PAGE_INVALID_PARAMETER,
                   "status must be running, compensating, parked, completed, compensated or terminated");
    return false;
}

static bool read_parent(struct request *request, struct store_filter *filter)
{
    const struct str *parent = request_param(request, STR("parent"));
    filter->has_parent = parent != NULL;
    if (!parent || id_parse(*parent, &filter->parent))
        return true;
    request_refuse(request, PAGE_INVALID_PARAMETER, "parent must be the id of a saga");
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
    if (!read_parent(request, filter))
        return false;
    filter->limit = (uint32_t)limit + 1; /* one more shows whether there is a next page */
    filter->definition = definition ? *definition : (struct str){NULL, 0};
    filter->key = key ? *key : (struct str){NULL, 0};
    read_search(request, filter);
    filter->has_cursor = cursor != NULL;
    if (!cursor || id_parse(*cursor, &filter->cursor))
        return true;
    request_refuse(request, PAGE_INVALID_PARAMETER, "cursor must be the `next` of an earlier page");
    return false;
}

static void put_row(struct buf *out, const struct store_saga *saga)
{
    char id[ID_TEXT_SIZE + 1];
    id_format(saga->id, id);
    buf_printf(out, "{\"id\":\"%s\"", id);
    members_text(out, "definition", saga->definition);
    buf_printf(out, ",\"version\":%d", saga->version);
    members_text(out, "status", saga->status);
    buf_printf(out, ",\"paused\":%s,\"seq\":%lld", saga->paused ? "true" : "false", (long long)saga->seq);
    members_text(out, "waiting", saga->waiting);
    members_text(out, "reason", saga->reason_code);
    members_text(out, "key", saga->key);
    char parent[ID_TEXT_SIZE + 1] = "";
    if (saga->has_parent)
        id_format(saga->parent, parent);
    members_text(out, "parent", str_from(parent));
    buf_puts(out, ",\"search\":");
    buf_put(out, saga->search.size ? saga->search : STR("{}"));
    members_time(out, "started_at", saga->started_us);
    members_time(out, "updated_at", saga->updated_us);
    members_time(out, "ended_at", saga->ended_us);
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
