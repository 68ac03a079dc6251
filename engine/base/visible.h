/* Text from outside as it may be shown on a terminal or in a line of a log: whatever could end the line, move
 * the cursor, change how what follows is drawn or turn its direction stands there as an escape, \n, \t or
 * \u202e as in JSON. Bytes that are no UTF-8 are shown as \ufffd. A backslash stays one: an escape that was
 * typed looks the same, which forges nothing. Any thread. */
#pragma once
#include "engine/base/buf.h"
#include "engine/base/str.h"

enum { VISIBLE_ESCAPE_SIZE = 13 }; /* two escapes of six bytes, for what lies above U+FFFF, and NUL */

/* How many of the text's bytes from `at` on make the next piece: a run of harmless ones (escape[0] is NUL
 * then), or one character, whose escape is given. at < text.size. */
size_t visible_next(struct str text, size_t at, char escape[VISIBLE_ESCAPE_SIZE]);
/* Appends the text so. */
void visible_put(struct buf *out, struct str text);
/* The same for text of several lines, or JSON, whose line feeds stay as they are. */
void visible_put_lines(struct buf *out, struct str text);
/* The text so, in the arena; the text itself when all of it is harmless. */
struct str visible_text(struct arena *arena, struct str text);
