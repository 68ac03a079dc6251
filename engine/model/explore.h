/* Explores every behaviour of a definition on the real core: each command answered in each way the language
 * knows, answered late, twice or never; each time-out; cancel and the deadline at every point; and holds what
 * the engine promises against every state. A proof when nothing is found and the cap was not reached, else a
 * counter-example as a timeline.
 *
 * Happy path: explore_run(plan, options, arena, result). Depth first over the states of a saga, its
 * participants and an oracle; a state is known again by a fingerprint of 64 bits (two of a million states are
 * taken for one with a chance below 1 in 10 million).
 *
 * What is left out, and why nothing is lost by it:
 * - Absolute times. Any running timer may be the next one to fire: more than real clocks allow, never less.
 * - The number of attempts. A budget of n is explored as 2: an attempt that is neither the first nor the last
 *   does what the first does (the saga waits and tries again) or what the last does (it is decided), and what
 *   an unanswered one leaves behind (effect unknown, an old attempt on its way) the first leaves too. A time
 *   limit of the attempts only decides which one is the last. An unlimited budget stays unlimited; its
 *   attempts are one state.
 * - Messages. A command that was sent may be carried out at any time from then on, and any answer that a
 *   participant can give may come at any time, once or twice: the network's loss, delay, repetition and order
 *   need no queue. Whether an unanswered command took effect stays open until something depends on it.
 * - The order in which steps of different branches were opened: the core looks at it only to choose which of
 *   two independent things goes first, and both choices are explored.
 * - Orders of what is independent: compensations side by side, where nothing can come late any more, are
 *   looked at one after the other, and so is a compensation between two attempts (persistent sets,
 *   explore_list.c).
 * - What parts beside each other (branches, items) do at the same time (explore_focus.c). One of them, each
 *   in its turn and chosen anew whenever something begins in a block that was at rest, is in focus and does
 *   everything. Those beside it do what is simple, one after the other: go on, fail, get stuck and are
 *   helped, are undone, get stuck with the last of that. Cancel, the deadline and events come at every
 *   point. Why that is enough: all that one part can tell of another is that it has failed (and how, if a
 *   compensation reads $error), is over, is stuck, or has a command out where max_concurrency counts; and
 *   for each of these a simple way leads there, whatever the part in focus has done meanwhile. A promise is
 *   about a step, about two of one sequence, or about a step and what is stuck or under way beside it. So
 *   in a run that breaks one, keep what the step's part did, in focus, and put simple events that show the
 *   same for those of the others: it breaks it too. Of three parts only two are ever halfway at once: no
 *   promise needs the third but by the number under way, and its command is out from its start. That parts
 *   see no more of each other is a property of the core that is relied on, not proved; a test over random
 *   definitions compares with `whole`.
 * - Why the saga goes back, once no compensation is left that reads it; going back, what is over beside the
 *   part in focus.
 * - Participants without a barrier. The explored ones have it: each of do and undo takes effect once, and no
 *   do after an undo; who rejects an attempt rejects all before it. To the core one without looks the same:
 *   the success that it reports after an undo is here one that came late.
 *
 * What is bounded, so that a proof does not speak of more:
 * - Data: explore_data.c chooses by what expressions do with many candidates. A fault with a value that was
 *   not among them is not found.
 * - One success at a time comes late: while a step is undone because its success came after it had been given
 *   up, no second one comes, and that compensation is answered, or refused, at its first attempt.
 * - Operators cancel at every point, and try each park again once (that of a compensation when all else
 *   rests). Other verbs are not explored.
 * - One event of a name is kept before its await. A foreach has up to two items, as many as the shortest list
 *   where a schema asks for more; and too many, where a schema allows that.
 *
 * Everything returned is in `arena`; the plan is borrowed. One thread. */
#pragma once
#include "engine/base/arena.h"
#include "engine/core/core.h"
#include "engine/definition/plan.h"

enum {
    EXPLORE_STATES_DEFAULT = 2000000,
    EXPLORE_ITEMS = 2,    /* of a foreach, at most; see above */
    EXPLORE_DATA_MAX = 32 /* choices of data */
};

struct explore_options {
    uint64_t states_max; /* 0: the default */
    bool whole;          /* everything in all parts at once: many more states, for tests of the focus */
};
enum explore_verdict {
    EXPLORE_PROVED,
    EXPLORE_REFUTED,
    EXPLORE_CAPPED, /* nothing was found, but not all states, or choices of data, were seen */
};
/* A way in which runs end or rest. */
struct explore_outcome {
    enum core_status status; /* PARKED, or an end */
    struct str code;         /* why, "" when completed */
    struct str step;         /* path with the items' numbers left out; "" : none */
};
/* From the definition's numbers alone: every attempt goes unanswered for its whole time, every pause is the
 * longest. `pending` replies, pauses by operators, parks and answers that come late are not counted. */
struct explore_time {
    int64_t forward_us;   /* until the last step, or the deadline and what is then still out */
    int64_t back_us;      /* undoing all that can be undone */
    struct str unbounded; /* "" or the step (or wait, or child saga) whose time has no bound */
};
struct explore_result {
    enum explore_verdict verdict;
    uint64_t states;
    uint64_t transitions;
    uint32_t data_sets;     /* choices of input, outputs and events that were explored */
    uint32_t data_left_out; /* choices that make a difference and are too many to be explored */
    const struct explore_outcome *outcomes;
    uint32_t outcome_count;
    const struct str *unreached; /* ids of steps that no run got to, cases of a switch that none took */
    uint32_t unreached_count;
    uint32_t in_flight_max; /* commands under way at once */
    struct explore_time time;
    struct str property; /* REFUTED: the promise that is broken, a sentence */
    struct str detail;   /* what breaks it */
    struct str timeline; /* the counter-example, for people: lines */
};

void explore_run(const struct plan *plan, const struct explore_options *options, struct arena *arena,
                 struct explore_result *result);
