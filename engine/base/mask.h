/* Secrets out of texts that go to logs, errors and screens. Any thread. */
#pragma once
#include <stddef.h>

/* Copies text with the secrets of each URL as three stars: the password of "nats://user:pass@host", the token
 * of "nats://token@host" (the lone user name of a postgresql: URL stays). Cut to room bytes, NUL included. */
void mask_urls(const char *text, char *out, size_t room);
/* One server of a list, whose scheme may be missing: all before its last "@" but a user's name is secret. The
 * rest as above. */
void mask_server(const char *server, size_t size, char *out, size_t room);
