/* JSON Schema, the subset the language knows: compiled once, immutable. Unsupported keywords are refused at
 * load, never ignored. */
#pragma once
#include <stdbool.h>
#include "engine/base/arena.h"
#include "engine/base/diag.h"
#include "engine/base/json.h"

struct schema;

/* One violation: where in the value (JSON Pointer, "" for the whole) and a sentence saying what was expected.
 */
struct schema_problem {
    struct str pointer;
    struct str message;
};
enum { SCHEMA_PROBLEMS_MAX = 32 };
struct schema_problems {
    struct schema_problem items[SCHEMA_PROBLEMS_MAX];
    uint32_t count;
};

/* `source` must outlive the schema (the plan's arena). Errors go to diags at `place` (where the schema begins
 * in the YAML file), each naming its JSON Pointer and, for an unknown keyword, "did you mean". NULL when
 * there were errors. */
const struct schema *schema_compile(struct arena *arena, const struct json *source, struct diag_place place,
                                    struct diag_list *diags);
/* Collects up to SCHEMA_PROBLEMS_MAX problems; true when there are none. problems may be NULL. */
bool schema_check(const struct schema *schema, const struct json *value, struct arena *arena,
                  struct schema_problems *problems);
/* The same within *work steps, which it lowers by what it took; schema_check has LIMITS_SCHEMA_WORK. */
bool schema_check_within(const struct schema *schema, const struct json *value, struct arena *arena,
                         struct schema_problems *problems, uint64_t *work);
/* For checks of expressions: whether a fixed field path (".address.city") can exist in a value of this
 * schema. True when the schema does not say. */
bool schema_has_path(const struct schema *schema, struct str path);
