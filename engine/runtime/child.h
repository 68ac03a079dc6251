/* What a parent saga commands a child saga that lives on a shard of this runner.
 *
 * do: begins the child, or repeats what it has come to; undo: undoes it, or sees to it that it never begins:
 * by a row of the child's own, so an undo is refused while its definition is not there. Nothing would keep a
 * do that is still under way from beginning it once the definition is stored.
 * A child's id is the same over all attempts, so a command may come as often as it likes. Whatever an answer
 * is lost to, the parent's next attempt fetches it again. */
#pragma once
#include "engine/runtime/runner.h"

/* Finds the child's definition and what a start needs, before it is known whether the child exists: in
 * item->task.start, plan NULL when there is no such definition. ERR_UNAVAILABLE: the database could not be
 * asked.
 */
enum err child_prepare(struct runner *runner, struct inbox_item *item, struct err_note *note);
/* entry: the child's, NULL when there is none. keyed, twin: who has the child's business key, as of
 * decide_start. Gives the child when this has begun it, else NULL. */
struct resident_entry *child_command(struct runner *runner, struct inbox_item *item,
                                     struct resident_entry *entry, const struct store_keyed *keyed,
                                     const struct resident_entry *twin);
