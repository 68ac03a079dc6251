/* The flow of a definition as a picture: Mermaid, Graphviz DOT, or SVG drawn here.
 *
 * Happy path: graph_write() with a plan; with the view of one of its sagas (GET /v1/sagas/{id}) each step
 * also bears its state and times. Deterministic: the same plan and view give the same bytes. Everything made
 * lives in the arena of `out`. Any thread. No failure modes: whatever a text holds is escaped as the format
 * wants it. */
#pragma once
#include <stdbool.h>
#include "engine/base/buf.h"
#include "engine/base/json.h"
#include "engine/definition/plan.h"

#define GRAPH_FORMATS(X)                                                                                     \
    X(MERMAID, "mermaid")                                                                                    \
    X(DOT, "dot")                                                                                            \
    X(SVG, "svg")
enum graph_format {
#define X(name, text) GRAPH_##name,
    GRAPH_FORMATS(X)
#undef X
};

bool graph_format_parse(struct str text, enum graph_format *format);
/* Appends the whole document. saga: NULL, or the view of a saga of this plan. */
void graph_write(struct buf *out, const struct plan *plan, const struct json *saga, enum graph_format format);
