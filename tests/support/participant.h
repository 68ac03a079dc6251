/* A participant in C, for tests, the benchmark and the demo: takes commands from SAGA_CMD, hands each to a
 * handler, publishes its replies, acknowledges.
 *
 * Happy path: participant_open; the engine's durable consumer bears our name; the handler calls
 * participant_reply once (or not, or several times, when a test wants that) and returns; the command is
 * acknowledged after the reply left, on the same connection. A participant that dies in between gets the
 * command again: idempotence by key is the handler's matter. It may be opened before the engine made the
 * consumer: it asks until there is one.
 * Threads: with `threads` 0 the handler runs on the connection's one delivery thread, which is fastest for
 * handlers that do not block; else on so many threads of our own, several commands at a time. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/err.h"
#include "engine/base/str.h"
#include "engine/bus/bus.h"

enum {
    PARTICIPANT_WINDOW_DEFAULT = 256, /* commands under way, when not told */
    PARTICIPANT_WINDOW_MAX = 4096,    /* max_ack_pending of a participant's consumer */
    PARTICIPANT_THREADS_MAX = 64,
};

struct participant;
/* Borrowed for the time of the handler's call; texts end in NUL only where C interfaces gave them. */
struct participant_command {
    struct str id;       /* Saga-Command */
    struct str key;      /* Saga-Key: the idempotency key */
    struct str kind;     /* do, undo, verify */
    struct str action;   /* the subject's rest after the participant */
    struct str reply_to; /* Saga-Reply-To */
    uint32_t attempt;
    uint64_t delivery_count; /* 1 for the first */
    struct str body;
    const struct bus_message *message; /* all headers */
};
enum participant_outcome {
    PARTICIPANT_DONE,  /* acknowledge */
    PARTICIPANT_LATER, /* refuse for now: it comes again in 100 ms */
    PARTICIPANT_SILENT /* neither: it comes again when its time is over */
};
struct participant_options {
    const char *url;
    const char *user, *password, *token, *credentials_file; /* NULL: none */
    const char *name;                                       /* "payments" */
    uint32_t window;                                        /* commands under way at a time; 0: the default */
    uint32_t threads;                                       /* see above */
    enum participant_outcome (*handle)(void *context, struct participant *participant,
                                       const struct participant_command *command);
    void *context;
};
/* Connects, at most 5 s (ERR_UNAVAILABLE), and begins. Strings are copied. */
enum err participant_open(const struct participant_options *options, struct participant **participant,
                          struct err_note *note) __attribute__((warn_unused_result));
/* Ends after the handlers that run; commands not begun come again. */
void participant_close(struct participant *participant);

struct participant_reply {
    struct str status; /* "" is ok; rejected, retry, pending */
    struct str error_code;
    struct str error_message;
    int64_t retry_after_ms; /* 0: not told */
    struct str body;        /* JSON; "" is null */
    struct str id;          /* Nats-Msg-Id; "": made from the command, status and a number, never the same */
};
/* To the command's Saga-Reply-To, echoing its id. May be called from any thread, any number of times. */
enum err participant_reply(struct participant *participant, const struct participant_command *command,
                           const struct participant_reply *reply);
enum err participant_ok(struct participant *participant, const struct participant_command *command,
                        struct str body);
enum err participant_reject(struct participant *participant, const struct participant_command *command,
                            struct str code, struct str message);
enum err participant_retry(struct participant *participant, const struct participant_command *command,
                           int64_t retry_after_ms);
enum err participant_pending(struct participant *participant, const struct participant_command *command);
/* Commands handled since the start. */
uint64_t participant_count(struct participant *participant);
