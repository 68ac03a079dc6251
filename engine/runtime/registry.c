#include "engine/runtime/registry.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"

/* Plans are few (hundreds), so a sorted array under a lock is enough; each lives in an arena of its own for
 * the process's life. */
struct known {
    struct arena arena;
    const struct plan *plan;
    bool enabled;
};
struct registry {
    pthread_rwlock_t lock;
    struct known **items; /* by name, then version */
    uint32_t count;
    uint32_t room;
};

struct registry *registry_new(void)
{
    struct registry *registry = memory_new(1, sizeof *registry);
    check(pthread_rwlock_init(&registry->lock, NULL) == 0);
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

static int order(const struct plan *a, struct str name, int32_t version)
{
    int names = str_compare(a->name, name);
    return names != 0 ? names : (a->version > version) - (a->version < version);
}

const struct plan *registry_find(struct registry *registry, struct str name, int32_t version)
{
    const struct plan *found = NULL;
    pthread_rwlock_rdlock(&registry->lock);
    for (uint32_t i = 0; i < registry->count; i++) {
        const struct known *known = registry->items[i];
        if (!str_equal(known->plan->name, name))
            continue;
        if (version == 0 ? known->enabled : known->plan->version == version)
            found = known->plan; /* in rising order of version: the last enabled one is the newest */
    }
    pthread_rwlock_unlock(&registry->lock);
    return found;
}

static struct known *find_known(struct registry *registry, struct str hash)
{
    for (uint32_t i = 0; i < registry->count; i++)
        if (str_equal(str_from(registry->items[i]->plan->hash), hash))
            return registry->items[i];
    return NULL;
}

const struct plan *registry_by_hash(struct registry *registry, struct str hash)
{
    pthread_rwlock_rdlock(&registry->lock);
    const struct known *known = find_known(registry, hash);
    pthread_rwlock_unlock(&registry->lock);
    return known == NULL ? NULL : known->plan; /* plans live as long as the registry */
}

bool registry_is_enabled(struct registry *registry, const struct plan *plan)
{
    pthread_rwlock_rdlock(&registry->lock);
    const struct known *known = find_known(registry, str_from(plan->hash));
    bool enabled = known != NULL && known->enabled;
    pthread_rwlock_unlock(&registry->lock);
    return enabled;
}

/* False when it is not known here. */
static bool set_enabled(struct registry *registry, struct str hash, bool enabled)
{
    pthread_rwlock_wrlock(&registry->lock);
    struct known *known = find_known(registry, hash);
    if (known != NULL)
        known->enabled = enabled;
    pthread_rwlock_unlock(&registry->lock);
    return known != NULL;
}

enum err registry_enable(struct registry *registry, struct store *store, struct str name, int32_t version,
                         bool enabled, struct err_note *note)
{
    enum err error = store_definition_enable(store, name, version, enabled, note);
    if (error != ERR_OK)
        return error;
    error = registry_refresh(registry, store, note);
    return error == ERR_INVALID ? ERR_OK : error; /* of another one, which does not load any more */
}

const struct plan **registry_list(struct registry *registry, struct arena *arena, uint32_t *count)
{
    pthread_rwlock_rdlock(&registry->lock);
    const struct plan **plans = arena_array(arena, registry->count, sizeof(const struct plan *));
    for (uint32_t i = 0; i < registry->count; i++)
        plans[i] = registry->items[i]->plan;
    *count = registry->count;
    pthread_rwlock_unlock(&registry->lock);
    return plans;
}

/* Takes the arena when the plan is new; frees it when another thread was faster. */
static const struct plan *take(struct registry *registry, struct arena arena, const struct plan *plan,
                               bool enabled)
{
    pthread_rwlock_wrlock(&registry->lock);
    uint32_t at = 0;
    while (at < registry->count && order(registry->items[at]->plan, plan->name, plan->version) < 0)
        at++;
    if (at < registry->count && order(registry->items[at]->plan, plan->name, plan->version) == 0) {
        const struct plan *there = registry->items[at]->plan;
        pthread_rwlock_unlock(&registry->lock);
        arena_fini(&arena);
        return there;
    }
    if (registry->count == registry->room) {
        registry->room = registry->room == 0 ? 16 : registry->room * 2;
        registry->items = memory_resize(registry->items, registry->room, sizeof *registry->items);
    }
    struct known *known = memory_new(1, sizeof *known);
    *known = (struct known){.arena = arena, .plan = plan, .enabled = enabled};
    memmove(registry->items + at + 1, registry->items + at,
            (registry->count - at) * sizeof(*registry->items));
    registry->items[at] = known;
    registry->count++;
    pthread_rwlock_unlock(&registry->lock);
    return plan;
}

static enum err take_stored(struct registry *registry, const struct store_definition *stored,
                            struct err_note *note)
{
    struct arena arena;
    struct diag_list diags;
    arena_init(&arena, 0);
    diag_init(&diags, &arena, stored->name, (struct str){0});
    const struct plan *plan = definition_load_bundle(&arena, stored->bundle, &diags);
    if (plan == NULL) {
        struct buf text;
        buf_init(&text, &arena);
        diag_render(&diags, &text);
        enum err error =
            err_note(note, ERR_INVALID, "stored definition %.*s version %d does not load any more: %.*s",
                     STR_ARG(stored->name), stored->version, STR_ARG(buf_str(&text)));
        arena_fini(&arena);
        return error;
    }
    take(registry, arena, plan, stored->enabled);
    return ERR_OK;
}

enum err registry_refresh(struct registry *registry, struct store *store, struct err_note *note)
{
    struct arena arena;
    struct store_definition *stored = NULL;
    uint32_t count = 0;
    arena_init(&arena, 0);
    enum err first = store_definitions(store, &arena, &stored, &count, note);
    for (uint32_t i = 0; first == ERR_OK && i < count; i++)
        if (!set_enabled(registry, stored[i].hash, stored[i].enabled))
            first = take_stored(registry, &stored[i], note);
    arena_fini(&arena);
    return first;
}

static enum err keep(struct registry *registry, struct store *store, struct arena own,
                     const struct plan *plan, const struct plan **kept, bool *created, struct err_note *note)
{
    struct store_definition row = {.name = plan->name,
                                   .version = plan->version,
                                   .hash = str_from(plan->hash),
                                   .bundle = plan->bundle,
                                   .enabled = true};
    *created = registry_by_hash(registry, row.hash) == NULL;
    enum err error = store_definition_put(store, &row, note);
    if (error != ERR_OK) {
        arena_fini(&own);
        return error;
    }
    *kept = take(registry, own, plan, true);
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
        if (error == ERR_CONFLICT)
            buf_printf(report, "%s: %s\n", path, note->text);
        return error == ERR_CONFLICT ? ERR_OK : error;
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
