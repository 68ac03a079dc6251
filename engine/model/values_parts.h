/* What the parts of values.h share. Inside engine/model only. */
#pragma once
#include "engine/definition/schema_parts.h"
#include "engine/model/values.h"

/* The schemas that hold for one value at once: itself, what `$ref` names, all of `allOf`, one of `anyOf`. */
enum { VALUES_LAYERS_MAX = 32 };
struct values_layers {
    const struct schema *items[VALUES_LAYERS_MAX]; /* what is more is left out: the check tells */
    uint32_t count;
};

/* The tightest bounds over all layers; most stays as given where none says more. */
struct values_span {
    int64_t least;
    int64_t most;
};

/* A string for the layers' `format`, `pattern` and lengths. */
struct str values_text(const struct values_layers *layers, struct rng *rng, struct arena *arena);
/* The text of a number for the layers' bounds and `multipleOf`. */
struct str values_number(const struct values_layers *layers, bool integer, struct rng *rng,
                         struct arena *arena);
/* A text that the pattern matches; what it does not understand is put as it is written. */
struct str values_pattern(struct str pattern, struct rng *rng, struct arena *arena);
