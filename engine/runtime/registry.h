/* The definitions this process knows: plans by name and version and by hash, loaded once, never freed, shared
 * by all threads.
 *
 * Truth is in the store: registry_refresh brings in what other instances put there. A bad or conflicting
 * definition changes nothing. Any thread; functions that take a store use the caller's handle. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/diag.h"
#include "engine/definition/definition.h"
#include "engine/store/store.h"

struct registry;

struct registry *registry_new(void);
void registry_free(struct registry *registry);
/* version 0: the newest enabled one. NULL when there is none. */
const struct plan *registry_find(struct registry *registry, struct str name, int32_t version);
const struct plan *registry_by_hash(struct registry *registry, struct str hash);
/* All, by name then version, in arena. */
const struct plan **registry_list(struct registry *registry, struct arena *arena, uint32_t *count);
/* Loads what the store has and this process has not, and learns which versions are enabled. ERR_INVALID when
 * a stored bundle does not load any more (note names it). */
enum err registry_refresh(struct registry *registry, struct store *store, struct err_note *note);
/* Whether new starts may take this version, here and in the store. ERR_NOT_FOUND. */
enum err registry_enable(struct registry *registry, struct store *store, struct str name, int32_t version,
                         bool enabled, struct err_note *note);
bool registry_is_enabled(struct registry *registry, const struct plan *plan);
/* Stores and takes up a definition. text: YAML. files: NULL when schemas must be inline. ERR_INVALID: diags
 * says why; ERR_CONFLICT: the version exists with another hash; *created false: it was known already, the
 * same. */
enum err registry_put(struct registry *registry, struct store *store, struct str file, struct str text,
                      const struct definition_files *files, struct arena *arena, struct diag_list *diags,
                      const struct plan **plan, bool *created, struct err_note *note);
/* Every *.yaml and *.yml of a folder (not below it). Problems are rendered into report, the good ones are
 * taken; counts of both. */
enum err registry_put_folder(struct registry *registry, struct store *store, const char *folder,
                             struct buf *report, uint32_t *good, uint32_t *bad, struct err_note *note);
