/* store_append: the whole batch at once, and when the database refuses data, the culprits found by bisection.
 *
 * Units are the sagas of the batch, each with its records, and then the dead letters. Units are tried
 * together with those already found good (two sagas may be good alone and not together), always in
 * transactions that are undone, so that nothing is committed before all is known; then the good ones are
 * committed in one transaction, with the marks of the whole batch. One bad unit among n costs about 2 log2 n
 * tries. */
#include "engine/store/store.h"

#include "engine/base/check.h"

enum { ROUNDS = 3 };

struct hunt {
    struct store *store;
    const struct store_batch *batch;
    struct arena *arena;
    bool *bad;                      /* per saga */
    struct store_dead_letter *dead; /* a copy, whose bad ones are bared */
    struct store_saga *sagas;       /* room for one try */
    struct store_record *records;
    struct store_dead_letter *letters;
    const uint32_t *first_record; /* per saga, and one more: where its records begin */
    uint32_t known;               /* units before this one are decided */
    struct store_rejected *rejected;
    uint32_t *rejected_count;
};

static const uint32_t *find_records(const struct store_batch *batch, struct arena *arena)
{
    uint32_t *first = arena_array(arena, (size_t)batch->saga_count + 1, sizeof *first);
    uint32_t record = 0;
    for (uint32_t i = 0; i < batch->saga_count; i++) {
        first[i] = record;
        while (record < batch->record_count && id_equal(batch->records[record].id, batch->sagas[i].id))
            record++;
    }
    first[batch->saga_count] = record;
    check(record == batch->record_count); /* records stand in the order of their sagas */
    return first;
}

/* With the saga it stands with. */
static bool falls(const struct hunt *hunt, const struct store_dead_letter *letter)
{
    for (uint32_t i = 0; letter->with != NULL && i < *hunt->rejected_count; i++)
        if (id_equal(hunt->rejected[i].id, *letter->with))
            return true;
    return false;
}

/* The batch with the good units among the first `end`. */
static struct store_batch part(const struct hunt *hunt, uint32_t end)
{
    const struct store_batch *batch = hunt->batch;
    struct store_batch out = {.owner = batch->owner,
                              .shards = batch->shards,
                              .shard_count = batch->shard_count,
                              .sagas = hunt->sagas,
                              .records = hunt->records,
                              .dead = hunt->letters,
                              .dead_letters_most = batch->dead_letters_most,
                              .dead_bytes_most = batch->dead_bytes_most,
                              .dead_gone = batch->dead_gone};
    for (uint32_t i = 0; i < batch->saga_count && i < end; i++) {
        if (hunt->bad[i])
            continue;
        hunt->sagas[out.saga_count++] = batch->sagas[i];
        for (uint32_t k = hunt->first_record[i]; k < hunt->first_record[i + 1]; k++)
            hunt->records[out.record_count++] = batch->records[k];
    }
    for (uint32_t i = 0; i < batch->dead_count && batch->saga_count + i < end; i++)
        if (!falls(hunt, &hunt->dead[i]))
            hunt->letters[out.dead_count++] = hunt->dead[i];
    return out;
}

static struct str clean(struct str text, struct str otherwise)
{
    bool holds = str_is_utf8(text) && str_find(text, '\0') == text.size;
    return holds ? text : otherwise;
}

/* A dead letter that any database takes. */
static void bare(struct store_dead_letter *letter)
{
    const struct str bad = STR("(not text)");
    letter->reason = clean(letter->reason, bad);
    letter->subject = clean(letter->subject, bad);
    letter->saga = clean(letter->saga, bad);
    letter->command = clean(letter->command, bad);
    letter->message = clean(letter->message, STR(""));
    letter->headers = STR("{}");
    letter->body = STR("");
}

static void condemn(struct hunt *hunt, uint32_t unit, const struct err_note *why)
{
    if (unit >= hunt->batch->saga_count) {
        bare(&hunt->dead[unit - hunt->batch->saga_count]);
        return;
    }
    check(hunt->rejected);
    hunt->bad[unit] = true;
    hunt->rejected[(*hunt->rejected_count)++] = (struct store_rejected){
        .id = hunt->batch->sagas[unit].id, .reason = arena_copy(hunt->arena, str_from(why->text))};
}

/* Decides the units from hunt->known up to `end`. Depth: log2 of the units. */
static enum err search(struct hunt *hunt, uint32_t end, struct err_note *note)
{
    struct store_batch batch = part(hunt, end);
    enum err error = hunt->store->ops->append_try(hunt->store, &batch, note);
    if (error == ERR_OK)
        hunt->known = end;
    if (error != ERR_BAD_DATA)
        return error;
    if (end - hunt->known == 1) {
        condemn(hunt, hunt->known, note);
        hunt->known = end;
        return ERR_OK;
    }
    error = search(hunt, hunt->known + (end - hunt->known) / 2, note);
    return error == ERR_OK ? search(hunt, end, note) : error;
}

static enum err bisect(struct hunt *hunt, struct err_note *note)
{
    enum err error = ERR_BAD_DATA;
    uint32_t units = hunt->batch->saga_count + hunt->batch->dead_count;
    if (units == 0)
        return err_note(note, ERR_INVALID, "the database refused marks without any row");
    /* Another engine may use a key between the search and the commit: then once more. */
    for (int round = 0; round < ROUNDS && error == ERR_BAD_DATA; round++) {
        hunt->known = 0;
        error = search(hunt, units, note);
        if (error != ERR_OK)
            return error;
        struct store_batch good = part(hunt, units);
        error = hunt->store->ops->append_once(hunt->store, &good, note);
    }
    return error == ERR_BAD_DATA ? ERR_UNAVAILABLE : error;
}

enum err store_append(struct store *store, const struct store_batch *batch, struct arena *arena,
                      struct store_rejected *rejected, uint32_t *rejected_count, struct err_note *note)
{
    *rejected_count = 0;
    enum err error = store->ops->append_once(store, batch, note);
    if (error != ERR_BAD_DATA)
        return error;
    struct hunt hunt = {
        .store = store,
        .batch = batch,
        .arena = arena,
        .bad = arena_array(arena, batch->saga_count, sizeof(bool)),
        .dead = arena_array(arena, batch->dead_count, sizeof(struct store_dead_letter)),
        .sagas = arena_array(arena, batch->saga_count, sizeof(struct store_saga)),
        .records = arena_array(arena, batch->record_count, sizeof(struct store_record)),
        .letters = arena_array(arena, batch->dead_count, sizeof(struct store_dead_letter)),
        .first_record = find_records(batch, arena),
        .rejected = rejected,
        .rejected_count = rejected_count,
    };
    for (uint32_t i = 0; i < batch->dead_count; i++)
        hunt.dead[i] = batch->dead[i];
    return bisect(&hunt, note);
}
