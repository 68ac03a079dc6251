/* A literal as a str in a static table, where STR() is no constant expression. */
#pragma once
#include "engine/base/str.h"

#define WORD(literal)                                                                                        \
    {                                                                                                        \
        (literal), sizeof(literal) - 1                                                                       \
    }
