/* POST /v1/sagas: checks everything on the service's thread, then hands the start to the engine; with `wait`
 * the engine is asked again, for the end. What is stored by then stays told: a watch or a read that fails
 * after the start was committed still answers 201. */
#include "api/handlers.h"
#include "api/calls.h"
#include "api/fields.h"
#include "api/literal.h"
#include "api/sagas.h"
#include "api/state.h"
#include "engine/base/limits.h"
#include "engine/definition/definition.h"
#include "engine/runtime/registry.h"

enum { WAIT_SECONDS_MAX = 60 };

struct start_work {
    const struct plan *plan;
    struct str key;
    int64_t wait_us;
    struct engine_answer started;
};

static const struct fields_row fields[] = {
    {LITERAL("definition"), FIELDS_TEXT, true, LIMITS_NAME_BYTES},
    {LITERAL("version"), FIELDS_NUMBER, false, INT32_MAX},
    {LITERAL("key"), FIELDS_TEXT, false, LIMITS_KEY_BYTES},
    {LITERAL("input"), FIELDS_ANY, true, 0},
    {LITERAL("wait"), FIELDS_SECONDS, false, WAIT_SECONDS_MAX},
};

struct finding {
    struct request *request;
    struct str name;
    int32_t version;
    const struct plan *plan;
};

static enum err refresh_and_find(struct store *store, void *context, struct err_note *note)
{
    struct finding *finding = context;
    struct registry *registry = engine_registry(finding->request->api->engine);
    enum err error = registry_learn(registry, store, finding->name, note);
    if (error != ERR_OK)
        return error;
    finding->plan = registry_find(registry, finding->name, finding->version);
    if (registry_is_missing(registry, finding->name, finding->version))
        return err_note(note, ERR_UNAVAILABLE,
                        "the definition is stored, but this engine could not load it; /readyz says why");
    return ERR_OK;
}

/* A name that was nearly given. */
static struct str nearest_name(struct request *request, struct str name)
{
    uint32_t count = 0;
    struct str found = {NULL, 0};
    size_t best = 3; /* more edits than that are another word */
    const struct plan **plans = registry_list(engine_registry(request->api->engine), &request->arena, &count);
    for (uint32_t i = 0; i < count; i++) {
        size_t distance = str_distance(plans[i]->name, name, 2);
        if (distance < best) {
            best = distance;
            found = plans[i]->name;
        }
    }
    return found;
}

static void refuse_definition(struct request *request, struct str name, int32_t version)
{
    struct arena *arena = &request->arena;
    struct page page = {.kind = PAGE_UNKNOWN_DEFINITION};
    struct str near = nearest_name(request, name);
    if (str_equal(near, name))
        page.detail =
            version == 0
                ? arena_printf(arena, "no version of the definition \"%.*s\" is enabled", STR_ARG(name))
                : arena_printf(arena, "the definition \"%.*s\" has no version %d", STR_ARG(name), version);
    else
        page.detail = arena_printf(arena, "there is no definition \"%.*s\"", STR_ARG(name));
    if (near.size && !str_equal(near, name))
        page.hint = arena_printf(arena, "did you mean \"%.*s\"?", STR_ARG(near));
    request_answer_page(request, &page);
}

static const struct plan *startable(struct request *request, const struct plan *plan)
{
    if (registry_is_enabled(engine_registry(request->api->engine), plan))
        return plan;
    request_refuse(request, PAGE_VERSION_DISABLED,
                   "the definition \"%.*s\" takes no new starts of version %d", STR_ARG(plan->name),
                   plan->version);
    return NULL;
}

/* NULL: answered, or a worker is at it. Another instance may have stored it a moment ago, so the store is
 * asked too. */
static const struct plan *find_plan(struct request *request, struct str name, int32_t version)
{
    struct finding finding = {.request = request, .name = name, .version = version};
    struct err_note note = {""};
    finding.plan = registry_find(engine_registry(request->api->engine), name, version);
    if (finding.plan)
        return startable(request, finding.plan);
    if (!request->on_worker) { /* the store is asked by a worker, which begins anew */
        if (!workers_submit(request, WORKERS_WRITE, handlers_start_saga))
            request_refuse_busy(request);
        return NULL;
    }
    enum err error = readers_run(&request->api->readers, refresh_and_find, &finding, &note);
    if (error != ERR_OK)
        request_refuse_err(request, error, &note);
    else if (!finding.plan)
        refuse_definition(request, name, version);
    else
        return startable(request, finding.plan);
    return NULL;
}

static void refuse_input(struct request *request, const struct schema_problems *problems)
{
    struct arena *arena = &request->arena;
    struct page_error *errors = arena_array(arena, problems->count, sizeof *errors);
    for (uint32_t i = 0; i < problems->count; i++) {
        const struct schema_problem *item = &problems->items[i];
        errors[i].pointer = arena_printf(arena, "/input%.*s", STR_ARG(item->pointer));
        errors[i].detail = item->message;
    }
    struct page page = {.kind = PAGE_INVALID_INPUT, .errors = errors, .error_count = problems->count};
    if (problems->count == 1)
        page.detail =
            arena_printf(arena, "%.*s: %.*s", STR_ARG(errors[0].pointer), STR_ARG(errors[0].detail));
    else
        page.detail = arena_printf(arena, "the input breaks %u rules; see errors", problems->count);
    request_answer_page(request, &page);
}

/* id, definition, version, key, status, seq: a part of what GET /v1/sagas/{id} tells. */
static struct str write_receipt(struct request *request, const struct start_work *work)
{
    struct buf out;
    char id[ID_TEXT_SIZE + 1];
    id_format(work->started.id, id);
    buf_init(&out, &request->arena);
    buf_printf(&out, "{\"id\":\"%s\",\"definition\":", id);
    json_write_string(&out, work->plan->name);
    buf_printf(&out, ",\"version\":%d,\"key\":", work->plan->version);
    if (work->key.size)
        json_write_string(&out, work->key);
    else
        buf_puts(&out, "null");
    buf_printf(&out, ",\"status\":\"%.*s\",\"seq\":%lld,\"created\":%s}\n",
               STR_ARG(core_status_text(work->started.status)), (long long)work->started.seq,
               work->started.created ? "true" : "false");
    return buf_str(&out);
}

static void answer_started(struct request *request, const struct start_work *work, struct str text)
{
    char id[ID_TEXT_SIZE + 1];
    id_format(work->started.id, id);
    request_answer_json(request, work->started.created ? 201 : 200, text);
    request_add_header(request, STR("Location"), arena_printf(&request->arena, "/v1/sagas/%s", id));
}

static void tell_watched(struct request *request)
{
    const struct start_work *work = request->work;
    struct err_note note = {""};
    struct str text;
    if (sagas_view(request, work->started.id, &text, NULL, &note) != ERR_OK)
        text = write_receipt(request, work);
    answer_started(request, work, text);
}

/* Without a worker for the view: the receipt. */
static void after_watch(struct request *request)
{
    const struct start_work *work = request->work;
    if (!workers_submit(request, WORKERS_READ, tell_watched))
        answer_started(request, work, write_receipt(request, work));
}

static void after_start(struct request *request)
{
    struct start_work *work = request->work;
    work->started = request->answer;
    if (work->started.error == ERR_CONFLICT) {
        request_refuse(request, PAGE_KEY_CONFLICT, "%.*s", STR_ARG(work->started.message));
        return;
    }
    if (work->started.error != ERR_OK) {
        request_refuse_err(request, work->started.error, &request->answer_note);
        return;
    }
    if (work->wait_us == 0) {
        answer_started(request, work, write_receipt(request, work));
        return;
    }
    struct err_note note = {""};
    struct engine_call call = calls_begin(request, CALLS_WATCH, after_watch);
    enum err error = engine_watch(request->api->engine, work->started.id, work->wait_us, call, &note);
    if (error != ERR_OK)
        calls_fail(call, error, &note);
}

/* W3C trace context, version 00; anything else is ignored, as that says. */
static struct str trace_of(const struct request *request)
{
    struct str text = guard_header(&request->head, STR("traceparent"));
    bool good =
        text.size == 55 && str_starts(text, STR("00-")) && text.data[35] == '-' && text.data[52] == '-';
    for (size_t i = 3; good && i < text.size; i++)
        good = i == 35 || i == 52 || (text.data[i] >= '0' && text.data[i] <= '9') ||
               (text.data[i] >= 'a' && text.data[i] <= 'f');
    return good ? text : (struct str){NULL, 0};
}

/* Other limits of headers are the guard's. False: answered. */
static bool check_correlation(struct request *request)
{
    if (guard_header(&request->head, STR("Saga-Correlation-Id")).size <= LIMITS_KEY_BYTES)
        return true;
    request_refuse(request, PAGE_MALFORMED_REQUEST, "the header Saga-Correlation-Id may have %d bytes",
                   LIMITS_KEY_BYTES);
    return false;
}

static void submit(struct request *request, const struct engine_start *start)
{
    struct err_note note = {""};
    struct engine_call call = calls_begin(request, CALLS_WORK, after_start);
    enum err error = engine_start(request->api->engine, start, call, &note);
    if (error != ERR_OK)
        calls_fail(call, error, &note);
}

static bool check_input_size(struct request *request, const struct json *input)
{
    if (request->body.size <= LIMITS_PAYLOAD_BYTES ||
        json_text(&request->arena, input).size <= LIMITS_PAYLOAD_BYTES)
        return true;
    request_refuse(request, PAGE_TOO_LARGE, "the input may have %d bytes", LIMITS_PAYLOAD_BYTES);
    return false;
}

void handlers_start_saga(struct request *request)
{
    int64_t version = 0;
    const struct json *body = request_body_object(request);
    if (!body || !check_correlation(request) ||
        !fields_check(request, body, fields, sizeof fields / sizeof fields[0]))
        return;
    const struct json *input = json_get(body, STR("input"));
    (void)json_get_i64(body, STR("version"), &version); /* without one: 0, the newest */
    const struct plan *plan = find_plan(request, json_get_str(body, STR("definition")), (int32_t)version);
    if (!plan || !check_input_size(request, input))
        return;
    struct definition_start *checked = arena_new(&request->arena, struct definition_start);
    if (!definition_start(plan, input, json_get_str(body, STR("key")), &request->arena, checked)) {
        refuse_input(request, &checked->problems);
        return;
    }
    struct start_work *work = arena_new(&request->arena, struct start_work);
    *work = (struct start_work){
        .plan = plan, .key = checked->key, .wait_us = fields_span_us(json_get(body, STR("wait")))};
    request->work = work;
    submit(request, &(struct engine_start){
                        .plan = plan,
                        .input = input,
                        .key = checked->key,
                        .search = checked->search,
                        .correlation = guard_header(&request->head, STR("Saga-Correlation-Id")),
                        .traceparent = trace_of(request),
                    });
}
