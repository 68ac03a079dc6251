/* What the parts of the checker share. Everything lives in the arena of one checker_run. */
#pragma once
#include "engine/base/map.h"
#include "tests/integration/checker.h"

enum { CHECKER_STEPS = 3, CHECKER_KINDS = 3 };
enum checker_kind { CHECKER_DO, CHECKER_VERIFY, CHECKER_UNDO, CHECKER_NO_KIND };

/* What the definitions of this folder say, in the words of the rules. */
struct checker_step {
    const char *participant;
    int64_t attempts[CHECKER_KINDS]; /* 0: there is no such command */
    bool logged;                     /* its participant is one of the shop, which keeps a log */
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
/* A step as the journal tells it, after the record at hand. */
struct checker_view {
    bool opened;
    bool succeeded;
    bool forced; /* an operator declared its outcome */
    struct str state;
    int64_t sent[CHECKER_KINDS];
    int64_t grants[CHECKER_KINDS]; /* fresh budgets: operators' retries, and late successes */
    int64_t due_us;
    bool late;          /* it came to be done while the saga went back */
    uint32_t successes; /* times it came to be done, or in doubt, with something to undo */
    uint32_t undone;
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
    struct map sagas;   /* id -> facts_saga */
    struct map sends;   /* command id -> checker_send */
    struct map replies; /* "<command> <status>" -> any: was said, by a log */
    struct map cited;   /* "<command> <status>" -> any: stands in the journal */
    struct map keys;    /* Saga-Key -> checker_key */
    struct map dead;    /* Nats-Msg-Id -> any */
};
/* One saga on its way through its journal. */
struct checker_walk {
    struct checker *checker;
    const struct facts_saga *saga;
    const struct checker_plan *plan;
    const struct json *input;
    struct checker_view views[CHECKER_STEPS];
    struct str status;
    bool back;
    bool ended;
    const struct facts_record *record; /* at hand */
};

void checker_problem(struct checker *checker, const char *rule, struct str about, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
const struct checker_plan *checker_plan(struct str definition);
/* 0, 1, 2 for a, b, c; CHECKER_STEPS for anything else. */
unsigned checker_step(struct str id);
enum checker_kind checker_kind(struct str text);
/* The text is kept. */
struct str checker_text(struct checker *checker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fills sends, cited; the rules that one journal can show. */
void checker_journal(struct checker *checker, const struct facts_saga *saga, struct checker_walk *walk);
/* The rules at the end of a journal: the stored row, and the participants' effects. */
void checker_end(struct checker_walk *walk);
/* Fills replies and keys; then the rules about what participants saw. */
void checker_read_lines(struct checker *checker);
void checker_lines(struct checker *checker);
/* What the client was told. */
void checker_client(struct checker *checker);
