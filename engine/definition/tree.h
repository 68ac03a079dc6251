/* YAML text as a tree with places: what the checks of a definition walk. For this layer, and for the
 * other files authors write (engine/model).
 *
 * Reads libyaml's events and refuses what the language does not have (anchors, aliases, tags, merge keys,
 * more than one document, tabs, duplicate keys). Types follow YAML 1.2's core schema for what is written
 * plainly; numbers keep their text and must be written as JSON writes them. Everything is in the caller's
 * arena; one thread. Failure modes: each mistake is a diagnostic; a value that cannot be understood becomes
 * TREE_BROKEN, on which nobody reports again. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/diag.h"
#include "engine/base/json.h"

enum tree_kind { TREE_NULL, TREE_BOOL, TREE_NUMBER, TREE_STRING, TREE_SEQUENCE, TREE_MAPPING, TREE_BROKEN };

struct tree {
    enum tree_kind kind;
    bool boolean;
    struct diag_place place;  /* a scalar: all of its first line; else where it begins */
    struct diag_place inside; /* where a scalar's text begins: behind a quote, in the line below a `|` */
    uint32_t inside_at;       /* the same as an offset in the source */
    char style;               /* of a scalar: 0 plain, '"', '\'', '|' or '>' */
    struct str text;          /* scalars: as a string; a number's text */
    uint32_t count;           /* of items or entries */
    uint32_t depth;           /* levels of sequences and mappings: 0 for a scalar */
    struct tree *first;       /* items, or the entries' values, in order */
    struct tree *last;
    struct tree *next;
    struct str key; /* an entry's: its key */
    struct diag_place key_place;
};

/* The root, or NULL when the text cannot be read to its end. There may be errors in either case. */
const struct tree *tree_read(struct arena *arena, struct str text, struct diag_list *diags);
/* Bytes that may not stand in a definition are reported; false when reading on makes no sense. */
bool tree_check_text(struct str text, struct diag_list *diags);
/* The entry's value, or NULL. */
const struct tree *tree_get(const struct tree *mapping, struct str key);
/* Where a place in a scalar's text, counted from tree->inside, is in the source: escapes and indentation
 * counted in. The scalar's begin when it cannot be told (text folded over several lines). */
struct diag_place tree_place(const struct tree *scalar, struct str source, struct diag_place place);
/* The plain value it is. Borrows texts. depth must be at most LIMITS_JSON_DEPTH; broken parts are null. */
const struct json *tree_json(struct arena *arena, const struct tree *tree);
/* "a mapping", "a number", … for messages. */
const char *tree_kind_text(enum tree_kind kind);
