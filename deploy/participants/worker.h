/* A thread that takes commands from JetStream one at a time, has them worked on, replies and acknowledges.
 *
 * It pulls from the durable consumer that the engine made for the participant, so any number of workers,
 * processes and hosts share the commands. The reply is stored by the broker before the command is
 * acknowledged: whatever dies in between, the command comes again. The connection is borrowed and may be
 * shared; everything else is the worker's own. */
#pragma once
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include "deploy/participants/work.h"

struct worker {
    pthread_t thread;
    natsConnection *connection;
    const char *participant;
    const char *server;      /* of its database */
    const atomic_bool *stop; /* looked at between two commands */
    struct database database;
    struct arena arena; /* of one command */
    jsCtx *js;
    natsSubscription *inbox;
    char inbox_subject[64];
};

/* Fills in the first five fields' own parts and starts the thread. It ends some time after *stop, or never
 * while a command waits. */
enum err worker_start(struct worker *worker, struct err_note *note) __attribute__((warn_unused_result));
void worker_join(struct worker *worker);
