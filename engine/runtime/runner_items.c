/* Which items a runner takes for its next batch: those that came to nothing in one before, then the inbox's.
 */
#include "engine/runtime/runner.h"

#include "engine/base/limits.h"
#include "engine/runtime/engine_parts.h"

static const int64_t starved_wait_us = 50000; /* a lost wake-up costs no more */
enum { ROOM_LEAST = 64 };                     /* publishes that must fit before a batch is begun */

void runner_append(struct runner_again *list, struct inbox_item *item)
{
    item->next = NULL;
    if (list->last != NULL)
        list->last->next = item;
    else
        list->first = item;
    list->last = item;
}

void runner_try_again(struct runner *runner, struct inbox_item *item)
{
    runner_append(&runner->again, item);
}

void runner_take_back(struct runner *runner, const struct runner_again *items)
{
    if (items->first == NULL)
        return;
    items->last->next = runner->again.first;
    runner->again.first = items->first;
    if (runner->again.last == NULL)
        runner->again.last = items->last;
}

void runner_rest(struct runner *runner, bool wait, int64_t until_us)
{
    inbox_take(&runner->inbox, 0, 0, wait ? until_us : 0);
}

/* All up to the next one that must be alone, or that one alone; no more than a batch may have. */
static struct inbox_item *take_again(struct runner *runner, uint32_t most, uint32_t *count,
                                     struct inbox_item **last)
{
    struct inbox_item *first = runner->again.first;
    if (first == NULL)
        return NULL;
    *last = first;
    for (*count = 1; *count < most && !first->alone && (*last)->next != NULL && !(*last)->next->alone;
         ++*count)
        *last = (*last)->next;
    runner->again.first = (*last)->next;
    if ((*last)->next == NULL)
        runner->again.last = NULL;
    (*last)->next = NULL;
    return first;
}

struct inbox_item *runner_items(struct runner *runner, bool wait, int64_t until_us)
{
    int64_t now_us = engine_clock_us(runner->engine);
    if (runner->again.first != NULL &&
        now_us <
            runner->again.at_us) { /* the database could not be asked: newer items would fare no better */
        runner_rest(runner, wait, runner->again.at_us);
        return NULL;
    }
    uint32_t in_flight = bus_in_flight(runner->engine->bus);
    uint32_t room = in_flight < BUS_IN_FLIGHT_MAX ? BUS_IN_FLIGHT_MAX - in_flight : 0;
    if (room < ROOM_LEAST && runner->again.first == NULL) { /* until the broker has answered some */
        atomic_store(&runner->starved, true);
        runner_rest(runner, wait, now_us + starved_wait_us);
        return NULL;
    }
    uint32_t most = runner->batch_most < room ? runner->batch_most * runner->width : room;
    uint32_t count = 0;
    bool alone = runner->again.first != NULL && runner->again.first->alone;
    struct inbox_item *last = NULL, *first = take_again(runner, most, &count, &last);
    if (alone || runner->again.first != NULL || count >= most || room < ROOM_LEAST)
        return first;
    struct inbox_item *more =
        inbox_take(&runner->inbox, most - count, LIMITS_BATCH_BYTES, wait && first == NULL ? until_us : 0);
    if (first == NULL)
        return more;
    last->next = more;
    return first;
}

void runner_widen(struct runner *runner)
{
    const struct batch *batch = &runner->batch;
    uint32_t stored = batch->record_count + batch->dead_count;
    uint32_t taken = runner->batch_most * runner->width;
    if (stored > runner->batch_most / 2 || runner->batch_most < runner->engine->options.batch_events)
        runner->width = 1;
    else if (batch->done_count >= taken && 2 * taken <= LIMITS_BATCH_ITEMS)
        runner->width *= 2;
}
