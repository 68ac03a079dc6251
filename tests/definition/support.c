#include "tests/definition/support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int compare_names(const void *left, const void *right)
{
    const struct str *a = left;
    const struct str *b = right;
    return str_compare(*a, *b);
}

void support_list(struct arena *arena, const char *folder, const char *suffix, struct support_files *files)
{
    DIR *dir = opendir(arena_printf(arena, SUPPORT_FOLDER "%s", folder).data);
    cr_assert(dir != NULL, "no folder %s", folder);
    files->count = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (!str_ends(str_from(entry->d_name), str_from(suffix)))
            continue;
        cr_assert(files->count < SUPPORT_FILES_MAX);
        files->names[files->count++] = arena_copy(arena, str_from(entry->d_name));
    }
    closedir(dir);
    qsort(files->names, (size_t)files->count, sizeof files->names[0], compare_names);
}

struct str support_read(struct arena *arena, const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL, "cannot read %s", path);
    struct buf out;
    buf_init(&out, arena);
    for (size_t got = 1; got > 0; out.size += got)
        got = fread(buf_reserve(&out, 65536), 1, 65536, file);
    fclose(file);
    return buf_str(&out);
}

const struct plan *support_load(struct arena *arena, const char *name, struct str text, const char *folder,
                                struct diag_list *diags)
{
    struct definition_files files = definition_files_below(folder);
    diag_init(diags, arena, str_from(name), text);
    return definition_load(arena, text, &files, diags);
}

const struct plan *support_load_text(struct arena *arena, struct str text, struct diag_list *diags)
{
    diag_init(diags, arena, STR("test.yaml"), text);
    return definition_load(arena, text, NULL, diags);
}

struct str support_render(struct arena *arena, struct diag_list *diags)
{
    struct buf out;
    buf_init(&out, arena);
    diag_render(diags, &out);
    return buf_str(&out);
}

bool support_has_code(const struct diag_list *diags, const char *code)
{
    for (size_t i = 0; i < diags->count; i++) {
        if (str_equal(diags->items[i].code, str_from(code)))
            return true;
    }
    return false;
}

void support_expect_text(const char *what, struct str expected, struct str actual)
{
    for (int line = 1; !str_equal(expected, actual); line++) {
        struct str want = str_slice(expected, 0, str_find(expected, '\n'));
        struct str have = str_slice(actual, 0, str_find(actual, '\n'));
        if (!str_equal(want, have) || expected.size == 0 || actual.size == 0) {
            cr_expect_fail("%s, line %d:\nexpected %.*s\nactual   %.*s", what, line, STR_ARG(want),
                           STR_ARG(have));
            return;
        }
        expected = str_slice(expected, want.size + 1, expected.size);
        actual = str_slice(actual, have.size + 1, actual.size);
    }
}
