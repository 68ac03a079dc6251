/* One event of one saga: core_step, then its record becomes a row of the batch, its sends messages, its end a
 * lifecycle event, and the item's answer is put down. Called by intake.c, child.c and mend.c. Never sends and
 * never stores: all of that is the batch's. */
#include "engine/runtime/decide.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/record.h"
#include "engine/ops/failpoint.h"
#include "engine/runtime/dead.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/known.h"
#include "engine/runtime/lifecycle.h"
#include "engine/runtime/meter.h"
#include "engine/runtime/sending.h"

static void add_record(struct runner *runner, uint32_t row, const struct core_saga *saga,
                       const struct core_record *record)
{
    struct batch *batch = &runner->batch;
    struct runner_shard *shard = runner_shard(runner, id_shard(saga->id));
    struct buf data;
    buf_init(&data, &batch->arena);
    record_write(&data, saga, record);
    batch->records =
        batch_grow(batch, batch->records, batch->record_count, &batch->record_room, sizeof *batch->records);
    batch->records[batch->record_count++] = (struct store_record){
        .id = saga->id,
        .shard = id_shard(saga->id),
        .seq = record->seq,
        .at_us = record->event.at_us,
        .lsn = ++shard->next_lsn,
        .kind = core_event_text(record->event.kind),
        .step = record_step(saga, record),
        .attempt = record_attempt(record),
        .data = buf_str(&data),
    };
    batch->bytes += data.size;
    if (!batch->sagas[row].changed)
        batch->sagas[row].before_seq = record->seq - 1;
    batch->sagas[row].changed = true;
    batch->sagas[row].created = batch->sagas[row].created || record->seq == 1;
}

void decide_send(struct runner *runner, uint32_t row, const struct batch_send *send)
{
    struct batch *batch = &runner->batch;
    batch->sends =
        batch_grow(batch, batch->sends, batch->send_count, &batch->send_room, sizeof *batch->sends);
    batch->sends[batch->send_count] = *send;
    batch->sends[batch->send_count++].saga = row;
}

static void add_event(struct runner *runner, uint32_t row, const struct core_saga *saga, struct str what,
                      enum core_status status, int64_t lsn)
{
    struct core_saga then = *saga; /* one record may pass through several states */
    then.status = status;
    if (!runner->engine->options.events)
        return;
    struct batch_send send = sending_event(&then, what, lsn, &runner->batch.arena);
    decide_send(runner, row, &send);
    meter_event(saga->plan->name, what);
}

bool decide_ends(const struct core_record *record)
{
    bool ends = false;
    for (uint32_t i = 0; i < record->change_count; i++)
        if (record->changes[i].kind == CORE_CHANGE_STATUS)
            ends = record->changes[i].status == CORE_COMPLETED ||
                   record->changes[i].status == CORE_COMPENSATED ||
                   record->changes[i].status == CORE_TERMINATED;
    return ends;
}

static bool comes_to_rest(const struct core_record *record)
{
    bool parks = false;
    for (uint32_t i = 0; i < record->change_count; i++)
        parks = parks || record->changes[i].kind == CORE_CHANGE_PARK;
    return parks || decide_ends(record);
}

/* Commands before events: whoever hears of a saga finds its commands under way. */
static void add_sends(struct runner *runner, uint32_t row, const struct core_saga *saga,
                      const struct core_record *record)
{
    int64_t lsn = runner_shard(runner, id_shard(saga->id))->next_lsn;
    struct arena *arena = &runner->batch.arena;
    if (record->event.kind == CORE_EVENT_START)
        add_event(runner, row, saga, lifecycle_of_start(), CORE_RUNNING, lsn);
    for (uint32_t i = 0; i < record->change_count; i++) {
        const struct core_change *change = &record->changes[i];
        if (change->kind != CORE_CHANGE_SEND)
            continue;
        struct batch_send send =
            sending_command(saga, change->step, change->command, change->attempt, change->body, lsn, arena);
        decide_send(runner, row, &send);
    }
    for (uint32_t i = 0; i < record->change_count; i++)
        if (record->changes[i].kind == CORE_CHANGE_STATUS)
            add_event(runner, row, saga, lifecycle_of_status(record->changes[i].status),
                      record->changes[i].status, lsn);
    if (sending_is_due(saga) && comes_to_rest(record)) {
        struct batch_send send = sending_end(saga, lsn, arena);
        decide_send(runner, row, &send);
    }
}

static void add_move(struct batch *batch, uint32_t row, const struct core_saga *saga,
                     const struct core_record *record, enum core_status before)
{
    struct core_record *kept = arena_new(&batch->arena, struct core_record);
    *kept = *record;
    batch->moves =
        batch_grow(batch, batch->moves, batch->move_count, &batch->move_room, sizeof *batch->moves);
    batch->moves[batch->move_count++] = (struct batch_move){
        .saga = row, .plan = saga->plan, .record = kept, .before = before, .after = saga->status};
}

/* An event that was kept and that no await can take any more: as if it had come only now, by message. Which
 * one it is does not depend on who decides it, so that it is one dead letter. */
static void bury_signal(struct runner *runner, uint32_t row, const struct core_saga *saga, uint16_t index)
{
    struct arena *arena = &runner->batch.arena;
    const struct core_signal *signal = &saga->signals[index];
    char id[ID_TEXT_SIZE + 1];
    id_format(saga->id, id);
    struct bus_delivery delivery = {
        .identity = arena_printf(arena, "%s/signal/%u", id, index),
        .message = {.subject = arena_printf(arena, "saga.signal.%.*s", STR_ARG(signal->name)),
                    .body = json_text(arena, signal->body)}};
    struct str text = arena_copy(arena, str_from(id));
    bus_header_add(&delivery.message, STR("Saga-Id"), text);
    if (signal->id.size > 0)
        bus_header_add(&delivery.message, STR("Saga-Signal-Id"), arena_copy(arena, signal->id));
    batch_dead_letter(&runner->batch, row, id_shard(saga->id), &delivery, text,
                      STR("it was kept, and no await of the saga can take it any more"));
}

static void add_dropped(struct runner *runner, uint32_t row, const struct core_saga *saga,
                        const struct core_record *record)
{
    for (uint32_t i = 0; i < record->change_count; i++)
        if (record->changes[i].kind == CORE_CHANGE_DROP)
            bury_signal(runner, row, saga, record->changes[i].index);
}

static uint32_t add_update(struct runner *runner, struct resident_entry *entry,
                           const struct core_update *update, enum core_status before)
{
    const struct core_saga *saga = entry->saga;
    uint32_t row = batch_touch(&runner->batch, entry);
    add_record(runner, row, saga, &update->record);
    add_sends(runner, row, saga, &update->record);
    add_dropped(runner, row, saga, &update->record);
    add_move(&runner->batch, row, saga, &update->record, before);
    return row;
}

static struct str text_of(struct runner *runner, struct id id)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(id, text);
    return arena_copy(&runner->batch.arena, str_from(text));
}

/* A signal that the definition can never take is its sender's mistake; another may find another state. */
static bool never_fits(const struct core_saga *saga, const struct core_event *event, struct arena *arena)
{
    if (event->kind != CORE_EVENT_SIGNAL)
        return false;
    const struct plan_node *node = plan_find_await(saga->plan, event->signal);
    return node == NULL || (node->await->schema != NULL &&
                            !schema_check(node->await->schema, core_signal_body(saga, event), arena, NULL));
}

static void finish_item(struct runner *runner, struct inbox_item *item, uint32_t row,
                        const struct resident_entry *entry, const struct core_event *event,
                        const struct core_update *update)
{
    bool creates = event->kind == CORE_EVENT_START || event->kind == CORE_EVENT_SIGNAL;
    struct engine_answer answer = {.message = update->why,
                                   .id = entry->id,
                                   .created = creates && update->verdict == CORE_USED,
                                   .status = entry->saga->status,
                                   .version = entry->saga->plan->version,
                                   .seq = entry->saga->seq};
    if (update->verdict == CORE_REFUSED)
        answer.error = never_fits(entry->saga, event, &runner->batch.arena) ? ERR_INVALID : ERR_CONFLICT;
    batch_finish(&runner->batch, item, row, &answer);
}

uint32_t decide_row(const struct runner *runner, const struct resident_entry *entry)
{
    return entry->batch == runner->batch.number ? entry->batch_index : BATCH_NO_SAGA;
}

static uint32_t step(struct runner *runner, struct resident_entry *entry, const struct core_event *event,
                     struct core_update *update)
{
    struct core_event stamped = *event;
    enum core_status before = entry->saga->status;
    stamped.at_us = runner->batch.now_us;
    resident_touch(&runner->resident, entry);
    core_step(entry->saga, &stamped, &runner->batch.arena, update);
    resident_weigh(&runner->resident, entry);
    meter_verdict(event, update);
    runner->batch.event_count++;
    runner->batch.steps += update->steps;
    failpoint("stepped");
    /* A duplicate may rest on a record of this very batch, and is answered only if that is stored. */
    return update->verdict == CORE_USED ? add_update(runner, entry, update, before)
                                        : decide_row(runner, entry);
}

void decide_clock(struct runner *runner, struct resident_entry *entry)
{
    const struct core_event event = {.kind = CORE_EVENT_CLOCK,
                                     .actor = STR("engine"),
                                     .reason = STR("the database's clock went back; spans are counted anew")};
    const struct core_saga *saga = entry->saga;
    if (saga->seq == 0 || core_ended(saga) || saga->updated_us <= runner->batch.now_us + timekeeper_jump_us)
        return;
    struct core_update update;
    (void)step(runner, entry, &event, &update);
    check(update.verdict == CORE_USED);
    resident_time(&runner->resident, entry);
}

uint32_t decide_step(struct runner *runner, struct resident_entry *entry, const struct core_event *event,
                     struct core_update *update)
{
    decide_clock(runner, entry);
    return step(runner, entry, event, update);
}

bool decide_event(struct runner *runner, struct resident_entry *entry, const struct core_event *event,
                  struct inbox_item *item)
{
    struct core_update update;
    if (event->kind == CORE_EVENT_REPLY)
        delivery_replied(runner, entry, event);
    uint32_t row = decide_step(runner, entry, event, &update);
    if (item == NULL)
        return update.verdict == CORE_USED;
    if (update.verdict == CORE_USED)
        resident_time(&runner->resident, entry);
    bool refused_message = inbox_item_is_message(item) && update.verdict == CORE_REFUSED;
    if (update.verdict == CORE_DEAD || update.aside || refused_message)
        decide_dead(runner, item, row, text_of(runner, entry->id), update.why);
    else
        finish_item(runner, item, row, entry, event, &update);
    return update.verdict == CORE_USED;
}

void decide_dead(struct runner *runner, struct inbox_item *item, uint32_t row, struct str saga,
                 struct str reason)
{
    struct engine_answer none = {.error = ERR_OK};
    asking_label(item, &runner->engine->asking_key);
    if (dead_may_store(runner, &item->delivery, reason))
        batch_dead_letter(&runner->batch, row, item->shard, &item->delivery, saga, reason);
    batch_finish(&runner->batch, item, row, &none);
}

struct str decide_problems(const struct schema_problems *problems, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    buf_puts(&out, "the input does not fit the definition: ");
    for (uint32_t i = 0; i < problems->count; i++) {
        const struct schema_problem *problem = &problems->items[i];
        buf_puts(&out, i > 0 ? "; " : "");
        if (problem->pointer.size > 0)
            buf_printf(&out, "%.*s: ", STR_ARG(problem->pointer));
        buf_put(&out, problem->message);
    }
    return buf_str(&out);
}

/* The same key again: one saga, whoever asks; with another input it is a mistake of the caller. */
static void answer_repeated(struct runner *runner, struct inbox_item *item, struct engine_answer answer,
                            bool same, uint32_t row)
{
    if (same) {
        batch_finish(&runner->batch, item, row, &answer);
        return;
    }
    answer.error = ERR_CONFLICT;
    answer.message = known_conflict(answer.id, item->task.start.plan->name, &runner->batch.arena);
    if (inbox_item_is_message(item)) /* nobody waits for the answer: it must not vanish */
        decide_dead(runner, item, row, text_of(runner, answer.id), answer.message);
    else
        batch_finish(&runner->batch, item, row, &answer);
}

static struct engine_answer told_of(const struct resident_entry *entry)
{
    return (struct engine_answer){.id = entry->id,
                                  .status = entry->saga->status,
                                  .version = entry->saga->plan->version,
                                  .seq = entry->saga->seq};
}

struct core_event decide_start_event(struct runner *runner, const struct engine_start *start)
{
    return (struct core_event){.kind = CORE_EVENT_START,
                               .input = start->input,
                               .search = start->search,
                               .key = start->key,
                               .seed = rng_next(&runner->rng),
                               .correlation = start->correlation,
                               .traceparent = start->traceparent,
                               .shards = runner->engine->shard_count};
}

static void begin(struct runner *runner, struct inbox_item *item, struct resident_entry *entry)
{
    struct core_event start = decide_start_event(runner, &item->task.start);
    resident_place(&runner->resident, entry, item->task.start.plan);
    decide_event(runner, entry, &start, item);
}

/* A message delivered again. */
static void answer_again(struct runner *runner, struct inbox_item *item, const struct resident_entry *entry)
{
    uint32_t row = decide_row(runner, entry);
    struct engine_answer answer = {.error = ERR_OK, .id = entry->id};
    if (entry->saga != NULL)
        answer = told_of(entry);
    batch_finish(&runner->batch, item, row, &answer);
}

struct resident_entry *decide_start(struct runner *runner, struct inbox_item *item,
                                    const struct store_keyed *keyed, struct resident_entry *twin)
{
    const struct json *input = item->task.start.input;
    if (keyed != NULL) {
        answer_repeated(runner, item, known_answer(keyed), known_is_same(keyed, input, &runner->batch.arena),
                        BATCH_NO_SAGA);
        return NULL;
    }
    if (twin != NULL) {
        const struct json *began = twin->saga->input == NULL ? &json_null : twin->saga->input;
        answer_repeated(runner, item, told_of(twin), json_equal(began, input == NULL ? &json_null : input),
                        twin->batch_index);
        return NULL;
    }
    struct id id =
        item->task.has_id ? item->task.id : id_make(runner->batch.now_us, item->shard, &runner->rng);
    struct resident_entry *entry = resident_enter(&runner->resident, id);
    if (entry->saga != NULL || entry->broken || entry->unplanned) {
        answer_again(runner, item, entry);
        return NULL;
    }
    begin(runner, item, entry);
    if (entry->saga->seq > 0)
        return entry;
    resident_forget(&runner->resident, entry); /* refused: there is no saga */
    return NULL;
}
