/* The members of a body against its table, all mistakes at once. Called by the handlers that take a body.
 * Never changes the body, and never repeats a value that may be secret. */
#include "api/fields.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/core/core.h"

enum { ERRORS_MAX = 32 }; /* a body has few fields; the rest is not told */

struct findings {
    struct page_error errors[ERRORS_MAX];
    uint32_t count;
    bool unknown; /* one of them is a field that is not known */
    struct str hint;
};

struct str fields_pointer(struct arena *arena, struct str name)
{
    struct buf out;
    buf_init(&out, arena);
    json_write_pointer(&out, name);
    return buf_str(&out);
}

static void add(struct request *request, struct findings *findings, struct str name, struct str detail)
{
    if (findings->count < ERRORS_MAX)
        findings->errors[findings->count++] =
            (struct page_error){fields_pointer(&request->arena, name), detail};
}

/* A payload deeper than that could not be read back from the journal. */
static void add_deep(struct request *request, struct findings *findings, struct str name,
                     const struct json *value)
{
    struct str place;
    struct arena *arena = &request->arena;
    if (findings->count == ERRORS_MAX || !json_deeper(arena, value, LIMITS_PAYLOAD_DEPTH, &place))
        return;
    struct buf pointer;
    buf_init(&pointer, arena);
    json_write_pointer(&pointer, name);
    buf_put(&pointer, place);
    findings->errors[findings->count++] = (struct page_error){
        buf_str(&pointer), arena_printf(arena, "is nested deeper than %d levels", LIMITS_PAYLOAD_DEPTH)};
}

static const struct fields_row *find_row(const struct fields_row *rows, uint32_t count, struct str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (str_equal(rows[i].name, name))
            return &rows[i];
    return NULL;
}

static struct str nearest(const struct fields_row *rows, uint32_t count, struct str name)
{
    struct str found = {NULL, 0};
    size_t best = 3; /* more edits than that are another word */
    for (uint32_t i = 0; i < count; i++) {
        size_t distance = str_distance(rows[i].name, name, 2);
        if (distance < best) {
            best = distance;
            found = rows[i].name;
        }
    }
    return found;
}

static struct str known_names(struct arena *arena, const struct fields_row *rows, uint32_t count)
{
    struct buf out;
    buf_init(&out, arena);
    for (uint32_t i = 0; i < count; i++) {
        buf_puts(&out, i ? ", " : "known are: ");
        buf_put(&out, rows[i].name);
    }
    return buf_str(&out);
}

static void add_unknown(struct request *request, struct findings *findings, const struct fields_row *rows,
                        uint32_t count, struct str name)
{
    struct arena *arena = &request->arena;
    struct str near = nearest(rows, count, name);
    struct str hint = near.size ? arena_printf(arena, "did you mean \"%.*s\"?", STR_ARG(near))
                                : known_names(arena, rows, count);
    struct str shown = str_slice(name, 0, 64);
    while (!str_is_utf8(shown)) /* the cut may have split a character */
        shown.size--;
    add(request, findings, name,
        arena_printf(arena, "unknown field \"%.*s\"; %.*s", STR_ARG(shown), STR_ARG(hint)));
    if (!findings->unknown)
        findings->hint = hint;
    findings->unknown = true;
}

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == 0x7f || (c < 0x20 && c != '\n' && c != '\t'))
            return false;
    }
    return true;
}

static bool is_span(const struct json *value, int64_t most)
{
    int64_t number = 0;
    if (value->kind == JSON_NUMBER)
        return json_to_i64(value, &number) && number >= 0 && number <= most;
    return value->kind == JSON_STRING && duration_parse(value->text, &number) &&
           number <= most * DURATION_SECOND_US;
}

/* What is wrong with a value; the empty str when nothing is. */
static struct str fault_of(struct arena *arena, const struct fields_row *row, const struct json *value)
{
    int64_t number = 0;
    long long most = (long long)row->most;
    switch (row->type) {
    case FIELDS_ANY:
        break;
    case FIELDS_TEXT:
        if (value->kind != JSON_STRING || value->text.size == 0 || value->text.size > (size_t)row->most ||
            !is_plain(value->text))
            return arena_printf(arena, "must be a string of 1 to %lld bytes without control characters",
                                most);
        break;
    case FIELDS_KEY:
        if (value->kind != JSON_STRING || value->text.size == 0 || value->text.size > (size_t)row->most ||
            str_has_control(value->text))
            return arena_printf(arena,
                                "must be a string of 1 to %lld bytes without control characters, line feed "
                                "and tab among them",
                                most);
        break;
    case FIELDS_CODE:
        if (value->kind != JSON_STRING || value->text.size == 0 || value->text.size > (size_t)row->most ||
            !core_is_code(value->text))
            return arena_printf(
                arena, "must be a code of 1 to %lld visible ASCII characters, such as CARD_EXPIRED", most);
        break;
    case FIELDS_NUMBER:
        if (!json_to_i64(value, &number) || number < 1 || number > row->most)
            return arena_printf(arena, "must be an integer from 1 to %lld", most);
        break;
    case FIELDS_OBJECT:
        if (value->kind != JSON_OBJECT)
            return STR("must be an object");
        break;
    case FIELDS_FLAG:
        if (value->kind != JSON_BOOL)
            return STR("must be true or false");
        break;
    case FIELDS_SECONDS:
        if (!is_span(value, row->most))
            return arena_printf(
                arena, "must be a duration like \"30s\" or a number of seconds, at most %lld s", most);
        break;
    }
    return (struct str){NULL, 0};
}

static void answer(struct request *request, const struct findings *findings)
{
    struct arena *arena = &request->arena;
    struct str first = findings->errors[0].detail;
    struct str name = str_slice(findings->errors[0].pointer, 1, findings->errors[0].pointer.size);
    struct page page = {
        .kind = findings->unknown ? PAGE_UNKNOWN_FIELD : PAGE_INVALID_FIELD,
        .hint = findings->hint,
        .errors = findings->errors,
        .error_count = findings->count,
    };
    if (findings->count > 1)
        page.detail = arena_printf(arena, "%u fields are wrong; see errors", findings->count);
    else if (findings->unknown)
        page.detail = first;
    else
        page.detail = arena_printf(arena, "%.*s %.*s", STR_ARG(name), STR_ARG(first));
    request_answer_page(request, &page);
}

bool fields_check(struct request *request, const struct json *object, const struct fields_row *rows,
                  uint32_t count)
{
    struct findings findings = {.count = 0};
    for (uint32_t i = 0; i < object->count; i++) {
        struct str name = object->members[i].key;
        const struct fields_row *row = find_row(rows, count, name);
        if (!row) {
            add_unknown(request, &findings, rows, count, name);
            continue;
        }
        struct str fault = fault_of(&request->arena, row, object->members[i].value);
        if (fault.size)
            add(request, &findings, name, fault);
        else if (row->type == FIELDS_ANY)
            add_deep(request, &findings, name, object->members[i].value);
    }
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].required && !json_get(object, rows[i].name))
            add(request, &findings, rows[i].name, STR("is required"));
    if (findings.count == 0)
        return true;
    answer(request, &findings);
    return false;
}

int64_t fields_span_us(const struct json *value)
{
    int64_t number = 0;
    if (!value)
        return 0;
    if (json_to_i64(value, &number))
        return number * DURATION_SECOND_US;
    return duration_parse(value->text, &number) ? number : 0;
}
