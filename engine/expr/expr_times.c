/* The date functions: seconds since 1970 and arrays of their parts, as jq has them. Part of expr_functions.h.
 */
#include "engine/expr/expr_functions.h"

#include "engine/base/duration.h"
#include "engine/expr/decimal.h"
#include "engine/expr/expr_date.h"
#include "engine/expr/expr_value.h"

enum { PARTS = 8, PARTS_LEAST = 6, FORMAT_BYTES_MAX = 256, WRITTEN_PER_BYTE = 16 };

static bool out_of_range(struct expr_run *run, const struct expr_node *node)
{
    return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the time is not within the years 0 to 9999");
}

/* Whole seconds at or before the number, and what is left, from 0 to 1. */
static bool split_seconds(struct expr_run *run, const struct expr_node *node, const struct json *number,
                          int64_t *seconds, struct decimal *rest)
{
    struct decimal value, whole;
    if (decimal_parse(number->text, &value) != ERR_OK ||
        decimal_round(&value, DECIMAL_FLOOR, &whole) != ERR_OK || !decimal_truncate(&whole, seconds))
        return out_of_range(run, node);
    whole = decimal_negate(&whole);
    return decimal_add(&value, &whole, rest) == ERR_OK || out_of_range(run, node);
}

static const struct json *decimal_value(struct expr_run *run, const struct decimal *value)
{
    return json_new_number(run->arena, decimal_text(run->arena, value));
}

/* jq's array; the second with its fraction. */
static bool push_parts(struct expr_run *run, const struct expr_node *node, const struct expr_date *date,
                       const struct decimal *rest)
{
    struct decimal second = decimal_from_i64(date->second), sum;
    const struct json *parts[PARTS] = {
        expr_value_i64(run, date->year),     expr_value_i64(run, date->month),
        expr_value_i64(run, date->day),      expr_value_i64(run, date->hour),
        expr_value_i64(run, date->minute),   NULL,
        expr_value_i64(run, date->week_day), expr_value_i64(run, date->year_day)};
    if (decimal_add(&second, rest, &sum) != ERR_OK)
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the number has too many digits");
    parts[5] = decimal_value(run, &sum);
    return expr_functions_push(run, expr_value_array(run, node, parts, PARTS));
}

/* The parts as a time; fractions of them are cut off. */
static bool read_parts(struct expr_run *run, const struct expr_node *node, const struct json *array,
                       int64_t *seconds)
{
    int64_t parts[PARTS_LEAST] = {0};
    bool fine = array->kind == JSON_ARRAY && array->count >= PARTS_LEAST;
    for (uint32_t i = 0; fine && i < PARTS_LEAST; i++) {
        struct decimal value;
        fine = array->items[i]->kind == JSON_NUMBER &&
               decimal_parse(array->items[i]->text, &value) == ERR_OK && decimal_truncate(&value, &parts[i]);
    }
    if (!fine)
        return expr_functions_needs(
            run, node, "[year, month from 0, day, hour, minute, second], as gmtime and strptime give it",
            array);
    struct expr_date date = {.year = parts[0],
                             .month = parts[1],
                             .day = parts[2],
                             .hour = parts[3],
                             .minute = parts[4],
                             .second = parts[5]};
    return expr_date_to_seconds(&date, seconds) || out_of_range(run, node);
}

/* Seconds, or the array of parts. */
static bool read_time(struct expr_run *run, const struct expr_node *node, const struct json *input,
                      struct expr_date *date, struct decimal *rest)
{
    int64_t seconds = 0;
    *rest = (struct decimal){0};
    if (input->kind == JSON_NUMBER ? !split_seconds(run, node, input, &seconds, rest)
                                   : !read_parts(run, node, input, &seconds))
        return false;
    return expr_date_from_seconds(seconds, date) || out_of_range(run, node);
}

bool expr_functions_gmtime(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    struct expr_date date;
    struct decimal rest;
    if (input->kind != JSON_NUMBER)
        return expr_functions_needs(run, node, "a number", input);
    return read_time(run, node, input, &date, &rest) && push_parts(run, node, &date, &rest);
}

bool expr_functions_mktime(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    int64_t seconds = 0;
    return read_parts(run, node, input, &seconds) && expr_functions_push(run, expr_value_i64(run, seconds));
}

static bool push_formatted(struct expr_run *run, const struct expr_node *node, const struct json *input,
                           struct str format)
{
    struct expr_date date;
    struct decimal rest;
    struct buf out;
    const char *problem = NULL;
    if (!read_time(run, node, input, &date, &rest))
        return false;
    if (format.size > FORMAT_BYTES_MAX)
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the format is longer than %d bytes",
                             FORMAT_BYTES_MAX);
    if (!expr_run_work(run, node, format.size * WRITTEN_PER_BYTE))
        return false;
    buf_init(&out, run->arena);
    if (!expr_date_format(&date, format, &out, &problem))
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "%s", problem);
    return expr_functions_push_text(run, buf_str(&out));
}

bool expr_functions_strftime(struct expr_run *run, const struct expr_node *node, const struct json *input,
                             const struct json *const *arguments)
{
    if (arguments[0]->kind != JSON_STRING)
        return expr_functions_needs(run, node, "a format", arguments[0]);
    return push_formatted(run, node, input, arguments[0]->text);
}

bool expr_functions_todate(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    return push_formatted(run, node, input, STR("%Y-%m-%dT%H:%M:%SZ"));
}

bool expr_functions_strptime(struct expr_run *run, const struct expr_node *node, const struct json *input,
                             const struct json *const *arguments)
{
    static const struct decimal zero = {0};
    struct expr_date date;
    const char *problem = NULL;
    const struct json *wrong = input->kind != JSON_STRING ? input : arguments[0];
    if (wrong->kind != JSON_STRING)
        return expr_functions_needs(run, node, "strings", wrong);
    if (!expr_run_work(run, node, input->text.size + arguments[0]->text.size))
        return false;
    if (!expr_date_parse(input->text, arguments[0]->text, &date, &problem))
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "strptime: %s", problem);
    return push_parts(run, node, &date, &zero);
}

/* More than jq: a fraction and an offset, as every time of this engine may have them. */
bool expr_functions_fromdate(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    int64_t time_us = 0;
    if (input->kind != JSON_STRING)
        return expr_functions_needs(run, node, "a string", input);
    if (!duration_time_parse(input->text, &time_us))
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the text is no time such as 2026-11-21T12:00:00Z");
    struct decimal value = decimal_from_i64(time_us);
    if (value.count > 0)
        value.exponent -= 6;
    return expr_functions_push(run, decimal_value(run, &value));
}
