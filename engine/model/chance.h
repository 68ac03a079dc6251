/* One random run of a definition in virtual time, with faults: participants as they should be (they do a
 * key's work once), on wires and machines as they are.
 *
 * The same seed gives the same run, to the byte. At the end it is checked that what the participants hold is
 * what the saga says; a difference is a bug of the engine. Everything lives in the arena; one thread. */
#pragma once
#include "engine/model/play.h"

enum chance_fault {
#define X(NAME, name, rate, meaning) CHANCE_##NAME,
#include "engine/model/faults.def"
#undef X
    CHANCE_FAULT_COUNT
};
enum { CHANCE_CERTAIN = 1000 };
struct chance_rates {
    unsigned of[CHANCE_FAULT_COUNT]; /* thousandths */
};
struct chance_result {
    const struct json *input;
    enum core_status status;
    struct str reason;                   /* "CARD_DECLINED: no money, at charge", "" when there is none */
    int64_t span_us;                     /* until it got the status */
    unsigned faults[CHANCE_FAULT_COUNT]; /* how often each struck */
    struct str effects;                  /* what the participants hold: "reserve: undone, charge: none" */
    struct str wrong;                    /* what contradicts the saga's state; "" when all is well */
    const struct play_line *lines;
    struct str timeline;
};

struct chance_rates chance_usual(void);
/* "none", or "lost=0.1,crash=0", "all=0.05": what is not named stays. ERR_INVALID with a note. */
enum err chance_read(struct str text, struct chance_rates *rates, struct err_note *note)
    __attribute__((warn_unused_result));
/* input may be NULL: made from the schema. ERR_INVALID with a note when the saga cannot start with it. */
enum err chance_run(const struct plan *plan, uint64_t seed, const struct chance_rates *rates,
                    const struct json *input, struct arena *arena, struct chance_result *result,
                    struct err_note *note) __attribute__((warn_unused_result));
struct str chance_fault_text(enum chance_fault fault);
