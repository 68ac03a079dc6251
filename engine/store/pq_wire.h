/* PostgreSQL's binary formats: parameters out of rows of C structs, and result rows back into them.
 *
 * A column says where a field lies in a struct and what it is; the same table of columns serves writing (one
 * array parameter a column) and reading. Everything is in the caller's arena. One thread at a time. */
#pragma once
#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/id.h"
#include "engine/base/str.h"

/* The most parameters any statement has: `append`. */
enum { PQ_WIRE_PARAMS_MAX = 54 };

/* C type of the field beside each. */
enum pq_wire_type {
    PQ_WIRE_ID,           /* struct id: uuid */
    PQ_WIRE_ID_OR_NULL,   /* bool, and a struct id right behind it: uuid; false: null */
    PQ_WIRE_INT4,         /* int32_t or uint32_t: integer */
    PQ_WIRE_INT8,         /* int64_t: bigint */
    PQ_WIRE_BOOL,         /* bool: boolean */
    PQ_WIRE_TIME,         /* int64_t, microseconds since 1970: timestamptz */
    PQ_WIRE_TIME_OR_NULL, /* the same; 0: null */
    PQ_WIRE_TEXT,         /* struct str: text */
    PQ_WIRE_TEXT_OR_NULL, /* the same; "": null */
    PQ_WIRE_JSON,         /* struct str: json */
    PQ_WIRE_JSONB,        /* struct str: jsonb; "": {} */
    PQ_WIRE_BYTES,        /* struct str: bytea */
};
struct pq_wire_column {
    enum pq_wire_type type;
    size_t offset;
};
struct pq_wire_params {
    struct arena *arena; /* borrowed */
    int count;
    const char *values[PQ_WIRE_PARAMS_MAX];
    int lengths[PQ_WIRE_PARAMS_MAX];
    int formats[PQ_WIRE_PARAMS_MAX];
};

void pq_wire_init(struct pq_wire_params *params, struct arena *arena);
/* One scalar; `value` points to the C type of its kind. Texts are borrowed until the statement is sent. */
void pq_wire_put(struct pq_wire_params *params, enum pq_wire_type type, const void *value);
void pq_wire_put_null(struct pq_wire_params *params);
/* One array parameter per column, over rows[0 … count-1], pointers to structs. */
void pq_wire_put_columns(struct pq_wire_params *params, const struct pq_wire_column *columns,
                         size_t column_count, const void *const *rows, uint32_t count);
/* Pointers to the elements of an array of structs, for pq_wire_put_columns. */
const void **pq_wire_rows(struct arena *arena, const void *base, size_t stride, uint32_t count);
/* Reads row `row` of a binary result into the struct at `out`; texts are copied into arena. */
void pq_wire_get(const PGresult *result, int row, const struct pq_wire_column *columns, size_t column_count,
                 struct arena *arena, void *out);
/* All rows as an array of structs of `stride` bytes. */
void *pq_wire_get_rows(const PGresult *result, const struct pq_wire_column *columns, size_t column_count,
                       size_t stride, struct arena *arena, uint32_t *count);
