#include "engine/base/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include "engine/base/check.h"

enum { BLOCK_BYTES = 64 }; /* of SHA-256 */

/* libcrypto fails here only without memory, where the process ends as in memory.c. */
static void begin(EVP_MD_CTX *context, const unsigned char key[HMAC_KEY_BYTES], unsigned char pad)
{
    unsigned char block[BLOCK_BYTES];
    memset(block, pad, sizeof block);
    for (size_t i = 0; i < HMAC_KEY_BYTES; i++)
        block[i] ^= key[i];
    check(EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    check(EVP_DigestUpdate(context, block, sizeof block) == 1);
    OPENSSL_cleanse(block, sizeof block);
}

static void end(EVP_MD_CTX *context, unsigned char out[HMAC_BYTES])
{
    unsigned size = 0;
    check(EVP_DigestFinal_ex(context, out, &size) == 1 && size == HMAC_BYTES);
}

void hmac_hex(const unsigned char key[HMAC_KEY_BYTES], const struct str *parts, uint32_t count,
              char out[HMAC_TEXT_SIZE + 1])
{
    unsigned char code[HMAC_BYTES];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    check(context != NULL);
    begin(context, key, 0x36);
    for (uint32_t i = 0; i < count; i++)
        check(EVP_DigestUpdate(context, parts[i].size ? parts[i].data : "", parts[i].size) == 1);
    end(context, code);
    begin(context, key, 0x5c);
    check(EVP_DigestUpdate(context, code, sizeof code) == 1);
    end(context, code);
    EVP_MD_CTX_free(context);
    for (size_t i = 0; i < HMAC_BYTES; i++) {
        out[2 * i] = "0123456789abcdef"[code[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[code[i] & 15];
    }
    out[HMAC_TEXT_SIZE] = '\0';
}

bool hmac_equal(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}
