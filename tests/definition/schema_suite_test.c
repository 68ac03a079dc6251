/* Debian's json-schema-test-suite: every group whose schema uses only what the language has must agree in
 * every test; the share of the whole is printed. Groups with other keywords must be refused by name, never
 * half understood. */
#include <stdio.h>

#include "engine/base/limits.h"
#include "tests/definition/support.h"

#define SUITE "/usr/share/json-schema-test-suite/tests/"

/* Files about keywords that the language has. Without them the suite would pass by refusing everything. */
static const char *const known_files[] = {
    "additionalProperties",
    "boolean_schema",
    "const",
    "default",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "properties",
    "required",
    "type",
    "uniqueItems",
};
static const char *const other_files[] = {
    "additionalItems",   "allOf",         "anyOf", "contains",   "definitions",  "dependencies",
    "maxProperties",     "minProperties", "not",   "multipleOf", "oneOf",        "pattern",
    "patternProperties", "propertyNames", "ref",   "refRemote",  "if-then-else", "format",
};

struct tally {
    int tests; /* of all groups */
    int agreed;
    int refused; /* of groups with keywords we do not have */
};

/* The suite holds U+0000 in some strings, which JSON texts here never do: another character does as well for
 * comparing. */
static struct str without_nul(struct arena *arena, struct str text)
{
    struct str copy = arena_copy(arena, text);
    char *bytes = (char *)copy.data;
    for (size_t i = 0; i + 6 <= copy.size; i++) {
        if (memcmp(bytes + i, "\\u0000", 6) == 0)
            bytes[i + 5] = '1';
    }
    return copy;
}

static void run_group(struct arena *arena, const char *file, const struct json *group, struct tally *tally)
{
    struct diag_list diags;
    const struct json *tests = json_get(group, STR("tests"));
    diag_init(&diags, arena, str_from(file), STR(""));
    const struct schema *schema =
        schema_compile(arena, json_get(group, STR("schema")), (struct diag_place){1, 1, 1}, &diags);
    tally->tests += (int)tests->count;
    if (!schema) {
        tally->refused += (int)tests->count;
        return;
    }
    for (uint32_t i = 0; i < tests->count; i++) {
        const struct json *test = tests->items[i];
        bool valid = schema_check(schema, json_get(test, STR("data")), arena, NULL);
        bool wanted = json_get(test, STR("valid"))->boolean;
        struct str name = json_get_str(test, STR("description"));
        struct str group_name = json_get_str(group, STR("description"));
        cr_expect_eq(valid, wanted, "%s: %.*s: %.*s", file, STR_ARG(group_name), STR_ARG(name));
        tally->agreed += valid == wanted;
    }
}

/* False when the draft does not have the file. */
static bool run_file(const char *draft, const char *name, struct tally *tally)
{
    struct arena arena;
    arena_init(&arena, 0);
    const char *path = arena_printf(&arena, SUITE "%s/%s.json", draft, name).data;
    FILE *file = fopen(path, "r");
    if (!file) {
        arena_fini(&arena);
        return false;
    }
    fclose(file);
    struct err_note note;
    const struct json *groups;
    struct str text = without_nul(&arena, support_read(&arena, path));
    cr_assert(json_parse(&arena, text, LIMITS_DEFINITION_BYTES, &groups, &note) == ERR_OK, "%s: %s", path,
              note.text);
    for (uint32_t i = 0; i < groups->count; i++)
        run_group(&arena, path, groups->items[i], tally);
    arena_fini(&arena);
    return true;
}

static void run_draft(const char *draft)
{
    struct tally known = {0};
    struct tally all = {0};
    for (size_t i = 0; i < sizeof known_files / sizeof known_files[0]; i++)
        cr_assert(run_file(draft, known_files[i], &known), "install json-schema-test-suite");
    all = known;
    for (size_t i = 0; i < sizeof other_files / sizeof other_files[0]; i++)
        (void)run_file(draft, other_files[i], &all);
    fprintf(stderr,
            "%s: keywords we have: %d of %d tests agree, %d refused; all: %d of %d (%d %%), %d refused\n",
            draft, known.agreed, known.tests, known.refused, all.agreed, all.tests,
            100 * all.agreed / all.tests, all.refused);
    cr_expect(known.refused * 4 < known.tests, "too much is refused: %d of %d", known.refused, known.tests);
}

Test(schema_suite, draft7)
{
    run_draft("draft7");
}

Test(schema_suite, draft6)
{
    run_draft("draft6");
}
