/* A failpoint kills at the passage that was asked for, and only there. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "engine/ops/failpoint.h"

/* How many passages of "commit_before" a child survives, of at most 5; -1 when it ended otherwise than by
 * SIGKILL or at the end. */
static int survived(const char *setting)
{
    int ends[2];
    char passage;
    int count = 0;
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        setenv("SAGAD_FAILPOINT", setting, 1);
        for (int i = 0; i < 5; i++) {
            failpoint("commit_before");
            failpoint("commit");
            (void)!write(ends[1], "x", 1);
        }
        _exit(0);
    }
    close(ends[1]);
    while (read(ends[0], &passage, 1) == 1) {
        count++;
    }
    close(ends[0]);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return killed == (count < 5) ? count : -1;
}

Test(failpoint, kills_at_the_passage_asked_for)
{
    cr_assert_eq(survived("commit_before"), 0);
    cr_assert_eq(survived("commit_before:1"), 0);
    cr_assert_eq(survived("commit_before:4"), 3);
    cr_assert_eq(survived("commit_before:9"), 5);
}

Test(failpoint, another_name_is_not_hit)
{
    cr_assert_eq(survived("publish_before"), 5);
    cr_assert_eq(survived("commit_before_all"), 5);
    cr_assert_eq(survived(""), 5);
}
