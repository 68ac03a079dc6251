/* Secrets out of texts that go to logs, errors and screens. Any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Copies text with the secrets of each URL as three stars: the password of "nats://user:pass@host", the token
 * of "nats://token@host" (the lone user name of a postgresql: URL stays). Cut to room bytes, NUL included. */
void mask_urls(const char *text, char *out, size_t room);
/* One server of a list, whose scheme may be missing: all before its last "@" but a user's name is secret. The
 * rest as above. */
void mask_server(const char *server, size_t size, char *out, size_t room);
/* Copies text with what stands in quotes left out: for messages of parsers that quote what they could not
 * read. Cut likewise. */
void mask_quoted(const char *text, char *out, size_t room);
/* Copies text with each occurrence of the secret ("": none) as three stars. Cut likewise. */
void mask_word(const char *text, const char *secret, char *out, size_t room);
/* Whether mask_urls would leave something out, or a connection string names a password. */
bool mask_is_needed(const char *text);
/* Overwrites an argument of the command line, which others on the machine may list, with stars. */
void mask_argument(char *argument);
