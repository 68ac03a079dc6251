/* Requests that wait for the engine: suspended without a thread, resumed by the engine's answer.
 *
 * Between request and engine stands a ticket that both hold, so either may end first: a service that closes
 * answers its clients without waiting for the engine, and an answer that comes later finds nobody. The
 * ticket is freed by the last of the two. calls_begin runs on the service's thread or a
 * worker, calls_fail too. */
#pragma once
#include "api/request.h"

/* WORK is done within moments, so a service that closes waits for it a little; WATCH may take a minute and is
 * answered at once then, with ERR_TIMEOUT. */
enum calls_kind { CALLS_WORK, CALLS_WATCH };

/* Suspends the request; go_on will run on a thread of the service when request->answer is there. What
 * calls_begin returns must be submitted to the engine exactly once, or answered by calls_fail. */
struct engine_call calls_begin(struct request *request, enum calls_kind kind,
                               void (*go_on)(struct request *request));
/* The worker that began the call has left the request: from now on the answer resumes it. */
void calls_worked(struct request *request);
/* For a call the engine did not take. */
void calls_fail(struct engine_call call, enum err error, const struct err_note *note);
/* Takes the request out of the list; to be called once it runs again. */
void calls_end(struct request *request);
/* Ends all waiting: watches at once, work after CALLS_CLOSE_MS with ERR_UNKNOWN_OUTCOME; returns when no
 * request is suspended. One that begins later is answered at once. */
enum { CALLS_CLOSE_MS = 5000 };
void calls_close(struct api *api);
