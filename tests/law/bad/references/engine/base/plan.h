/* S1 and S9 hold here, says PROMISES.md; so does base/lost.h, but plan.h and the plan_*.c do not. */
#pragma once
#define PLAN_TOLD "S1, L7: no promise is M0, and hidden.c is a word"
