/* Steps one saga and turns the core's update into rows and deeds of the batch. */
#pragma once
#include "engine/runtime/runner.h"

/* True when something is to be stored. item: what asked for it, finished with this batch; NULL for a timer.
 */
bool decide_event(struct runner *runner, struct resident_entry *entry, const struct core_event *event,
                  struct inbox_item *item);
/* A new saga, or the answer that there is one: keyed is the saga found under this key in the store, twin the
 * one begun under it in this batch; NULL when there is none. Gives the saga it began, or NULL. */
struct resident_entry *decide_start(struct runner *runner, struct inbox_item *item,
                                    const struct store_keyed *keyed, struct resident_entry *twin);
/* A dead letter for an item's message. */
void decide_dead(struct runner *runner, struct inbox_item *item, struct str saga, struct str reason);
