/* What NATS says against us, until it is known to be over: for the log, the metric and readiness.
 *
 * A refused publish or subscription shows nowhere but in what nats.c says on its own account (nats_errors.h):
 * a refused acknowledgement stalls a shard, and nothing else tells. Each right that was refused is kept, as
 * the subject an account's permissions would name ("$JS.ACK.SAGA_REPLY.>"), and makes the engine unready
 * until the same operation was seen to work again: nats_probe.c tries those that can be tried without harm.
 * Plain requests to services cannot: what was sent again and not refused within NATS_FAULTS_QUIET_US works,
 * and so does what was not refused for NATS_FAULTS_FORGET_US. Any thread. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/err.h"
#include "engine/base/str.h"
#include "engine/bus/nats_line.h"

enum {
    NATS_FAULTS_MAX = 64, /* rights refused at a time: an account that lacks more lacks them all */
    NATS_FAULTS_SUBJECT_BYTES = 256,
    NATS_FAULTS_TELL_US = 10000000,   /* the same is logged so often at most, with the times it happened */
    NATS_FAULTS_QUIET_US = 2000000,   /* a refusal comes within a round trip: this is a thousand of them */
    NATS_FAULTS_FORGET_US = 60000000, /* a request's attempts are seconds apart */
};
struct nats_fault {
    bool open;
    bool subscribe;
    char right[NATS_FAULTS_SUBJECT_BYTES];   /* as permissions name it */
    char subject[NATS_FAULTS_SUBJECT_BYTES]; /* the last one refused; may be cut */
    char text[NATS_LINE_WHY_BYTES];          /* the server's words */
    uint64_t untold;                         /* refusals since it was logged */
    int64_t last_us, told_us;                /* monotonic */
    int64_t tried_us;                        /* when the subject was published to last, since it is open */
};
struct nats_faults {
    atomic_bool any; /* one may be open */
    pthread_mutex_t mutex;
    struct nats_fault faults[NATS_FAULTS_MAX];
    struct {
        uint64_t untold;
        int64_t told_us;
    } others[NATS_LINE_OTHER + 1]; /* complaints that refuse no right, by kind */
};

void nats_faults_init(struct nats_faults *faults);
void nats_faults_fini(struct nats_faults *faults);
/* Notes, logs (limited) and counts what nats.c said on this line. */
void nats_faults_add(struct nats_faults *faults, const char *line, enum nats_line_complaint complaint,
                     const char *text);
/* True when a right is missing; the note says which, in the server's words. */
bool nats_faults_open(struct nats_faults *faults, struct err_note *note);
/* True when a subscription is refused. */
bool nats_faults_subscribe(struct nats_faults *faults);
/* A message to the subject went out now; cheap when nothing is refused. */
void nats_faults_tried(struct nats_faults *faults, struct str subject);
/* An operation begun at since_us was seen to work: what was refused before is over. */
void nats_faults_heal(struct nats_faults *faults, const char *subject, bool subscribe, int64_t since_us);
/* Ends those that only time can end. */
void nats_faults_age(struct nats_faults *faults, int64_t now_us);
/* Copies the open ones; how many. */
uint32_t nats_faults_list(struct nats_faults *faults, struct nats_fault list[NATS_FAULTS_MAX]);
/* "saga.cmd.inventory.>" of "saga.cmd.inventory.reserve": what permissions would name. */
void nats_faults_right(const char *subject, char right[NATS_FAULTS_SUBJECT_BYTES]);
