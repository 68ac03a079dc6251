/* The pure core: one deterministic function from (plan, saga, event) to an update. No I/O, clock, randomness,
 * malloc or globals.
 *
 * Happy path: core_init, then core_step for each event in order; the caller stores update->record, and only
 * after the commit acts on it (sends the CORE_CHANGE_SEND changes, publishes, answers). A saga is loaded
 * again by core_init and core_fold over its records. Every change of a saga goes through one function that
 * applies a change and appends it to the record, so that fold(journal) = state by construction. core_step is
 * total: a stale, duplicate, late or forbidden event yields a verdict and a sentence, and nothing changes.
 * Owner: the caller owns the memory: saga->arena lives as long as the saga is resident, `scratch` as long as
 * the batch. One thread per saga. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/id.h"
#include "engine/base/json.h"
#include "engine/definition/plan.h"

/* RUNNING and COMPENSATING move by themselves; PARKED waits for a human; the others are ends. */
enum core_status {
    CORE_RUNNING,
    CORE_COMPENSATING,
    CORE_PARKED,
    CORE_COMPLETED,
    CORE_COMPENSATED,
    CORE_TERMINATED
};
enum core_direction { CORE_FORWARD, CORE_BACK };
/* What a command asks for: "do", "verify", "undo" on the wire and in the journal. */
enum core_kind { CORE_DO, CORE_VERIFY, CORE_UNDO };
enum { CORE_KIND_COUNT = 3 };
enum core_step_state {
#define X(name, text, meaning) CORE_STEP_##name,
#include "engine/core/step.def"
#undef X
};
enum core_code {
#define X(name, meaning) CORE_CODE_##name,
#include "engine/core/codes.def"
#undef X
};
enum core_event_kind {
    CORE_EVENT_START,
    CORE_EVENT_REPLY,
    CORE_EVENT_TIMER, /* fires whatever is due first at `at`; the caller repeats while core_wake() <= at. With
                         `step` that step's timer, with `deadline` the saga's: when others are held back */
    CORE_EVENT_CANCEL,
    CORE_EVENT_TERMINATE,
    CORE_EVENT_PAUSE,
    CORE_EVENT_RESUME,
    CORE_EVENT_RETRY,     /* operator: a stuck step gets a fresh budget (or a waiting one goes at once) */
    CORE_EVENT_SKIP,      /* operator: a stuck step is let go */
    CORE_EVENT_FORCE,     /* operator: a stuck step's outcome is declared */
    CORE_EVENT_SIGNAL,    /* an event from outside, for an await */
    CORE_EVENT_MOVE,      /* operator: a timer is moved, or fired now */
    CORE_EVENT_UNDO,      /* the parent saga wants this child undone, whether it has ended or not */
    CORE_EVENT_DELIVERED, /* an attempt whose time was over reached its participant only now: its time begins
                             again */
    CORE_EVENT_UNDELIVERED, /* an attempt has reached nobody and never will: error_code and error_message say
                               why */
    CORE_EVENT_LOST,  /* the database has lost records of this saga that the engine knew; reason: what it knew
                       */
    CORE_EVENT_CLOCK, /* the database's clock has gone back behind the last record, to `at`: the one event
                         whose time may */
};
/* The first four are what participants say; the others are what the engine says: an error of a service that
 * may have acted before it (`via: request`); an answer that cannot be used at all, after which a usable one
 * may still come; an attempt that has reached nobody for the whole of its time. */
enum core_reply_status {
    CORE_REPLY_OK,
    CORE_REPLY_REJECTED,
    CORE_REPLY_RETRY,
    CORE_REPLY_PENDING,
    CORE_REPLY_UNCLEAR,
    CORE_REPLY_UNUSABLE,
    CORE_REPLY_UNSENT,
    CORE_REPLY_NO_OUTPUT, /* of a child saga: it has done everything, and has no output to give */
};
/* What a step's error says of an answer that cannot be used, behind "<kind> attempt <n>" and before the
 * reason. Which letter it became is not known when it is decided: readers may put its number there. */
#define CORE_PUT_ASIDE " was answered, put aside as a dead letter"
/* The rules a saga was started under, which it keeps to its end, so that its journal is decided alike for
 * ever. 2: `retry` until the budget is used up asks `verify`, when there is one. 3: an output that cannot be
 * computed parks, or is the reason of a saga that completes without it. 4: it asks when any attempt was
 * answered `retry` with no rejection since, not when the last one was. 5: an event is kept only for an await
 * that may still begin, and is dropped when none may any more; one without a body brings {}. */
enum {
    CORE_RULES_FIRST = 1,
    CORE_RULES_OUTPUT = 3,
    CORE_RULES_PUT_OFF = 4,
    CORE_RULES_KEPT = 5,
    CORE_RULES_NEWEST = 5
};

struct core_event {
    enum core_event_kind kind;
    int64_t at_us; /* PostgreSQL's clock, microseconds since 1970; never before the saga's last record (core
                      takes the later one), but for CLOCK */

    /* START */
    const struct json *input;
    const struct json *search; /* object */
    struct str key;
    uint64_t seed;          /* of the jitter */
    struct str correlation; /* Saga-Correlation-Id; "" : the saga id */
    struct str traceparent; /* "" : none */
    uint32_t shards;        /* of the installation: where child sagas go; 0 is 1 */
    uint32_t rules;         /* 0: the newest */
    bool has_parent;        /* this is a child saga, from here on */
    struct id parent;
    struct str parent_step;  /* path */
    uint32_t parent_attempt; /* of the do that started it */
    uint32_t depth;          /* sagas above it: 1 for the child of a saga without a parent */
    uint32_t family; /* of a child: sagas that it may bring about, itself included; 0: not told, which is
                        LIMITS_FAMILY, as for a saga without a parent */
    bool stillborn;  /* undone by its parent before it began: ends compensated at once */
    bool unbounded;  /* read from a journal begun before transitions were bounded: its saga keeps the former
                        rules to its end, so that replaying it decides what it decided then */

    /* SIGNAL: also body */
    struct str signal; /* "delivery.signed" */
    /* its body; NULL: none, which is {} (null under former rules) */
    struct str signal_id; /* a second one of this name with the same is a duplicate; "" : none */

    /* TIMER, PAUSE */
    bool deadline; /* the saga's deadline, whatever else is due before it; PAUSE: the saga's deadline and its
                      awaits stand still, too */

    /* MOVE: step is the timer's path, "" the saga's deadline or, with `only`, the only step's timer */
    bool only;
    int64_t due_us; /* not after `at`: fires now. DELIVERED: when its time ends; 0, or later: its timeout
                       after `at` */

    /* REPLY, DELIVERED, UNDELIVERED: which command it answers, or is about; TIMER: see there; RETRY, SKIP,
     * FORCE: which step ("" : the only stuck one); UNDO: attempt only, the parent's */
    struct str step; /* path of the step: its id, within a foreach with the item's index, "book[3]" */
    enum core_kind command_kind;
    uint32_t attempt;
    struct str participant;        /* who answered; "" : not told */
    enum core_reply_status status; /* REPLY; FORCE: OK or REJECTED */
    struct str error_code;
    struct str error_message;
    int64_t retry_after_us;  /* 0: not told */
    const struct json *body; /* REPLY, FORCE: output; NULL: null */

    /* operator verbs */
    struct str actor;
    struct str reason;
};

/* X(NAME, text): what the changes of a record are. Fields used by each stand beside. */
#define CORE_CHANGES(X)                                                                                      \
    X(OPEN, "open")       /* step, node, frame: a new instance of a leaf, or of a switch or foreach that     \
                             cannot begin; state WAITING, due now */                                         \
    X(FRAME, "frame")     /* frame (its index), node, parent, index, body: a block or sequence is entered;   \
                             index: which branch or item; body: the items of a foreach */                    \
    X(BLOCK, "block")     /* frame, block; step, code, message of FAILED and BACK: a block's fate */         \
    X(KEEP, "keep")       /* the event's signal is kept for an await */                                      \
    X(TAKE, "take")       /* step, index: the await takes this signal; its body is the output */             \
    X(DROP, "drop")       /* index: no await can take this signal, kept so far, any more */                  \
    X(MOVE, "move")       /* step, due: an operator moved its timer */                                       \
    X(SEND, "send")       /* step, command (kind), attempt, body, due: the command goes out; state SENT,     \
                             VERIFY_SENT or UNDO_SENT */                                                     \
    X(STEP, "step")       /* step, state, due: any other move */                                             \
    X(EXTEND, "extend")   /* step, due: a `pending` reply moved the deadline */                              \
    X(OUTPUT, "output")   /* step: the event's body is the step's output; marks it as having succeeded */    \
    X(FAULT, "fault")     /* step, code, message: the step's last error */                                   \
    X(NOTE, "note")       /* step, command, attempt, code, message: it was answered with what cannot be      \
                             used; the step's last error, too */                                             \
    X(UNKNOWN, "unknown") /* step, flag: an attempt went unanswered, so its effect may exist; flag false: a  \
                             participant or an operator has said since that it does not */                   \
    X(BUDGET, "budget")   /* step, command: an operator granted fresh attempts */                            \
    X(CURSOR, "cursor")   /* frame, cursor: the block moved on */                                            \
    X(STATUS, "status")   /* status, direction */                                                            \
    X(DEADLINE, "deadline") /* due: of the whole saga; 0: it has passed and was acted on */                  \
    X(CAUSE, "cause")       /* step, code, message: why the saga goes back ($error) */                       \
    X(PARK, "park")     /* step, code, message: what a human must decide; empty code: not parked any more */ \
    X(PAUSE, "pause")   /* flag, due: since when its deadline and awaits stand still, too; 0: they go on */  \
    X(RESULT, "result") /* body: the saga's output */                                                        \
    X(MORE, "more")     /* the transition was cut at its bound: what moves by itself goes on with the next   \
                           event, a timer that is due at once if nothing else comes */
/* A frame's life. */
enum core_block {
    CORE_BLOCK_OPEN,
    CORE_BLOCK_FAILED, /* a branch that failed while its siblings may finish */
    CORE_BLOCK_BACK,   /* a scope that is being undone */
    CORE_BLOCK_CLOSED
};
enum core_change_kind {
#define X(name, text) CORE_CHANGE_##name,
    CORE_CHANGES(X)
#undef X
};
struct core_change {
    enum core_change_kind kind;
    uint16_t step; /* index in saga->steps; CORE_NO_STEP where none is meant */
    uint16_t node;
    uint16_t frame;
    uint16_t parent; /* frame */
    uint16_t index;
    uint16_t cursor;
    enum core_block block;
    enum core_step_state from; /* STEP: the state before, for people and as a check of the fold */
    enum core_step_state state;
    enum core_kind command;
    uint32_t attempt;
    uint32_t family; /* SEND of a child saga's do: what it may bring about, itself included */
    int64_t due_us;  /* 0: none */
    const struct json *body;
    struct str code;
    struct str message;
    enum core_status status;
    enum core_direction direction;
    bool flag;
};
enum { CORE_NO_STEP = UINT16_MAX };

/* One transition = one journal row. `event` as it came in (with at_us as recorded). */
struct core_record {
    int64_t seq; /* from 1 */
    struct core_event event;
    const struct core_change *changes;
    uint32_t change_count;
};

/* USED: there is a record to store. The others: nothing changed, `why` says why; only REFUSED and DEAD need
 * an answer or a dead letter. */
enum core_verdict {
    CORE_USED,
    CORE_DUPLICATE, /* an answer already taken, or a start of a started saga */
    CORE_LATE,      /* the step is decided already, or the saga has ended */
    CORE_STALE,     /* a rejection or retry of an attempt that is not the newest */
    CORE_DEAD, /* belongs to nothing: unknown step, attempt never sent, wrong participant, output against its
                  schema */
    CORE_REFUSED, /* an operator's verb that this state does not allow */
    CORE_IDLE,    /* a timer with nothing due */
};
struct core_update {
    enum core_verdict verdict;
    struct str why; /* one sentence, for logs, answers and replay; in scratch */
    bool aside;     /* a reply that cannot be used, or that tells of an effect which stands in no record:
                       `why` is the reason of its dead letter, whatever the verdict */
    struct core_record record; /* CORE_USED only; in scratch */
    uint32_t steps; /* evaluation steps it cost, or as many as would take so long: at most the sum of
                       LIMITS_TRANSITION_STEPS, LIMITS_SWITCH_STEPS and what one check of a schema is worth */
};

struct core_step {
    uint16_t node;
    uint16_t frame;
    struct str path; /* "charge", "book[3]": how commands, the journal and people name it */
    enum core_step_state state;
    bool unknown;                   /* an attempt went unanswered */
    bool put_off;                   /* somebody has said `retry` to a do, and nobody has rejected one since */
    bool succeeded;                 /* a success was taken once */
    bool waived;                    /* gone on without: going forward its output reads as null for ever */
    bool answered[CORE_KIND_COUNT]; /* the newest attempt of this kind has had its answer */
    uint32_t attempts[CORE_KIND_COUNT];     /* sent so far, per kind */
    uint32_t budget_base[CORE_KIND_COUNT];  /* attempts at the last operator retry */
    int64_t first_sent_us[CORE_KIND_COUNT]; /* of the present budget; 0: none yet */
    uint32_t undo_floor;    /* undo attempts up to this one were made before the first success was known: they
                               count no more */
    uint32_t pending_count; /* of the present attempt */
    uint32_t family;        /* of a child saga: what it was given */
    uint32_t noted[CORE_KIND_COUNT]; /* newest attempt whose answer could not be used; 0: none */
    int64_t due_us;                  /* 0: no timer */
    int64_t due_set_us;              /* when due_us was set */
    int64_t opened_us;
    int64_t sent_us;  /* last command */
    int64_t ended_us; /* when DONE, REJECTED, WAIVED, DOUBT was reached; then UNDONE, UNDO_WAIVED */
    struct str error_code;
    struct str error_message;
    uint16_t error_code_room;    /* bytes behind error_code: the next text is written over it, so that a */
    uint16_t error_message_room; /* million failing attempts take no more memory than one */
    const struct json *output;   /* NULL: none */
};
/* A sequence or a block that was entered (a switch enters the chosen sequence directly). Frame 0 is the root
 * sequence and its own parent. Frames stay, as steps do: who belongs to what is needed to go back. */
struct core_frame {
    uint16_t node;
    uint16_t parent;
    uint16_t index;    /* of the branch or item that this sequence is, within a parallel or foreach */
    uint16_t cursor;   /* sequence: the child that runs or comes next, child_count: at its end; parallel,
                          foreach: branches or items entered so far */
    uint16_t at_step;  /* sequence: the instance of the child at the cursor; CORE_NO_STEP: not opened */
    uint16_t at_frame; /* sequence, scope: the frame of the child at the cursor; CORE_NO_STEP: none */
    enum core_block state;
    bool went_back;           /* a scope that was or is being undone */
    const struct json *items; /* foreach */
    struct str cause_code;    /* of FAILED and BACK; a parallel or foreach: of its first branch that failed */
    struct str cause_message;
    uint16_t cause_step;
};
/* A signal that came: kept, until an await takes it or none can any more. */
struct core_signal {
    struct str name;
    struct str id;
    const struct json *body;
    bool taken;
    bool dropped;
};
struct core_saga {
    const struct plan *plan; /* borrowed */
    struct arena *arena;     /* borrowed; holds inputs, outputs, texts, steps */
    struct id id;
    int64_t seq; /* of the last record; 0: not started */
    enum core_status status;
    enum core_direction direction;
    bool paused;
    int64_t held_us; /* paused: since when its deadline and its awaits stand still, too; 0: they do not */
    bool pivot_commanded; /* a pivot step was sent: no cancel any more unless it is rejected */
    bool pivot_done;
    uint64_t seed;
    int64_t started_us;
    int64_t updated_us;
    int64_t ended_us;    /* 0: not ended */
    int64_t deadline_us; /* of the saga; 0: none or spent */
    int64_t deadline_set_us;
    struct str key;
    struct str correlation;
    struct str traceparent;
    const struct json *input;
    const struct json *search;
    const struct json *output; /* NULL: none */
    struct str cause_code;     /* why it goes back; "" : it does not */
    struct str cause_message;
    uint16_t cause_step;
    struct str park_code; /* "" : not parked */
    struct str park_message;
    uint16_t park_step;
    struct core_step *steps; /* in the order they were opened */
    uint16_t step_count;
    uint16_t step_room;
    struct core_frame *frames;
    uint16_t frame_count;
    uint16_t frame_room;
    struct core_signal *signals; /* in order of arrival; at most LIMITS_SIGNALS */
    uint16_t signal_count;
    uint16_t signal_room;
    uint16_t signals_kept; /* of them: neither taken nor dropped */
    uint32_t shards;
    uint32_t rules;
    bool has_parent;
    struct id parent;
    struct str parent_step;
    uint32_t parent_attempt;
    uint32_t depth;        /* 0: no parent */
    uint32_t undo_attempt; /* newest that the parent asked for; 0: it did not */
    uint32_t family_left;  /* sagas that it may still bring about, itself not counted */
    bool unbounded;        /* begun before transitions were bounded */
    bool unfinished;       /* the last transition was cut: the next event goes on with it */
    uint64_t stored_bytes; /* of all bodies in its journal; see LIMITS_SAGA_BYTES */
    int64_t lost_seq; /* of the newest record that says that others were lost; 0: none. Answers to what those
                         sent still come */
};

/* An empty saga: seq 0, not started. Borrows plan and arena. */
void core_init(struct core_saga *saga, const struct plan *plan, struct id id, struct arena *arena);
/* Decides and applies. What saga keeps is copied into saga->arena; what update holds is in scratch or in
 * event. Never fails. */
void core_step(struct core_saga *saga, const struct core_event *event, struct arena *scratch,
               struct core_update *update);
/* Applies a stored record, deciding nothing. ERR_INVALID with a note when it does not follow from the state
 * (gap in seq, unknown step, a move that is not allowed); the saga is then good for nothing but dropping. */
enum err core_fold(struct core_saga *saga, const struct core_record *record, struct err_note *note)
    __attribute__((warn_unused_result));
/* When the next timer is due: INT64_MAX when there is none. Commands held back by a pause do not count. */
int64_t core_wake(const struct core_saga *saga);
/* The same among the timers that `holds` does not hold back; *step is whose, CORE_NO_STEP the saga's deadline
 * or none. Asked about steps whose command is out. */
int64_t core_next(const struct core_saga *saga, bool (*holds)(const void *context, uint16_t step),
                  const void *context, uint16_t *step);
bool core_ended(const struct core_saga *saga);
/* Parked with HISTORY_LOST: nothing of it is sent, not even what the journal has as outstanding, until a
 * human decides. */
bool core_history_lost(const struct core_saga *saga);
/* Parked with OUTPUT_FAILED: everything is done, and a human gives the output, or has it undone. */
bool core_lacks_output(const struct core_saga *saga);
/* The step's path ("charge", "book[3]"); lives as long as the saga. */
struct str core_step_path(const struct core_saga *saga, uint16_t step);
/* The newest instance with this path; CORE_NO_STEP when there is none. */
uint16_t core_find(const struct core_saga *saga, struct str path);
/* What a signal brings to this saga: its body, or what stands for none. */
const struct json *core_signal_body(const struct core_saga *saga, const struct core_event *signal);
/* Neither taken by an await nor dropped. */
bool core_signal_kept(const struct core_signal *signal);
/* The id of the child saga of a step of kind PLAN_SAGA that was opened: the same over all attempts, another
 * after an operator's retry. */
struct id core_child(const struct core_saga *saga, uint16_t step);
/* Whether the effect of this step, if there is one, is to be undone: the saga, or a scope around it, goes
 * back. */
bool core_going_back(const struct core_saga *saga, uint16_t step);
/* Nothing new is commanded where the step stands: its branch has failed, or it goes back. What is outstanding
 * there is only waited for to be settled. */
bool core_halted(const struct core_saga *saga, uint16_t step);
/* Whether a command of this kind and attempt is out and not decided: SENT, VERIFY_SENT, UNDO_SENT. */
bool core_outstanding(const struct core_saga *saga, uint16_t step, enum core_kind kind, uint32_t attempt);
/* An independent saga in the same state: for whoever wants to look ahead. Shares the JSON, copies the rest
 * into `arena`; source and its arena must live as long. */
void core_copy(struct core_saga *copy, const struct core_saga *source, struct arena *arena);

struct str core_status_text(enum core_status status);
bool core_status_parse(struct str text, enum core_status *status);
struct str core_direction_text(enum core_direction direction);
struct str core_kind_text(enum core_kind kind);
bool core_kind_parse(struct str text, enum core_kind *kind);
struct str core_step_state_text(enum core_step_state state);
struct str core_event_text(enum core_event_kind kind);
bool core_event_parse(struct str text, enum core_event_kind *kind);
struct str core_reply_text(enum core_reply_status status);
bool core_reply_parse(struct str text, enum core_reply_status *status);
struct str core_verdict_text(enum core_verdict verdict);
struct str core_change_text(enum core_change_kind kind);
bool core_change_parse(struct str text, enum core_change_kind *kind);
bool core_direction_parse(struct str text, enum core_direction *direction);
bool core_step_state_parse(struct str text, enum core_step_state *state);
struct str core_block_text(enum core_block block);
bool core_block_parse(struct str text, enum core_block *block);
/* The engine's own error codes (codes.def): "TIMEOUT", "IN_DOUBT", … */
struct str core_code_text(enum core_code code);
/* Whether a text may be an error code: of visible ASCII characters, at most LIMITS_ERROR_CODE_BYTES. */
bool core_is_code(struct str text);
/* The plan's action for a command of this kind. */
const struct plan_action *core_action(const struct plan_step *step, enum core_kind kind);
