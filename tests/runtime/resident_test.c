/* Sagas in memory: who leaves, who stays, and who is told at the end. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/runtime/resident.h"

static const struct plan_node nodes[] = {{.kind = PLAN_SEQUENCE}};
static const struct plan plan = {.name = {"p", 1}, .version = 1, .nodes = nodes, .node_count = 1};

static struct resident_entry *load(struct resident *resident, struct rng *rng)
{
    struct resident_entry *entry = resident_enter(resident, id_make(1000000, 3, rng));
    resident_place(resident, entry, &plan);
    return entry;
}

Test(resident, the_longest_unused_leave_memory_and_the_batch_in_hand_stays)
{
    struct resident resident;
    struct rng rng;
    rng_init(&rng, 1);
    resident_init(&resident);
    struct resident_entry *first = load(&resident, &rng), *second = load(&resident, &rng),
                          *third = load(&resident, &rng);
    resident_touch(&resident, first);
    second->batch = 9;
    resident_shrink(&resident, 1, 9);
    cr_assert_null(third->saga);
    cr_assert_not_null(second->saga, "it belongs to the batch in hand");
    cr_assert_null(first->saga);
    cr_assert(eq(u32, resident.loaded_count, 1));
    cr_assert(resident_find(&resident, third->id) == third, "its entry and timer stay");
    resident_fini(&resident);
}

Test(resident, thousands_come_and_go_without_a_trace)
{
    struct resident resident;
    struct rng rng;
    rng_init(&rng, 2);
    resident_init(&resident);
    for (int i = 0; i < 5000; i++) {
        struct resident_entry *entry = load(&resident, &rng);
        heap_set(&resident.timers, &entry->timer, i);
        resident_forget(&resident, entry);
    }
    cr_assert(eq(u32, resident.loaded_count, 0));
    cr_assert_null(resident.newest);
    cr_assert_null(resident.oldest);
    cr_assert_null(heap_first(&resident.timers));
    cr_assert(eq(sz, resident.entries.count, 0));
    resident_fini(&resident);
}

static int told;
static void tell(void *context, const struct engine_answer *answer)
{
    (void)context;
    (void)answer;
    told++;
}

Test(resident, watches_are_kept_by_deadline_and_taken_one_by_one)
{
    struct resident resident;
    struct rng rng;
    rng_init(&rng, 3);
    resident_init(&resident);
    struct resident_entry *entry = load(&resident, &rng);
    struct engine_call call = {.done = tell};
    resident_watch(&resident, entry, 200, call);
    resident_watch(&resident, entry, 100, call);
    cr_assert(eq(i64, heap_first(&resident.watches)->due_us, 100));
    resident_unwatch(&resident, entry->watches->next);
    cr_assert(eq(i64, heap_first(&resident.watches)->due_us, 100));
    resident_unwatch(&resident, entry->watches);
    cr_assert_null(heap_first(&resident.watches));
    cr_assert(eq(int, told, 0));
    resident_fini(&resident);
}
