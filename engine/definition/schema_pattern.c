/* Patterns of JSON Schema mean what ECMA 262 means, where `\s` is every space of Unicode and `.` stops at any
 * end of a line. The machine of engine/expr/regex.h is narrower there (it follows jq), so these two are
 * spelled out for it. */
#include "engine/definition/schema_parts.h"

/* WhiteSpace and LineTerminator of ECMA 262, inside brackets. */
#define SPACES "\\t-\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"
#define LINE_ENDS "\\n\\r\\u2028\\u2029"

/* Behind a backslash. False for what has no spelling. */
static bool put_escape(struct buf *out, char c, bool in_class)
{
    if (c == 's')
        buf_puts(out, in_class ? SPACES : "[" SPACES "]");
    else if (c == 'S' && !in_class)
        buf_puts(out, "[^" SPACES "]");
    else if (c != 'S') {
        buf_char(out, '\\');
        buf_char(out, c);
    }
    return c != 'S' || !in_class;
}

static enum err spell_out(struct str pattern, struct buf *out, struct err_note *note)
{
    bool in_class = false;
    for (size_t i = 0; i < pattern.size; i++) {
        char c = pattern.data[i];
        if (c == '\\' && i + 1 < pattern.size) {
            if (!put_escape(out, pattern.data[++i], in_class))
                return err_note(note, ERR_INVALID, "at %zu: \\S inside of [ ] is not in this subset", i);
            continue;
        }
        if (c == '.' && !in_class) {
            buf_puts(out, "[^" LINE_ENDS "]");
            continue;
        }
        in_class = in_class ? c != ']' : c == '[';
        buf_char(out, c);
    }
    return ERR_OK;
}

enum err schema_compile_pattern(struct arena *arena, struct str pattern, const struct regex **regex,
                                struct err_note *note)
{
    struct buf out;
    struct arena scratch;
    arena_init(&scratch, 0);
    buf_init(&out, &scratch);
    enum err error = regex_compile(&scratch, pattern, 0, regex, note); /* for mistakes in their places */
    if (error == ERR_OK)
        error = spell_out(pattern, &out, note);
    if (error == ERR_OK)
        error = regex_compile(arena, buf_str(&out), 0, regex, note);
    arena_fini(&scratch);
    return error;
}
