#include "api/route.h"
#include "api/handlers.h"
#include "api/literal.h"
#include "engine/base/buf.h"
#include "engine/base/limits.h"

#define ROUTE_FRAME_BYTES 16384 /* what stands around a payload in a body: names, key, reason, actor */

static const struct route routes[] = {
#define X(method, path, handler, body, work, params, doc)                                                    \
    {LITERAL(#method),  LITERAL(path),   handlers_##handler, ROUTE_BODY_##body,                              \
     ROUTE_WORK_##work, LITERAL(params), LITERAL(doc)},
#include "api/routes.def"
#undef X
};
enum { ROUTE_COUNT = sizeof routes / sizeof routes[0] };

const struct route *route_table(size_t *count)
{
    *count = ROUTE_COUNT;
    return routes;
}

static bool matches(struct str pattern, const struct guard_target *target)
{
    uint32_t index = 0;
    for (size_t begin = 1; begin < pattern.size; index++) {
        size_t size = str_find(str_slice(pattern, begin, pattern.size), '/');
        struct str want = str_slice(pattern, begin, begin + size);
        if (index == target->segment_count)
            return false;
        bool any = str_starts(want, STR("{")) && target->segments[index].size > 0;
        if (!any && !str_equal(want, target->segments[index]))
            return false;
        begin += size + 1;
    }
    return index == target->segment_count;
}

const struct route *route_find(struct str method, const struct guard_target *target, struct arena *arena,
                               struct str *allow)
{
    struct buf methods;
    buf_init(&methods, arena);
    bool head = str_equal(method, STR("HEAD"));
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = &routes[i];
        if (!matches(route->pattern, target))
            continue;
        if (str_equal(route->method, head ? STR("GET") : method))
            return route;
        buf_puts(&methods, methods.size ? ", " : "");
        buf_put(&methods, route->method);
        buf_puts(&methods, str_equal(route->method, STR("GET")) ? ", HEAD" : "");
    }
    *allow = buf_str(&methods);
    return NULL;
}

static bool next_word(struct str text, size_t *at, struct str *word)
{
    if (*at >= text.size)
        return false;
    size_t size = str_find(str_slice(text, *at, text.size), ' ');
    *word = str_slice(text, *at, *at + size);
    *at += size + 1;
    return true;
}

static bool knows_param(struct str params, struct str name, struct str *nearest)
{
    struct str word;
    size_t best = 3; /* more edits than that are another word */
    for (size_t at = 0; next_word(params, &at, &word);) {
        bool prefix = str_ends(word, STR("."));
        if (prefix ? str_starts(name, word) && name.size > word.size : str_equal(name, word))
            return true;
        size_t distance = str_distance(name, word, 2);
        if (distance < best) {
            best = distance;
            *nearest = word;
        }
    }
    return false;
}

bool route_check_params(const struct route *route, const struct guard_target *target, struct arena *arena,
                        struct guard_fault *fault)
{
    for (uint32_t i = 0; i < target->param_count; i++) {
        struct str name = target->params[i].name;
        struct str nearest = {NULL, 0};
        if (knows_param(route->params, name, &nearest))
            continue;
        fault->kind = PAGE_UNKNOWN_PARAMETER;
        if (nearest.size)
            fault->detail = arena_printf(arena, "unknown parameter \"%.*s\"; did you mean \"%.*s\"?",
                                         STR_ARG(name), STR_ARG(nearest));
        else
            fault->detail = arena_printf(arena, "unknown parameter \"%.*s\"; known are: %.*s", STR_ARG(name),
                                         STR_ARG(route->params.size ? route->params : STR("none")));
        return false;
    }
    return true;
}

size_t route_body_max(const struct route *route)
{
    switch (route->body) {
    case ROUTE_BODY_NONE:
        return 0;
    case ROUTE_BODY_JSON:
        return LIMITS_PAYLOAD_BYTES + ROUTE_FRAME_BYTES;
    case ROUTE_BODY_YAML:
        return LIMITS_HTTP_BODY_BYTES;
    }
    return 0;
}
