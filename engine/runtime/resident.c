/* Sagas in memory, their timers and who waits for them; the longest unused leave. Called by the runner's
 * thread alone. Never drops a saga that the batch in hand has touched, and nothing lives only here. */
#include "engine/runtime/resident.h"

#include <stddef.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/runtime/delivery.h"

void resident_init(struct resident *resident)
{
    *resident = (struct resident){0};
    map_init(&resident->entries);
    heap_init(&resident->timers);
    heap_init(&resident->watches);
}

void resident_fini(struct resident *resident)
{
    size_t cursor = 0;
    for (struct resident_entry *entry = map_next(&resident->entries, &cursor); entry != NULL;
         entry = map_next(&resident->entries, &cursor)) {
        while (entry->watches != NULL)
            resident_unwatch(resident, entry->watches);
        resident_forget(resident, entry);
    }
    map_fini(&resident->entries);
    heap_fini(&resident->timers);
    heap_fini(&resident->watches);
}

static struct str key_of(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

struct resident_entry *resident_find(struct resident *resident, struct id id)
{
    return map_get(&resident->entries, key_of(&id));
}

struct resident_entry *resident_enter(struct resident *resident, struct id id)
{
    struct resident_entry *entry = resident_find(resident, id);
    if (entry != NULL)
        return entry;
    entry = memory_new(1, sizeof *entry);
    entry->id = id;
    map_set(&resident->entries, key_of(&entry->id), entry);
    return entry;
}

static void link_newest(struct resident *resident, struct resident_entry *entry)
{
    entry->newer = NULL;
    entry->older = resident->newest;
    if (resident->newest != NULL)
        resident->newest->newer = entry;
    else
        resident->oldest = entry;
    resident->newest = entry;
}

static void unlink_used(struct resident *resident, struct resident_entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &resident->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &resident->oldest) = entry->newer;
    entry->newer = entry->older = NULL;
}

struct core_saga *resident_place(struct resident *resident, struct resident_entry *entry,
                                 const struct plan *plan)
{
    check(entry->saga == NULL);
    arena_init(&entry->arena, 2048);
    entry->saga = arena_new(&entry->arena, struct core_saga);
    core_init(entry->saga, plan, entry->id, &entry->arena);
    link_newest(resident, entry);
    resident->loaded_count++;
    return entry->saga;
}

void resident_touch(struct resident *resident, struct resident_entry *entry)
{
    check(entry->saga != NULL);
    if (resident->newest == entry)
        return;
    unlink_used(resident, entry);
    link_newest(resident, entry);
}

void resident_weigh(struct resident *resident, struct resident_entry *entry)
{
    check(entry->saga != NULL);
    resident->loaded_bytes += entry->arena.used - entry->weight;
    entry->weight = entry->arena.used;
}

void resident_time(struct resident *resident, struct resident_entry *entry)
{
    uint16_t step;
    int64_t wake = core_next(entry->saga, delivery_holds, entry, &step);
    if (wake == INT64_MAX || core_ended(entry->saga))
        heap_remove(&resident->timers, &entry->timer);
    else if (entry->timer.position == HEAP_ABSENT || entry->timer.due_us != wake)
        heap_set(&resident->timers, &entry->timer, wake);
}

void resident_unload(struct resident *resident, struct resident_entry *entry)
{
    if (entry->saga == NULL)
        return;
    unlink_used(resident, entry);
    entry->saga = NULL;
    arena_fini(&entry->arena);
    resident->loaded_count--;
    resident->loaded_bytes -= entry->weight;
    entry->weight = 0;
}

void resident_fall_back(struct resident *resident, struct resident_entry *entry, int64_t due_us)
{
    resident_unload(resident, entry);
    heap_set(&resident->timers, &entry->timer, due_us);
}

void resident_forget(struct resident *resident, struct resident_entry *entry)
{
    check(entry->watches == NULL);
    check(entry->flights == NULL);
    resident_unload(resident, entry);
    heap_remove(&resident->timers, &entry->timer);
    map_remove(&resident->entries, key_of(&entry->id));
    memory_free(entry);
}

void resident_shrink(struct resident *resident, uint32_t most, uint64_t current)
{
    struct resident_entry *entry = resident->oldest;
    while (entry != NULL &&
           (resident->loaded_count > most || resident->loaded_bytes > LIMITS_RESIDENT_BYTES)) {
        struct resident_entry *newer = entry->newer;
        if (entry->batch != current && core_ended(entry->saga) && entry->watches == NULL)
            resident_forget(resident, entry);
        else if (entry->batch != current)
            resident_unload(resident, entry);
        entry = newer;
    }
}

void resident_watch(struct resident *resident, struct resident_entry *entry, int64_t deadline_us,
                    struct engine_call call)
{
    struct resident_watch *watch = memory_new(1, sizeof *watch);
    watch->entry = entry;
    watch->call = call;
    watch->next = entry->watches;
    entry->watches = watch;
    heap_set(&resident->watches, &watch->deadline, deadline_us);
}

void resident_unwatch(struct resident *resident, struct resident_watch *watch)
{
    struct resident_watch **at = &watch->entry->watches;
    while (*at != watch) {
        check(*at != NULL);
        at = &(*at)->next;
    }
    *at = watch->next;
    heap_remove(&resident->watches, &watch->deadline);
    memory_free(watch);
}
