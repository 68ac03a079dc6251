/* One handler for each row of routes.def. A handler answers the request (request.h) or suspends it (calls.h);
 * it runs on a thread of the HTTP service, after the guard, with the whole body at hand. */
#pragma once

struct request;

#define X(method, path, handler, body, work, params, doc) void handlers_##handler(struct request *request);
#include "api/routes.def"
#undef X
