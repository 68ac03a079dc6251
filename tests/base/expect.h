/* Short words for the tests of engine/base. */
#pragma once
#include <criterion/criterion.h>
#include "engine/base/str.h"

/* The str has exactly these bytes; both are shown when not. */
#define EXPECT_TEXT(actual, expected)                                                                        \
    do {                                                                                                     \
        struct str expect_a = (actual);                                                                      \
        struct str expect_e = str_from(expected);                                                            \
        cr_assert(str_equal(expect_a, expect_e), "got\n%.*s\nexpected\n%.*s", STR_ARG(expect_a),             \
                  STR_ARG(expect_e));                                                                        \
    } while (0)

#define COUNT(array) (sizeof(array) / sizeof *(array))
