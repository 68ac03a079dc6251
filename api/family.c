/* A verb for a saga and all below it. Called by the handlers of terminate, pause and resume; it asks the database who stands
 * below and the engine for each verb, and never holds anything that another request waits for. */
#include "api/family.h"
#include "api/calls.h"
#include "api/sagas.h"
#include "api/state.h"
#include "engine/base/limits.h"

struct member {
    struct id id;
    struct str definition;
    struct engine_answer answer;
};
struct family {
    struct id id;
    struct core_event verb;
    struct engine_answer own;
    struct member *members; /* in the order in which they are asked */
    uint32_t count, room;
    uint32_t asked;
    uint32_t looked; /* of the saga and its members, in this order: whose children are known */
    bool more;       /* there are others, left for another request */
    struct err_note note;
};

static bool is_reached(const struct engine_answer *answer)
{
    return answer->error == ERR_OK;
}

/* ---- the answer ---- */

static void put_refusal(struct buf *out, const struct engine_answer *answer)
{
    buf_puts(out, ",\"refused\":");
    if (is_reached(answer))
        buf_puts(out, "null");
    else
        json_write_string(out, answer->message);
}

static void put_saga(struct buf *out, const struct engine_answer *answer, struct id id)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(id, text);
    buf_printf(out, "\"id\":\"%s\",\"status\":\"%.*s\",\"seq\":%lld", text,
               STR_ARG(core_status_text(answer->status)), (long long)answer->seq);
    put_refusal(out, answer);
}

static void answer_reached(struct request *request, const struct family *family)
{
    struct buf out;
    buf_init(&out, &request->arena);
    buf_char(&out, '{');
    put_saga(&out, &family->own, family->id);
    buf_puts(&out, ",\"children\":[");
    for (uint32_t i = 0; i < family->asked; i++) {
        buf_puts(&out, i == 0 ? "\n{\"definition\":" : ",\n{\"definition\":");
        json_write_string(&out, family->members[i].definition);
        buf_char(&out, ',');
        put_saga(&out, &family->members[i].answer, family->members[i].id);
        buf_char(&out, '}');
    }
    buf_printf(&out, "],\"more\":%s}\n", family->more ? "true" : "false");
    request_answer_json(request, 200, buf_str(&out));
}

/* Where nothing at all was changed the saga's own refusal is the answer. */
static void answer_all(struct request *request)
{
    const struct family *family = request->work;
    bool reached = is_reached(&family->own);
    for (uint32_t i = 0; i < family->asked; i++)
        reached = reached || is_reached(&family->members[i].answer);
    if (reached)
        answer_reached(request, family);
    else
        request_refuse(request, PAGE_VERB_REFUSED, "%.*s", STR_ARG(family->own.message));
}

/* ---- who is below ---- */

struct listing {
    struct arena *arena;
    struct store_filter filter;
    struct store_saga *rows;
    uint32_t count;
};

static enum err list(struct store *store, void *context, struct err_note *note)
{
    struct listing *listing = context;
    return store_list(store, &listing->filter, listing->arena, &listing->rows, &listing->count, note);
}

static void add_member(struct request *request, struct family *family, const struct store_saga *row)
{
    if (family->count == LIMITS_FAMILY_VERBS) {
        family->more = true;
        return;
    }
    if (family->count == family->room) {
        uint32_t room = family->room == 0 ? 16 : family->room * 2;
        family->members =
            arena_resize(&request->arena, family->members, family->room * sizeof *family->members,
                         room * sizeof *family->members);
        family->room = room;
    }
    family->members[family->count++] = (struct member){.id = row->id, .definition = row->definition};
}

/* The children of one saga that have not ended. */
static enum err look_below(struct request *request, struct family *family, struct id parent)
{
    struct listing listing = {.arena = &request->arena,
                              .filter = {.has_parent = true, .parent = parent, .limit = LIMITS_STORE_LIST}};
    do {
        enum err error = readers_run(&request->api->readers, list, &listing, &family->note);
        if (error != ERR_OK)
            return error;
        for (uint32_t i = 0; i < listing.count; i++)
            if (listing.rows[i].ended_us == 0)
                add_member(request, family, &listing.rows[i]);
        if (listing.count > 0)
            listing.filter.cursor = listing.rows[listing.count - 1].id;
        listing.filter.has_cursor = true;
    } while (listing.count == LIMITS_STORE_LIST && !family->more);
    return ERR_OK;
}

/* ---- one verb after the other ---- */

static void ask_next(struct request *request);

/* On a worker: the children of all that have been asked. What cannot be read is left, and said to be. */
static void look(struct request *request)
{
    struct family *family = request->work;
    enum err error = ERR_OK;
    for (; error == ERR_OK && family->looked <= family->asked; family->looked++)
        error = look_below(request, family,
                           family->looked == 0 ? family->id : family->members[family->looked - 1].id);
    family->more = family->more || error != ERR_OK;
    ask_next(request);
}

static void look_further(struct request *request)
{
    struct family *family = request->work;
    if (workers_submit(request, WORKERS_READ, look))
        return;
    family->more = true;
    answer_all(request);
}

static void after_member(struct request *request)
{
    struct family *family = request->work;
    struct member *member = &family->members[family->asked++];
    member->answer = request->answer;
    member->answer.message = arena_copy(&request->arena, request->answer.message);
    if (family->asked < family->count)
        ask_next(request);
    else
        look_further(request);
}

static void ask_next(struct request *request)
{
    struct family *family = request->work;
    struct err_note note = {""};
    if (family->asked == family->count) {
        answer_all(request);
        return;
    }
    struct engine_call call = calls_begin(request, CALLS_WORK, after_member);
    enum err error =
        engine_verb(request->api->engine, family->members[family->asked].id, &family->verb, call, &note);
    if (error != ERR_OK)
        calls_fail(call, error, &note);
}

static void after_own(struct request *request)
{
    struct family *family = request->work;
    if (request->answer.error != ERR_OK && request->answer.error != ERR_CONFLICT) {
        sagas_refuse(request, request->answer.error, &request->answer_note);
        return;
    }
    family->own = request->answer;
    family->own.message = arena_copy(&request->arena, request->answer.message);
    look_further(request);
}

void family_verb(struct request *request, struct id id, const struct core_event *verb)
{
    struct err_note note = {""};
    struct family *family = arena_new(&request->arena, struct family);
    *family = (struct family){.id = id, .verb = *verb};
    request->work = family;
    struct engine_call call = calls_begin(request, CALLS_WORK, after_own);
    enum err error = engine_verb(request->api->engine, id, verb, call, &note);
    if (error != ERR_OK)
        calls_fail(call, error, &note);
}
