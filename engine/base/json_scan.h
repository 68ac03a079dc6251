/* Looking at eight bytes of a string at once, for reading and writing JSON. Private to json_*.c. Any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_SCAN_ONES UINT64_C(0x0101010101010101)
#define JSON_SCAN_HIGHS UINT64_C(0x8080808080808080)

/* Nonzero when one of the eight bytes is a quote, a backslash or below 0x20. Carries can only mark bytes
 * above a marked one, so "none is marked" is exact. */
static inline uint64_t json_scan_special(uint64_t eight)
{
    uint64_t quote = eight ^ (JSON_SCAN_ONES * '"');
    uint64_t slash = eight ^ (JSON_SCAN_ONES * '\\');
    uint64_t found = ((quote - JSON_SCAN_ONES) & ~quote) | ((slash - JSON_SCAN_ONES) & ~slash) |
                     ((eight - JSON_SCAN_ONES * 0x20) & ~eight);
    return found & JSON_SCAN_HIGHS;
}

/* The first byte from `at` on that stands for itself no longer, or `end`. */
static inline const char *json_scan_plain(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t eight;
        memcpy(&eight, at, sizeof eight);
        if (json_scan_special(eight))
            break;
        at += 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}
