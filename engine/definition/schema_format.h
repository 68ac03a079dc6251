/* Formats of strings, as assertions. Pure; any thread. Inside engine/definition only. */
#pragma once
#include <stdbool.h>
#include "engine/base/str.h"

enum schema_format {
#define X(name, text, function, meaning) SCHEMA_FORMAT_##name,
#include "engine/definition/schema_formats.def"
#undef X
    SCHEMA_FORMAT_COUNT
};

/* The format's name, for messages and for finding it. */
struct str schema_format_name(enum schema_format format);
/* "a date of RFC 3339, such as …" */
const char *schema_format_meaning(enum schema_format format);
/* Linear in the text. */
bool schema_format_matches(enum schema_format format, struct str text);
