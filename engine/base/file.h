/* Reading files whole. Regular files only: opening a FIFO waits for a writer, a device may never end, and
 * neither may hold up a service that looks through a folder. Any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "engine/base/arena.h"
#include "engine/base/err.h"

/* The file's bytes in `arena`, cut one behind `most`, so that whoever checks the size sees that it is passed.
 * ERR_IO: it cannot be read, or is no regular file; the note says why, without the path. */
enum err file_read(struct arena *arena, const char *path, size_t most, struct str *text,
                   struct err_note *note) __attribute__((warn_unused_result));
/* ERR_OK when it is a regular file that can be opened: for those that a library reads. */
enum err file_check(const char *path, struct err_note *note) __attribute__((warn_unused_result));
/* Whether others than its owner and group may read or write it; false when it cannot be told. */
bool file_is_open(const char *path);
/* Writes the file anew, for its owner alone, in one step: whoever looks sees the old one or the whole new
 * one, and a link of that name is replaced, not followed. ERR_IO with the reason. */
enum err file_write_private(const char *path, struct str text, struct err_note *note)
    __attribute__((warn_unused_result));
