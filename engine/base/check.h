/* check(x): a bug stops the process, in release too. Never for what a user, a network or a disk can cause. */
#pragma once

_Noreturn void check_failed(const char *expression, const char *file, int line);

#define check(x) ((x) ? (void)0 : check_failed(#x, __FILE__, __LINE__))
/* Where the program cannot get to: behind a switch over all values of an enum. */
#define check_never(why) check_failed(why, __FILE__, __LINE__)
