#include "engine/sagactl/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include "engine/sagactl/show.h"

enum { ANSWER_BYTES_MAX = 67108864 }; /* eight times the service's longest page */

/* Taking less than was offered ends the transfer with an error. */
static size_t take(char *data, size_t size, size_t count, void *context)
{
    if (buf_str(context).size + size * count > ANSWER_BYTES_MAX)
        return 0;
    buf_put(context, (struct str){data, size * count});
    return size * count;
}

static struct curl_slist *header_lines(const char *const *headers)
{
    struct curl_slist *lines = curl_slist_append(NULL, "Expect:"); /* no round trip for 100-continue */
    for (; headers != NULL && *headers != NULL; headers++)
        lines = curl_slist_append(lines, *headers);
    return lines;
}

static struct http_answer perform(CURL *curl, struct invocation *invocation, const char *url)
{
    struct http_answer answer = {0};
    struct buf text;
    struct err_note note;
    buf_init(&text, invocation->arena);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        fprintf(
            stderr,
            "sagactl: no answer from %s: %s; is sagad running there? (--url or SAGAD_URL names another)\n",
            url, curl_easy_strerror(code));
        return answer;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    answer.text = buf_str(&text);
    if (json_parse(invocation->arena, answer.text, SIZE_MAX, &answer.body, &note) != ERR_OK)
        answer.body = NULL;
    return answer;
}

struct http_answer http_request(struct invocation *invocation, const char *method, struct str path,
                                struct str body, const char *const *headers)
{
    CURL *curl = curl_easy_init();
    struct str base = str_from(invocation_url(invocation));
    while (str_ends(base, STR("/")))
        base.size--;
    struct str url = arena_printf(invocation->arena, "%.*s%.*s", STR_ARG(base), STR_ARG(path));
    struct curl_slist *lines = header_lines(headers);
    curl_easy_setopt(curl, CURLOPT_URL, url.data);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 90L); /* the longest wait is 60 s */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (body.size > 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
    }
    struct http_answer answer = perform(curl, invocation, base.data);
    curl_slist_free_all(lines);
    curl_easy_cleanup(curl);
    return answer;
}

void http_escape(struct buf *path, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                     strchr("-._~", *c) != NULL;
        if (plain)
            buf_char(path, *c);
        else
            buf_printf(path, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

void http_param(struct buf *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    struct str so_far = buf_str(path);
    buf_char(path, str_find(so_far, '?') == so_far.size ? '?' : '&');
    http_escape(path, name);
    buf_char(path, '=');
    http_escape(path, value);
}

static void show_errors(const struct json *errors, struct arena *arena)
{
    for (uint32_t i = 0; errors != NULL && errors->kind == JSON_ARRAY && i < errors->count; i++)
        fprintf(stderr, "  %.*s: %.*s\n",
                STR_ARG(show_plain(arena, json_get_str(errors->items[i], STR("pointer")))),
                STR_ARG(show_plain(arena, json_get_str(errors->items[i], STR("detail")))));
}

static void show_problem(const struct invocation *invocation, const struct json *problem)
{
    struct arena *arena = invocation->arena;
    struct str detail = show_plain(arena, json_get_str(problem, STR("detail")));
    struct str hint = show_plain(arena, json_get_str(problem, STR("hint")));
    struct str rendered = json_get_str(problem, STR("rendered")); /* the diagnostics of a definition */
    fprintf(stderr, "sagactl %s: %.*s%s%.*s\n", invocation->command->name,
            STR_ARG(show_plain(arena, json_get_str(problem, STR("title")))), detail.size > 0 ? ": " : "",
            STR_ARG(detail));
    if (hint.size > 0)
        fprintf(stderr, "  hint: %.*s\n", STR_ARG(hint));
    if (rendered.size > 0)
        show_report(arena, rendered);
    else
        show_errors(json_get(problem, STR("errors")), arena);
}

int http_outcome(const struct invocation *invocation, const struct http_answer *answer)
{
    if (answer->status == 0)
        return INVOCATION_AWAY;
    if (answer->body == NULL) {
        fprintf(stderr,
                "sagactl: what %s answered (%ld) is not JSON: is that sagad? (--url or SAGAD_URL names "
                "another)\n",
                invocation_url(invocation), answer->status);
        return INVOCATION_AWAY;
    }
    if (answer->status >= 200 && answer->status <= 299)
        return INVOCATION_FINE;
    if (invocation->json)
        show_json(invocation->arena, answer->text);
    else
        show_problem(invocation, answer->body);
    return answer->status >= 500 || answer->status == 429 ? INVOCATION_AWAY : INVOCATION_FAILED;
}
