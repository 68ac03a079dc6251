/* The tables of the demo participants: what each understands, and how it can be told to misbehave. Constant;
 * any thread. */
#pragma once
#include <stdio.h>
#include "engine/base/str.h"

enum actions_kind { ACTIONS_DO, ACTIONS_UNDO, ACTIONS_VERIFY };

struct actions_action {
    const char *participant;
    const char *name;
    enum actions_kind kind;
    const char *effect; /* a statement with $1 the key and $2 the input; "" for a verify */
};
/* NULL when this participant has no such action. */
const struct actions_action *actions_find(const char *participant, struct str name);
/* "do", "undo", "verify" as in the header Saga-Kind. */
const char *actions_kind_text(enum actions_kind kind);

enum actions_behaviour {
    ACTIONS_NORMAL,
#define X(name, word, sentence) ACTIONS_##name,
#include "deploy/participants/behaviours.def"
#undef X
};
/* False when there is no behaviour of that name. */
bool actions_behaviour(struct str word, enum actions_behaviour *behaviour);

/* The SQL a participant's database needs: barrier, behaviour, its own. NULL when there is no such
 * participant. Pieces end with NULL. */
enum { ACTIONS_SCHEMA_PIECES = 4 };
struct actions_schema {
    const char *participant;
    struct str pieces[ACTIONS_SCHEMA_PIECES];
};
const struct actions_schema *actions_schema(const char *participant);
/* The same for a stand-in: barrier and behaviour, nothing of its own. Borrows the name. */
struct actions_schema actions_stand_in(const char *name);
/* Whether a stand-in may be called so: a lower-case letter, then lower-case letters, digits, - and _; not
 * PostgreSQL's own database. */
bool actions_is_name(struct str name);

/* The two tables for people. */
void actions_help(FILE *out);
