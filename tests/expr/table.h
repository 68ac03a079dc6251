/* Tables of expressions as text files, and evaluating one line of them: shared by the tests of this folder.
 *
 * A case is three lines and then an empty one; lines that begin with # are comments:
 *
 *   program         in our language; a value at hand is $input
 *   input           JSON
 *   expected        JSON, or `error CODE: sentence` at run time, or `refused LINE:COLUMN: message (hint)`
 * when compiled */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "engine/base/str.h"

enum { TABLE_CASES_MAX = 1000 };

struct table_case {
    unsigned line; /* of the program, in its file */
    struct str program;
    struct str input;
    struct str expected;
};
struct table {
    const char *name;
    size_t count;
    struct table_case cases[TABLE_CASES_MAX];
};

/* Reads tests/expr/NAME of the source tree; stops the test when it is missing or not as above. */
struct table *table_read(struct arena *arena, const char *name);
/* The whole of a file of the source tree. */
struct str table_file(struct arena *arena, const char *path);
/* Compiles and evaluates: the result as JSON, `error …` or `refused …`, as in the table. `value`: the result,
 * or NULL. */
struct str table_answer(struct arena *arena, struct str program, struct str input, const struct json **value);
/* Whether an answer is what is expected: the same text, or both JSON and equal. */
bool table_agrees(struct arena *arena, struct str expected, struct str answer);
