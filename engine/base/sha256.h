/* SHA-256 of a text, for naming content (definitions are stored by hash). Any thread. */
#pragma once
#include "engine/base/str.h"

enum { SHA256_TEXT_SIZE = 64 };

/* 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(struct str data, char out[SHA256_TEXT_SIZE + 1]);
