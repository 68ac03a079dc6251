/* GET /v1/sagas/{id}/compensation-plan: what a cancel would send now. Called by route.c on a worker's thread
 * of its own, for it may take a second. Changes nothing. */
#include "api/handlers.h"
#include "api/sagas.h"
#include "api/state.h"
#include "engine/model/foresee.h"
#include "engine/runtime/loader.h"

struct planning {
    struct request *request;
    struct id id;
    struct str text;
};

static enum err read_plan(struct store *store, void *context, struct err_note *note)
{
    struct planning *planning = context;
    struct arena *arena = &planning->request->arena;
    struct registry *registry = engine_registry(planning->request->api->engine);
    struct arena scratch;
    struct core_saga saga;
    struct foresee foresee;
    struct buf out;
    int64_t now_us = 0;
    arena_init(&scratch, 0);
    buf_init(&out, arena);
    enum err error = loader_load(registry, store, planning->id, arena, &scratch, &saga, NULL, note);
    if (error == ERR_OK)
        error = store_now(store, &now_us, note);
    if (error == ERR_OK) {
        foresee_cancel(&saga, now_us, arena, &foresee);
        foresee_json(&out, &foresee);
        buf_char(&out, '\n');
        planning->text = buf_str(&out);
    }
    arena_fini(&scratch);
    return error;
}

void handlers_get_compensation_plan(struct request *request)
{
    struct planning planning = {.request = request};
    struct err_note note = {""};
    if (!request_saga_id(request, &planning.id))
        return;
    enum err error = readers_run(&request->api->readers, read_plan, &planning, &note);
    if (error != ERR_OK) {
        sagas_refuse(request, error, &note);
        return;
    }
    request_answer_json(request, 200, planning.text);
    request_add_header(request, STR("Cache-Control"), STR("no-cache"));
}
