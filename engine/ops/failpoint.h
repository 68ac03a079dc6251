/* Named places where a test lets the process die as by kill -9. Built with SAGA_FAILPOINTS only; else they
 * cost nothing and do not exist.
 *
 *     SAGAD_FAILPOINT=commit_after:3   dies at the third passage of failpoint("commit_after"); without ":3"
 * at the first. Any thread. */
#pragma once

#ifdef SAGA_FAILPOINTS
void failpoint_pass(const char *name);
#define failpoint(name) failpoint_pass(name)
#else
#define failpoint(name) ((void)0)
#endif
