/* Steps one saga and turns the core's update into rows and deeds of the batch. */
#pragma once
#include "engine/runtime/runner.h"

/* True when something is to be stored. item: what asked for it, finished with this batch; NULL for a timer.
 */
bool decide_event(struct runner *runner, struct resident_entry *entry, const struct core_event *event,
                  struct inbox_item *item);
/* The step alone, for who finishes its item another way. The saga's row in the batch, BATCH_NO_SAGA when it
 * has none. */
uint32_t decide_step(struct runner *runner, struct resident_entry *entry, const struct core_event *event,
                     struct core_update *update);
uint32_t decide_row(const struct runner *runner, const struct resident_entry *entry);
/* A message to send once the batch is stored, with the saga's row. */
void decide_send(struct runner *runner, uint32_t row, const struct batch_send *send);
/* Whether the saga has ended by this record. */
bool decide_ends(const struct core_record *record);
struct core_event decide_start_event(struct runner *runner, const struct engine_start *start);
/* What is wrong with an input, in one sentence. */
struct str decide_problems(const struct schema_problems *problems, struct arena *arena);
/* A saga whose last record is in a time that has not come, because the database's clock went back, goes back
 * with it: a record says so. Before anything else happens to it; decide_step and decide_event see to it. */
void decide_clock(struct runner *runner, struct resident_entry *entry);
/* A new saga, or the answer that there is one: keyed is the saga found under this key in the store, twin the
 * one begun under it in this batch; NULL when there is none. Gives the saga it began, or NULL. */
struct resident_entry *decide_start(struct runner *runner, struct inbox_item *item,
                                    const struct store_keyed *keyed, struct resident_entry *twin);
/* A dead letter for an item's message. row: of the saga that was asked, whose state is the reason;
 * BATCH_NO_SAGA when none was, or it is as it is stored. */
void decide_dead(struct runner *runner, struct inbox_item *item, uint32_t row, struct str saga,
                 struct str reason);
