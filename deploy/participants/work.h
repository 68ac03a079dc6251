/* One command in the participant's database: behaviour first, then barrier, effect and barrier in one
 * transaction.
 *
 * Nothing here knows of NATS. Owned by the thread that owns the database. */
#pragma once
#include <stdint.h>
#include "deploy/participants/database.h"
#include "engine/base/arena.h"

struct work_command {
    const struct actions_action *action;
    const char *key;   /* Saga-Key */
    uint32_t attempt;  /* Saga-Attempt */
    const char *order; /* "order" of the body, or NULL */
    const char *body;  /* JSON */
};
struct work_rule {
    enum actions_behaviour behaviour;
    int64_t delay_ms;
    struct str code;
    struct str message;
};
struct work_answer {
    struct str status; /* ok, rejected or retry */
    struct str code;
    struct str message;
    struct str body; /* JSON */
    bool repeated;   /* the barrier knew it already */
};

/* Takes one use of the rule that fits this command, if any. Texts in arena. */
enum err work_rule(struct database *database, const struct work_command *command, struct arena *arena,
                   struct work_rule *rule, struct err_note *note) __attribute__((warn_unused_result));
/* Does it, or finds that it is done. Always fills the answer: a failure is a `retry` that says why. `refuse`:
 * reject a do or an undo instead of doing it, with the rule's code. */
void work_run(struct database *database, const struct work_command *command, const struct work_rule *refuse,
              struct arena *arena, struct work_answer *answer);
