/* The law can fail: each folder under bad/ is a small tree, its file `expected` is what the law says about
 * it, and every rule is found broken in at least one of them. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { TEXT_SIZE = 65536, PATH_SIZE = 1024 };

#define BAD SAGA_SOURCE_DIR "/tests/law/bad"
#define LAW SAGA_BINARY_DIR "/tests/law/law"

static void read_all(FILE *file, char text[TEXT_SIZE])
{
    cr_assert_not_null(file);
    size_t size = fread(text, 1, TEXT_SIZE - 1, file);
    text[size] = '\0';
}

/* What the law says, its closing sentences left out. Returns its exit status. */
static int judge(const char *sample, char said[TEXT_SIZE])
{
    char command[2 * PATH_SIZE];
    char build[PATH_SIZE];
    struct stat about;
    (void)snprintf(build, sizeof build, SAGA_BINARY_DIR "/tests/law/bad/%s", sample);
    (void)snprintf(command, sizeof command, "'%s' '" BAD "/%s' %s", LAW, sample,
                   stat(build, &about) == 0 ? build : "");
    FILE *answer = popen(command, "r");
    read_all(answer, said);
    int status = pclose(answer);
    char *closing = strstr(said, "\nlaw: ");
    if (strncmp(said, "law: ", 5) == 0 || strstr(said, ": ") == NULL) {
        said[0] = '\0';
    } else if (closing != NULL) {
        closing[1] = '\0';
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expectation(const char *sample, char text[TEXT_SIZE])
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, BAD "/%s.expected", sample);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "no %s", path);
    read_all(file, text);
    (void)fclose(file);
}

Test(law, finds_what_is_bad_and_nothing_else)
{
    static char said[TEXT_SIZE];
    static char expected[TEXT_SIZE];
    size_t count = 0;
    DIR *dir = opendir(BAD);
    cr_assert_not_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strchr(entry->d_name, '.') == NULL) {
            int status = judge(entry->d_name, said);
            expectation(entry->d_name, expected);
            cr_expect_str_eq(said, expected, "%s: the law says\n%s", entry->d_name, said);
            cr_expect_eq(status, expected[0] != '\0', "%s: status %d", entry->d_name, status);
            count++;
        }
    }
    (void)closedir(dir);
    cr_assert_geq(count, 10);
}

Test(law, every_rule_can_fail)
{
    static char all[8 * TEXT_SIZE];
    static char list[TEXT_SIZE];
    FILE *answer = popen("cat " BAD "/*.expected", "r");
    cr_assert_not_null(answer);
    all[fread(all, 1, sizeof all - 1, answer)] = '\0';
    (void)pclose(answer);
    answer = popen(LAW " --list", "r");
    read_all(answer, list);
    (void)pclose(answer);
    size_t rules = 0;
    for (char *line = list; *line != '\0'; line = strchr(line, '\n') + 1) {
        char mark[100];
        (void)snprintf(mark, sizeof mark, "[%.*s]\n", (int)strcspn(line, ":"), line);
        cr_expect_not_null(strstr(all, mark), "no sample breaks the rule %s", mark);
        rules++;
    }
    cr_assert_geq(rules, 17);
}

Test(law, a_missing_tree_is_an_error)
{
    FILE *answer = popen(LAW " " BAD "/nowhere 2>/dev/null", "r");
    cr_assert_not_null(answer);
    int status = pclose(answer);
    cr_assert_eq(WEXITSTATUS(status), 2);
}
