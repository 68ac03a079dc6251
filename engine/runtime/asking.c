/* Plain requests of one runner (`via: request`): their tickets, their answers, and those that nobody took.
 * Called by act.c to send, by intake.c to read an answer, by the runner's turn for time. Never decides about
 * a saga: an answer becomes an event like any reply. */
#include "engine/runtime/asking.h"

#include <stddef.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"
#include "engine/bus/stranger.h"
#include "engine/bus/ticket.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/recovery.h"

static const int64_t again_pause_us = 100000; /* while the database cannot be asked */
enum { MARGIN_PARTS = 20 };                   /* the last try comes so long before the end: a twentieth, */
static const int64_t margin_most_us = 100000; /* which is enough for an answer that nobody is there */

/* One block of memory: itself, the ticket, the message and its texts. */
struct asked {
    struct heap_item due;
    struct str ticket;
    struct ticket read; /* borrows from it */
    int64_t end_us;     /* monotonic, like those below: of its attempt */
    int64_t last_us;    /* of the last try */
    uint32_t tries;
    bool out;       /* handed out, and nobody has said that it reached nobody */
    bool over;      /* it will not be tried again */
    enum err error; /* why it is not out: nobody there, NATS away (CLOSED), or never (LIMIT) */
    bool again;     /* an owner before may have handed it out: it may have reached somebody */
    bool kept;      /* the message is here */
    size_t bytes;
    struct bus_message message;
};

void asking_init(struct asking *asking)
{
    *asking = (struct asking){.bytes = 0};
    map_init(&asking->tickets);
    heap_init(&asking->due);
}

static void forget(struct asking *asking, struct asked *asked)
{
    (void)map_remove(&asking->tickets, asked->ticket);
    heap_remove(&asking->due, &asked->due);
    asking->bytes -= asked->bytes;
    memory_free(asked);
}

void asking_fini(struct asking *asking)
{
    size_t cursor = 0;
    for (struct asked *asked = map_next(&asking->tickets, &cursor); asked != NULL;
         asked = map_next(&asking->tickets, &cursor))
        forget(asking, asked);
    map_fini(&asking->tickets);
    heap_fini(&asking->due);
}

static char *put(char *room, struct str from, struct str *to)
{
    if (from.size > 0)
        memcpy(room, from.data, from.size);
    *to = (struct str){room, from.size};
    return room + from.size;
}

static size_t texts_size(const struct bus_message *message)
{
    size_t size = message->subject.size + message->body.size;
    for (uint32_t i = 0; i < message->header_count; i++)
        size += message->headers[i].name.size + message->headers[i].value.size;
    return size;
}

static void keep_message(struct asked *asked, char *room, const struct bus_message *message)
{
    asked->kept = true;
    room = put(room, message->subject, &asked->message.subject);
    room = put(room, message->body, &asked->message.body);
    asked->message.header_count = message->header_count;
    for (uint32_t i = 0; i < message->header_count; i++) {
        room = put(room, message->headers[i].name, &asked->message.headers[i].name);
        room = put(room, message->headers[i].value, &asked->message.headers[i].value);
    }
}

static int64_t margin_us(int64_t timeout_us)
{
    int64_t part_us = timeout_us / MARGIN_PARTS;
    return part_us < margin_most_us ? part_us : margin_most_us;
}

/* Known from now on, until it is answered or its attempt is over. */
static struct asked *keep(struct runner *runner, const struct batch_send *send, struct str ticket, bool again)
{
    struct asking *asking = &runner->asking;
    size_t texts = texts_size(send->message);
    bool fits = asking->bytes + texts <= ASKING_BYTES;
    size_t size = sizeof(struct asked) + ticket.size + (fits ? texts : 0);
    struct asked *asked = memory_new(1, size);
    char *room = put((char *)(asked + 1), ticket, &asked->ticket);
    bool read = ticket_read(asked->ticket, &runner->engine->asking_key, &asked->read);
    check(read);
    if (fits)
        keep_message(asked, room, send->message);
    asked->again = again;
    asked->bytes = fits ? texts : 0;
    asked->end_us = timekeeper_when(&runner->time, send->due_us);
    asked->last_us = asked->end_us - margin_us(send->timeout_us);
    asking->bytes += asked->bytes;
    check(map_set(&asking->tickets, asked->ticket, asked) == NULL);
    return asked;
}

static int64_t pause_us(struct runner *runner, uint32_t tries)
{
    int64_t most_us = ASKING_FIRST_US;
    for (uint32_t i = 1; i < tries && most_us < ASKING_MOST_US; i++)
        most_us *= 2;
    most_us = most_us < ASKING_MOST_US ? most_us : ASKING_MOST_US;
    return most_us / 2 + (int64_t)rng_below(&runner->rng, (uint64_t)(most_us / 2) + 1);
}

/* Nobody got it: once more, a last time shortly before its attempt ends, or not at all. */
static void put_off(struct runner *runner, struct asked *asked, enum err error)
{
    int64_t now_us = engine_clock_us(runner->engine);
    int64_t next_us = now_us + pause_us(runner, asked->tries);
    if (next_us > asked->last_us)
        next_us = asked->last_us;
    asked->out = false;
    asked->error = error;
    asked->over = !asked->kept || next_us <= now_us || error == ERR_LIMIT;
    heap_set(&runner->asking.due, &asked->due, asked->over ? now_us : next_us);
}

static void try_now(struct runner *runner, struct asked *asked, const struct bus_message *message)
{
    struct err_note note;
    enum err error = bus_request(runner->engine->bus, message, asked->ticket, &note);
    asked->tries++;
    if (error == ERR_LIMIT || error == ERR_INVALID) {
        put_off(runner, asked, ERR_LIMIT);
    } else if (error != ERR_OK) {
        put_off(runner, asked, ERR_CLOSED);
    } else {
        asked->out = true;
        heap_set(&runner->asking.due, &asked->due, asked->end_us);
    }
}

void asking_send(struct runner *runner, const struct batch_send *send, bool again)
{
    struct asking *asking = &runner->asking;
    struct ticket ticket = {.saga = send->saga_id,
                            .step = send->step,
                            .kind = send->kind,
                            .attempt = send->attempt,
                            .command = send->message->subject};
    struct str text = ticket_write(&ticket, &runner->engine->asking_key, &runner->batch.arena);
    struct err_note note;
    if (map_get(&asking->tickets, text) != NULL)
        return;
    if (asking->tickets.count < ASKING_COUNT)
        try_now(runner, keep(runner, send, text, again), send->message);
    else /* its attempt's timer finds what becomes of it */
        (void)bus_request(runner->engine->bus, send->message, text, &note);
}

bool asking_read(struct runner *runner, struct inbox_item *item, struct core_event *event, struct id *saga)
{
    const struct bus_delivery *delivery = &item->delivery;
    struct ticket ticket;
    if (!ticket_read(delivery->identity, &runner->engine->asking_key, &ticket)) {
        stranger_refuse(STRANGER_PROOF, delivery->message.subject);
        return false;
    }
    *saga = ticket.saga;
    struct asked *asked = map_get(&runner->asking.tickets, delivery->identity);
    if (delivery->error == ERR_UNAVAILABLE && !item->given_up) {
        if (asked == NULL || !asked->out)
            return false;
        put_off(runner, asked, ERR_UNAVAILABLE);
        if (!asked->over || asked->again)
            return false;
        item->given_up = true; /* if it has to be read once more */
    }
    if (asked != NULL)
        forget(&runner->asking, asked);
    envelope_answer(delivery, &ticket, &runner->batch.arena, event);
    return true;
}

void asking_label(struct inbox_item *item, const struct siphash_key *key)
{
    struct bus_message *message = &item->delivery.message;
    struct ticket ticket;
    if (item->origin != INBOX_DELIVERY || item->delivery.source != BUS_SOURCE_ANSWER ||
        !ticket_read(item->delivery.identity, key, &ticket))
        return;
    message->subject = ticket.command;
    if (message->header_count < BUS_HEADERS_MAX && bus_header(message, STR("Saga-Command")).size == 0)
        bus_header_add(
            message, STR("Saga-Command"),
            envelope_command_id(&item->arena, ticket.saga, ticket.step, ticket.kind, ticket.attempt));
}

/* What says that nobody took it, in the place of an answer. */
static struct inbox_item *give_up(struct runner *runner, struct asked *asked)
{
    struct inbox_item *item = inbox_item_new(INBOX_DELIVERY, INBOX_UNREAD, asked->ticket.size);
    item->shard = id_shard(asked->read.saga);
    item->given_up = true;
    item->delivery = (struct bus_delivery){.source = BUS_SOURCE_ANSWER,
                                           .shard = item->shard,
                                           .identity = arena_copy(&item->arena, asked->ticket),
                                           .error = asked->error,
                                           .delivery_count = 1};
    forget(&runner->asking, asked);
    return item;
}

static uint32_t take_due(struct runner *runner, int64_t now_us, struct asked **due, uint32_t most)
{
    struct heap *heap = &runner->asking.due;
    uint32_t count = 0;
    for (struct heap_item *first = heap_first(heap); first != NULL && count < most && first->due_us <= now_us;
         first = heap_first(heap)) {
        due[count++] = (struct asked *)((char *)first - offsetof(struct asked, due));
        heap_remove(heap, first);
    }
    return count;
}

/* Whether its saga still waits for this attempt: a command that it does not want any more must not go out. */
static bool is_wanted(struct runner *runner, const struct asked *asked)
{
    const struct resident_entry *entry = resident_find(&runner->resident, asked->read.saga);
    return entry != NULL && entry->saga != NULL &&
           core_outstanding(entry->saga, core_find(entry->saga, asked->read.step), asked->read.kind,
                            asked->read.attempt);
}

static void try_again(struct runner *runner, struct asked *asked)
{
    if (!is_wanted(runner, asked))
        forget(&runner->asking, asked);
    else
        try_now(runner, asked, &asked->message);
}

/* Those that are to be tried again have their sagas loaded, all in one round trip. */
static void try_all(struct runner *runner, struct asked **asked, uint32_t count)
{
    struct id *ids = arena_array(&runner->batch.arena, count, sizeof *ids);
    struct err_note note = {""};
    for (uint32_t i = 0; i < count; i++)
        ids[i] = asked[i]->read.saga;
    enum err error = recovery_load(runner, ids, count, &note);
    for (uint32_t i = 0; i < count; i++) {
        if (error != ERR_OK)
            heap_set(&runner->asking.due, &asked[i]->due, engine_clock_us(runner->engine) + again_pause_us);
        else
            try_again(runner, asked[i]);
    }
    if (error != ERR_OK)
        runner->renew_at_us = 0; /* reconnects */
}

struct inbox_item *asking_turn(struct runner *runner)
{
    uint32_t most = runner->engine->options.batch_events, again = 0;
    int64_t now_us = engine_clock_us(runner->engine);
    struct inbox_item *items = NULL;
    if (asking_next_us(&runner->asking) > now_us)
        return NULL;
    struct asked **due = arena_array(&runner->batch.arena, most, sizeof *due);
    uint32_t count = take_due(runner, now_us, due, most);
    for (uint32_t i = 0; i < count; i++) {
        if (!due[i]->out && !due[i]->over && now_us < due[i]->end_us) {
            due[again++] = due[i];
        } else if (due[i]->out || due[i]->again) {
            /* Its attempt is over: whatever comes now is late, and known by its ticket. */
            forget(&runner->asking, due[i]);
        } else {
            struct inbox_item *item = give_up(runner, due[i]);
            item->next = items;
            items = item;
        }
    }
    if (again > 0)
        try_all(runner, due, again);
    if (again > 0)
        bus_flush(runner->engine->bus);
    return items;
}

int64_t asking_next_us(const struct asking *asking)
{
    const struct heap_item *first = heap_first(&asking->due);
    return first != NULL ? first->due_us : INT64_MAX;
}

void asking_forget(struct asking *asking, uint32_t shard)
{
    size_t cursor = 0;
    for (struct asked *asked = map_next(&asking->tickets, &cursor); asked != NULL;
         asked = map_next(&asking->tickets, &cursor))
        if (id_shard(asked->read.saga) == shard)
            forget(asking, asked);
}
