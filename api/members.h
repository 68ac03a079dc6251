/* Members of the JSON objects in answers: a comma, the name, the value. Appends to out, in its arena. */
#pragma once
#include <stdint.h>
#include "engine/base/buf.h"

/* The empty text is null. */
void members_text(struct buf *out, const char *name, struct str text);
/* RFC 3339; 0 is null. */
void members_time(struct buf *out, const char *name, int64_t time_us);
