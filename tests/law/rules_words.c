/* What a file says of itself: that it begins with its role. Called for each file by law.c. Never judges the
 * words, only that they are there. */
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

void rules_words_check(struct law *law, const struct law_source *source)
{
    if (law_is_unit(source)) {
        check_head(law, source);
    }
}
