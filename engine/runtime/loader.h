/* A saga from its journal: rows from the store, its plan from the registry, folded by the core. For runners,
 * readers and `sagactl`. */
#pragma once
#include "engine/core/core.h"
#include "engine/runtime/registry.h"
#include "engine/store/store.h"

/* Loads and folds into saga (in `arena`; `scratch` is for rows). ERR_NOT_FOUND, ERR_UNAVAILABLE, ERR_INVALID
 * (a journal that does not fold). The registry is refreshed from the store when the plan's hash is not known
 * yet. row may be NULL. */
enum err loader_load(struct registry *registry, struct store *store, struct id id, struct arena *arena,
                     struct arena *scratch, struct core_saga *saga, struct store_saga *row,
                     struct err_note *note);
/* The same from rows at hand. ERR_INVALID: they do not fold. */
enum err loader_fold(const struct plan *plan, struct id id, const struct store_record *records,
                     uint32_t count, struct arena *arena, struct arena *scratch, struct core_saga *saga,
                     struct err_note *note);
/* The projection of a saga: its row. Texts in scratch or the saga's. */
void loader_row(const struct core_saga *saga, struct arena *scratch, struct store_saga *row);
