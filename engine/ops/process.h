/* Child processes that this process owns: started with their output in a file, ended by their pid, never by a
 * name.
 *
 * A child dies with the thread that started it (PR_SET_PDEATHSIG), so start children from a thread that lives
 * as long as they should: main. The struct is the caller's; its paths are copied. One thread at a time for
 * one struct. Used by `sagad dev` and by the tests; a production engine starts no process. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "engine/base/err.h"

enum { PROCESS_PATH_SIZE = 512 };

struct process {
    const char *name;            /* for messages; borrowed, a literal */
    pid_t pid;                   /* 0: not running */
    char log[PROCESS_PATH_SIZE]; /* stdout and stderr are appended here; "": inherited */
};
struct process_options {
    const char *user;       /* NULL: stay who we are; else the user to become, for which we must be root */
    const char *stdout_log; /* NULL: together with stderr in the log */
    int death_signal;       /* what the child gets when its parent dies; 0: SIGKILL */
};

/* Starts argv[0], looked up as process_find does; the environment is inherited. options may be NULL.
 * ERR_NOT_FOUND when there is no such program or user, ERR_IO when it cannot be started. */
enum err process_start(struct process *process, const char *const *argv,
                       const struct process_options *options, struct err_note *note)
    __attribute__((warn_unused_result));
/* True while it runs; reaps it and forgets its pid when it ended. exit_status (may be NULL) gets what waitpid
 * told. */
bool process_running(struct process *process, int *exit_status);
/* Waits until it ended by itself. False when it still runs after timeout_ms. */
bool process_wait(struct process *process, int timeout_ms, int *exit_status);
/* Sends `signal` and waits; after timeout_ms kills it and answers ERR_TIMEOUT. Fine when it is not running.
 */
enum err process_stop(struct process *process, int signal, int timeout_ms, struct err_note *note)
    __attribute__((warn_unused_result));
/* SIGKILL to it and its direct children (the backends of a PostgreSQL), then waits for all of them. */
void process_kill(struct process *process);
/* SIGSTOP and SIGCONT, to it and its direct children. */
void process_freeze(struct process *process);
void process_thaw(struct process *process);

/* Runs a program to its end. ERR_IO with the end of its output when it fails, ERR_TIMEOUT after timeout_ms.
 */
enum err process_run(const char *const *argv, const struct process_options *options, const char *log,
                     int timeout_ms, struct err_note *note) __attribute__((warn_unused_result));
/* The path of a program: as given when it has a slash, else searched in PATH, /usr/local/bin, /usr/bin,
 * /usr/sbin and, newest first, /usr/lib/postgresql/N/bin. False when there is none. */
bool process_find(const char *name, char path[PROCESS_PATH_SIZE]);
/* The last `size` - 1 bytes at most of a log, newlines shown as " | ", from the start of a line. "" when
 * there is none. */
void process_log_tail(const char *log, char *text, size_t size);
/* Removes a folder and all in it; symbolic links are not followed. Nothing happens when there is none.
 * ERR_IO: something of it stays, the note names it. */
enum err process_remove_tree(const char *path, struct err_note *note) __attribute__((warn_unused_result));
/* Lets `milliseconds` pass between two looks at something that sends no signal. */
void process_pause(int milliseconds);
