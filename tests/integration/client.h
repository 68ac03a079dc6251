/* An HTTP client for tests: one connection a call, whole answers, and no answer is an answer too, because the
 * other side is killed in the middle. */
#pragma once
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/json.h"

struct client_answer {
    int status; /* 0: none came, or not the whole */
    struct str head;
    struct str body;
    const struct json *json; /* the body, when it is JSON; else NULL */
};

/* body NULL: none; `type` is its media type, NULL: JSON. Waits at most 70 s for the answer. */
struct client_answer client_send(uint16_t port, struct arena *arena, const char *method, const char *target,
                                 const char *type, struct str body);
struct client_answer client_get(uint16_t port, struct arena *arena, const char *target);
struct client_answer client_post(uint16_t port, struct arena *arena, const char *target, struct str json);
