/* What stands in the reply subject of a `via: request` command: which command it was, and a proof that the
 * engine wrote it. So an answer is told apart from every other however late it comes, by an engine that keeps
 * nothing of what it asked; and nobody can answer what he was not asked.
 *
 *   <saga>.<step>.<do|undo|verify>.<attempt>.<proof>.<command>
 *
 * Tokens of a subject; the command is the subject that was asked, its first token the participant. Pure. */
#pragma once
#include "engine/base/siphash.h"
#include "engine/core/core.h"

struct ticket {
    struct id saga;
    struct str step; /* path */
    enum core_kind kind;
    uint32_t attempt;
    struct str command;
};
struct str ticket_write(const struct ticket *ticket, const struct siphash_key *key, struct arena *arena);
/* Borrows from text. False: it is none of ours. */
bool ticket_read(struct str text, const struct siphash_key *key, struct ticket *ticket);
/* The shard it says, proved or not: to find who may read it. */
bool ticket_shard(struct str text, uint32_t *shard);
struct str ticket_participant(const struct ticket *ticket);
