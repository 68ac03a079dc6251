#include "engine/base/sha256.h"
#include <openssl/evp.h>
#include "engine/base/check.h"

void sha256_hex(struct str data, char out[SHA256_TEXT_SIZE + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    /* libcrypto fails here only without memory, where the process ends as in memory.c. */
    check(EVP_Digest(data.size ? data.data : "", data.size, digest, &size, EVP_sha256(), NULL) == 1);
    check(size * 2 == SHA256_TEXT_SIZE);
    for (unsigned i = 0; i < size; i++) {
        out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    out[SHA256_TEXT_SIZE] = '\0';
}
