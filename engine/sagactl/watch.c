#include "engine/sagactl/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/sagactl/http.h"
#include "engine/sagactl/show.h"

static const struct timespec between_looks = {.tv_nsec = 300000000};

/* Prints the records after *seq and moves it; false after a refusal, *code says which. */
static bool print_new(struct invocation *invocation, int64_t *seq, int *code)
{
    struct str path = arena_printf(invocation->arena, "/v1/sagas/%s/history?after=%" PRId64 "&limit=1000",
                                   invocation->arguments[0], *seq);
    struct http_answer answer = http_request(invocation, "GET", path, (struct str){0}, NULL);
    if (answer.status != 200 || answer.body == NULL) {
        *code = http_refused(invocation, &answer);
        return false;
    }
    const struct json *items = json_get(answer.body, STR("items"));
    for (uint32_t i = 0; items != NULL && i < items->count; i++) {
        (void)json_get_i64(items->items[i], STR("seq"), seq);
        if (invocation->json)
            printf("%.*s\n", STR_ARG(json_text(invocation->arena, items->items[i])));
    }
    if (!invocation->json)
        show_records(answer.body);
    fflush(stdout);
    return true;
}

/* The status once it rests; "" while it moves. */
static struct str resting(struct invocation *invocation, int *code)
{
    struct str path = arena_printf(invocation->arena, "/v1/sagas/%s", invocation->arguments[0]);
    struct http_answer answer = http_request(invocation, "GET", path, (struct str){0}, NULL);
    if (answer.status != 200) {
        *code = http_refused(invocation, &answer);
        return STR("?");
    }
    struct str status = json_get_str(answer.body, STR("status"));
    bool moves = str_equal(status, STR("running")) || str_equal(status, STR("compensating"));
    return moves ? (struct str){0} : status;
}

int watch_run(struct invocation *invocation)
{
    int64_t seq = 0, timeout_us = 0;
    int code = INVOCATION_FAILED;
    const char *timeout = invocation_option(invocation, "timeout");
    if (!invocation_expects(invocation, 1, 1))
        return INVOCATION_USAGE;
    if (timeout != NULL && !duration_parse(str_from(timeout), &timeout_us)) {
        fprintf(stderr, "sagactl watch: --timeout takes a duration: 30s, 5m\n");
        return INVOCATION_USAGE;
    }
    int64_t until_us = timeout_us == 0 ? INT64_MAX : clock_monotonic_us() + timeout_us;
    while (clock_monotonic_us() < until_us) {
        struct str status = resting(invocation, &code);
        if (!print_new(invocation, &seq, &code))
            return code;
        if (status.size > 0) {
            if (!invocation->json)
                printf("%.*s\n", STR_ARG(status));
            return str_equal(status, STR("completed")) ? INVOCATION_FINE : code;
        }
        nanosleep(&between_looks, NULL);
    }
    fprintf(stderr, "sagactl: the saga had not come to rest after %s\n", timeout);
    return INVOCATION_FAILED;
}
