/* The mistakes of diagnostics.def, put into a list of diagnostics. For this layer, and for
 * the other files authors write (engine/model).
 *
 * Everything is copied into the list's arena. One thread. */
#pragma once
#include "engine/base/diag.h"

enum problem {
#define X(name, severity, code, meaning) PROBLEM_##name,
#include "engine/definition/diagnostics.def"
#undef X
    PROBLEM_COUNT
};

/* The stable code: "unknown-key". */
struct str problem_code(enum problem problem);
/* Adds an error or a warning, as the table has it, at `place`: a sentence without a full stop; hint may be
 * "". */
void problem_add(struct diag_list *diags, struct diag_place place, enum problem problem, struct str hint,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The nearest word to one that is not known. */
struct problem_guess {
    struct str given;
    struct str nearest;
    size_t distance;
};
struct problem_guess problem_guess_for(struct str given);
void problem_guess_try(struct problem_guess *guess, struct str known);
/* `did you mean "timeout"?`, or `otherwise` when nothing is near. */
struct str problem_guess_hint(const struct problem_guess *guess, struct arena *arena, struct str otherwise);
