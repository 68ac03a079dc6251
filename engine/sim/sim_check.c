/* L2 at every look, and the whole history at the end: starts, journals, replays. Part of sim_parts.h; called
 * by sim.c. Reads the store as an observer; never through an engine. */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include "engine/core/record.h"
#include "engine/runtime/retrace.h"
#include "engine/sim/block_oracle.h"

struct store_saga *sim_list(struct sim *sim, struct arena *arena, uint32_t *count)
{
    struct store_filter filter = {.limit = 1000};
    struct store_saga *sagas = NULL;
    struct err_note note = {""};
    if (store_list(sim->store, &filter, arena, &sagas, count, &note) != ERR_OK)
        sim_fail(sim, "the observer cannot list: %s", note.text);
    return sagas;
}

void sim_check_waiting(struct sim *sim)
{
    struct arena arena;
    struct store_stuck *stuck = NULL;
    uint32_t count = 0;
    struct err_note note = {""};
    arena_init(&arena, 0);
    if (store_doctor(sim->store, &arena, &stuck, &count, &note) != ERR_OK)
        sim_fail(sim, "the observer cannot ask the doctor: %s", note.text);
    for (uint32_t i = 0; i < count; i++)
        if (!str_starts(stuck[i].problem, STR("no engine owns"))) /* hosts are dead for a while: no promise */
            sim_fail(sim, "L2: %.*s", STR_ARG(stuck[i].problem));
    arena_fini(&arena);
}

/* A child that is parked is no end: its parent waits for it. */
static bool rests(const struct store_saga *saga)
{
    return saga->ended_us > 0 || (!saga->has_parent && str_equal(saga->status, STR("parked")));
}

bool sim_check_rest(struct sim *sim)
{
    struct arena arena;
    uint32_t count = 0;
    bool rest = true;
    arena_init(&arena, 0);
    const struct store_saga *sagas = sim_list(sim, &arena, &count);
    for (uint32_t i = 0; i < count; i++)
        rest = rest && rests(&sagas[i]);
    arena_fini(&arena);
    return rest;
}

void sim_fail_restless(struct sim *sim)
{
    struct arena arena;
    uint32_t count = 0;
    char id[ID_TEXT_SIZE + 1];
    arena_init(&arena, 0);
    const struct store_saga *sagas = sim_list(sim, &arena, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (rests(&sagas[i]))
            continue;
        id_format(sagas[i].id, id);
        sim_fail(sim, "L1: long after the last fault %s is %.*s, %.*s", id, STR_ARG(sagas[i].status),
                 STR_ARG(sagas[i].waiting));
    }
    sim_fail(sim, "L1: long after the last fault messages are still on their way");
    arena_fini(&arena);
}

/* One saga's journal, told again record by record. */
struct history {
    struct sim *sim;
    char id[ID_TEXT_SIZE + 1];
    struct core_saga saga;
    struct block_oracle oracle;
};

/* S4 by the fold, the rest by the oracle. */
static bool tell(struct history *history, const struct store_record *records, uint32_t count,
                 struct arena *arena)
{
    struct err_note note = {""};
    for (uint32_t i = 0; i < count; i++) {
        struct core_record record;
        enum err error =
            record_read(&history->saga, records[i].seq, records[i].at_us, records[i].kind, records[i].step,
                        records[i].attempt, records[i].data, arena, &record, &note);
        if (error == ERR_OK && records[i].seq != (int64_t)i + 1)
            error = err_note(&note, ERR_INVALID, "row %" PRIu32 " has seq %" PRId64, i, records[i].seq);
        if (error == ERR_OK)
            error = core_fold(&history->saga, &record, &note);
        if (error != ERR_OK) {
            sim_fail(history->sim, "S4: %s does not fold: %s", history->id, note.text);
            return false;
        }
        block_oracle_watch(&history->oracle, &record);
    }
    if (history->oracle.why[0] != '\0')
        sim_fail(history->sim, "%s: %s", history->id, history->oracle.why);
    return history->oracle.why[0] == '\0';
}

/* S25, by what `sagactl replay` does; also that the row is what the journal gives (S4). */
static bool replays(struct history *history, const struct store_saga *row, const struct store_record *records,
                    uint32_t count)
{
    struct sim *sim = history->sim;
    struct retrace_difference difference;
    struct arena arena, scratch;
    struct retrace retrace = {.plan = history->saga.plan, .row = row, .records = records, .count = count};
    arena_init(&arena, 0);
    arena_init(&scratch, 0);
    bool same = retrace_saga(&retrace, &arena, &scratch, &difference);
    if (!same)
        sim_fail(sim, "S25: %s seq %" PRId64 ": %.*s: stored %.*s, replayed %.*s", history->id,
                 difference.seq, STR_ARG(difference.what), STR_ARG(difference.stored),
                 STR_ARG(difference.computed));
    sim->result->replayed += same;
    arena_fini(&scratch);
    arena_fini(&arena);
    return same;
}

/* S3 for a child: a saga that wants it is there. */
static void check_parent(struct sim *sim, const struct history *history, const struct store_saga *row)
{
    struct arena arena;
    struct store_saga parent;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct err_note note = {""};
    arena_init(&arena, 0);
    if (store_load(sim->store, row->parent, &arena, &parent, &records, &count, &note) != ERR_OK)
        sim_fail(sim, "S3: %s is a child of nobody: %s", history->id, note.text);
    arena_fini(&arena);
}

/* S1 to S3: whose start it is. */
static void check_start(struct sim *sim, const struct history *history, const struct store_saga *row)
{
    int64_t number = -1;
    if (row->has_parent) {
        check_parent(sim, history, row);
        return;
    }
    if (!json_get_i64(history->saga.input, STR("n"), &number) || number < 0 || number >= sim->start_count) {
        sim_fail(sim, "S3: %s has an input that nobody gave", history->id);
        return;
    }
    struct sim_start *start = &sim->starts[number];
    if (start->accepted > 0 && !id_equal(start->id, row->id))
        sim_fail(sim, "S2: start %" PRId64 " has two sagas", number);
    start->id = row->id;
    start->accepted++;
}

static void check_saga(struct sim *sim, const struct store_saga *row, struct arena *arena)
{
    struct store_saga loaded;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct err_note note = {""};
    struct history *history = arena_new(arena, struct history);
    history->sim = sim;
    id_format(row->id, history->id);
    if (store_load(sim->store, row->id, arena, &loaded, &records, &count, &note) != ERR_OK) {
        sim_fail(sim, "the observer cannot load: %s", note.text);
        return;
    }
    const struct plan *plan = registry_by_hash(sim->registry, row->hash);
    core_init(&history->saga, plan, row->id, arena);
    block_oracle_init(&history->oracle, plan);
    if (!tell(history, records, count, arena) || !replays(history, &loaded, records, count))
        return;
    sim_check_effects(sim, &history->saga, &history->oracle, arena);
    if (history->saga.status == CORE_COMPLETED &&
        map_get(&sim->cancelled, (struct str){(const char *)row->id.bytes, sizeof row->id.bytes}) != NULL)
        sim_fail(sim, "S21: %s was cancelled and is completed", history->id);
    sim->result->completed += history->saga.status == CORE_COMPLETED;
    sim->result->compensated += history->saga.status == CORE_COMPENSATED;
    sim->result->parked += history->saga.status == CORE_PARKED;
    check_start(sim, history, row);
}

/* Fewer looks: the second saga of a start meets its first in check_saga. */
void sim_check_history(struct sim *sim)
{
    struct arena arena, list;
    uint32_t count = 0;
    arena_init(&arena, 0);
    arena_init(&list, 0);
    const struct store_saga *sagas = sim_list(sim, &list, &count);
    sim->result->sagas = count;
    for (uint32_t i = 0; i < count; i++) {
        check_saga(sim, &sagas[i], &arena);
        arena_reset(&arena);
    }
    for (uint32_t i = 0; i < sim->start_count; i++) {
        bool found = sim->starts[i].accepted == 0;
        for (uint32_t k = 0; k < count && !found; k++)
            found = id_equal(sagas[k].id, sim->starts[i].id);
        if (sim->starts[i].by_message && sim->starts[i].accepted == 0 && sim->result->faults[SIM_WIPED] == 0)
            sim_fail(sim, "S1: start %" PRIu32 " was sent as a message and there is no such saga", i);
        if (!found)
            sim_fail(sim, "S1: start %" PRIu32 " was accepted and there is no such saga", i);
    }
    arena_fini(&list);
    arena_fini(&arena);
}
