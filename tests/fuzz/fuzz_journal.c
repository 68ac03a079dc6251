/* Journals: a digit for the definition and a line feed, then two lines a record: "kind time attempt step" and
 * the text of the data column. Whatever they hold, a record is refused or leaves a state that can be shown,
 * written and read again, and on which the core can go on. */
#include "tests/fuzz/fuzz.h"
#include "engine/base/check.h"
#include "engine/core/record.h"
#include "engine/core/state.h"
#include "engine/core/view.h"
#include "tests/core/twin.h"

enum { RECORDS_MAX = 64 };

struct row {
    struct str kind;
    struct str step;
    int64_t at_us;
    uint32_t attempt;
    struct str data;
};

static struct str word(struct str *line)
{
    size_t end = str_find(*line, ' ');
    struct str found = str_slice(*line, 0, end);
    *line = str_slice(*line, end + 1, line->size);
    return found;
}

static bool read_row(struct str *rest, struct row *row)
{
    struct str line = fuzz_line(rest);
    int64_t attempt = 0;
    row->kind = word(&line);
    bool fine = str_to_i64(word(&line), &row->at_us) && str_to_i64(word(&line), &attempt);
    row->attempt = (uint32_t)attempt;
    row->step = line;
    row->data = fuzz_line(rest);
    return fine && str_is_utf8(row->step); /* PostgreSQL keeps nothing else in a text column */
}

static void show(struct arena *arena, const struct core_saga *saga, const struct core_record *record)
{
    struct buf out;
    buf_init(&out, arena);
    view_json(&out, saga);
    (void)fuzz_is_json(arena, buf_str(&out));
    buf_init(&out, arena);
    view_waiting(&out, saga);
    record_narrate(&out, saga, record);
    check(str_is_utf8(buf_str(&out)));
    check(core_wake(saga) > 0);
}

/* What was folded, written and read again, folds to the same state; and writes the same bytes. */
static void fold_again(struct twin *twin, const struct core_record *record)
{
    struct buf first, second;
    struct err_note note = {""};
    struct core_record read;
    buf_init(&first, &twin->batch);
    buf_init(&second, &twin->batch);
    record_write(&first, &twin->live, record);
    check(record_read(&twin->twin, record->seq, record->event.at_us, core_event_text(record->event.kind),
                      record_step(&twin->live, record), record_attempt(record), buf_str(&first), &twin->batch,
                      &read, &note) == ERR_OK);
    check(core_fold(&twin->twin, &read, &note) == ERR_OK);
    record_write(&second, &twin->twin, &read);
    check(str_equal(buf_str(&first), buf_str(&second)));
    check(twin_difference(&twin->live, &twin->twin) == NULL);
}

/* What every reader of the state relies on without looking. */
static void check_indices(const struct core_saga *saga)
{
    check(saga->cause_step == CORE_NO_STEP || saga->cause_step < saga->step_count ||
          saga->cause_code.size == 0);
    for (uint16_t i = 0; i < saga->frame_count; i++) {
        const struct core_frame *frame = &saga->frames[i];
        const struct plan_node *node = &saga->plan->nodes[frame->node];
        uint32_t most = node->kind == PLAN_FOREACH ? frame->items->count : node->child_count;
        check(frame->parent <= i && (frame->parent < i || i == 0));
        check(frame->cursor <= most);
        check(frame->at_step == CORE_NO_STEP || frame->at_step < saga->step_count);
        check(frame->at_frame == CORE_NO_STEP || frame->at_frame < saga->frame_count);
    }
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct core_step *step = &saga->steps[i];
        check(step->node < saga->plan->node_count && saga->plan->nodes[step->node].kind != PLAN_SEQUENCE);
        check(step->frame < saga->frame_count);
        check(state_is_active(step->state) == (step->due_us > 0));
    }
}

/* A move that begins a record begins where the step was. */
static void check_first_move(const struct core_saga *before, const struct core_record *record)
{
    const struct core_change *change = record->changes;
    if (record->change_count > 0 && change->kind == CORE_CHANGE_STEP)
        check(change->step < before->step_count && before->steps[change->step].state == change->from);
}

static bool fold(struct twin *twin, const struct row *row)
{
    struct err_note note = {""};
    struct core_record record;
    enum err error = record_read(&twin->live, twin->live.seq + 1, row->at_us, row->kind, row->step,
                                 row->attempt, row->data, &twin->batch, &record, &note);
    if (error == ERR_OK)
        error = core_fold(&twin->live, &record, &note);
    if (error != ERR_OK) {
        check((error == ERR_INVALID || error == ERR_LIMIT) && note.text[0] != '\0');
        return false;
    }
    check(state_inconsistent(&twin->live) == NULL);
    check_indices(&twin->live);
    check_first_move(&twin->twin, &record);
    fold_again(twin, &record);
    show(&twin->batch, &twin->live, &record);
    return true;
}

/* The events that every state must take: time passes, everybody answers, operators push. */
static void go_on(struct twin *twin)
{
    static const enum core_event_kind kinds[] = {CORE_EVENT_TIMER,  CORE_EVENT_REPLY, CORE_EVENT_RETRY,
                                                 CORE_EVENT_CANCEL, CORE_EVENT_TIMER, CORE_EVENT_FORCE,
                                                 CORE_EVENT_SKIP,   CORE_EVENT_TIMER};
    struct core_saga *saga = &twin->live;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct core_update update;
        struct buf out;
        int64_t wake_us = core_wake(saga);
        uint16_t last = (uint16_t)(saga->step_count - 1);
        bool timed = kinds[i] == CORE_EVENT_TIMER && wake_us != INT64_MAX;
        struct core_event event = {.kind = kinds[i],
                                   .at_us = timed ? wake_us : saga->updated_us,
                                   .step = saga->step_count ? core_step_path(saga, last) : STR(""),
                                   .attempt = saga->step_count ? saga->steps[last].attempts[CORE_DO] : 1};
        core_step(saga, &event, &twin->batch, &update);
        check(update.why.size > 0);
        if (update.verdict != CORE_USED)
            continue;
        buf_init(&out, &twin->batch);
        record_write(&out, saga, &update.record);
        show(&twin->batch, saga, &update.record);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct twin twin;
    struct row row;
    bool fine = true;
    struct str number = fuzz_line(&rest);
    twin_init(&twin, fuzz_plan(fuzz_byte(&number)));
    for (int i = 0; i < RECORDS_MAX && fine && rest.size > 0 && read_row(&rest, &row); i++)
        fine = fold(&twin, &row);
    if (fine && twin.live.seq > 0)
        go_on(&twin);
    twin_fini(&twin);
    return 0;
}
