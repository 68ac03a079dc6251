/* Each item of a batch is understood, keys are looked up, sagas are loaded, then one after the other is
 * decided; and the timers that are due. Called by the runner's turn with a batch begun. Never answers or
 * acknowledges: what an item came to is put into the batch, once. */
#include "engine/runtime/intake.h"

#include <stddef.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/duration.h"
#include "engine/bus/envelope.h"
#include "engine/bus/stranger.h"
#include "engine/core/record.h"
#include "engine/ops/failpoint.h"
#include "engine/ops/log.h"
#include "engine/runtime/act.h"
#include "engine/runtime/child.h"
#include "engine/runtime/control.h"
#include "engine/runtime/decide.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/recovery.h"
#include "engine/runtime/suspect.h"

static const int64_t again_pause_us = 100000;                   /* while the database cannot be asked */
static const int64_t broken_pause_us = 60 * DURATION_SECOND_US; /* somebody must mend it first */
#define broken_saga STR("the saga's journal cannot be read; the engine's log says why")

/* One item on its way: what it means, before its saga is at hand. */
struct intake {
    struct inbox_item *item;
    enum {
        INTAKE_NOTHING,
        INTAKE_EVENT,
        INTAKE_START,
        INTAKE_CHILD,
        INTAKE_WATCH,
        INTAKE_DEAD,
        INTAKE_ANSWERED /* finished with already */
    } what;
    struct id id;
    bool id_known;
    struct core_event event;
    struct str reason;
    const struct store_keyed *keyed; /* START, CHILD: the saga that has this key already */
    const struct intake *first;   /* START, CHILD: the first item of this batch with its key; may be itself */
    struct resident_entry *begun; /* START, CHILD: the saga it began */
};

static void finish(struct runner *runner, struct intake *intake, uint32_t saga, enum err error,
                   struct str message)
{
    struct engine_answer answer = {.error = error, .message = message, .id = intake->id};
    check(intake->what != INTAKE_ANSWERED);
    batch_finish(&runner->batch, intake->item, saga, &answer);
    intake->what = INTAKE_ANSWERED;
}

static void read_reply(struct runner *runner, struct intake *intake)
{
    bool fine = envelope_reply(&intake->item->delivery.message, &runner->batch.arena, &intake->event,
                               &intake->id, &intake->id_known, &intake->reason);
    intake->what = fine ? INTAKE_EVENT : INTAKE_DEAD;
    if (!fine)
        return;
    const struct bus_message *message = &intake->item->delivery.message;
    uint32_t shard = intake->item->shard;
    struct str participant;
    if (!subject_reply(message->subject, &shard, &participant) || shard != intake->item->shard ||
        shard != id_shard(intake->id)) {
        intake->what = INTAKE_DEAD;
        intake->reason =
            shard >= runner->engine->shard_count
                ? arena_printf(&runner->batch.arena, "there is no shard %u; a reply goes to Saga-Reply-To",
                               shard)
                : arena_printf(&runner->batch.arena,
                               "the saga belongs to shard %u, the reply came on the subject of shard %u",
                               id_shard(intake->id), shard);
    } else if (str_equal(participant, STR(PLAN_ENGINE)) && !proof_holds(&runner->engine->key, message)) {
        stranger_refuse(STRANGER_PROOF, message->subject);
        intake->what = INTAKE_DEAD;
        intake->reason =
            STR("Saga-Proof is not that of an engine of this database: only engines answer for child sagas");
    }
}

static void read_answer(struct runner *runner, struct intake *intake)
{
    if (!intake->item->cleared && envelope_is_stream_ack(&intake->item->delivery.message)) {
        if (!router_put(runner->engine->router, intake->item)) /* the broker is to be asked */
            runner_try_again(runner, intake->item);
        intake->what = INTAKE_ANSWERED;
        return;
    }
    intake->id_known = asking_read(runner, intake->item, &intake->event, &intake->id);
    intake->what = intake->id_known ? INTAKE_EVENT : INTAKE_NOTHING;
}

static void take_task(struct intake *intake)
{
    const struct inbox_task *task = &intake->item->task;
    intake->id_known = task->kind != INBOX_DEAD && (task->kind != INBOX_START || task->has_id);
    intake->id = task->id;
    switch (task->kind) {
    case INBOX_UNREAD:
        check_never("an item without a task");
    case INBOX_START:
        intake->what = INTAKE_START;
        return;
    case INBOX_CHILD:
        intake->what = INTAKE_CHILD;
        return;
    case INBOX_VERB:
        intake->what = INTAKE_EVENT;
        intake->event = task->verb;
        return;
    case INBOX_WATCH:
        intake->what = INTAKE_WATCH;
        return;
    case INBOX_DEAD:
        intake->what = INTAKE_DEAD;
        intake->reason = task->reason;
        return;
    }
}

/* Whoever asks has the definition from the store, so one that is not known here was stored by another
 * instance: it is looked for once. What is wrong then lies with this instance, not with the caller. */
static enum err understand(struct runner *runner, struct inbox_item *item, struct inbox_task *task,
                           struct str *reason)
{
    struct registry *registry = runner->engine->registry;
    struct err_note note = {""};
    struct str body = item->delivery.message.body;
    enum err error = control_read(body, registry, &item->arena, task, reason);
    if (error != ERR_NOT_FOUND)
        return error;
    enum err refreshed = registry_refresh(registry, runner->store, &note);
    if (refreshed == ERR_UNAVAILABLE || refreshed == ERR_UNKNOWN_OUTCOME)
        runner->renew_at_us = 0; /* reconnects */
    error = control_read(body, registry, &item->arena, task, reason);
    return error == ERR_NOT_FOUND ? ERR_UNAVAILABLE : error;
}

/* What it names must live on the shard that was asked: keys are unique because one shard decides them. */
static bool belongs(const struct runner *runner, const struct inbox_item *item, const struct inbox_task *task)
{
    const struct engine_start *start = &task->start;
    if (task->has_id && id_shard(task->id) != item->shard)
        return false;
    return task->kind != INBOX_START || start->key.size == 0 ||
           engine_shard_of_key(runner->engine, start->plan->name, start->key) == item->shard;
}

/* An engine of the version before, which proves nothing, is told to try again: it will be replaced. */
static void refuse_stranger(struct runner *runner, struct intake *intake)
{
    stranger_refuse(STRANGER_PROOF, intake->item->delivery.message.subject);
    finish(runner, intake, BATCH_NO_SAGA, ERR_UNAVAILABLE,
           STR("the request bears no proof of an engine of this database"));
}

static void read_control(struct runner *runner, struct intake *intake)
{
    struct inbox_task task;
    struct str reason = {0};
    struct inbox_item *item = intake->item;
    struct str nonce;
    if (!proof_open(&runner->engine->key, PROOF_ASK, item->shard, item->delivery.message.body, &nonce)) {
        refuse_stranger(runner, intake);
        return;
    }
    item->nonce = nonce;
    enum err error = understand(runner, intake->item, &task, &reason);
    if (error == ERR_OK && !belongs(runner, intake->item, &task)) {
        error = ERR_INVALID;
        reason = STR("what it names lives on another shard");
    }
    if (error != ERR_OK) {
        finish(runner, intake, BATCH_NO_SAGA, error, reason);
        return;
    }
    intake->item->task = task;
    take_task(intake);
}

static void read_delivery(struct runner *runner, struct intake *intake)
{
    switch (intake->item->delivery.source) {
    case BUS_SOURCE_REPLY:
        read_reply(runner, intake);
        return;
    case BUS_SOURCE_ANSWER:
        read_answer(runner, intake);
        return;
    case BUS_SOURCE_CONTROL:
        read_control(runner, intake);
        return;
    case BUS_SOURCE_IN:
    case BUS_SOURCE_CALLED:
        check_never("a delivery that is the router's to read");
    }
}

static void read_item(struct runner *runner, struct intake *intake)
{
    const struct inbox_task *task = &intake->item->task;
    if (task->kind == INBOX_UNREAD)
        read_delivery(runner, intake);
    else if (task->kind == INBOX_DEAD && !inbox_item_is_message(intake->item))
        finish(runner, intake, BATCH_NO_SAGA, ERR_BAD_DATA, task->reason);
    else
        take_task(intake);
}

/* A dead letter is stored with the shard of its item, whatever saga it names. */
static bool owned(struct runner *runner, const struct intake *intake)
{
    bool of_saga = intake->id_known && intake->what != INTAKE_DEAD;
    uint32_t shard = of_saga ? id_shard(intake->id) : intake->item->shard;
    return shard < runner->engine->shard_count && runner->shards[shard].owned;
}

/* Items of shards lost meanwhile: their messages come to the new owner. */
static void refuse_foreign(struct runner *runner, struct intake *intake)
{
    if (intake->what == INTAKE_ANSWERED || intake->what == INTAKE_NOTHING || owned(runner, intake))
        return;
    act_leave(runner, intake->item);
    finish(runner, intake, BATCH_NO_SAGA, ERR_UNAVAILABLE,
           STR("the shard has just moved to another engine; try again"));
}

static struct str key_of(struct arena *arena, struct str definition, struct str key)
{
    return arena_printf(arena, "%.*s/%.*s", STR_ARG(definition), STR_ARG(key));
}

static bool begins(const struct intake *intake)
{
    return intake->what == INTAKE_START || intake->what == INTAKE_CHILD;
}

/* Who has its key already: in the store, or in this very batch. */
static void match_keys(struct runner *runner, struct intake *intakes, uint32_t count,
                       struct store_keyed *found, uint32_t found_count)
{
    struct arena *arena = &runner->batch.arena;
    struct map stored, firsts;
    map_init(&stored);
    map_init(&firsts);
    for (uint32_t i = 0; i < found_count; i++)
        map_set(&stored, key_of(arena, found[i].definition, found[i].key), &found[i]);
    for (uint32_t i = 0; i < count; i++) {
        const struct engine_start *start = &intakes[i].item->task.start;
        if (!begins(&intakes[i]) || start->key.size == 0)
            continue;
        struct str key = key_of(arena, start->plan->name, start->key);
        intakes[i].keyed = map_get(&stored, key);
        intakes[i].first = map_get(&firsts, key);
        if (intakes[i].first == NULL) {
            map_set(&firsts, key, &intakes[i]);
            intakes[i].first = &intakes[i];
        }
    }
    map_fini(&stored);
    map_fini(&firsts);
}

static enum err look_up_keys(struct runner *runner, struct intake *intakes, uint32_t count,
                             struct err_note *note)
{
    struct arena *arena = &runner->batch.arena;
    struct str *definitions = arena_array(arena, count, sizeof *definitions);
    struct str *keys = arena_array(arena, count, sizeof *keys);
    uint32_t asked = 0;
    for (uint32_t i = 0; i < count; i++)
        if (begins(&intakes[i]) && intakes[i].item->task.start.key.size > 0) {
            definitions[asked] = intakes[i].item->task.start.plan->name;
            keys[asked++] = intakes[i].item->task.start.key;
        }
    if (asked == 0)
        return ERR_OK;
    struct store_keyed *found = NULL;
    uint32_t found_count = 0;
    enum err error =
        store_find_keys(runner->store, definitions, keys, asked, arena, &found, &found_count, note);
    if (error != ERR_OK)
        return error;
    match_keys(runner, intakes, count, found, found_count);
    return ERR_OK;
}

static enum err prepare_children(struct runner *runner, struct intake *intakes, uint32_t count,
                                 struct err_note *note)
{
    enum err error = ERR_OK;
    for (uint32_t i = 0; i < count && error == ERR_OK; i++)
        if (intakes[i].what == INTAKE_CHILD)
            error = child_prepare(runner, intakes[i].item, note);
    return error;
}

static bool of_a_saga(const struct intake *intake)
{
    return begins(intake) || intake->what == INTAKE_EVENT || intake->what == INTAKE_WATCH;
}

static enum err load(struct runner *runner, struct intake *intakes, uint32_t count, struct err_note *note)
{
    struct id *ids = arena_array(&runner->batch.arena, count, sizeof *ids);
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < count; i++)
        if (intakes[i].id_known && of_a_saga(&intakes[i]))
            ids[wanted++] = intakes[i].id;
    return recovery_load(runner, ids, wanted, note);
}

/* The database could not be asked: callers are told, messages are tried again in a moment. */
static void give_up(struct runner *runner, struct intake *intakes, uint32_t count, enum err error,
                    const struct err_note *note)
{
    log_warn("batch_not_begun", "why=%s", note->text);
    runner->renew_at_us = 0; /* reconnects */
    runner->again.at_us = engine_clock_us(runner->engine) + again_pause_us;
    for (uint32_t i = 0; i < count; i++) {
        struct inbox_item *item = intakes[i].item;
        if (intakes[i].what == INTAKE_ANSWERED)
            continue;
        if (inbox_item_is_message(item)) {
            runner_try_again(runner, item);
            continue;
        }
        finish(runner, &intakes[i], BATCH_NO_SAGA, error,
               arena_copy(&runner->batch.arena, str_from(note->text)));
    }
}

static void finish_unknown(struct runner *runner, struct intake *intake, const struct resident_entry *entry)
{
    if (entry != NULL && entry->broken)
        finish(runner, intake, BATCH_NO_SAGA, ERR_IO, broken_saga);
    else
        finish(runner, intake, BATCH_NO_SAGA, ERR_NOT_FOUND, STR("there is no saga with this id"));
}

/* Its definition is not loaded here: what comes for it stays where it is, for an engine that has it. */
static bool leave_alone(struct runner *runner, struct intake *intake)
{
    const struct resident_entry *entry =
        intake->id_known ? resident_find(&runner->resident, intake->id) : NULL;
    bool concerns =
        intake->what == INTAKE_EVENT || intake->what == INTAKE_CHILD || intake->what == INTAKE_WATCH;
    if (!concerns || entry == NULL || entry->saga != NULL || !entry->unplanned)
        return false;
    act_leave(runner, intake->item);
    finish(runner, intake, BATCH_NO_SAGA, ERR_UNAVAILABLE,
           STR("the definition of the saga is not loaded by this engine; /readyz says why"));
    return true;
}

static void apply_child(struct runner *runner, struct intake *intake)
{
    struct resident_entry *entry = resident_find(&runner->resident, intake->id);
    struct resident_entry *twin = intake->first != NULL ? intake->first->begun : NULL;
    if (entry == NULL || !entry->broken) {
        intake->begun = child_command(runner, intake->item, entry, intake->keyed, twin);
        return;
    }
    intake->what = INTAKE_DEAD;
    intake->reason = broken_saga;
}

static void apply_event(struct runner *runner, struct intake *intake)
{
    struct resident_entry *entry = resident_find(&runner->resident, intake->id);
    if (entry != NULL && entry->saga != NULL) {
        decide_event(runner, entry, &intake->event, intake->item);
        return;
    }
    if (inbox_item_is_message(intake->item)) {
        intake->what = INTAKE_DEAD;
        intake->reason = entry != NULL && entry->broken ? broken_saga : STR("there is no such saga");
        return;
    }
    finish_unknown(runner, intake, entry);
}

static void apply_watch(struct runner *runner, struct intake *intake)
{
    struct resident_entry *entry = resident_find(&runner->resident, intake->id);
    if (entry == NULL || entry->saga == NULL) {
        finish_unknown(runner, intake, entry);
        return;
    }
    resident_watch(&runner->resident, entry, engine_clock_us(runner->engine) + intake->item->task.timeout_us,
                   intake->item->call);
    intake->item->call.done = NULL;                    /* the watch has it now */
    uint32_t row = batch_touch(&runner->batch, entry); /* looked at again after the commit */
    struct engine_answer none = {.error = ERR_OK};
    batch_finish(&runner->batch, intake->item, row, &none);
}

static void apply(struct runner *runner, struct intake *intake)
{
    if (leave_alone(runner, intake))
        return;
    if (intake->what == INTAKE_EVENT)
        apply_event(runner, intake);
    if (intake->what == INTAKE_START)
        intake->begun = decide_start(runner, intake->item, intake->keyed,
                                     intake->first != NULL ? intake->first->begun : NULL);
    if (intake->what == INTAKE_CHILD)
        apply_child(runner, intake);
    if (intake->what == INTAKE_WATCH)
        apply_watch(runner, intake);
    if (intake->what == INTAKE_NOTHING)
        finish(runner, intake, BATCH_NO_SAGA, ERR_OK, (struct str){0});
    if (intake->what != INTAKE_DEAD)
        return;
    char saga[ID_TEXT_SIZE + 1] = "";
    if (intake->id_known)
        id_format(intake->id, saga);
    decide_dead(runner, intake->item, BATCH_NO_SAGA, arena_copy(&runner->batch.arena, str_from(saga)),
                intake->reason);
}

/* A saga with large bodies, whose transitions may take as much of a commit as all others together. */
static bool is_heavy(const struct resident_entry *entry)
{
    return entry != NULL && entry->saga != NULL && entry->saga->stored_bytes > LIMITS_RECORD_BYTES;
}

/* What a full batch has no room for is read anew with the next; so are the heavy ones that others should not
 * wait for, in their order. */
static void apply_all(struct runner *runner, struct intake *intakes, uint32_t count)
{
    struct batch *batch = &runner->batch;
    struct runner_again rest = {0};
    uint32_t most = batch->record_count + batch->dead_count + runner->batch_most;
    bool full = false;
    for (uint32_t i = 0; i < count; i++) {
        struct intake *it = &intakes[i];
        bool heavy = it->what == INTAKE_EVENT && is_heavy(resident_find(&runner->resident, it->id));
        size_t before = batch->bytes;
        full = full || batch_full(batch) || batch->record_count + batch->dead_count >= most;
        if (it->what == INTAKE_ANSWERED)
            continue;
        if (full || (heavy && batch_heavy_full(batch))) {
            runner_append(&rest, it->item);
            continue;
        }
        apply(runner, it);
        batch->heavy_bytes += heavy ? batch->bytes - before : 0;
    }
    runner_take_back(runner, &rest);
}

void intake_items(struct runner *runner, struct inbox_item *items)
{
    uint32_t count = 0;
    for (struct inbox_item *item = items; item != NULL; item = item->next)
        count++;
    struct intake *intakes = arena_array(&runner->batch.arena, count, sizeof *intakes);
    struct err_note note = {""};
    uint32_t at = 0;
    if (!suspect_take(runner, items, &note)) {
        intakes[0].item = items;
        give_up(runner, intakes, 1, ERR_UNAVAILABLE, &note);
        return;
    }
    for (struct inbox_item *item = items, *next; item != NULL; item = next) {
        next = item->next; /* reading may give the item away */
        intakes[at].item = item;
        read_item(runner, &intakes[at]);
        refuse_foreign(runner, &intakes[at++]);
    }
    failpoint("received");
    enum err error = prepare_children(runner, intakes, count, &note);
    if (error == ERR_OK)
        error = look_up_keys(runner, intakes, count, &note);
    if (error == ERR_OK)
        error = load(runner, intakes, count, &note);
    if (error != ERR_OK) {
        give_up(runner, intakes, count, error, &note);
        return;
    }
    apply_all(runner, intakes, count);
}

/* Due entries leave the heap first, so that all their sagas are loaded in one round trip. */
static uint32_t take_due(struct runner *runner, struct resident_entry **due, uint32_t most)
{
    uint32_t count = 0;
    for (struct heap_item *item = heap_first(&runner->resident.timers);
         item != NULL && count < most && item->due_us <= runner->batch.now_us;
         item = heap_first(&runner->resident.timers)) {
        due[count++] = (struct resident_entry *)((char *)item - offsetof(struct resident_entry, timer));
        heap_remove(&runner->resident.timers, item);
    }
    return count;
}

/* The next timer that is due and not held back; false: none is. While nothing is held, the core chooses. */
static bool next_timer(struct runner *runner, struct resident_entry *entry, struct core_event *event)
{
    for (bool held = false;;) {
        uint16_t step;
        if (core_next(entry->saga, delivery_holds, entry, &step) > runner->batch.now_us)
            return false;
        held = held || delivery_holds_any(entry);
        enum delivery_gate gate =
            step == CORE_NO_STEP ? DELIVERY_FIRE : delivery_gate(runner, entry, step, event);
        if (gate == DELIVERY_TELL)
            return true;
        if (gate == DELIVERY_HOLD)
            continue;
        *event = (struct core_event){.kind = CORE_EVENT_TIMER, .deadline = held && step == CORE_NO_STEP};
        if (held && step != CORE_NO_STEP)
            event->step = core_step_path(entry->saga, step);
        return true;
    }
}

static void look_again(struct runner *runner, struct resident_entry *entry, int64_t pause_us)
{
    heap_set(&runner->resident.timers, &entry->timer, runner->batch.now_us + pause_us);
}

static void fire(struct runner *runner, struct resident_entry *entry)
{
    struct core_event event;
    struct batch *batch = &runner->batch;
    bool heavy = is_heavy(entry), cut = batch_full(batch);
    size_t before = batch->bytes;
    decide_clock(runner, entry);
    while (!core_ended(entry->saga) && !cut &&
           (delivery_verdict(runner, entry, &event) || next_timer(runner, entry, &event))) {
        if (!decide_event(runner, entry, &event, NULL))
            break;
        batch->sagas[decide_row(runner, entry)].timed = true;
        cut = batch_full(batch) || (heavy && batch->bytes - before >= LIMITS_BATCH_HEAVY_BYTES);
    }
    batch->heavy_bytes += heavy ? batch->bytes - before : 0;
    resident_time(&runner->resident, entry);
    if (cut && !core_ended(entry->saga) && delivery_verdict(runner, entry, &event))
        look_again(runner, entry, 0);
}

/* The database does not know the saga: it has lost it, or never took it. */
static void vanish(struct runner *runner, struct resident_entry *entry)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(entry->id, text);
    log_error("saga_vanished", "saga=%s", text);
    act_on_vanished(runner, entry);
}

void intake_timers(struct runner *runner)
{
    uint32_t most = batch_full(&runner->batch) ? 0 : runner->batch_most;
    struct resident_entry **due = arena_array(&runner->batch.arena, most, sizeof *due);
    struct id *ids = arena_array(&runner->batch.arena, most, sizeof *ids);
    uint32_t count = take_due(runner, due, most);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = due[i]->id;
    struct err_note note = {""};
    enum err error = recovery_load(runner, ids, count, &note);
    if (error != ERR_OK) {
        log_warn("timers_wait", "count=%u why=%s", count, note.text);
        runner->renew_at_us = 0; /* reconnects */
    }
    for (uint32_t i = 0; i < count; i++) {
        if (error != ERR_OK)
            look_again(runner, due[i], again_pause_us);
        else if (batch_full(&runner->batch) || (is_heavy(due[i]) && batch_heavy_full(&runner->batch)))
            look_again(runner, due[i], 0);
        else if (due[i]->saga != NULL)
            fire(runner, due[i]);
        else if (due[i]->broken || due[i]->unplanned)
            look_again(runner, due[i], broken_pause_us);
        else
            vanish(runner, due[i]);
    }
}
