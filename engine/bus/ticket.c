#include "engine/bus/ticket.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/base/buf.h"
#include "engine/base/limits.h"

enum { PROOF_SIZE = 16 };

static struct str next_token(struct str *rest)
{
    size_t dot = str_find(*rest, '.');
    struct str token = str_slice(*rest, 0, dot);
    *rest = str_slice(*rest, dot + 1, rest->size);
    return token;
}

/* Of all of the ticket but the proof itself: no part can be put into another. */
static void prove(const struct siphash_key *key, struct str head, struct str command,
                  char proof[PROOF_SIZE + 1])
{
    struct siphash_key inner = {{siphash(key, head), key->words[1]}};
    snprintf(proof, PROOF_SIZE + 1, "%016" PRIx64, siphash(&inner, command));
}

struct str ticket_write(const struct ticket *ticket, const struct siphash_key *key, struct arena *arena)
{
    char saga[ID_TEXT_SIZE + 1];
    char proof[PROOF_SIZE + 1];
    struct buf out;
    id_format(ticket->saga, saga);
    buf_init(&out, arena);
    buf_puts(&out, saga);
    buf_char(&out, '.');
    buf_put(&out, ticket->step);
    buf_char(&out, '.');
    buf_put(&out, core_kind_text(ticket->kind));
    buf_char(&out, '.');
    buf_i64(&out, ticket->attempt);
    prove(key, buf_str(&out), ticket->command, proof);
    buf_char(&out, '.');
    buf_puts(&out, proof);
    buf_char(&out, '.');
    buf_put(&out, ticket->command);
    return buf_str(&out);
}

/* In the same time wherever they differ. */
static bool same_proof(struct str given, const char proof[PROOF_SIZE + 1])
{
    unsigned char difference = given.size != PROOF_SIZE;
    for (size_t i = 0; i < PROOF_SIZE && i < given.size; i++)
        difference |= (unsigned char)(given.data[i] ^ proof[i]);
    return difference == 0;
}

bool ticket_read(struct str text, const struct siphash_key *key, struct ticket *ticket)
{
    char proof[PROOF_SIZE + 1];
    struct str rest = text;
    struct str saga = next_token(&rest);
    ticket->step = next_token(&rest);
    struct str kind = next_token(&rest);
    struct str attempt = next_token(&rest);
    struct str head = str_slice(text, 0, text.size - rest.size);
    struct str given = next_token(&rest);
    int64_t number = 0;
    if (rest.size == 0 || head.size == 0)
        return false;
    ticket->command = rest;
    prove(key, str_slice(head, 0, head.size - 1), rest, proof);
    if (!same_proof(given, proof) || !id_parse(saga, &ticket->saga) ||
        !core_kind_parse(kind, &ticket->kind) || !str_to_i64(attempt, &number) || number < 1 ||
        number > LIMITS_ATTEMPTS_MAX)
        return false;
    ticket->attempt = (uint32_t)number;
    return true;
}

bool ticket_shard(struct str text, uint32_t *shard)
{
    struct id saga;
    struct str rest = text;
    if (!id_parse(next_token(&rest), &saga))
        return false;
    *shard = id_shard(saga);
    return true;
}

struct str ticket_participant(const struct ticket *ticket)
{
    return str_slice(ticket->command, 0, str_find(ticket->command, '.'));
}
