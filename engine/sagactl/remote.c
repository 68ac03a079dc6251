/* The subcommands that ask the running service: one request each, its answer shown or passed on. Called by
 * main.c. Never tries a request again whose outcome is unknown: it says so. */
#include "engine/sagactl/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/id.h"
#include "engine/definition/definition.h"
#include "engine/sagactl/http.h"
#include "engine/sagactl/show.h"

static const char json_type[] = "Content-Type: application/json";

int remote_print(const struct invocation *invocation, const struct http_answer *answer,
                 void (*show)(const struct invocation *, const struct json *))
{
    int code = http_outcome(invocation, answer);
    if (code != INVOCATION_FINE)
        return code;
    if (invocation->json)
        show_json(invocation->arena,
                  arena_printf(invocation->arena, "%.*s\n", STR_ARG(str_trim(answer->text))));
    else
        show(invocation, answer->body);
    return INVOCATION_FINE;
}

int remote_read(struct invocation *invocation, struct str path,
                void (*show)(const struct invocation *, const struct json *))
{
    struct http_answer answer = http_request(invocation, "GET", path, (struct str){0}, NULL);
    return remote_print(invocation, &answer, show);
}

bool remote_json(struct invocation *invocation, const char *option, const char *fallback, struct str *text)
{
    const char *given = invocation_option(invocation, option);
    const struct json *value = NULL;
    struct err_note note = {""};
    bool from_file = given != NULL && (given[0] == '@' || strcmp(given, "-") == 0);
    *text = str_from(given == NULL ? fallback : given);
    if (from_file && !invocation_read_file(invocation, given[0] == '@' ? given + 1 : given, text))
        return false;
    if (json_parse(invocation->arena, *text, SIZE_MAX, &value, &note) == ERR_OK)
        return true;
    fprintf(stderr, "sagactl %s: --%s is not JSON: %s%s\n", invocation->command->name, option, note.text,
            from_file ? "" : " (@FILE reads a file)");
    return false;
}

void remote_member(struct buf *body, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_printf(body, ",\"%s\":", name);
    json_write_string(body, str_from(value));
}

static struct str field(const struct invocation *invocation, const struct json *object, const char *name)
{
    return show_plain(invocation->arena, json_get_str(object, str_from(name)));
}

static void show_started(const struct invocation *invocation, const struct json *saga)
{
    if (json_get(saga, STR("steps")) != NULL)
        show_saga(invocation, saga);
    else
        printf("%.*s\n", STR_ARG(field(invocation, saga, "id")));
}

/* With --wait, whoever calls wants to know whether it completed; and in any case whether it was started. */
static int outcome(const struct invocation *invocation, const struct http_answer *answer)
{
    struct str status = json_get_str(answer->body, STR("status"));
    bool waited = invocation_option(invocation, "wait") != NULL;
    bool existed = answer->status == 200;
    int64_t version = 0;
    (void)json_get_i64(answer->body, STR("version"), &version);
    if (existed)
        fprintf(stderr, "sagactl start: existed already: saga %.*s of %.*s version %d is %.*s\n",
                STR_ARG(field(invocation, answer->body, "id")),
                STR_ARG(field(invocation, answer->body, "definition")), (int)version,
                STR_ARG(field(invocation, answer->body, "status")));
    if (waited && !str_equal(status, STR("completed")))
        return INVOCATION_FAILED;
    return existed ? INVOCATION_EXISTED : INVOCATION_FINE;
}

/* What a saga was started with. False: said why not, *code is the outcome. */
static bool read_like(struct invocation *invocation, const char *like, struct str *definition,
                      struct str *input, int *code)
{
    struct id id;
    *code = INVOCATION_USAGE;
    if (invocation->argument_count > 1 || invocation_option(invocation, "input") != NULL) {
        fprintf(stderr, "sagactl start: --like takes the input from a saga, so --input is left out\n");
        return false;
    }
    if (!invocation_id(invocation, like, &id))
        return false;
    struct http_answer answer = http_request(
        invocation, "GET", arena_printf(invocation->arena, "/v1/sagas/%s", like), (struct str){0}, NULL);
    *code = http_outcome(invocation, &answer);
    if (*code != INVOCATION_FINE)
        return false;
    const struct json *given = json_get(answer.body, STR("input"));
    *input = json_text(invocation->arena, given == NULL ? &json_null : given);
    *definition = invocation->argument_count > 0 ? str_from(invocation->arguments[0])
                                                 : json_get_str(answer.body, STR("definition"));
    return true;
}

/* The definition and the input that are meant. False: said why not, *code is the outcome. */
static bool read_start(struct invocation *invocation, struct str *definition, struct str *input, int *code)
{
    const char *like = invocation_option(invocation, "like");
    if (like != NULL)
        return read_like(invocation, like, definition, input, code);
    *code = INVOCATION_USAGE;
    if (!invocation_expects(invocation, 1, 1) || !remote_json(invocation, "input", "{}", input))
        return false;
    *definition = str_from(invocation->arguments[0]);
    return true;
}

/* The version as a number for JSON, the correlation as a text for a header. */
static bool start_options(const struct invocation *invocation)
{
    int64_t number = 0;
    const char *version = invocation_option(invocation, "version");
    const char *correlation = invocation_option(invocation, "correlation");
    if (version != NULL && (!str_to_i64(str_from(version), &number) || number < 1)) {
        fprintf(stderr, "sagactl start: --version takes a whole number from 1, not \"%s\"\n", version);
        return false;
    }
    for (const char *c = correlation; c != NULL && *c != '\0'; c++)
        if ((unsigned char)*c < ' ') {
            fprintf(stderr, "sagactl start: --correlation takes one line of text\n");
            return false;
        }
    return true;
}

int remote_start(struct invocation *invocation)
{
    struct str definition, input;
    struct buf body;
    int code = INVOCATION_USAGE;
    const char *version = invocation_option(invocation, "version");
    const char *correlation = invocation_option(invocation, "correlation");
    const char *headers[] = {json_type, NULL, NULL};
    buf_init(&body, invocation->arena);
    if (!start_options(invocation) || !read_start(invocation, &definition, &input, &code))
        return code;
    if (correlation != NULL)
        headers[1] = arena_printf(invocation->arena, "Saga-Correlation-Id: %s", correlation).data;
    buf_puts(&body, "{\"definition\":");
    json_write_string(&body, definition);
    if (version != NULL)
        buf_printf(&body, ",\"version\":%s", version);
    remote_member(&body, "key", invocation_option(invocation, "key"));
    remote_member(&body, "wait", invocation_option(invocation, "wait"));
    buf_printf(&body, ",\"input\":%.*s}", STR_ARG(input));
    struct http_answer answer = http_request(invocation, "POST", STR("/v1/sagas"), buf_str(&body), headers);
    code = remote_print(invocation, &answer, show_started);
    return code == INVOCATION_FINE ? outcome(invocation, &answer) : code;
}

struct str remote_saga(struct invocation *invocation, const char *below)
{
    struct buf path;
    buf_init(&path, invocation->arena);
    buf_printf(&path, "/v1/sagas/%s%s", invocation->arguments[0], below);
    return buf_str(&path);
}

static bool one_saga(const struct invocation *invocation)
{
    struct id id;
    return invocation_expects(invocation, 1, 1) && invocation_id(invocation, invocation->arguments[0], &id);
}

int remote_get(struct invocation *invocation)
{
    return one_saga(invocation) ? remote_read(invocation, remote_saga(invocation, ""), show_saga)
                                : INVOCATION_USAGE;
}

/* Each --search NAME=VALUE as search.NAME=VALUE. */
static bool search_params(const struct invocation *invocation, struct buf *path)
{
    for (int i = 0; i < invocation->option_count; i++) {
        if (strcmp(invocation->options[i].name, "search") != 0)
            continue;
        struct str given = str_from(invocation->options[i].value);
        size_t equals = str_find(given, '=');
        if (equals == 0 || equals == given.size) {
            fprintf(stderr, "sagactl list: --search takes NAME=VALUE, not \"%s\"\n", given.data);
            return false;
        }
        struct str name = arena_printf(invocation->arena, "search.%.*s", (int)equals, given.data);
        http_param(path, name.data, given.data + equals + 1);
    }
    return true;
}

int remote_list(struct invocation *invocation)
{
    static const char *const names[] = {"status", "definition", "key", "parent", "since", "limit", "cursor"};
    struct buf path;
    buf_init(&path, invocation->arena);
    buf_puts(&path, "/v1/sagas");
    if (!invocation_expects(invocation, 0, 0))
        return INVOCATION_USAGE;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        http_param(&path, names[i], invocation_option(invocation, names[i]));
    return search_params(invocation, &path) ? remote_read(invocation, buf_str(&path), show_list)
                                            : INVOCATION_USAGE;
}

void remote_actor(struct invocation *invocation, struct buf *body)
{
    const char *actor = invocation_option(invocation, "actor");
    if (actor == NULL)
        actor = getenv("USER") != NULL ? getenv("USER") : "sagactl";
    buf_puts(body, "{\"actor\":");
    json_write_string(body, str_from(actor));
    remote_member(body, "reason", invocation_option(invocation, "reason"));
}

int remote_post(struct invocation *invocation, struct str path, struct str body,
                void (*show)(const struct invocation *, const struct json *))
{
    const char *headers[] = {json_type, NULL};
    struct http_answer answer = http_request(invocation, "POST", path, body, headers);
    return remote_print(invocation, &answer, show);
}

static void show_verb_of(const struct invocation *invocation, const struct json *answer, const char *before)
{
    bool paused = strcmp(invocation->command->name, "pause") == 0; /* which is no status */
    struct str refused = field(invocation, answer, "refused");
    if (refused.size > 0)
        printf("%s%.*s is %.*s: %.*s\n", before, STR_ARG(field(invocation, answer, "id")),
               STR_ARG(field(invocation, answer, "status")), STR_ARG(refused));
    else
        printf("%s%.*s is %.*s%s\n", before, STR_ARG(field(invocation, answer, "id")),
               STR_ARG(field(invocation, answer, "status")), paused ? ", paused" : "");
}

static void show_verb(const struct invocation *invocation, const struct json *answer)
{
    show_verb_of(invocation, answer, "");
    const struct json *children = json_get(answer, STR("children"));
    for (uint32_t i = 0; children != NULL && i < children->count; i++)
        show_verb_of(invocation, children->items[i], "  below it: ");
    const struct json *more = json_get(answer, STR("more"));
    if (more != NULL && more->boolean)
        printf("  there are more below it: ask again\n");
}

/* What goes into the journal for good must be said by whoever asks for it. */
static bool verb_options(const struct invocation *invocation)
{
    static const char *const grave[] = {"terminate", "skip", "force"};
    for (size_t i = 0; i < sizeof grave / sizeof grave[0]; i++)
        if (strcmp(invocation->command->name, grave[i]) == 0 && !invocation_needs(invocation, "reason"))
            return false;
    return strcmp(invocation->command->name, "force") != 0 || invocation_needs(invocation, "result");
}

int remote_verb(struct invocation *invocation)
{
    struct buf body;
    struct str output;
    buf_init(&body, invocation->arena);
    if (!one_saga(invocation) || !verb_options(invocation) ||
        !remote_json(invocation, "output", "null", &output))
        return INVOCATION_USAGE;
    remote_actor(invocation, &body);
    remote_member(&body, "step", invocation_option(invocation, "step"));
    remote_member(&body, "result", invocation_option(invocation, "result"));
    remote_member(&body, "error_code", invocation_option(invocation, "error-code"));
    if (invocation_option(invocation, "keep-children") != NULL)
        buf_puts(&body, ",\"keep_children\":true");
    if (invocation_option(invocation, "hold-deadline") != NULL)
        buf_puts(&body, ",\"hold_deadline\":true");
    if (invocation_option(invocation, "output") != NULL)
        buf_printf(&body, ",\"output\":%.*s", STR_ARG(output));
    buf_char(&body, '}');
    struct str path =
        remote_saga(invocation, arena_printf(invocation->arena, "/%s", invocation->command->name).data);
    return remote_post(invocation, path, buf_str(&body), show_verb);
}

int remote_dead_letters(struct invocation *invocation)
{
    struct buf path;
    buf_init(&path, invocation->arena);
    buf_puts(&path, "/v1/dead-letters");
    if (!invocation_expects(invocation, 0, 0))
        return INVOCATION_USAGE;
    http_param(&path, "limit", invocation_option(invocation, "limit"));
    http_param(&path, "before", invocation_option(invocation, "before"));
    return remote_read(invocation, buf_str(&path), show_dead_letters);
}

/* As it was written; on a terminal as it may be shown there. */
static void show_source(const struct invocation *invocation, const struct json *definition)
{
    struct str source = json_get_str(definition, STR("source"));
    if (invocation->columns > 0)
        show_json(invocation->arena, source);
    else
        printf("%.*s", STR_ARG(source));
}

/* The address of what the arguments name: all definitions, one, one version. */
static struct buf definitions_path(struct invocation *invocation)
{
    struct buf path;
    buf_init(&path, invocation->arena);
    buf_puts(&path, "/v1/definitions");
    for (int i = 0; i < invocation->argument_count; i++) {
        buf_char(&path, '/');
        http_escape(&path, invocation->arguments[i]);
    }
    return path;
}

static int definitions(struct invocation *invocation, int least, int most)
{
    if (!invocation_expects(invocation, least, most))
        return INVOCATION_USAGE;
    struct buf path = definitions_path(invocation);
    return remote_read(invocation, buf_str(&path),
                       invocation->argument_count == 2 ? show_source : show_definitions);
}

int remote_definitions(struct invocation *invocation)
{
    return definitions(invocation, 0, 2);
}

int remote_definitions_list(struct invocation *invocation)
{
    return definitions(invocation, 0, 1);
}

int remote_definitions_show(struct invocation *invocation)
{
    return definitions(invocation, 2, 2);
}

static void show_enabled(const struct invocation *invocation, const struct json *definition)
{
    int64_t version = 0;
    const struct json *enabled = json_get(definition, STR("enabled"));
    (void)json_get_i64(definition, STR("version"), &version);
    printf("%.*s version %d is %s\n", STR_ARG(field(invocation, definition, "name")), (int)version,
           enabled != NULL && enabled->boolean ? "enabled" : "disabled");
}

int remote_definitions_enable(struct invocation *invocation)
{
    if (!invocation_expects(invocation, 2, 2))
        return INVOCATION_USAGE;
    struct buf path = definitions_path(invocation);
    buf_puts(&path, strcmp(invocation->command->name, "definitions enable") == 0 ? "/enable" : "/disable");
    struct http_answer answer = http_request(invocation, "POST", buf_str(&path), STR(""), NULL);
    return remote_print(invocation, &answer, show_enabled);
}

static void show_deleted(const struct invocation *invocation, const struct json *definition)
{
    int64_t version = 0;
    (void)json_get_i64(definition, STR("version"), &version);
    printf("%.*s version %d is deleted\n", STR_ARG(field(invocation, definition, "name")), (int)version);
}

int remote_definitions_delete(struct invocation *invocation)
{
    if (!invocation_expects(invocation, 2, 2))
        return INVOCATION_USAGE;
    struct buf path = definitions_path(invocation);
    struct http_answer answer = http_request(invocation, "DELETE", buf_str(&path), STR(""), NULL);
    return remote_print(invocation, &answer, show_deleted);
}

static void show_put(const struct invocation *invocation, const struct json *definition)
{
    const struct json *version = json_get(definition, STR("version"));
    printf("%.*s version %.*s is stored\n", STR_ARG(field(invocation, definition, "name")),
           STR_ARG(version == NULL ? STR("?") : show_plain(invocation->arena, version->text)));
}

/* Loads the file here first, because its schemas lie beside it here; what is sent is the bundle. */
static int put_file(struct invocation *invocation, const char *path)
{
    struct diag_list diags = {0};
    struct err_note note = {""};
    struct buf report;
    const struct plan *plan = NULL;
    buf_init(&report, invocation->arena);
    if (definition_load_file(invocation->arena, path, &diags, &plan, &note) == ERR_IO) {
        fprintf(stderr, "sagactl: %s\n", note.text);
        return INVOCATION_FAILED;
    }
    diag_render(&diags, &report); /* mistakes, or warnings */
    fprintf(stderr, "%.*s", STR_ARG(buf_str(&report)));
    if (plan == NULL)
        return INVOCATION_FAILED;
    struct str target =
        arena_printf(invocation->arena, "/v1/definitions/%.*s/%d", STR_ARG(plan->name), plan->version);
    struct http_answer answer =
        http_request(invocation, "PUT", target, plan->bundle, (const char *const[]){json_type, NULL});
    return remote_print(invocation, &answer, show_put);
}

int remote_put(struct invocation *invocation)
{
    int code = INVOCATION_FINE;
    if (!invocation_expects(invocation, 1, INVOCATION_FILES_MAX))
        return INVOCATION_USAGE;
    for (int i = 0; i < invocation->argument_count; i++) {
        int one = put_file(invocation, invocation->arguments[i]);
        code = one > code ? one : code;
    }
    return code;
}
