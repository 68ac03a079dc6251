/* Which data a definition's expressions can tell apart: the programs of a plan, where their values come from,
 * and what those may be. Inside engine/model only. */
#pragma once
#include "engine/model/explore_parts.h"

/* What a program's value decides. */
enum explore_use {
    EXPLORE_USE_VALUE, /* nothing but itself: only a fault matters */
    EXPLORE_USE_TRUTH, /* `when` */
    EXPLORE_USE_ITEMS, /* `in` */
};
struct explore_program {
    const struct expr *expr;
    uint16_t node; /* where it stands; 0: the whole saga */
    enum explore_use use;
};
/* Where data come from: the input (node 0), a step's output, an event's body. The first variant is an
 * ordinary one. */
struct explore_source {
    uint16_t node;
    const struct schema *schema;
    const struct json **variants;
    uint32_t count;
    uint32_t all_count; /* with those behind that differ from it in several places */
};

struct explore_program *explore_programs(const struct plan *plan, struct arena *arena, uint32_t *count);
struct explore_source *explore_sources(const struct plan *plan, const struct explore_program *programs,
                                       uint32_t program_count, struct arena *arena, uint32_t *count);
/* What the source's values must match; NULL: anything. `node` is a source. */
const struct schema *explore_schema_of(const struct plan *plan, uint16_t node);
/* Whether the foreach `loop` is one of those around the node. */
bool explore_is_around(const struct plan *plan, uint16_t loop, uint16_t node);
/* What the program gives, of the items around it for the first; NULL: a fault. */
const struct json *explore_value_of(const struct plan *plan, const struct explore_program *program,
                                    const struct explore_data *data, struct arena *scratch);
/* A number for what the program does with these data: computed as things are, and with each step's output
 * missing in turn. */
uint64_t explore_outcome_of(const struct plan *plan, const struct explore_program *program,
                            const struct explore_data *data, uint32_t items_max, struct arena *scratch);
/* How many items the list of a foreach has, the longest within the first items_max items of the foreach
 * around it; 0 when it is none, or longer than the foreach takes, which ends it before the first item. */
uint32_t explore_items_of(const struct plan *plan, const struct explore_program *program,
                          const struct explore_data *data, uint32_t items_max, struct arena *scratch);
/* Whether the program faults with these data. */
bool explore_faults(const struct plan *plan, const struct explore_program *program,
                    const struct explore_data *data, struct arena *scratch);
