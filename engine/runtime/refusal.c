/* Commands that the broker has no room for, held in a queue for each subject and tried one at a time. Called
 * by act.c and answers.c, and by the runner's turn. Never puts the shard behind for one participant's sake,
 * and never lets the mark pass what it holds. */
#include "engine/runtime/refusal.h"

#include <string.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/recovery.h"

/* A round trip to the database for each turn that tries, so many sagas read. */
enum { WINDOW_MOST = 64, TRIES_MOST = 4 };
static const int64_t pause_us = 200000; /* between tries, doubled with each that is refused: to 3.2 s */

void refusal_init(struct refusals *refusals)
{
    *refusals = (struct refusals){.try_us = INT64_MAX};
    map_init(&refusals->queues);
}

void refusal_fini(struct refusals *refusals)
{
    while (refusals->all != NULL) {
        struct refusal_queue *queue = refusals->all;
        check(queue->count == 0);
        refusals->all = queue->next;
        memory_free(queue);
    }
    map_fini(&refusals->queues);
}

static struct refusal_queue *queue_of(struct runner *runner, const struct plan_action *action)
{
    struct refusals *refusals = &runner->refusals;
    struct refusal_queue *queue = map_get(&refusals->queues, action->command);
    if (queue != NULL)
        return queue;
    queue = memory_new(1, sizeof *queue + action->command.size);
    char *text = (char *)(queue + 1);
    memcpy(text, action->command.data, action->command.size);
    *queue =
        (struct refusal_queue){.next = refusals->all,
                               .runner = runner,
                               .participant = backlog_find(&runner->engine->backlog, action->participant),
                               .command = {text, action->command.size}};
    refusals->all = queue;
    map_set(&refusals->queues, queue->command, queue);
    return queue;
}

static void try_at(struct refusal_queue *queue, int64_t at_us)
{
    struct refusals *refusals = &queue->runner->refusals;
    queue->try_us = at_us;
    if (at_us < refusals->try_us)
        refusals->try_us = at_us;
}

/* One of those tried together has come to an end. With the last of them it is known when to go on. */
static void settle(struct refusal_queue *queue, bool taken)
{
    int64_t now_us = engine_clock_us(queue->runner->engine);
    queue->out_count--;
    queue->taken = queue->taken || taken;
    queue->refused = queue->refused || !taken;
    if (queue->out_count > 0)
        return;
    queue->tries = queue->taken ? 0 : queue->tries < TRIES_MOST ? queue->tries + 1 : TRIES_MOST;
    queue->window = queue->refused ? 1 : queue->window < WINDOW_MOST ? queue->window * 2 : WINDOW_MOST;
    try_at(queue, queue->refused ? now_us + (pause_us << queue->tries) : now_us);
    queue->taken = queue->refused = false;
}

static void join(struct refusal_queue *queue, struct refusal *kept)
{
    kept->before = queue->last;
    kept->after = NULL;
    *(queue->last != NULL ? &queue->last->after : &queue->first) = kept;
    queue->last = kept;
}

static void leave(struct refusal_queue *queue, const struct refusal *kept)
{
    *(kept->before != NULL ? &kept->before->after : &queue->first) = kept->after;
    *(kept->after != NULL ? &kept->after->before : &queue->last) = kept->before;
}

/* False: its shard holds too many. */
static bool keep(struct refusal_queue *queue, struct outbox *outbox, int64_t lsn,
                 struct delivery_flight *flight)
{
    struct runner *runner = queue->runner;
    struct refusal *kept = memory_new(1, sizeof *kept);
    if (!outbox_hold(outbox, &kept->held, lsn)) {
        memory_free(kept);
        return false;
    }
    int64_t now_us = engine_clock_us(runner->engine);
    kept->queue = queue;
    kept->flight = flight;
    kept->outbox = outbox;
    kept->since_us = now_us;
    join(queue, kept);
    queue->count++;
    runner->refusals.count++;
    flight->refusal = kept;
    delivery_refused(runner, flight);
    backlog_held(&runner->engine->backlog, queue->participant, queue->command, 1, now_us);
    return true;
}

void refusal_end(struct delivery_flight *flight)
{
    struct refusal *kept = flight->refusal;
    if (kept == NULL)
        return;
    struct refusal_queue *queue = kept->queue;
    struct runner *runner = queue->runner;
    outbox_let_go(kept->outbox, &kept->held);
    leave(queue, kept);
    queue->count--;
    runner->refusals.count--;
    if (kept->out)
        settle(queue, true);
    flight->refusal = NULL;
    memory_free(kept);
    backlog_held(&runner->engine->backlog, queue->participant, queue->command, -1,
                 engine_clock_us(runner->engine));
}

bool refusal_waits(struct runner *runner, const struct batch_send *send, struct delivery_flight *flight)
{
    if (runner->refusals.count == 0 || flight == NULL)
        return false;
    if (flight->refusal != NULL)
        return !flight->refusal->out;
    struct refusal_queue *queue = map_get(&runner->refusals.queues, send->action->command);
    return queue != NULL && queue->count > 0 &&
           keep(queue, &runner->shards[send->shard].outbox, send->lsn, flight);
}

/* Refused for the first time. */
static bool refused(struct runner *runner, const struct outbox_slot *slot)
{
    struct delivery_flight *flight = slot->flight;
    const struct plan_action *action = delivery_action(flight);
    if (flight->refusal != NULL)
        return true;
    if (action == NULL)
        return false; /* the saga has left memory */
    struct refusal_queue *queue = queue_of(runner, action);
    if (!keep(queue, &runner->shards[flight->shard].outbox, slot->lsn, flight))
        return false;
    if (queue->count == 1) {
        queue->tries = 0;
        queue->window = 1;
        try_at(queue, engine_clock_us(runner->engine) + pause_us);
    }
    return true;
}

/* What came of a try. */
static void tried(struct refusal *kept, const struct runner_answer *answer)
{
    if (answer->error == ERR_OK || answer->error == ERR_LIMIT) {
        refusal_end(kept->flight);
        return;
    }
    kept->out = false;
    settle(kept->queue, false);
}

bool refusal_answered(struct runner *runner, const struct outbox_slot *slot,
                      const struct runner_answer *answer)
{
    struct delivery_flight *flight = slot->flight;
    if (flight == NULL)
        return false;
    if (slot->again) {
        if (flight->refusal != NULL)
            tried(flight->refusal, answer);
        return true;
    }
    return answer->subject_full && (flight->entry == NULL || refused(runner, slot));
}

/* What is to be tried now: copies, for the flights may go while their sagas are read. */
struct picks {
    struct recovery_command commands[WINDOW_MOST];
    uint32_t count;
};

static bool is_ripe(const struct refusal *kept)
{
    return !kept->out && !kept->outbox->behind && kept->flight->verdict.size == 0;
}

static void pick(struct refusal_queue *queue, struct picks *picks)
{
    struct refusal *kept = queue->first;
    for (; kept != NULL && queue->out_count < queue->window && picks->count < WINDOW_MOST;
         kept = kept->after) {
        const struct delivery_flight *flight = kept->flight;
        if (!is_ripe(kept))
            continue;
        kept->out = true;
        queue->out_count++;
        picks->commands[picks->count++] = (struct recovery_command){.saga = flight->entry->id,
                                                                    .lsn = kept->held.due_us,
                                                                    .step = flight->step,
                                                                    .kind = flight->kind,
                                                                    .attempt = flight->attempt};
    }
}

/* Those that were not handed over after all, because their saga cannot be read now or NATS is away, let
 * others go first. */
static void take_back_unsent(struct runner *runner, const struct picks *picks)
{
    for (uint32_t i = 0; i < picks->count; i++) {
        const struct recovery_command *command = &picks->commands[i];
        const struct resident_entry *entry = resident_find(&runner->resident, command->saga);
        struct delivery_flight *flight =
            entry == NULL ? NULL : delivery_find(entry, command->step, command->kind, command->attempt);
        struct refusal *kept = flight == NULL ? NULL : flight->refusal;
        if (kept == NULL || !kept->out || flight->open > 0)
            continue;
        kept->out = false;
        leave(kept->queue, kept);
        join(kept->queue, kept);
        settle(kept->queue, false);
    }
}

/* The first one comes last the next time: none takes all the turns. */
static void rotate(struct refusals *refusals)
{
    struct refusal_queue **last = &refusals->all;
    struct refusal_queue *first = refusals->all;
    while (*last != NULL)
        last = &(*last)->next;
    *last = first;
    refusals->all = first->next;
    first->next = NULL;
}

static void try_again(struct runner *runner, int64_t now_us)
{
    struct picks picks = {.count = 0};
    struct err_note note = {""};
    for (struct refusal_queue *queue = runner->refusals.all; queue != NULL; queue = queue->next)
        if (queue->count > 0 && queue->try_us <= now_us && picks.count < WINDOW_MOST) {
            queue->try_us = now_us + pause_us; /* or with the answers to these */
            pick(queue, &picks);
        }
    rotate(&runner->refusals);
    if (picks.count == 0)
        return;
    atomic_store(&runner->starved, true); /* their answers are waited for */
    if (recovery_send(runner, picks.commands, picks.count, &note) != ERR_OK)
        log_warn("resend_failed", "commands=%u why=%s", picks.count, note.text);
    take_back_unsent(runner, &picks);
    bus_flush(runner->engine->bus);
}

void refusal_turn(struct runner *runner)
{
    struct refusals *refusals = &runner->refusals;
    int64_t now_us = engine_clock_us(runner->engine);
    if (refusals->count > 0 && now_us < refusals->try_us)
        return;
    refusals->try_us = INT64_MAX;
    if (refusals->count == 0)
        return;
    if (atomic_load(&runner->engine->bus_connected))
        try_again(runner, now_us);
    else
        refusals->try_us = now_us + pause_us;
    for (const struct refusal_queue *queue = refusals->all; queue != NULL; queue = queue->next)
        if (queue->count > 0 && queue->try_us > now_us && queue->try_us < refusals->try_us)
            refusals->try_us = queue->try_us;
}
