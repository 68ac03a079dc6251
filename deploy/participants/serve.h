/* A demo participant at work: commands from the broker, through rules and barrier, to replies.
 *
 * Each thread that handles a command takes a seat: a database connection and an arena of its own. A command
 * is acknowledged after its reply left; whatever dies in between, the command comes again and the barrier
 * knows it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/err.h"
#include "engine/base/str.h"

enum { SERVE_THREADS_MAX = 64 };

struct serve;
/* What a stand-in replies to an action; {} to those without. */
struct serve_answer {
    struct str action;
    struct str body; /* JSON */
};
struct serve_options {
    const char *name;     /* of the participant; borrowed */
    const char *nats;     /* URLs */
    const char *database; /* libpq connection string of any database of the server; borrowed */
    uint32_t threads;     /* commands worked on at a time, 1 to SERVE_THREADS_MAX */
    bool stand_in;        /* answers every command ok, whatever it is called, and has no effects */
    const struct serve_answer *answers; /* of a stand-in; borrowed */
    uint32_t answer_count;
};
/* Makes the database when missing, connects, begins. ERR_UNAVAILABLE when one of the servers does not answer.
 */
enum err serve_open(const struct serve_options *options, struct serve **serve, struct err_note *note)
    __attribute__((warn_unused_result));
/* Ends after the commands that are being worked on. NULL is allowed. */
void serve_close(struct serve *serve);
