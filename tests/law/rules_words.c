/* What a file says of itself: that it begins with its role, that a function which can fail says how. Called
 * for each file by law.c. Never judges the words, only that they are there. */
#include "tests/law/law.h"
#include <string.h>

/* A file this long, or with no header to tell what it is for, tells it at its top. Samples and scraps below
 * HEAD_SCRAP lines are their own head. */
enum { HEAD_FILE = 150, HEAD_SCRAP = 20, HEAD_LINES_MIN = 2, HEAD_LINES_MAX = 14 };

static bool has_header(struct law *law, struct str path)
{
    struct str stem = str_slice(path, 0, path.size - 2);
    return law_source_at(law, arena_printf(&law->arena, "%.*s.h", STR_ARG(stem))) != NULL;
}

/* Lines of the comment at the top; 0: there is none. */
static size_t head_lines(struct str text)
{
    const char *end = str_starts(text, STR("/*")) ? memmem(text.data, text.size, "*/", 2) : NULL;
    return end == NULL ? 0 : law_line(text, (size_t)(end - text.data));
}

static void check_head(struct law *law, const struct law_source *source)
{
    size_t lines = law_line(source->text, source->text.size) - 1;
    size_t least = str_starts(source->path, STR("tests/")) ? 1 : HEAD_LINES_MIN;
    size_t head = head_lines(source->text);
    if (lines <= HEAD_SCRAP || (lines <= HEAD_FILE && has_header(law, source->path)) ||
        (head >= least && head <= HEAD_LINES_MAX)) {
        return;
    }
    law_find(law, LAW_HEAD, source->path, 1,
             "begins with %zu lines about itself, %zu to %d are wanted: its role, who calls it, what it must "
             "never do",
             head, least, HEAD_LINES_MAX);
}

static bool contains(struct str text, const char *what)
{
    return text.size > 0 && memmem(text.data, text.size, what, strlen(what)) != NULL;
}

/* A code, or whose codes they are: another function's, or those of all that a header declares. */
static bool names_errors(struct str comment)
{
    return contains(comment, "ERR_") || contains(comment, "rrors as ") || contains(comment, "/* The same") ||
           contains(comment, "/* Likewise");
}

/* The comment that stands above a prototype, or above the ones before it that no blank line parts from it. */
static struct str comment_of(struct str text, size_t at)
{
    for (size_t i = at; i > 0; i--) {
        struct str rest = str_slice(text, i, at);
        const char *end = str_starts(rest, STR("/*")) ? memmem(rest.data, rest.size, "*/", 2) : NULL;
        if (end != NULL && text.data[i - 1] == '\n') {
            return str_slice(rest, 0, (size_t)(end - rest.data));
        }
        if (i > 1 && text.data[i - 1] == '\n' && text.data[i - 2] == '\n') {
            break;
        }
    }
    return STR("");
}

static bool is_public(struct str path)
{
    return str_ends(path, STR(".h")) && (str_starts(path, STR("engine/")) || str_starts(path, STR("api/")));
}

static void check_errors(struct law *law, const struct law_source *source)
{
    static const char *const begin = "\nenum err ";
    struct str text = source->text;
    const char *head_end = memmem(text.data, text.size, "*/", 2);
    struct str head = str_slice(text, 0, head_end == NULL ? 0 : (size_t)(head_end - text.data));
    if (contains(head, "rrors of every") || contains(head, "rrors as ")) {
        return;
    }
    for (size_t at = 0; at < text.size;) {
        const char *found = memmem(text.data + at, text.size - at, begin, strlen(begin));
        if (found == NULL) {
            return;
        }
        size_t line = (size_t)(found - text.data) + 1;
        at = (size_t)(found - text.data) + strlen(begin);
        struct str rest = str_slice(text, at, text.size);
        struct str name = str_slice(rest, 0, str_find(rest, '('));
        if (str_find(name, '\n') == name.size && str_find(name, ' ') == name.size &&
            !names_errors(comment_of(text, line))) {
            law_find(law, LAW_ERRORS, source->path, law_line(text, at),
                     "%.*s returns an error and names none: say which codes, and what each means",
                     STR_ARG(name));
        }
    }
}

void rules_words_check(struct law *law, const struct law_source *source)
{
    if (law_is_unit(source)) {
        check_head(law, source);
    }
    if (is_public(source->path)) {
        check_errors(law, source);
    }
}
