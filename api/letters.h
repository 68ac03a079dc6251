/* The dead letters of a saga, told with it: in a list, and by number where its journal says only that an
 * answer was put aside (CORE_PUT_ASIDE). The journal cannot know the number: PostgreSQL gives it in the same
 * commit. */
#pragma once
#include "engine/core/core.h"
#include "engine/store/store.h"

enum { LETTERS_TOLD = 50 }; /* of one saga, the newest: as many as an answer has use for */
struct letters {
    struct store_dead_letter *items; /* the newest first */
    uint32_t count;
};

/* In arena. Errors as store_dead_letters: ERR_UNAVAILABLE when the database cannot be asked. */
enum err letters_read(struct store *store, struct id saga, struct arena *arena, struct letters *letters,
                      struct err_note *note) __attribute__((warn_unused_result));
/* Puts the numbers into what the saga says of its steps, its reason and its park; texts in arena. The saga
 * must be for showing only. */
void letters_number(const struct letters *letters, struct core_saga *saga, struct arena *arena);
/* The same for the changes of a record that was folded into that saga. */
void letters_number_record(const struct letters *letters, const struct core_saga *saga,
                           struct core_record *record, struct arena *arena);
/* Appends the member "dead_letters", with a comma before it. */
void letters_write(struct buf *out, const struct letters *letters);
/* The newest one's number; 0: none. */
int64_t letters_newest(const struct letters *letters);
