/* Collects diagnostics in the order of the text and prints them with line and caret, or as JSON. Called by
 * the loader, the expressions and the settings. Never stops at the first, and never shows more of a line than
 * LIMITS_DIAG_COLUMNS. */
#include "engine/base/diag.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/visible.h"

void diag_init(struct diag_list *list, struct arena *arena, struct str file, struct str source)
{
    *list = (struct diag_list){.arena = arena, .file = file, .source = source};
}

/* The last warning kept, or NULL: an error takes its room when the list is full. */
static struct diag *last_warning(struct diag_list *list)
{
    for (size_t i = list->count; i-- > 0;) {
        if (list->items[i].warning)
            return &list->items[i];
    }
    return NULL;
}

void diag_add(struct diag_list *list, struct diag diag)
{
    if (!list->items)
        list->items = arena_array(list->arena, LIMITS_ERRORS_COUNT, sizeof *list->items);
    list->error_count += !diag.warning;
    struct diag *room = NULL;
    if (list->count < LIMITS_ERRORS_COUNT)
        room = &list->items[list->count++];
    else if (list->left_out++, !diag.warning)
        room = last_warning(list);
    if (!room)
        return;
    *room = diag;
    room->message = arena_copy(list->arena, diag.message);
    room->hint = arena_copy(list->arena, diag.hint);
}

static bool is_after(struct diag_place a, struct diag_place b)
{
    return a.line != b.line ? a.line > b.line : a.column > b.column;
}

/* By insertion: keeps the order of equals, and there are few. */
void diag_sort(struct diag_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        struct diag moved = list->items[i];
        size_t to = i;
        for (; to > 0 && is_after(list->items[to - 1].place, moved.place); to--)
            list->items[to] = list->items[to - 1];
        list->items[to] = moved;
    }
}

/* The character at text[at]: its size in bytes, and whether a terminal may get it as it is. What
 * visible.h hides and broken UTF-8 are shown as '?', so that a hostile file cannot steer the
 * terminal. */
static size_t character(struct str text, size_t at, bool *shown)
{
    unsigned char first = (unsigned char)text.data[at];
    *shown = first >= ' ' && first != 0x7f; /* as visible.h has it; nearly all are of ASCII */
    if (first < 0x80)
        return 1;
    size_t size = 1;
    while (size < 4 && !str_is_utf8(str_slice(text, at, at + size)))
        size++;
    bool broken = !str_is_utf8(str_slice(text, at, at + size)) || at + size > text.size;
    char escape[VISIBLE_ESCAPE_SIZE] = "x";
    if (!broken)
        (void)visible_next(str_slice(text, at, at + size), 0, escape);
    *shown = escape[0] == '\0';
    return broken ? 1 : size;
}

static void put_visible(struct buf *out, struct str text, bool tabs)
{
    size_t size;
    for (size_t at = 0; at < text.size; at += size) {
        bool shown;
        size = character(text, at, &shown);
        if (shown || (tabs && text.data[at] == '\t'))
            buf_put(out, str_slice(text, at, at + size));
        else
            buf_char(out, '?');
    }
}

/* Line `number` (from 1) without its line end; empty when the source has no such line. */
static struct str find_line(struct str source, uint32_t number)
{
    while (number-- > 1) {
        size_t end = str_find(source, '\n');
        source = str_slice(source, end + 1, source.size);
    }
    struct str line = str_slice(source, 0, str_find(source, '\n'));
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

/* Moves `at` by up to `count` characters to the right. */
static size_t skip_right(struct str line, size_t at, size_t count)
{
    bool shown;
    while (count-- > 0 && at < line.size)
        at += character(line, at, &shown);
    return at;
}

/* Moves `at` by up to `count` characters to the left. */
static size_t skip_left(struct str line, size_t at, size_t count)
{
    while (count-- > 0 && at > 0) {
        at--;
        while (at > 0 && ((unsigned char)line.data[at] & 0xc0) == 0x80)
            at--;
    }
    return at;
}

/* Spaces as wide as the text: tabs stay tabs. */
static void put_blank(struct buf *out, struct str text)
{
    size_t size;
    for (size_t at = 0; at < text.size; at += size) {
        bool shown;
        size = character(text, at, &shown);
        buf_char(out, text.data[at] == '\t' ? '\t' : ' ');
    }
}

static void put_caret(struct buf *out, struct str marked)
{
    bool shown;
    buf_char(out, '^');
    size_t at = marked.size ? character(marked, 0, &shown) : 0;
    while (at < marked.size) {
        at += character(marked, at, &shown);
        buf_char(out, '~');
    }
}

/* The source line and the caret below. Of a long line only the part around the caret. */
static void put_source(const struct diag_list *list, struct diag_place place, struct buf *out)
{
    struct str line = find_line(list->source, place.line);
    size_t caret = place.column ? place.column - 1 : 0;
    caret = caret < line.size ? caret : line.size;
    size_t begin = 0;
    size_t end = skip_right(line, 0, LIMITS_DIAG_COLUMNS);
    if (end < line.size) {
        begin = skip_left(line, caret, LIMITS_DIAG_COLUMNS / 2);
        end = skip_right(line, begin, LIMITS_DIAG_COLUMNS);
    }
    size_t marked_end = caret + (place.size ? place.size : 1);
    buf_printf(out, "%5u | %s", place.line, begin ? "..." : "");
    put_visible(out, str_slice(line, begin, end), true);
    buf_printf(out, "%s\n      | %s", end < line.size ? "..." : "", begin ? "   " : "");
    put_blank(out, str_slice(line, begin, caret));
    put_caret(out, str_slice(line, caret, marked_end < end ? marked_end : end));
    buf_char(out, '\n');
}

static void put_diag(const struct diag_list *list, const struct diag *diag, struct buf *out)
{
    put_visible(out, list->file, false);
    if (diag->place.line)
        buf_printf(out, ":%u:%u", diag->place.line, diag->place.column);
    buf_puts(out, diag->warning ? ": warning: " : ": error: ");
    put_visible(out, diag->message, false);
    buf_char(out, '\n');
    if (diag->place.line)
        put_source(list, diag->place, out);
    if (diag->hint.size) {
        buf_puts(out, "   hint: ");
        put_visible(out, diag->hint, false);
        buf_char(out, '\n');
    }
}

static void put_count(struct buf *out, size_t count, const char *noun)
{
    buf_printf(out, "%zu %s%s", count, noun, count == 1 ? "" : "s");
}

void diag_render(const struct diag_list *list, struct buf *out)
{
    for (size_t i = 0; i < list->count; i++)
        put_diag(list, &list->items[i], out);
    size_t total = list->count + list->left_out;
    size_t warnings = total - list->error_count;
    if (total < 2)
        return;
    if (list->error_count)
        put_count(out, list->error_count, "error");
    if (list->error_count && warnings)
        buf_puts(out, ", ");
    if (warnings)
        put_count(out, warnings, "warning");
    if (list->left_out)
        buf_printf(out, " (%zu not shown)", list->left_out);
    buf_char(out, '\n');
}

static void put_json_text(struct buf *out, const char *name, struct str text)
{
    struct buf visible;
    buf_init(&visible, out->arena);
    put_visible(&visible, text, false);
    buf_printf(out, "\"%s\":", name);
    json_write_string(out, buf_str(&visible));
    buf_char(out, ',');
}

void diag_render_json(const struct diag_list *list, struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        const struct diag *diag = &list->items[i];
        buf_puts(out, i ? ",{" : "{");
        put_json_text(out, "file", list->file);
        buf_printf(out, "\"line\":%u,\"column\":%u,", diag->place.line, diag->place.column);
        put_json_text(out, "code", diag->code);
        put_json_text(out, "message", diag->message);
        put_json_text(out, "hint", diag->hint);
        buf_printf(out, "\"severity\":\"%s\"}", diag->warning ? "warning" : "error");
    }
    buf_char(out, ']');
}
