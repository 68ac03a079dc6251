#include "tests/base/jansson_reader.h"
#include <jansson.h>
#include <stdio.h>

enum jansson_verdict jansson_read(const char *text, size_t size, char **written, char *reason)
{
    json_error_t error;
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value) {
        snprintf(reason, 160, "%s", error.text);
        return json_error_code(&error) == json_error_numeric_overflow ? JANSSON_NUMBER_TOO_LARGE
                                                                      : JANSSON_REFUSED;
    }
    *written = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(value);
    return JANSSON_ACCEPTED;
}
