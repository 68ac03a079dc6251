/* The tree as a whole: its first page, what CMake builds, its layout. */
#include "tests/law/law.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/buf.h"

/* Layout differs between versions of clang-format; this one is Debian 12's. */
#define FORMAT_VERSION "version 14."

static bool is_top_level(const char *name)
{
    static const char *const allowed[] = {
        ".",         "..",      ".git",           ".gitignore", ".clang-format", ".ci",
        "api",       "deploy",  "definitions",    "engine",     "migrations",    "tests",
        "README.md", "LICENSE", "CMakeLists.txt", "out",        "node_modules",  NULL};
    for (size_t i = 0; allowed[i] != NULL; i++) {
        if (strcmp(name, allowed[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "build", 5) == 0;
}

static void check_top_level(struct law *law)
{
    DIR *dir = opendir(law->root);
    for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (!is_top_level(entry->d_name)) {
            law_find(
                law, LAW_TOP_LEVEL, str_from(entry->d_name), 1,
                "not one of README.md CMakeLists.txt engine api definitions migrations tests deploy: move it "
                "into one of them");
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

/* Whether `name` stands as a word of its own in a CMakeLists.txt. */
static bool lists(struct str text, struct str name)
{
    for (size_t i = 0; i + name.size <= text.size; i++) {
        if (memcmp(text.data + i, name.data, name.size) == 0) {
            char before = i == 0 ? ' ' : text.data[i - 1];
            char after = i + name.size == text.size ? ' ' : text.data[i + name.size];
            if (strchr(" \n\t(\"/", before) != NULL && strchr(" \n\t)\"", after) != NULL) {
                return true;
            }
        }
    }
    return false;
}

/* In the CMakeLists.txt of its folder or of one above it, by its path from there. */
static bool is_built(const struct law *law, struct str path)
{
    for (size_t cut = path.size; cut > 0; cut--) {
        if (path.data[cut - 1] != '/') {
            continue;
        }
        char file[600];
        int written = snprintf(file, sizeof file, "%.*sCMakeLists.txt", (int)cut, path.data);
        const struct law_source *list = law_source_at(law, (struct str){file, (size_t)written});
        if (list != NULL && lists(list->text, str_slice(path, cut, path.size))) {
            return true;
        }
    }
    return false;
}

static void check_cmake(struct law *law)
{
    for (size_t i = 0; i < law->count; i++) {
        const struct law_source *source = &law->sources[i];
        if (law_is_unit(source) && !is_built(law, source->path)) {
            law_find(law, LAW_CMAKE, source->path, 1,
                     "in no CMakeLists.txt: list it in the one of its folder, or remove it");
        }
    }
}

static bool format_is_there(void)
{
    char line[200] = "";
    FILE *answer = popen("clang-format --version 2>/dev/null", "re");
    bool there =
        answer != NULL && fgets(line, sizeof line, answer) != NULL && strstr(line, FORMAT_VERSION) != NULL;
    if (answer != NULL) {
        (void)pclose(answer);
    }
    return there;
}

/* "path:line:col: error: code should be clang-formatted": only the first of each file. */
static void check_format_output(struct law *law, FILE *answer)
{
    char line[1024];
    struct str last = {0};
    size_t root_size = strlen(law->root) + 1;
    while (fgets(line, sizeof line, answer) != NULL) {
        if (strstr(line, "clang-format") == NULL || strlen(line) <= root_size) {
            continue;
        }
        char *path = line + root_size;
        char *colon = strchr(path, ':');
        if (colon == NULL) {
            continue;
        }
        struct str name = arena_copy(&law->arena, (struct str){path, (size_t)(colon - path)});
        if (!str_equal(name, last)) {
            law_find(law, LAW_FORMAT, name, (size_t)strtoul(colon + 1, NULL, 10),
                     "layout differs: run clang-format -i on it");
        }
        last = name;
    }
}

static void check_format(struct law *law)
{
    if (!format_is_there()) {
        (void)printf("law: layout was not looked at: no clang-format of " FORMAT_VERSION "x\n");
        return;
    }
    struct buf command;
    buf_init(&command, &law->arena);
    buf_puts(&command, "clang-format --dry-run");
    for (size_t i = 0; i < law->count; i++) {
        if (law_is_c(&law->sources[i])) {
            buf_printf(&command, " '%s/%.*s'", law->root, STR_ARG(law->sources[i].path));
        }
    }
    buf_puts(&command, " 2>&1");
    FILE *answer = popen(buf_str(&command).data, "re");
    if (answer != NULL) {
        check_format_output(law, answer);
        (void)pclose(answer);
    }
}

void rules_tree_check(struct law *law)
{
    check_top_level(law);
    check_cmake(law);
    check_format(law);
}
