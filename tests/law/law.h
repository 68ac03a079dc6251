/* The law of this project as a program: `law ROOT [BUILD]` reads every source file below ROOT, and the
 * libraries below BUILD, and prints each finding as "file:line: what: how to mend it [rule]". Ends with "N
 * passed, N failed" counted in rules; status 1 with findings.
 *
 * Each rule stands in law.def with the reason for it, and each has a bad sample under bad/ that it must find.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "engine/base/arena.h"
#include "engine/base/str.h"

enum law_rule {
#define X(NAME, name, reason) LAW_##NAME,
#include "tests/law/law.def"
#undef X
    LAW_RULE_COUNT
};

/* One file of the tree. In `code` comments and the insides of literals are blanks, in `strings` all else is;
 * both have the size of `text`, so that a position means the same line in each. */
struct law_source {
    struct str path; /* from the root: engine/base/arena.c */
    struct str text;
    struct str code;
    struct str strings;
};
struct law {
    struct arena arena;
    const char *root;
    const char *build; /* NULL: no libraries to look at */
    struct law_source *sources;
    size_t count;
    size_t room;
    size_t found[LAW_RULE_COUNT];
};

/* Reads the tree. Stops the program when a file cannot be read. */
void law_load(struct law *law, const char *root, const char *build);
void law_find(struct law *law, enum law_rule rule, struct str path, size_t line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The line of a position, from 1. */
size_t law_line(struct str text, size_t position);
bool law_is_c(const struct law_source *source);    /* .c or .h */
bool law_is_unit(const struct law_source *source); /* .c */
const struct law_source *law_source_at(const struct law *law, struct str path);

/* rules_text.c: what one file says. */
void rules_text_check(struct law *law, const struct law_source *source);
/* rules_words.c: what a file says of itself. */
void rules_words_check(struct law *law, const struct law_source *source);
/* rules_references.c: what is cited and not there. */
void rules_references_check(struct law *law, const struct law_source *source);
/* rules_edges.c: which file may use which. */
void rules_edges_check(struct law *law, const struct law_source *source);
/* rules_tree.c: the tree as a whole. */
void rules_tree_check(struct law *law);
/* rules_symbols.c: what the libraries export and need. */
void rules_symbols_check(struct law *law);
