/* Ops stands beside base. */
#pragma once
#include "engine/base/low.h"
#include "engine/expr/expr.h"
