/* What the parts of explore.h share. Inside engine/model only. */
#pragma once
#include "engine/base/buf.h"
#include "engine/model/explore.h"

/* What is true at the participant and what the oracle remembers, of one instance of a step. */
struct explore_fact {
    bool newest_live;    /* the newest do may still take effect, or has without having said so */
    bool older_live;     /* an older one likewise */
    bool did;            /* the effect is there, or was: it has been reported */
    bool undid;          /* the undo was carried out and has been reported */
    bool known;          /* the engine took the success */
    bool doubt;          /* the engine gave it up without knowing */
    bool undo_sent;      /* since the success was known, or at all */
    bool undone;         /* the engine took the answer to its undo */
    bool retried;        /* an operator has tried it again once */
    bool late;           /* its success came when it had been given up, and is being undone */
    uint32_t undo_floor; /* compensations sent before its success was known */
    uint32_t sent[CORE_KIND_COUNT];
    uint32_t granted[CORE_KIND_COUNT]; /* sent before the present budget */
};
/* What the oracle was told of a frame. */
enum explore_fate { EXPLORE_FRAME_OPEN, EXPLORE_FRAME_FAILED, EXPLORE_FRAME_BACK };
struct explore_world {
    struct explore_fact *facts; /* one for each of the saga's steps */
    uint16_t count;
    uint16_t room;
    uint8_t *fates; /* enum explore_fate by frame; OPEN for those behind fate_count */
    uint16_t fate_count;
    uint16_t *focus; /* by frame: one more than the part in focus; 0, or behind focus_count: none chosen */
    uint16_t focus_count;
    bool back;      /* the whole saga goes back */
    bool committed; /* the pivot was commanded and not rejected */
};
enum explore_kind {
    EXPLORE_START,
    EXPLORE_REPLY,
    EXPLORE_TIMER,
    EXPLORE_DEADLINE,
    EXPLORE_CANCEL,
    EXPLORE_RETRY,
    EXPLORE_SIGNAL,
    EXPLORE_FOCUS /* nothing happens: the explorer chooses a part; step: the frame, part: which */
};
/* One thing that happens. Names steps by index: valid in the state it was made for. */
struct explore_action {
    enum explore_kind kind;
    uint16_t step; /* SIGNAL: the node of the await */
    enum core_kind command;
    enum core_reply_status status;
    uint16_t part;
    bool older; /* the answer is to the attempt before the newest */
    struct str code;
};
/* A state on the way from the start, and what is to be tried from there. */
struct explore_level {
    struct arena arena;
    struct core_saga saga;
    struct explore_world world;
    uint64_t print;
    const struct explore_level *copy_of; /* still the same as this one, on the way to being the next */
    struct explore_action taken;         /* what led here */
    struct explore_action *actions;
    uint32_t action_count;
    uint32_t next;
};
/* What a participant may say when it rejects: one code for each effect that `errors` gives, "" first. */
struct explore_codes {
    const struct str *items;
    uint32_t count;
};
/* One choice of the data that come from outside. */
struct explore_data {
    const struct json *input;
    const struct json *const *outputs; /* by node */
};
struct explore_seen {
    uint64_t print;
    bool open; /* on the way from the start to the present state */
};
struct explore {
    const struct plan *plan; /* with bounded budgets */
    struct arena *arena;
    struct arena batch;
    const struct explore_codes *codes; /* by node */
    const struct explore_data *data;   /* the present one */
    bool *error_readers;               /* by node: its compensation reads $error */
    bool code_matters;                 /* an expression reads $error.code (or all of $error) */
    bool message_matters;
    bool step_matters;
    struct explore_seen *seen;
    size_t seen_room; /* a power of two */
    uint64_t states_max;
    bool whole;
    struct explore_result *result;
    struct explore_outcome *outcomes;
    uint32_t outcome_count;
    bool *reached; /* by node */
    bool broken;   /* property and detail stand in the result */
};

/* The plan with budgets of at most two attempts; shares everything else. */
const struct plan *explore_bound(const struct plan *plan, struct arena *arena);
struct explore_time explore_time_of(const struct plan *plan);
void explore_codes_make(struct explore *explore);
/* The choices of data to explore for this plan. *left_out: further ones, over EXPLORE_DATA_MAX, that may
 * decide otherwise. */
const struct explore_data *explore_data_make(const struct plan *plan, struct arena *arena, uint32_t *count,
                                             uint32_t *left_out);

/* `level` becomes the state before the start. */
void explore_begin(struct explore *explore, struct explore_level *level);
/* Fills level->actions. */
void explore_list(struct explore *explore, struct explore_level *level);
/* `to` becomes `from` after the action; false when it cannot happen there or changes nothing. With `story`,
 * what happened is told there. Breaches are noted in explore. */
bool explore_apply(struct explore *explore, const struct explore_level *from,
                   const struct explore_action *action, struct explore_level *to, struct buf *story);
/* The oracle: a record, in the state after it. */
void explore_watch(struct explore *explore, struct explore_level *level, const struct core_record *record);
/* The oracle: a state at rest. */
void explore_rest(struct explore *explore, const struct explore_level *level);
uint64_t explore_print(const struct explore *explore, const struct explore_level *level);
/* Notes the first breach of a promise; further ones are left out. */
void explore_breach(struct explore *explore, const char *property, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Shortens the way to the breach and tells it. */
void explore_story(struct explore *explore, struct explore_level *const *levels, uint32_t count);

void explore_level_init(struct explore_level *level);
void explore_level_fini(struct explore_level *level);
/* The plan's side of an instance; NULL for what is no command. */
const struct plan_step *explore_step(const struct core_saga *saga, uint16_t step);
/* Whether an attempt may have taken effect, or did. */
bool explore_may_exist(const struct explore_fact *fact);
bool explore_is_sent(enum core_step_state state);
/* By what the oracle was told: whether what the step did is to be undone; whether nothing new is commanded
 * there. */
bool explore_is_back(const struct explore_level *level, uint16_t step);
bool explore_frame_is_back(const struct explore_level *level, uint16_t frame);
bool explore_is_halted(const struct explore_level *level, uint16_t step);
/* Whether the definition puts a before b, so that b is undone first. By the plan and the items' numbers
 * alone. */
bool explore_precedes(const struct core_saga *saga, uint16_t a, uint16_t b);

/* Whether everything is tried at the step; if not, only what is simple, and only in its turn. */
bool explore_is_free(const struct explore *explore, const struct explore_level *level, uint16_t step);
bool explore_is_frame_free(const struct explore *explore, const struct explore_level *level, uint16_t frame);
bool explore_is_turn(const struct explore_level *level, uint16_t step);
/* The frame of a block for which a part must be chosen before anything else happens, and how many it has;
 * 0: none. */
uint16_t explore_unfocused(const struct explore *explore, const struct explore_level *level, uint32_t *parts);
void explore_focus(struct explore_level *level, uint16_t frame, uint16_t part);
/* Forgets the choice for blocks in which nothing can happen until something begins there again. */
void explore_refocus(struct explore_level *level);
/* Of a step that is not free: nothing before it in its part is left to be undone. */
bool explore_is_last_undone(const struct explore_level *level, uint16_t step);
/* A block around it has more parts than may be under way at once: then what is sent there counts. */
bool explore_is_narrow(const struct explore_level *level, uint16_t step);
/* Another part beside the one in focus has failed. */
bool explore_has_failed_beside(const struct explore_level *level, uint16_t step);
/* Whether the compensation of a free step may still read $error; `later`: or that of one not opened yet. */
bool explore_is_error_read(const struct explore *explore, const struct explore_level *level);
bool explore_is_error_read_later(const struct explore *explore, const struct explore_level *level);
/* Nothing can happen to this step any more, and nothing that can still happen reads it: its state need not
 * tell states of the search apart. */
bool explore_is_spent(const struct explore *explore, const struct explore_level *level, uint16_t step);
