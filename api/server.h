/* The service's contract is api/api.h; this name stands for those who included it first. */
#pragma once
#include "api/api.h"
