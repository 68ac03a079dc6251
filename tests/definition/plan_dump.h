/* A plan as text, complete enough that two plans with the same dump do the same. */
#pragma once
#include "engine/base/buf.h"
#include "engine/definition/plan.h"

void plan_dump(const struct plan *plan, struct buf *out);
