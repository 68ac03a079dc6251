/* The keys of each place of a file, from keys.def: what may stand there, and what an unknown one was probably
 * meant to be. Called by all that loads. Never reads a value. */
#include "engine/definition/keys.h"

#include "engine/base/check.h"
#include "engine/definition/problem.h"
#include "engine/definition/word.h"

static const struct keys_row rows[] = {
#define X(table, name, text, need, form, of, meaning)                                                        \
    {KEYS_TABLE_##table, WORD(text), KEYS_##need, KEYS_FORM_##form},
#include "engine/definition/keys.def"
#undef X
};
static const char *const table_words[] = {
#define X(name, words) words,
#include "engine/definition/tables.def"
#undef X
};
static const struct keys_synonym synonyms[] = {
#define X(table, text, hint) {KEYS_TABLE_##table, WORD(text), WORD(hint)},
#include "engine/definition/synonyms.def"
#undef X
};
enum { SYNONYM_COUNT = sizeof synonyms / sizeof synonyms[0] };
static const struct keys_grammar language = {rows, KEYS_COUNT, table_words, synonyms, SYNONYM_COUNT};
struct form {
    const char *words;
    unsigned kinds; /* a bit for each enum tree_kind */
};
static const struct form forms[] = {
#define FORM(kind) (1u << TREE_##kind)
#define X(name, words, kinds) {words, kinds},
#include "engine/definition/forms.def"
#undef X
};

static const enum keys_key word_keys[] = {
#define X(table, name, text, meaning) KEYS_##table##_##name,
#include "engine/definition/words.def"
#undef X
};
static const struct str words[] = {
#define X(table, name, text, meaning) WORD(text),
#include "engine/definition/words.def"
#undef X
};
enum { WORD_COUNT = sizeof words / sizeof words[0] };

const struct str *keys_words(enum keys_key key, int *count)
{
    int first = 0;
    while (first < WORD_COUNT && word_keys[first] != key)
        first++;
    for (*count = 0; first + *count < WORD_COUNT && word_keys[first + *count] == key;)
        (*count)++;
    return &words[first < WORD_COUNT ? first : 0];
}

struct str keys_text(enum keys_key key)
{
    check((unsigned)key < KEYS_COUNT);
    return rows[key].text;
}

static struct str known_keys(const struct keys_grammar *grammar, int table, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena);
    buf_puts(&text, "known here:");
    const char *comma = " ";
    for (int i = 0; i < grammar->row_count; i++) {
        if (grammar->rows[i].table != table)
            continue;
        buf_puts(&text, comma);
        buf_put(&text, grammar->rows[i].text);
        comma = ", ";
    }
    return buf_str(&text);
}

static struct str lead(const struct keys_grammar *grammar, int table, struct str text)
{
    for (int i = 0; i < grammar->synonym_count; i++)
        if (grammar->synonyms[i].table == table && str_equal(grammar->synonyms[i].text, text))
            return grammar->synonyms[i].hint;
    return STR("");
}

struct str keys_lead(enum keys_table table, struct str text)
{
    return lead(&language, (int)table, text);
}

static void report_unknown(const struct keys_grammar *grammar, const struct tree *entry, int table,
                           struct diag_list *diags)
{
    struct problem_guess guess = problem_guess_for(entry->key);
    for (int i = 0; i < grammar->row_count; i++) {
        if (grammar->rows[i].table == table)
            problem_guess_try(&guess, grammar->rows[i].text);
    }
    struct str hint = lead(grammar, table, entry->key);
    if (hint.size == 0)
        hint = problem_guess_hint(&guess, diags->arena, known_keys(grammar, table, diags->arena));
    problem_add(diags, entry->key_place, PROBLEM_UNKNOWN_KEY, hint, "unknown key \"%.*s\" in %s",
                STR_ARG(entry->key), grammar->table_words[table]);
}

static void report_form(const struct tree *entry, const struct keys_row *row, struct diag_list *diags)
{
    struct str hint = STR("");
    if (entry->kind == TREE_NUMBER && row->form == KEYS_FORM_DURATION)
        hint = arena_printf(diags->arena, "with a unit: %.*ss", STR_ARG(entry->text));
    else if (entry->style != 0)
        hint = STR("in quotes it is a text");
    struct diag_place place = entry->kind == TREE_NULL ? entry->key_place : entry->place;
    problem_add(diags, place, PROBLEM_WRONG_TYPE, hint, "`%.*s` takes %s, not %s", STR_ARG(row->text),
                forms[row->form].words, tree_kind_text(entry->kind));
}

static int find_row(const struct keys_grammar *grammar, int table, struct str text)
{
    for (int i = 0; i < grammar->row_count; i++) {
        if (grammar->rows[i].table == table && str_equal(grammar->rows[i].text, text))
            return i;
    }
    return grammar->row_count;
}

bool keys_has(enum keys_table table, struct str text)
{
    return find_row(&language, (int)table, text) < language.row_count;
}

static void report_missing(const struct keys_grammar *grammar, const struct tree *mapping, int table,
                           struct diag_list *diags)
{
    for (int i = 0; i < grammar->row_count; i++) {
        const struct keys_row *row = &grammar->rows[i];
        if (row->table == table && row->required && !tree_get(mapping, row->text))
            problem_add(diags, mapping->place, PROBLEM_MISSING_KEY, STR(""), "%s needs the key `%.*s`",
                        grammar->table_words[table], STR_ARG(row->text));
    }
}

void keys_read_by(const struct keys_grammar *grammar, const struct tree *mapping, int table,
                  struct diag_list *diags, const struct tree **of)
{
    for (int i = 0; i < grammar->row_count; i++)
        of[i] = NULL;
    if (mapping->kind == TREE_BROKEN)
        return;
    check(mapping->kind == TREE_MAPPING);
    for (const struct tree *entry = mapping->first; entry; entry = entry->next) {
        int key = find_row(grammar, table, entry->key);
        if (key == grammar->row_count)
            report_unknown(grammar, entry, table, diags);
        else if (forms[grammar->rows[key].form].kinds & (1u << entry->kind))
            of[key] = entry;
        else if (entry->kind != TREE_BROKEN)
            report_form(entry, &grammar->rows[key], diags);
    }
    report_missing(grammar, mapping, table, diags);
}

void keys_read(const struct tree *mapping, enum keys_table table, struct diag_list *diags,
               struct keys_values *values)
{
    keys_read_by(&language, mapping, (int)table, diags, values->of);
}
