/* Plans by name, version and hash, loaded from the store or a folder, shared by all threads under a lock.
 * Called by api, runners and tools. A plan once handed out is never changed or freed while the process lives.
 * */
#include "engine/runtime/registry.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"

/* Definitions are few (hundreds), so a sorted array under a lock is enough; each lives in an arena of its own
 * for the process's life. */
struct known {
    struct arena arena; /* holds all below */
    struct str name;
    int32_t version;
    struct str hash;
    const struct plan *plan; /* NULL: this program cannot take it */
    struct str why;          /* then */
    bool enabled;
    bool gone; /* deleted from the store; its plan may still be borrowed */
};
struct registry {
    pthread_rwlock_t lock;
    struct known **items; /* by name, then version */
    uint32_t count;
    uint32_t room;
    uint32_t missing; /* without a plan */
    size_t bytes;     /* of all arenas */
    size_t bytes_max;
};

struct registry *registry_new(size_t bytes_max)
{
    struct registry *registry = memory_new(1, sizeof *registry);
    check(pthread_rwlock_init(&registry->lock, NULL) == 0);
    registry->bytes_max = bytes_max == 0 ? LIMITS_DEFINITIONS_BYTES : bytes_max;
    return registry;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL)
        return;
    for (uint32_t i = 0; i < registry->count; i++) {
        arena_fini(&registry->items[i]->arena);
        memory_free(registry->items[i]);
    }
    memory_free(registry->items);
    pthread_rwlock_destroy(&registry->lock);
    memory_free(registry);
}

static int order(const struct known *known, struct str name, int32_t version)
{
    int names = str_compare(known->name, name);
    return names != 0 ? names : (known->version > version) - (known->version < version);
}

/* In rising order of version: the last enabled one is the newest. With the lock held. */
static struct known *find(struct registry *registry, struct str name, int32_t version)
{
    struct known *found = NULL;
    for (uint32_t i = 0; i < registry->count; i++) {
        struct known *known = registry->items[i];
        if (str_equal(known->name, name) && !known->gone &&
            (version == 0 ? known->enabled : known->version == version))
            found = known;
    }
    return found;
}

static struct known *find_hash(struct registry *registry, struct str hash)
{
    for (uint32_t i = 0; i < registry->count; i++)
        if (str_equal(registry->items[i]->hash, hash))
            return registry->items[i];
    return NULL;
}

const struct plan *registry_find(struct registry *registry, struct str name, int32_t version)
{
    pthread_rwlock_rdlock(&registry->lock);
    const struct known *known = find(registry, name, version);
    const struct plan *plan = known == NULL ? NULL : known->plan; /* plans live as long as the registry */
    pthread_rwlock_unlock(&registry->lock);
    return plan;
}

const struct plan *registry_newest(struct registry *registry, struct str name)
{
    const struct plan *newest = NULL;
    pthread_rwlock_rdlock(&registry->lock);
    for (uint32_t i = 0; i < registry->count; i++)
        if (str_equal(registry->items[i]->name, name) && registry->items[i]->plan != NULL)
            newest = registry->items[i]->plan;
    pthread_rwlock_unlock(&registry->lock);
    return newest;
}

bool registry_is_missing(struct registry *registry, struct str name, int32_t version)
{
    pthread_rwlock_rdlock(&registry->lock);
    const struct known *known = find(registry, name, version);
    bool missing = known != NULL && known->plan == NULL;
    pthread_rwlock_unlock(&registry->lock);
    return missing;
}

const struct plan *registry_by_hash(struct registry *registry, struct str hash)
{
    pthread_rwlock_rdlock(&registry->lock);
    const struct known *known = find_hash(registry, hash);
    const struct plan *plan = known == NULL ? NULL : known->plan;
    pthread_rwlock_unlock(&registry->lock);
    return plan;
}

bool registry_is_enabled(struct registry *registry, const struct plan *plan)
{
    pthread_rwlock_rdlock(&registry->lock);
    const struct known *known = find_hash(registry, str_from(plan->hash));
    bool enabled = known != NULL && known->enabled && !known->gone;
    pthread_rwlock_unlock(&registry->lock);
    return enabled;
}

const struct plan **registry_list(struct registry *registry, struct arena *arena, uint32_t *count)
{
    *count = 0;
    pthread_rwlock_rdlock(&registry->lock);
    const struct plan **plans = arena_array(arena, registry->count, sizeof(const struct plan *));
    for (uint32_t i = 0; i < registry->count; i++)
        if (registry->items[i]->plan != NULL && !registry->items[i]->gone)
            plans[(*count)++] = registry->items[i]->plan;
    pthread_rwlock_unlock(&registry->lock);
    return plans;
}

struct registry_missing *registry_not_loaded(struct registry *registry, struct arena *arena, uint32_t *count)
{
    *count = 0;
    pthread_rwlock_rdlock(&registry->lock);
    struct registry_missing *rows = arena_array(arena, registry->missing, sizeof *rows);
    for (uint32_t i = 0; i < registry->count; i++) {
        const struct known *known = registry->items[i];
        if (known->plan == NULL && !known->gone)
            rows[(*count)++] = (struct registry_missing){arena_copy(arena, known->name), known->version,
                                                         arena_copy(arena, known->why)};
    }
    pthread_rwlock_unlock(&registry->lock);
    return rows;
}

/* ---- what this process can hold ---- */

/* Distinct participants of all plans and of this one. With the lock held. */
static uint32_t count_participants(const struct registry *registry, const struct plan *plan)
{
    struct map names;
    map_init(&names);
    for (uint32_t i = 0; i <= registry->count; i++) {
        const struct known *known = i < registry->count ? registry->items[i] : NULL;
        const struct plan *each = known == NULL ? plan : known->gone ? NULL : known->plan;
        for (uint32_t k = 0; each != NULL && k < each->participant_count; k++)
            map_set(&names, each->participants[k], (void *)(uintptr_t)each);
    }
    uint32_t count = (uint32_t)names.count;
    map_fini(&names);
    return count;
}

static enum err check_room(struct registry *registry, const struct plan *plan, size_t bytes,
                           struct err_note *note)
{
    pthread_rwlock_rdlock(&registry->lock);
    uint32_t participants = count_participants(registry, plan);
    size_t all = registry->bytes + bytes;
    pthread_rwlock_unlock(&registry->lock);
    if (participants > LIMITS_PARTICIPANTS)
        return err_note(note, ERR_LIMIT,
                        "all definitions together would have %u participants, the limit is %d", participants,
                        LIMITS_PARTICIPANTS);
    if (all > registry->bytes_max)
        return err_note(note, ERR_LIMIT,
                        "all definitions together would take %zu bytes of memory, the limit is %zu; delete "
                        "versions that no saga has used",
                        all, registry->bytes_max);
    return ERR_OK;
}

/* Takes the arena when the definition is new, and frees it when another thread was faster. Gives what stands
 * there. */
static struct known *take(struct registry *registry, const struct known *made)
{
    pthread_rwlock_wrlock(&registry->lock);
    uint32_t at = 0;
    while (at < registry->count && order(registry->items[at], made->name, made->version) < 0)
        at++;
    struct known *there = at < registry->count ? registry->items[at] : NULL;
    if (there != NULL && order(there, made->name, made->version) == 0 && str_equal(there->hash, made->hash)) {
        struct arena spare = made->arena;
        if (there->plan == NULL && made->plan != NULL) { /* it fits by now: nobody borrows what stood there */
            spare = there->arena;
            *there = *made;
            registry->bytes += made->arena.used - spare.used;
            registry->missing--;
        }
        there->gone = false;
        there->enabled = made->enabled;
        pthread_rwlock_unlock(&registry->lock);
        arena_fini(&spare);
        return there;
    }
    if (registry->count == registry->room) {
        registry->room = registry->room == 0 ? 16 : registry->room * 2;
        registry->items = memory_resize(registry->items, registry->room, sizeof *registry->items);
    }
    struct known *known = memory_new(1, sizeof *known);
    *known = *made;
    memmove(registry->items + at + 1, registry->items + at,
            (registry->count - at) * sizeof(*registry->items));
    registry->items[at] = known;
    registry->count++;
    registry->bytes += made->arena.used;
    registry->missing += made->plan == NULL;
    metrics_set(METRICS_DEFINITIONS_NOT_LOADED, registry->missing, METRICS_NO_LABEL);
    metrics_set(METRICS_DEFINITIONS_BYTES, (int64_t)registry->bytes, METRICS_NO_LABEL);
    pthread_rwlock_unlock(&registry->lock);
    return known;
}

/* ---- what the store has ---- */

/* A small arena of its own: what loading it took is given back. */
static void take_missing(struct registry *registry, const struct store_definition *row, const char *why)
{
    struct known made = {.version = row->version, .enabled = row->enabled};
    arena_init(&made.arena, 1024);
    made.name = arena_copy(&made.arena, row->name);
    made.hash = arena_copy(&made.arena, row->hash);
    made.why = arena_copy(&made.arena, str_from(why));
    log_error("definition_not_loaded", "definition=%.*s version=%d why=%s", STR_ARG(row->name), row->version,
              why);
    take(registry, &made);
}

static void take_stored(struct registry *registry, const struct store_definition *row)
{
    struct diag_list diags;
    struct err_note why = {""};
    struct known made = {.version = row->version, .enabled = row->enabled};
    arena_init(&made.arena, 0);
    diag_init(&diags, &made.arena, row->name, (struct str){0});
    made.plan = definition_load_bundle(&made.arena, row->bundle, &diags);
    enum err error = made.plan == NULL ? ERR_INVALID : check_room(registry, made.plan, made.arena.used, &why);
    if (made.plan == NULL && diags.error_count > 0)
        error = err_note(&why, ERR_INVALID, "this version of the program does not take it: %.*s",
                         STR_ARG(diags.items[0].message));
    if (error == ERR_OK) {
        made.name = made.plan->name;
        made.hash = str_from(made.plan->hash);
        take(registry, &made);
        return;
    }
    take_missing(registry, row, why.text);
    arena_fini(&made.arena);
}

/* False when it is not known here. */
static bool note_known(struct registry *registry, const struct store_definition *row)
{
    pthread_rwlock_wrlock(&registry->lock);
    struct known *known = find_hash(registry, row->hash);
    if (known != NULL) {
        known->enabled = row->enabled;
        known->gone = false;
    }
    pthread_rwlock_unlock(&registry->lock);
    return known != NULL;
}

static bool is_listed(const struct store_definition *rows, uint32_t count, struct str hash)
{
    for (uint32_t i = 0; i < count; i++)
        if (str_equal(rows[i].hash, hash))
            return true;
    return false;
}

/* Deleted by somebody: no saga has used it, and none will. */
static void note_gone(struct registry *registry, const struct store_definition *rows, uint32_t count)
{
    pthread_rwlock_wrlock(&registry->lock);
    for (uint32_t i = 0; i < registry->count; i++)
        registry->items[i]->gone |= !is_listed(rows, count, registry->items[i]->hash);
    pthread_rwlock_unlock(&registry->lock);
}

/* name: "" for all. */
static enum err learn(struct registry *registry, struct store *store, struct str name, struct err_note *note)
{
    struct arena arena;
    struct store_definition *rows = NULL;
    uint32_t count = 0;
    arena_init(&arena, 0);
    enum err error = store_definitions(store, name, &arena, &rows, &count, note);
    for (uint32_t i = 0; error == ERR_OK && i < count; i++) {
        struct store_definition row;
        if (note_known(registry, &rows[i]))
            continue;
        error = store_definition_get(store, rows[i].name, rows[i].version, &arena, &row, note);
        if (error == ERR_OK)
            take_stored(registry, &row);
        else if (error == ERR_NOT_FOUND) /* deleted since it was listed */
            error = ERR_OK;
    }
    if (error == ERR_OK && name.size == 0)
        note_gone(registry, rows, count);
    arena_fini(&arena);
    return error;
}

enum err registry_refresh(struct registry *registry, struct store *store, struct err_note *note)
{
    return learn(registry, store, STR(""), note);
}

enum err registry_learn(struct registry *registry, struct store *store, struct str name,
                        struct err_note *note)
{
    return name.size == 0 ? ERR_OK : learn(registry, store, name, note);
}

enum err registry_enable(struct registry *registry, struct store *store, struct str name, int32_t version,
                         bool enabled, struct err_note *note)
{
    enum err error = store_definition_enable(store, name, version, enabled, note);
    return error == ERR_OK ? registry_learn(registry, store, name, note) : error;
}

enum err registry_delete(struct registry *registry, struct store *store, struct str name, int32_t version,
                         struct err_note *note)
{
    enum err error = store_definition_delete(store, name, version, note);
    return error == ERR_OK ? registry_refresh(registry, store, note) : error;
}

static enum err keep(struct registry *registry, struct store *store, struct arena own,
                     const struct plan *plan, const struct plan **kept, bool *created, struct err_note *note)
{
    struct store_definition row = {.name = plan->name,
                                   .version = plan->version,
                                   .hash = str_from(plan->hash),
                                   .bundle = plan->bundle,
                                   .enabled = true};
    struct known made = {.arena = own,
                         .name = plan->name,
                         .version = plan->version,
                         .hash = row.hash,
                         .plan = plan,
                         .enabled = true};
    *created = registry_by_hash(registry, row.hash) == NULL;
    enum err error = *created ? check_room(registry, plan, own.used, note) : ERR_OK;
    if (error == ERR_OK)
        error = store_definition_put(store, &row, note);
    if (error != ERR_OK) {
        arena_fini(&own);
        return error;
    }
    *kept = take(registry, &made)->plan;
    return ERR_OK;
}

enum err registry_put(struct registry *registry, struct store *store, struct str file, struct str text,
                      const struct definition_files *files, struct arena *arena, struct diag_list *diags,
                      const struct plan **plan, bool *created, struct err_note *note)
{
    struct arena own; /* the plan's, for ever; the diagnostics go to the caller's */
    arena_init(&own, 0);
    diag_init(diags, arena, file, text);
    const struct plan *loaded = definition_load(&own, text, files, diags);
    if (loaded == NULL) {
        arena_fini(&own);
        return err_note(note, ERR_INVALID, "the definition has %zu mistakes",
                        diags->error_count + diags->left_out);
    }
    return keep(registry, store, own, loaded, plan, created, note);
}

enum err registry_put_back(struct registry *registry, struct store *store, struct err_note *note)
{
    struct arena arena;
    uint32_t count = 0;
    enum err error = ERR_OK;
    arena_init(&arena, 0);
    const struct plan **plans = registry_list(registry, &arena, &count);
    for (uint32_t i = 0; i < count && error == ERR_OK; i++) {
        struct store_definition row = {.name = plans[i]->name,
                                       .version = plans[i]->version,
                                       .hash = str_from(plans[i]->hash),
                                       .bundle = plans[i]->bundle,
                                       .enabled = registry_is_enabled(registry, plans[i])};
        error = store_definition_put(store, &row, note);
        error = error == ERR_CONFLICT ? ERR_OK : error;
    }
    arena_fini(&arena);
    return error;
}

static bool is_yaml(const char *name)
{
    struct str text = str_from(name);
    return (str_ends(text, STR(".yaml")) || str_ends(text, STR(".yml"))) &&
           !str_ends(text, STR(".test.yaml"));
}

static enum err put_file(struct registry *registry, struct store *store, const char *path, struct buf *report,
                         bool *good, struct err_note *note)
{
    struct arena own;
    struct diag_list diags;
    const struct plan *plan = NULL;
    bool created = false;
    arena_init(&own, 0);
    *good = false;
    enum err error = definition_load_file(&own, path, &diags, &plan, note);
    if (error == ERR_OK && plan != NULL) {
        diag_render(&diags, report); /* warnings */
        error = keep(registry, store, own, plan, &plan, &created, note);
        *good = error == ERR_OK;
        bool refused = error == ERR_CONFLICT || error == ERR_LIMIT;
        if (refused)
            buf_printf(report, "%s: %s\n", path, note->text);
        return refused ? ERR_OK : error;
    }
    if (error == ERR_OK || error == ERR_INVALID)
        diag_render(&diags, report);
    else
        buf_printf(report, "%s: %s\n", path, note->text);
    arena_fini(&own);
    return ERR_OK;
}

enum err registry_put_folder(struct registry *registry, struct store *store, const char *folder,
                             struct buf *report, uint32_t *good, uint32_t *bad, struct err_note *note)
{
    *good = *bad = 0;
    DIR *open = opendir(folder);
    if (open == NULL)
        return err_note(note, ERR_IO, "cannot read the definitions folder %s: %s", folder, strerror(errno));
    enum err error = ERR_OK;
    for (struct dirent *entry = readdir(open); entry != NULL && error == ERR_OK; entry = readdir(open)) {
        if (!is_yaml(entry->d_name))
            continue;
        struct str path = arena_printf(report->arena, "%s/%s", folder, entry->d_name);
        bool fine = false;
        error = put_file(registry, store, path.data, report, &fine, note);
        *(fine ? good : bad) += 1;
    }
    closedir(open);
    return error;
}
