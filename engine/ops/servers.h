/* A private PostgreSQL and a private nats-server, for `sagad dev` and for the tests. Both listen on loopback
 * only.
 *
 * Each keeps its data, its log and its port in a folder of its own and comes back on them after stop or kill;
 * data left behind by a killed owner is used as it is. PostgreSQL refuses uid 0, so root starts it as user
 * postgres, who must be able to reach the folder. PostgreSQL trusts everybody who reaches it: any user of
 * this machine may log in. Call from the thread that lives as long as the servers should (process.h). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/base/err.h"
#include "engine/ops/process.h"

enum { SERVERS_URL_SIZE = 800, SERVERS_SETTINGS_MAX = 16 };

struct servers_postgres {
    struct process process;
    char dir[PROCESS_PATH_SIZE];
    uint16_t port;               /* kept over restarts; 0 before the first start: any free one */
    bool unsafe;                 /* fsync off: for tests that only need the data while the server lives */
    const char *const *settings; /* more of "name=value", ended by NULL; borrowed; may be NULL */
    char url[SERVERS_URL_SIZE];  /* over TCP: fit for libpq, psql and --database */
    char socket_dir[PROCESS_PATH_SIZE]; /* of the unix socket; "" when the path is too long for one */
};
struct servers_nats {
    struct process process;
    char dir[PROCESS_PATH_SIZE];
    uint16_t port;
    const char
        *config; /* a configuration file to read besides, for users and limits; borrowed; may be NULL */
    bool
        whole; /* `config` says server_name, as in `name`, and store_dir, too: only then it can be reloaded */
    char name[64]; /* the server's own, else new at each start: tells it from another on the same port */
    char url[SERVERS_URL_SIZE]; /* nats://127.0.0.1:port */
};

/* Sets the folder, which is made when missing. Starts nothing. ERR_LIMIT when the path is too long. */
enum err servers_init_postgres(struct servers_postgres *server, const char *dir, struct err_note *note)
    __attribute__((warn_unused_result));
enum err servers_init_nats(struct servers_nats *server, const char *dir, struct err_note *note)
    __attribute__((warn_unused_result));
/* Start, the first time making the cluster, and return once a client was really answered; on an error nothing
 * is left running and the note tells what the server said. ERR_UNAVAILABLE: it ended at once; ERR_TIMEOUT: it
 * does not answer; ERR_IO, ERR_NOT_FOUND, ERR_INVALID: its folder, its program or its user is not as it must
 * be. */
enum err servers_start_postgres(struct servers_postgres *server, struct err_note *note)
    __attribute__((warn_unused_result));
enum err servers_start_nats(struct servers_nats *server, struct err_note *note)
    __attribute__((warn_unused_result));
/* Orderly end: data is flushed, clients are told. Fine when it is not running. For kill -9, SIGSTOP and
 * SIGCONT use process.h. ERR_TIMEOUT: it has not ended. */
enum err servers_stop_postgres(struct servers_postgres *server, struct err_note *note)
    __attribute__((warn_unused_result));
enum err servers_stop_nats(struct servers_nats *server, struct err_note *note)
    __attribute__((warn_unused_result));
/* The address of another database of the same server, over TCP or over the unix socket (TCP when there is
 * none). */
void servers_postgres_url(const struct servers_postgres *server, const char *database, bool unix_socket,
                          char url[SERVERS_URL_SIZE]);
/* A TCP port of 127.0.0.1 that was free a moment ago; 0 when there is none. */
uint16_t servers_free_port(void);
