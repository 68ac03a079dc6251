/* Requests to the service, over libcurl. One thread. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "engine/sagactl/invocation.h"

struct http_answer {
    long status;             /* 0: the service did not answer; a sentence is on stderr */
    struct str text;         /* the body */
    const struct json *body; /* NULL when it is no JSON */
};

/* method and path ("/v1/sagas"); body: JSON or YAML text, "" for none. Everything in the invocation's arena.
 */
struct http_answer http_request(struct invocation *invocation, const char *method, struct str path,
                                struct str body, const char *content_type);
/* Appends "name=value", percent-encoded, with ? or & before it; nothing when value is NULL. */
void http_param(struct buf *path, const char *name, const char *value);
/* Shows a refusal (problem+json) for people, on stderr, or as it came with --json, on stdout. The exit code
 * that goes with it. */
int http_refused(const struct invocation *invocation, const struct http_answer *answer);
