/* What a cancel would do now: the compensations that would go out, in order, with their bodies, what has to
 * be waited for first, and what stays undone.
 *
 * Found out by the core itself: a copy of the saga is cancelled and every compensation answered ok. A command
 * that is out is not answered: its step counts as in doubt when its time is over, so its compensation is
 * shown, marked as needed only if the step has happened. A paused saga is told as if it were resumed at once.
 * The saga itself is not touched. Everything lives in
 * the arena, and borrows from the saga; one thread. */
#pragma once
#include "engine/base/buf.h"
#include "engine/core/core.h"

struct foresee_command {
    uint32_t round; /* from 1: those of one round go out side by side, the next when they are answered */
    struct str path;
    enum core_kind kind; /* UNDO, or VERIFY: whether it happened */
    uint32_t attempt;
    struct str to; /* "payments.refund" */
    const struct json *body;
    bool has_child;
    struct id child; /* saga to be undone */
    bool if_done;    /* only if the step turns out to have happened */
};
/* A command that is out: its answer, or the end of its time, comes first. */
struct foresee_wait {
    struct str path;
    enum core_kind kind;
    uint32_t attempt;
    int64_t until_us;
};
/* A step that keeps its effect, or a compensation that stands still. */
struct foresee_left {
    struct str path;
    enum core_step_state state;
    struct str code; /* "" where none is meant */
    struct str reason;
};
struct foresee {
    const struct core_saga *saga; /* as it is */
    int64_t at_us;
    bool possible;      /* it goes back, or a cancel would be taken */
    struct str refused; /* why not; "" */
    struct foresee_command *commands;
    struct foresee_wait *waits;
    struct foresee_left *kept;  /* cannot be undone */
    struct foresee_left *stuck; /* a human decides first */
    uint32_t command_count, wait_count, kept_count, stuck_count;
    enum core_status ends; /* where it would rest: COMPENSATED, PARKED */
};

/* `at_us`: now. The saga has started. */
void foresee_cancel(const struct core_saga *saga, int64_t at_us, struct arena *arena,
                    struct foresee *foresee);
/* {"id", "definition", "version", "status", "seq", "at", "direction", "paused", "possible", "refused": text |
 * null, "ends", "waits": [{"step", "kind", "attempt", "until"}], "commands": [{"round", "step", "kind",
 * "attempt", "to", "body", "child", "if_done"}], "kept": [{"step", "state", "reason"}], "stuck": [{"step",
 * "state", "code", "reason"}]} */
void foresee_json(struct buf *out, const struct foresee *foresee);
