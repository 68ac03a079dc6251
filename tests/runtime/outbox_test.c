/* The outbox of a shard: the mark against a definition so plain that it cannot be wrong. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/base/rng.h"
#include "engine/runtime/outbox.h"

static void ready(struct outbox *outbox, int64_t mark)
{
    outbox_init(outbox, mark, 1);
    cr_assert(outbox->behind, "a shard taken over has everything above its mark to send");
    cr_assert(outbox_restart(outbox));
    outbox->behind = false;
}

Test(outbox, mark_follows_the_confirmed_prefix)
{
    struct outbox outbox;
    ready(&outbox, 10);
    uint64_t first = outbox_take(&outbox, 11, 1, NULL), second = outbox_take(&outbox, 13, 1, NULL);
    outbox_sent(&outbox, 14);
    cr_assert(eq(i64, outbox_mark(&outbox), 10));
    outbox_answer(&outbox, second, true);
    cr_assert(eq(i64, outbox_mark(&outbox), 10), "a later confirmation says nothing of an earlier one");
    outbox_answer(&outbox, first, true);
    cr_assert(eq(i64, outbox_mark(&outbox), 14), "rows without commands count as sent");
    outbox_fini(&outbox);
}

Test(outbox, a_failure_holds_the_mark_until_the_repair)
{
    struct outbox outbox;
    ready(&outbox, 0);
    uint64_t lost = outbox_take(&outbox, 5, 1, NULL), kept = outbox_take(&outbox, 6, 1, NULL);
    outbox_sent(&outbox, 6);
    outbox_answer(&outbox, lost, false);
    cr_assert(outbox.behind);
    cr_assert_not(outbox_restart(&outbox), "an answer is still outstanding");
    outbox_answer(&outbox, kept, true);
    cr_assert(eq(i64, outbox_mark(&outbox), 4));
    cr_assert(outbox_restart(&outbox));
    cr_assert(eq(i64, outbox.sent_lsn, 4), "what lies above the mark is sent again");
    outbox_answer(&outbox, lost, true);
    cr_assert(eq(i64, outbox_mark(&outbox), 4), "an answer to a slot given up moves nothing");
    outbox_fini(&outbox);
}

Test(outbox, what_is_held_keeps_the_mark_below_it_and_puts_nothing_behind)
{
    struct outbox outbox;
    struct heap_item held = {0};
    ready(&outbox, 10);
    uint64_t full = outbox_take(&outbox, 11, 1, NULL), fine = outbox_take(&outbox, 12, 1, NULL);
    outbox_sent(&outbox, 12);
    cr_assert(outbox_hold(&outbox, &held, 11));
    outbox_answer(&outbox, full, true);
    outbox_answer(&outbox, fine, true);
    cr_assert_not(outbox.behind);
    cr_assert(eq(i64, outbox_mark(&outbox), 10));
    uint64_t again = outbox_take_again(&outbox, 2, NULL);
    outbox_take(&outbox, 13, 2, NULL);
    cr_assert(outbox_look(&outbox, again).again);
    outbox_answer(&outbox, again, false);
    cr_assert_not(outbox.behind, "a try that is refused leaves it as it was");
    cr_assert(eq(i64, outbox_mark(&outbox), 10));
    outbox_let_go(&outbox, &held);
    cr_assert(eq(i64, outbox_mark(&outbox), 12), "13 is under way");
    outbox_fini(&outbox);
}

Test(outbox, a_repair_leaves_alone_what_is_held)
{
    struct outbox outbox;
    struct heap_item held = {0};
    ready(&outbox, 0);
    uint64_t full = outbox_take(&outbox, 1, 1, NULL), fine = outbox_take(&outbox, 2, 1, NULL),
             lost = outbox_take(&outbox, 3, 1, NULL);
    outbox_sent(&outbox, 3);
    cr_assert(outbox_hold(&outbox, &held, 1));
    outbox_answer(&outbox, full, true);
    outbox_answer(&outbox, fine, true);
    outbox_answer(&outbox, lost, false);
    cr_assert(outbox_restart(&outbox));
    cr_assert(eq(i64, outbox.sent_lsn, 2), "the repair begins at what was lost");
    cr_assert(eq(i64, outbox_mark(&outbox), 0), "the next owner at what is held");
    outbox_let_go(&outbox, &held);
    outbox_fini(&outbox);
}

Test(outbox, no_more_is_held_than_its_bound)
{
    struct outbox outbox;
    struct heap_item *held = memory_new(LIMITS_HELD_COMMANDS + 1, sizeof *held);
    ready(&outbox, 0);
    for (int i = 0; i < LIMITS_HELD_COMMANDS; i++)
        cr_assert(outbox_hold(&outbox, &held[i], i + 1));
    cr_assert_not(outbox_hold(&outbox, &held[LIMITS_HELD_COMMANDS], LIMITS_HELD_COMMANDS + 1));
    outbox_fini(&outbox);
    memory_free(held);
}

/* Against the definition: the mark is the largest lsn such that every slot at or below it is confirmed. */
Test(outbox, random_answers_agree_with_the_definition)
{
    enum { COUNT = 500 };
    struct outbox outbox;
    struct rng rng;
    uint64_t numbers[COUNT];
    bool answered[COUNT] = {false};
    rng_init(&rng, 7);
    ready(&outbox, 0);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = outbox_take(&outbox, i + 1, 1, NULL);
    outbox_sent(&outbox, COUNT);
    for (int left = COUNT; left > 0;) {
        int pick = (int)rng_below(&rng, COUNT);
        if (answered[pick])
            continue;
        answered[pick] = true;
        left--;
        outbox_answer(&outbox, numbers[pick], true);
        int64_t expected = 0;
        while (expected < COUNT && answered[expected])
            expected++;
        cr_assert(eq(i64, outbox_mark(&outbox), expected));
    }
    outbox_fini(&outbox);
}
