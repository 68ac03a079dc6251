/* What the fuzz targets share. A target is one function over bytes that must hold for any bytes at all: it
 * ends the process (check, a sanitizer) when it does not. libFuzzer drives it in the long form
 * (tests/fuzz/run), replay.c in every run. Inputs of several parts separate them by the byte 0x1e, which no
 * format here may hold, so that the files of the corpus stay readable. One thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "engine/definition/plan.h"

enum { FUZZ_SEPARATOR = 0x1e };

/* The target; gives 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The part up to the next separator, or all; *rest goes behind it. */
struct str fuzz_part(struct str *rest);
/* The line up to the next line feed, or all, without it; *rest goes behind it. */
struct str fuzz_line(struct str *rest);
/* The next byte, 0 at the end. */
uint8_t fuzz_byte(struct str *rest);
/* Stops unless text is one JSON value that this reader takes. */
const struct json *fuzz_is_json(struct arena *arena, struct str text);
/* Definitions, loaded once and kept; index wraps around at 8. 4 is blocks.yaml, which has every block; the
 * others are from definitions/examples. */
const struct plan *fuzz_plan(unsigned index);
/* An input that the definition takes, up to 4; a JSON text. */
struct str fuzz_input(unsigned index);
/* Runs it, and stops when it took longer than what it says it did, in *counted, at `ns_each` apiece allows.
 * What is soon over is not looked at; what is not runs once more, measured so that a busy machine changes
 * nothing: it must do the same again. */
void fuzz_measured(void (*run)(void *context), void *context, const uint64_t *counted, unsigned ns_each);
/* The same for what cannot be done twice. */
void fuzz_measured_once(void (*run)(void *context), void *context, const uint64_t *counted, unsigned ns_each);
