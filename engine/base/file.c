#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "engine/base/buf.h"

/* Without waiting, whatever it is; what it is is asked of what was opened, so that nobody can exchange it in
 * between. */
static enum err open_regular(const char *path, int *opened, struct err_note *note)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0)
        return err_note(note, ERR_IO, "%s", strerror(errno));
    enum err error = ERR_OK;
    if (fstat(file, &about) != 0)
        error = err_note(note, ERR_IO, "%s", strerror(errno));
    else if (!S_ISREG(about.st_mode))
        error = err_note(note, ERR_IO, "not a regular file");
    if (error != ERR_OK)
        (void)close(file); /* nothing was written */
    else
        *opened = file;
    return error;
}

enum err file_read(struct arena *arena, const char *path, size_t most, struct str *text,
                   struct err_note *note)
{
    enum { PIECE_BYTES = 16384 };
    int file = -1;
    struct buf out;
    enum err error = open_regular(path, &file, note);
    if (error != ERR_OK)
        return error;
    buf_init(&out, arena);
    ssize_t got;
    do {
        got = read(file, buf_reserve(&out, PIECE_BYTES), PIECE_BYTES);
        out.size += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && out.size <= most) || (got < 0 && errno == EINTR));
    if (got < 0)
        error = err_note(note, ERR_IO, "%s", strerror(errno));
    (void)close(file); /* only read from: closing loses nothing */
    out.size = out.size > most ? most + 1 : out.size;
    *text = buf_str(&out);
    return error;
}

enum err file_check(const char *path, struct err_note *note)
{
    int file = -1;
    enum err error = open_regular(path, &file, note);
    if (error == ERR_OK)
        (void)close(file);
    return error;
}

bool file_is_open(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && (about.st_mode & (S_IROTH | S_IWOTH)) != 0;
}

static bool write_all(int file, struct str text)
{
    for (size_t done = 0; done < text.size;) {
        ssize_t part = write(file, text.data + done, text.size - done);
        if (part < 0 && errno != EINTR)
            return false;
        done += part > 0 ? (size_t)part : 0;
    }
    return true;
}

enum err file_write_private(const char *path, struct str text, struct err_note *note)
{
    char fresh[PATH_MAX];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return err_note(note, ERR_IO, "the path is too long");
    if (unlink(fresh) != 0 && errno != ENOENT) /* of a write that was cut off */
        return err_note(note, ERR_IO, "%s", strerror(errno));
    int file = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return err_note(note, ERR_IO, "%s", strerror(errno));
    bool written = write_all(file, text);
    written = close(file) == 0 && written;
    if (written && rename(fresh, path) == 0)
        return ERR_OK;
    enum err error = err_note(note, ERR_IO, "%s", strerror(errno));
    (void)unlink(fresh); /* what is left of it says nothing */
    return error;
}
