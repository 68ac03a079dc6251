/* Drawings as a reader sees them: every text inside, no two overlapping. Fails the test that calls it. */
#pragma once
#include "engine/model/graph.h"

void drawing_expect_readable(const char *name, struct str svg);
