/* GET /v1/definitions…, PUT and DELETE /v1/definitions/{name}/{version}, POST …/enable and …/disable. Called
 * by route.c, on a worker's thread where the database is asked. Never replaces a stored version. */
#include "api/handlers.h"
#include <string.h>
#include "api/fields.h"
#include "api/literal.h"
#include "api/members.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/runtime/registry.h"

/* Reading: what the store has, so that what another instance stored shows too. */

static enum err refresh(struct store *store, void *context, struct err_note *note)
{
    struct request *request = context;
    return registry_refresh(engine_registry(request->api->engine), store, note);
}

/* False: answered. */
static bool refresh_registry(struct request *request)
{
    struct err_note note = {""};
    enum err error = readers_run(&request->api->readers, refresh, request, &note);
    if (error != ERR_OK)
        request_refuse_err(request, error, &note);
    return error == ERR_OK;
}

/* Without the closing brace. */
static void put_head(struct request *request, struct buf *out, const struct plan *plan)
{
    bool enabled = registry_is_enabled(engine_registry(request->api->engine), plan);
    buf_puts(out, "{\"name\":");
    json_write_string(out, plan->name);
    buf_printf(out, ",\"version\":%d,\"hash\":\"%s\",\"enabled\":%s", plan->version, plan->hash,
               enabled ? "true" : "false");
    members_text(out, "description", plan->description);
    buf_printf(out, ",\"step_count\":%u", plan->step_count);
}

static uint32_t put_list(struct request *request, struct buf *out, struct str name)
{
    uint32_t count = 0;
    uint32_t shown = 0;
    const struct plan **plans = registry_list(engine_registry(request->api->engine), &request->arena, &count);
    buf_puts(out, "{\"items\":[");
    for (uint32_t i = 0; i < count; i++) {
        if (name.size && !str_equal(name, plans[i]->name))
            continue;
        buf_puts(out, shown++ ? ",\n" : "\n");
        put_head(request, out, plans[i]);
        buf_char(out, '}');
    }
    buf_puts(out, "]}\n");
    return shown;
}

void handlers_list_definitions(struct request *request)
{
    struct buf out;
    buf_init(&out, &request->arena);
    if (!refresh_registry(request))
        return;
    (void)put_list(request, &out, STR(""));
    request_answer_json(request, 200, buf_str(&out));
}

void handlers_get_versions(struct request *request)
{
    struct buf out;
    struct str name = request->target.segments[2];
    buf_init(&out, &request->arena);
    if (!refresh_registry(request))
        return;
    if (put_list(request, &out, name))
        request_answer_json(request, 200, buf_str(&out));
    else
        request_refuse(request, PAGE_UNKNOWN_DEFINITION, "there is no definition \"%.*s\"", STR_ARG(name));
}

static void put_action(struct buf *out, const char *name, bool there, const struct plan_action *action)
{
    buf_printf(out, ",\"%s\":", name);
    if (!there) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "{\"command\":");
    json_write_string(out, action->command);
    buf_printf(out, ",\"via\":\"%s\"", action->via == PLAN_VIA_REQUEST ? "request" : "stream");
    members_text(out, "timeout", duration_text(out->arena, action->timeout_us));
    buf_printf(out, ",\"max_attempts\":%u}", action->retry.attempts_max);
}

static void put_steps(struct buf *out, const struct plan *plan)
{
    bool first = true;
    buf_puts(out, ",\"steps\":[");
    for (uint16_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        if (!node->step)
            continue;
        buf_puts(out, first ? "\n{\"id\":" : ",\n{\"id\":");
        first = false;
        json_write_string(out, node->id);
        put_action(out, "run", true, &node->step->run);
        put_action(out, "compensate", node->step->has_undo, &node->step->undo);
        put_action(out, "verify", node->step->has_verify, &node->step->verify);
        buf_printf(out, ",\"pivot\":%s", node->step->pivot ? "true" : "false");
        members_text(out, "on_timeout", plan_on_timeout_text(node->step->on_timeout));
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void put_source(struct buf *out, const struct plan *plan)
{
    const struct json *bundle = NULL;
    if (json_parse(out->arena, plan->bundle, plan->bundle.size, &bundle, NULL) != ERR_OK)
        return; /* cannot be: it is the loader's own writing */
    members_text(out, "source", json_get_str(bundle, STR("yaml")));
    buf_puts(out, ",\"files\":");
    const struct json *files = json_get(bundle, STR("files"));
    if (files)
        json_write(out, files);
    else
        buf_puts(out, "{}");
}

static struct str write_definition(struct request *request, const struct plan *plan)
{
    struct buf out;
    buf_init(&out, &request->arena);
    put_head(request, &out, plan);
    buf_puts(&out, ",\"timeout\":");
    if (plan->timeout_us)
        json_write_string(&out, duration_text(&request->arena, plan->timeout_us));
    else
        buf_puts(&out, "null");
    buf_puts(&out, ",\"participants\":[");
    for (uint32_t i = 0; i < plan->participant_count; i++) {
        buf_puts(&out, i ? "," : "");
        json_write_string(&out, plan->participants[i]);
    }
    buf_char(&out, ']');
    put_steps(&out, plan);
    put_source(&out, plan);
    buf_puts(&out, "}\n");
    return buf_str(&out);
}

/* The version of the path's fourth segment. False: answered. */
static bool read_version(struct request *request, int32_t *version)
{
    int64_t number = 0;
    struct str text = request->target.segments[3];
    if (str_to_i64(text, &number) && number >= 1 && number <= INT32_MAX) {
        *version = (int32_t)number;
        return true;
    }
    request_refuse(request, PAGE_UNKNOWN_DEFINITION, "\"%.*s\" is not a version, a number from 1",
                   STR_ARG(text));
    return false;
}

void handlers_get_definition(struct request *request)
{
    int32_t version = 0;
    struct str name = request->target.segments[2];
    if (!read_version(request, &version) || !refresh_registry(request))
        return;
    const struct plan *plan = registry_find(engine_registry(request->api->engine), name, version);
    if (plan)
        request_answer_json(request, 200, write_definition(request, plan));
    else
        request_refuse(request, PAGE_UNKNOWN_DEFINITION, "there is no definition \"%.*s\" of version %d",
                       STR_ARG(name), version);
}

/* Enabling */

struct enabling {
    struct request *request;
    int32_t version;
    bool enabled;
};

static enum err enable(struct store *store, void *context, struct err_note *note)
{
    struct enabling *enabling = context;
    struct request *request = enabling->request;
    return registry_enable(engine_registry(request->api->engine), store, request->target.segments[2],
                           enabling->version, enabling->enabled, note);
}

static void answer_enabled(struct request *request, const struct plan *plan)
{
    struct buf out;
    buf_init(&out, &request->arena);
    put_head(request, &out, plan);
    buf_puts(&out, "}\n");
    request_answer_json(request, 200, buf_str(&out));
}

void handlers_enable_definition(struct request *request)
{
    struct enabling enabling = {.request = request,
                                .enabled = str_equal(request->target.segments[4], STR("enable"))};
    struct err_note note = {""};
    struct str name = request->target.segments[2];
    if (!read_version(request, &enabling.version))
        return;
    enum err error = readers_run(&request->api->readers, enable, &enabling, &note);
    const struct plan *plan =
        error == ERR_OK ? registry_find(engine_registry(request->api->engine), name, enabling.version) : NULL;
    if (plan)
        answer_enabled(request, plan);
    else if (error == ERR_NOT_FOUND)
        request_refuse(request, PAGE_UNKNOWN_DEFINITION, "%s", note.text);
    else
        request_refuse_err(request, error, &note);
}

/* Deleting */

static enum err delete_version(struct store *store, void *context, struct err_note *note)
{
    struct enabling *deleting = context;
    struct request *request = deleting->request;
    return registry_delete(engine_registry(request->api->engine), store, request->target.segments[2],
                           deleting->version, note);
}

void handlers_delete_definition(struct request *request)
{
    struct enabling deleting = {.request = request};
    struct err_note note = {""};
    struct buf out;
    if (!read_version(request, &deleting.version))
        return;
    enum err error = readers_run(&request->api->readers, delete_version, &deleting, &note);
    if (error == ERR_NOT_FOUND)
        request_refuse(request, PAGE_UNKNOWN_DEFINITION, "%s", note.text);
    else if (error == ERR_CONFLICT)
        request_refuse(request, PAGE_DEFINITION_IN_USE, "%s", note.text);
    else if (error != ERR_OK)
        request_refuse_err(request, error, &note);
    if (error != ERR_OK)
        return;
    buf_init(&out, &request->arena);
    buf_puts(&out, "{\"name\":");
    json_write_string(&out, request->target.segments[2]);
    buf_printf(&out, ",\"version\":%d,\"deleted\":true}\n", deleting.version);
    request_answer_json(request, 200, buf_str(&out));
}

/* Writing */

struct putting {
    struct request *request;
    struct str file; /* its name in diagnostics */
    struct str yaml;
    const struct json *bundle_files; /* object of texts; NULL: schemas must be inline */
    struct definition_files files;
    struct diag_list diags;
    const struct plan *plan;
    bool created;
};

static enum err read_file(void *context, struct str path, struct arena *arena, struct str *text,
                          struct err_note *note)
{
    const struct json *file = json_get(context, path);
    if (!file || file->kind != JSON_STRING)
        return err_note(note, ERR_NOT_FOUND, "the bundle has no file \"%.*s\"", STR_ARG(path));
    *text = arena_copy(arena, file->text);
    return ERR_OK;
}

static const struct definition_files *files_of(struct putting *putting)
{
    if (!putting->bundle_files)
        return NULL;
    putting->files =
        (struct definition_files){.context = (void *)(uintptr_t)putting->bundle_files, .read = read_file};
    return &putting->files;
}

static const struct fields_row bundle_fields[] = {
    {LITERAL("yaml"), FIELDS_ANY, true, 0},
    {LITERAL("files"), FIELDS_OBJECT, false, 0},
};

/* False: answered. */
static bool read_bundle(struct request *request, struct putting *putting)
{
    putting->yaml = buf_str(&request->body);
    if (!request_is_json(request))
        return true;
    const struct json *body = request_body_object(request);
    if (!body || !fields_check(request, body, bundle_fields, sizeof bundle_fields / sizeof bundle_fields[0]))
        return false;
    const struct json *yaml = json_get(body, STR("yaml"));
    putting->bundle_files = json_get(body, STR("files"));
    for (uint32_t i = 0; putting->bundle_files && i < putting->bundle_files->count; i++)
        if (putting->bundle_files->members[i].value->kind != JSON_STRING) {
            request_refuse(request, PAGE_INVALID_FIELD, "files must map paths to texts");
            return false;
        }
    if (yaml->kind == JSON_STRING) {
        putting->yaml = yaml->text;
        return true;
    }
    request_refuse(request, PAGE_INVALID_FIELD, "yaml must be a text");
    return false;
}

static void refuse_diags(struct request *request, const struct diag_list *diags)
{
    struct buf extra;
    struct buf text;
    struct page page = {.kind = PAGE_INVALID_DEFINITION};
    buf_init(&extra, &request->arena);
    buf_init(&text, &request->arena);
    buf_puts(&extra, "\"diagnostics\":");
    diag_render_json(diags, &extra);
    buf_puts(&extra, ",\"rendered\":");
    diag_render(diags, &text);
    json_write_string(&extra, buf_str(&text));
    page.extra = buf_str(&extra);
    page.detail = arena_printf(&request->arena, "the definition has %zu mistake%s; see diagnostics",
                               diags->error_count, diags->error_count == 1 ? "" : "s");
    request_answer_page(request, &page);
}

/* Before anything is stored: it loads, and is what the path says. False: answered. */
static bool check_definition(struct request *request, struct putting *putting, int32_t version)
{
    struct str name = request->target.segments[2];
    diag_init(&putting->diags, &request->arena, putting->file, putting->yaml);
    const struct plan *plan =
        definition_load(&request->arena, putting->yaml, files_of(putting), &putting->diags);
    if (!plan) {
        diag_sort(&putting->diags);
        refuse_diags(request, &putting->diags);
        return false;
    }
    putting->plan = plan;
    if (str_equal(plan->name, name) && plan->version == version)
        return true;
    request_refuse(request, PAGE_INVALID_DEFINITION,
                   "the file says saga %.*s, version %d; the path says %.*s, version %d", STR_ARG(plan->name),
                   plan->version, STR_ARG(name), version);
    return false;
}

static enum err put(struct store *store, void *context, struct err_note *note)
{
    struct putting *putting = context;
    struct request *request = putting->request;
    return registry_put(engine_registry(request->api->engine), store, putting->file, putting->yaml,
                        files_of(putting), &request->arena, &putting->diags, &putting->plan,
                        &putting->created, note);
}

static void answer_put(struct request *request, const struct putting *putting)
{
    struct err_note note = {""};
    /* Stored, so accepted: participants that cannot be announced now are announced by the engine's repair. */
    if (engine_announce(request->api->engine, putting->plan, &note) != ERR_OK)
        request_add_header(request, STR("Warning"), STR("199 sagad \"participants not announced yet\""));
    struct buf out;
    buf_init(&out, &request->arena);
    put_head(request, &out, putting->plan);
    buf_printf(&out, ",\"created\":%s,\"diagnostics\":", putting->created ? "true" : "false");
    diag_render_json(&putting->diags, &out);
    buf_puts(&out, "}\n");
    request_answer_json(request, putting->created ? 201 : 200, buf_str(&out));
    request_add_header(request, STR("Location"), request->target.path);
}

void handlers_put_definition(struct request *request)
{
    int32_t version = 0;
    struct err_note note = {""};
    struct putting putting = {.request = request};
    if (!read_version(request, &version) || !read_bundle(request, &putting))
        return;
    putting.file = arena_printf(&request->arena, "%.*s.yaml", STR_ARG(request->target.segments[2]));
    if (!check_definition(request, &putting, version))
        return;
    if (engine_inspect(request->api->engine, putting.plan, &note) == ERR_CONFLICT) {
        request_refuse(request, PAGE_SUBJECT_HELD, "%s", note.text);
        return;
    }
    enum err error = readers_run(&request->api->readers, put, &putting, &note);
    if (error == ERR_OK)
        answer_put(request, &putting);
    else if (error == ERR_CONFLICT)
        request_refuse(request, PAGE_VERSION_CONFLICT, "%s", note.text);
    else if (error == ERR_INVALID)
        refuse_diags(request, &putting.diags);
    else if (error == ERR_LIMIT)
        request_refuse(request, PAGE_DEFINITIONS_FULL, "%s", note.text);
    else
        request_refuse_err(request, error, &note);
}
