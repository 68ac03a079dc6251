/* Random definitions and random runs of them: a run goes through its own definition as it went, and through
 * one with another command exactly when it sent that command; the comparison of the two says so too; and
 * whatever is drawn, no two texts overlap. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "engine/core/record.h"
#include "engine/definition/definition.h"
#include "engine/model/against.h"
#include "engine/model/diff.h"
#include "engine/model/play.h"
#include "engine/model/values.h"
#include "engine/sim/random_definition.h"
#include "tests/model/drawing.h"

enum { SEEDS = 400, ROWS_MAX = 4000, SHARE_LEAST = 20 };

#define WAS "command: p0.do"
#define IS "command: p0.dx"

struct run {
    struct arena arena;
    struct rng rng;
    const struct plan *plan;
    const struct plan *other; /* the same with IS for WAS */
    struct against_row rows[ROWS_MAX];
    uint32_t row_count;
    bool sent; /* WAS went out */
};

static const struct plan *load(struct arena *arena, struct str text)
{
    struct diag_list diags;
    struct buf report;
    diag_init(&diags, arena, STR("random.yaml"), text);
    const struct plan *plan = definition_load(arena, text, NULL, &diags);
    buf_init(&report, arena);
    diag_render(&diags, &report);
    cr_assert_not_null(plan, "%.*s", STR_ARG(buf_str(&report)));
    return plan;
}

static struct str replaced(struct arena *arena, struct str text)
{
    struct buf out;
    buf_init(&out, arena);
    while (text.size > 0) {
        const char *at = memmem(text.data, text.size, WAS, strlen(WAS));
        size_t size = at == NULL ? text.size : (size_t)(at - text.data);
        buf_put(&out, str_slice(text, 0, size));
        buf_puts(&out, at == NULL ? "" : IS);
        text = str_slice(text, at == NULL ? size : size + strlen(WAS), text.size);
    }
    return buf_str(&out);
}

static void note(void *context, struct play *play, const struct core_event *event,
                 const struct core_update *update, const void *tag)
{
    struct run *run = context;
    struct buf data;
    (void)event;
    (void)tag;
    if (update->verdict != CORE_USED)
        return;
    cr_assert_lt(run->row_count, ROWS_MAX);
    buf_init(&data, &run->arena);
    record_write(&data, &play->saga, &update->record);
    run->rows[run->row_count++] =
        (struct against_row){update->record.seq,
                             update->record.event.at_us,
                             core_event_text(update->record.event.kind),
                             arena_copy(&run->arena, record_step(&play->saga, &update->record)),
                             record_attempt(&update->record),
                             buf_str(&data)};
}

/* Mostly well; sometimes a no, a not now, or silence. */
static void answer(void *context, struct play *play, const struct play_command *command)
{
    static const char *const codes[] = {"NO", "AGAIN", "HUMAN", "SKIP"};
    struct run *run = context;
    struct core_event event = {.kind = CORE_EVENT_REPLY,
                               .step = command->path,
                               .command_kind = command->kind,
                               .attempt = command->attempt};
    uint64_t luck = rng_below(&run->rng, 20);
    run->sent = run->sent || (command->kind == CORE_DO && command->node->kind == PLAN_STEP &&
                              str_equal(command->node->step->run.command, STR("p0.do")));
    if (luck == 0)
        return;
    if (luck == 1)
        event.status = CORE_REPLY_RETRY;
    if (luck == 2) {
        event.status = CORE_REPLY_REJECTED;
        event.error_code = str_from(codes[rng_below(&run->rng, 4)]);
    }
    event.body = values_make(command->node->step->output_schema, &run->rng, &run->arena);
    play_post(play, (int64_t)rng_below(&run->rng, 3000000), &event, NULL);
}

static void signal_it(void *context, struct play *play, uint16_t step)
{
    struct run *run = context;
    const struct plan_node *node = &play->saga.plan->nodes[play->saga.steps[step].node];
    if (node->kind != PLAN_AWAIT || rng_below(&run->rng, 4) == 0)
        return;
    struct core_event event = {.kind = CORE_EVENT_SIGNAL,
                               .signal = node->await->event,
                               .body = random_definition_signal(node->await->event, &run->rng, &run->arena)};
    play_post(play, (int64_t)rng_below(&run->rng, 3000000), &event, NULL);
}

static void open_run(struct run *run, uint64_t seed)
{
    static const struct str children[] = {{"child-a", 7}};
    struct random_definition wanted = {.seed = seed,
                                       .name = STR("random"),
                                       .leaves = 1 + (uint32_t)(seed % RANDOM_DEFINITION_LEAVES),
                                       .faults = seed % 3 == 0 ? 10 : 0,
                                       .children = children,
                                       .child_count = 1};
    arena_init(&run->arena, 0);
    rng_init(&run->rng, seed);
    run->row_count = 0;
    run->sent = false;
    struct str text = random_definition_write(&wanted, &run->arena);
    run->plan = load(&run->arena, text);
    run->other = load(&run->arena, replaced(&run->arena, text));
}

static void play_it(struct run *run)
{
    struct play play;
    struct play_host host = {.context = run, .commanded = answer, .opened = signal_it, .happened = note};
    struct core_event start = {
        .kind = CORE_EVENT_START,
        .input = random_definition_input(run->plan, 1, play_epoch_us, &run->rng, &run->arena),
        .seed = rng_below(&run->rng, 1000000),
        .shards = 16};
    play_init(&play, run->plan, (struct id){{1}}, play_epoch_us, &run->arena, host);
    play_post(&play, 0, &start, NULL);
    cr_assert_eq(play_run(&play), PLAY_RESTS);
    play_fini(&play);
}

static struct against tried(struct run *run, const struct plan *plan)
{
    struct against result;
    against_run(run->plan, plan, (struct id){{1}}, run->rows, run->row_count, &run->arena, &result);
    return result;
}

Test(versions, random_sagas_go_through_their_own_definition_as_they_went, .timeout = 300)
{
    static struct run run;
    unsigned sent = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        open_run(&run, seed);
        play_it(&run);
        struct against own = tried(&run, run.plan), other = tried(&run, run.other);
        cr_expect_eq(own.outcome, AGAINST_SAME, "seed %u: %s at %d: %.*s\nthen %.*s\nnow %.*s",
                     (unsigned)seed, against_text(own.outcome), (int)own.seq, STR_ARG(own.what),
                     STR_ARG(own.then), STR_ARG(own.now));
        cr_expect_eq(other.outcome != AGAINST_SAME, run.sent, "seed %u: %s at %d: %.*s", (unsigned)seed,
                     against_text(other.outcome), (int)other.seq, STR_ARG(other.what));
        sent += run.sent;
        arena_fini(&run.arena);
    }
    cr_expect(sent * 100 > SEEDS * SHARE_LEAST && sent < SEEDS, "%u of %d runs mean little", sent, SEEDS);
}

Test(versions, a_damaged_journal_is_called_unreadable)
{
    static struct run run;
    open_run(&run, 7);
    play_it(&run);
    cr_assert_gt(run.row_count, 2);
    run.rows[1].seq = 5;
    struct against gap = tried(&run, run.plan);
    cr_expect_eq(gap.outcome, AGAINST_UNREADABLE, "%s", against_text(gap.outcome));
    run.rows[1].seq = 2;
    run.rows[1].data = STR("{\"event\":7}");
    struct against garbage = tried(&run, run.plan);
    cr_expect_eq(garbage.outcome, AGAINST_UNREADABLE, "%s", against_text(garbage.outcome));
    cr_expect_eq(garbage.seq, 2);
    cr_expect_gt(garbage.what.size, 0);
    arena_fini(&run.arena);
}

static bool finds(const struct diff *diff, enum diff_kind kind)
{
    for (uint32_t i = 0; i < diff->count; i++)
        if (diff->items[i].kind == kind)
            return true;
    return false;
}

Test(versions, random_definitions_are_drawn_and_compared, .timeout = 300)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct diff same, other;
        struct buf svg;
        open_run(&run, seed);
        buf_init(&svg, &run.arena);
        graph_write(&svg, run.plan, NULL, GRAPH_SVG);
        drawing_expect_readable("a random definition", buf_str(&svg));
        diff_plans(run.plan, run.plan, &run.arena, &same);
        cr_expect_eq(same.count, 0, "seed %u", (unsigned)seed);
        diff_plans(run.plan, run.other, &run.arena, &other);
        cr_expect_eq(finds(&other, DIFF_ACTION_NEW), strcmp(run.plan->hash, run.other->hash) != 0, "seed %u",
                     (unsigned)seed);
        arena_fini(&run.arena);
    }
}
