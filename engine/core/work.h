/* One event being worked on: what the parts of the core share. Each work_… that changes something makes a
 * change, applies it to the saga and puts it into the record, in one go. Steps are named by their index,
 * because the array of steps may move. Internal to the core. */
#pragma once
#include "engine/core/core.h"
#include "engine/core/state.h"
#include "engine/definition/schema.h"

struct work {
    struct core_saga *saga;
    struct core_event event; /* as it will be recorded: time made monotone, texts cut to their limits */
    struct arena *scratch;
    struct core_update *update;
    struct core_change *changes; /* in scratch */
    uint32_t count;
    uint32_t room;
    uint64_t spent;       /* units of work (EXPR_STEP_WORK) that the event cost so far */
    size_t value_size;    /* of the value evaluated last, as text: the body of the change that follows */
    size_t body_size;     /* of all bodies in the record */
    struct place *places; /* room for back_order.c, in scratch */
    uint32_t place_room;
    bool witness; /* an answer that changes nothing says what no record says: it must not vanish */
};

/* False when the event is refused at the door (a payload too deep for the journal); the verdict is set then.
 */
bool work_begin(struct work *work, struct core_saga *saga, const struct core_event *event,
                struct arena *scratch, struct core_update *update);
/* The event is used: there will be a record. Before any change. */
void work_take(struct work *work);
/* The event changes nothing, and why; a sentence without its full stop. */
void work_leave(struct work *work, enum core_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of a reply that tells of an effect which stands in no record and which nothing undoes: its dead
 * letter is all that remains of it. */
void work_leave_witness(struct work *work, struct str why);

/* The event's time plus a span, saturating. */
int64_t work_after(const struct work *work, int64_t span_us);
/* A time from outside, no later than times may be. */
int64_t work_until(int64_t due_us);
const struct core_step *work_step(const struct work *work, uint16_t step);
const struct plan_node *work_node(const struct work *work, uint16_t step);
/* Must exist. */
const struct plan_action *work_action(const struct work *work, uint16_t step, enum core_kind kind);
/* A text for a change that is not the event's own: a copy in scratch. */
struct str work_text(struct work *work, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether a value fits its schema, charged to the event. */
bool work_fits(struct work *work, const struct schema *schema, const struct json *body,
               struct schema_problems *problems);
/* True when the event's body may become the step's output; else why not, in scratch. */
bool work_output_fits(struct work *work, uint16_t step, struct str *why);
/* True while nothing may be sent: paused, or parked by the deadline. A stuck step holds only itself. */
bool work_held(const struct core_saga *saga);
/* The transition has cost what one may: what would move by itself is left to the next one, so that one event
 * ends soon and fits a row, whatever the definition is. What is done first is always done. */
bool work_is_full(const struct work *work);
/* The saga has stored so much that it may begin nothing new; code and message say so. */
bool work_is_heavy(struct work *work, struct str *code, struct str *message);
void work_spend(struct work *work, uint64_t units);
/* Nothing new is commanded where the step stands: its branch failed, or it goes back. */
bool work_halted(const struct work *work, uint16_t step);
/* As much of a text from outside as an error's message may be. */
struct str work_clean_message(struct str text);
/* The step's state becomes the park's reason: the saga is parked exactly while a step is stuck (or its
 * deadline has parked it). Called when a step may have become unstuck. */
void work_review_park(struct work *work);

/* Changes. */
void work_change(struct work *work, struct core_change change);
void work_move(struct work *work, uint16_t step, enum core_step_state state, int64_t due_us);
/* These two only when it is not so already: the same error a thousand times is recorded once. */
void work_fault(struct work *work, uint16_t step, struct str code, struct str message);
void work_unknown(struct work *work, uint16_t step, bool unknown);
void work_output(struct work *work, uint16_t step);
void work_budget(struct work *work, uint16_t step, enum core_kind kind);
void work_status(struct work *work, enum core_status status, enum core_direction direction);
void work_deadline(struct work *work, int64_t due_us);
void work_cause(struct work *work, uint16_t step, struct str code, struct str message);
/* Parks: reason and status. While another step is the reason already, it stays so. */
void work_park(struct work *work, uint16_t step, struct str code, struct str message);
/* Clears the reason, when there is one; the status is the caller's to set. */
void work_unpark(struct work *work);
/* A timer of a step or, with CORE_NO_STEP, the saga's deadline. */
void work_due(struct work *work, uint16_t step, int64_t due_us);
