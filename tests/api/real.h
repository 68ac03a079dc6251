/* The service on real servers of its own, which a test stops, kills and brings back. */
#pragma once
#include "tests/api/wire.h"
#include "tests/harness/harness.h"

enum { REAL_PATIENCE_US = 30000000 };

extern struct harness real_harness;
/* The body of PUT /v1/definitions/one/1: one step of participant "shop", which nobody answers for. */
extern const char real_definition[];

/* Servers, a migrated database of four shards, an engine with a lease of 10 s, the service in front. */
void real_open(void);
void real_close(void);
/* body: JSON, or NULL. */
struct wire_answer real_call(const char *method, const char *target, const char *body);
/* Asks again until the answer has this status; ends the test when it never has. */
struct wire_answer real_await(const char *method, const char *target, const char *body, int status);
/* Starts a saga of `one` with this key. */
struct wire_answer real_start(const char *key, int status);
