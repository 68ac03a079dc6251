/* Answers of plain services whose saga is owned by another engine by now: they go on as replies until the
 * broker has them. Called by the router's thread. Never drops one that the broker has not confirmed, before
 * its patience is over, and then says so. */
#include "engine/runtime/homing.h"

#include <pthread.h>
#include <stdio.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"
#include "engine/bus/stranger.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"
#include "engine/runtime/engine_parts.h"

struct sent {
    struct sent *next;
    struct inbox_item *item;
    struct ticket ticket; /* borrows from the item */
    uint64_t number;
    int64_t until_us; /* monotonic */
    int64_t again_us;
    enum { SENT_NOT, SENT_OUT, SENT_CONFIRMED } state; /* under the lock */
};
/* Whether a stream holds a subject, as of a while ago. */
struct known {
    char subject[LIMITS_SUBJECT_BYTES + 1];
    char stream[BUS_STREAM_BYTES]; /* "": none does */
    int64_t until_us;
};
struct homing {
    struct engine *engine;
    pthread_mutex_t lock;
    struct sent *sent;
    uint32_t count;
    uint64_t next_number;
    struct known known[HOMING_KNOWN];
    uint32_t next_known;
};

struct homing *homing_new(struct engine *engine)
{
    struct homing *homing = memory_new(1, sizeof *homing);
    homing->engine = engine;
    check(pthread_mutex_init(&homing->lock, NULL) == 0);
    return homing;
}

static void lose(struct inbox_item *item, const char *why)
{
    metrics_add(METRICS_ANSWERS_LOST, 1, METRICS_NO_LABEL, METRICS_NO_LABEL);
    struct str shown = str_slice(item->delivery.identity, 0, BUS_TICKET_SHOWN);
    log_warn("answer_lost", "request=%.*s why=%s", STR_ARG(shown), why);
    inbox_item_free(item);
}

void homing_free(struct homing *homing)
{
    while (homing->sent != NULL) {
        struct sent *sent = homing->sent;
        homing->sent = sent->next;
        lose(sent->item, "the engine stops before the broker has taken it");
        memory_free(sent);
    }
    pthread_mutex_destroy(&homing->lock);
    memory_free(homing);
}

/* ---- what comes from a stream ---- */

static struct known *look_up(struct homing *homing, struct str subject, int64_t now_us)
{
    for (uint32_t i = 0; i < HOMING_KNOWN; i++)
        if (homing->known[i].until_us > now_us && str_equal(str_from(homing->known[i].subject), subject))
            return &homing->known[i];
    return NULL;
}

/* Asks the broker, unless it is known. False: it cannot be asked. */
static bool ask_holder(struct homing *homing, struct str subject, const char **stream)
{
    struct err_note note = {""};
    int64_t now_us = engine_clock_us(homing->engine);
    struct known *known = look_up(homing, subject, now_us);
    if (known == NULL) {
        struct known fresh = {.until_us = now_us + HOMING_KNOWN_US};
        if (bus_holder(homing->engine->bus, subject, fresh.stream, &note) != ERR_OK) {
            log_warn("holder_not_known", "subject=%.*s why=%s", STR_ARG(subject), note.text);
            return false;
        }
        snprintf(fresh.subject, sizeof fresh.subject, "%.*s", STR_ARG(subject));
        known = &homing->known[homing->next_known++ % HOMING_KNOWN];
        *known = fresh;
        if (known->stream[0] != '\0')
            log_warn(
                "request_subject_held", "subject=%s stream=%s why=%s", known->subject, known->stream,
                "it acknowledges what is meant for a service, which is no answer: give the stream no_ack, "
                "or the service another subject");
    }
    *stream = known->stream;
    return true;
}

/* True when the item is an answer as far as can be known; else it is dealt with. */
static bool is_answer(struct homing *homing, struct inbox_item *item, const struct ticket *ticket)
{
    const char *stream = "";
    if (item->cleared || !envelope_is_stream_ack(&item->delivery.message))
        return true;
    /* While nobody can say it is left aside: its attempt ends as if nothing had come, which is always safe.
     */
    if (ask_holder(homing, ticket->command, &stream) && stream[0] == '\0') {
        item->cleared = true;
        return true;
    }
    metrics_add(METRICS_STREAM_ACKS, 1, METRICS_NO_LABEL, METRICS_NO_LABEL);
    inbox_item_free(item);
    return false;
}

/* ---- what belongs to a saga elsewhere ---- */

/* As the participant would have said it on the stream; of its headers those that say something. */
static struct bus_message reply_of(const struct ticket *ticket, struct inbox_item *item)
{
    static const char *const said[] = {
        "Saga-Status",         "Saga-Error-Code",         "Saga-Error-Message",
        "Saga-Retry-After-Ms", "Nats-Service-Error-Code", "Nats-Service-Error"};
    const struct bus_message *answer = &item->delivery.message;
    struct str participant = ticket_participant(ticket);
    struct bus_message reply = {.subject = arena_printf(&item->arena, "saga.reply.%u.%.*s",
                                                        id_shard(ticket->saga), STR_ARG(participant)),
                                .body = answer->body};
    struct str command =
        envelope_command_id(&item->arena, ticket->saga, ticket->step, ticket->kind, ticket->attempt);
    struct str echo = bus_header(answer, STR("Saga-Command"));
    bus_header_add(&reply, STR("Saga-Command"), command);
    bool other = echo.size > 0 && !str_equal(echo, command);
    if (other || answer->garbled || answer->status != 0) { /* read as what it is: of no use */
        bus_header_add(&reply, STR("Saga-Status"),
                       other ? STR("for-another-command") : STR("with-a-head-that-cannot-be-read"));
        return reply;
    }
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        bus_header_add(&reply, str_from(said[i]), bus_header(answer, str_from(said[i])));
    return reply;
}

static void publish(struct homing *homing, struct sent *sent)
{
    struct err_note note;
    struct bus *bus = homing->engine->bus;
    struct bus_message reply = reply_of(&sent->ticket, sent->item);
    sent->number = ++homing->next_number;
    sent->again_us = engine_clock_us(homing->engine) + HOMING_AGAIN_US;
    pthread_mutex_lock(&homing->lock);
    sent->state = SENT_OUT;
    pthread_mutex_unlock(&homing->lock);
    uint64_t cookie = (uint64_t)HOMING_SHARD << OUTBOX_NUMBER_BITS | sent->number;
    if (bus_publish(bus, &reply, STR(""), cookie, &note) != ERR_OK)
        homing_published(homing, sent->number, false);
    bus_flush(bus);
}

static void send_home(struct homing *homing, struct inbox_item *item, const struct ticket *ticket)
{
    if (homing->count >= HOMING_MAX) {
        lose(item, "too many answers are under way to other engines");
        return;
    }
    struct sent *sent = memory_new(1, sizeof *sent);
    *sent = (struct sent){
        .item = item, .ticket = *ticket, .until_us = engine_clock_us(homing->engine) + HOMING_PATIENCE_US};
    pthread_mutex_lock(&homing->lock);
    sent->next = homing->sent;
    homing->sent = sent;
    pthread_mutex_unlock(&homing->lock);
    homing->count++;
    publish(homing, sent);
}

void homing_take(struct homing *homing, struct inbox_item *item)
{
    struct engine *engine = homing->engine;
    struct ticket ticket;
    check(item->delivery.source == BUS_SOURCE_ANSWER);
    if (!ticket_read(item->delivery.identity, &engine->asking_key, &ticket)) {
        stranger_refuse(STRANGER_PROOF, item->delivery.message.subject);
        inbox_item_free(item);
        return;
    }
    if (item->delivery.error != ERR_OK) { /* nobody was there: its asker's matter alone */
        inbox_item_free(item);
        return;
    }
    if (!is_answer(homing, item, &ticket))
        return;
    struct runner *owner = engine_owner(engine, id_shard(ticket.saga));
    if (owner == NULL)
        send_home(homing, item, &ticket);
    else if (!inbox_put(&owner->inbox, item, true))
        lose(item, "its runner has no room");
}

void homing_published(struct homing *homing, uint64_t number, bool confirmed)
{
    pthread_mutex_lock(&homing->lock);
    for (struct sent *sent = homing->sent; sent != NULL; sent = sent->next)
        if (sent->number == number)
            sent->state = confirmed ? SENT_CONFIRMED : SENT_NOT;
    pthread_mutex_unlock(&homing->lock);
}

/* Takes out what is over. */
static void settle(struct homing *homing, int64_t now_us)
{
    pthread_mutex_lock(&homing->lock);
    for (struct sent **at = &homing->sent; *at != NULL;) {
        struct sent *sent = *at;
        bool over = sent->state == SENT_CONFIRMED || (sent->state == SENT_NOT && now_us >= sent->until_us);
        if (!over) {
            at = &sent->next;
            continue;
        }
        *at = sent->next;
        homing->count--;
        if (sent->state == SENT_CONFIRMED)
            inbox_item_free(sent->item);
        else
            lose(sent->item, "the broker has not taken it in a minute");
        memory_free(sent);
    }
    pthread_mutex_unlock(&homing->lock);
}

static struct sent *next_due(struct homing *homing, int64_t now_us)
{
    pthread_mutex_lock(&homing->lock);
    struct sent *sent = homing->sent;
    while (sent != NULL && (sent->state != SENT_NOT || sent->again_us > now_us))
        sent = sent->next;
    pthread_mutex_unlock(&homing->lock);
    return sent;
}

bool homing_turn(struct homing *homing)
{
    int64_t now_us = engine_clock_us(homing->engine);
    if (homing->sent == NULL)
        return false;
    settle(homing, now_us);
    for (struct sent *sent = next_due(homing, now_us); sent != NULL; sent = next_due(homing, now_us))
        publish(homing, sent);
    return homing->sent != NULL;
}
