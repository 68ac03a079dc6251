/* The engine's place in front of one demo participant: real servers, the streams and the consumer as the
 * engine makes them, the participant as a process; commands out, replies in. What cannot be done ends the
 * test. */
#pragma once
#include <nats/nats.h>
#include <stdint.h>
#include "tests/harness/harness.h"
#include "tests/harness/rights.h"

enum { STAND_PATIENCE_MS = 20000 };

struct stand {
    struct harness harness;
    char rights_file[PROCESS_PATH_SIZE + 16]; /* under deploy/nats.conf, the program as its participant */
    const char *name;
    const char *answer; /* of a stand-in; NULL: one of the demo participants */
    natsConnection *connection;
    jsCtx *js;
    natsSubscription *replies;
    struct harness_program program;
    uint32_t sent;
};
struct stand_reply {
    char command[128];
    char status[32]; /* "ok" when there is none */
    char code[64];
    char message[256];
    char retry_after[32];
    char body[512];
};

/* With one worker: commands are worked on in the order in which they were sent. */
void stand_start(struct stand *stand, const char *name);
/* A stand-in of that name, with this --answer. */
void stand_start_in(struct stand *stand, const char *name, const char *answer);
/* Starts the participant, once more after it died, and waits until it is ready. */
void stand_launch(struct stand *stand);
/* Ends everything; the participant must end in order when it still runs. */
void stand_stop(struct stand *stand);
/* participant behave NAME … --database URL; the arguments end with NULL. */
void stand_behave(struct stand *stand, const char *const *arguments);

/* Sends the command "<key>/<kind>/<attempt>". */
void stand_send(struct stand *stand, const char *action, const char *kind, const char *key, int attempt,
                const char *body);
/* The next reply. */
void stand_receive(struct stand *stand, struct stand_reply *reply);
/* Both; the reply must be to this command. */
void stand_ask(struct stand *stand, const char *action, const char *kind, const char *key, int attempt,
               const char *body, struct stand_reply *reply);
/* Any message, as from somebody who is no engine; "" leaves a header away. */
void stand_send_raw(struct stand *stand, const char *subject, const char *command, const char *kind,
                    const char *key, const char *body);
/* Waits until the participant died by itself; its exit status. */
int stand_await_death(struct stand *stand);
/* A value from the participant's own database. */
const char *stand_query(struct stand *stand, const char *sql);
