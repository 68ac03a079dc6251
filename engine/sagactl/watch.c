#include "engine/sagactl/watch.h"

#include <stdio.h>
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/ops/process.h"
#include "engine/sagactl/history.h"
#include "engine/sagactl/http.h"
#include "engine/sagactl/show.h"

enum { LOOK_MS = 250 }; /* between two looks: soon enough for a human, cheap for the service */

/* Prints the records behind *seq; the exit code when that fails. */
static int print_new(struct invocation *invocation, int64_t *seq)
{
    int code = INVOCATION_FINE;
    for (bool more = true; more;) {
        const struct json *page = history_page(invocation, seq, &more, &code);
        if (page == NULL)
            return code;
        const struct json *items = json_get(page, STR("items"));
        for (uint32_t i = 0; invocation->json && items != NULL && i < items->count; i++)
            printf("%.*s\n",
                   STR_ARG(show_plain(invocation->arena, json_text(invocation->arena, items->items[i]))));
        if (!invocation->json)
            show_records(invocation, page);
        fflush(stdout);
    }
    return INVOCATION_FINE;
}

static bool moves(struct str status)
{
    return str_equal(status, STR("running")) || str_equal(status, STR("compensating"));
}

static int rest(const struct invocation *invocation, struct str status)
{
    struct str shown = show_plain(invocation->arena, status);
    if (invocation->json)
        printf("{\"id\":\"%s\",\"status\":\"%.*s\"}\n", invocation->arguments[0], STR_ARG(shown));
    else
        printf("%.*s\n", STR_ARG(shown));
    return str_equal(status, STR("completed")) ? INVOCATION_FINE : INVOCATION_FAILED;
}

/* One look: the status first, so that a saga at rest has all its records printed. False while it moves. */
static bool look(struct invocation *invocation, int64_t *seq, int *code)
{
    struct str path = arena_printf(invocation->arena, "/v1/sagas/%s", invocation->arguments[0]);
    struct http_answer answer = http_request(invocation, "GET", path, (struct str){0}, NULL);
    *code = http_outcome(invocation, &answer);
    if (*code == INVOCATION_FINE)
        *code = print_new(invocation, seq);
    if (*code != INVOCATION_FINE)
        return true;
    struct str status = json_get_str(answer.body, STR("status"));
    if (moves(status))
        return false;
    *code = rest(invocation, status);
    return true;
}

static int follow(struct invocation *invocation, int64_t timeout_us)
{
    struct invocation looking = *invocation;
    struct arena arena; /* of one look: a watch may last for days */
    int64_t seq = 0, until_us = timeout_us == 0 ? INT64_MAX : clock_monotonic_us() + timeout_us;
    int code = INVOCATION_FAILED;
    bool over = false;
    arena_init(&arena, 0);
    looking.arena = &arena;
    while (!(over = look(&looking, &seq, &code)) && clock_monotonic_us() < until_us) {
        arena_reset(&arena);
        process_pause(LOOK_MS);
    }
    arena_fini(&arena);
    if (!over)
        fprintf(stderr, "sagactl watch: the saga had not come to rest after %s\n",
                invocation_option(invocation, "timeout"));
    return over ? code : INVOCATION_FAILED;
}

int watch_run(struct invocation *invocation)
{
    struct id id;
    int64_t timeout_us = 0;
    const char *timeout = invocation_option(invocation, "timeout");
    if (!invocation_expects(invocation, 1, 1) || !invocation_id(invocation, invocation->arguments[0], &id))
        return INVOCATION_USAGE;
    if (timeout != NULL && (!duration_parse(str_from(timeout), &timeout_us) || timeout_us == 0)) {
        fprintf(stderr, "sagactl watch: --timeout takes a duration like 30s or 5m, not \"%s\"\n", timeout);
        return INVOCATION_USAGE;
    }
    return follow(invocation, timeout_us);
}
