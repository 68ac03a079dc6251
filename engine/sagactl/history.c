#include "engine/sagactl/history.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/sagactl/http.h"
#include "engine/sagactl/show.h"

const struct json *history_page(struct invocation *invocation, int64_t *seq, bool *more, int *code)
{
    struct str path = arena_printf(invocation->arena, "/v1/sagas/%s/history?after=%" PRId64 "&limit=1000",
                                   invocation->arguments[0], *seq);
    struct http_answer answer = http_request(invocation, "GET", path, (struct str){0}, NULL);
    *code = http_outcome(invocation, &answer);
    if (*code != INVOCATION_FINE)
        return NULL;
    const struct json *items = json_get(answer.body, STR("items"));
    const struct json *next = json_get(answer.body, STR("next"));
    for (uint32_t i = 0; items != NULL && i < items->count; i++)
        (void)json_get_i64(items->items[i], STR("seq"), seq);
    *more = next != NULL && next->kind != JSON_NULL;
    return answer.body;
}

static void print_json(struct invocation *invocation, const struct json *page, bool first)
{
    const struct json *items = json_get(page, STR("items"));
    if (first)
        printf("{\"id\":\"%.*s\",\"items\":[",
               STR_ARG(show_plain(invocation->arena, json_get_str(page, STR("id")))));
    for (uint32_t i = 0; items != NULL && i < items->count; i++)
        printf("%s\n%.*s", first && i == 0 ? "" : ",",
               STR_ARG(show_plain(invocation->arena, json_text(invocation->arena, items->items[i]))));
}

int history_run(struct invocation *invocation)
{
    struct id id;
    int64_t seq = 0;
    int code = INVOCATION_FINE;
    if (!invocation_expects(invocation, 1, 1) || !invocation_id(invocation, invocation->arguments[0], &id))
        return INVOCATION_USAGE;
    for (bool more = true, first = true; more; first = false) {
        const struct json *page = history_page(invocation, &seq, &more, &code);
        if (page == NULL)
            return code;
        if (invocation->json)
            print_json(invocation, page, first);
        else
            show_records(invocation, page);
    }
    if (invocation->json)
        printf("]}\n");
    return INVOCATION_FINE;
}
