/* What a file's bytes must be before libyaml sees them: UTF-8, no controls, within its size. Part of tree.h;
 * called by tree.c first. Never changes the text. */
#include "engine/definition/tree.h"

#include "engine/base/limits.h"
#include "engine/definition/problem.h"

struct scan {
    struct str text;
    struct diag_list *diags;
    size_t line_begin;
    uint32_t line;
    bool usable;
};

static struct diag_place place_at(const struct scan *scan, size_t at)
{
    return (struct diag_place){
        .line = scan->line, .column = (uint32_t)(at - scan->line_begin) + 1, .size = 1};
}

static void refuse(struct scan *scan, size_t at, const char *what, struct str hint)
{
    problem_add(scan->diags, place_at(scan, at), PROBLEM_BAD_CHARACTER, hint, "%s", what);
    scan->usable = false;
}

/* One tab is enough for its run. Inside a line it can be read as a space, so that the rest of the file is
 * still checked; as indentation it cannot. */
static void check_tab(struct scan *scan, size_t at)
{
    if (at > scan->line_begin && scan->text.data[at - 1] == '\t')
        return;
    problem_add(scan->diags, place_at(scan, at), PROBLEM_TAB,
                STR("use spaces; within double quotes a tab is written \\t"), "a tab");
    struct str before = str_slice(scan->text, scan->line_begin, at);
    if (str_trim(before).size == 0)
        scan->usable = false;
}

/* Line ends other than LF and CR LF: libyaml counts lines by them, editors do not. */
static bool is_odd_break(struct str text, size_t at)
{
    struct str rest = str_slice(text, at, text.size);
    return str_starts(rest, STR("\xc2\x85")) || str_starts(rest, STR("\xe2\x80\xa8")) ||
           str_starts(rest, STR("\xe2\x80\xa9"));
}

/* What YAML does not allow in its text: C0, DEL, C1, the byte-order mark, U+FFFE and U+FFFF. */
static bool is_forbidden(struct str text, size_t at)
{
    unsigned char c = (unsigned char)text.data[at];
    struct str rest = str_slice(text, at, text.size);
    if (c < 0x20 || c == 0x7f)
        return true;
    if (c == 0xc2)
        return rest.size > 1 && (unsigned char)rest.data[1] < 0xa0;
    return str_starts(rest, STR("\xef\xbb\xbf")) || str_starts(rest, STR("\xef\xbf\xbe")) ||
           str_starts(rest, STR("\xef\xbf\xbf"));
}

static void check_byte(struct scan *scan, size_t at)
{
    const struct str escape = STR("write it as an escape within double quotes, such as \"\\u0007\"");
    char c = scan->text.data[at];
    if (c == '\t') {
        check_tab(scan, at);
    } else if (c == '\r') {
        if (at + 1 == scan->text.size || scan->text.data[at + 1] != '\n')
            refuse(scan, at, "a carriage return alone is no line end", STR("end lines with LF or CR LF"));
    } else if (is_odd_break(scan->text, at)) {
        refuse(scan, at, "a line end that editors do not count", STR("end lines with LF or CR LF"));
    } else if (is_forbidden(scan->text, at)) {
        bool mark = at == 0 && str_starts(scan->text, STR("\xef\xbb\xbf"));
        refuse(scan, at, mark ? "a byte-order mark" : "a control character",
               mark ? STR("save the file as UTF-8 without a byte-order mark") : escape);
    }
}

bool tree_check_text(struct str text, struct diag_list *diags)
{
    struct scan scan = {.text = text, .diags = diags, .line = 1, .usable = true};
    if (text.size > LIMITS_DEFINITION_BYTES) {
        problem_add(diags, place_at(&scan, 0), PROBLEM_TOO_LARGE, STR(""), "the file has more than %d bytes",
                    LIMITS_DEFINITION_BYTES); /* read no further */
        return false;
    }
    size_t valid = str_utf8_size(text);
    for (size_t at = 0; at < valid; at++) {
        if (text.data[at] == '\n') {
            scan.line++;
            scan.line_begin = at + 1;
        } else if ((unsigned char)text.data[at] < 0x20 || (unsigned char)text.data[at] >= 0x7f) {
            check_byte(&scan, at);
        }
    }
    if (valid < text.size) {
        problem_add(diags, place_at(&scan, valid), PROBLEM_NOT_UTF8, STR("save the file as UTF-8"),
                    "the file is not UTF-8: byte %02X is not expected here", (unsigned char)text.data[valid]);
        return false;
    }
    return scan.usable;
}
