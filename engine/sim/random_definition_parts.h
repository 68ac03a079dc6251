/* What the files of random_definition share. Not for others.
 *
 * A writer goes through the file once, from top to bottom, and knows at each place what an expression may
 * name: outputs that are there on every path, those that may be missing (they are read with `//`), those that
 * read as a list, because their loop has ended, and those of a branch beside this one, which it may not name.
 */
#pragma once
#include "engine/base/buf.h"
#include "engine/sim/random_definition.h"

enum { RANDOM_DEFINITION_LOOPS = 8 };
struct random_definition_known {
    char id[8];
    bool certain; /* there on every path that leads here */
    bool fields;  /* has a schema with v, w and list */
    int hidden;   /* in this many finished branches beside us */
    int lists;    /* finished loops around it */
};
struct random_definition_writer {
    const struct random_definition *wanted;
    struct rng rng;
    struct buf out;
    int indent;
    int depth, depth_max;
    uint32_t leaves; /* still to be written */
    uint32_t ids;    /* so far; also numbers what has no leaf */
    struct random_definition_known known[RANDOM_DEFINITION_LEAVES];
    uint32_t known_count;
    char loops[RANDOM_DEFINITION_LOOPS][12]; /* names of the items at hand */
    uint32_t loop_count;
    uint32_t items; /* of all loops around, multiplied */
    uint32_t wide;  /* items under way at once, multiplied */
    bool event;     /* an await stands before, in this very list or around it */
    bool scope;     /* inside a scope */
    bool pivoted;   /* behind the pivot */
    bool input;     /* the input has a schema */
};
/* Where an expression stands. */
enum random_definition_place {
    RANDOM_DEFINITION_AT_DO,
    RANDOM_DEFINITION_AT_UNDO, /* also $error, and the output of the step `own` */
};

uint32_t random_definition_choose(struct random_definition_writer *writer, uint32_t bound);
bool random_definition_chance(struct random_definition_writer *writer, uint32_t percent);
/* A line of the file with its indentation. */
void random_definition_line(struct random_definition_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Remembers an output. */
void random_definition_learn(struct random_definition_writer *writer, const char *id, bool certain,
                             bool fields);

/* random_definition_value.c: texts in the writer's arena. */
/* A scalar of YAML, in quotes, mostly with expressions. `own` may be NULL. */
struct str random_definition_value(struct random_definition_writer *writer,
                                   enum random_definition_place place, const char *own);
/* A mapping or a list of such, in one line. */
struct str random_definition_body(struct random_definition_writer *writer, enum random_definition_place place,
                                  const char *own);
/* In quotes. */
struct str random_definition_condition(struct random_definition_writer *writer);
struct str random_definition_list(struct random_definition_writer *writer, uint32_t items_max);
struct str random_definition_time(struct random_definition_writer *writer);
/* A schema of objects with v, w and list, in one line. */
struct str random_definition_schema(struct random_definition_writer *writer);

/* random_definition_step.c */
void random_definition_step(struct random_definition_writer *writer, bool pivot);
void random_definition_retry(struct random_definition_writer *writer, uint32_t attempts_most, bool unlimited);
