#include "engine/sagactl/graph.h"

#include <stdio.h>
#include "engine/model/graph.h"
#include "engine/sagactl/http.h"
#include "engine/sagactl/source.h"

/* The saga as the service shows it; NULL after a sentence, *code is then the exit code. */
static const struct json *saga_view(struct invocation *invocation, const char *id, int *code)
{
    struct id parsed;
    *code = INVOCATION_USAGE;
    if (!invocation_id(invocation, id, &parsed))
        return NULL;
    struct str path = arena_printf(invocation->arena, "/v1/sagas/%s", id);
    struct http_answer answer = http_request(invocation, "GET", path, STR(""), NULL);
    *code = http_outcome(invocation, &answer);
    return *code == INVOCATION_FINE ? answer.body : NULL;
}

/* The very version the saga runs under. */
static const char *source_of(struct invocation *invocation, const struct json *saga)
{
    int64_t version = 0;
    (void)json_get_i64(saga, STR("version"), &version);
    return arena_printf(invocation->arena, "%.*s@%d", STR_ARG(json_get_str(saga, STR("definition"))),
                        (int)version)
        .data;
}

static bool fits(const struct plan *plan, const struct json *saga)
{
    bool same = str_equal(str_from(plan->hash), json_get_str(saga, STR("hash")));
    if (!same)
        fprintf(stderr,
                "sagactl graph: the saga runs under another definition than %.*s version %d of this file: "
                "leave the file out\n",
                STR_ARG(plan->name), plan->version);
    return same;
}

static bool understood(const struct invocation *invocation, enum graph_format *format)
{
    const char *word = invocation_option(invocation, "format"), *saga = invocation_option(invocation, "saga");
    if (!invocation_expects(invocation, saga == NULL ? 1 : 0, 1))
        return false;
    if (word == NULL || graph_format_parse(str_from(word), format))
        return true;
    fprintf(stderr, "sagactl graph: --format takes mermaid, dot or svg, not \"%s\"\n", word);
    return false;
}

static void print(const struct invocation *invocation, struct str text)
{
    struct buf out;
    buf_init(&out, invocation->arena);
    if (invocation->json) {
        buf_puts(&out, "{\"graph\":");
        json_write_string(&out, text);
        buf_puts(&out, "}\n");
    } else {
        buf_put(&out, text);
    }
    fwrite(out.data, 1, out.size, stdout);
}

int graph_run(struct invocation *invocation)
{
    enum graph_format format = GRAPH_MERMAID;
    const char *id = invocation_option(invocation, "saga");
    const struct json *saga = NULL;
    int code = INVOCATION_FINE;
    struct buf out;
    buf_init(&out, invocation->arena);
    if (!understood(invocation, &format))
        return INVOCATION_USAGE;
    if (id != NULL && (saga = saga_view(invocation, id, &code)) == NULL)
        return code;
    const char *source =
        invocation->argument_count > 0 ? invocation->arguments[0] : source_of(invocation, saga);
    const struct plan *plan = source_load(invocation, source, &code);
    if (plan == NULL)
        return code;
    if (saga != NULL && !fits(plan, saga))
        return INVOCATION_FAILED;
    graph_write(&out, plan, saga, format);
    print(invocation, buf_str(&out));
    return INVOCATION_FINE;
}
