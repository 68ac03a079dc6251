/* Definitions and schemas on disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/limits.h"
#include "engine/definition/definition.h"

/* The whole file, cut one byte above the bound, so that whoever checks the size sees that it is passed. */
static enum err read_file(struct arena *arena, const char *path, struct str *text, struct err_note *note)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return err_note(note, ERR_IO, "%s", strerror(errno));
    struct buf out;
    buf_init(&out, arena);
    size_t got;
    do {
        enum { PIECE_BYTES = 16384 };
        got = fread(buf_reserve(&out, PIECE_BYTES), 1, PIECE_BYTES, file);
        out.size += got;
    } while (got > 0 && out.size <= LIMITS_DEFINITION_BYTES);
    int failed = ferror(file) ? errno : 0;
    (void)fclose(file); /* only read from: closing loses nothing */
    if (failed)
        return err_note(note, ERR_IO, "%s", strerror(failed));
    *text = buf_str(&out);
    return ERR_OK;
}

static enum err read_below(void *context, struct str path, struct arena *arena, struct str *text,
                           struct err_note *note)
{
    const char *folder = context;
    struct str full = arena_printf(arena, "%s/%.*s", folder, STR_ARG(path));
    return read_file(arena, full.data, text, note);
}

struct definition_files definition_files_below(const char *folder)
{
    return (struct definition_files){.context = (void *)folder, .read = read_below};
}

static const char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    if (slash == path)
        return "/";
    return arena_copy(arena, (struct str){path, (size_t)(slash - path)}).data;
}

enum err definition_load_file(struct arena *arena, const char *path, struct diag_list *diags,
                              const struct plan **plan, struct err_note *note)
{
    struct str text;
    struct err_note why;
    *plan = NULL;
    diag_init(diags, arena, arena_copy(arena, str_from(path)), STR(""));
    if (read_file(arena, path, &text, &why) != ERR_OK)
        return err_note(note, ERR_IO, "cannot read %s: %s", path, why.text);
    struct definition_files files = definition_files_below(folder_of(arena, path));
    diags->source = text;
    *plan = definition_load(arena, text, &files, diags);
    return ERR_OK;
}
