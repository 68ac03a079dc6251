/* Readiness of NATS: one look tries everything the engine needs, without doing harm, and waits for all
 * answers together.
 *
 * A real store into SAGA_PROBE (on a full disk JetStream still answers questions); into each other stream a
 * message that bears the name of another stream in Nats-Expected-Stream, which its leader refuses to store,
 * and so says that it is there; each right of the JetStream API by a request that no verb understands; an
 * acknowledgement that is none. What an account does not allow is not answered, but shows in nats_faults.h by
 * its subject. Rights that were refused are tried on top, by the subject that was refused. */
#include "engine/bus/nats_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/ops/log.h"

enum { ANSWER_BYTES_MAX = 65536, SHOWN_BYTES = 120, STREAM_MISMATCH = 10060 };

/* The participant's name is none that a definition could give. */
static const struct {
    enum nats_probe_kind kind;
    const char *subject;
    const char *what; /* in the reason for not being ready */
} always[] = {
    {NATS_PROBE_STORE, "saga.probe", "a message stored in SAGA_PROBE"},
    {NATS_PROBE_STREAM, "saga.cmd._probe.look", "SAGA_CMD"},
    {NATS_PROBE_STREAM, "saga.reply._probe", "SAGA_REPLY"},
    {NATS_PROBE_STREAM, "saga.event._probe", "SAGA_EVENT"},
    {NATS_PROBE_STREAM, "saga.child._probe", "SAGA_IN"},
    {NATS_PROBE_RIGHT, "saga.ctl._probe", "saga.ctl.>"},
    {NATS_PROBE_API, "$JS.API.STREAM.INFO.SAGA_CMD", "STREAM.INFO"},
    {NATS_PROBE_API, "$JS.API.STREAM.CREATE.SAGA_CMD", "STREAM.CREATE"},
    {NATS_PROBE_API, "$JS.API.STREAM.UPDATE.SAGA_PROBE", "STREAM.UPDATE"},
    {NATS_PROBE_API, "$JS.API.STREAM.MSG.DELETE.SAGA_CMD", "STREAM.MSG.DELETE"},
    {NATS_PROBE_API, "$JS.API.CONSUMER.INFO.SAGA_CMD._probe", "CONSUMER.INFO"},
    {NATS_PROBE_API, "$JS.API.CONSUMER.INFO.SAGA_REPLY._probe", "CONSUMER.INFO"},
    {NATS_PROBE_API, "$JS.API.CONSUMER.INFO.SAGA_IN._probe", "CONSUMER.INFO"},
    {NATS_PROBE_API, "$JS.API.CONSUMER.DURABLE.CREATE.SAGA_CMD._probe", "CONSUMER.DURABLE.CREATE"},
    {NATS_PROBE_API, "$JS.API.CONSUMER.DURABLE.CREATE.SAGA_REPLY._probe", "CONSUMER.DURABLE.CREATE"},
    {NATS_PROBE_API, "$JS.API.CONSUMER.DELETE.SAGA_CMD._probe", "CONSUMER.DELETE"},
    {NATS_PROBE_API, "$JS.API.CONSUMER.DELETE.SAGA_REPLY._probe", "CONSUMER.DELETE"},
};

void nats_probe_init(struct nats_probing *probing)
{
    pthread_mutex_init(&probing->turn, NULL);
    pthread_mutex_init(&probing->mutex, NULL);
    pthread_cond_init(&probing->changed, NULL);
}

void nats_probe_fini(struct nats_probing *probing)
{
    pthread_cond_destroy(&probing->changed);
    pthread_mutex_destroy(&probing->mutex);
    pthread_mutex_destroy(&probing->turn);
}

/* With the mutex held. */
static void add(struct nats_probing *probing, enum nats_probe_kind kind, const char *subject,
                const char *what)
{
    if (probing->count == NATS_PROBES_MAX)
        return; /* more rights refused than kept: these are reason enough */
    struct nats_probe *probe = &probing->probes[probing->count++];
    *probe = (struct nats_probe){.kind = kind};
    snprintf(probe->subject, sizeof probe->subject, "%s", subject);
    snprintf(probe->what, sizeof probe->what, "%s", what);
}

/* One consumer of a shard, another at each look, and that of SAGA_IN, while they are listened to. */
static void add_pull(struct nats_bus *bus, uint32_t slot)
{
    char subject[NATS_FAULTS_SUBJECT_BYTES], stream[16] = "", consumer[32] = "";
    pthread_mutex_lock(&bus->pull_mutex);
    if (bus->pulls[slot] != NULL && !bus->pulls[slot]->lost) {
        snprintf(stream, sizeof stream, "%s", bus->pulls[slot]->stream);
        snprintf(consumer, sizeof consumer, "%s", bus->pulls[slot]->consumer);
    }
    pthread_mutex_unlock(&bus->pull_mutex);
    if (stream[0] == '\0')
        return;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", stream, consumer);
    add(&bus->probing, NATS_PROBE_CONSUMER, subject, subject);
    snprintf(subject, sizeof subject, "$JS.ACK.%s.%s.1.1.1.1.1", stream, consumer);
    add(&bus->probing, NATS_PROBE_CONSUMER, subject, subject);
}

static void add_pulls(struct nats_bus *bus)
{
    uint32_t slot = NATS_IN_SLOT;
    pthread_mutex_lock(&bus->pull_mutex);
    if (bus->listed_count > 0)
        slot = bus->listed[bus->probing.round % bus->listed_count];
    pthread_mutex_unlock(&bus->pull_mutex);
    add_pull(bus, slot);
    if (slot != NATS_IN_SLOT)
        add_pull(bus, NATS_IN_SLOT);
}

/* A subject that was refused, tried again; false when that could do harm: a service would act on it. */
static bool fault_kind(const char *subject, enum nats_probe_kind *kind)
{
    static const char *const streams[] = {"saga.cmd.",   "saga.reply.",  "saga.event.",
                                          "saga.start.", "saga.signal.", "saga.child."};
    static const char *const rights[] = {"$JS.ACK.", "$JS.API."};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (strncmp(subject, streams[i], strlen(streams[i])) == 0) {
            *kind = NATS_PROBE_REFUSED;
            return true;
        }
    *kind = NATS_PROBE_RIGHT;
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
        if (strncmp(subject, rights[i], strlen(rights[i])) == 0)
            return true;
    return false;
}

static void add_faults(struct nats_bus *bus)
{
    struct nats_fault faults[NATS_FAULTS_MAX];
    uint32_t count = nats_faults_list(&bus->faults, faults);
    for (uint32_t i = 0; i < count; i++) {
        enum nats_probe_kind kind;
        if (!faults[i].subscribe && fault_kind(faults[i].subject, &kind))
            add(&bus->probing, kind, faults[i].subject, faults[i].right);
    }
}

static void begin(struct nats_bus *bus)
{
    struct nats_probing *probing = &bus->probing;
    pthread_mutex_lock(&probing->mutex);
    probing->round++;
    probing->count = 0;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        add(probing, always[i].kind, always[i].subject, always[i].what);
    add_pulls(bus);
    add_faults(bus);
    probing->open = probing->count;
    pthread_mutex_unlock(&probing->mutex);
}

/* "{" is no JSON, no number of messages to pull, and no acknowledgement. */
static enum err send_probe(struct nats_bus *bus, uint32_t index, struct err_note *note)
{
    const struct nats_probe *probe = &bus->probing.probes[index]; /* only its answer changes meanwhile */
    char reply[NATS_LINE_INBOX_BYTES + NATS_TOKEN_SIZE + 32];
    struct bus_message message = {.subject = str_from(probe->subject), .body = STR("{")};
    natsMsg *made = NULL;
    snprintf(reply, sizeof reply, "%s.s.%s.%" PRIx32 ".%" PRIx32, nats_line_inbox(bus->publisher),
             bus->publish_token, bus->probing.round, index);
    if (probe->kind == NATS_PROBE_STREAM || probe->kind == NATS_PROBE_REFUSED)
        bus_header_add(&message, STR("Nats-Expected-Stream"), STR("SAGA_NONE"));
    enum err err = nats_message_make(&message, STR(""), reply, &made, note);
    if (err == ERR_OK) {
        err = nats_line_send(bus->publisher, made, note);
        natsMsg_Destroy(made);
    }
    return err;
}

void nats_probe_answer(struct nats_bus *bus, const char *rest, natsMsg *message)
{
    struct nats_probing *probing = &bus->probing;
    struct bus_message read;
    char *end = NULL;
    int status = nats_message_read(message, &read);
    unsigned long round = strtoul(rest, &end, 16);
    unsigned long index = *end == '.' ? strtoul(end + 1, NULL, 16) : NATS_PROBES_MAX;
    pthread_mutex_lock(&probing->mutex);
    if (round == probing->round && index < probing->count && !probing->probes[index].answered) {
        struct nats_probe *probe = &probing->probes[index];
        probe->answered = true;
        probe->status = status;
        snprintf(probe->answer, sizeof probe->answer, "%.*s", STR_ARG(read.body));
        if (--probing->open == 0)
            pthread_cond_broadcast(&probing->changed);
    }
    pthread_mutex_unlock(&probing->mutex);
    natsMsg_Destroy(message);
}

/* What stands in {"error":{"err_code":…,"description":…},"stream":…}; 0: no error. An answer that was cut is
 * no JSON. */
struct said {
    int64_t code;
    struct str description;
    struct str stream;
};

static struct said read_answer(const char *answer, struct arena *arena)
{
    const struct json *whole = NULL;
    struct said said = {.code = -1, .description = STR("an answer that cannot be read")};
    if (json_parse(arena, str_from(answer), ANSWER_BYTES_MAX, &whole, NULL) != ERR_OK)
        return said;
    const struct json *error = json_get(whole, STR("error"));
    said.stream = json_get_str(whole, STR("stream"));
    said.description = json_get_str(error, STR("description"));
    if (error == NULL)
        said.code = 0;
    else
        (void)json_get_i64(error, STR("err_code"), &said.code);
    return said;
}

static enum err judge_stored(const struct nats_probe *probe, struct err_note *note)
{
    struct arena arena;
    enum err err = ERR_OK;
    arena_init(&arena, 0);
    struct said said = read_answer(probe->answer, &arena);
    bool store = probe->kind == NATS_PROBE_STORE;
    if (probe->status != 0)
        err = err_note(note, ERR_UNAVAILABLE, "JetStream does not store: nobody takes %s (%s)",
                       probe->subject, probe->what);
    else if (said.code != (store ? 0 : STREAM_MISMATCH))
        err = err_note(note, ERR_UNAVAILABLE, "JetStream does not store: %s: %.*s", probe->what,
                       STR_ARG(said.description));
    else if (!store && !str_equal(said.stream, str_from(probe->what)))
        err = err_note(note, ERR_UNAVAILABLE, "stream %.*s takes %s instead of %s", STR_ARG(said.stream),
                       probe->subject, probe->what);
    arena_fini(&arena);
    return err;
}

static enum err judge(const struct nats_probe *probe, struct err_note *note)
{
    if (!probe->answered)
        return err_note(note, ERR_UNAVAILABLE, "NATS did not answer within %d ms: %s", NATS_API_WAIT_MS,
                        probe->what);
    switch (probe->kind) {
    case NATS_PROBE_STORE:
    case NATS_PROBE_STREAM:
        return judge_stored(probe, note);
    case NATS_PROBE_CONSUMER:
        if (probe->status == 503)
            return err_note(note, ERR_UNAVAILABLE, "nobody takes %s: the consumer is gone", probe->what);
        return ERR_OK;
    case NATS_PROBE_API:
        if (probe->status == 503)
            return err_note(note, ERR_UNAVAILABLE, "JetStream is not there");
        return ERR_OK;
    case NATS_PROBE_REFUSED:
    case NATS_PROBE_RIGHT:
        return ERR_OK;
    }
    return ERR_OK;
}

/* Until all have answered, or the time is over. */
static void await(struct nats_probing *probing)
{
    int64_t end_us = clock_real_us() + (int64_t)NATS_API_WAIT_MS * 1000;
    struct timespec end = {.tv_sec = end_us / 1000000, .tv_nsec = (end_us % 1000000) * 1000};
    int timed_out = 0;
    pthread_mutex_lock(&probing->mutex);
    while (probing->open > 0 && timed_out == 0)
        timed_out = pthread_cond_timedwait(&probing->changed, &probing->mutex, &end);
    pthread_mutex_unlock(&probing->mutex);
}

/* Answers mend what was refused; the first that is missing or wrong is the reason. */
static enum err conclude(struct nats_bus *bus, int64_t began_us, struct err_note *note)
{
    struct nats_probing *probing = &bus->probing;
    enum err err = ERR_OK;
    pthread_mutex_lock(&probing->mutex);
    probing->round++; /* what comes now is too late */
    for (uint32_t i = 0; i < probing->count; i++) {
        if (probing->probes[i].answered)
            nats_faults_heal(&bus->faults, probing->probes[i].subject, false, began_us);
        if (err == ERR_OK)
            err = judge(&probing->probes[i], note);
    }
    pthread_mutex_unlock(&probing->mutex);
    struct err_note refused = {""};
    nats_faults_age(&bus->faults, clock_monotonic_us());
    if (nats_faults_open(&bus->faults, &refused)) /* says more than what was not answered */
        return err_note(note, ERR_UNAVAILABLE, "%s", refused.text);
    return err;
}

static enum err look(struct nats_bus *bus, struct err_note *note)
{
    enum err err = ERR_OK;
    int64_t began_us = clock_monotonic_us();
    begin(bus);
    for (uint32_t i = 0; i < bus->probing.count && err == ERR_OK; i++)
        err = send_probe(bus, i, note);
    nats_line_flush(bus->publisher);
    if (err != ERR_OK)
        return err;
    await(&bus->probing);
    return conclude(bus, began_us, note);
}

static enum err check_line(struct nats_line *line, const char *name, struct err_note *note)
{
    char why[NATS_LINE_WHY_BYTES] = "";
    if (nats_line_is_up(line, why, sizeof why))
        return ERR_OK;
    return err_note(note, ERR_UNAVAILABLE, "not connected to NATS (%s): %s", name, why);
}

enum err nats_probe(struct bus *base, struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    pthread_mutex_lock(&bus->probing.turn);
    enum err err = check_line(bus->publisher, "publisher", note);
    if (err == ERR_OK)
        err = check_line(bus->consumer, "consumer", note);
    if (err == ERR_OK)
        err = check_line(bus->admin, "admin", note);
    if (err == ERR_OK)
        err = look(bus, note);
    if (err == ERR_OK)
        err = nats_keeper_well(bus, note);
    pthread_mutex_unlock(&bus->probing.turn);
    return err;
}
