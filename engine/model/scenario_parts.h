/* A scenario as it was read: what the parts of scenario.h share. Inside engine/model only. */
#pragma once
#include "engine/definition/problem.h"
#include "engine/definition/tree.h"
#include "engine/model/play.h"
#include "engine/model/scenario.h"

/* A command as people name it: "charge", "charge/undo", "book[3]/do/2". */
struct scenario_name {
    struct str text; /* as written */
    struct str path;
    const struct plan_node *node;
    bool has_kind;
    enum core_kind kind;
    uint32_t attempt; /* 0: any */
};
struct scenario_reply {
    bool silent;
    enum core_reply_status status;
    const struct json *body; /* NULL: not said */
    struct str code;
    struct str message;
    int64_t after_us;
    int64_t retry_after_us;
    uint32_t times;
    bool dead;
    const struct scenario_reply *then; /* to the same command */
    const struct scenario_reply *next; /* to the attempt after it; NULL: this one again */
};
/* What a command, or all of its attempts, are answered. */
struct scenario_answer {
    struct scenario_name name;
    const struct scenario_reply *replies;
    const struct scenario_answer *next;
};
struct scenario_expect;
struct scenario_event {
    struct core_event event;
    struct diag_place place;
    bool is_on;
    struct scenario_name on;
    int64_t after_us; /* from the start, or from `on` */
    bool refused;
    const struct scenario_expect *expect; /* what must be so then; NULL: it is an event */
    const struct scenario_event *next;
};
/* A command that is expected, or a step that was undone. Those of one group come in any order. */
struct scenario_command {
    struct scenario_name name;
    const struct json *with;    /* part of it; NULL: not looked at */
    const struct json *exactly; /* all of it */
    uint32_t group;
    const struct scenario_command *next;
};
struct scenario_state {
    struct str path;
    enum core_step_state state;
    const struct scenario_state *next;
};
struct scenario_expect {
    enum core_status status;
    bool has_reason, has_step, has_undone, has_commands, has_span;
    struct str reason;
    struct str step;
    const struct json *output;
    const struct json *output_exactly;
    const struct scenario_command *undone;
    const struct scenario_command *commands;
    const struct scenario_command *includes;
    const struct scenario_command *never;
    const struct scenario_state *states;
    int64_t least_us;
    int64_t most_us;
};
struct scenario {
    struct str name;
    struct diag_place place;
    const struct json *input; /* NULL: made from the schema */
    uint64_t seed;
    int64_t starts_us;
    const struct scenario_answer *answers;
    const struct scenario_answer *common; /* of `defaults` */
    const struct scenario_event *events;
    struct scenario_expect expect;
    const struct scenario *next;
};

/* ---- keys ---- */
enum scenario_table {
#define X(name, words) SCENARIO_TABLE_##name,
#include "engine/model/scenario_tables.def"
#undef X
};
enum scenario_key {
#define X(table, name, text, need, form, meaning) SCENARIO_##table##_##name,
#include "engine/model/scenario_keys.def"
#undef X
    SCENARIO_KEY_COUNT
};
struct scenario_values {
    const struct tree *of[SCENARIO_KEY_COUNT];
};
/* A file while it is being read. */
struct scenario_reader {
    struct arena *arena;
    struct diag_list *diags;
    const struct plan *plan; /* NULL: the definition is wrong; names are not looked up then */
};

/* ---- scenario_value.c. False when it is wrong, which is reported. ---- */
bool scenario_keys_of(struct scenario_reader *reader, const struct tree *tree, enum scenario_table table,
                      struct scenario_values *values);
bool scenario_span(struct scenario_reader *reader, const struct tree *tree, int64_t *span_us);
bool scenario_integer(struct scenario_reader *reader, const struct tree *tree, int64_t least, int64_t most,
                      int64_t *number);
/* One of the words that end with an empty one: its index. `given` is what stands in `tree`, or a part of it.
 */
bool scenario_word(struct scenario_reader *reader, const struct tree *tree, struct str given,
                   const struct str *words, int *index);
bool scenario_name(struct scenario_reader *reader, struct str text, struct diag_place place,
                   struct scenario_name *name);
/* The same for a step alone: "charge", "book[3]". */
bool scenario_step(struct scenario_reader *reader, struct str text, struct diag_place place);
const struct json *scenario_json(struct scenario_reader *reader, const struct tree *tree);

/* ---- scenario_reply.c, scenario_event.c, scenario_claim.c ---- */
const struct scenario_answer *scenario_answers(struct scenario_reader *reader, const struct tree *mapping);
const struct scenario_event *scenario_events(struct scenario_reader *reader, const struct tree *list);
void scenario_expectation(struct scenario_reader *reader, const struct tree *mapping,
                          struct scenario_expect *expect);

/* ---- scenario_judge.c ---- */
struct scenario_judge {
    const struct scenario_expect *expect;
    struct str moment; /* when; "": at the end */
    const struct play *play;
    struct arena *arena;
    struct scenario_result *result;
};
void scenario_fail(struct scenario_judge *judge, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Holds what happened against what was expected. */
void scenario_judge(struct scenario_judge *judge);
/* Whether a command is the one that is named. */
bool scenario_names(const struct scenario_name *name, const struct play_command *command);
