/* Files of the test folders, and comparing texts line by line. */
#pragma once
#include <criterion/criterion.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/str.h"
#include "engine/definition/definition.h"

#define SUPPORT_FOLDER SAGA_SOURCE_DIR "/tests/definition/"

enum { SUPPORT_FILES_MAX = 256 };
struct support_files {
    struct str names[SUPPORT_FILES_MAX]; /* without the folder, sorted */
    int count;
};
/* Files of `folder` (below tests/definition/) that end in `suffix`. */
void support_list(struct arena *arena, const char *folder, const char *suffix, struct support_files *files);
/* A whole file; a missing one fails the test. path is absolute. */
struct str support_read(struct arena *arena, const char *path);
/* Loads text as if it were the file `name` of a folder, with the files beside it. */
const struct plan *support_load(struct arena *arena, const char *name, struct str text, const char *folder,
                                struct diag_list *diags);
/* Loads text that has no files beside it. */
const struct plan *support_load_text(struct arena *arena, struct str text, struct diag_list *diags);
struct str support_render(struct arena *arena, struct diag_list *diags);
bool support_has_code(const struct diag_list *diags, const char *code);
/* Fails the test, showing the first line that differs. */
void support_expect_text(const char *what, struct str expected, struct str actual);
