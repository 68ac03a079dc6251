/* The listening socket: loopback only, until there is authentication. */
#pragma once
#include <stdint.h>
#include "engine/base/err.h"

enum { LISTENER_URL_SIZE = 64 };

/* Parses, binds and listens. The caller closes *socket, or hands it on. ERR_INVALID for an address that is
 * none or not loopback, ERR_UNAVAILABLE when it is taken or not allowed; the note is a sentence. */
enum err listener_open(const char *address, int *socket, uint16_t *port, char url[LISTENER_URL_SIZE],
                       struct err_note *note) __attribute__((warn_unused_result));
