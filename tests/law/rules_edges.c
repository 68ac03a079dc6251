/* Include edges: who may use which layer, which foreign library, and the own header first. */
#include "tests/law/law.h"
#include <string.h>

enum { FREE = 100 }; /* tests and demo programs use what they like */

struct layer {
    const char *folder;
    int rank; /* may include what has a lower one, and itself */
};
static const struct layer layers[] = {
    {"engine/base/", 0},    {"engine/ops/", 1},     {"engine/expr/", 1},  {"engine/definition/", 2},
    {"engine/core/", 3},    {"engine/model/", 4},   {"engine/store/", 4}, {"engine/bus/", 4},
    {"engine/runtime/", 5}, {"engine/sim/", 6},     {"api/", 6},          {"engine/sagad/", 7},
    {"engine/sagactl/", 7}, {"definitions/", FREE}, {"deploy/", FREE},    {"tests/", FREE},
};
/* A foreign header and where it may be included. */
static const char *const libraries[][7] = {
    {"libpq-fe.h", "engine/store/", "engine/ops/servers.c", "tests/", "deploy/", "definitions/", NULL},
    {"nats/nats.h", "engine/bus/", "tests/", "deploy/", "definitions/", NULL},
    {"nats.h", "engine/bus/", "tests/", "deploy/", "definitions/", NULL},
    {"microhttpd.h", "api/", "tests/", NULL},
    {"yaml.h", "engine/definition/", "engine/ops/config", "tests/", NULL},
    {"jansson.h", "tests/", NULL},
};

static const struct layer *layer_of(struct str path)
{
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        if (str_starts(path, str_from(layers[i].folder))) {
            return &layers[i];
        }
    }
    return NULL;
}

static bool is_layer(const struct layer *layer, const char *folder)
{
    return strcmp(layer->folder, folder) == 0;
}

static bool may_include(const struct layer *from, const struct layer *to)
{
    if (from == to || from->rank == FREE) {
        return true;
    }
    if (is_layer(to, "engine/ops/")) { /* closed to the pure layers */
        return from->rank > 3;
    }
    if (is_layer(from, "engine/ops/")) {
        return is_layer(to, "engine/base/");
    }
    return to->rank < from->rank;
}

static void check_edge(struct law *law, const struct law_source *source, size_t line, struct str target)
{
    const struct layer *from = layer_of(source->path);
    const struct layer *to = layer_of(target);
    if (from == NULL || to == NULL || may_include(from, to)) {
        return;
    }
    law_find(law, LAW_LAYER, source->path, line,
             "includes %.*s, but %s may not use %s: move what both need to the left (base, expr, definition, "
             "core, store|bus, "
             "runtime, api, programs)",
             STR_ARG(target), from->folder, to->folder);
}

static void check_library(struct law *law, const struct law_source *source, size_t line, struct str header)
{
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        if (!str_equal(header, str_from(libraries[i][0]))) {
            continue;
        }
        for (size_t k = 1; libraries[i][k] != NULL; k++) {
            if (str_starts(source->path, str_from(libraries[i][k]))) {
                return;
            }
        }
        law_find(law, LAW_LIBRARY, source->path, line, "includes <%s>: call it through %s", libraries[i][0],
                 libraries[i][1]);
    }
}

/* The longest cut of the path at an underscore that has a header: of json_parse its own, else that
 * of json. */
static struct str own_header(struct law *law, struct str path)
{
    for (struct str cut = str_slice(path, 0, path.size - 2); cut.size > 0 && cut.data[cut.size] != '/';
         cut.size--) {
        struct str header = arena_printf(&law->arena, "%.*s.h", STR_ARG(cut));
        char boundary = cut.data[cut.size];
        if ((boundary == '_' || boundary == '.') && law_source_at(law, header) != NULL) {
            return header;
        }
    }
    return (struct str){0}; /* a program's main, or a test */
}

/* A part of a module, like expr_term.c of expr.h, may begin with any header of the module: expr_parse.h. */
static void check_first(struct law *law, const struct law_source *source, size_t line, struct str target)
{
    struct str header = own_header(law, source->path);
    struct str stem = str_slice(header, 0, header.size < 2 ? 0 : header.size - 2);
    bool part = stem.size + 2 != source->path.size;
    if (header.size > 0 && !str_equal(header, target) && !(part && str_starts(target, stem))) {
        law_find(law, LAW_OWN_HEADER, source->path, line,
                 "its own header is not the first one: include %.*s before all others", STR_ARG(header));
    }
}

void rules_edges_check(struct law *law, const struct law_source *source)
{
    bool first = true;
    if (!law_is_c(source)) {
        return;
    }
    for (size_t at = 0, line = 1; at < source->text.size; line++) {
        size_t end = at + str_find(str_slice(source->text, at, source->text.size), '\n');
        struct str text = str_trim(str_slice(source->text, at, end));
        bool is_code = str_starts(str_trim(str_slice(source->code, at, end)), STR("#include"));
        at = end + 1;
        if (!is_code) {
            continue;
        }
        text = str_trim(str_slice(text, strlen("#include"), text.size));
        struct str inner =
            str_slice(text, 1, 1 + str_find(str_slice(text, 1, text.size), text.data[0] == '<' ? '>' : '"'));
        bool own = text.data[0] == '"';
        if (own) {
            check_edge(law, source, line, inner);
        } else {
            check_library(law, source, line, inner);
        }
        if (first && law_is_unit(source)) {
            check_first(law, source, line, own ? inner : (struct str){0});
        }
        first = false;
    }
}
