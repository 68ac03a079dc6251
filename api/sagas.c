#include "api/sagas.h"
#include "api/calls.h"
#include "api/letters.h"
#include "api/state.h"
#include "engine/core/view.h"
#include "engine/runtime/loader.h"

struct viewing {
    struct request *request;
    struct id id;
    struct letters letters;
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
    if (error == ERR_OK)
        error = letters_read(store, viewing->id, arena, &viewing->letters, note);
    if (error == ERR_OK) {
        letters_number(&viewing->letters, &saga, arena);
        view_json(&out, &saga);
        out.size--; /* the brace */
        letters_write(&out, &viewing->letters);
        buf_puts(&out, "}\n");
        viewing->text = buf_str(&out);
        viewing->seq = saga.seq;
    }
    arena_fini(&scratch);
    return error;
}

enum err sagas_view(struct request *request, struct id id, struct str *text, struct str *tag,
                    struct err_note *note)
{
    struct viewing viewing = {.request = request, .id = id};
    enum err error = readers_run(&request->api->readers, read_view, &viewing, note);
    *text = viewing.text;
    if (tag != NULL) /* a letter comes without a record */
        *tag = arena_printf(&request->arena, viewing.letters.count > 0 ? "\"%lld-%lld\"" : "\"%lld\"",
                            (long long)viewing.seq, (long long)letters_newest(&viewing.letters));
    return error;
}

void sagas_refuse(struct request *request, enum err error, const struct err_note *note)
{
    if (error == ERR_NOT_FOUND)
        request_refuse(request, PAGE_UNKNOWN_SAGA, "there is no saga %.*s",
                       STR_ARG(request->target.segments[2]));
    else
        request_refuse_err(request, error, note);
}

static void after_verb(struct request *request)
{
    const struct engine_answer *answer = &request->answer;
    struct str id = request->target.segments[2];
    if (answer->error == ERR_NOT_FOUND) {
        request_refuse(request, PAGE_UNKNOWN_SAGA, "there is no saga %.*s", STR_ARG(id));
        return;
    }
    if (answer->error == ERR_CONFLICT) {
        request_refuse(request, PAGE_VERB_REFUSED, "%.*s", STR_ARG(answer->message));
        return;
    }
    if (answer->error != ERR_OK) {
        request_refuse_err(request, answer->error, &request->answer_note);
        return;
    }
    char text[ID_TEXT_SIZE + 1];
    id_format(answer->id, text);
    request_answer_json(request, 200,
                        arena_printf(&request->arena, "{\"id\":\"%s\",\"status\":\"%.*s\",\"seq\":%lld}\n",
                                     text, STR_ARG(core_status_text(answer->status)),
                                     (long long)answer->seq));
}

void sagas_verb(struct request *request, struct id id, const struct core_event *verb)
{
    struct err_note note = {""};
    struct engine_call call = calls_begin(request, CALLS_WORK, after_verb);
    enum err error = engine_verb(request->api->engine, id, verb, call, &note);
    if (error != ERR_OK)
        calls_fail(call, error, &note);
}
