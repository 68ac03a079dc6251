/* A TCP proxy on loopback, for cutting one program off from a server that others still reach.
 *
 * A thread copies bytes both ways between each accepted connection and one to the target. Cut, it holds what
 * it has: connections stand, and nothing passes or is answered, as behind a broken network; new ones are
 * accepted and hang likewise. Mended, all connections of the cut are closed, so that both ends begin anew. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct proxy;

/* To 127.0.0.1:port. What does not work stops the test. */
struct proxy *proxy_open(uint16_t port);
void proxy_close(struct proxy *proxy);
/* Where it listens, on 127.0.0.1. */
uint16_t proxy_port(const struct proxy *proxy);
void proxy_cut(struct proxy *proxy, bool cut);
