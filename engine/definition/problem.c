#include "engine/definition/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/definition/word.h"

/* A word further away than this is another word, not a slip of the finger. */
enum { GUESS_DISTANCE_MAX = 2 };

static const struct str codes[] = {
#define X(name, severity, code, meaning) WORD(code),
#include "engine/definition/diagnostics.def"
#undef X
};
#define ERROR false
#define WARNING true
static const bool warnings[] = {
#define X(name, severity, code, meaning) severity,
#include "engine/definition/diagnostics.def"
#undef X
};

struct str problem_code(enum problem problem)
{
    check((unsigned)problem < PROBLEM_COUNT);
    return codes[problem];
}

void problem_add(struct diag_list *diags, struct diag_place place, enum problem problem, struct str hint,
                 const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    check(size >= 0);
    struct str text = str_from(message);
    text.size = str_utf8_size(text); /* a cut may have split a character */
    diag_add(diags, (struct diag){.place = place,
                                  .code = problem_code(problem),
                                  .message = text,
                                  .hint = hint,
                                  .warning = warnings[problem]});
}

struct problem_guess problem_guess_for(struct str given)
{
    return (struct problem_guess){.given = given, .distance = GUESS_DISTANCE_MAX + 1};
}

void problem_guess_try(struct problem_guess *guess, struct str known)
{
    size_t distance = str_distance(guess->given, known, GUESS_DISTANCE_MAX);
    if (distance < guess->distance && distance * 2 <= known.size) {
        guess->nearest = known;
        guess->distance = distance;
    }
}

struct str problem_guess_hint(const struct problem_guess *guess, struct arena *arena, struct str otherwise)
{
    if (!guess->nearest.size)
        return otherwise;
    return arena_printf(arena, "did you mean \"%.*s\"?", STR_ARG(guess->nearest));
}
