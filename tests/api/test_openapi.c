/* The contract and the table of routes are one: the same paths, methods, query parameters and bodies. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "api/openapi.h"
#include "api/page.h"
#include "api/route.h"
#include "engine/base/json.h"

static struct arena arena;
static const struct json *contract;

static void read_contract(void)
{
    struct err_note note = {""};
    arena_init(&arena, 0);
    cr_assert_eq(json_parse(&arena, openapi_to_json(&arena), SIZE_MAX, &contract, &note), ERR_OK, "%s",
                 note.text);
}

static void drop_contract(void)
{
    arena_fini(&arena);
}

static const struct json *operation_of(const struct route *route)
{
    char method[16] = "";
    for (size_t i = 0; i < route->method.size; i++)
        method[i] = (char)tolower(route->method.data[i]);
    return json_get(json_get(json_get(contract, STR("paths")), route->pattern), str_from(method));
}

Test(openapi, has_every_route, .init = read_contract, .fini = drop_contract)
{
    size_t count = 0;
    const struct route *routes = route_table(&count);
    for (size_t i = 0; i < count; i++) {
        const struct json *operation = operation_of(&routes[i]);
        cr_assert_not_null(operation, "%.*s %.*s is not in the contract", STR_ARG(routes[i].method),
                           STR_ARG(routes[i].pattern));
        cr_assert(json_get_str(operation, STR("summary")).size > 0);
        cr_assert_eq(json_get(operation, STR("requestBody")) != NULL, routes[i].body != ROUTE_BODY_NONE,
                     "%.*s: body", STR_ARG(routes[i].pattern));
    }
}

static bool is_routed(struct str path, struct str method)
{
    size_t count = 0;
    const struct route *routes = route_table(&count);
    for (size_t i = 0; i < count; i++)
        if (str_equal(routes[i].pattern, path) && routes[i].method.size == method.size &&
            strncasecmp(routes[i].method.data, method.data, method.size) == 0)
            return true;
    return false;
}

Test(openapi, promises_nothing_else, .init = read_contract, .fini = drop_contract)
{
    const struct json *paths = json_get(contract, STR("paths"));
    for (uint32_t i = 0; i < paths->count; i++) {
        const struct json *item = paths->members[i].value;
        for (uint32_t k = 0; k < item->count; k++) {
            if (str_equal(item->members[k].key, STR("parameters")))
                continue;
            cr_assert(is_routed(paths->members[i].key, item->members[k].key), "%.*s %.*s is not served",
                      STR_ARG(item->members[k].key), STR_ARG(paths->members[i].key));
        }
    }
}

/* "search." of the table is "search" in the contract. */
static bool lists(struct str words, struct str name)
{
    for (size_t at = 0; at < words.size;) {
        struct str rest = str_slice(words, at, words.size);
        struct str word = str_slice(rest, 0, str_find(rest, ' '));
        at += word.size + 1;
        if (str_ends(word, STR(".")))
            word.size--;
        if (str_equal(word, name))
            return true;
    }
    return false;
}

Test(openapi, has_the_same_query_parameters, .init = read_contract, .fini = drop_contract)
{
    size_t count = 0;
    const struct route *routes = route_table(&count);
    for (size_t i = 0; i < count; i++) {
        const struct json *params = json_get(operation_of(&routes[i]), STR("parameters"));
        uint32_t words = routes[i].params.size > 0;
        for (size_t k = 0; k < routes[i].params.size; k++)
            words += routes[i].params.data[k] == ' ';
        cr_assert_eq(params ? params->count : 0, words, "%.*s", STR_ARG(routes[i].pattern));
        for (uint32_t k = 0; k < words; k++)
            cr_assert(lists(routes[i].params, json_get_str(params->items[k], STR("name"))), "%.*s",
                      STR_ARG(routes[i].pattern));
    }
}

static void check_refs(const struct json *value)
{
    struct str ref = json_get_str(value, STR("$ref"));
    if (ref.size) {
        const struct json *at = contract;
        cr_assert(str_starts(ref, STR("#/")));
        for (size_t begin = 2; begin < ref.size && at;) {
            struct str rest = str_slice(ref, begin, ref.size);
            struct str word = str_slice(rest, 0, str_find(rest, '/'));
            at = json_get(at, word);
            begin += word.size + 1;
        }
        cr_assert_not_null(at, "%.*s leads nowhere", STR_ARG(ref));
    }
    for (uint32_t i = 0; i < value->count; i++)
        check_refs(value->kind == JSON_OBJECT ? value->members[i].value : value->items[i]);
}

Test(openapi, has_no_loose_ends, .init = read_contract, .fini = drop_contract)
{
    check_refs(contract);
}
