/* A str in a static table, where a compound literal is not constant: {LITERAL("GET"), …}. */
#pragma once

#define LITERAL(text)                                                                                        \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }
