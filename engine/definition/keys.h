/* The keys of each mapping as one table (keys.def), and reading a mapping by it: unknown keys, missing keys
 * and values of the wrong form are found here, for all keys alike. Other files that authors write
 * (engine/model) bring tables of their own: keys_read_by.
 *
 * Whoever wants the language in another form (an editor's schema, a manual) makes it from the same four
 * tables: tables.def (mappings), keys.def (their keys, whether they must be there, the form of the value, and
 * OF, the table of what stands below), forms.def (which kinds of value a form is), words.def (the words a key
 * takes; all of them, when its form is WORD). The expansions below, and keys_words(), are examples. */
#pragma once
#include "engine/definition/tree.h"

enum keys_table {
#define X(name, words) KEYS_TABLE_##name,
#include "engine/definition/tables.def"
#undef X
    KEYS_TABLE_COUNT
};
enum keys_form {
#define X(name, words, kinds) KEYS_FORM_##name,
#include "engine/definition/forms.def"
#undef X
    KEYS_FORM_COUNT
};
enum keys_key {
#define X(table, name, text, need, form, of, meaning) KEYS_##table##_##name,
#include "engine/definition/keys.def"
#undef X
    KEYS_COUNT
};

/* Tables of keys: those of a definition, or another kind of file's. */
struct keys_row {
    int table;
    struct str text;
    bool required;
    enum keys_form form;
};
/* A word of other tools that is none here, and a sentence that leads to the right one. */
struct keys_synonym {
    int table;
    struct str text;
    struct str hint;
};
struct keys_grammar {
    const struct keys_row *rows;
    int row_count;
    const char *const *table_words; /* "a step" */
    const struct keys_synonym *synonyms;
    int synonym_count;
};
/* For the X lines of a grammar's rows. */
#define KEYS_OPTIONAL false
#define KEYS_REQUIRED true

/* What stands under each key of one mapping; NULL when absent or not usable. */
struct keys_values {
    const struct tree *of[KEYS_COUNT];
};

/* Reads a mapping (or a broken value: then all are NULL and nothing is reported). */
void keys_read(const struct tree *mapping, enum keys_table table, struct diag_list *diags,
               struct keys_values *values);
/* The same by another grammar: `of` has an element for each of its rows. */
void keys_read_by(const struct keys_grammar *grammar, const struct tree *mapping, int table,
                  struct diag_list *diags, const struct tree **of);
bool keys_has(enum keys_table table, struct str text);
/* Where a word of other tools leads (synonyms.def); "" when it is not known. */
struct str keys_lead(enum keys_table table, struct str text);
/* "timeout". */
struct str keys_text(enum keys_key key);
/* The words it takes, in the order of words.def; none, when it takes no words. */
const struct str *keys_words(enum keys_key key, int *count);
