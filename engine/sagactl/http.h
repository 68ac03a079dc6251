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

/* method and path ("/v1/sagas"); body: text, "" for none; headers: "Name: value" …, ended by NULL, or NULL.
 * Everything in the invocation's arena. */
struct http_answer http_request(struct invocation *invocation, const char *method, struct str path,
                                struct str body, const char *const *headers);
/* Appends the text, percent-encoded but for letters, digits and -._~ */
void http_escape(struct buf *path, const char *text);
/* Appends "name=value", percent-encoded, with ? or & before it; nothing when value is NULL. */
void http_param(struct buf *path, const char *name, const char *value);
/* INVOCATION_FINE when the service did as asked and its answer is JSON. Else the exit code, after the refusal
 * (problem+json) was shown: for people on stderr, with --json as it came on stdout. */
int http_outcome(const struct invocation *invocation, const struct http_answer *answer);
