/* What SAGA_REPLY holds and no shard's consumer takes, because its subject is none of a reply: a command that
 * was pulled into the stream, a reply to a shard that is no number or does not exist. It would stay for ever,
 * and the stream is bounded.
 *
 * In each round of the keeper the last one of each such subject is handed over as a reply to a shard of ours,
 * which becomes a dead letter; in the next round that subject is purged up to it, so that a message is not
 * gone before its dead letter is stored. What other engines do with the same message meanwhile makes no
 * second letter: it has one identity. Replies of a rehearsal (rehearsal.h), which has read them by its own
 * subscription, are purged without a letter. */
#include "engine/bus/nats_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/bus/subject.h"
#include "engine/ops/log.h"

enum {
    LOOK_US = 5000000,
    LOOK_LONG_US = 60000000, /* at a stream with so many subjects that their list is a burden */
    LIST_LONG = 1000,
};

static const char stream[] = "SAGA_REPLY";

/* Whether some shard's consumer may take it: "saga.reply.<number>.>". */
static bool is_taken(const struct nats_bus *bus, struct str subject)
{
    uint32_t count = bus->callbacks.shard_count > 0 ? bus->callbacks.shard_count : LIMITS_SHARDS_MAX;
    struct str prefix = STR("saga.reply.");
    struct str rest = str_slice(subject, prefix.size, subject.size);
    size_t dot = str_find(rest, '.');
    uint32_t shard;
    return str_starts(subject, prefix) && dot + 1 < rest.size &&
           subject_number(str_slice(rest, 0, dot), count - 1, &shard);
}

/* nats-server stores such a subject all the same; as a filter it would mean others' messages. */
static bool is_pattern(const char *subject)
{
    return strpbrk(subject, "*>") != NULL;
}

static void purge(jsCtx *js, const struct nats_stray *stray)
{
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = NATS_API_WAIT_MS;
    options.Stream.Purge.Subject = stray->subject;
    options.Stream.Purge.Sequence = stray->sequence + 1;
    natsStatus status = is_pattern(stray->subject) ? js_DeleteMsg(js, stream, stray->sequence, &options, NULL)
                                                   : js_PurgeStream(js, stream, &options, NULL);
    if (status != NATS_OK) /* it is found again */
        log_warn("stray_not_removed", "why=%s", natsStatus_GetText(status));
}

/* A shard of ours; NATS_IN_SLOT: none. */
static uint32_t any_shard(struct nats_bus *bus)
{
    uint32_t shard = NATS_IN_SLOT;
    pthread_mutex_lock(&bus->pull_mutex);
    for (uint32_t i = 0; i < bus->listed_count && shard == NATS_IN_SLOT; i++)
        shard = bus->listed[i];
    pthread_mutex_unlock(&bus->pull_mutex);
    return shard;
}

static bool hand_over(struct nats_bus *bus, jsCtx *js, uint32_t shard, struct nats_stray *stray)
{
    jsOptions options;
    natsMsg *message = NULL;
    char identity[64];
    jsOptions_Init(&options);
    options.Wait = NATS_API_WAIT_MS;
    if (js_GetLastMsg(&message, js, stream, stray->subject, &options, NULL) != NATS_OK)
        return false;
    if (strcmp(natsMsg_GetSubject(message), stray->subject) != 0) {
        natsMsg_Destroy(message); /* a pattern's; its own turn comes when the others are gone */
        return false;
    }
    stray->sequence = natsMsg_GetSequence(message);
    snprintf(identity, sizeof identity, "%s/%" PRIu64 "/%" PRId64, stream, stray->sequence,
             natsMsg_GetTime(message));
    struct bus_delivery delivery = {
        .source = BUS_SOURCE_REPLY, .shard = shard, .delivery_count = 1, .identity = str_from(identity)};
    (void)nats_message_read(message, &delivery.message);
    bool rehearsed = str_starts(str_from(stray->subject), STR("saga.reply.conformance-"));
    bool taken = rehearsed || bus->callbacks.deliver(bus->callbacks.context, &delivery);
    natsMsg_Destroy(message);
    return taken;
}

static void look(struct nats_bus *bus, jsCtx *js, struct nats_strays *strays)
{
    jsOptions options;
    jsStreamInfo *info = NULL;
    uint32_t shard = any_shard(bus);
    jsOptions_Init(&options);
    options.Wait = NATS_API_WAIT_MS;
    options.Stream.Info.SubjectsFilter = ">";
    if (shard == NATS_IN_SLOT || js_GetStreamInfo(&info, js, stream, &options, NULL) != NATS_OK)
        return;
    const jsStreamStateSubjects *subjects = info->State.Subjects;
    bool is_long = subjects != NULL && subjects->Count > LIST_LONG;
    strays->look_us = clock_monotonic_us() + (is_long ? LOOK_LONG_US : LOOK_US);
    for (int i = 0; subjects != NULL && i < subjects->Count && strays->count < NATS_STRAYS_MAX; i++) {
        struct nats_stray *stray = &strays->items[strays->count];
        const char *subject = subjects->List[i].Subject;
        if (is_taken(bus, str_from(subject)) || strlen(subject) >= sizeof stray->subject)
            continue;
        memcpy(stray->subject, subject, strlen(subject) + 1);
        strays->count += hand_over(bus, js, shard, stray);
    }
    jsStreamInfo_Destroy(info);
}

void nats_strays_keep(struct nats_bus *bus, struct nats_strays *strays)
{
    jsCtx *js = nats_control_hold(bus, NULL);
    if (js == NULL)
        return;
    for (uint32_t i = 0; i < strays->count; i++)
        purge(js, &strays->items[i]);
    if (strays->count > 0)
        log_warn("strays_removed", "stream=%s subjects=%" PRIu32, stream, strays->count);
    strays->count = 0;
    if (clock_monotonic_us() >= strays->look_us)
        look(bus, js, strays);
    nats_control_release(bus);
}
