/* The language as a JSON Schema (draft 2020-12), for editors: made from the tables by which the loader reads
 * a file (keys.def, tables.def, forms.def, words.def, keywords.def), so that the two cannot differ.
 *
 * A schema knows the form of a file, not what it means: that a reference leads somewhere, a step can be
 * undone or a file exists, only the loader tells. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/str.h"

/* Indented JSON text with a line end, in `arena`. */
struct str language_schema(struct arena *arena);
