/* Operating errors: a code that must be checked, and a note with context added once, where it is known best.
 */
#pragma once

enum err {
#define X(name, text) ERR_##name,
#include "engine/base/err.def"
#undef X
};

/* Room for one sentence. Each function that takes a note writes it before it returns anything but ERR_OK. */
struct err_note {
    char text[512];
};

/* "no error", "invalid", … never NULL. */
const char *err_text(enum err code);
/* Writes the sentence (cut to the room) and returns code, so that `return err_note(note, ERR_X, …)` reads
 * well. note may be NULL. */
enum err err_note(struct err_note *note, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4), warn_unused_result));
