/* Located diagnostics: mistakes of a user in a text, collected all, then shown with the line and a caret.
 *
 *   order.yaml:12:7: error: unknown key "timout" in a step
 *      12 |       timout: 5s
 *         |       ^~~~~~
 *      hint: did you mean "timeout"?                                                                    */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/str.h"

struct diag_place {
    uint32_t line;   /* from 1; 0: no place */
    uint32_t column; /* bytes, from 1 */
    uint32_t size;   /* bytes underlined; 0 counts as 1 */
};
struct diag {
    struct diag_place place;
    struct str code; /* stable, for tools: "unknown-key" */
    struct str message;
    struct str hint; /* may be empty */
    bool warning;    /* does not refuse the file */
};
struct diag_list {
    struct arena *arena; /* borrowed */
    struct str file;     /* its name, as the user gave it */
    struct str source;   /* the whole text, for showing lines */
    struct diag *items;  /* in order of place once diag_sort was called */
    size_t count;
    size_t error_count;
    size_t left_out; /* beyond LIMITS_ERRORS_COUNT */
};

void diag_init(struct diag_list *list, struct arena *arena, struct str file, struct str source);
/* Copies message and hint. */
void diag_add(struct diag_list *list, struct diag diag);
void diag_sort(struct diag_list *list);
/* All of them as text for a terminal, as shown above, closed by a count when there is more than one. */
void diag_render(const struct diag_list *list, struct buf *out);
/* The same as a JSON array of {file, line, column, code, message, hint, severity}. */
void diag_render_json(const struct diag_list *list, struct buf *out);
