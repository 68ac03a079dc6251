/* L2 at every look, and the whole history at the end. */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include "engine/core/record.h"
#include "engine/runtime/loader.h"

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

bool sim_check_rest(struct sim *sim)
{
    struct arena arena;
    uint32_t count = 0;
    bool rest = true;
    arena_init(&arena, 0);
    const struct store_saga *sagas = sim_list(sim, &arena, &count);
    for (uint32_t i = 0; i < count; i++)
        rest = rest && (sagas[i].ended_us > 0 || str_equal(sagas[i].status, STR("parked")));
    arena_fini(&arena);
    return rest;
}

/* One saga's journal, told again record by record. */
struct history {
    struct sim *sim;
    char id[ID_TEXT_SIZE + 1];
    struct core_saga saga; /* before the record at hand */
    bool reopened;         /* a late success: undone in another order */
    bool touched[64];      /* by an operator, who may say what he likes */
    bool passed[64];       /* done or waived, the changes of the record at hand included */
    uint32_t undo_last;    /* index of the step whose undo was sent last; steps are undone from the end */
};

static void check_forward(struct history *history, uint16_t step)
{
    const struct core_saga *saga = &history->saga;
    if (saga->direction == CORE_BACK)
        sim_fail(history->sim, "S7: %s commands a step forward after the decision to go back", history->id);
    for (uint16_t i = 0; i < step && i < saga->step_count; i++)
        if (!history->passed[i])
            sim_fail(history->sim, "S6: %s commands step %u while step %u is %.*s", history->id, step, i,
                     STR_ARG(core_step_state_text(saga->steps[i].state)));
}

/* NULL: the step is opened by the record at hand. */
static const struct plan_step *plan_of(const struct history *history, const struct core_change *change)
{
    const struct core_saga *saga = &history->saga;
    bool known = change->step < saga->step_count && change->step < 64;
    return known ? saga->plan->nodes[saga->steps[change->step].node].step : NULL;
}

static void check_send(struct history *history, const struct core_change *change, enum core_event_kind kind)
{
    const struct core_saga *saga = &history->saga;
    uint32_t before =
        change->step < saga->step_count ? saga->steps[change->step].attempts[change->command] : 0;
    if (change->attempt != before + 1)
        sim_fail(history->sim, "S14: %s sends attempt %" PRIu32 " after %" PRIu32, history->id,
                 change->attempt, before);
    const struct plan_step *plan = plan_of(history, change);
    if (plan != NULL && change->command != CORE_UNDO && !history->touched[change->step] &&
        change->attempt > core_action(plan, change->command)->retry.attempts_max)
        sim_fail(history->sim, "S14: %s sends attempt %" PRIu32 " of step %u, which is one too many",
                 history->id, change->attempt, change->step);
    if (saga->paused && kind != CORE_EVENT_RESUME)
        sim_fail(history->sim, "%s sends a command while it is paused", history->id);
    if (change->command == CORE_DO)
        check_forward(history, change->step);
    if (change->command == CORE_UNDO && change->attempt == 1) {
        if (change->step >= history->undo_last && !history->reopened)
            sim_fail(history->sim, "S9: %s undoes step %u after step %" PRIu32, history->id, change->step,
                     history->undo_last);
        history->undo_last = change->step;
    }
}

static void check_reply(struct history *history, const struct core_event *event)
{
    const struct core_saga *saga = &history->saga;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        if (!str_equal(core_step_path(saga, i), event->step))
            continue;
        const struct plan_step *plan = saga->plan->nodes[saga->steps[i].node].step;
        if (event->attempt == 0 || event->attempt > saga->steps[i].attempts[event->command_kind])
            sim_fail(history->sim, "S15: %s takes a reply to a command that was never scheduled",
                     history->id);
        if (!str_equal(event->participant, core_action(plan, event->command_kind)->participant))
            sim_fail(history->sim, "S15: %s takes a reply of another participant", history->id);
        if (event->status == CORE_REPLY_REJECTED &&
            event->attempt < saga->steps[i].attempts[event->command_kind])
            sim_fail(history->sim, "S15: %s takes a rejection of an old attempt", history->id);
        return;
    }
    sim_fail(history->sim, "S15: %s takes a reply to a step it has not begun", history->id);
}

static void check_record(struct history *history, const struct core_record *record)
{
    const struct core_saga *saga = &history->saga;
    if (record->event.kind == CORE_EVENT_REPLY)
        check_reply(history, &record->event);
    if (core_ended(saga))
        history->reopened = true;
    for (uint32_t i = 0; i < record->change_count; i++)
        if (record->event.kind >= CORE_EVENT_RETRY && record->changes[i].step < 64)
            history->touched[record->changes[i].step] = true;
    for (uint32_t i = 0; i < record->change_count; i++) {
        const struct core_change *change = &record->changes[i];
        if (change->kind == CORE_CHANGE_STEP && change->step < 64)
            history->passed[change->step] =
                change->state == CORE_STEP_DONE || change->state == CORE_STEP_WAIVED;
        if (change->kind == CORE_CHANGE_SEND)
            check_send(history, change, record->event.kind);
        if (change->kind == CORE_CHANGE_STEP && saga->direction == CORE_BACK &&
            record->event.kind == CORE_EVENT_REPLY && record->event.command_kind == CORE_DO)
            history->reopened = true;
    }
}

/* S4 by the fold, the rest on the way. */
static bool tell(struct history *history, const struct store_saga *row, const struct store_record *records,
                 uint32_t count, struct arena *arena)
{
    struct sim *sim = history->sim;
    struct err_note note = {""};
    const struct plan *plan = registry_by_hash(sim->registry, row->hash);
    core_init(&history->saga, plan, row->id, arena);
    for (uint32_t i = 0; i < count; i++) {
        struct core_record record;
        enum err error =
            record_read(&history->saga, records[i].seq, records[i].at_us, records[i].kind, records[i].step,
                        records[i].attempt, records[i].data, arena, &record, &note);
        if (error == ERR_OK && records[i].seq != (int64_t)i + 1)
            error = err_note(&note, ERR_INVALID, "row %" PRIu32 " has seq %" PRId64, i, records[i].seq);
        if (error == ERR_OK) {
            check_record(history, &record);
            error = core_fold(&history->saga, &record, &note);
        }
        if (error != ERR_OK) {
            sim_fail(sim, "S4: %s does not fold: %s", history->id, note.text);
            return false;
        }
    }
    struct store_saga folded;
    loader_row(&history->saga, arena, &folded);
    if (folded.seq != row->seq || !str_equal(folded.status, row->status) || folded.wake_us != row->wake_us ||
        folded.ended_us != row->ended_us || folded.paused != row->paused ||
        !str_equal(folded.waiting, row->waiting) || !str_equal(folded.reason_code, row->reason_code))
        sim_fail(sim, "S4: %s is stored as %.*s, its journal says %.*s", history->id, STR_ARG(row->status),
                 STR_ARG(folded.status));
    return true;
}

static void check_effect(struct history *history, uint16_t index)
{
    struct sim *sim = history->sim;
    const struct core_saga *saga = &history->saga;
    const struct core_step *step = &saga->steps[index];
    const struct plan_step *plan = saga->plan->nodes[step->node].step;
    struct str path = core_step_path(saga, index);
    struct str key = arena_printf(&sim->arena, "%s/%.*s", history->id, STR_ARG(path));
    const struct sim_effect *effect = map_get(&sim->effects, key);
    uint32_t done = effect == NULL ? 0 : effect->do_count, undone = effect == NULL ? 0 : effect->undo_count;
    if (done > 1 || undone > 1 || undone > done)
        sim_fail(sim, "S12: %.*s was done %" PRIu32 " times and undone %" PRIu32 " times", STR_ARG(key), done,
                 undone);
    if (index < 64 && history->touched[index])
        return;
    struct str state = core_step_state_text(step->state);
    if (saga->status == CORE_COMPLETED && step->state != CORE_STEP_WAIVED &&
        (step->state != CORE_STEP_DONE || done - undone != 1))
        sim_fail(sim, "S10: %.*s is %.*s in a completed saga, its net effect is %" PRIu32, STR_ARG(key),
                 STR_ARG(state), done - undone);
    if (saga->status == CORE_COMPENSATED && plan->has_undo && step->state != CORE_STEP_WAIVED &&
        step->state != CORE_STEP_UNDO_WAIVED && done - undone != 0)
        sim_fail(sim, "S11: %.*s is %.*s in a compensated saga and its effect is still there", STR_ARG(key),
                 STR_ARG(state));
    if (saga->status == CORE_COMPENSATED && step->state == CORE_STEP_REJECTED && done - undone != 0)
        sim_fail(sim, "S8: %.*s counts as rejected and its effect is there", STR_ARG(key));
}

static void check_saga(struct sim *sim, const struct store_saga *row, struct arena *arena)
{
    struct store_saga loaded;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct err_note note = {""};
    struct history *history = arena_new(arena, struct history);
    history->sim = sim;
    history->undo_last = UINT32_MAX;
    id_format(row->id, history->id);
    if (store_load(sim->store, row->id, arena, &loaded, &records, &count, &note) != ERR_OK) {
        sim_fail(sim, "the observer cannot load: %s", note.text);
        return;
    }
    if (!tell(history, &loaded, records, count, arena))
        return;
    for (uint16_t i = 0; i < history->saga.step_count; i++)
        check_effect(history, i);
    const struct plan *plan = history->saga.plan;
    if (history->saga.status == CORE_COMPLETED && history->saga.step_count != plan->step_count)
        sim_fail(sim, "S10: %s is completed with %u of %u steps", history->id, history->saga.step_count,
                 plan->step_count);
    if (history->saga.status == CORE_COMPLETED &&
        map_get(&sim->cancelled, (struct str){(const char *)row->id.bytes, sizeof row->id.bytes}) != NULL)
        sim_fail(sim, "S21: %s was cancelled and is completed", history->id);
    sim->result->completed += history->saga.status == CORE_COMPLETED;
    sim->result->compensated += history->saga.status == CORE_COMPENSATED;
    sim->result->parked += history->saga.status == CORE_PARKED;
    int64_t number = -1;
    bool told =
        json_get_i64(history->saga.input, STR("n"), &number) && number >= 0 && number < sim->start_count;
    if (!told) {
        sim_fail(sim, "S3: %s has an input that nobody gave", history->id);
        return;
    }
    struct sim_start *start = &sim->starts[number];
    if (start->accepted > 0 && !id_equal(start->id, row->id))
        sim_fail(sim, "S2: start %" PRId64 " has two sagas", number);
    start->id = row->id;
    start->accepted++;
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
