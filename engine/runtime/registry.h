/* The definitions this process knows: plans by name and version and by hash, loaded once, shared by all
 * threads.
 *
 * Truth is in the store: registry_refresh lists what is there and loads what is new, registry_learn the same
 * for one name. A definition that this program cannot take (written for a newer one, or over the memory that
 * all plans may take) is kept by name with the reason, told once in the log, and hides no other. Plans are
 * freed with the registry: sagas, items and requests borrow them. A bad or conflicting definition changes
 * nothing. Any thread; functions that take a store use the caller's handle. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/diag.h"
#include "engine/definition/definition.h"
#include "engine/store/store.h"

struct registry;

/* bytes_max: of all plans together; 0: LIMITS_DEFINITIONS_BYTES. */
struct registry *registry_new(size_t bytes_max);
void registry_free(struct registry *registry);
/* version 0: the newest enabled one. NULL when there is none, or this program could not load it. */
const struct plan *registry_find(struct registry *registry, struct str name, int32_t version);
/* The newest version that is loaded, whether new starts may take it or not. */
const struct plan *registry_newest(struct registry *registry, struct str name);
const struct plan *registry_by_hash(struct registry *registry, struct str hash);
/* All that are loaded, by name then version, in arena. */
const struct plan **registry_list(struct registry *registry, struct arena *arena, uint32_t *count);
/* A stored definition that is not loaded here, and why. */
struct registry_missing {
    struct str name;
    int32_t version;
    struct str why;
};
/* In arena. */
struct registry_missing *registry_not_loaded(struct registry *registry, struct arena *arena, uint32_t *count);
/* Whether the version registry_find would look for is stored and not loaded here. */
bool registry_is_missing(struct registry *registry, struct str name, int32_t version);
/* Learns what the store has, which versions are enabled and which are gone. What cannot be taken up is no
 * error. Errors as store.h has them. */
enum err registry_refresh(struct registry *registry, struct store *store, struct err_note *note);
/* The same for the versions of one name: what a name that is not known here costs. */
enum err registry_learn(struct registry *registry, struct store *store, struct str name,
                        struct err_note *note);
/* Whether new starts may take this version, here and in the store. ERR_NOT_FOUND. */
enum err registry_enable(struct registry *registry, struct store *store, struct str name, int32_t version,
                         bool enabled, struct err_note *note);
bool registry_is_enabled(struct registry *registry, const struct plan *plan);
/* Takes a version out of the store that no saga has used. ERR_NOT_FOUND; ERR_CONFLICT with the reason. */
enum err registry_delete(struct registry *registry, struct store *store, struct str name, int32_t version,
                         struct err_note *note);
/* Stores and takes up a definition. text: YAML. files: NULL when schemas must be inline. ERR_INVALID: diags
 * says why; ERR_CONFLICT: the version exists with another hash; ERR_LIMIT: all definitions together would
 * have more participants than LIMITS_PARTICIPANTS, or take more memory than they may; *created false: it was
 * known already, the same. */
enum err registry_put(struct registry *registry, struct store *store, struct str file, struct str text,
                      const struct definition_files *files, struct arena *arena, struct diag_list *diags,
                      const struct plan **plan, bool *created, struct err_note *note);
/* Stores again what this process knows and the database has forgotten. One that it has with another hash
 * stays so. Errors as store.h has them. */
enum err registry_put_back(struct registry *registry, struct store *store, struct err_note *note);
/* Every *.yaml and *.yml of a folder (not below it). Problems are rendered into report, the good ones are
 * taken; counts of both. ERR_IO: the folder cannot be read; else errors as registry_put, but a conflict or a
 * limit of one file is only reported. */
enum err registry_put_folder(struct registry *registry, struct store *store, const char *folder,
                             struct buf *report, uint32_t *good, uint32_t *bad, struct err_note *note);
