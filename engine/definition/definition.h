/* From YAML text to a plan: libyaml events -> located tree -> checks -> plan. All mistakes of a file at once.
 *
 * Happy path: definition_load() for a file; definition_load_bundle() for what the store kept;
 * definition_start() for a start request. Failure modes: a bad file yields NULL and located diagnostics,
 * nothing else changes. Any thread; one arena each. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/diag.h"
#include "engine/base/err.h"
#include "engine/definition/plan.h"
#include "engine/definition/schema.h"

/* Where `schema: schemas/order.json` comes from. The path is relative to the definition's folder, without
 * "..", already checked. */
struct definition_files {
    void *context;
    enum err (*read)(void *context, struct str path, struct arena *arena, struct str *text,
                     struct err_note *note);
};
/* Reads below a folder on disk; folder is NUL-terminated, borrowed. */
struct definition_files definition_files_below(const char *folder);

/* NULL when diags holds errors. files may be NULL: then schemas must be inline. `text` is copied. */
const struct plan *definition_load(struct arena *arena, struct str text, const struct definition_files *files,
                                   struct diag_list *diags);
/* The same from plan->bundle. */
const struct plan *definition_load_bundle(struct arena *arena, struct str bundle, struct diag_list *diags);
/* Reads a file and loads it; diags is initialised here with the file's name and source. ERR_IO with a note
 * when it cannot be read. */
enum err definition_load_file(struct arena *arena, const char *path, struct diag_list *diags,
                              const struct plan **plan, struct err_note *note);

/* What a start request means under a plan. */
struct definition_start {
    struct str key;            /* "" when there is none */
    const struct json *search; /* object of search attributes, scalars only */
    struct schema_problems
        problems; /* of the input; also a key or search expression that failed or is no scalar */
};
/* The key that a start has, given or computed, whether its input fits the schema or not; "" when it has none,
 * or none that can be computed. */
struct str definition_key(const struct plan *plan, const struct json *input, struct str given_key,
                          struct arena *arena);
/* True when the start is fine. given_key ("" for none) overrides the plan's own `key`. */
bool definition_start(const struct plan *plan, const struct json *input, struct str given_key,
                      struct arena *arena, struct definition_start *start);
