/* jansson behind a wall: its header and ours declare the same names. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum jansson_verdict { JANSSON_ACCEPTED, JANSSON_REFUSED, JANSSON_NUMBER_TOO_LARGE };

/* Strict reading. When accepted, *written is its own text of the value, keys sorted, to be freed; when
 * refused, reason (160 bytes) says why. */
enum jansson_verdict jansson_read(const char *text, size_t size, char **written, char *reason);
