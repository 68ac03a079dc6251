/* One connection to NATS, served by a thread of ours, with one subscription to everything below its inbox.
 *
 * Why not as nats.c does it by itself: its writer either makes a system call for each message or waits up to
 * a millisecond, and its reconnect sends what was reported as failed. Through its event-loop interface we
 * decide both: messages gather in its buffer until nats_line_flush (one system call for a batch, none late
 * for a lone message), and a lost connection is closed for good and a new one is made, with nothing carried
 * over.
 *
 * Happy path: nats_line_open; the thread connects, subscribes, calls `up`, then reads and writes; messages
 * come through `message` on nats.c's one delivery thread of this connection. A connection that falls silent
 * (no answer to our own beats for NATS_LINE_SILENCE_US) counts as lost. Any thread may send. Callbacks must
 * not close the line. */
#pragma once
#include <nats/nats.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/err.h"

enum {
    NATS_LINE_TICK_MS = 50,           /* how precise deadlines are; 20 wake-ups a second cost nothing */
    NATS_LINE_BEAT_US = 1000000,      /* silence after which we send ourselves a message */
    NATS_LINE_BEATS_MAX = 4,          /* beats without an answer before the connection counts as lost */
    NATS_LINE_RETRY_MS = 200,         /* between attempts to connect: back well within 5 s (L4) */
    NATS_LINE_CONNECT_MS = 2000,      /* one attempt, for a server that accepts and says nothing */
    NATS_LINE_FLUSH_BYTES = 65536,    /* buffered bytes after which a sender need not wait for a flush */
    NATS_LINE_BUFFER_BYTES = 8388608, /* buffered for a server that does not read; then ERR_FULL */
    NATS_LINE_INBOX_BYTES = 160,
};

struct nats_line_options { /* strings are borrowed for the life of the line */
    const char *url;       /* comma separated servers */
    const char *user, *password, *token, *credentials_file; /* NULL: none */
    const char *name;  /* of the connection, for the server's operators */
    const char *inbox; /* prefix of our inbox, a subject; the line adds a token of its own */
};
struct nats_line_callbacks {
    void *context;
    /* Connected and subscribed (the line's thread); sending is possible. */
    void (*up)(void *context);
    /* Lost; no message of the old connection comes any more (the line's thread). */
    void (*down)(void *context);
    /* Takes the message (the delivery thread). */
    void (*message)(void *context, natsMsg *message);
    /* About every NATS_LINE_TICK_MS, connected or not (the line's thread). */
    void (*tick)(void *context, int64_t now_us);
};
struct nats_line;

/* Starts the thread and waits for the first connection, at most 5 s: else ERR_UNAVAILABLE. Copies options
 * and callbacks. *line is set before the first callback. */
enum err nats_line_open(const struct nats_line_options *options, const struct nats_line_callbacks *callbacks,
                        struct nats_line **line, struct err_note *note) __attribute__((warn_unused_result));
/* Writes out what is buffered, ends the connection and the thread; `down` is called if it was up. */
void nats_line_close(struct nats_line *line);
/* "<prefix>.<token>": subjects "<inbox>.…" come to this line. It stays the same over reconnects. */
const char *nats_line_inbox(const struct nats_line *line);
bool nats_line_is_up(struct nats_line *line);
/* The message goes out at the next flush (or sooner). Borrows. ERR_UNAVAILABLE when not connected, ERR_LIMIT
 * when it is larger than the server takes, ERR_FULL when the server does not read. */
enum err nats_line_send(struct nats_line *line, natsMsg *message, struct err_note *note)
    __attribute__((warn_unused_result));
/* The same for a text without headers; reply may be NULL. */
enum err nats_line_send_text(struct nats_line *line, const char *subject, const char *reply, const char *text)
    __attribute__((warn_unused_result));
void nats_line_flush(struct nats_line *line);
/* Messages that came and were not delivered yet. For the delivery thread: to flush once for several. */
uint64_t nats_line_waiting(struct nats_line *line);
/* Fills a new natsOptions as all our connections want them: servers, credentials, name, inbox prefix,
 * silent. */
natsStatus nats_line_set(const struct nats_line_options *options, natsOptions *made);
