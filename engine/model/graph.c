#include "engine/model/graph.h"

#include "engine/model/graph_parts.h"

bool graph_format_parse(struct str text, enum graph_format *format)
{
    static const char *const words[] = {
#define X(name, word) word,
        GRAPH_FORMATS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_equal(text, str_from(words[i]))) {
            *format = (enum graph_format)i;
            return true;
        }
    return false;
}

const char *graph_mark_class(enum graph_mark mark)
{
    static const char *const classes[] = {
#define X(name, class, fill, line) class,
#include "engine/model/graph_marks.def"
#undef X
    };
    return classes[mark];
}

const char *graph_shape_class(enum graph_shape shape)
{
    static const char *const classes[] = {
#define X(name, class, open, close, dot) class,
#include "engine/model/graph_shapes.def"
#undef X
    };
    return classes[shape];
}

void graph_write(struct buf *out, const struct plan *plan, const struct json *saga, enum graph_format format)
{
    struct graph graph;
    graph_build(&graph, plan, out->arena);
    if (saga != NULL)
        graph_mark_saga(&graph, saga);
    switch (format) {
    case GRAPH_MERMAID:
        graph_write_mermaid(out, &graph);
        return;
    case GRAPH_DOT:
        graph_write_dot(out, &graph);
        return;
    case GRAPH_SVG:
        graph_write_svg(out, &graph);
        return;
    }
}
