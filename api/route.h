/* Which handler serves a path, from one table (routes.def). Pure: any thread. */
#pragma once
#include <stdbool.h>
#include "api/guard.h"
#include "engine/base/arena.h"
#include "engine/base/str.h"

struct request;

enum route_work { ROUTE_WORK_NONE, ROUTE_WORK_START, ROUTE_WORK_WRITE, ROUTE_WORK_READ, ROUTE_WORK_PLAN };
enum route_body { ROUTE_BODY_NONE, ROUTE_BODY_JSON, ROUTE_BODY_YAML };
struct route {
    struct str method;
    struct str pattern;
    void (*serve)(struct request *request); /* answers the request, or suspends it */
    enum route_body body;
    enum route_work work;
    struct str params;
    struct str doc;
};

/* All of them, in the order of the table. */
const struct route *route_table(size_t *count);
/* The route of (method, path); HEAD finds GET. NULL: then `allow` lists the methods the path takes, "" when
 * there is nothing at this path. */
const struct route *route_find(struct str method, const struct guard_target *target, struct arena *arena,
                               struct str *allow);
/* True when every query parameter is one of the route's. Else `fault` names the first that is not and what it
 * may have meant. */
bool route_check_params(const struct route *route, const struct guard_target *target, struct arena *arena,
                        struct guard_fault *fault);
/* Bytes of body the route takes at most. */
size_t route_body_max(const struct route *route);
