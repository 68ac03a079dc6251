/* A start with a key that a saga has already: one saga, whoever asks, however often, and whatever has become
 * of its definition since. Any thread that has the store. */
#pragma once
#include "engine/runtime/engine.h"
#include "engine/store/store.h"

/* The saga that is there, as the answer to a start. */
struct engine_answer known_answer(const struct store_keyed *keyed);
/* Whether it was started with this input: the same start again. */
bool known_is_same(const struct store_keyed *keyed, const struct json *input, struct arena *arena);
/* What there is to say when it was not. */
struct str known_conflict(struct id id, struct str definition, struct arena *arena);

enum known {
    KNOWN_NONE, /* no saga has the key, or the start has none */
    KNOWN_SAME, /* this one is meant */
    KNOWN_OTHER /* one has it that was started with another input */
};
/* Of a start that would be refused: it may be one whose saga was begun under another version, or before this
 * one was disabled. start->plan: the version it asks for, NULL when there is none; start->key: given, "" when
 * not; becomes the computed one. answer: of SAME, and with its message of OTHER. Everything in arena. ERR_UNAVAILABLE: the
 * database cannot be asked; others as store_find_keys. */
enum err known_find(struct registry *registry, struct store *store, struct str definition,
                    struct engine_start *start, struct arena *arena, enum known *known,
                    struct engine_answer *answer, struct err_note *note);
