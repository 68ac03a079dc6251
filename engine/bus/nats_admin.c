/* Streams and consumers, through nats.c's own JetStream calls on the admin connection. They block, each at
 * most NATS_API_WAIT_MS.
 *
 * What exists is left as it is, so that operators may set limits and replicas, but SAGA_CMD gets a share for
 * each subject when it has none; only what would break the messages (subjects, retention, filter) is refused
 * with ERR_CONFLICT. */
#include "engine/bus/nats_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"

#define SECOND_NS INT64_C(1000000000)

/* SAGA_CMD, SAGA_REPLY and SAGA_IN refuse what is over their bound: the sender keeps it and tries again.
 * Events are for whoever listens: the oldest go. SAGA_PROBE exists for readiness: the last probe is kept. */
enum { STREAM_SUBJECTS_MAX = 3 };
static const struct stream {
    const char *name;
    const char *subjects[STREAM_SUBJECTS_MAX];
    int subject_count;
    jsRetentionPolicy retention;
    jsDiscardPolicy discard;
    int64_t messages_max;
    int64_t age_max_s; /* 0: any */
} streams[] = {
    {"SAGA_CMD", {"saga.cmd.>"}, 1, js_WorkQueuePolicy, js_DiscardNew, 10000000, 0},
    {"SAGA_REPLY", {"saga.reply.>"}, 1, js_WorkQueuePolicy, js_DiscardNew, 10000000, 0},
    {"SAGA_EVENT", {"saga.event.>"}, 1, js_LimitsPolicy, js_DiscardOld, 10000000, 7 * 86400},
    {"SAGA_IN",
     {"saga.start.>", "saga.signal.>", "saga.child.>"},
     3,
     js_WorkQueuePolicy,
     js_DiscardNew,
     10000000,
     0},
    {"SAGA_PROBE", {"saga.probe"}, 1, js_LimitsPolicy, js_DiscardOld, 1, 0},
};
enum { STREAM_COUNT = sizeof streams / sizeof streams[0], DUPLICATES_S = 120 };
_Static_assert((int)STREAM_COUNT == (int)NATS_STREAM_COUNT, "one time each");

static void set_wait(jsOptions *options)
{
    jsOptions_Init(options);
    options->Wait = NATS_API_WAIT_MS;
}

static enum err explain(natsStatus status, const char *what, const char *name, struct err_note *note)
{
    if (status == NATS_OK)
        return ERR_OK;
    const char *text = nats_GetLastError(NULL);
    enum err err = status == NATS_NOT_FOUND ? ERR_NOT_FOUND
                   : status == NATS_TIMEOUT ? ERR_TIMEOUT
                                            : ERR_UNAVAILABLE;
    return err_note(note, err, "cannot %s %s: %s", what, name,
                    text != NULL && text[0] != '\0' ? text : natsStatus_GetText(status));
}

static int count_subjects(const jsStreamConfig *config, const struct stream *stream)
{
    int found = 0;
    for (int wanted = 0; wanted < stream->subject_count; wanted++)
        for (int i = 0; i < config->SubjectsLen; i++)
            found += strcmp(config->Subjects[i], stream->subjects[wanted]) == 0;
    return found;
}

static enum err make_stream(struct nats_bus *bus, const struct stream *stream, struct err_note *note)
{
    jsOptions options;
    jsStreamConfig config;
    const char *subjects[STREAM_SUBJECTS_MAX];
    memcpy(subjects, stream->subjects, sizeof subjects);
    set_wait(&options);
    jsStreamConfig_Init(&config);
    config.Name = stream->name;
    config.Subjects = subjects;
    config.SubjectsLen = stream->subject_count;
    config.Retention = stream->retention;
    config.Discard = stream->discard;
    config.Storage = js_FileStorage;
    /* One that was there comes back as it was, whatever this engine is told. */
    uint32_t before = bus->replicas_seen[stream - streams];
    config.Replicas = before > bus->replicas ? before : bus->replicas;
    config.MaxMsgs = stream->messages_max;
    config.MaxAge = stream->age_max_s * SECOND_NS;
    config.Duplicates = DUPLICATES_S * SECOND_NS;
    jsErrCode code = 0;
    jsCtx *js = nats_control_hold(bus, note);
    if (js == NULL)
        return ERR_UNAVAILABLE;
    natsStatus status = js_AddStream(NULL, js, &config, &options, &code);
    nats_control_release(bus);
    if (status != NATS_OK && code == JSStreamNameExistErr) /* another engine was faster */
        status = NATS_OK;
    return explain(status, "make stream", stream->name, note);
}

/* As many as the streams it stands for. What refuses is a cluster that is too small: told, and no reason to
 * stop. */
static void set_probe_replicas(struct nats_bus *bus, jsStreamConfig *config)
{
    jsOptions options;
    struct err_note note = {""};
    set_wait(&options);
    config->Replicas = bus->replicas;
    jsCtx *js = nats_control_hold(bus, &note);
    natsStatus status =
        js != NULL ? js_UpdateStream(NULL, js, config, &options, NULL) : NATS_CONNECTION_CLOSED;
    if (js != NULL)
        nats_control_release(bus);
    if (explain(status, "set the replicas of stream", config->Name, &note) != ERR_OK)
        log_warn("stream_replicas_not_set", "stream=%s why=%s", config->Name, note.text);
}

/* What exists is the operator's, but for the probe's. */
static void mind_replicas(struct nats_bus *bus, const struct stream *stream, jsStreamConfig *config)
{
    uint32_t number = (uint32_t)(stream - streams);
    bool differs = config->Replicas != (int64_t)bus->replicas;
    bool told = bus->replicas_seen[number] == (uint32_t)config->Replicas;
    bus->replicas_seen[number] = (uint32_t)config->Replicas;
    if (!differs || told)
        return;
    log_warn("stream_replicas", "stream=%s replicas=%" PRId64 " nats_replicas=%" PRIu32, stream->name,
             config->Replicas, bus->replicas);
    if (strcmp(stream->name, "SAGA_PROBE") == 0)
        set_probe_replicas(bus, config);
}

/* What nats.c 3.4 cannot say of a stream. A server that refuses it still carries commands: told, and tried
 * again. */
static void mind_share(struct nats_bus *bus, const struct stream *stream)
{
    int64_t share = 0;
    struct err_note note = {""};
    if (strcmp(stream->name, "SAGA_CMD") != 0)
        return;
    bool failed = nats_widen_share(bus, stream->name, &share, &note) != ERR_OK;
    if (failed && !bus->share_told)
        log_warn("stream_share_not_set", "stream=%s why=%s", stream->name, note.text);
    bus->share_told = failed;
    if (!failed && share > 0)
        log_info("stream_share_set", "stream=%s max_msgs_per_subject=%" PRId64, stream->name, share);
}

/* A stream that vanished under us is made again only after a while: nats-server 2.9 says that it is gone
 * before its files are, and what is stored in a new one meanwhile is lost with them, its consumers stuck for
 * good. */
static enum err remake_stream(struct nats_bus *bus, const struct stream *stream, struct err_note *note)
{
    int64_t now_us = clock_monotonic_us();
    int64_t *gone_us = &bus->gone_us[stream - streams];
    if (bus->opened && *gone_us == 0)
        *gone_us = now_us;
    if (bus->opened && now_us - *gone_us < NATS_GONE_US)
        return err_note(note, ERR_UNAVAILABLE, "stream %s is gone; it will be made again", stream->name);
    return make_stream(bus, stream, note);
}

static enum err ensure_stream(struct nats_bus *bus, const struct stream *stream, struct err_note *note)
{
    jsOptions options;
    jsStreamInfo *info = NULL;
    set_wait(&options);
    jsCtx *js = nats_control_hold(bus, note);
    if (js == NULL)
        return ERR_UNAVAILABLE;
    natsStatus status = js_GetStreamInfo(&info, js, stream->name, &options, NULL);
    nats_control_release(bus);
    if (status == NATS_NOT_FOUND) {
        enum err made = remake_stream(bus, stream, note);
        if (made == ERR_OK)
            mind_share(bus, stream);
        return made;
    }
    bus->gone_us[stream - streams] = 0;
    enum err err = explain(status, "look at stream", stream->name, note);
    int found = err == ERR_OK ? count_subjects(info->Config, stream) : 0;
    if (err == ERR_OK && (found == 0 || info->Config->Retention != stream->retention))
        err = err_note(note, ERR_CONFLICT, "stream %s exists with other subjects or retention than ours",
                       stream->name);
    else if (err == ERR_OK && found < stream->subject_count) /* made by an older version */
        err = nats_widen_stream(bus, stream->name, stream->subjects, stream->subject_count, note);
    if (err == ERR_OK)
        mind_replicas(bus, stream, info->Config);
    if (err == ERR_OK)
        mind_share(bus, stream);
    jsStreamInfo_Destroy(info);
    return err;
}

const char *nats_admin_stream_name(uint32_t number)
{
    return streams[number].name;
}

enum err nats_admin_stream(struct nats_bus *bus, uint32_t number, struct err_note *note)
{
    return ensure_stream(bus, &streams[number], note);
}

enum err nats_admin_streams(struct nats_bus *bus, struct err_note *note)
{
    enum err err = ERR_OK;
    for (int i = 0; i < STREAM_COUNT && err == ERR_OK; i++)
        err = ensure_stream(bus, &streams[i], note);
    return err;
}

enum err nats_admin_make(struct nats_bus *bus, const struct nats_consumer *consumer, struct err_note *note)
{
    jsOptions options;
    jsConsumerConfig config;
    set_wait(&options);
    jsConsumerConfig_Init(&config);
    config.Durable = consumer->name;
    config.Description = consumer->mark[0] != '\0' ? consumer->mark : NULL;
    config.FilterSubject = consumer->filter;
    config.AckPolicy = js_AckExplicit;
    config.AckWait = consumer->ack_wait_ms * 1000000;
    config.MaxAckPending = consumer->ack_pending_max;
    config.MaxDeliver = -1;
    jsCtx *js = nats_control_hold(bus, note);
    if (js == NULL)
        return ERR_UNAVAILABLE;
    natsStatus status = js_AddConsumer(NULL, js, consumer->stream, &config, &options, NULL);
    nats_control_release(bus);
    return explain(status, "make consumer", consumer->name, note);
}

enum err nats_admin_remove(struct nats_bus *bus, const char *stream, const char *name, struct err_note *note)
{
    jsOptions options;
    set_wait(&options);
    jsCtx *js = nats_control_hold(bus, note);
    if (js == NULL)
        return ERR_UNAVAILABLE;
    natsStatus status = js_DeleteConsumer(js, stream, name, &options, NULL);
    nats_control_release(bus);
    return explain(status == NATS_NOT_FOUND ? NATS_OK : status, "remove consumer", name, note);
}

/* Whether the stream holds messages for a consumer, whatever the consumer believes. */
static bool holds_messages(struct nats_bus *bus, const struct nats_consumer *consumer)
{
    jsOptions options;
    jsStreamInfo *info = NULL;
    uint64_t count = 0;
    set_wait(&options);
    options.Stream.Info.SubjectsFilter = consumer->filter;
    jsCtx *js = nats_control_hold(bus, NULL);
    if (js == NULL)
        return false;
    natsStatus status = js_GetStreamInfo(&info, js, consumer->stream, &options, NULL);
    nats_control_release(bus);
    if (status != NATS_OK)
        return false;
    if (consumer->filter == NULL)
        count = info->State.Msgs;
    for (int i = 0; info->State.Subjects != NULL && i < info->State.Subjects->Count; i++)
        count += info->State.Subjects->List[i].Msgs;
    jsStreamInfo_Destroy(info);
    return count > 0;
}

enum err nats_admin_look(struct nats_bus *bus, const struct nats_consumer *consumer,
                         struct nats_consumer_look *look, struct err_note *note)
{
    jsOptions options;
    jsConsumerInfo *info = NULL;
    set_wait(&options);
    *look = (struct nats_consumer_look){.exists = false};
    jsCtx *js = nats_control_hold(bus, note);
    if (js == NULL)
        return ERR_UNAVAILABLE;
    natsStatus status = js_GetConsumerInfo(&info, js, consumer->stream, consumer->name, &options, NULL);
    nats_control_release(bus);
    if (status == NATS_NOT_FOUND)
        return ERR_OK;
    if (status != NATS_OK)
        return explain(status, "look at consumer", consumer->name, note);
    const char *mark = info->Config->Description != NULL ? info->Config->Description : "";
    look->exists = true;
    look->ours = strcmp(mark, consumer->mark) == 0;
    look->epoch = strtoull(mark, NULL, 10);
    look->waiting = info->NumWaiting > 0;
    look->pending = (uint64_t)info->NumAckPending;
    look->delivered = info->Delivered.Stream;
    look->backlog = look->waiting && info->NumAckPending < consumer->ack_pending_max && info->NumPending > 0;
    /* A stalled consumer of 2.9 may also lose count of what waits for it. */
    if (look->waiting && info->NumAckPending == 0 && info->NumPending == 0)
        look->backlog = holds_messages(bus, consumer);
    look->owing = look->waiting && info->NumAckPending > 0;
    look->ack_wait_ms = info->Config->AckWait / 1000000;
    look->floor = info->AckFloor.Consumer;
    look->progress = info->Delivered.Consumer + info->AckFloor.Consumer;
    jsConsumerInfo_Destroy(info);
    return ERR_OK;
}

void nats_admin_participant(const struct bus_participant *participant, char filter[NATS_NAME_BYTES],
                            char durable[NATS_NAME_BYTES], struct nats_consumer *consumer)
{
    snprintf(filter, NATS_NAME_BYTES, "saga.cmd.%.*s.>", STR_ARG(participant->name));
    snprintf(durable, NATS_NAME_BYTES, "%.*s", STR_ARG(participant->name));
    *consumer = (struct nats_consumer){.stream = "SAGA_CMD",
                                       .name = durable,
                                       .filter = filter,
                                       .mark = "",
                                       .ack_wait_ms = bus_ack_wait_us(participant->work_us) / 1000,
                                       .ack_pending_max = 4096};
}

void nats_admin_pull(const struct nats_pull *pull, char filter[NATS_NAME_BYTES],
                     struct nats_consumer *consumer)
{
    bool in = pull->slot == NATS_IN_SLOT;
    snprintf(filter, NATS_NAME_BYTES, "saga.reply.%" PRIu32 ".>", pull->slot);
    *consumer = (struct nats_consumer){.stream = pull->stream,
                                       .name = pull->consumer,
                                       .filter = in ? NULL : filter,
                                       .mark = pull->mark,
                                       .ack_wait_ms = NATS_ACK_WAIT_MS,
                                       .ack_pending_max = NATS_PULL_WINDOW};
}

/* Its place in the list, made when there is none yet; NULL: there is no room. */
static struct bus_participant *enter(struct nats_bus *bus, const struct bus_participant *participant)
{
    for (uint32_t i = 0; i < bus->participant_count; i++)
        if (str_equal(bus->participants[i].name, participant->name))
            return &bus->participants[i];
    if (bus->participant_count == NATS_PARTICIPANTS_MAX)
        return NULL;
    struct bus_participant *entered = &bus->participants[bus->participant_count++];
    *entered = (struct bus_participant){.name = arena_copy(&bus->arena, participant->name)};
    return entered;
}

static enum err ensure_participant(struct nats_bus *bus, const struct bus_participant *participant,
                                   struct err_note *note)
{
    char filter[NATS_NAME_BYTES];
    char durable[NATS_NAME_BYTES];
    struct nats_consumer consumer;
    struct nats_consumer_look look;
    nats_admin_participant(participant, filter, durable, &consumer);
    enum err err = nats_admin_look(bus, &consumer, &look, note);
    if (err == ERR_OK && (!look.exists || look.ack_wait_ms < consumer.ack_wait_ms))
        err = nats_admin_make(bus, &consumer, note);
    if (err == ERR_NOT_FOUND && nats_admin_streams(bus, note) == ERR_OK)
        err = nats_admin_make(bus, &consumer, note);
    return err;
}

static enum err announce(struct nats_bus *bus, const struct bus_participant *participant,
                         struct err_note *note)
{
    struct bus_participant *entered = enter(bus, participant);
    if (entered == NULL)
        return err_note(note, ERR_LIMIT, "more than %d participants", NATS_PARTICIPANTS_MAX);
    if (entered->work_us < participant->work_us)
        entered->work_us = participant->work_us;
    return ensure_participant(bus, entered, note);
}

enum err nats_admin_participants(struct bus *base, const struct bus_participant *participants, uint32_t count,
                                 struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        err = bus_check_participant(participants[i].name, note);
        if (err != ERR_OK)
            break;
        pthread_mutex_lock(&bus->admin_mutex); /* for each: a thousand of them take a second */
        err = announce(bus, &participants[i], note);
        pthread_mutex_unlock(&bus->admin_mutex);
    }
    return err;
}
