#include "engine/base/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/str.h"

const char *err_text(enum err code)
{
    static const char *const texts[] = {
#define X(name, text) [ERR_##name] = text,
#include "engine/base/err.def"
#undef X
    };
    size_t index = (size_t)code;
    return index < sizeof texts / sizeof *texts ? texts[index] : "unknown error";
}

enum err err_note(struct err_note *note, enum err code, const char *format, ...)
{
    if (!note)
        return code;
    char text[sizeof note->text]; /* not written in place: the old note may be among the values */
    va_list values;
    va_start(values, format);
    int wanted = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    size_t size = strnlen(text, sizeof text - 1);
    /* A cut may have split the last character; a text that was no UTF-8 stays as it is. */
    size_t whole = str_utf8_size((struct str){text, size});
    if (wanted >= (int)sizeof text && size - whole < 4)
        size = whole;
    memcpy(note->text, text, size);
    note->text[size] = '\0';
    return code;
}
