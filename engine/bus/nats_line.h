/* One connection to NATS, served by a thread of ours, with one subscription to everything below its inbox.
 *
 * Why not as nats.c does it by itself: its writer either makes a system call for each message or waits up to
 * a millisecond, and its reconnect sends what was reported as failed. Through its event-loop interface we
 * decide both: messages gather in its buffer until nats_line_flush (one system call for a batch, none late
 * for a lone message), and a lost connection is closed for good and a new one is made, with nothing carried
 * over.
 *
 * Happy path: nats_line_open; the thread connects, subscribes, sends itself a message, calls `up` when that
 * came, then reads and writes; messages come through `message` on nats.c's one delivery thread of this
 * connection. A connection that falls silent (no answer to NATS_LINE_BEATS_MAX of our own beats) counts as
 * lost, and so does one whose inbox the server takes away. nats.c closes a connection for good when the same
 * login is refused twice; here every attempt is a new connection, so that a line comes back whenever the
 * server lets it. Any thread may send. Callbacks must not close the line. */
#pragma once
#include <nats/nats.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/err.h"
#include "engine/bus/nats_options.h"

enum {
    NATS_LINE_TICK_MS = 50,           /* how precise deadlines are; 20 wake-ups a second cost nothing */
    NATS_LINE_BEAT_US = 1000000,      /* silence after which we send ourselves a message */
    NATS_LINE_BEATS_MAX = 4,          /* beats without an answer before the connection counts as lost */
    NATS_LINE_RETRY_MS = 200,         /* between attempts to connect: back well within 5 s (L4) */
    NATS_LINE_GREET_US = 2000000,     /* for the message to ourselves that shows a new connection to work */
    NATS_LINE_FLUSH_BYTES = 65536,    /* buffered bytes after which a sender need not wait for a flush */
    NATS_LINE_BUFFER_BYTES = 8388608, /* buffered for a server that does not read; then ERR_FULL */
    NATS_LINE_INBOX_BYTES = 160,
    NATS_LINE_WHY_BYTES = 256, /* of what nats.c or the server says */
};

/* What the server, or nats.c, says on its own account: nothing else tells of a refused message. */
enum nats_line_complaint {
    NATS_LINE_PUBLISH_DENIED,   /* the user may not publish to a subject; the message is gone */
    NATS_LINE_SUBSCRIBE_DENIED, /* it may not subscribe to one, or not any more */
    NATS_LINE_LOGIN_REFUSED,    /* it may not log in any more */
    NATS_LINE_SLOW,             /* we do not take what comes as fast as it comes */
    NATS_LINE_OTHER,
};
struct nats_line_callbacks {
    void *context;
    /* Makes what hangs on the connection, before anybody sends on it (the line's thread); an error gives the
     * connection up. May be NULL. */
    enum err (*prepare)(void *context, natsConnection *connection, struct err_note *note);
    /* Connected, subscribed, and a message to ourselves came back (the line's thread); sending is possible.
     */
    void (*up)(void *context);
    /* Lost, and why; no message of the old connection comes any more (the line's thread). Again while it is
     * lost, when an attempt to connect fails for another reason. */
    void (*down)(void *context, const char *why);
    /* What `prepare` made is to be undone: the connection is closed and nobody holds it. May be NULL. */
    void (*discard)(void *context);
    /* Takes the message (the delivery thread). */
    void (*message)(void *context, natsMsg *message);
    /* About every NATS_LINE_TICK_MS, connected or not (the line's thread). */
    void (*tick)(void *context, int64_t now_us);
    /* In the server's words, cut at 255 bytes (a thread of nats.c's). May be NULL. */
    void (*complain)(void *context, enum nats_line_complaint complaint, const char *text);
};
struct nats_line;

/* Starts the thread and waits for the first connection, at most 5 s: else ERR_UNAVAILABLE. Copies options
 * and callbacks. *line is set before the first callback. */
enum err nats_line_open(const struct nats_options *options, const struct nats_line_callbacks *callbacks,
                        struct nats_line **line, struct err_note *note) __attribute__((warn_unused_result));
/* The same for calls that wait: nats.c's own threads read and write, nothing is sent with the functions
 * below, and who calls nats.c on the connection holds it meanwhile. */
enum err nats_line_open_for_calls(const struct nats_options *options,
                                  const struct nats_line_callbacks *callbacks, struct nats_line **line,
                                  struct err_note *note) __attribute__((warn_unused_result));
/* NULL when not connected. Until nats_line_release it is not destroyed; when it is lost, calls on it fail at
 * once. */
natsConnection *nats_line_hold(struct nats_line *line);
void nats_line_release(struct nats_line *line);
/* Gives the connection up for a new one, which is told as any loss. */
void nats_line_renew(struct nats_line *line, const char *why);
/* Writes out what is buffered, ends the connection and the thread; `down` is called if it was up. */
void nats_line_close(struct nats_line *line);
/* "<prefix>.<token>": subjects "<inbox>.…" come to this line. It stays the same over reconnects. */
const char *nats_line_inbox(const struct nats_line *line);
/* When it is not, and why is not NULL, says why in at most size bytes. */
bool nats_line_is_up(struct nats_line *line, char *why, size_t size);
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
