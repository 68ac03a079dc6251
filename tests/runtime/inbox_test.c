/* The inbox of a runner: order, bounds, the part kept for replies, threads. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/clock.h"
#include "engine/runtime/inbox.h"

static bool put(struct inbox *inbox, uint32_t mark, size_t bytes, bool urgent)
{
    struct inbox_item *item = inbox_item_new(INBOX_CALLER, INBOX_VERB, bytes);
    item->shard = mark;
    bool taken = inbox_put(inbox, item, urgent);
    if (!taken)
        inbox_item_free(item);
    return taken;
}

static uint32_t free_all(struct inbox_item *items)
{
    uint32_t count = 0;
    while (items != NULL) {
        struct inbox_item *item = items;
        items = item->next;
        inbox_item_free(item);
        count++;
    }
    return count;
}

Test(inbox, gives_back_in_order_and_bounded)
{
    struct inbox inbox;
    inbox_init(&inbox, 100, SIZE_MAX);
    for (uint32_t i = 0; i < 10; i++)
        cr_assert(put(&inbox, i, 0, false));
    struct inbox_item *items = inbox_take(&inbox, 4, SIZE_MAX, 0);
    for (uint32_t i = 0; i < 4; i++) {
        struct inbox_item *item = items;
        cr_assert(eq(u32, item->shard, i));
        items = item->next;
        inbox_item_free(item);
    }
    cr_assert_null(items);
    cr_assert(eq(u32, free_all(inbox_take(&inbox, 100, SIZE_MAX, 0)), 6));
    inbox_fini(&inbox);
}

Test(inbox, bytes_bound_a_take_but_one_item_always_comes)
{
    struct inbox inbox;
    inbox_init(&inbox, 100, SIZE_MAX);
    cr_assert(put(&inbox, 0, 1000000, false));
    cr_assert(put(&inbox, 1, 10, false));
    cr_assert(eq(u32, free_all(inbox_take(&inbox, 100, 1000, 0)), 1));
    cr_assert(eq(u32, free_all(inbox_take(&inbox, 100, 1000000, 0)), 1));
    inbox_fini(&inbox);
}

Test(inbox, the_last_quarter_is_for_replies)
{
    struct inbox inbox;
    inbox_init(&inbox, 8, SIZE_MAX);
    for (uint32_t i = 0; i < 6; i++)
        cr_assert(put(&inbox, i, 0, false));
    cr_assert_not(put(&inbox, 6, 0, false), "people are pushed back");
    cr_assert(put(&inbox, 6, 0, true));
    cr_assert(put(&inbox, 7, 0, true));
    cr_assert_not(put(&inbox, 8, 0, true), "and in the end everybody is");
    inbox_fini(&inbox);
}

Test(inbox, closed_takes_nothing_more_but_gives_what_it_has)
{
    struct inbox inbox;
    inbox_init(&inbox, 8, SIZE_MAX);
    cr_assert(put(&inbox, 0, 0, false));
    inbox_close(&inbox);
    cr_assert_not(put(&inbox, 1, 0, true));
    cr_assert(eq(u32, free_all(inbox_take(&inbox, 8, SIZE_MAX, 0)), 1));
    inbox_fini(&inbox);
}

static void *wake(void *context)
{
    inbox_wake(context);
    return NULL;
}

Test(inbox, a_wake_ends_the_wait_without_an_item, .timeout = 60)
{
    struct inbox inbox;
    pthread_t thread;
    inbox_init(&inbox, 8, SIZE_MAX);
    cr_assert(pthread_create(&thread, NULL, wake, &inbox) == 0);
    cr_assert_null(inbox_take(&inbox, 8, SIZE_MAX, INT64_MAX / 2));
    pthread_join(thread, NULL);
    inbox_fini(&inbox);
}

static void *put_many(void *context)
{
    for (uint32_t i = 0; i < 20000; i++)
        while (!put(context, i, 0, true)) {
        }
    return NULL;
}

Test(inbox, nothing_is_lost_between_threads, .timeout = 60)
{
    struct inbox inbox;
    pthread_t threads[3];
    uint32_t count = 0;
    inbox_init(&inbox, 64, SIZE_MAX);
    for (int i = 0; i < 3; i++)
        cr_assert(pthread_create(&threads[i], NULL, put_many, &inbox) == 0);
    while (count < 60000)
        count += free_all(inbox_take(&inbox, 16, SIZE_MAX, clock_monotonic_us() + 1000000));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    cr_assert(eq(u32, count, 60000));
    inbox_fini(&inbox);
}
