#include "api/overlay.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "api/connections.h"
#include "api/literal.h"
#include "api/page.h"
#include "engine/base/check.h"
#include "engine/ops/metrics.h"

static enum MHD_Result (*library_queue)(struct MHD_Connection *, unsigned, struct MHD_Response *);
static pthread_once_t found = PTHREAD_ONCE_INIT;

static void find_library(void)
{
    void *symbol = dlsym(RTLD_NEXT, "MHD_queue_response");
    check(symbol != NULL);
    memcpy(&library_queue, &symbol,
           sizeof library_queue); /* POSIX: a pointer to a function fits one to data */
}

enum MHD_Result overlay_queue(struct MHD_Connection *connection, unsigned status,
                              struct MHD_Response *response)
{
    pthread_once(&found, find_library);
    return library_queue(connection, status, response);
}

/* The library's own statuses, and what each of them means here. */
struct refusal {
    unsigned status;
    enum page_kind kind;
    struct str detail;
};
static const struct refusal refusals[] = {
    {400, PAGE_MALFORMED_REQUEST,
     LITERAL("the request line, a header line, Content-Length or a chunk of the body cannot be read; a line "
             "is `Name: value` and ends "
             "with CR LF, a length is decimal, a chunk's size hexadecimal")},
    {413, PAGE_TOO_LARGE,
     LITERAL("the length of the body, or of a chunk, is larger than any body taken here")},
    {414, PAGE_TARGET_TOO_LONG, LITERAL("the request line is longer than the service reads")},
    {431, PAGE_HEADERS_TOO_LARGE,
     LITERAL("the header, or the trailer behind a body in chunks, is larger than the service reads")},
    {500, PAGE_MALFORMED_REQUEST,
     LITERAL("the line with a chunk's size and its extensions is longer than the service reads; leave the "
             "extensions out")},
    {505, PAGE_UNKNOWN_VERSION, LITERAL("this service speaks HTTP/1.1 and HTTP/1.0")},
};
static const struct refusal otherwise = {0, PAGE_MALFORMED_REQUEST, LITERAL("the request cannot be read")};

static const struct refusal *find_refusal(unsigned status)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (refusals[i].status == status)
            return &refusals[i];
    return &otherwise;
}

__attribute__((visibility("default"))) enum MHD_Result
MHD_queue_response(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const struct refusal *refusal = find_refusal(status);
    (void)response; /* an HTML page, which its owner frees */
    if (info && info->socket_context) {
        char text[16];
        struct page page = {.kind = refusal->kind, .detail = refusal->detail};
        snprintf(text, sizeof text, "%u", page_status(page.kind));
        metrics_add(METRICS_HTTP_REQUESTS, 1, STR("none"), str_from(text)); /* before the client can look */
        connections_refuse(info->socket_context, &page);
    }
    return MHD_NO;
}
