/* What stands where a file is expected and is none is named, and holds nobody up. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "engine/base/file.h"

static char folder[] = "/tmp/saga-file-XXXXXX";
static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 0);
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
    static const char *const names[] = {"fifo", "device", "folder", "socket", "file", "secret"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)remove(names[i]);
    cr_assert_eq(rmdir(folder), 0);
}

TestSuite(file, .init = set_up, .fini = tear_down, .timeout = 10);

static void expect_refused(const char *path, const char *why)
{
    struct err_note note = {""};
    struct str text;
    cr_expect_eq(file_read(&arena, path, 100, &text, &note), ERR_IO, "%s", path);
    cr_expect_str_eq(note.text, why, "%s", path);
    cr_expect_eq(file_check(path, &note), ERR_IO, "%s", path);
}

Test(file, only_regular_files_are_opened)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(listening, (const struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(mkfifo("fifo", 0600), 0);
    cr_assert_eq(mkdir("folder", 0700), 0);
    cr_assert_eq(symlink("/dev/zero", "device"), 0);
    expect_refused("fifo", "not a regular file");
    expect_refused("folder", "not a regular file");
    expect_refused("device", "not a regular file");
    expect_refused("socket", "No such device or address");
    expect_refused("nothing", "No such file or directory");
    close(listening);
}

Test(file, a_file_is_read_to_one_byte_above_the_bound)
{
    struct str text;
    struct err_note note = {""};
    FILE *file = fopen("file", "w");
    cr_assert_not_null(file);
    for (int i = 0; i < 40000; i++)
        cr_assert_eq(fputc('a' + i % 26, file), 'a' + i % 26);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(file_read(&arena, "file", 40000, &text, &note), ERR_OK);
    cr_expect_eq(text.size, 40000);
    cr_expect_eq(text.data[39999], 'a' + 39999 % 26);
    cr_assert_eq(file_read(&arena, "file", 100, &text, &note), ERR_OK);
    cr_expect_eq(text.size, 101);
    cr_expect_eq(file_check("file", &note), ERR_OK);
}
