/* The service: engine and HTTP API from a configuration, until a signal ends it.
 *
 * SIGTERM, SIGINT: drain and end. SIGHUP: read the definitions folder again; a bad file leaves what was
 * loaded as it was. The main thread waits for signals; all others have them blocked. */
#pragma once
#include "engine/base/err.h"
#include "engine/ops/config.h"

struct serve_hooks {
    void *context;
    /* Once the service answers: url is "http://127.0.0.1:8080". */
    void (*ready)(void *context, const char *url);
    /* About once a second, on the main thread. */
    void (*tick)(void *context);
};

/* Blocks the signals that serve_run waits for: before any thread starts. */
void serve_block_signals(void);
/* Returns ERR_OK after an orderly end; ERR_CONFLICT when another engine has this one's name, from the start
 * or by now. hooks may be NULL. */
enum err serve_run(const struct config *config, const struct serve_hooks *hooks, struct err_note *note);
