/* nats-server as deploy/nats.conf has it: the shipped file, its users copied for the names a test has.
 *
 * Each user's password is its name; "operator" may do anything. Text is replaced, nothing is parsed: in a
 * block the file's example name becomes the test's, so that what runs are the rights as they are shipped.
 * What does not fit ends the test process. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/ops/servers.h"

enum { RIGHTS_MAX = 32, RIGHTS_SUBJECT_BYTES = 128 };

struct rights { /* lists end with NULL; NULL: none */
    const char *const *engines, *const *participants, *const *services, *const *starters;
    const char *more; /* a subject every participant may publish besides, for tests of liars; NULL: none */
    const char
        *without; /* a right as the file has it, or as the copy has it, that every engine lacks; NULL: none */
    bool nobody;  /* only the operator may log in */
};
/* The server, not started yet, is to read this file. */
void rights_use(struct servers_nats *server, const char *path);
/* Writes the configuration: before the start, and again before a reload. */
void rights_write(const struct servers_nats *server, const struct rights *rights);
/* The rights the file gives to its example engine, in its order; how many. */
uint32_t rights_of_engine(char list[RIGHTS_MAX][RIGHTS_SUBJECT_BYTES]);
/* nats://<user>:<user>@127.0.0.1:<port> */
void rights_url(const struct servers_nats *server, const char *user, char url[SERVERS_URL_SIZE]);
/* SIGHUP: the server reads its configuration again; connections that lose their user are cut off. */
void rights_reload(const struct servers_nats *server);
