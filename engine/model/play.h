/* One saga in virtual time: the real core, a clock that jumps to whatever is due next, and what is on its way
 * to the saga.
 *
 * Happy path: play_init, play_start, play_run; the host hears of every command and puts answers on their way
 * with play_post. At one moment answers come before timers, so an answer at the very end of its time is in
 * time; what is posted for the same moment arrives in the order in which it was posted. Everything is
 * deterministic. Failure mode: a run that does not come to rest within PLAY_EVENTS_MAX events is given up,
 * and says so. Owner: borrows plan and arena; what is noted lives in the arena. One thread. */
#pragma once
#include "engine/base/buf.h"
#include "engine/core/core.h"

enum { PLAY_EVENTS_MAX = 50000 }; /* each of LIMITS_INSTANCES done, undone, with some failing attempts */

struct play;
/* A command that went out. */
struct play_command {
    int64_t at_us; /* since the start */
    int64_t seq;   /* of the record it belongs to: those of one record go out side by side */
    uint16_t step;
    const struct plan_node *node;
    struct str path;
    enum core_kind kind;
    uint32_t attempt;
    const struct json *body;
    bool again; /* sent once more after a crash */
};
/* What the host is told; members may be NULL. */
struct play_host {
    void *context;
    void (*commanded)(void *context, struct play *play, const struct play_command *command);
    void (*opened)(void *context, struct play *play, uint16_t step);
    /* Each event that was given to the core, with what became of it; `tag` as posted, NULL for timers. */
    void (*happened)(void *context, struct play *play, const struct core_event *event,
                     const struct core_update *update, const void *tag);
};
/* A line of the timeline: a moment, and what people read. */
struct play_line {
    int64_t at_us; /* since the start */
    struct str text;
    struct play_line *next;
};
struct play_post;
struct play_row;
enum play_end {
    PLAY_RESTS, /* nothing is on its way and no timer runs: it has ended, is parked, paused, or waits */
    PLAY_TIRED, /* PLAY_EVENTS_MAX events were not enough */
    PLAY_BROKEN /* after a crash the journal gave another saga: a bug of the engine, noted */
};
struct play {
    struct arena *arena;
    struct arena scratch;
    struct play_host host;
    struct core_saga saga;
    int64_t began_us; /* when the saga started, microseconds since 1970 */
    int64_t now_us;   /* likewise */
    struct play_post *posts;
    struct play_command *commands; /* in the order they went out */
    uint32_t command_count;
    uint32_t command_room;
    struct play_line *lines;
    struct play_line **line_end;
    struct play_row *rows; /* the journal */
    struct play_row **row_end;
    uint32_t event_count;
    bool dies; /* set by the host: the engine dies once the event at hand is stored, and starts again: the
                  saga is made anew from its journal, what was commanded and not answered is sent again */
};

/* 2026-01-01T00:00:00Z, when virtual time begins unless someone says otherwise. */
extern const int64_t play_epoch_us;

void play_init(struct play *play, const struct plan *plan, struct id id, int64_t began_us,
               struct arena *arena, struct play_host host);
void play_fini(struct play *play);
/* Puts an event on its way, to arrive `after_us` from now; copies its texts, borrows its JSON. Its time is
 * set when it arrives; the due time of a MOVE counts from then. */
void play_post(struct play *play, int64_t after_us, const struct core_event *event, const void *tag);
/* When something comes next, microseconds since 1970; INT64_MAX: nothing does. */
int64_t play_next(const struct play *play);
/* Gives the core whatever comes next. False when nothing does any more: *end says why. */
bool play_step(struct play *play, enum play_end *end);
/* The same until then. */
enum play_end play_run(struct play *play);
/* A note in the timeline, at this moment. */
void play_note(struct play *play, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "charge/undo/2" */
struct str play_command_text(struct arena *arena, const struct play_command *command);
/* The timeline as text: a moment, what happened, what was decided. */
void play_render(const struct play *play, struct buf *out);
/* "00:00:12.345", "14d 00:00:00.000": a moment of the timeline. */
void play_put_moment(struct buf *out, int64_t span_us);
