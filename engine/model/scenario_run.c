/* One scenario on the real core: commands go out, the answers written down come back, time jumps. Called
 * through scenario.h. What the scenario expects is judged at the end, by scenario_judge.c. */
#include "engine/model/scenario_parts.h"

#include <inttypes.h>
#include "engine/base/check.h"
#include "engine/definition/definition.h"
#include "engine/model/values.h"

/* A moment at which something is expected. */
struct stop {
    const struct scenario_event *event;
    int64_t due_us;
    struct stop *next;
};
struct stage {
    const struct scenario *scenario;
    bool *asked; /* for each of the scenario's own answers */
    bool *came;  /* for each of its events */
    struct arena *arena;
    struct stop *stops; /* that are to come, the next first */
    struct rng rng;     /* of bodies nobody wrote */
    struct scenario_judge judge;
    struct play play;
};
/* What an event that arrives was to be. */
struct expected {
    const struct scenario_event *event;
    const struct scenario_reply *reply;
};

/* ---- replies ---- */

static bool names_path(const struct scenario_name *name, const struct play_command *command, bool exactly)
{
    return str_equal(name->path, exactly ? command->path : command->node->id);
}

/* The answer that names the command most closely: an item's before its step's, an attempt's before all. */
static const struct scenario_answer *find_answer(const struct scenario_answer *answers,
                                                 const struct play_command *command)
{
    for (int way = 0; way < 4; way++) {
        bool attempt = way % 2 == 0, exactly = way / 2 == 0;
        for (const struct scenario_answer *answer = answers; answer; answer = answer->next) {
            enum core_kind kind = answer->name.has_kind ? answer->name.kind : CORE_DO;
            if (names_path(&answer->name, command, exactly) && kind == command->kind &&
                answer->name.attempt == (attempt ? command->attempt : 0))
                return answer;
        }
    }
    return NULL;
}

static const struct json *body_of(struct stage *stage, const struct scenario_reply *reply,
                                  const struct play_command *command)
{
    if (reply->body)
        return reply->body;
    if (reply->status != CORE_REPLY_OK || command->kind == CORE_UNDO)
        return NULL;
    return values_make(command->node->step->output_schema, &stage->rng, stage->arena);
}

static struct str code_of(const struct scenario_reply *reply)
{
    if (reply->status == CORE_REPLY_UNSENT)
        return core_code_text(CORE_CODE_NO_RESPONDERS);
    return reply->status == CORE_REPLY_UNCLEAR && reply->code.size == 0 ? STR("500") : reply->code;
}

static void post_reply(struct stage *stage, const struct scenario_reply *reply,
                       const struct play_command *command, int64_t after_us)
{
    struct expected *expected = arena_new(stage->arena, struct expected);
    const struct core_event event = {.kind = CORE_EVENT_REPLY,
                                     .step = command->path,
                                     .command_kind = command->kind,
                                     .attempt = command->attempt,
                                     .participant =
                                         core_action(command->node->step, command->kind)->participant,
                                     .status = reply->status,
                                     .error_code = code_of(reply),
                                     .error_message = reply->message,
                                     .retry_after_us = reply->retry_after_us,
                                     .body = body_of(stage, reply, command)};
    expected->reply = reply;
    for (uint32_t i = 0; i < reply->times && !reply->silent; i++)
        play_post(&stage->play, after_us, &event, expected);
}

static void note_asked(struct stage *stage, const struct scenario_answer *found)
{
    uint32_t index = 0;
    for (const struct scenario_answer *answer = stage->scenario->answers; answer;
         answer = answer->next, index++)
        stage->asked[index] = stage->asked[index] || answer == found;
}

static uint32_t answer_count(const struct scenario *scenario)
{
    uint32_t count = 0;
    for (const struct scenario_answer *answer = scenario->answers; answer; answer = answer->next)
        count++;
    return count;
}

/* Often the reason why a scenario fails; none by itself. */
static void tell_unasked(struct stage *stage)
{
    uint32_t index = 0;
    for (const struct scenario_answer *answer = stage->scenario->answers; answer;
         answer = answer->next, index++)
        if (!stage->asked[index])
            scenario_fail(&stage->judge, "note: nothing asked for the reply to %.*s",
                          STR_ARG(answer->name.text));
}

static void answer(struct stage *stage, const struct play_command *command)
{
    static const struct scenario_reply fine = {.status = CORE_REPLY_OK, .times = 1};
    const struct scenario_answer *found = find_answer(stage->scenario->answers, command);
    const struct scenario_reply *reply = &fine;
    int64_t after_us = 0;
    note_asked(stage, found);
    if (!found)
        found = find_answer(stage->scenario->common, command);
    if (found) {
        reply = found->replies;
        for (uint32_t i = 1; found->name.attempt == 0 && i < command->attempt && reply->next; i++)
            reply = reply->next;
    }
    for (; reply; reply = reply->then) {
        after_us += reply->after_us;
        if (reply->status == CORE_REPLY_UNSENT) /* certain when the attempt is over */
            after_us = core_action(command->node->step, command->kind)->timeout_us;
        post_reply(stage, reply, command, after_us);
    }
}

/* ---- events ---- */

static void put_stop(struct stage *stage, const struct scenario_event *event)
{
    struct stop **at = &stage->stops;
    struct stop *stop = arena_new(stage->arena, struct stop);
    int64_t due_us = stage->play.now_us + event->after_us;
    while (*at != NULL && (*at)->due_us <= due_us)
        at = &(*at)->next;
    *stop = (struct stop){event, due_us, *at};
    *at = stop;
}

static void post_event(struct stage *stage, const struct scenario_event *event)
{
    if (event->expect) {
        put_stop(stage, event);
        return;
    }
    struct expected *expected = arena_new(stage->arena, struct expected);
    expected->event = event;
    play_post(&stage->play, event->after_us, &event->event, expected);
}

static bool was_before(const struct stage *stage, const struct scenario_name *name,
                       const struct play_command *command)
{
    const struct play *play = &stage->play;
    for (uint32_t i = 0; i + 1 < play->command_count; i++)
        if (scenario_names(name, &play->commands[i]))
            return true;
    return command->again;
}

/* Events `on` a command come once, with its first sending that fits. */
static void post_events_on(struct stage *stage, struct str path, const struct plan_node *node,
                           const struct play_command *command)
{
    uint32_t index = 0;
    for (const struct scenario_event *event = stage->scenario->events; event; event = event->next, index++) {
        const struct scenario_name *name = &event->on;
        if (!event->is_on || name->node != node)
            continue;
        bool this = command ? scenario_names(name, command) && !was_before(stage, name, command)
                            : !node->step && str_equal(name->path, path);
        if (this)
            post_event(stage, event);
        stage->came[index] = stage->came[index] || this;
    }
}

static uint32_t event_count(const struct scenario *scenario)
{
    uint32_t count = 0;
    for (const struct scenario_event *event = scenario->events; event; event = event->next)
        count++;
    return count;
}

/* What was to be tried was not. */
static void judge_events(struct stage *stage)
{
    uint32_t index = 0;
    for (const struct scenario_event *event = stage->scenario->events; event; event = event->next, index++)
        if (event->is_on && !stage->came[index])
            scenario_fail(&stage->judge, "%.*s (line %" PRIu32 "): its moment never came: there was no %.*s",
                          STR_ARG(event->expect ? STR("expect") : core_event_text(event->event.kind)),
                          event->place.line, STR_ARG(event->on.text));
}

static void on_command(void *context, struct play *play, const struct play_command *command)
{
    struct stage *stage = context;
    check(&stage->play == play);
    post_events_on(stage, command->path, command->node, command);
    answer(stage, command);
}

static void on_open(void *context, struct play *play, uint16_t step)
{
    struct stage *stage = context;
    const struct plan_node *node = &play->saga.plan->nodes[play->saga.steps[step].node];
    post_events_on(stage, core_step_path(&play->saga, step), node, NULL);
}

static void on_event(void *context, struct play *play, const struct core_event *event,
                     const struct core_update *update, const void *tag)
{
    struct stage *stage = context;
    const struct expected *expected = tag;
    struct str verb = core_event_text(event->kind);
    bool refused = update->verdict == CORE_REFUSED;
    check(&stage->play == play);
    if (expected && expected->event && refused != expected->event->refused)
        scenario_fail(&stage->judge, "%.*s (line %" PRIu32 "): %s%.*s", STR_ARG(verb),
                      expected->event->place.line,
                      refused ? "the engine refused it: " : "it was to be refused, and was not",
                      STR_ARG(refused ? update->why : STR("")));
    bool dead = update->verdict == CORE_DEAD || update->aside;
    if (expected && expected->reply && dead != expected->reply->dead)
        scenario_fail(&stage->judge, "reply to %.*s: %s%.*s", STR_ARG(event->step),
                      dead ? "the engine put it aside: " : "it was to be put aside, and was not",
                      STR_ARG(dead ? update->why : STR("")));
}

/* ---- the run ---- */

static bool start(struct stage *stage)
{
    const struct scenario *scenario = stage->scenario;
    const struct plan *plan = stage->play.saga.plan;
    struct definition_start checked = {0};
    const struct json *input = scenario->input;
    if (!input)
        input = values_make(plan->input_schema, &stage->rng, stage->arena);
    if (!input) {
        scenario_fail(&stage->judge, "no input can be made from the input's schema: write one under `input`");
        return false;
    }
    if (!definition_start(plan, input, STR(""), stage->arena, &checked)) {
        scenario_fail(&stage->judge, "the saga cannot start: %.*s",
                      STR_ARG(checked.problems.count > 0 ? checked.problems.items[0].message : STR("")));
        return false;
    }
    const struct core_event event = {.kind = CORE_EVENT_START,
                                     .input = input,
                                     .search = checked.search,
                                     .key = checked.key,
                                     .seed = scenario->seed};
    play_post(&stage->play, 0, &event, NULL);
    for (const struct scenario_event *outside = scenario->events; outside; outside = outside->next)
        if (!outside->is_on)
            post_event(stage, outside);
    return true;
}

/* Holds what is expected of the moments before this one. */
static void judge_stops(struct stage *stage, int64_t next_us)
{
    for (; stage->stops != NULL && stage->stops->due_us < next_us; stage->stops = stage->stops->next) {
        struct buf moment;
        buf_init(&moment, stage->arena);
        play_put_moment(&moment, stage->stops->due_us - stage->play.began_us);
        stage->judge.expect = stage->stops->event->expect;
        stage->judge.moment = buf_str(&moment);
        scenario_judge(&stage->judge);
    }
    stage->judge.expect = &stage->scenario->expect;
    stage->judge.moment = STR("");
}

static enum play_end play_on(struct stage *stage)
{
    enum play_end end;
    do {
        judge_stops(stage, play_next(&stage->play));
    } while (play_step(&stage->play, &end));
    judge_stops(stage, INT64_MAX);
    return end;
}

static void run(struct stage *stage, struct coverage *coverage)
{
    if (!start(stage))
        return;
    if (play_on(stage) == PLAY_TIRED)
        scenario_fail(&stage->judge, "it does not come to rest within %d events", PLAY_EVENTS_MAX);
    scenario_judge(&stage->judge);
    judge_events(stage);
    if (stage->judge.result->failure_count > 0)
        tell_unasked(stage);
    if (coverage)
        coverage_add(coverage, &stage->play.saga);
}

void scenario_run(const struct scenario_file *file, uint32_t index, struct arena *arena,
                  struct coverage *coverage, struct scenario_result *result)
{
    struct stage *stage = arena_new(arena, struct stage);
    struct buf timeline;
    struct rng rng;
    const struct scenario *scenario = file->scenarios;
    check(index < file->count);
    for (uint32_t i = 0; i < index; i++)
        scenario = scenario->next;
    *result = (struct scenario_result){.name = scenario->name, .line = scenario->place.line};
    *stage = (struct stage){.scenario = scenario, .arena = arena};
    stage->judge = (struct scenario_judge){
        .expect = &scenario->expect, .play = &stage->play, .arena = arena, .result = result};
    stage->asked = arena_array(arena, answer_count(scenario), sizeof *stage->asked);
    stage->came = arena_array(arena, event_count(scenario), sizeof *stage->came);
    rng_init(&rng, scenario->seed);
    rng_init(&stage->rng, scenario->seed);
    play_init(&stage->play, file->plan, id_make(scenario->starts_us, 0, &rng), scenario->starts_us, arena,
              (struct play_host){stage, on_command, on_open, on_event});
    run(stage, coverage);
    buf_init(&timeline, arena);
    play_render(&stage->play, &timeline);
    result->timeline = buf_str(&timeline);
    result->passed = result->failure_count == 0;
    play_fini(&stage->play);
}
