/* Debian's json-schema-test-suite, in the drafts it has nearest to 2020-12: each test of a schema that
 * compiles must agree, the rest must be refused, never half understood. The share is printed. The few tests
 * where the drafts differ are named here and judged as 2020-12 has it. */
#include <dirent.h>
#include <stdio.h>

#include "engine/base/limits.h"
#include "tests/definition/support.h"

#define SUITE "/usr/share/json-schema-test-suite/tests/"

/* Files where every keyword is one that the language has. Without them the suite would pass by refusing
 * everything. */
static const char *const known_files[] = {
    "additionalProperties",
    "allOf",
    "anyOf",
    "boolean_schema",
    "const",
    "contains",
    "default",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "properties",
    "propertyNames",
    "required",
    "type",
    "uniqueItems",
    /* formats */
    "date",
    "date-time",
    "email",
    "ipv4",
    "ipv6",
    "time",
    "uri",
};
/* Up to draft 7 nothing beside a `$ref` counted; since then it does. */
static const char *const changed_tests[] = {"ref valid, maxItems ignored"};

struct tally {
    int tests; /* of all groups */
    int agreed;
    int refused; /* of groups that do not compile */
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

static bool is_changed(struct str name)
{
    for (size_t i = 0; i < sizeof changed_tests / sizeof changed_tests[0]; i++) {
        if (str_equal(name, str_from(changed_tests[i])))
            return true;
    }
    return false;
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
        struct str name = json_get_str(test, STR("description"));
        bool wanted = json_get(test, STR("valid"))->boolean != is_changed(name);
        struct str group_name = json_get_str(group, STR("description"));
        cr_expect_eq(valid, wanted, "%s: %.*s: %.*s", file, STR_ARG(group_name), STR_ARG(name));
        tally->agreed += valid == wanted;
    }
}

static void run_file(const char *path, struct tally *tally)
{
    struct arena arena;
    struct err_note note;
    const struct json *groups;
    arena_init(&arena, 0);
    struct str text = without_nul(&arena, support_read(&arena, path));
    cr_assert(json_parse(&arena, text, LIMITS_DEFINITION_BYTES, &groups, &note) == ERR_OK, "%s: %s", path,
              note.text);
    for (uint32_t i = 0; i < groups->count; i++)
        run_group(&arena, path, groups->items[i], tally);
    arena_fini(&arena);
}

static void add(struct tally *sum, struct tally more)
{
    sum->tests += more.tests;
    sum->agreed += more.agreed;
    sum->refused += more.refused;
}

static bool is_known(struct str name)
{
    for (size_t i = 0; i < sizeof known_files / sizeof known_files[0]; i++) {
        if (str_equal(str_slice(name, 0, str_find(name, '.')), str_from(known_files[i])))
            return true;
    }
    return false;
}

static void run_folder(const char *folder, struct tally *known, struct tally *all)
{
    struct arena arena;
    arena_init(&arena, 0);
    DIR *dir = opendir(folder);
    cr_assert(dir != NULL, "no %s: install json-schema-test-suite", folder);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        struct tally tally = {0};
        if (!str_ends(str_from(entry->d_name), STR(".json")))
            continue;
        run_file(arena_printf(&arena, "%s/%s", folder, entry->d_name).data, &tally);
        add(all, tally);
        if (is_known(str_from(entry->d_name)))
            add(known, tally);
    }
    closedir(dir);
    arena_fini(&arena);
}

static void report(const char *draft, const char *what, struct tally tally)
{
    fprintf(stderr, "%s, %s: %d of %d tests agree (%d %%), %d refused, %d wrong\n", draft, what, tally.agreed,
            tally.tests, 100 * tally.agreed / tally.tests, tally.refused,
            tally.tests - tally.agreed - tally.refused);
}

static void run_draft(const char *draft)
{
    struct arena arena;
    struct tally known = {0};
    struct tally all = {0};
    struct tally options = {0};
    arena_init(&arena, 0);
    run_folder(arena_printf(&arena, SUITE "%s", draft).data, &known, &all);
    run_folder(arena_printf(&arena, SUITE "%s/optional", draft).data, &known, &options);
    report(draft, "keywords there are", known);
    report(draft, "all of the suite", all);
    report(draft, "its optional part", options);
    cr_expect(all.agreed * 100 >= all.tests * 80, "too much is refused: %d of %d", all.refused, all.tests);
    cr_expect(known.refused * 20 <= known.tests, "too much is refused: %d of %d", known.refused, known.tests);
    arena_fini(&arena);
}

Test(schema_suite, draft7)
{
    run_draft("draft7");
}

Test(schema_suite, draft7_formats)
{
    struct tally known = {0};
    struct tally all = {0};
    run_folder(SUITE "draft7/optional/format", &known, &all);
    report("draft7", "formats there are", known);
    report("draft7", "formats", all);
    cr_expect_eq(known.refused, 0);
}

Test(schema_suite, draft6)
{
    run_draft("draft6");
}
