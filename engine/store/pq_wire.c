/* Rows of C structs to PostgreSQL's binary arrays and back, by tables of columns. Called by all postgres_*.c.
 * Never knows a statement: columns and queries are the callers'. */
#include "engine/store/pq_wire.h"

#include <endian.h>
#include <limits.h>
#include <string.h>
#include "engine/base/check.h"

/* Microseconds from 1970 to 2000, where PostgreSQL's timestamps begin. */
static const int64_t epoch_2000_us = 946684800000000;
enum { JSONB_VERSION = 1, ARRAY_HEAD = 20, BINARY = 1 };

/* Object ids of the element types, fixed in pg_type.dat. */
static uint32_t type_oid(enum pq_wire_type type)
{
    switch (type) {
    case PQ_WIRE_ID:
    case PQ_WIRE_ID_OR_NULL:
        return 2950;
    case PQ_WIRE_INT4:
        return 23;
    case PQ_WIRE_INT8:
        return 20;
    case PQ_WIRE_BOOL:
        return 16;
    case PQ_WIRE_TIME:
    case PQ_WIRE_TIME_OR_NULL:
        return 1184;
    case PQ_WIRE_TEXT:
    case PQ_WIRE_TEXT_OR_NULL:
        return 25;
    case PQ_WIRE_JSON:
        return 114;
    case PQ_WIRE_JSONB:
        return 3802;
    case PQ_WIRE_BYTES:
        return 17;
    }
    return 0;
}

static char *put_u32(char *out, uint32_t value)
{
    uint32_t big = htobe32(value);
    memcpy(out, &big, sizeof big);
    return out + sizeof big;
}

static char *put_u64(char *out, uint64_t value)
{
    uint64_t big = htobe64(value);
    memcpy(out, &big, sizeof big);
    return out + sizeof big;
}

static struct str text_of(enum pq_wire_type type, const void *field)
{
    struct str text = *(const struct str *)field;
    return type == PQ_WIRE_JSONB && text.size == 0 ? STR("{}") : text;
}

static bool is_null(enum pq_wire_type type, const void *field)
{
    if (type == PQ_WIRE_TIME_OR_NULL)
        return *(const int64_t *)field == 0;
    if (type == PQ_WIRE_TEXT_OR_NULL)
        return ((const struct str *)field)->size == 0;
    if (type == PQ_WIRE_ID_OR_NULL)
        return !*(const bool *)field;
    return false;
}

static size_t size_of(enum pq_wire_type type, const void *field)
{
    switch (type) {
    case PQ_WIRE_ID:
    case PQ_WIRE_ID_OR_NULL:
        return sizeof(struct id);
    case PQ_WIRE_INT4:
        return 4;
    case PQ_WIRE_INT8:
    case PQ_WIRE_TIME:
    case PQ_WIRE_TIME_OR_NULL:
        return 8;
    case PQ_WIRE_BOOL:
        return 1;
    case PQ_WIRE_TEXT:
    case PQ_WIRE_TEXT_OR_NULL:
    case PQ_WIRE_JSON:
    case PQ_WIRE_BYTES:
        return text_of(type, field).size;
    case PQ_WIRE_JSONB:
        return text_of(type, field).size + 1;
    }
    return 0;
}

static char *put_text(char *out, struct str text)
{
    if (text.size > 0)
        memcpy(out, text.data, text.size);
    return out + text.size;
}

static char *put_field(char *out, enum pq_wire_type type, const void *field)
{
    switch (type) {
    case PQ_WIRE_ID:
        memcpy(out, field, sizeof(struct id));
        return out + sizeof(struct id);
    case PQ_WIRE_ID_OR_NULL:
        memcpy(out, (const bool *)field + 1, sizeof(struct id));
        return out + sizeof(struct id);
    case PQ_WIRE_INT4:
        return put_u32(out, *(const uint32_t *)field);
    case PQ_WIRE_INT8:
        return put_u64(out, *(const uint64_t *)field);
    case PQ_WIRE_TIME:
    case PQ_WIRE_TIME_OR_NULL:
        return put_u64(out, (uint64_t)(*(const int64_t *)field - epoch_2000_us));
    case PQ_WIRE_BOOL:
        *out = *(const bool *)field ? 1 : 0;
        return out + 1;
    case PQ_WIRE_JSONB:
        *out = JSONB_VERSION;
        return put_text(out + 1, text_of(type, field));
    case PQ_WIRE_TEXT:
    case PQ_WIRE_TEXT_OR_NULL:
    case PQ_WIRE_JSON:
    case PQ_WIRE_BYTES:
        return put_text(out, text_of(type, field));
    }
    return out;
}

static void add(struct pq_wire_params *params, const char *value, size_t size)
{
    check(params->count < PQ_WIRE_PARAMS_MAX);
    check(size <= INT_MAX);
    params->values[params->count] = value;
    params->lengths[params->count] = (int)size;
    params->formats[params->count] = BINARY;
    params->count++;
}

void pq_wire_init(struct pq_wire_params *params, struct arena *arena)
{
    *params = (struct pq_wire_params){.arena = arena};
}

void pq_wire_put(struct pq_wire_params *params, enum pq_wire_type type, const void *value)
{
    if (is_null(type, value)) {
        pq_wire_put_null(params);
        return;
    }
    size_t size = size_of(type, value);
    char *bytes = arena_alloc(params->arena, size);
    put_field(bytes, type, value);
    add(params, bytes, size);
}

void pq_wire_put_null(struct pq_wire_params *params)
{
    add(params, NULL, 0);
}

static const void *field_of(const void *row, const struct pq_wire_column *column)
{
    return (const char *)row + column->offset;
}

static void put_array(struct pq_wire_params *params, const struct pq_wire_column *column,
                      const void *const *rows, uint32_t count)
{
    size_t size = ARRAY_HEAD + (size_t)count * 4;
    for (uint32_t i = 0; i < count; i++)
        size += is_null(column->type, field_of(rows[i], column))
                    ? 0
                    : size_of(column->type, field_of(rows[i], column));
    char *bytes = arena_alloc(params->arena, size);
    char *next = put_u32(bytes, count > 0 ? 1 : 0); /* dimensions */
    next = put_u32(next, 1);                        /* there may be nulls */
    next = put_u32(next, type_oid(column->type));
    if (count > 0) {
        next = put_u32(next, count);
        next = put_u32(next, 1); /* first index */
    }
    for (uint32_t i = 0; i < count; i++) {
        const void *field = field_of(rows[i], column);
        bool null = is_null(column->type, field);
        next = put_u32(next, null ? UINT32_MAX : (uint32_t)size_of(column->type, field));
        next = null ? next : put_field(next, column->type, field);
    }
    add(params, bytes, (size_t)(next - bytes));
}

void pq_wire_put_columns(struct pq_wire_params *params, const struct pq_wire_column *columns,
                         size_t column_count, const void *const *rows, uint32_t count)
{
    for (size_t i = 0; i < column_count; i++)
        put_array(params, &columns[i], rows, count);
}

const void **pq_wire_rows(struct arena *arena, const void *base, size_t stride, uint32_t count)
{
    const void **rows = arena_array(arena, count, sizeof *rows);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = (const char *)base + i * stride;
    return rows;
}

static uint32_t get_u32(const char *bytes)
{
    uint32_t big;
    memcpy(&big, bytes, sizeof big);
    return be32toh(big);
}

static int64_t get_i64(const char *bytes)
{
    uint64_t big;
    memcpy(&big, bytes, sizeof big);
    return (int64_t)be64toh(big);
}

/* The server sends what the statement declares, so another size is a wrong statement. */
static void get_field(enum pq_wire_type type, struct str value, struct arena *arena, void *out)
{
    switch (type) {
    case PQ_WIRE_ID:
        check(value.size == sizeof(struct id));
        memcpy(out, value.data, sizeof(struct id));
        break;
    case PQ_WIRE_ID_OR_NULL:
        check(value.size == sizeof(struct id));
        *(bool *)out = true;
        memcpy((bool *)out + 1, value.data, sizeof(struct id));
        break;
    case PQ_WIRE_INT4:
        check(value.size == 4);
        *(uint32_t *)out = get_u32(value.data);
        break;
    case PQ_WIRE_INT8:
        check(value.size == 8);
        *(int64_t *)out = get_i64(value.data);
        break;
    case PQ_WIRE_TIME:
    case PQ_WIRE_TIME_OR_NULL:
        check(value.size == 8);
        *(int64_t *)out = get_i64(value.data) + epoch_2000_us;
        break;
    case PQ_WIRE_BOOL:
        check(value.size == 1);
        *(bool *)out = value.data[0] != 0;
        break;
    case PQ_WIRE_JSONB:
        check(value.size >= 1 && value.data[0] == JSONB_VERSION);
        *(struct str *)out = arena_copy(arena, (struct str){value.data + 1, value.size - 1});
        break;
    case PQ_WIRE_TEXT:
    case PQ_WIRE_TEXT_OR_NULL:
    case PQ_WIRE_JSON:
    case PQ_WIRE_BYTES:
        *(struct str *)out = arena_copy(arena, value);
        break;
    }
}

/* What stands for null in the struct: 0, false, or the empty text. */
static void get_null(enum pq_wire_type type, void *out)
{
    check(type == PQ_WIRE_TIME_OR_NULL || type == PQ_WIRE_TEXT_OR_NULL || type == PQ_WIRE_ID_OR_NULL);
    if (type == PQ_WIRE_TIME_OR_NULL)
        *(int64_t *)out = 0;
    else if (type == PQ_WIRE_ID_OR_NULL)
        *(bool *)out = false;
    else
        *(struct str *)out = (struct str){"", 0};
}

void pq_wire_get(const PGresult *result, int row, const struct pq_wire_column *columns, size_t column_count,
                 struct arena *arena, void *out)
{
    check((size_t)PQnfields(result) == column_count);
    for (int i = 0; i < (int)column_count; i++) {
        void *field = (char *)out + columns[i].offset;
        struct str value = {PQgetvalue(result, row, i), (size_t)PQgetlength(result, row, i)};
        if (PQgetisnull(result, row, i))
            get_null(columns[i].type, field);
        else
            get_field(columns[i].type, value, arena, field);
    }
}

void *pq_wire_get_rows(const PGresult *result, const struct pq_wire_column *columns, size_t column_count,
                       size_t stride, struct arena *arena, uint32_t *count)
{
    int rows = PQntuples(result);
    char *base = arena_array(arena, (size_t)rows, stride);
    for (int i = 0; i < rows; i++)
        pq_wire_get(result, i, columns, column_count, arena, base + (size_t)i * stride);
    *count = (uint32_t)rows;
    return base;
}
