/* What nats.c says of a connection on its own account: refused messages and subscriptions, a reader that is
 * too slow.
 *
 * It says so on a thread of its own, perhaps after the connection and who listens are gone: so listeners are
 * found by number, and one that was struck off hears nothing any more. */
#pragma once
#include <nats/nats.h>
#include <stdint.h>

struct nats_errors { /* borrowed while enrolled */
    /* `text`: in the server's words where it has some (cut at 255 bytes), without secrets. Must be short and
     * call nothing of this header; one at a time over all listeners. */
    void (*said)(void *context, natsStatus status, const char *text);
    void *context;
    uintptr_t number;
    struct nats_errors *next;
};
void nats_errors_enroll(struct nats_errors *errors,
                        void (*said)(void *context, natsStatus status, const char *text), void *context);
/* Returns when `said` does not run and will not any more. */
void nats_errors_strike_off(struct nats_errors *errors);
/* Connections made with these options are listened to. */
natsStatus nats_errors_set(const struct nats_errors *errors, natsOptions *options);
