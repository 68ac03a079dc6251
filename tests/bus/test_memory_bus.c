/* The in-memory twin: the conformance suite, and what only a test can do to it. */
#include <criterion/criterion.h>
#include "tests/bus/conformance.h"

#define X(name)                                                                                              \
    Test(memory_bus, name, .timeout = 60)                                                                    \
    {                                                                                                        \
        struct bed bed;                                                                                      \
        bed_start(&bed, false);                                                                              \
        conformance_##name(&bed);                                                                            \
        bed_stop(&bed);                                                                                      \
    }
#include "tests/bus/conformance.def"
#undef X
