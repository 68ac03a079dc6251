/* The conformance suite of the bus seam: the same cases over NATS and over the in-memory twin. */
#pragma once
#include "tests/bus/bed.h"

#define X(name) void conformance_##name(struct bed *bed);
#include "tests/bus/conformance.def"
#undef X
