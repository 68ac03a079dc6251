/* Watches the journal of a saga and computes again what every expression in it must have given: the bodies of
 * commands, the case of each switch, the items of each foreach, whether a `fail` fires, how long a wait
 * takes, the output. It keeps books of its own of inputs, outputs, blocks and reasons, after
 * definitions/README.md, and shares no code with the core. Ends the process on a breach. */
#pragma once
#include "engine/core/core.h"

struct data_oracle_step {
    uint16_t node;
    uint16_t frame;
    struct str path;
    bool waived;
    const struct json *output; /* NULL: none */
};
struct data_oracle_cause {
    struct str code; /* "" : it does not go back */
    struct str message;
    uint16_t step;
};
struct data_oracle_frame {
    uint16_t node;
    uint16_t parent;
    uint16_t index;
    const struct json *items; /* foreach */
    bool went_back;
    struct data_oracle_cause cause;
};
struct data_oracle {
    const struct data_oracle_step *undoing; /* whose compensation is being computed; NULL: none's */
    const struct plan *plan;
    struct id id;
    struct arena arena;
    struct str key;
    int64_t started_us;
    int64_t seq;
    int64_t at_us;
    const struct json *input;
    struct data_oracle_step *steps;
    struct data_oracle_frame *frames; /* 0: the root */
    const struct json **signals;
    uint16_t step_count;
    uint16_t frame_count;
    uint16_t signal_count;
    bool back;
    struct data_oracle_cause cause;
};

void data_oracle_init(struct data_oracle *oracle, const struct plan *plan, struct id id);
void data_oracle_fini(struct data_oracle *oracle);
/* In the order of the journal; a record that the core folds, so that its indexes are right. */
void data_oracle_watch(struct data_oracle *oracle, const struct core_record *record);
