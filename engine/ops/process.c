/* Starts, waits for and ends child processes of ours, with bounds. Called by tests, `sagad dev` and whoever
 * waits between two looks. Never ends a process that it has not started, and never through a shell. */
#include "engine/ops/process.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <poll.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"

enum {
    ARGUMENTS_MAX = 64,       /* of one command line; servers.c needs 47 */
    CHILDREN_MAX = 256,       /* direct children signalled: more than any private server has connections */
    POLL_MS = 5,              /* between two looks at a process: short against a server's start of 50 ms */
    GONE_MS = 5000,           /* a killed process not gone by then hangs in the kernel */
    STATUS_CANNOT_START = 127 /* as a shell answers when it finds no program */
};

void process_pause(int milliseconds)
{
    (void)poll(NULL, 0, milliseconds);
}

static bool is_program(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && access(path, X_OK) == 0;
}

/* Tries name in each folder of a list like PATH. */
static bool find_in(const char *folders, const char *name, char path[PROCESS_PATH_SIZE])
{
    while (*folders != '\0') {
        size_t size = strcspn(folders, ":");
        int written = snprintf(path, PROCESS_PATH_SIZE, "%.*s/%s", (int)size, folders, name);
        if (written > 0 && written < PROCESS_PATH_SIZE && size > 0 && is_program(path)) {
            return true;
        }
        folders += size + (folders[size] == ':');
    }
    return false;
}

/* Debian keeps initdb and postgres of each version apart, in no PATH. */
static bool find_in_postgresql(const char *name, char path[PROCESS_PATH_SIZE])
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0) {
        return false;
    }
    long newest = -1;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char candidate[PROCESS_PATH_SIZE];
        long version = strtol(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);
        int written = snprintf(candidate, sizeof candidate, "%s/%s", found.gl_pathv[i], name);
        if (version > newest && written > 0 && (size_t)written < sizeof candidate && is_program(candidate)) {
            newest = version;
            memcpy(path, candidate, (size_t)written + 1);
        }
    }
    globfree(&found);
    return newest >= 0;
}

bool process_find(const char *name, char path[PROCESS_PATH_SIZE])
{
    if (strchr(name, '/') != NULL) {
        int written = snprintf(path, PROCESS_PATH_SIZE, "%s", name);
        return written > 0 && written < PROCESS_PATH_SIZE && is_program(path);
    }
    const char *folders = getenv("PATH");
    return (folders != NULL && find_in(folders, name, path)) ||
           find_in("/usr/local/bin:/usr/bin:/usr/sbin", name, path) || find_in_postgresql(name, path);
}

static int open_log(const char *path, int otherwise)
{
    return path[0] == '\0' ? dup(otherwise) : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* In the child: only what is safe between fork and exec. The death signal comes last, because changing the
 * user clears it. */
static _Noreturn void become(const char *path, const char *const *argv, const struct passwd *user,
                             int death_signal, const int outputs[2], pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* a Ctrl-C on the terminal goes to us, who stop our children in order */
    bool ready = dup2(outputs[0], STDOUT_FILENO) >= 0 && dup2(outputs[1], STDERR_FILENO) >= 0;
    if (ready && user != NULL) {
        ready = setgroups(1, &user->pw_gid) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0;
    }
    if (ready && prctl(PR_SET_PDEATHSIG, (unsigned long)death_signal) == 0 && getppid() == parent) {
        const char *copy[ARGUMENTS_MAX + 1] = {
            path}; /* PostgreSQL finds its files from the path it was called by */
        for (size_t i = 1; i < ARGUMENTS_MAX && argv[i] != NULL; i++) {
            copy[i] = argv[i];
        }
        execv(path, (char *const *)copy);
    }
    _exit(STATUS_CANNOT_START);
}

static enum err launch(struct process *process, const char *path, const char *const *argv,
                       const struct process_options *options, const struct passwd *user,
                       struct err_note *note)
{
    const char *stdout_log = options->stdout_log != NULL ? options->stdout_log : process->log;
    int outputs[2] = {open_log(stdout_log, STDOUT_FILENO), open_log(process->log, STDERR_FILENO)};
    enum err err = ERR_OK;
    if (outputs[0] < 0 || outputs[1] < 0) {
        err = err_note(note, ERR_IO, "cannot write the log of %s, %s: %s", process->name, process->log,
                       strerror(errno));
    } else {
        pid_t parent = getpid();
        pid_t pid = fork();
        if (pid == 0) {
            become(path, argv, user, options->death_signal != 0 ? options->death_signal : SIGKILL, outputs,
                   parent);
        }
        process->pid = pid > 0 ? pid : 0;
        err =
            pid > 0 ? ERR_OK : err_note(note, ERR_IO, "cannot start %s: %s", process->name, strerror(errno));
    }
    for (int i = 0; i < 2; i++) {
        if (outputs[i] >= 0) {
            close(outputs[i]);
        }
    }
    return err;
}

enum err process_start(struct process *process, const char *const *argv,
                       const struct process_options *options, struct err_note *note)
{
    static const struct process_options plain = {0};
    check(process->pid == 0 && argv[0] != NULL);
    options = options != NULL ? options : &plain;
    char path[PROCESS_PATH_SIZE];
    if (!process_find(argv[0], path)) {
        return err_note(note, ERR_NOT_FOUND,
                        "no program %s in PATH nor where Debian puts it: is its package installed?", argv[0]);
    }
    const struct passwd *user = NULL;
    if (options->user != NULL) {
        user = getpwnam(options->user);
        if (user == NULL) {
            return err_note(note, ERR_NOT_FOUND, "no user %s on this machine", options->user);
        }
    }
    return launch(process, path, argv, options, user, note);
}

bool process_running(struct process *process, int *exit_status)
{
    int status = 0;
    if (process->pid == 0) {
        return false;
    }
    pid_t ended = waitpid(process->pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) {
        return true;
    }
    process->pid = 0;
    if (exit_status != NULL) {
        *exit_status = status;
    }
    return false;
}

bool process_wait(struct process *process, int timeout_ms, int *exit_status)
{
    int64_t until_us = clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    while (process_running(process, exit_status)) {
        if (clock_monotonic_us() >= until_us) {
            return false;
        }
        process_pause(POLL_MS);
    }
    return true;
}

enum err process_stop(struct process *process, int signal, int timeout_ms, struct err_note *note)
{
    if (process->pid == 0) {
        return ERR_OK;
    }
    kill(process->pid, signal);
    if (process_wait(process, timeout_ms, NULL)) {
        return ERR_OK;
    }
    process_kill(process);
    return err_note(note, ERR_TIMEOUT, "%s did not end within %d ms of signal %d and was killed",
                    process->name, timeout_ms, signal);
}

/* The direct children; the kernel lists those of the first thread, which is the one that forks in PostgreSQL.
 */
static size_t children_of(pid_t pid, pid_t children[CHILDREN_MAX])
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    size_t count = 0;
    if (file != NULL) {
        int child;
        while (count < CHILDREN_MAX && fscanf(file, "%d", &child) == 1) {
            children[count++] = child;
        }
        (void)fclose(file);
    }
    return count;
}

/* The parent first: a postmaster that saw a child die would start its own recovery. */
static size_t signal_all(const struct process *process, int signal, pid_t children[CHILDREN_MAX])
{
    size_t count = children_of(process->pid, children);
    kill(process->pid, signal);
    for (size_t i = 0; i < count; i++) {
        kill(children[i], signal);
    }
    return count;
}

void process_kill(struct process *process)
{
    pid_t children[CHILDREN_MAX];
    if (process->pid == 0) {
        return;
    }
    size_t count = signal_all(process, SIGKILL, children);
    check(process_wait(process, GONE_MS, NULL));
    int64_t until_us = clock_monotonic_us() + GONE_MS * 1000;
    for (size_t i = 0; i < count; i++) {
        while (kill(children[i], 0) == 0 && clock_monotonic_us() < until_us) {
            process_pause(POLL_MS); /* init reaps them */
        }
    }
}

void process_freeze(struct process *process)
{
    pid_t children[CHILDREN_MAX];
    if (process->pid != 0) {
        (void)signal_all(process, SIGSTOP, children);
    }
}

void process_thaw(struct process *process)
{
    pid_t children[CHILDREN_MAX];
    if (process->pid != 0) {
        (void)signal_all(process, SIGCONT, children);
    }
}

enum err process_run(const char *const *argv, const struct process_options *options, const char *log,
                     int timeout_ms, struct err_note *note)
{
    struct process process = {.name = argv[0]};
    int written = snprintf(process.log, sizeof process.log, "%s", log);
    if (written < 0 || (size_t)written >= sizeof process.log) {
        return err_note(note, ERR_LIMIT, "the path %s is too long", log);
    }
    enum err err = process_start(&process, argv, options, note);
    if (err != ERR_OK) {
        return err;
    }
    int status = 0;
    if (!process_wait(&process, timeout_ms, &status)) {
        process_kill(&process);
        return err_note(note, ERR_TIMEOUT, "%s did not end within %d ms", argv[0], timeout_ms);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        char tail[300];
        process_log_tail(process.log, tail, sizeof tail);
        return err_note(note, ERR_IO, "%s failed with status %d: %s", argv[0],
                        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), tail);
    }
    return ERR_OK;
}

void process_log_tail(const char *log, char *text, size_t size)
{
    check(size > 1);
    text[0] = '\0';
    FILE *file = fopen(log, "re");
    if (file == NULL) {
        return;
    }
    long end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
    long begin = end > (long)size - 1 ? end - ((long)size - 1) : 0;
    size_t got = fseek(file, begin, SEEK_SET) == 0 ? fread(text, 1, size - 1, file) : 0;
    (void)fclose(file);
    text[got] = '\0';
    if (begin > 0) { /* the first line is cut: leave it out, unless it is all there is */
        char *newline = strchr(text, '\n');
        if (newline != NULL && newline[1] != '\0') {
            memmove(text, newline + 1, strlen(newline + 1) + 1);
        }
    }
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\n' || *c == '\r' || *c == '\t' ? (c[1] == '\0' ? '\0' : '|') : *c;
        if (*c == '\0') {
            break;
        }
    }
}

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *place)
{
    (void)about;
    (void)type;
    (void)place;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

enum err process_remove_tree(const char *path, struct err_note *note)
{
    enum { OPEN_FOLDERS = 16 };
    if (nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        return err_note(note, ERR_IO, "cannot remove %s: %s", path, strerror(errno));
    }
    return ERR_OK;
}
