#include "engine/runtime/trail.h"

#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"

enum { FIRST_ROOM = 256 };

void trail_init(struct trail *trail)
{
    *trail = (struct trail){.room = FIRST_ROOM, .marks = memory_new(FIRST_ROOM, sizeof *trail->marks)};
}

void trail_fini(struct trail *trail)
{
    memory_free(trail->marks);
    *trail = (struct trail){0};
}

void trail_add(struct trail *trail, const struct trail_mark *mark)
{
    if (trail->next == trail->room && trail->room < LIMITS_TRAIL) { /* not wrapped yet, so nothing moves */
        trail->room *= 2;
        trail->marks = memory_resize(trail->marks, trail->room, sizeof *trail->marks);
    }
    trail->marks[trail->next++ & (trail->room - 1)] = *mark;
}

static struct str key_of(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

struct trail_mark *trail_take(struct trail *trail, uint32_t shard, int64_t lsn, uint32_t *count, bool *whole)
{
    struct map newest;
    uint64_t held = trail->next < trail->room ? trail->next : trail->room;
    struct trail_mark *taken = memory_new(held + 1, sizeof *taken);
    *count = 0;
    *whole = trail->next <= trail->room;
    map_init(&newest);
    for (uint64_t at = trail->next - held; at < trail->next; at++) {
        struct trail_mark *mark = &trail->marks[at & (trail->room - 1)];
        if (id_shard(mark->id) != shard || mark->lsn == 0)
            continue;
        if (mark->lsn <= lsn) { /* what fell out was older than this one */
            *whole = true;
            continue;
        }
        struct trail_mark *known = map_get(&newest, key_of(&mark->id));
        if (known == NULL) {
            known = &taken[(*count)++];
            *known = *mark;
            map_set(&newest, key_of(&known->id), known);
        }
        *known = *mark; /* later in the ring is newer */
        mark->lsn = 0;
    }
    map_fini(&newest);
    return taken;
}
