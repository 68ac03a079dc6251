/* Watches the journal of a saga with blocks, record by record, and says which promise is broken (S4 … S15,
 * S21, S22 of PROMISES.md, and what engine/core/README.md says of blocks). Knows the plan and the records'
 * changes and keeps books of its own: which blocks were entered, what stands before what, who owes an
 * undoing. It shares no code with the core. Ends the process on a breach. */
#pragma once
#include "engine/core/core.h"

enum {
    BLOCK_ORACLE_STEPS = 1024,
    BLOCK_ORACLE_FRAMES = 2048,
    BLOCK_ORACLE_REPLIES = 8192,
    BLOCK_ORACLE_SIGNALS = 256
};

struct block_oracle_command {
    uint32_t sent;    /* attempts */
    uint32_t budget;  /* attempts allowed so far: grows with each grant */
    uint32_t base;    /* sent when the newest grant was made; */
    int64_t first_us; /* when the first attempt of the present budget was made; 0: none was */
    bool outstanding;
};
struct block_oracle_step {
    uint16_t node;
    uint16_t frame;
    char path[64];
    enum core_step_state state;
    bool passed;     /* done or waived while going forward */
    bool happened;   /* a success was taken */
    bool doubt;      /* given up without knowing */
    bool rejected;   /* last decided so */
    bool unanswered; /* an attempt to do it timed out, and no rejection came since */
    bool let_go;     /* an operator decided something for it */
    bool undo_waived;
    uint32_t undo_floor; /* compensations that were commanded before its success: they count no more */
    uint32_t undone;     /* compensations that were answered, since it last had to be */
    bool undoing;
    int64_t due_us;
    struct block_oracle_command commands[CORE_KIND_COUNT];
};
struct block_oracle_frame {
    uint16_t node;
    uint16_t parent;
    uint16_t index;
    uint32_t items; /* of a foreach */
    enum core_block block;
    bool went_back;
};
struct block_oracle_signal {
    struct str name; /* of the plan's await */
    uint64_t id;     /* hash of its id; 0: none */
    bool taken;
    bool dropped;
    uint16_t steps_then; /* of the saga, when it was dropped */
};
struct block_oracle {
    const struct plan *plan;
    char *why; /* the first breach, in why_text; "" : none yet */
    char why_text[300];
    struct block_oracle_step steps[BLOCK_ORACLE_STEPS];
    uint16_t step_count;
    struct block_oracle_frame frames[BLOCK_ORACLE_FRAMES]; /* 0: the root */
    uint16_t frame_count;
    struct block_oracle_signal signals[BLOCK_ORACLE_SIGNALS];
    uint16_t signal_count;
    int64_t seq;
    int64_t at_us;
    uint32_t rules;
    bool unfinished; /* the last record was cut */
    bool back;
    bool paused;
    bool stands; /* and its deadline and awaits with it */
    bool cancelled;
    bool held; /* parked by the deadline */
    enum core_status status;
    uint16_t answering;                   /* the step that the present reply answers */
    uint64_t cited[BLOCK_ORACLE_REPLIES]; /* replies that were used */
    uint32_t cited_count;
};

/* The oracle must not be moved afterwards. */
void block_oracle_init(struct block_oracle *oracle, const struct plan *plan);
/* In the order of the journal; a record that the core folds, so that its indexes are right. */
void block_oracle_watch(struct block_oracle *oracle, const struct core_record *record);
/* Whether the saga, or a scope around the step, goes or went back. */
bool block_oracle_is_back(const struct block_oracle *oracle, uint16_t step);
