/* What the parts of the checker share. Everything lives in the arena of one checker_run. */
#pragma once
#include "engine/base/map.h"
#include "tests/integration/checker.h"

enum { CHECKER_STEPS = 8, CHECKER_KINDS = 3, CHECKER_VIEWS = 64, CHECKER_SIGNALS = 256 };
enum checker_kind { CHECKER_DO, CHECKER_VERIFY, CHECKER_UNDO, CHECKER_NO_KIND };

/* What the definitions of this folder say, in the words of the rules. Steps bear the letters a, b, c, …; what
 * is no command (an await, a wait, a fail, a switch that fails) is a step without attempts. */
struct checker_step {
    const char *participant;         /* NULL: the plan has no such step */
    int64_t attempts[CHECKER_KINDS]; /* 0: there is no such command */
    bool logged;                     /* its participant is one of the shop, which keeps a log */
    unsigned before;                 /* bits of the steps that must be settled before it begins */
    bool maybe;                      /* not on every path */
    bool scoped;                     /* may be undone while the saga goes on */
    bool item;                       /* of a foreach over $input.items, where its "how" stands */
};
struct checker_plan {
    const char *name;
    struct checker_step steps[CHECKER_STEPS];
};

/* A command as the journal has it. */
struct checker_send {
    struct str command;
    struct str to;
    struct str body;
    bool received;
};
/* A step, or an item's, as the journal tells it, after the record at hand. */
struct checker_view {
    struct str path; /* "c", "b[2]" */
    unsigned step;
    int item; /* -1: of none */
    bool opened;
    bool succeeded;
    bool forced; /* an operator declared its outcome */
    struct str state;
    int64_t sent[CHECKER_KINDS];
    int64_t grants[CHECKER_KINDS]; /* fresh budgets: operators' retries, and late successes */
    int64_t due_us;
    bool late;          /* it came to be done after it had been given up, or while the saga went back */
    uint32_t successes; /* times it came to be done, or in doubt, with something to undo */
    uint32_t undone;
    bool awaited;   /* it waited for an event */
    uint32_t taken; /* events */
};
/* A key as the participants' logs have it. */
struct checker_key {
    int64_t done_at_us; /* 0: never */
    int64_t undone_at_us;
    uint32_t do_effects;
    uint32_t undo_effects;
    bool said_ok; /* to a do */
};
struct checker {
    const struct facts *facts;
    struct arena arena;
    struct buf *report;
    uint32_t problems;
    struct map sagas;           /* id -> facts_saga */
    struct map sends;           /* command id -> checker_send */
    struct map replies;         /* "<command> <status>" -> any: was said, by a log */
    struct map cited;           /* "<command> <status>" -> any: stands in the journal */
    struct map keys;            /* Saga-Key -> checker_key */
    struct map dead;            /* Nats-Msg-Id -> any */
    struct map children;        /* "<parent> <step>" -> the checker_walk of its child */
    struct map named;           /* "<definition> <key>" -> facts_saga */
    struct checker_walk *walks; /* of facts->sagas */
};
/* One saga on its way through its journal. */
struct checker_walk {
    struct checker *checker;
    const struct facts_saga *saga;
    const struct checker_plan *plan;
    const struct json *input;
    struct checker_view *views;
    uint32_t view_count;
    struct str status;
    bool back;
    bool ended;
    const struct facts_record *record; /* at hand */
    bool taken[CHECKER_SIGNALS];       /* by an await */
    uint32_t kept;                     /* events */
    struct str parent_step;            /* of a child saga */
    bool again;                        /* its parent's step has had another child, too */
};

void checker_problem(struct checker *checker, const char *rule, struct str about, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
const struct checker_plan *checker_plan(struct str definition);
/* The step's view, made when it is new; NULL when the plan has no such step. */
struct checker_view *checker_view(struct checker_walk *walk, struct str path);
const struct checker_step *checker_step(const struct checker_walk *walk, const struct checker_view *view);
/* Whether the first must be settled before the second begins, and is undone after it. */
bool checker_before(const struct checker_walk *walk, const struct checker_view *first,
                    const struct checker_view *second);
enum checker_kind checker_kind(struct str text);
/* The text is kept. */
struct str checker_text(struct checker *checker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fills sends, cited; the rules that one journal can show. */
void checker_journal(struct checker *checker, const struct facts_saga *saga, struct checker_walk *walk);
/* The rules about a child saga and the step that it is; what was done and undone in which order by the
 * participants' clocks, which are one. */
void checker_family(struct checker_walk *walk);
/* What the participants' logs know of the step. */
const struct checker_key *checker_key_of(struct checker_walk *walk, const struct checker_view *view);
/* The rules at the end of a journal: the stored row, and the participants' effects. */
void checker_end(struct checker_walk *walk);
/* Fills replies and keys; then the rules about what participants saw. */
void checker_read_lines(struct checker *checker);
void checker_lines(struct checker *checker);
/* What the client was told. */
void checker_client(struct checker *checker);
