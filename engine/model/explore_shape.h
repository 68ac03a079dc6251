/* A value for data without a schema: an object that has what the definition's expressions read from it, of
 * kinds with which they can be computed. Inside engine/model only. */
#pragma once
#include "engine/model/explore_data.h"

enum { EXPLORE_SHAPE_KINDS = 6 };
/* Something read: a fixed path below the input, an output, or the item of a foreach. */
struct explore_leaf {
    bool of_item; /* below the item of the foreach `node`; false: the output of `node` (0: the input) */
    uint16_t node;
    struct str path;
    uint16_t loop; /* the foreach whose list this is; 0: none */
    uint8_t kind;  /* below EXPLORE_SHAPE_KINDS */
};
struct explore_shape {
    struct explore_leaf *leaves;
    uint32_t count;
};

/* `known`: what comes from where there is a schema; NULL where there is none. */
struct explore_shape explore_shape_make(const struct plan *plan, const struct explore_program *programs,
                                        uint32_t count, const struct explore_data *known,
                                        struct arena *arena);
/* The output of `node` (0: the input). */
const struct json *explore_shape_build(const struct explore_shape *shape, uint16_t node, struct arena *arena);
