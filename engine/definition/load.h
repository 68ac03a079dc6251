/* One definition while it is being loaded: what the parts of the loader share. Inside engine/definition only.
 *
 * Everything that stays lives in `arena` (the plan's); diagnostics have an arena of their own. One thread.
 * The order matters: schemas, ids and `errors` of earlier steps are known when a later step's expressions are
 * checked. */
#pragma once
#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "engine/definition/definition.h"
#include "engine/definition/keys.h"
#include "engine/definition/problem.h"
#include "engine/definition/tree.h"

struct load_file {
    struct str path;
    struct str text;
    const struct schema *schema; /* NULL: it has mistakes, which were reported */
};
struct load_defaults {
    int64_t timeout_us;
    int64_t start_within_us;
    struct plan_retry retry;
    int64_t undo_timeout_us; /* 0: as the step's */
    struct plan_retry undo_retry;
};
/* The await whose event $event is. */
struct load_event {
    uint16_t await;  /* 0: there is none */
    uint16_t within; /* a block nearer than that which may have waited for another; 0: none */
};
struct load {
    struct arena *arena;
    struct diag_list *diags;
    const struct definition_files *files;
    struct str yaml;
    struct load_file read_files[LIMITS_SCHEMA_FILES];
    uint32_t read_count;
    size_t read_bytes;
    struct load_defaults defaults;
    struct plan *plan;
    struct plan_node *nodes;   /* plan->nodes, still being written; moves while nodes are collected */
    const struct tree **trees; /* where nodes[i] stands in the file: a step's or block's mapping, a case */
    uint32_t node_room;
    struct map ids;                  /* of steps and blocks: to their nodes, once these are all there */
    struct load_event *events;       /* for a reader at nodes[i]; one more for the saga's output */
    struct diag_place timeout_place; /* of the saga's `timeout` */
    uint16_t pivot;                  /* node index; 0 while there is none */
    size_t bytes_before;             /* of the arena, when loading began */
    bool is_large;                   /* that it takes more than LIMITS_PLAN_BYTES was told */
    bool is_incomplete; /* a part could not be read: what it may have named is not reported as unknown */
};

/* ---- load_value.c: scalars. False when the value is wrong, which is reported. ---- */
bool load_duration(struct load *load, const struct tree *tree, int64_t *duration_us);
bool load_integer(struct load *load, const struct tree *tree, int64_t least, int64_t most, int64_t *number);
/* One of the words that `key` takes: its index among them. */
bool load_word(struct load *load, const struct tree *tree, enum keys_key key, int *index);
/* Letters, digits, "_", "-" and ".". */
bool load_is_error_code(struct str text);
void load_refuse_error_code(struct load *load, struct str text, struct diag_place place);
/* Letters, digits and one separator, at most LIMITS_NAME_BYTES, beginning with a lower-case letter. */
bool load_is_name(struct str text, char separator);
bool load_name(struct load *load, struct str text, struct diag_place place, char separator, const char *what);

/* ---- load_retry.c ---- */
struct plan_retry load_retry_of_step(void);
struct plan_retry load_retry_of_undo(void);
/* What `tree` (may be NULL) says replaces what stands in *retry. */
void load_retry(struct load *load, const struct tree *tree, bool unlimited_allowed, struct plan_retry *retry);

/* ---- load_program.c: expressions and what they refer to. ---- */
enum load_where {
    LOAD_AT_START,  /* key, search: only $input */
    LOAD_AT_DO,     /* whatever a step or block computes going forward */
    LOAD_AT_UNDO,   /* a compensation's body */
    LOAD_AT_OUTPUT, /* the saga's output */
};
struct load_scope {
    enum load_where where;
    uint16_t node; /* AT_DO, AT_UNDO: whose */
};
/* A YAML value with expressions in its texts. Never NULL: what is broken becomes null. */
const struct expr *load_program(struct load *load, const struct tree *tree, struct load_scope scope);
/* `when`, `in`, `until`: an expression with or without braces, or true or false. Never NULL. */
const struct expr *load_condition(struct load *load, const struct tree *tree, struct load_scope scope);

/* ---- load_text.c ---- */
/* Warns of what stays text in a value that was compiled, but reads like an expression. */
void load_text(struct load *load, const struct tree *tree, struct load_scope scope);

/* ---- load_refs.c ---- */
/* The foreach around the reader that has this name for its item; an empty name: the nearest; 0: none. */
uint16_t load_refs_loop(const struct load *load, struct load_scope scope, struct str name);
/* Checks each reference of a program and sets its slot. */
void load_refs(struct load *load, const struct expr *program, struct load_scope scope);

/* ---- load_schema.c ---- */
/* `schema:` as a file's path or inline. NULL when it is wrong, which is reported. */
const struct schema *load_schema(struct load *load, const struct tree *tree);
/* Canonical JSON of the text and the files read, in order of path. */
struct str load_bundle(struct load *load, struct str yaml);

/* ---- load_action.c ---- */
struct load_action_keys {
    enum keys_key command, via, timeout, retry;
};
/* Lower-case letters, digits, "_" and "-", as a stream's subject and a consumer's name can hold them. */
bool load_is_command_token(struct str token);
/* participant.action of `command`. */
bool load_command(struct load *load, const struct tree *command, enum plan_via via,
                  struct plan_action *action);
/* Fills action from a step's, a compensation's or a verification's keys; what they do not say stays. */
void load_action(struct load *load, const struct keys_values *values, struct load_action_keys keys,
                 bool unlimited_allowed, struct plan_action *action);

/* ---- load_path.c: which node has run when another one needs it ---- */
enum load_order {
    LOAD_ORDER_BEFORE,     /* it had its turn */
    LOAD_ORDER_SELF,       /* it is the node itself */
    LOAD_ORDER_LATER,      /* it has not */
    LOAD_ORDER_BESIDE,     /* in another branch of the same parallel */
    LOAD_ORDER_OTHER_CASE, /* in another case of the same switch */
};
struct load_path {
    enum load_order order;
    uint16_t fan;     /* the parallel or switch of BESIDE and OTHER_CASE */
    uint16_t loops;   /* foreach blocks around it that are not around the reader */
    uint16_t loop;    /* the outermost of them */
    uint16_t skipped; /* the outermost switch or scope around all of these that may have left it out; 0: none
                       */
};
/* From the reader to the node it reads. */
struct load_path load_path_to(const struct load *load, struct load_scope reader, uint16_t node);
/* Fills load->events, once all nodes are there. */
void load_path_events(struct load *load);
/* What $event is for a reader, not at the start. */
struct load_event load_path_event(const struct load *load, struct load_scope reader);
/* The index of the first node behind a block and all in it. */
uint16_t load_path_end(const struct load *load, uint16_t node);

/* ---- load_nodes.c: what there is, before any of it is read: kinds, ids, order, the pivot. ---- */
void load_nodes(struct load *load, const struct tree *list);

/* ---- load_checks.c, load_names.c: what only the whole file shows. It has no error yet. ---- */
void load_checks(struct load *load);
void load_names(struct load *load);

/* ---- load_steps.c, load_step.c, load_block.c ---- */
void load_steps(struct load *load, const struct tree *list);
void load_step(struct load *load, uint16_t node);
/* The rules of a step, or of a child saga. */
void load_errors(struct load *load, const struct tree *tree, bool child, struct plan_step *step);
/* Any node but a step and a sequence. */
void load_block(struct load *load, uint16_t node);
