#include "engine/runtime/watches.h"

#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"

struct watches_entry {
    struct watches_entry *next;
    struct id id;
    int64_t until_us; /* monotonic */
    struct engine_call call;
};

void watches_add(struct watches *watches, struct id id, int64_t until_us, struct engine_call call)
{
    struct watches_entry *watch = memory_new(1, sizeof *watch);
    *watch = (struct watches_entry){.next = watches->first, .id = id, .until_us = until_us, .call = call};
    watches->first = watch;
    watches->count++;
}

/* True when the wait is over and the caller was told. glance NULL: the store does not hold the saga, or could
 * not be asked (error). */
static bool end_watch(const struct watches_entry *watch, const struct store_glance *glance, enum err error,
                      const char *why, bool last)
{
    struct engine_answer given = {.id = watch->id, .error = error, .message = str_from(why)};
    if (error == ERR_OK && glance == NULL) {
        given.error = ERR_NOT_FOUND;
        given.message = STR("there is no saga with this id");
    } else if (error == ERR_OK) {
        given.seq = glance->seq;
        if (!core_status_parse(glance->status, &given.status))
            given.error = ERR_INVALID;
    }
    bool over = given.error == ERR_NOT_FOUND ||
                (given.error == ERR_OK && (glance->ended || given.status == CORE_PARKED));
    if (over || last)
        watch->call.done(watch->call.context, &given);
    return over || last;
}

static struct str id_bytes(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

/* How far the watched sagas are, by id: one query for a thousand of them. */
static enum err glance(const struct watches *watches, struct store *store, struct arena *arena,
                       struct map *found, struct err_note *note)
{
    struct id *ids = arena_array(arena, watches->count, sizeof *ids);
    uint32_t count = 0;
    enum err error = ERR_OK;
    for (const struct watches_entry *watch = watches->first; watch != NULL; watch = watch->next)
        ids[count++] = watch->id;
    for (uint32_t from = 0; from < count && error == ERR_OK; from += LIMITS_STORE_LIST) {
        struct store_glance *rows = NULL;
        uint32_t row_count = 0;
        uint32_t most = count - from < LIMITS_STORE_LIST ? count - from : LIMITS_STORE_LIST;
        error = store_glance(store, ids + from, most, arena, &rows, &row_count, note);
        for (uint32_t i = 0; i < row_count && error == ERR_OK; i++)
            map_set(found, id_bytes(&rows[i].id), &rows[i]);
    }
    if (error == ERR_UNAVAILABLE || error == ERR_UNKNOWN_OUTCOME)
        (void)store_reconnect(store, note); /* looked at again in a moment either way */
    return error;
}

void watches_look(struct watches *watches, struct store *store, int64_t now_us, bool stopping)
{
    if (watches->first == NULL || (now_us < watches->look_at_us && !stopping))
        return;
    watches->look_at_us = now_us + WATCHES_EVERY_US;
    struct arena arena;
    struct map found;
    struct err_note note = {""};
    arena_init(&arena, 0);
    map_init(&found);
    enum err error = glance(watches, store, &arena, &found, &note);
    for (struct watches_entry **at = &watches->first; *at != NULL;) {
        struct watches_entry *watch = *at;
        if (end_watch(watch, map_get(&found, id_bytes(&watch->id)), error, note.text,
                      stopping || now_us >= watch->until_us)) {
            *at = watch->next;
            watches->count--;
            memory_free(watch);
        } else {
            at = &watch->next;
        }
    }
    map_fini(&found);
    arena_fini(&arena);
}
