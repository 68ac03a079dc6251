/* What the libraries export and need, as objdump shows it: names tell their home; the core needs nothing that
 * is not pure. */
#include "tests/law/law.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbol {
    struct str name;
    struct str section;
    bool global;
};

/* What the core may call outside of the pure layers, as prefixes; then what it may not although a prefix says
 * so. */
static const char *const pure[] = {"arena_", "buf_", "check_",    "json_",    "str_", "rng_",
                                   "id_",    "err_", "duration_", "visible_", NULL};
static const char *const impure[] = {"rng_entropy", "timer_create", "timer_settime", NULL};
static const char *const pure_c[] = {"memcpy", "memset",  "memcmp",   "memmove",   "memchr", "strlen",
                                     "strcmp", "strncmp", "snprintf", "vsnprintf", NULL};
/* Functions of libraries that ours stand in front of, on purpose: the file that does it says why. */
static const char *const replaced[] = {"MHD_queue_response", NULL};
/* Put in by compilers. */
static const char *const tools[] = {"__asan_",
                                    "__ubsan_",
                                    "__gcov_",
                                    "__sanitizer_",
                                    "__odr_asan",
                                    "__stack_chk_fail",
                                    "_GLOBAL_OFFSET_TABLE_",
                                    "asan.",
                                    "llvm.",
                                    ".L",
                                    "__llvm",
                                    "_sub_",
                                    "__tsan_",
                                    NULL};

static bool starts_with_one(struct str name, const char *const *prefixes)
{
    for (; *prefixes != NULL; prefixes++) {
        if (str_starts(name, str_from(*prefixes))) {
            return true;
        }
    }
    return false;
}

static bool is_one(struct str name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (str_equal(name, str_from(*names))) {
            return true;
        }
    }
    return false;
}

static bool is_named(struct str name, struct str module)
{
    return str_starts(name, module) && (name.size == module.size || name.data[module.size] == '_');
}

/* The longest cut of the stem at an underscore that has a header names the module: json_parse.c belongs to
 * json.h. Empty: none has. */
static struct str module_of(struct law *law, struct str folder, struct str stem)
{
    for (struct str cut = stem; cut.size > 0; cut.size--) {
        bool boundary = cut.size == stem.size || stem.data[cut.size] == '_';
        if (boundary && law_source_at(law, arena_printf(&law->arena, "%.*s/%.*s.h", STR_ARG(folder),
                                                        STR_ARG(cut))) != NULL) {
            return cut;
        }
    }
    return (struct str){0};
}

/* Whether a file of the folder, a header only if so asked, gives the symbol its name. */
static bool is_of_folder(const struct law *law, struct str name, struct str folder, bool headers)
{
    for (size_t i = 0; i < law->count; i++) {
        struct str path = law->sources[i].path;
        bool inside = str_starts(path, folder) && path.size > folder.size && path.data[folder.size] == '/';
        if (inside && law_is_c(&law->sources[i]) && !(headers && law_is_unit(&law->sources[i])) &&
            is_named(name, str_slice(path, folder.size + 1, path.size - 2))) {
            return true;
        }
    }
    return false;
}

/* The file's own module, or another of its folder: schema_parts.c may hold a part of schema.h. */
static void check_prefix(struct law *law, struct str folder, struct str stem, struct symbol symbol)
{
    struct str module = module_of(law, folder, stem);
    bool fine = is_named(symbol.name, module.size > 0 ? module : stem) ||
                is_of_folder(law, symbol.name, folder, true) || is_one(symbol.name, replaced);
    if (!fine) {
        module = module.size > 0 ? module : stem;
        struct str path = arena_printf(&law->arena, "%.*s/%.*s.c", STR_ARG(folder), STR_ARG(stem));
        law_find(law, LAW_PREFIX, path, 1, "exports %.*s: make it static or call it %.*s_…",
                 STR_ARG(symbol.name), STR_ARG(module));
    }
}

/* Symbols carry the name of their file (LAW_PREFIX), so the files of the pure layers tell which are theirs.
 */
static bool is_of_pure_layer(const struct law *law, struct str name)
{
    return is_of_folder(law, name, STR("engine/core"), false) ||
           is_of_folder(law, name, STR("engine/definition"), false) ||
           is_of_folder(law, name, STR("engine/expr"), false);
}

static void check_core(struct law *law, struct str folder, struct str stem, struct symbol symbol)
{
    struct str path = arena_printf(&law->arena, "%.*s/%.*s.c", STR_ARG(folder), STR_ARG(stem));
    if (str_equal(symbol.section, STR("*UND*"))) {
        bool named = is_of_pure_layer(law, symbol.name) || starts_with_one(symbol.name, pure);
        bool allowed = is_one(symbol.name, pure_c) || (named && !is_one(symbol.name, impure));
        if (!allowed) {
            law_find(law, LAW_CORE_SYMBOLS, path, 1,
                     "needs %.*s: the core is pure, let the caller pass in what it gives",
                     STR_ARG(symbol.name));
        }
    } else if (str_equal(symbol.section, STR(".data")) || str_equal(symbol.section, STR(".bss")) ||
               str_starts(symbol.section, STR(".tbss")) || str_starts(symbol.section, STR(".tdata"))) {
        law_find(law, LAW_CORE_GLOBALS, path, 1,
                 "has the variable %.*s: make it const, or a member of struct core_saga",
                 STR_ARG(symbol.name));
    }
}

/* "0000000000000000 g     F .text	0000000000000010 name"; false for lines that are none. */
static bool read_symbol(struct arena *arena, char *line, struct symbol *symbol)
{
    char *tab = strchr(line, '\t');
    if (tab == NULL || strlen(line) < 26 || strspn(line, "0123456789abcdef") != 16) {
        return false;
    }
    char *name = strchr(tab + 1, ' ');
    if (name == NULL) {
        return false;
    }
    *tab = '\0';
    name += strspn(name, " ");
    if (strncmp(name, ".hidden ", 8) == 0) {
        name += 8;
    }
    name[strcspn(name, "\n")] = '\0';
    char *section = strrchr(line, ' ') + 1;
    symbol->global = line[17] == 'g' || line[17] == 'u' || line[17] == 'w' || strcmp(section, "*UND*") == 0;
    bool object = strchr(line + 17, 'd') == NULL ||
                  line[23] != ' '; /* sections and files have no kind letter of their own */
    symbol->name = arena_copy(arena, str_from(name));
    symbol->section = arena_copy(arena, str_from(section));
    return object && name[0] != '\0' && name[0] != '.' && !str_ends(symbol->name, STR(".c"));
}

static void check_line(struct law *law, struct str folder, struct str stem, char *line)
{
    struct symbol symbol;
    if (!read_symbol(&law->arena, line, &symbol) || starts_with_one(symbol.name, tools) || stem.size == 0) {
        return;
    }
    if (symbol.global && !str_equal(symbol.section, STR("*UND*")) &&
        !str_equal(symbol.section, STR("*COM*"))) {
        check_prefix(law, folder, stem, symbol);
    }
    if (str_equal(folder, STR("engine/core"))) {
        check_core(law, folder, stem, symbol);
    }
}

/* Only members of the form foo.c.o: generated units have other homes. */
static void check_archive(struct law *law, const char *archive, struct str folder)
{
    char line[4096];
    struct str stem = {0};
    struct str command = arena_printf(&law->arena, "LC_ALL=C objdump -t '%s' 2>/dev/null", archive);
    FILE *answer = popen(command.data, "re");
    while (answer != NULL && fgets(line, sizeof line, answer) != NULL) {
        char *member = strstr(line, ".c.o:");
        if (member != NULL) {
            stem = arena_copy(&law->arena, (struct str){line, (size_t)(member - line)});
            struct str path = arena_printf(&law->arena, "%.*s/%.*s.c", STR_ARG(folder), STR_ARG(stem));
            stem.size = law_source_at(law, path) != NULL ? stem.size : 0;
        } else {
            check_line(law, folder, stem, line);
        }
    }
    if (answer == NULL || pclose(answer) != 0) {
        law_find(law, LAW_PREFIX, str_from(archive), 1,
                 "objdump cannot read it: install binutils, build again");
    }
}

void rules_symbols_check(struct law *law)
{

    size_t seen = 0;
    for (size_t i = 0; i < 2; i++) {
        glob_t found;
        struct str pattern = i == 0 ? arena_printf(&law->arena, "%s/engine/*/lib*.a", law->build)
                                    : arena_printf(&law->arena, "%s/api/lib*.a", law->build);
        if (glob(pattern.data, 0, NULL, &found) != 0) {
            continue;
        }
        for (size_t k = 0; k < found.gl_pathc; k++, seen++) {
            struct str path = str_from(found.gl_pathv[k]);
            path = str_slice(path, strlen(law->build) + 1, path.size);
            size_t cut = path.size;
            while (path.data[cut - 1] != '/') {
                cut--;
            }
            check_archive(law, found.gl_pathv[k], str_slice(path, 0, cut - 1));
        }
        globfree(&found);
    }
    if (seen == 0) {
        law_find(law, LAW_PREFIX, STR("CMakeLists.txt"), 1, "no library below %s: build before asking",
                 law->build);
    }
}
