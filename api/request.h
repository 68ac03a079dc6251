/* One HTTP request on its way: what came, what is answered, and its memory, which lives until the answer was
 * sent. Handlers see only this; api.c knows libmicrohttpd. Used by one thread at a time. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "api/guard.h"
#include "api/page.h"
#include "api/route.h"
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/runtime/engine.h"

enum { REQUEST_HEADERS_MAX = 6 };
enum request_stage {
    REQUEST_HEAD,      /* the request line is here */
    REQUEST_BODY,      /* admitted; the body arrives */
    REQUEST_SUSPENDED, /* the engine or a worker works */
    REQUEST_WORK,      /* a handler runs */
    REQUEST_ANSWERED   /* status and text are set */
};
struct api;
struct calls_ticket;
struct MHD_Connection;

struct request {
    struct api *api;
    struct MHD_Connection *connection;
    struct arena arena;
    enum request_stage stage;
    int64_t begun_us; /* monotonic: when its last byte, or the first refused one, was there */

    struct guard_request head;
    struct guard_header headers[GUARD_HEADERS_MAX + 1];
    struct guard_target target;
    struct guard_framing framing;
    const struct route *route; /* NULL: none fits */
    struct buf body;
    uint64_t body_seen; /* bytes that came; more than body.size when it is too large */

    bool close;      /* the connection, after the answer: what follows cannot be trusted */
    unsigned status; /* 0: none yet */
    struct str type; /* media type */
    struct str text;
    struct guard_header answer_headers[REQUEST_HEADERS_MAX];
    uint32_t answer_header_count;

    bool sent;   /* the answer was given to the library */
    size_t held; /* its part of api->held */

    /* Between workers_submit and the worker's end. */
    bool on_worker; /* written by the library's thread only */
    struct request *queued;
    void (*step)(struct request *request);

    /* Between calls_begin and the engine's answer. */
    struct calls_ticket *ticket;
    struct request *previous, *next; /* in the list of suspended ones */
    void (*go_on)(struct request *request);
    void *work; /* the handler's own, in the arena */
    struct engine_answer answer;
    struct err_note answer_note;
};

/* Answers. The last one wins; texts must live in the arena or for ever. */
void request_answer(struct request *request, unsigned status, struct str type, struct str text);
void request_answer_json(struct request *request, unsigned status, struct str text);
/* instance is filled in; 429 and 503 get Retry-After: 1. */
void request_answer_page(struct request *request, const struct page *page);
void request_refuse(struct request *request, enum page_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What an error of store or engine means to a client. */
void request_refuse_err(struct request *request, enum err error, const struct err_note *note);
/* value without CR and LF. */
void request_add_header(struct request *request, struct str name, struct str value);

/* The query parameter, or NULL. */
const struct str *request_param(const struct request *request, struct str name);
/* Counts what the request's memory holds into the service's sum. */
void request_hold(struct request *request);
/* True when no more than small requests should be taken now. */
bool request_is_crowded(const struct request *request);
/* Answers that there is too much to do, with 503. */
void request_refuse_busy(struct request *request);
/* A parameter from 1 to `most`; `otherwise` when it is not given. False: answered. */
bool request_number(struct request *request, struct str name, int64_t least, int64_t most, int64_t otherwise,
                    int64_t *value);
/* Whether the body's media type is the route's. False: answered with 415. */
bool request_check_type(struct request *request);
/* True for a body of JSON, false for YAML. */
bool request_is_json(const struct request *request);
/* The body as a JSON object. NULL: answered. */
const struct json *request_body_object(struct request *request);
/* The saga id of the path's third segment. False: answered. */
bool request_saga_id(struct request *request, struct id *id);
