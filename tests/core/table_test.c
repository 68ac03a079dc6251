/* Every event in every state. Starting from a fresh saga, each event of the alphabet is tried in each state
 * reached; states that differ only in time or in numbers that change no decision are one. Each step goes
 * through the twin (folding, moves, what must hold at rest). What was seen of (state of the step, status,
 * paused) x event is written as a table and compared with table.txt; SAGA_GOLDEN_UPDATE=1 writes it instead.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "engine/core/record.h"
#include "tests/core/plan_builder.h"
#include "tests/core/twin.h"

enum { STATES_MAX = 20000, STEP_STATES = CORE_STEP_UNDO_WAIVED + 1 };

/* One cell: the verdicts seen, and the states of the step afterwards. */
struct cell {
    struct str name;
    unsigned verdicts;
    unsigned states;
    unsigned statuses;
};
struct explorer {
    struct arena arena;
    const struct plan *plan;
    struct map seen;
    struct map *cells; /* over all plans */
    struct arena *cells_arena;
    struct twin scratch; /* each event is tried in it first: few lead to a new state */
    struct twin **states;
    size_t count;
    size_t next;
};

static bool is_sent(enum core_step_state state)
{
    return state == CORE_STEP_SENT || state == CORE_STEP_VERIFY_SENT || state == CORE_STEP_UNDO_SENT;
}

/* Of the attempt that is outstanding. */
static bool noted(const struct core_step *step)
{
    enum core_kind kind = step->state == CORE_STEP_SENT          ? CORE_DO
                          : step->state == CORE_STEP_VERIFY_SENT ? CORE_VERIFY
                                                                 : CORE_UNDO;
    return step->noted[kind] == step->attempts[kind];
}

static void put_step(struct buf *out, const struct core_saga *saga, const struct core_step *step)
{
    buf_printf(out, "|%d%d%d%d%d%d", (int)step->state, step->unknown, step->put_off && !step->unknown,
               step->succeeded, step->waived, step->due_us > 0 && step->due_us <= saga->updated_us);
    if (saga->plan->step_count > 1 && step->due_us == 0)
        return;               /* what its old answers are worth is told by the plans of one step */
    if (is_sent(step->state)) /* later, an answer that was put aside decides nothing */
        buf_puts(out, noted(step) ? "+" : "-");
    for (int kind = 0; kind < CORE_KIND_COUNT; kind++) {
        uint32_t sent = step->attempts[kind];
        buf_printf(out, ",%u-%u-%d", sent > 2 ? 2 : sent, sent - step->budget_base[kind],
                   step->answered[kind]);
    }
    buf_printf(out, ",%d%d", step->undo_floor > 0, step->undo_floor < step->attempts[CORE_UNDO]);
}

static struct str signature(struct arena *arena, const struct core_saga *saga)
{
    struct buf out;
    buf_init(&out, arena);
    buf_printf(&out, "%d%d%d%d%d%d%.*s%u", (int)saga->status, (int)saga->direction, saga->paused,
               saga->pivot_commanded, saga->deadline_us > 0, saga->seq > 0, STR_ARG(saga->park_code),
               saga->park_step);
    for (uint16_t i = 0; i < saga->step_count; i++)
        put_step(&out, saga, &saga->steps[i]);
    return buf_str(&out);
}

/* The step that a cell is about: the one named, else the newest that is not finished, else the newest. */
static uint16_t subject(const struct core_saga *saga, const struct core_event *event)
{
    for (uint16_t i = saga->step_count; i > 0; i--)
        if (str_equal(core_step_path(saga, (uint16_t)(i - 1)), event->step))
            return (uint16_t)(i - 1);
    for (uint16_t i = saga->step_count; i > 0; i--) {
        enum core_step_state state = saga->steps[i - 1].state;
        if (saga->steps[i - 1].due_us > 0 || state == CORE_STEP_STUCK || state == CORE_STEP_UNDO_STUCK)
            return (uint16_t)(i - 1);
    }
    return (uint16_t)(saga->step_count - 1);
}

static void put_event(struct buf *out, const struct core_saga *saga, const struct core_event *event)
{
    struct str kind = core_event_text(event->kind);
    buf_printf(out, "%.*s", STR_ARG(kind));
    if (event->kind == CORE_EVENT_REPLY) {
        struct str status = core_reply_text(event->status);
        struct str command = core_kind_text(event->command_kind);
        uint16_t step = subject(saga, event);
        uint32_t newest = saga->step_count ? saga->steps[step].attempts[event->command_kind] : 0;
        buf_printf(out, " %.*s %.*s%s", STR_ARG(command), STR_ARG(status),
                   event->attempt == newest ? "" : " older");
    }
    if (event->kind == CORE_EVENT_FORCE) {
        struct str status = core_reply_text(event->status);
        buf_printf(out, " %.*s", STR_ARG(status));
    }
    if (event->kind == CORE_EVENT_TERMINATE && event->reason.size == 0)
        buf_puts(out, " without reason");
    if (event->kind >= CORE_EVENT_RETRY && event->step.size == 0)
        buf_puts(out, " unnamed");
}

static void note(struct explorer *explorer, const struct core_saga *before, const struct core_event *event,
                 const struct twin *after)
{
    struct buf name;
    if (before->step_count == 0 || after->update.verdict == CORE_DEAD)
        return; /* check_verdict sees to it */
    buf_init(&name, explorer->cells_arena);
    uint16_t step = subject(before, event);
    struct str state = core_step_state_text(before->steps[step].state);
    struct str status = core_status_text(before->status);
    buf_printf(&name, "%.*s, saga %.*s%s: ", STR_ARG(state), STR_ARG(status),
               before->paused ? " paused" : "");
    put_event(&name, before, event);
    struct cell *cell = map_get(explorer->cells, buf_str(&name));
    if (cell == NULL) {
        cell = arena_new(explorer->cells_arena, struct cell);
        cell->name = buf_str(&name);
        map_set(explorer->cells, cell->name, cell);
    }
    cell->verdicts |= 1u << after->update.verdict;
    cell->states |= 1u << after->live.steps[step].state;
    cell->statuses |= 1u << after->live.status;
}

static struct twin *add_state(struct explorer *explorer, struct str key)
{
    struct twin *twin = memory_new(1, sizeof *twin);
    twin_init(twin, explorer->plan);
    map_set(&explorer->seen, key, twin);
    cr_assert(explorer->count < STATES_MAX, "too many states");
    explorer->states[explorer->count++] = twin;
    return twin;
}

static bool was_sent(const struct core_saga *saga, const struct core_event *event)
{
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (str_equal(core_step_path(saga, i), event->step))
            return event->attempt > 0 && event->attempt <= saga->steps[i].attempts[event->command_kind];
    return false;
}

/* What must be so whatever the state: of the verdict by itself, not of the code that decides it. */
static void check_verdict(const struct core_saga *before, const struct core_event *event,
                          const struct twin *after)
{
    enum core_verdict verdict = after->update.verdict;
    bool ended = before->seq > 0 && core_ended(before);
    switch (event->kind) {
    case CORE_EVENT_START:
        cr_assert_eq(verdict, before->seq == 0 ? CORE_USED : CORE_DUPLICATE);
        return;
    case CORE_EVENT_TIMER:
        cr_assert(verdict == CORE_USED || verdict == CORE_IDLE);
        cr_assert_eq(verdict == CORE_USED, before->seq > 0 && (core_wake(before) <= event->at_us ||
                                                               core_wake(before) <= before->updated_us));
        return;
    case CORE_EVENT_REPLY:
        cr_assert(verdict != CORE_IDLE && verdict != CORE_REFUSED);
        cr_assert(!ended || before->status == CORE_COMPENSATED || verdict != CORE_USED);
        cr_assert_eq(verdict == CORE_DEAD, !was_sent(before, event) || event->participant.size > 0);
        return;
    case CORE_EVENT_TERMINATE:
        cr_assert_eq(verdict == CORE_USED, before->seq > 0 && !ended && event->reason.size > 0);
        return;
    case CORE_EVENT_PAUSE:
    case CORE_EVENT_RESUME:
        cr_assert_eq(verdict == CORE_USED,
                     before->seq > 0 && !ended && before->paused == (event->kind == CORE_EVENT_RESUME));
        return;
    case CORE_EVENT_CANCEL:
        cr_assert_eq(verdict == CORE_USED, before->seq > 0 && !ended && before->direction == CORE_FORWARD &&
                                               !before->pivot_commanded);
        return;
    case CORE_EVENT_RETRY:
    case CORE_EVENT_SKIP:
    case CORE_EVENT_FORCE:
        cr_assert(verdict == CORE_USED || verdict == CORE_REFUSED);
        cr_assert(verdict == CORE_REFUSED || before->status == CORE_PARKED ||
                  event->kind == CORE_EVENT_RETRY);
        return;
    case CORE_EVENT_SIGNAL:
    case CORE_EVENT_MOVE:
    case CORE_EVENT_UNDO:
        return;
    case CORE_EVENT_DELIVERED:
    case CORE_EVENT_UNDELIVERED:
        cr_assert(verdict == CORE_USED || verdict == CORE_LATE || verdict == CORE_IDLE);
        return;
    case CORE_EVENT_LOST:
        cr_assert_eq(verdict == CORE_USED, before->seq > 0 && !ended && !core_history_lost(before));
        return;
    case CORE_EVENT_CLOCK:
        cr_assert_eq(verdict == CORE_USED, before->seq > 0 && !ended && event->at_us < before->updated_us);
        return;
    }
}

static void try_event(struct explorer *explorer, const struct twin *from, const struct core_event *event)
{
    struct twin *scratch = &explorer->scratch;
    twin_copy(scratch, from);
    twin_step(scratch, event);
    check_verdict(&from->live, event, scratch);
    note(explorer, &from->live, event, scratch);
    if (scratch->update.verdict != CORE_USED || event->kind == CORE_EVENT_LOST ||
        event->kind == CORE_EVENT_CLOCK)
        return; /* what follows these is told in scripts: here it would double the states */
    struct str key = signature(&scratch->batch, &scratch->live);
    if (map_get(&explorer->seen, key))
        return;
    struct twin *twin = add_state(explorer, arena_copy(&explorer->arena, key));
    twin_copy(twin, from);
    twin_step(twin, event);
    twin_clear(twin);
}

static void try_answers(struct explorer *explorer, const struct twin *from, uint16_t index,
                        struct core_event event)
{
    const struct core_step *step = &from->live.steps[index];
    const struct plan_step *plan = explorer->plan->nodes[step->node].step;
    uint32_t newest = step->attempts[event.command_kind];
    for (uint32_t attempt = 0; attempt <= newest + 1; attempt++) {
        if (attempt > 1 && attempt < newest)
            continue; /* all older ones are alike */
        for (int status = CORE_REPLY_OK; status <= CORE_REPLY_UNSENT; status++) {
            event.attempt = attempt;
            event.status = (enum core_reply_status)status;
            event.error_code = (struct str){0};
            try_event(explorer, from, &event);
            for (uint32_t i = 0; status == CORE_REPLY_REJECTED && i < plan->error_count; i++) {
                event.error_code = plan->errors[i].code;
                try_event(explorer, from, &event);
            }
        }
    }
    event.attempt = newest;
    event.participant = STR("stranger");
    try_event(explorer, from, &event);
}

/* The newest attempt reached its participant late, or nobody; and so did an older one. */
static void try_deliveries(struct explorer *explorer, const struct twin *from, uint16_t index,
                           struct core_event event)
{
    const struct core_step *step = &from->live.steps[index];
    event.attempt = step->attempts[event.command_kind];
    event.error_code = STR("UNDELIVERED");
    event.kind = CORE_EVENT_UNDELIVERED;
    try_event(explorer, from, &event);
    event.at_us = step->due_us > 0 ? step->due_us : event.at_us;
    event.kind = CORE_EVENT_DELIVERED;
    try_event(explorer, from, &event);
    event.attempt--;
    try_event(explorer, from, &event);
}

static void try_all(struct explorer *explorer, const struct twin *from)
{
    const struct core_saga *saga = &from->live;
    int64_t now_us = saga->seq ? saga->updated_us : twin_epoch_us;
    struct core_event event = {.at_us = now_us, .actor = STR("ann"), .reason = STR("because")};
    for (int kind = CORE_EVENT_START; kind <= CORE_EVENT_FORCE; kind++) {
        event.kind = (enum core_event_kind)kind;
        if (event.kind != CORE_EVENT_REPLY)
            try_event(explorer, from, &event);
    }
    event.kind = CORE_EVENT_FORCE;
    event.status = CORE_REPLY_REJECTED;
    try_event(explorer, from, &event);
    event.kind = CORE_EVENT_LOST;
    try_event(explorer, from, &event);
    event.kind = CORE_EVENT_CLOCK;
    try_event(explorer, from, &event);
    event.at_us--;
    try_event(explorer, from, &event);
    event.at_us++;
    event.kind = CORE_EVENT_TERMINATE;
    event.reason = (struct str){0};
    try_event(explorer, from, &event);
    event = (struct core_event){.kind = CORE_EVENT_TIMER, .at_us = now_us};
    if (saga->seq > 0 && core_wake(saga) != INT64_MAX)
        event.at_us = core_wake(saga);
    try_event(explorer, from, &event);
    event.at_us--;
    try_event(explorer, from, &event);
    for (uint16_t i = 0; i < saga->step_count; i++) {
        event = (struct core_event){.at_us = now_us, .step = core_step_path(saga, i)};
        for (int kind = CORE_EVENT_RETRY; kind <= CORE_EVENT_FORCE; kind++) {
            event.kind = (enum core_event_kind)kind;
            try_event(explorer, from, &event);
        }
        for (int kind = CORE_DO; kind <= CORE_UNDO; kind++) {
            event.command_kind = (enum core_kind)kind;
            try_deliveries(explorer, from, i, event);
            event.kind = CORE_EVENT_REPLY;
            try_answers(explorer, from, i, event);
        }
    }
}

static size_t explore(const struct plan *plan, struct map *cells, struct arena *cells_arena)
{
    struct explorer explorer = {.plan = plan, .cells = cells, .cells_arena = cells_arena};
    arena_init(&explorer.arena, 0);
    map_init(&explorer.seen);
    explorer.states = memory_new(STATES_MAX, sizeof *explorer.states);
    twin_init(&explorer.scratch, plan);
    add_state(&explorer, STR("fresh"));
    for (; explorer.next < explorer.count; explorer.next++)
        try_all(&explorer, explorer.states[explorer.next]);
    for (size_t i = 0; i < explorer.count; i++) {
        twin_fini(explorer.states[i]);
        memory_free(explorer.states[i]);
    }
    memory_free(explorer.states);
    twin_fini(&explorer.scratch);
    cr_log_info("%zu states", explorer.count);
    map_fini(&explorer.seen);
    arena_fini(&explorer.arena);
    return explorer.count;
}

static void shorten(struct plan_action *action, uint32_t attempts)
{
    action->retry.attempts_max = attempts;
    action->retry.initial_us = 1000000;
}

static const struct plan_error_rule rules[] = {{{"RETRY", 5}, PLAN_ON_ERROR_RETRY},
                                               {{"PARK", 4}, PLAN_ON_ERROR_PARK},
                                               {{"CONTINUE", 8}, PLAN_ON_ERROR_CONTINUE}};

static struct plan_step *add(struct plan_builder *builder, const char *id, enum plan_on_timeout on_timeout)
{
    struct plan_step *step = plan_builder_step(builder, id);
    shorten(&step->run, 2);
    shorten(&step->verify, 1);
    shorten(&step->undo, 1);
    step->on_timeout = on_timeout;
    return step;
}

static size_t explore_one(enum plan_on_timeout on_timeout, bool verify, bool undo, struct map *cells,
                          struct arena *arena)
{
    static struct plan_builder builder;
    plan_builder_init(&builder);
    struct plan_step *step = add(&builder, "one", on_timeout);
    step->has_verify = verify;
    step->has_undo = undo;
    step->errors = rules;
    step->error_count = sizeof rules / sizeof *rules;
    builder.plan.timeout_us = 25000000;
    return explore(plan_builder_done(&builder), cells, arena);
}

static size_t explore_two(struct map *cells, struct arena *arena)
{
    static struct plan_builder builder;
    plan_builder_init(&builder);
    shorten(&add(&builder, "one", PLAN_ON_TIMEOUT_PARK)->run, 1);
    shorten(&add(&builder, "two", PLAN_ON_TIMEOUT_RETRY)->run, 1);
    return explore(plan_builder_done(&builder), cells, arena);
}

static size_t explore_pivot(enum plan_on_timeout on_timeout, bool verify, struct map *cells,
                            struct arena *arena)
{
    static struct plan_builder builder;
    plan_builder_init(&builder);
    struct plan_step *step = add(&builder, "before", PLAN_ON_TIMEOUT_COMPENSATE);
    shorten(&step->run, 1);
    step = add(&builder, "pivot", on_timeout);
    step->pivot = true;
    step->has_undo = false;
    step->has_verify = verify;
    shorten(&step->run, 1);
    step = add(&builder, "after", PLAN_ON_TIMEOUT_RETRY);
    shorten(&step->run, 1);
    builder.plan.timeout_us = 15000000;
    return explore(plan_builder_done(&builder), cells, arena);
}

static int by_name(const void *left, const void *right)
{
    return str_compare((*(struct cell *const *)left)->name, (*(struct cell *const *)right)->name);
}

static void put_cell(struct buf *out, const struct cell *cell)
{
    buf_put(out, cell->name);
    buf_puts(out, " =>");
    for (int i = CORE_USED; i <= CORE_IDLE; i++)
        if (cell->verdicts >> i & 1) {
            buf_char(out, ' ');
            buf_put(out, core_verdict_text((enum core_verdict)i));
        }
    buf_puts(out, cell->verdicts & 1u << CORE_USED ? "; step" : "");
    for (int i = 0; i < STEP_STATES && cell->verdicts & 1u << CORE_USED; i++)
        if (cell->states >> i & 1) {
            buf_char(out, ' ');
            buf_put(out, core_step_state_text((enum core_step_state)i));
        }
    buf_puts(out, cell->verdicts & 1u << CORE_USED ? "; saga" : "");
    for (int i = 0; i <= CORE_TERMINATED && cell->verdicts & 1u << CORE_USED; i++)
        if (cell->statuses >> i & 1) {
            buf_char(out, ' ');
            buf_put(out, core_status_text((enum core_status)i));
        }
    buf_char(out, '\n');
}

static struct str table_of(struct map *cells, struct arena *arena)
{
    struct cell **sorted = arena_array(arena, cells->count, sizeof *sorted);
    size_t cursor = 0, count = 0;
    for (struct cell *cell = map_next(cells, &cursor); cell; cell = map_next(cells, &cursor))
        sorted[count++] = cell;
    qsort(sorted, count, sizeof *sorted, by_name);
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < count; i++)
        put_cell(&out, sorted[i]);
    return buf_str(&out);
}

static void compare_table(struct str got, struct arena *arena)
{
    const char *path = SAGA_SOURCE_DIR "/tests/core/table.txt";
    FILE *file = fopen(path, getenv("SAGA_GOLDEN_UPDATE") ? "wb" : "rb");
    cr_assert(file != NULL);
    if (getenv("SAGA_GOLDEN_UPDATE")) {
        cr_assert_eq(fwrite(got.data, 1, got.size, file), got.size);
        fclose(file);
        return;
    }
    char *text = arena_alloc(arena, got.size + 2);
    size_t size = fread(text, 1, got.size + 1, file);
    fclose(file);
    size_t at = 0;
    while (at < size && at < got.size && text[at] == got.data[at])
        at++;
    while (at > 0 && text[at - 1] != '\n')
        at--;
    cr_assert(size == got.size && at == size, "table.txt differs; now it is\n%.*s",
              (int)(got.size - at > 400 ? 400 : got.size - at), got.data + at);
}

Test(core, every_event_in_every_state, .timeout = 300)
{
    struct arena arena;
    struct map cells;
    size_t states = 0;
    arena_init(&arena, 0);
    map_init(&cells);
    states += explore_one(PLAN_ON_TIMEOUT_RETRY, false, true, &cells, &arena);
    states += explore_one(PLAN_ON_TIMEOUT_VERIFY, true, true, &cells, &arena);
    states += explore_one(PLAN_ON_TIMEOUT_COMPENSATE, true, false, &cells, &arena);
    states += explore_one(PLAN_ON_TIMEOUT_PARK, true, true, &cells, &arena);
    states += explore_two(&cells, &arena);
    states += explore_pivot(PLAN_ON_TIMEOUT_RETRY, false, &cells, &arena);
    states += explore_pivot(PLAN_ON_TIMEOUT_RETRY, true, &cells, &arena);
    cr_log_info("%zu states, %zu cells", states, cells.count);
    cr_assert(states > 1000);
    compare_table(table_of(&cells, &arena), &arena);
    map_fini(&cells);
    arena_fini(&arena);
}
