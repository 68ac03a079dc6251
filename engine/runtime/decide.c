#include "engine/runtime/decide.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/bus/envelope.h"
#include "engine/core/record.h"
#include "engine/ops/failpoint.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/lifecycle.h"
#include "engine/runtime/meter.h"

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
    batch->sagas[row].changed = true;
    batch->sagas[row].created = batch->sagas[row].created || record->seq == 1;
}

static void add_send(struct runner *runner, uint32_t row, const struct core_saga *saga,
                     const struct core_change *change)
{
    struct batch *batch = &runner->batch;
    const struct core_step *step = &saga->steps[change->step];
    const struct plan_action *action = core_action(saga->plan->nodes[step->node].step, change->command);
    struct bus_message *message = arena_new(&batch->arena, struct bus_message);
    struct envelope_command command = {
        .saga = saga->id,
        .shard = id_shard(saga->id),
        .definition = saga->plan->name,
        .step = core_step_path(saga, change->step),
        .kind = change->command,
        .attempt = change->attempt,
        .action = action,
        .correlation = saga->correlation,
        .traceparent = saga->traceparent,
        .body = json_text(&batch->arena, change->body == NULL ? &json_null : change->body),
    };
    batch->sends =
        batch_grow(batch, batch->sends, batch->send_count, &batch->send_room, sizeof *batch->sends);
    struct batch_send *send = &batch->sends[batch->send_count++];
    *send = (struct batch_send){.saga = row,
                                .shard = command.shard,
                                .lsn = runner_shard(runner, command.shard)->next_lsn,
                                .request = action->via == PLAN_VIA_REQUEST,
                                .timeout_us = action->timeout_us,
                                .saga_id = saga->id,
                                .step = saga->plan->nodes[step->node].id,
                                .kind = change->command,
                                .attempt = change->attempt,
                                .action = action,
                                .message = message};
    envelope_command(&command, &batch->arena, message, &send->id);
}

static void add_event(struct runner *runner, uint32_t row, const struct core_saga *saga, struct str what,
                      enum core_status status)
{
    struct batch *batch = &runner->batch;
    struct core_saga then = *saga; /* one record may pass through several states */
    then.status = status;
    if (!runner->engine->options.events)
        return;
    batch->sends =
        batch_grow(batch, batch->sends, batch->send_count, &batch->send_room, sizeof *batch->sends);
    struct batch_send *send = &batch->sends[batch->send_count++];
    uint32_t shard = id_shard(saga->id);
    *send = (struct batch_send){.saga = row,
                                .shard = shard,
                                .lsn = runner_shard(runner, shard)->next_lsn,
                                .message = arena_new(&batch->arena, struct bus_message)};
    envelope_event(&then, what, &batch->arena, send->message, &send->id);
    meter_event(saga->plan->name, what);
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

static uint32_t add_update(struct runner *runner, struct resident_entry *entry,
                           const struct core_update *update, enum core_status before)
{
    const struct core_saga *saga = entry->saga;
    uint32_t row = batch_touch(&runner->batch, entry);
    add_record(runner, row, saga, &update->record);
    if (update->record.event.kind == CORE_EVENT_START)
        add_event(runner, row, saga, lifecycle_of_start(), CORE_RUNNING);
    for (uint32_t i = 0; i < update->record.change_count; i++)
        if (update->record.changes[i].kind == CORE_CHANGE_SEND)
            add_send(runner, row, saga, &update->record.changes[i]);
    for (uint32_t i = 0; i < update->record.change_count; i++)
        if (update->record.changes[i].kind == CORE_CHANGE_STATUS)
            add_event(runner, row, saga, lifecycle_of_status(update->record.changes[i].status),
                      update->record.changes[i].status);
    add_move(&runner->batch, row, saga, &update->record, before);
    return row;
}

static struct str text_of(struct runner *runner, struct id id)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(id, text);
    return arena_copy(&runner->batch.arena, str_from(text));
}

static enum err error_of(enum core_verdict verdict)
{
    return verdict == CORE_REFUSED ? ERR_CONFLICT : ERR_OK;
}

static void finish_item(struct runner *runner, struct inbox_item *item, uint32_t row,
                        const struct resident_entry *entry, const struct core_update *update)
{
    struct engine_answer answer = {.error = error_of(update->verdict),
                                   .message = update->why,
                                   .id = entry->id,
                                   .created = entry->saga->seq == 1 && update->verdict == CORE_USED,
                                   .status = entry->saga->status,
                                   .seq = entry->saga->seq};
    batch_finish(&runner->batch, item, row, &answer);
}

bool decide_event(struct runner *runner, struct resident_entry *entry, const struct core_event *event,
                  struct inbox_item *item)
{
    struct core_event stamped = *event;
    struct core_update update;
    enum core_status before = entry->saga->status;
    stamped.at_us = runner->batch.now_us;
    resident_touch(&runner->resident, entry);
    core_step(entry->saga, &stamped, &runner->batch.arena, &update);
    meter_verdict(event, &update);
    runner->batch.event_count++;
    failpoint("stepped");
    uint32_t row = BATCH_NO_SAGA;
    if (update.verdict == CORE_USED) {
        row = add_update(runner, entry, &update, before);
        if (item != NULL)
            resident_time(&runner->resident, entry);
    } else if (item != NULL && entry->batch == runner->batch.number) {
        row = entry->batch_index; /* what it repeats may stand in this very batch */
    }
    bool refused_message = item != NULL && item->message_ack.size > 0 && update.verdict == CORE_REFUSED;
    if (item != NULL && (update.verdict == CORE_DEAD || refused_message)) {
        decide_dead(runner, item, text_of(runner, entry->id), update.why);
    } else if (item != NULL) {
        finish_item(runner, item, row, entry, &update);
    }
    return update.verdict == CORE_USED;
}

void decide_dead(struct runner *runner, struct inbox_item *item, struct str saga, struct str reason)
{
    struct engine_answer none = {.error = ERR_OK};
    batch_dead_letter(&runner->batch, item->shard, &item->delivery, saga, reason);
    batch_finish(&runner->batch, item, BATCH_NO_SAGA, &none);
}

static const struct json *input_of(struct arena *arena, struct str start_data)
{
    const struct json *data = NULL;
    struct err_note note;
    if (json_parse(arena, start_data, SIZE_MAX, &data, &note) != ERR_OK)
        return NULL;
    return json_get(json_get(data, STR("event")), STR("input"));
}

/* The same key again: one saga, whoever asks; with another input it is a mistake of the caller. */
static void answer_repeated(struct runner *runner, struct inbox_item *item, struct id id,
                            const struct json *input, struct str status, uint32_t row)
{
    struct engine_answer answer = {.id = id};
    if (!core_status_parse(status, &answer.status))
        answer.status = CORE_RUNNING;
    const struct json *given = item->start.input == NULL ? &json_null : item->start.input;
    if (json_equal(input == NULL ? &json_null : input, given)) {
        batch_finish(&runner->batch, item, row, &answer);
        return;
    }
    answer.error = ERR_CONFLICT;
    answer.message =
        arena_printf(&runner->batch.arena, "key \"%.*s\" of %.*s was used already, with another input",
                     STR_ARG(item->start.key), STR_ARG(item->start.plan->name));
    if (item->message_ack.size > 0) /* nobody waits for the answer: it must not vanish */
        decide_dead(runner, item, text_of(runner, id), answer.message);
    else
        batch_finish(&runner->batch, item, row, &answer);
}

static void begin(struct runner *runner, struct inbox_item *item, struct resident_entry *entry)
{
    resident_place(&runner->resident, entry, item->start.plan);
    struct core_event start = {.kind = CORE_EVENT_START,
                               .input = item->start.input,
                               .search = item->start.search,
                               .key = item->start.key,
                               .seed = rng_next(&runner->rng),
                               .correlation = item->start.correlation,
                               .traceparent = item->start.traceparent};
    decide_event(runner, entry, &start, item);
}

/* A message delivered again. */
static void answer_again(struct runner *runner, struct inbox_item *item, const struct resident_entry *entry)
{
    uint32_t row = entry->batch == runner->batch.number ? entry->batch_index : BATCH_NO_SAGA;
    struct engine_answer answer = {.error = ERR_OK, .id = entry->id};
    if (entry->saga != NULL) {
        answer.status = entry->saga->status;
        answer.seq = entry->saga->seq;
    }
    batch_finish(&runner->batch, item, row, &answer);
}

struct resident_entry *decide_start(struct runner *runner, struct inbox_item *item,
                                    const struct store_keyed *keyed, struct resident_entry *twin)
{
    if (keyed != NULL) {
        answer_repeated(runner, item, keyed->id, input_of(&runner->batch.arena, keyed->start_data),
                        keyed->status, BATCH_NO_SAGA);
        return NULL;
    }
    if (twin != NULL) {
        answer_repeated(runner, item, twin->id, twin->saga->input, core_status_text(twin->saga->status),
                        twin->batch_index);
        return NULL;
    }
    struct id id = item->has_id ? item->id : id_make(runner->batch.now_us, item->shard, &runner->rng);
    struct resident_entry *entry = resident_enter(&runner->resident, id);
    if (entry->saga != NULL || entry->broken) {
        answer_again(runner, item, entry);
        return NULL;
    }
    begin(runner, item, entry);
    if (entry->saga->seq > 0)
        return entry;
    resident_forget(&runner->resident, entry); /* refused: there is no saga */
    return NULL;
}
