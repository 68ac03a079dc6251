/* Watches a journal, record by record, and says which promise is broken (S4 … S15, S21, S22 of
 * PROMISES.md). Knows the plan and the records' changes, and keeps books of its own: it shares no code
 * with the core. Ends the test on a breach. */
#pragma once
#include "engine/core/core.h"

enum { ORACLE_STEPS = 16, ORACLE_REPLIES = 4096 };

struct oracle_command {
    uint32_t sent;   /* attempts */
    uint32_t budget; /* attempts allowed so far: grows with each grant */
    int64_t due_us;  /* of the newest */
    bool outstanding;
};
struct oracle_step {
    bool opened;
    bool passed;   /* done or waived while going forward */
    bool happened; /* a success was taken */
    bool doubt;    /* given up without knowing */
    bool rejected;
    bool unanswered; /* an attempt to do it timed out, and no rejection came since */
    bool let_go;     /* an operator decided something for it */
    bool undo_waived;
    uint32_t undone; /* compensations that were answered, since it last had to be */
    bool undoing;
    struct oracle_command commands[CORE_KIND_COUNT];
};
struct oracle {
    const struct plan *plan;
    struct oracle_step steps[ORACLE_STEPS];
    int64_t seq;
    int64_t at_us;
    bool back;
    bool paused;
    bool held; /* parked by the deadline: nothing may be sent */
    bool cancelled;
    bool terminated;
    enum core_status status;
    uint16_t answering;             /* the step that the present reply answers */
    uint64_t cited[ORACLE_REPLIES]; /* replies that were used */
    uint32_t cited_count;
};

void oracle_init(struct oracle *oracle, const struct plan *plan);
/* In the order of the journal; paths come from the saga after the record. */
void oracle_watch(struct oracle *oracle, const struct core_saga *saga, const struct core_record *record);
