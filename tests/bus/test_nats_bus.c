/* The NATS bus over a real nats-server: the conformance suite, and what only a real server can do to it. */
#include <criterion/criterion.h>
#include "tests/bus/conformance.h"

#define X(name)                                                                                              \
    Test(nats_bus, name, .timeout = 60)                                                                      \
    {                                                                                                        \
        struct bed bed;                                                                                      \
        bed_start(&bed, true);                                                                               \
        conformance_##name(&bed);                                                                            \
        bed_stop(&bed);                                                                                      \
    }
#include "tests/bus/conformance.def"
#undef X
