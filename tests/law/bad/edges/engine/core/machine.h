/* The core uses a log. */
#pragma once
#include "engine/ops/log.h"
