/* Texts of headers, made safe: what goes out breaks out of no line, what came in is UTF-8 and bounded. */
#pragma once
#include <stddef.h>
#include "engine/base/arena.h"
#include "engine/base/str.h"

/* At most `most` bytes, cut at the end of a character; text must be UTF-8. */
struct str envelope_cut(struct str text, size_t most);
/* The text fit for a header or a screen line: control characters become blanks, bytes that are not UTF-8
 * become '?', the rest is cut to `most` bytes. Borrows when nothing has to change. */
struct str envelope_clean(struct arena *arena, struct str text, size_t most);
