/* Replays a recorded saga through the core and compares each record with the stored one. Called by `sagactl
 * replay` and the simulator. Reads its arguments only: no store, no clock, and it never mends what differs.
 * */
#include "engine/runtime/retrace.h"

#include <inttypes.h>
#include "engine/base/duration.h"
#include "engine/core/record.h"
#include "engine/runtime/loader.h"

struct comparison {
    const struct retrace *retrace;
    struct arena *scratch;
    struct retrace_difference *difference;
    bool reworded; /* the record just compared says the same in other words */
};

static bool differs(struct comparison *comparison, int64_t seq, struct str what, struct str stored,
                    struct str computed)
{
    *comparison->difference = (struct retrace_difference){seq, what, stored, computed};
    return false;
}

/* The columns in one text, as they are compared. */
static struct str columns(struct arena *arena, int64_t seq, int64_t at_us, struct str kind, struct str step,
                          uint32_t attempt)
{
    return arena_printf(arena, "seq %" PRId64 ", at %.*s, kind %.*s, step \"%.*s\", attempt %u", seq,
                        STR_ARG(duration_time_text(arena, at_us)), STR_ARG(kind), STR_ARG(step), attempt);
}

/* Equal, but for its message. */
static bool same_change(const struct json *a, const struct json *b)
{
    bool same = a->kind == JSON_OBJECT && b->kind == JSON_OBJECT && a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        struct str key = a->members[i].key;
        same = str_equal(key, b->members[i].key) &&
               (str_equal(key, STR("message")) || json_equal(a->members[i].value, b->members[i].value));
    }
    return same;
}

/* Whether two records are one decision: of a fault the code counts, its message is a sentence for people,
 * which another version of the engine may put otherwise. */
static bool same_but_words(struct arena *scratch, struct str left, struct str right)
{
    const struct json *a = NULL, *b = NULL;
    struct err_note note;
    if (json_parse(scratch, left, SIZE_MAX, &a, &note) != ERR_OK ||
        json_parse(scratch, right, SIZE_MAX, &b, &note) != ERR_OK)
        return false;
    const struct json *event_a = json_get(a, STR("event")), *event_b = json_get(b, STR("event"));
    const struct json *list_a = json_get(a, STR("changes")), *list_b = json_get(b, STR("changes"));
    bool same = event_a && event_b && list_a && list_b && json_equal(event_a, event_b) &&
                list_a->kind == JSON_ARRAY && list_b->kind == JSON_ARRAY && list_a->count == list_b->count;
    for (uint32_t i = 0; same && i < list_a->count; i++)
        same = same_change(list_a->items[i], list_b->items[i]);
    return same;
}

static bool same_record(struct comparison *comparison, const struct core_saga *saga,
                        const struct store_record *row, const struct core_record *record)
{
    struct buf data;
    buf_init(&data, comparison->scratch);
    record_write(&data, saga, record);
    struct str stored =
        columns(comparison->scratch, row->seq, row->at_us, row->kind, row->step, row->attempt);
    struct str computed =
        columns(comparison->scratch, record->seq, record->event.at_us, core_event_text(record->event.kind),
                record_step(saga, record), record_attempt(record));
    if (!str_equal(stored, computed))
        return differs(comparison, row->seq, STR("the record's columns"), stored, computed);
    comparison->reworded = !str_equal(buf_str(&data), row->data);
    if (comparison->reworded && !same_but_words(comparison->scratch, buf_str(&data), row->data))
        return differs(comparison, row->seq, STR("another decision"), row->data, buf_str(&data));
    return true;
}

static bool same_step(struct comparison *comparison, struct core_saga *saga, const struct store_record *row)
{
    const struct retrace *retrace = comparison->retrace;
    struct core_record stored;
    struct core_update update;
    struct err_note note = {""};
    if (record_read(saga, row->seq, row->at_us, row->kind, row->step, row->attempt, row->data,
                    comparison->scratch, &stored, &note) != ERR_OK)
        return differs(comparison, row->seq, STR("the record cannot be read"), row->data,
                       arena_copy(comparison->scratch, str_from(note.text)));
    core_step(saga, &stored.event, comparison->scratch, &update);
    if (update.verdict != CORE_USED)
        return differs(comparison, row->seq, STR("the state machine would not have recorded this event"),
                       row->data, update.why);
    if (!same_record(comparison, saga, row, &update.record))
        return false;
    if (retrace->told != NULL)
        retrace->told(retrace->context, saga, &update.record);
    return true;
}

static bool same_text(struct comparison *comparison, const char *what, struct str stored, struct str computed)
{
    return str_equal(stored, computed) ||
           differs(comparison, comparison->retrace->row->seq,
                   arena_printf(comparison->scratch, "the stored %s", what), stored, computed);
}

static bool same_number(struct comparison *comparison, const char *what, int64_t stored, int64_t computed)
{
    return same_text(comparison, what, arena_printf(comparison->scratch, "%" PRId64, stored),
                     arena_printf(comparison->scratch, "%" PRId64, computed));
}

/* Stored as jsonb, which has a layout of its own: compared by value. */
static bool same_search(struct comparison *comparison, struct str stored, struct str computed)
{
    const struct json *a = NULL, *b = NULL;
    struct err_note note;
    bool same = json_parse(comparison->scratch, stored, SIZE_MAX, &a, &note) == ERR_OK &&
                json_parse(comparison->scratch, computed, SIZE_MAX, &b, &note) == ERR_OK && json_equal(a, b);
    return same || same_text(comparison, "search attributes", stored, computed);
}

static bool same_parent(struct comparison *comparison, const struct store_saga *stored,
                        const struct store_saga *row)
{
    char left[ID_TEXT_SIZE + 1] = "", right[ID_TEXT_SIZE + 1] = "";
    if (stored->has_parent)
        id_format(stored->parent, left);
    if (row->has_parent)
        id_format(row->parent, right);
    return same_text(comparison, "parent", arena_copy(comparison->scratch, str_from(left)),
                     arena_copy(comparison->scratch, str_from(right)));
}

/* The projection must be what folding gives. */
static bool same_row(struct comparison *comparison, const struct core_saga *saga)
{
    const struct store_saga *stored = comparison->retrace->row;
    struct store_saga row;
    loader_row(saga, comparison->scratch, &row);
    return same_text(comparison, "status", stored->status, row.status) &&
           same_number(comparison, "seq", stored->seq, row.seq) &&
           same_text(comparison, "reason", stored->reason_code, row.reason_code) &&
           same_text(comparison, "waiting line", stored->waiting, row.waiting) &&
           same_text(comparison, "key", stored->key, row.key) &&
           same_text(comparison, "definition", stored->definition, row.definition) &&
           same_number(comparison, "version", stored->version, row.version) &&
           same_number(comparison, "last change", stored->updated_us, row.updated_us) &&
           same_search(comparison, stored->search, row.search) &&
           same_number(comparison, "pause", stored->paused, row.paused) &&
           same_number(comparison, "wake-up", stored->wake_us, row.wake_us) &&
           same_number(comparison, "start", stored->started_us, row.started_us) &&
           same_number(comparison, "end", stored->ended_us, row.ended_us) &&
           same_parent(comparison, stored, &row);
}

static bool fold_again(struct comparison *comparison, struct core_saga *saga, uint32_t count,
                       struct arena *arena)
{
    struct err_note note = {""};
    const struct retrace *retrace = comparison->retrace;
    return loader_fold(retrace->plan, retrace->row->id, retrace->records, count, arena, comparison->scratch,
                       saga, &note) == ERR_OK ||
           differs(comparison, retrace->records[count - 1].seq, STR("the record cannot be folded"),
                   retrace->records[count - 1].data, arena_copy(comparison->scratch, str_from(note.text)));
}

bool retrace_saga(const struct retrace *retrace, struct arena *arena, struct arena *scratch,
                  struct retrace_difference *difference)
{
    struct comparison comparison = {.retrace = retrace, .scratch = scratch, .difference = difference};
    struct core_saga saga;
    core_init(&saga, retrace->plan, retrace->row->id, arena);
    for (uint32_t i = 0; i < retrace->count; i++) {
        if (retrace->until > 0 && retrace->records[i].seq > retrace->until)
            return true; /* the state after all records is not what was asked for */
        if (!same_step(&comparison, &saga, &retrace->records[i]))
            return false;
        /* What the saga does next may quote the message ($error.message): it goes on with the one it had. */
        if (comparison.reworded && !fold_again(&comparison, &saga, i + 1, arena))
            return false;
    }
    return same_row(&comparison, &saga);
}
