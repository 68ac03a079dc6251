/* A stand for the programs: runs sagad and sagactl as processes, reads what they print, and brings a
 * participant that does what a command's "how" says.
 *
 * Happy path: stand_open, stand_dev, stand_participant, stand_run …, stand_close. What cannot be done on this
 * side ends the test process with a sentence on stderr. One thread. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "tests/harness/harness.h"
#include "tests/support/participant.h"

enum { STAND_PATIENCE_MS = 60000 };

struct stand {
    char dir[64];
    struct arena arena;
    struct harness_program dev;
    const char *definitions; /* the test's own unless set before stand_dev */
    char url[SERVERS_URL_SIZE];
    char nats[SERVERS_URL_SIZE];
    char postgres[SERVERS_URL_SIZE];
    struct participant *participant;
    unsigned runs; /* so far: names of their files */
};
struct stand_result {
    int code; /* 128 + n when it died by signal n */
    struct str out;
    struct str err;
};

/* An empty folder. */
void stand_open(struct stand *stand);
/* Ends what still runs and removes the folder. */
void stand_close(struct stand *stand);
/* Starts `sagad dev --data DIR/data` with the test's definitions and waits for its ready line; sets SAGAD_URL
 * and SAGAD_DATABASE. */
void stand_dev(struct stand *stand);
/* SIGTERM, and the exit code. */
int stand_dev_stop(struct stand *stand);
/* The participant "stand". how: ok, retry (the first attempt), reject, human (rejects with NEEDS_HUMAN),
 * silent. */
void stand_participant(struct stand *stand);

/* Runs a program to its end: "sagad" or "sagactl" and its arguments in one line, separated by blanks; a part
 * in '…' is one argument. */
struct stand_result stand_run(struct stand *stand, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The output of a run as JSON; NULL when it is none. */
const struct json *stand_json(struct stand *stand, struct stand_result result);
/* Whether a text contains another. */
bool stand_has(struct str text, const char *part);
/* A file of the stand's folder, or of the test's when `name` begins with a slash, written whole. */
void stand_write(struct stand *stand, const char *name, struct str text);
struct str stand_read(struct stand *stand, const char *name);
/* Whether a process with this id lives. */
bool stand_lives(int pid);
