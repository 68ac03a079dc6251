/* What libmicrohttpd answers by itself, before anybody is asked: HTML pages, for a length that is no number
 * (its head twice), a broken chunk, a line without a colon, more header than its buffer.
 *
 * The library queues these pages through its own exported MHD_queue_response, which is looked up when the
 * program is loaded, so the one defined here is found first. It writes the page of our own kind straight to
 * the socket, tells the library that nothing can be queued, and so the library closes the connection. Linked
 * with a library that binds its own symbols, its pages would be back: tests/api/test_wire.c notices. Runs on
 * the service's threads. */
#pragma once
#include <microhttpd.h>

/* Our own answers, past the definition above. */
enum MHD_Result overlay_queue(struct MHD_Connection *connection, unsigned status,
                              struct MHD_Response *response);
