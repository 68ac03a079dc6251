/* One saga of any definition in a bad world: commands and replies are lost, doubled, reordered and late;
 * participants (child sagas are ones to the core) refuse, ask to wait, or answer with nonsense; signals come
 * early, late, doubled and in the wrong shape; timers are moved; operators and the parent saga interfere at
 * any time. In the end the world heals, and the saga must end with each effect there exactly when it should
 * be.
 *
 * After each event the twin holds that the folded journal is the state, in every field and as people see it,
 * and that a copy of the saga decides as it does; the oracle watches each record. Ends the process on a
 * breach. Every choice comes from one function, so that a seed or the bytes of a fuzzer make the same walk
 * again. */
#pragma once
#include "engine/core/core.h"

struct walk_choices {
    void *context;
    /* 0 … bound-1 */
    uint32_t (*choose)(void *context, uint32_t bound);
};
struct walk_result {
    enum core_status status;
    uint32_t events; /* given */
    uint32_t used;
    uint32_t steps; /* instances opened */
    uint32_t scopes_undone;
    uint32_t signals_taken;
    uint32_t refused, dead, late, stale, duplicate;
};
/* `events` before it heals; `seed` is the saga's own. With loud, its story goes to stderr. */
void walk_run(const struct plan *plan, uint64_t seed, uint32_t events, const struct walk_choices *choices,
              bool loud, struct walk_result *result);
