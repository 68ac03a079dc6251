/* The HTTP service: dashboards, operators and clients that start sagas. Over libmicrohttpd and the engine.
 *
 * Happy path: api_open listens and serves on its own threads; api_close answers who waits and returns when
 * all connections are closed. Close it before the engine. Owns its threads, connections and store handles;
 * borrows the engine; raises the process's soft limit of open files as far as it needs and may. Failure
 * modes: an address that is not loopback is refused, because there is no authentication yet; while PostgreSQL
 * is away reads answer 503. Open and close from one thread. */
#pragma once
#include <stdint.h>
#include "engine/base/err.h"
#include "engine/runtime/engine.h"

struct api;
struct api_options {
    const char *address; /* "127.0.0.1:8080", "[::1]:8080", "localhost:8080"; port 0: any free one */
    struct engine *engine;
    uint32_t threads;         /* 0: 4; 1 counts as 2, because libmicrohttpd ignores a pool of one */
    uint32_t connections_max; /* 0: 8192, or what the limit of open files leaves */
    uint32_t request_ms;      /* for a whole request to arrive; 0: 15 s */
    size_t held_bytes_max;    /* bodies, work and answers of all requests; 0: LIMITS_HTTP_HELD_BYTES */
    uint32_t idle_ms;         /* for the next request to begin, or an answer to be taken; 0: 75 s */
};

/* ERR_INVALID: the address, with a sentence. ERR_UNAVAILABLE: it cannot be listened on. */
enum err api_open(const struct api_options *options, struct api **api, struct err_note *note)
    __attribute__((warn_unused_result));
/* NULL is allowed. */
void api_close(struct api *api);
/* "http://127.0.0.1:8080": where it really listens; good as long as api. */
const char *api_url(const struct api *api);
uint16_t api_port(const struct api *api);
