/* What a list's filter means, for both implementations of the store. Any thread. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "engine/store/store.h"

/* Whether the text is a JSON number, true or false, and so may stand for one besides itself. */
bool store_filter_is_literal(struct str text, struct arena *scratch);
/* Whether an attribute has this value: the string itself, or the number or truth value written so. */
bool store_filter_matches(const struct json *attribute, struct str text, struct arena *scratch);
/* The smallest id that a saga started at since_us or later can have. Ten minutes of margin: an id carries the
 * time at which it was made, the start the time of its record; between them lie a full inbox and the skew of
 * the engine's clock. */
struct id store_filter_floor(int64_t since_us);
