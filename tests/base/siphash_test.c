/* SipHash-2-4 against the reference vectors of its authors: key 00 01 … 0f, text 00 01 … */
#include <criterion/criterion.h>
#include "engine/base/siphash.h"

Test(siphash, gives_what_its_authors_publish)
{
    const struct siphash_key key = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    static const struct {
        size_t size;
        uint64_t hash;
    } known[] = {{0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
                 {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
                 {15, UINT64_C(0xa129ca6149be45e5)}, {63, UINT64_C(0x958a324ceb064572)}};
    char text[64];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        cr_assert_eq(siphash(&key, (struct str){text, known[i].size}), known[i].hash, "%zu bytes",
                     known[i].size);
}
