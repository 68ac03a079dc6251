/* Values made from a schema: inputs and replies nobody wrote down.
 *
 * Drawn at random, then held against the schema itself, so that what is given always matches; a schema that
 * asks for something rare (`not`, a narrow `contains`) may end without one. The same generator state gives
 * the same value. Everything is in the caller's arena; one thread. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/definition/schema.h"

/* A value that matches; an empty object when schema is NULL (anything). NULL when VALUES_TRIES drawings have
 * given none. */
enum { VALUES_TRIES = 100 };
const struct json *values_make(const struct schema *schema, struct rng *rng, struct arena *arena);
