#include "engine/sagactl/source.h"

#include <stdio.h>
#include <sys/stat.h>
#include "engine/definition/definition.h"
#include "engine/sagactl/http.h"

static const struct plan *show_mistakes(struct invocation *invocation, struct diag_list *diags)
{
    struct buf report;
    buf_init(&report, invocation->arena);
    diag_render(diags, &report);
    fprintf(stderr, "%.*s", STR_ARG(buf_str(&report)));
    return NULL;
}

static const struct plan *load_file(struct invocation *invocation, const char *path)
{
    struct diag_list diags = {0};
    struct err_note note = {""};
    const struct plan *plan = NULL;
    if (definition_load_file(invocation->arena, path, &diags, &plan, &note) == ERR_IO) {
        fprintf(stderr, "sagactl %s: %s\n", invocation->command->name, note.text);
        return NULL;
    }
    return plan != NULL ? plan : show_mistakes(invocation, &diags);
}

static const struct json *ask(struct invocation *invocation, struct buf *path, int *code)
{
    struct http_answer answer = http_request(invocation, "GET", buf_str(path), STR(""), NULL);
    *code = http_outcome(invocation, &answer);
    return *code == INVOCATION_FINE ? answer.body : NULL;
}

/* The newest enabled version of those the service lists; 0: none. */
static int64_t newest(const struct json *page)
{
    int64_t most = 0, version = 0;
    const struct json *items = json_get(page, STR("items"));
    for (uint32_t i = 0; items != NULL && i < items->count; i++) {
        const struct json *enabled = json_get(items->items[i], STR("enabled"));
        if (json_get_i64(items->items[i], STR("version"), &version) && version > most &&
            (enabled == NULL || enabled->boolean))
            most = version;
    }
    return most;
}

/* The definition's address: "/v1/definitions/order/3". False after a sentence. */
static bool find_version(struct invocation *invocation, struct str name, struct str version, struct buf *path,
                         int *code)
{
    buf_init(path, invocation->arena);
    buf_puts(path, "/v1/definitions/");
    http_escape(path, arena_copy(invocation->arena, name).data);
    if (version.size > 0) {
        buf_char(path, '/');
        http_escape(path, version.data);
        return true;
    }
    const struct json *page = ask(invocation, path, code);
    int64_t number = page == NULL ? 0 : newest(page);
    if (page != NULL && number == 0) {
        *code = INVOCATION_FAILED;
        fprintf(stderr, "sagactl %s: no version of %.*s is enabled; name one: %.*s@VERSION\n",
                invocation->command->name, STR_ARG(name), STR_ARG(name));
    }
    buf_char(path, '/');
    buf_i64(path, number);
    return number > 0;
}

static const struct plan *load_stored(struct invocation *invocation, struct str source, int *code)
{
    struct diag_list diags;
    struct buf path, bundle;
    struct str name = str_slice(source, 0, str_find(source, '@'));
    struct str version = str_slice(source, name.size + 1, source.size);
    if (!find_version(invocation, name, version, &path, code))
        return NULL;
    const struct json *definition = ask(invocation, &path, code);
    if (definition == NULL)
        return NULL;
    buf_init(&bundle, invocation->arena);
    buf_puts(&bundle, "{\"yaml\":");
    json_write_string(&bundle, json_get_str(definition, STR("source")));
    buf_puts(&bundle, ",\"files\":");
    json_write(&bundle, json_get(definition, STR("files")));
    buf_char(&bundle, '}');
    diag_init(&diags, invocation->arena, source, json_get_str(definition, STR("source")));
    const struct plan *plan = definition_load_bundle(invocation->arena, buf_str(&bundle), &diags);
    *code = INVOCATION_FAILED;
    return plan != NULL ? plan : show_mistakes(invocation, &diags);
}

const struct plan *source_load(struct invocation *invocation, const char *source, int *code)
{
    struct stat found;
    struct str text = str_from(source);
    bool file = stat(source, &found) == 0 || str_ends(text, STR(".yaml")) || str_ends(text, STR(".yml")) ||
                str_find(text, '/') < text.size;
    *code = INVOCATION_FAILED;
    return file ? load_file(invocation, source) : load_stored(invocation, text, code);
}
