#include "engine/runtime/suspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/duration.h"
#include "engine/ops/log.h"
#include "engine/runtime/control.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/proof.h"

/* Hands that are nobody's fault: an engine that was replaced, a lease that was lost, both at once. */
enum { HANDS_MAX = 3 };
static const int64_t settled_us =
    20 * DURATION_SECOND_US; /* an owner that lives so long has met what was there when it came: twice the
                                time after which the broker delivers again */

static void key_of_shard(uint32_t shard, char key[32])
{
    snprintf(key, 32, "shard/%" PRIu32, shard);
}

static struct str hand_of(const struct runner *runner, uint32_t shard, char *room, size_t size)
{
    snprintf(room, size, "%s epoch %" PRId64, runner->name, runner->shards[shard].store.epoch);
    return str_from(room);
}

void suspect_claimed(struct runner *runner, uint32_t shard)
{
    char key[32], hand[sizeof runner->name + 32];
    struct err_note note = {""};
    uint32_t hands = 0;
    key_of_shard(shard, key);
    if (store_suspect(runner->store, str_from(key), hand_of(runner, shard, hand, sizeof hand), &hands,
                      &note) != ERR_OK)
        log_warn("suspect_not_noted", "shard=%u why=%s", shard,
                 note.text); /* the next owner's claim will be */
    runner->shards[shard].watched = true;
    runner->shards[shard].careful = hands > HANDS_MAX;
    if (hands > HANDS_MAX)
        log_warn("shard_ends_its_owners", "shard=%u hands=%u", shard, hands);
}

void suspect_settle(struct runner *runner, bool leaving)
{
    struct err_note note = {""};
    int64_t now_us = engine_clock_us(runner->engine);
    for (uint32_t i = 0; i < runner->engine->shard_count; i++) {
        struct runner_shard *shard = &runner->shards[i];
        char key[32];
        if (!shard->owned || !shard->watched || (!leaving && now_us - shard->claimed_us < settled_us))
            continue;
        key_of_shard(i, key);
        if (store_suspect_clear(runner->store, str_from(key), &note) != ERR_OK)
            return; /* with the next renewal */
        shard->watched = shard->careful = false;
    }
}

/* What the broker calls the message, whoever took it from there; "": it is none, but somebody's request. */
static struct str identity_of(struct runner *runner, struct inbox_item *item)
{
    bool asked = item->origin == INBOX_DELIVERY && item->delivery.source == BUS_SOURCE_CONTROL;
    if (asked && item->delivery.identity.size == 0 &&
        proof_open(&runner->engine->key, PROOF_ASK, item->shard, item->delivery.message.body, &item->nonce))
        item->delivery.identity = control_from(item->delivery.message.body, &item->arena);
    return item->delivery.identity;
}

static bool is_suspect(struct runner *runner, struct inbox_item *item)
{
    const struct runner_shard *shard =
        item->shard < runner->engine->shard_count ? &runner->shards[item->shard] : NULL;
    if (shard == NULL || !shard->owned || !shard->careful || item->task.kind == INBOX_DEAD)
        return false;
    struct str identity = identity_of(runner, item);
    return identity.size > 0 && identity.size < sizeof runner->suspect;
}

/* One that was passed on is in the hands of an engine that will store it; until then it stays known. */
static void condemn(struct runner *runner, struct inbox_item *item, uint32_t hands)
{
    log_error("message_ended_its_owners", "subject=%.*s message=%s hands=%u",
              STR_ARG(item->delivery.message.subject), runner->suspect, hands);
    item->task = (struct inbox_task){
        .kind = INBOX_DEAD,
        .reason = arena_printf(&item->arena,
                               "%u engines in turn ended, or lost its shard, with this message alone in hand",
                               hands - 1)};
    if (!inbox_item_is_message(item))
        runner->suspect[0] = '\0';
}

struct inbox_item *suspect_part(struct runner *runner, struct inbox_item *items)
{
    struct runner_again others = {0}, alone = {0};
    while (items != NULL) {
        struct inbox_item *item = items;
        items = item->next;
        bool apart = !item->alone && is_suspect(runner, item);
        item->alone |= apart;
        runner_append(apart ? &alone : &others, item);
    }
    runner_take_back(runner, &alone);
    return others.first;
}

bool suspect_take(struct runner *runner, struct inbox_item *item, struct err_note *note)
{
    if (!item->alone || !is_suspect(runner, item))
        return true;
    uint32_t hands = 0;
    char hand[sizeof runner->name + 32];
    if (store_suspect(runner->store, item->delivery.identity, hand_of(runner, item->shard, hand, sizeof hand),
                      &hands, note) != ERR_OK)
        return false;
    memcpy(runner->suspect, item->delivery.identity.data, item->delivery.identity.size);
    runner->suspect[item->delivery.identity.size] = '\0';
    if (hands > HANDS_MAX)
        condemn(runner, item, hands);
    return true;
}

void suspect_over(struct runner *runner)
{
    struct err_note note = {""};
    if (runner->suspect[0] == '\0')
        return;
    if (store_suspect_clear(runner->store, str_from(runner->suspect), &note) != ERR_OK)
        log_warn("suspect_not_cleared", "why=%s", note.text); /* it is forgotten in a day */
    runner->suspect[0] = '\0';
}
