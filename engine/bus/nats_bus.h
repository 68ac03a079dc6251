/* The bus on nats.c and JetStream. engine/DESIGN.md names the traps of libnats 3.4.1 that shape it: pulling
 * and acknowledging by hand, publish acknowledgements on an inbox subscription of our own with deadlines, a
 * publisher connection without reconnect that we rebuild ourselves. */
#pragma once
#include "engine/bus/bus.h"

struct nats_bus_options {
    const char *url;                                        /* comma separated servers */
    const char *user, *password, *token, *credentials_file; /* NULL: none */
    const char *tls_ca, *tls_cert, *tls_key;                /* files, as in nats_options.h; NULL: none */
    const char *instance;                                   /* names connections and inbox prefixes */
    uint32_t replicas; /* of streams: 1, or 3 in a cluster; 0 counts as 1 */
};
/* Connects and makes the streams. callbacks are copied. ERR_UNAVAILABLE when no server answers within 5 s. */
enum err nats_bus_open(const struct nats_bus_options *options, const struct bus_callbacks *callbacks,
                       struct bus **bus, struct err_note *note);
