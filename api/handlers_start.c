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
#include "engine/runtime/known.h"
#include "engine/runtime/registry.h"

enum { WAIT_SECONDS_MAX = 60 };

struct start_work {
    struct engine_start asked; /* plan NULL: the version is not there */
    struct str definition;
    struct definition_start checked;
    int64_t wait_us;
    struct page refusal; /* why nothing can be started */
    struct engine_answer started;
};

static const struct fields_row fields[] = {
    {LITERAL("definition"), FIELDS_TEXT, true, LIMITS_NAME_BYTES},
    {LITERAL("version"), FIELDS_NUMBER, false, INT32_MAX},
    {LITERAL("key"), FIELDS_KEY, false, LIMITS_KEY_BYTES},
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

static void unknown_definition(struct request *request, struct str name, int32_t version, struct page *page)
{
    struct arena *arena = &request->arena;
    *page = (struct page){.kind = PAGE_UNKNOWN_DEFINITION};
    struct str near = nearest_name(request, name);
    if (str_equal(near, name))
        page->detail =
            version == 0
                ? arena_printf(arena, "no version of the definition \"%.*s\" is enabled", STR_ARG(name))
                : arena_printf(arena, "the definition \"%.*s\" has no version %d", STR_ARG(name), version);
    else
        page->detail = arena_printf(arena, "there is no definition \"%.*s\"", STR_ARG(name));
    if (near.size && !str_equal(near, name))
        page->hint = arena_printf(arena, "did you mean \"%.*s\"?", STR_ARG(near));
}

/* Again, on a thread that may ask the store. False: too much to do, which is answered. */
static void go_to_worker(struct request *request)
{
    if (!workers_submit(request, WORKERS_WRITE, handlers_start_saga))
        request_refuse_busy(request);
}

/* False: answered, or a worker is at it. Another instance may have stored it a moment ago, so the store is
 * asked too. No plan: there is none, which need not matter to a key that is known. */
static bool find_plan(struct request *request, int32_t version, struct start_work *work)
{
    struct finding finding = {.request = request, .name = work->definition, .version = version};
    struct err_note note = {""};
    work->asked.plan = registry_find(engine_registry(request->api->engine), work->definition, version);
    if (work->asked.plan)
        return true;
    if (!request->on_worker) {
        go_to_worker(request);
        return false;
    }
    enum err error = readers_run(&request->api->readers, refresh_and_find, &finding, &note);
    if (error != ERR_OK) {
        request_refuse_err(request, error, &note);
        return false;
    }
    work->asked.plan = finding.plan;
    return true;
}

static void bad_input(struct request *request, const struct schema_problems *problems, struct page *page)
{
    struct arena *arena = &request->arena;
    struct page_error *errors = arena_array(arena, problems->count, sizeof *errors);
    for (uint32_t i = 0; i < problems->count; i++) {
        const struct schema_problem *item = &problems->items[i];
        errors[i].pointer = arena_printf(arena, "/input%.*s", STR_ARG(item->pointer));
        errors[i].detail = item->message;
    }
    *page = (struct page){.kind = PAGE_INVALID_INPUT, .errors = errors, .error_count = problems->count};
    if (problems->count == 1)
        page->detail =
            arena_printf(arena, "%.*s: %.*s", STR_ARG(errors[0].pointer), STR_ARG(errors[0].detail));
    else
        page->detail = arena_printf(arena, "the input breaks %u rules; see errors", problems->count);
}

/* Whether a saga may be started so; if not, work->refusal says why. */
static bool is_startable(struct request *request, int32_t version, struct start_work *work)
{
    struct arena *arena = &request->arena;
    const struct plan *plan = work->asked.plan;
    if (!plan) {
        unknown_definition(request, work->definition, version, &work->refusal);
    } else if (!registry_is_enabled(engine_registry(request->api->engine), plan)) {
        work->refusal = (struct page){
            .kind = PAGE_VERSION_DISABLED,
            .detail = arena_printf(arena, "the definition \"%.*s\" takes no new starts of version %d",
                                   STR_ARG(plan->name), plan->version)};
    } else if (!definition_start(plan, work->asked.input, work->asked.key, arena, &work->checked)) {
        bad_input(request, &work->checked.problems, &work->refusal);
    } else {
        work->asked.key = work->checked.key;
        work->asked.search = work->checked.search;
        return true;
    }
    return false;
}

/* id, definition, version, key, status, seq: a part of what GET /v1/sagas/{id} tells. */
static struct str write_receipt(struct request *request, const struct start_work *work)
{
    struct buf out;
    char id[ID_TEXT_SIZE + 1];
    id_format(work->started.id, id);
    buf_init(&out, &request->arena);
    buf_printf(&out, "{\"id\":\"%s\",\"definition\":", id);
    json_write_string(&out, work->definition);
    int32_t version =
        work->started.version > 0 || !work->asked.plan ? work->started.version : work->asked.plan->version;
    buf_printf(&out, ",\"version\":%d,\"key\":", version);
    if (work->asked.key.size)
        json_write_string(&out, work->asked.key);
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

/* A saga was started, or there is one already. */
static void tell_started(struct request *request)
{
    struct start_work *work = request->work;
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

static void after_start(struct request *request)
{
    struct start_work *work = request->work;
    work->started = request->answer;
    tell_started(request);
}

struct looking {
    struct request *request;
    struct start_work *work;
    enum known known;
};

static enum err look_up(struct store *store, void *context, struct err_note *note)
{
    struct looking *looking = context;
    struct start_work *work = looking->work;
    return known_find(engine_registry(looking->request->api->engine), store, work->definition, &work->asked,
                      &looking->request->arena, &looking->known, &work->started, note);
}

/* What cannot be started may have been started before: under another version, before this one was disabled,
 * or before its schema was what it is. */
static void refuse_or_repeat(struct request *request, struct start_work *work)
{
    struct looking looking = {.request = request, .work = work};
    struct err_note note = {""};
    bool keyed = work->asked.key.size > 0 || !work->asked.plan || work->asked.plan->key;
    if (keyed && !request->on_worker) {
        go_to_worker(request);
        return;
    }
    enum err error = keyed ? readers_run(&request->api->readers, look_up, &looking, &note) : ERR_OK;
    if (error != ERR_OK)
        request_refuse_err(request, error, &note);
    else if (looking.known == KNOWN_NONE)
        request_answer_page(request, &work->refusal);
    else
        tell_started(request);
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
        !fields_check(request, body, fields, sizeof fields / sizeof fields[0]) ||
        !check_input_size(request, json_get(body, STR("input"))))
        return;
    (void)json_get_i64(body, STR("version"), &version); /* without one: 0, the newest */
    struct start_work *work = arena_new(&request->arena, struct start_work);
    *work =
        (struct start_work){.definition = json_get_str(body, STR("definition")),
                            .wait_us = fields_span_us(json_get(body, STR("wait"))),
                            .asked = {.input = json_get(body, STR("input")),
                                      .key = json_get_str(body, STR("key")),
                                      .correlation = guard_header(&request->head, STR("Saga-Correlation-Id")),
                                      .traceparent = trace_of(request)}};
    request->work = work;
    if (!find_plan(request, (int32_t)version, work))
        return;
    if (is_startable(request, (int32_t)version, work))
        submit(request, &work->asked);
    else
        refuse_or_repeat(request, work);
}
