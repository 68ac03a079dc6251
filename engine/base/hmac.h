/* HMAC-SHA256 (RFC 2104): who does not know the key cannot make the code of a text. Any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/base/str.h"

enum {
    HMAC_BYTES = 32,
    HMAC_KEY_BYTES = 32, /* of our keys: as long as the code, as the RFC wants it */
    HMAC_TEXT_SIZE = 2 * HMAC_BYTES
};

/* The code of the parts, one behind the other, as lower-case hexadecimal digits and a NUL. Where one part
 * ends and the next begins is not told apart: the caller sees to that. */
void hmac_hex(const unsigned char key[HMAC_KEY_BYTES], const struct str *parts, uint32_t count,
              char out[HMAC_TEXT_SIZE + 1]);
/* Compares in a time that tells nothing of where two codes differ. */
bool hmac_equal(struct str a, struct str b);
