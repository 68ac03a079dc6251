#include "engine/runtime/act.h"

#include <stddef.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/ops/failpoint.h"
#include "engine/runtime/control.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/meter.h"

static struct str cookie_key(const uint64_t *cookie)
{
    return (struct str){(const char *)cookie, sizeof *cookie};
}

/* A plain request has no broker that keeps it: once handed out it counts as sent, and its loss is found by
 * the attempt's deadline. */
static void ask(struct runner *runner, const struct batch_send *send)
{
    struct runner_asked *asked = memory_new(1, sizeof *asked);
    *asked =
        (struct runner_asked){.cookie = (uint64_t)send->shard << OUTBOX_NUMBER_BITS | ++runner->next_cookie,
                              .saga = send->saga_id,
                              .step = send->step,
                              .kind = send->kind,
                              .attempt = send->attempt,
                              .action = send->action};
    struct err_note note;
    if (bus_request(runner->engine->bus, send->message, send->timeout_us, asked->cookie, &note) == ERR_OK)
        map_set(&runner->asked, cookie_key(&asked->cookie), asked);
    else
        memory_free(asked); /* the attempt's deadline handles it like any lost command */
}

void act_send(struct runner *runner, const struct batch_send *send)
{
    if (send->request) {
        ask(runner, send);
        return;
    }
    struct outbox *outbox = &runner->shards[send->shard].outbox;
    uint64_t number = outbox_take(outbox, send->lsn, clock_monotonic_us());
    struct err_note note;
    uint64_t cookie = (uint64_t)send->shard << OUTBOX_NUMBER_BITS | number;
    if (bus_publish(runner->engine->bus, send->message, send->id, cookie, &note) != ERR_OK)
        (void)outbox_answer(outbox, number, false);
}

void act_answer(struct runner *runner, struct inbox_item *item, const struct engine_answer *answer)
{
    struct bus *bus = runner->engine->bus;
    if (item->call.done != NULL)
        item->call.done(item->call.context, answer);
    if (item->control_ack.size > 0) {
        struct str text = control_write_answer(answer, &item->arena);
        if (bus_answer(bus, item->control_ack, text) != ERR_OK)
            meter_answer_lost();
    }
    if (item->kind == INBOX_MESSAGE && item->delivery.source == BUS_SOURCE_CONTROL)
        item->delivery.ack = (struct str){0};
    if (item->delivery.ack.size > 0 && item->control_ack.size == 0)
        bus_ack(bus, item->delivery.ack);
    if (item->message_ack.size > 0)
        bus_ack(bus, item->message_ack);
    inbox_item_free(item);
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
        if (stored(batch, send->saga) && !runner->shards[send->shard].outbox.behind)
            act_send(runner, send);
    }
    for (uint32_t i = 0; i < batch->shard_count; i++) {
        struct runner_shard *shard = &runner->shards[batch->shards[i]];
        if (!shard->outbox.behind)
            outbox_sent(&shard->outbox, shard->store.last_lsn);
    }
    failpoint("after_publish");
}

static void answer_items(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    failpoint("before_ack");
    for (uint32_t i = 0; i < batch->done_count; i++) {
        struct batch_done *done = &batch->done[i];
        if (!stored(batch, done->saga)) {
            done->answer.error = ERR_BAD_DATA;
            done->answer.message = STR("the database refused a value of this saga; nothing of it was stored");
        }
        act_answer(runner, done->item, &done->answer);
    }
    bus_flush(runner->engine->bus);
    failpoint("after_ack");
}

static bool at_rest(const struct core_saga *saga)
{
    return core_ended(saga) || saga->status == CORE_PARKED;
}

static void answer_watch(struct runner *runner, struct resident_watch *watch)
{
    const struct core_saga *saga = watch->entry->saga;
    struct engine_answer answer = {.error = ERR_OK, .id = watch->entry->id};
    answer.status = saga == NULL ? CORE_RUNNING : saga->status;
    answer.seq = saga == NULL ? 0 : saga->seq;
    struct engine_call call = watch->call;
    resident_unwatch(&runner->resident, watch);
    call.done(call.context, &answer);
}

void act_on_watches(struct runner *runner, struct resident_entry *entry)
{
    while (entry->watches != NULL && entry->saga != NULL && at_rest(entry->saga))
        answer_watch(runner, entry->watches);
}

void act_on_late_watches(struct runner *runner)
{
    int64_t now_us = runner_now_us(runner);
    for (struct heap_item *item = heap_first(&runner->resident.watches);
         item != NULL && item->due_us <= now_us; item = heap_first(&runner->resident.watches))
        answer_watch(runner,
                     (struct resident_watch *)((char *)item - offsetof(struct resident_watch, deadline)));
}

static void settle_sagas(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    for (uint32_t i = 0; i < batch->saga_count; i++) {
        struct resident_entry *entry = batch->sagas[i].entry;
        if (batch->sagas[i].rejected) {
            resident_unload(&runner->resident,
                            entry); /* memory is ahead of the database: load it again when needed */
            continue;
        }
        act_on_watches(runner, entry);
        if (entry->saga != NULL && core_ended(entry->saga) && entry->watches == NULL)
            resident_forget(&runner->resident, entry);
    }
}

void act_on_batch(struct runner *runner)
{
    publish(runner);
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
        item->message_ack = (struct str){0};
        item->delivery.ack = (struct str){0};
        act_answer(runner, item, &answer);
    }
    for (uint32_t i = 0; i < batch->saga_count; i++)
        resident_unload(&runner->resident, batch->sagas[i].entry);
}
