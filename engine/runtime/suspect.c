#include "engine/runtime/suspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/duration.h"
#include "engine/ops/log.h"
#include "engine/runtime/engine_parts.h"

/* Deliveries that are nobody's fault: a lost acknowledgement, an engine that was replaced, both at once. */
enum { DELIVERIES_MAX = 3, HANDS_MAX = 3 };
static const int64_t careful_us =
    120 * DURATION_SECOND_US; /* after a shard came: four times the longest ack_wait of replies */

static bool is_suspect(const struct runner *runner, const struct inbox_item *item)
{
    const struct runner_shard *shard =
        item->shard < runner->engine->shard_count ? &runner->shards[item->shard] : NULL;
    return inbox_item_is_message(item) && item->delivery.delivery_count > DELIVERIES_MAX &&
           item->delivery.identity.size > 0 && item->delivery.identity.size < sizeof runner->suspect &&
           item->task.kind != INBOX_DEAD && shard != NULL && shard->owned &&
           engine_clock_us(runner->engine) - shard->claimed_us < careful_us;
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
    snprintf(hand, sizeof hand, "%s epoch %" PRId64, runner->name, runner->shards[item->shard].store.epoch);
    if (store_suspect(runner->store, item->delivery.identity, str_from(hand), &hands, note) != ERR_OK)
        return false;
    memcpy(runner->suspect, item->delivery.identity.data, item->delivery.identity.size);
    runner->suspect[item->delivery.identity.size] = '\0';
    if (hands <= HANDS_MAX)
        return true;
    log_error("message_ended_its_owners", "subject=%.*s message=%s hands=%u",
              STR_ARG(item->delivery.message.subject), runner->suspect, hands);
    item->task = (struct inbox_task){
        .kind = INBOX_DEAD,
        .reason = arena_printf(&item->arena,
                               "%u engines in turn ended, or lost its shard, with this message alone in hand",
                               hands - 1)};
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
