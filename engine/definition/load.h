/* One definition while it is being loaded: what the parts of the loader share. Inside engine/definition only.
 *
 * Everything that stays lives in `arena` (the plan's); diagnostics have an arena of their own. One thread.
 * The order matters: schemas, ids and `errors` of earlier steps are known when a later step's expressions are
 * checked. */
#pragma once
#include "engine/base/limits.h"
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
    struct plan_retry retry;
    int64_t undo_timeout_us; /* 0: as the step's */
    struct plan_retry undo_retry;
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
    struct plan_node *nodes;   /* plan->nodes, still being written */
    struct plan_step *steps;   /* of nodes[i] at i */
    const struct tree **trees; /* where nodes[i] stands in the file */
    uint16_t pivot;            /* node index; 0 while there is none */
    bool has_blocks;           /* a block was refused: what it may have named is not reported as unknown */
};

/* ---- load_value.c: scalars. False when the value is wrong, which is reported. ---- */
bool load_duration(struct load *load, const struct tree *tree, int64_t *duration_us);
bool load_integer(struct load *load, const struct tree *tree, int64_t least, int64_t most, int64_t *number);
/* One of `count` words: its index. */
bool load_word(struct load *load, const struct tree *tree, const struct str *words, int count, int *index);
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
    LOAD_AT_DO,     /* a step's body */
    LOAD_AT_UNDO,   /* a compensation's body */
    LOAD_AT_OUTPUT, /* the saga's output */
};
struct load_scope {
    enum load_where where;
    uint16_t node; /* AT_DO, AT_UNDO: whose */
};
/* A YAML value with expressions in its texts. Never NULL: what is broken becomes null. */
const struct expr *load_program(struct load *load, const struct tree *tree, struct load_scope scope);

/* ---- load_refs.c ---- */
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
/* participant.action of `command`. */
bool load_command(struct load *load, const struct tree *command, enum plan_via via,
                  struct plan_action *action);
/* Fills action from a step's, a compensation's or a verification's keys; what they do not say stays. */
void load_action(struct load *load, const struct keys_values *values, struct load_action_keys keys,
                 bool unlimited_allowed, struct plan_action *action);

/* ---- load_steps.c, load_step.c ---- */
/* Nodes, ids and the pivot first, then each step. */
void load_steps(struct load *load, const struct tree *list);
void load_step(struct load *load, uint16_t node);
