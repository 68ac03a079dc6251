/* What a batch promised, carried out: publish, acknowledge, answer, tell who waits. Called by commit.c once
 * the transaction is known to be in, by recovery.c for what is sent again, and by intake.c for what came to
 * nothing. Never before the commit, and never writes to the database. */
#include "engine/runtime/act.h"

#include <stddef.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/ops/failpoint.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"
#include "engine/runtime/control.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/meter.h"
#include "engine/runtime/suspect.h"

/* Between tries of a saga whose own timer leads to rows that the database refuses: somebody must look. */
static const int64_t refused_pause_us = 60 * DURATION_SECOND_US;

/* Runners of one engine may own a shard in turn: an answer must not be taken for one to a command of another.
 */
_Static_assert(LIMITS_RUNNERS_MAX <= 1 << (OUTBOX_NUMBER_BITS - RUNNER_NUMBER_BITS), "index fits");

/* Larger than the server takes, now and always. A command is the fault of its step; what else there is has no
 * step that could fail. */
static void unsendable(struct runner *runner, const struct batch_send *send, const struct err_note *note)
{
    char saga[ID_TEXT_SIZE + 1] = "";
    if (send->step.size > 0)
        id_format(send->saga_id, saga);
    log_error("message_cannot_be_sent", "subject=%.*s bytes=%zu saga=%s step=%.*s why=%s",
              STR_ARG(send->message->subject), send->message->body.size, saga, STR_ARG(send->step),
              note->text);
    metrics_add(METRICS_PUBLISHES, 1, STR("too_large"), METRICS_NO_LABEL);
    if (send->step.size > 0)
        delivery_unsendable(runner, send);
}

/* The proof is no part of what is kept of the message. */
static enum err publish_proven(struct runner *runner, const struct batch_send *send, uint64_t cookie,
                               struct err_note *note)
{
    char proof[HMAC_TEXT_SIZE + 1];
    struct bus_message message = *send->message;
    proof_stamp(&runner->engine->key, &message, proof);
    return bus_publish(runner->engine->bus, &message, send->id, cookie, note);
}

static uint64_t number_of(struct outbox *outbox, const struct batch_send *send,
                          struct delivery_flight *flight)
{
    if (send->loose)
        return OUTBOX_NO_NUMBER;
    if (flight != NULL && flight->refusal != NULL)
        return outbox_take_again(outbox, clock_monotonic_us(), flight);
    return outbox_take(outbox, send->lsn, clock_monotonic_us(), flight);
}

void act_send(struct runner *runner, const struct batch_send *send, bool again)
{
    if (send->request) {
        asking_send(runner, send, again);
        return;
    }
    struct outbox *outbox = &runner->shards[send->shard].outbox;
    struct delivery_flight *flight = delivery_enter(runner, send, again);
    if (refusal_waits(runner, send, flight))
        return;
    uint64_t number = number_of(outbox, send, flight);
    struct err_note note;
    uint64_t cookie = (uint64_t)send->shard << OUTBOX_NUMBER_BITS | number;
    enum err error = send->proven ? publish_proven(runner, send, cookie, &note)
                                  : bus_publish(runner->engine->bus, send->message, send->id, cookie, &note);
    if (error == ERR_OK) {
        delivery_handed(runner, flight);
        return;
    }
    (void)outbox_answer(outbox, number, error == ERR_LIMIT); /* then it is not sent again */
    if (error != ERR_LIMIT)
        return;
    unsendable(runner, send, &note);
    if (send->instead != NULL)
        act_send(runner,
                 &(struct batch_send){.saga = send->saga,
                                      .shard = send->shard,
                                      .lsn = send->lsn,
                                      .id = send->id,
                                      .message = send->instead,
                                      .proven = send->proven,
                                      .loose = send->loose},
                 again);
}

void act_tell(struct runner *runner, struct inbox_item *item, const struct engine_answer *answer)
{
    if (item->call.done != NULL)
        item->call.done(item->call.context, answer);
    item->call.done = NULL;
    if (item->origin == INBOX_CALLER || inbox_item_is_message(item) || item->delivery.ack.size == 0)
        return;
    struct str text = control_write_answer(answer, &item->arena);
    if (item->nonce.size > 0)
        text = proof_seal(&runner->engine->key, PROOF_ANSWER, item->shard, item->nonce, text, &item->arena);
    if (bus_answer(runner->engine->bus, item->delivery.ack, text) != ERR_OK)
        meter_answer_lost();
    item->delivery.ack = (struct str){0}; /* who asked was told */
}

void act_answer(struct runner *runner, struct inbox_item *item, const struct engine_answer *answer)
{
    act_tell(runner, item, answer);
    if (item->delivery.ack.size > 0)
        bus_ack(runner->engine->bus, item->delivery.ack);
    inbox_item_free(item);
}

void act_leave(struct runner *runner, struct inbox_item *item)
{
    if (!inbox_item_is_message(item))
        return;
    if (item->delivery.source == BUS_SOURCE_IN && item->delivery.ack.size > 0)
        bus_give_back(runner->engine->bus, item->delivery.ack, inbox_item_back_off_us(item));
    item->delivery.ack = (struct str){0};
}

static bool stored(const struct batch *batch, uint32_t saga)
{
    return saga == BATCH_NO_SAGA || !batch->sagas[saga].rejected;
}

static void publish(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    failpoint("before_publish");
    for (uint32_t i = 0; i < batch->send_count; i++) {
        const struct batch_send *send = &batch->sends[i];
        if (!stored(batch, send->saga))
            continue;
        if (runner->shards[send->shard].outbox.behind)
            (void)delivery_enter(runner, send, false); /* it has not left: its time does not run */
        else
            act_send(runner, send, false);
    }
    for (uint32_t i = 0; i < batch->shard_count; i++) {
        struct runner_shard *shard = &runner->shards[batch->shards[i]];
        if (!shard->outbox.behind)
            outbox_sent(&shard->outbox, shard->store.last_lsn);
    }
    failpoint("after_publish");
}

/* A message is never dropped: it becomes a dead letter of one of the next batches. */
static void bury(struct runner *runner, struct inbox_item *item, struct str reason)
{
    item->task = (struct inbox_task){
        .kind = INBOX_DEAD,
        .reason = arena_printf(&item->arena, "the database refused what it led to: %.*s", STR_ARG(reason))};
    runner_try_again(runner, item);
}

/* The database refused the saga's rows. Among several items, or beside the saga's own timer, the culprit is
 * not known, so each item is tried in a batch of its own. */
static void answer_refused(struct runner *runner, struct batch_done *done)
{
    struct inbox_item *item = done->item;
    const struct batch_saga *saga = &runner->batch.sagas[done->saga];
    bool doubtful = saga->item_count > 1 || saga->timed;
    if (doubtful && !item->alone && item->task.kind != INBOX_WATCH) {
        item->alone = true;
        runner_try_again(runner, item);
    } else if (inbox_item_is_message(item)) {
        bury(runner, item, saga->reason);
    } else {
        done->answer.error = ERR_BAD_DATA;
        done->answer.message = STR("the database refused a value of this saga; nothing of it was stored");
        act_answer(runner, item, &done->answer);
    }
}

static void answer_items(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    failpoint("before_ack");
    for (uint32_t i = 0; i < batch->done_count; i++) {
        struct batch_done *done = &batch->done[i];
        if (stored(batch, done->saga))
            act_answer(runner, done->item, &done->answer);
        else
            answer_refused(runner, done);
    }
    bus_flush(runner->engine->bus);
    failpoint("after_ack");
}

static bool at_rest(const struct core_saga *saga)
{
    return core_ended(saga) || saga->status == CORE_PARKED;
}

static void answer_watch(struct runner *runner, struct resident_watch *watch, enum err error, const char *why)
{
    const struct core_saga *saga = watch->entry->saga;
    struct engine_answer answer = {.error = error, .message = str_from(why), .id = watch->entry->id};
    answer.status = saga == NULL || error != ERR_OK ? CORE_RUNNING : saga->status;
    answer.seq = saga == NULL || error != ERR_OK ? 0 : saga->seq;
    struct engine_call call = watch->call;
    resident_unwatch(&runner->resident, watch);
    call.done(call.context, &answer);
}

void act_on_watches(struct runner *runner, struct resident_entry *entry)
{
    while (entry->watches != NULL && entry->saga != NULL && at_rest(entry->saga))
        answer_watch(runner, entry->watches, ERR_OK, "");
}

void act_on_late_watches(struct runner *runner)
{
    int64_t now_us = engine_clock_us(runner->engine);
    bool away = runner->commit.open; /* memory may be ahead of the database: it says nothing then */
    for (struct heap_item *item = heap_first(&runner->resident.watches);
         item != NULL && item->due_us <= now_us; item = heap_first(&runner->resident.watches))
        answer_watch(runner,
                     (struct resident_watch *)((char *)item - offsetof(struct resident_watch, deadline)),
                     away ? ERR_UNAVAILABLE : ERR_OK, away ? "PostgreSQL is away; try again" : "");
}

void act_on_vanished(struct runner *runner, struct resident_entry *entry)
{
    while (entry->watches != NULL)
        answer_watch(runner, entry->watches, ERR_NOT_FOUND, "the database does not hold this saga");
    delivery_forget(runner, entry);
    resident_forget(&runner->resident, entry);
}

/* The batch holds nothing of this saga after all. due_us: when it is looked at again. */
static void fall_back(struct runner *runner, const struct batch_saga *saga, int64_t due_us)
{
    struct resident_entry *entry = saga->entry;
    if (!saga->changed)
        return;
    if (!saga->created) {
        resident_fall_back(&runner->resident, entry, due_us);
        return;
    }
    act_on_vanished(runner, entry);
}

static void settle_sagas(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    for (uint32_t i = 0; i < batch->saga_count; i++) {
        struct resident_entry *entry = batch->sagas[i].entry;
        if (batch->sagas[i].rejected) { /* without an item its own timer led to it, and would at once again */
            fall_back(runner, &batch->sagas[i],
                      batch->now_us + (batch->sagas[i].item_count > 0 ? 0 : refused_pause_us));
            continue;
        }
        if (entry->saga != NULL)
            delivery_review(runner, entry);
        act_on_watches(runner, entry);
        if (entry->saga != NULL && core_ended(entry->saga) && entry->watches == NULL)
            resident_forget(&runner->resident, entry);
    }
}

/* A reply, or a service's answer: those bear the subject that was asked. */
static bool is_reply(struct str subject)
{
    return str_starts(subject, STR("saga.reply.")) || !str_starts(subject, STR("saga."));
}

/* One that stands with a refused saga is none: its message is tried again. */
static bool buried(struct runner *runner, const struct store_dead_letter *letter)
{
    if (letter->with == NULL)
        return true;
    const struct resident_entry *entry = resident_find(&runner->resident, *letter->with);
    check(entry != NULL && entry->batch == runner->batch.number);
    return stored(&runner->batch, entry->batch_index);
}

static void count(struct runner *runner)
{
    const struct batch *batch = &runner->batch;
    for (uint32_t i = 0; i < batch->move_count; i++) {
        const struct batch_move *move = &batch->moves[i];
        if (stored(batch, move->saga))
            meter_transition(move->plan, move->record, move->before, move->after);
    }
    for (uint32_t i = 0; i < batch->dead_count; i++)
        if (buried(runner, &batch->dead[i]))
            meter_dead(is_reply(batch->dead[i].subject));
}

void act_on_batch(struct runner *runner)
{
    publish(runner);
    count(runner); /* before the items go, from which the batch borrows its texts */
    suspect_over(runner);
    answer_items(runner);
    settle_sagas(runner);
}

void act_on_failure(struct runner *runner, enum err error, const char *why)
{
    struct batch *batch = &runner->batch;
    for (uint32_t i = 0; i < batch->done_count; i++) {
        struct inbox_item *item = batch->done[i].item;
        struct engine_answer answer = {
            .error = error, .message = str_from(why), .id = batch->done[i].answer.id};
        if (!runner_shard(runner, item->shard)->lost && item->task.kind != INBOX_WATCH) {
            runner_try_again(runner, item);
            continue;
        }
        act_leave(runner, item);
        act_answer(runner, item, &answer);
    }
    for (uint32_t i = 0; i < batch->saga_count; i++)
        fall_back(runner, &batch->sagas[i], batch->now_us);
}
