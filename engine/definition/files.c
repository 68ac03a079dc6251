/* Definitions and schemas on disk: a folder's files, a file with its schemas beside it. Called by the
 * registry and the tools. Never waits for what is no file. */
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/definition/definition.h"

static enum err read_below(void *context, struct str path, struct arena *arena, struct str *text,
                           struct err_note *note)
{
    const char *folder = context;
    struct str full = arena_printf(arena, "%s/%.*s", folder, STR_ARG(path));
    return file_read(arena, full.data, LIMITS_DEFINITION_BYTES, text, note);
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
    if (file_read(arena, path, LIMITS_DEFINITION_BYTES, &text, &why) != ERR_OK)
        return err_note(note, ERR_IO, "cannot read %s: %s", path, why.text);
    struct definition_files files = definition_files_below(folder_of(arena, path));
    diags->source = text;
    *plan = definition_load(arena, text, &files, diags);
    return ERR_OK;
}
