/* The plan: a definition after loading, immutable, a tree of nodes in one arena, shared by all threads
 * without locks.
 *
 * Nodes stand in an array in the order of the file (preorder): node 0 is the root sequence. A sequence holds
 * leaves (step, await, wait, saga, fail) and blocks; a block (switch, parallel, foreach, scope) holds
 * sequences only: a switch one per case, a parallel one per branch, a foreach and a scope exactly one. What a
 * step does not say itself has been filled in from `defaults` and the language's own defaults, so that the
 * core never looks anywhere else. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/diag.h"
#include "engine/base/json.h"
#include "engine/base/str.h"
#include "engine/expr/expr.h"

struct schema;

enum plan_kind {
    PLAN_SEQUENCE,
    PLAN_STEP,
    PLAN_SWITCH,
    PLAN_PARALLEL,
    PLAN_FOREACH,
    PLAN_AWAIT,
    PLAN_WAIT,
    PLAN_SAGA, /* a child saga: to the core a step whose participant is the engine itself */
    PLAN_SCOPE,
    PLAN_FAIL
};
enum plan_jitter { PLAN_JITTER_FULL, PLAN_JITTER_EQUAL, PLAN_JITTER_NONE };
/* What an exhausted time-out leads to. RETRY (the default): verify when declared, else in doubt and
 * compensate. VERIFY: ask. COMPENSATE: in doubt and compensate without asking. PARK: wait for a human.
 * Attempts are retried with the same key first, in all four. */
enum plan_on_timeout {
    PLAN_ON_TIMEOUT_RETRY,
    PLAN_ON_TIMEOUT_VERIFY,
    PLAN_ON_TIMEOUT_COMPENSATE,
    PLAN_ON_TIMEOUT_PARK
};
/* What a rejection with a named code does. FAIL: the step failed. RETRY: as a reply `retry`. PARK: a human
 * decides. CONTINUE: go on, output null. */
enum plan_on_error { PLAN_ON_ERROR_FAIL, PLAN_ON_ERROR_RETRY, PLAN_ON_ERROR_PARK, PLAN_ON_ERROR_CONTINUE };
enum plan_via { PLAN_VIA_STREAM, PLAN_VIA_REQUEST };

struct plan_retry {
    uint32_t attempts_max; /* from 1; `unlimited` is LIMITS_ATTEMPTS_MAX */
    uint32_t factor_milli; /* 2 is 2000; at least 1000 */
    int64_t initial_us;
    int64_t interval_max_us;
    int64_t elapsed_max_us; /* since the first attempt; 0: no bound */
    enum plan_jitter jitter;
};
struct plan_action {
    struct str participant; /* "payments" */
    struct str action;      /* "charge"; with via request it may hold dots */
    struct str command;     /* "payments.charge", as written; with via request the NATS subject */
    enum plan_via via;
    const struct expr *with; /* the body; NULL: an empty object */
    int64_t timeout_us;      /* of one attempt */
    struct plan_retry retry;
};
/* The rule for every code that has none of its own. */
#define PLAN_ANY_CODE "*"
struct plan_error_rule {
    struct str code;
    enum plan_on_error then;
};
struct plan_step {
    struct plan_action run;
    bool has_undo; /* false: `compensate: none`, or a step after the pivot */
    struct plan_action undo;
    bool has_verify;
    struct plan_action verify; /* its `with` is the step's own */
    int64_t start_within_us; /* a command of it may wait so long until it is delivered; of the stream only */
    enum plan_on_timeout on_timeout;
    const struct plan_error_rule *errors;
    uint32_t error_count;
    const struct schema *output_schema; /* NULL: anything */
    bool pivot;
};
/* `when` of each case, in the order of the children; NULL: `else`, the last one. */
struct plan_switch {
    const struct expr *const *when;
};
/* parallel and foreach. */
struct plan_fan {
    uint32_t concurrency_max; /* branches or items under way at once, going forward and being undone */
    bool cancels;             /* on_failure: cancel; false: wait, siblings under way finish first */
    const struct expr *in;    /* foreach only, from here on: gives the array */
    struct str as;            /* "parcel" */
    uint32_t items_max;
};
enum plan_await_timeout { PLAN_AWAIT_CONTINUE, PLAN_AWAIT_FAIL, PLAN_AWAIT_PARK };
struct plan_await {
    struct str event; /* "delivery.signed" */
    int64_t timeout_us;
    enum plan_await_timeout on_timeout;
    const struct schema *schema; /* of the signal's body; NULL: anything */
};
/* One of the two. */
struct plan_wait {
    int64_t for_us;
    const struct expr *until; /* an RFC 3339 time; one that has passed ends the wait at once */
};
struct plan_saga {
    struct str name;
    int32_t version; /* 0: the newest enabled one when the child starts */
};
struct plan_fail {
    struct str code;
    const struct expr *message; /* NULL: none */
    const struct expr *when;    /* NULL: always */
};
struct plan_node {
    enum plan_kind kind;
    uint16_t index;       /* in plan->nodes */
    uint16_t parent;      /* the root is its own parent */
    uint16_t order;       /* position among its siblings, from 0 */
    uint16_t child_count; /* sequences and blocks */
    const uint16_t *children;
    uint16_t loop;    /* the nearest foreach around it; 0: none. A foreach is not around itself */
    uint16_t scope;   /* the nearest scope around it; 0: none, the whole saga. A scope is not around itself */
    bool after_pivot; /* there is no way back from here: it stands behind the pivot and in no scope */
    /* Unique in the file. Written by the author, or made ("switch:1", "fail:2": the kind, and the how
     * manieth of its kind in the file it is). A sequence: the branch's name within a parallel, else "". */
    struct str id;
    struct diag_place place;
    const struct plan_step *step;     /* STEP; SAGA: run and undo with the participant PLAN_ENGINE */
    const struct plan_switch *choice; /* SWITCH */
    const struct plan_fan *fan;       /* PARALLEL, FOREACH */
    const struct plan_await *await;   /* AWAIT */
    const struct plan_wait *wait;     /* WAIT */
    const struct plan_saga *saga;     /* SAGA */
    const struct plan_fail *fail;     /* FAIL */
};
/* Who answers for child sagas: no participant may have this name. */
#define PLAN_ENGINE "sagad"
struct plan_search {
    struct str name;
    const struct expr *value;
};
struct plan {
    struct str name;
    int32_t version;
    char hash[65]; /* SHA-256 of the bundle, lower-case hex */
    struct str description;
    struct str bundle; /* canonical JSON {"yaml": text, "files": {path: text}}: what the store keeps and loads
                          again */
    const struct schema *input_schema; /* NULL: anything */
    int64_t timeout_us;                /* of the whole saga; 0: none */
    const struct expr *key;            /* NULL: none declared */
    const struct plan_search *search;
    uint32_t search_count;
    const struct expr *output;     /* NULL: none */
    bool completes_without_output; /* on_output_failure: complete; false: an output that cannot be computed
                                      parks it */
    const struct plan_node *nodes;
    uint16_t node_count;
    uint16_t step_count;            /* nodes of kind STEP */
    uint32_t commands_max;          /* under way at once, at most */
    const struct str *participants; /* distinct, of steps carried by the stream, sorted */
    uint32_t participant_count;
};

/* The node with this id (sequences have none), or NULL. */
const struct plan_node *plan_find(const struct plan *plan, struct str id);
/* "full", "retry", "stream", …: the words of the language. */
/* The rule for this code: its own, or else the one for any; NULL: there is none. */
const struct plan_error_rule *plan_error_rule_for(const struct plan_step *step, struct str code);
struct str plan_on_timeout_text(enum plan_on_timeout value);
struct str plan_on_error_text(enum plan_on_error value);
struct str plan_await_timeout_text(enum plan_await_timeout value);
/* "step", "switch", "parallel", …: the key it has in a file; "sequence". */
struct str plan_kind_text(enum plan_kind kind);
/* What an event name of this plan's awaits must look like: the first await node for it, or NULL. */
const struct plan_node *plan_find_await(const struct plan *plan, struct str event);
