/* What is foreseen is what comes: at every moment of runs of every example, a cancel is foreseen and then
 * really made, and the compensations that go out are those that were told, in their order, byte for byte. */
#include <criterion/criterion.h>

#include "engine/core/view.h"
#include "engine/definition/definition.h"
#include "engine/model/foresee.h"
#include "engine/model/play.h"
#include "engine/model/values.h"
#include "engine/sim/random_definition.h"

#define EXAMPLES SAGA_SOURCE_DIR "/definitions/examples/"
static const char *const examples[] = {"checkout",     "data-export", "invoicing", "loan",
                                       "onboarding",   "order",       "return",    "split-shipment",
                                       "subscription", "trip",        "wholesale", NULL};

enum { STEP_US = 1000000 };
/* A run whose answers come a second after their commands, until `quiet`: then only compensations are
 * answered.
 */
struct run {
    struct arena arena;
    struct rng rng;
    struct play play;
    bool quiet;
    bool rough; /* participants refuse, or say nothing, now and then */
};

static const struct plan *load(struct arena *arena, const char *name)
{
    struct diag_list diags;
    struct err_note note = {""};
    const struct plan *plan = NULL;
    const char *path = arena_printf(arena, EXAMPLES "%s.yaml", name).data;
    cr_assert(definition_load_file(arena, path, &diags, &plan, &note) == ERR_OK, "%s", note.text);
    cr_assert(plan != NULL, "%s", name);
    return plan;
}

static void on_command(void *context, struct play *play, const struct play_command *command)
{
    struct run *run = context;
    bool undo = command->kind == CORE_UNDO;
    struct core_event event = {.kind = CORE_EVENT_REPLY,
                               .step = command->path,
                               .command_kind = command->kind,
                               .attempt = command->attempt,
                               .status = CORE_REPLY_OK};
    uint64_t die = run->rough && !run->quiet ? rng_below(&run->rng, 12) : 12;
    if ((run->quiet && !undo) || die == 0)
        return;
    if (die <= 2) {
        event.status = die == 1 ? CORE_REPLY_REJECTED : CORE_REPLY_RETRY;
        event.error_code = die == 1 && rng_below(&run->rng, 2) ? STR("HUMAN") : STR("NO");
    }
    if (!undo && event.status == CORE_REPLY_OK)
        event.body = values_make(command->node->step->output_schema, &run->rng, &run->arena);
    play_post(play, run->quiet ? 1 : STEP_US, &event, NULL);
}

static void on_open(void *context, struct play *play, uint16_t step)
{
    struct run *run = context;
    const struct plan_node *node = &play->saga.plan->nodes[play->saga.steps[step].node];
    if (node->kind != PLAN_AWAIT || run->quiet)
        return;
    struct core_event event = {.kind = CORE_EVENT_SIGNAL, .signal = node->await->event};
    event.body = values_make(node->await->schema, &run->rng, &run->arena);
    play_post(play, STEP_US, &event, NULL);
}

static void begin(struct run *run, const struct plan *plan, uint64_t seed)
{
    struct definition_start start = {0};
    *run = (struct run){0};
    arena_init(&run->arena, 0);
    rng_init(&run->rng, seed);
    const struct json *input = values_make(plan->input_schema, &run->rng, &run->arena);
    cr_assert(input != NULL && definition_start(plan, input, STR(""), &run->arena, &start));
    play_init(&run->play, plan, id_make(play_epoch_us, 0, &run->rng), play_epoch_us, &run->arena,
              (struct play_host){run, on_command, on_open, NULL});
    play_post(
        &run->play, 0,
        &(struct core_event){
            .kind = CORE_EVENT_START, .input = input, .search = start.search, .key = start.key, .seed = seed},
        NULL);
}

static void finish(struct run *run)
{
    play_fini(&run->play);
    arena_fini(&run->arena);
}

/* Answers that were on their way count as lost: what is foreseen is that only compensations are answered, one
 * that is out already too. */
static void cancel(struct run *run)
{
    const struct core_saga *saga = &run->play.saga;
    run->quiet = true;
    run->play.posts = NULL;
    play_post(&run->play, 0, &(struct core_event){.kind = CORE_EVENT_CANCEL, .actor = STR("foresight")},
              NULL);
    if (saga->paused)
        play_post(&run->play, 0, &(struct core_event){.kind = CORE_EVENT_RESUME, .actor = STR("foresight")},
                  NULL);
    for (uint16_t i = 0; i < saga->step_count; i++) {
        if (saga->steps[i].state != CORE_STEP_UNDO_SENT)
            continue;
        play_post(&run->play, 0,
                  &(struct core_event){.kind = CORE_EVENT_REPLY,
                                       .step = core_step_path(saga, i),
                                       .command_kind = CORE_UNDO,
                                       .attempt = saga->steps[i].attempts[CORE_UNDO]},
                  NULL);
    }
}

/* The compensations that went out from here on, as lines. */
static struct str came(struct run *run, uint32_t from)
{
    struct buf out;
    buf_init(&out, &run->arena);
    for (uint32_t i = from; i < run->play.command_count; i++) {
        const struct play_command *command = &run->play.commands[i];
        struct str text = play_command_text(&run->arena, command),
                   body = json_text(&run->arena, command->body);
        if (command->kind == CORE_UNDO)
            buf_printf(&out, "%.*s %.*s\n", STR_ARG(text), STR_ARG(body));
    }
    return buf_str(&out);
}

static struct str told(struct run *run, const struct foresee *foresee)
{
    struct buf out;
    buf_init(&out, &run->arena);
    for (uint32_t i = 0; i < foresee->command_count; i++) {
        const struct foresee_command *command = &foresee->commands[i];
        struct str body = json_text(&run->arena, command->body);
        if (command->kind == CORE_UNDO)
            buf_printf(&out, "%.*s/undo/%u %.*s\n", STR_ARG(command->path), command->attempt, STR_ARG(body));
    }
    return buf_str(&out);
}

static void try_moment(const char *name, struct run *run)
{
    struct foresee foresee;
    struct buf before, after;
    uint32_t from = run->play.command_count;
    buf_init(&before, &run->arena);
    buf_init(&after, &run->arena);
    view_json(&before, &run->play.saga);
    foresee_cancel(&run->play.saga, run->play.now_us, &run->arena, &foresee);
    view_json(&after, &run->play.saga);
    cr_expect_str_eq(buf_str(&before).data, buf_str(&after).data, "%s: the saga was touched", name);
    cancel(run);
    enum play_end end = PLAY_TIRED;
    while (foresee.possible && play_step(&run->play, &end))
        ;
    cr_assert(!foresee.possible || end == PLAY_RESTS);
    struct str expected = told(run, &foresee), actual = came(run, from);
    cr_expect_str_eq(expected.data, actual.data, "%s, %u commands out:\ntold\n%s\ncame\n%s", name, from,
                     expected.data, actual.data);
    if (foresee.possible)
        cr_expect_eq(foresee.ends, run->play.saga.status, "%s, %u commands out", name, from);
    else
        cr_expect_eq(foresee.command_count, 0);
}

/* The run is made anew for each moment. False when it is over before this one. */
static bool try_after(struct arena *arena, const char *name, uint64_t seed, uint32_t events)
{
    struct run run;
    enum play_end end;
    begin(&run, load(arena, name), seed);
    bool more = true;
    for (uint32_t i = 0; i < events && more; i++)
        more = play_step(&run.play, &end);
    if (more)
        try_moment(name, &run);
    finish(&run);
    return more;
}

/* A random definition in a rough world, stopped at a random moment: some of its steps are stuck, some in
 * doubt, some scopes are being undone, some sagas are paused. */
static void try_random(uint64_t seed)
{
    enum { LEAVES = 10, EVENTS = 40, PAUSED = 4 };
    struct run run;
    struct arena arena;
    struct diag_list diags;
    enum play_end end;
    arena_init(&arena, 0);
    struct random_definition wanted = {.seed = seed, .name = STR("any"), .leaves = LEAVES, .faults = 2};
    struct str text = random_definition_write(&wanted, &arena);
    diag_init(&diags, &arena, STR("any.yaml"), text);
    const struct plan *plan = definition_load(&arena, text, NULL, &diags);
    cr_assert(plan != NULL, "seed %u", (unsigned)seed);
    begin(&run, plan, seed);
    run.rough = true;
    uint64_t events = 1 + rng_below(&run.rng, EVENTS);
    for (uint64_t i = 0; i < events; i++)
        if (!play_step(&run.play, &end))
            break;
    if (rng_below(&run.rng, PAUSED) == 0) {
        play_post(&run.play, 0, &(struct core_event){.kind = CORE_EVENT_PAUSE, .actor = STR("ann")}, NULL);
        (void)play_step(&run.play, &end);
    }
    try_moment(text.data, &run);
    finish(&run);
    arena_fini(&arena);
}

Test(foresee, tells_it_of_random_definitions, .timeout = 120)
{
    enum { SEEDS = 500 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        try_random(seed);
}

Test(foresee, tells_what_a_cancel_sends, .timeout = 120)
{
    enum { SEEDS = 4, EVENTS_MAX = 60 };
    uint32_t moments = 0;
    for (int i = 0; examples[i]; i++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct arena arena;
            arena_init(&arena, 0);
            for (uint32_t events = 1; events < EVENTS_MAX && try_after(&arena, examples[i], seed, events);
                 events++)
                moments++;
            arena_fini(&arena);
        }
    }
    cr_expect(moments > 200, "only %u moments", moments);
}
