/* Which dead letters are of one kind, so that they share one part of the room there is
 * (migrations/0007_fences.sql). */
#pragma once
#include "engine/store/store.h"

/* "payments: the output breaks its schema at": who sent it, and what was wrong with it without what is the
 * letter's own (quoted words, numbers). In arena; not empty, at most LIMITS_DEAD_CLASS_BYTES. */
struct str store_dead_class(const struct store_dead_letter *letter, struct arena *arena);
