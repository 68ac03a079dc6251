/* One random run in virtual time: participants, wires, clocks and faults drawn from a seed. Called by
 * `sagactl simulate`. Never uses anything but the seed, and checks at the end that effects are what the saga
 * says. */
#include "engine/model/chance.h"

#include <stdlib.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/definition/definition.h"
#include "engine/definition/word.h"
#include "engine/model/values.h"

static const struct {
    struct str name;
    unsigned rate;
} faults[] = {
#define X(NAME, name, rate, meaning) {WORD(name), rate},
#include "engine/model/faults.def"
#undef X
};

/* What a participant holds under one key, as its idempotency table would. */
enum hold {
    HOLD_NOTHING,
    HOLD_DONE,
    HOLD_UNDONE,
    HOLD_CLOSED
}; /* closed: undone or denied before it was done */
struct answer {
    enum core_reply_status status;
    struct str code;
    const struct json *body;
};
struct effect {
    struct str path;
    enum hold hold;
    const struct json *body;
    bool lacks_output; /* of a child saga that is done */
    uint32_t
        refused_attempt;   /* newest do that was answered without doing it: one that comes again gets the */
    struct answer refusal; /* same answer */
    struct effect *next;
};
struct chance {
    const struct chance_rates *rates;
    struct arena *arena;
    struct rng rng;
    struct effect *effects;
    struct effect **effect_end;
    struct chance_result *result;
    bool cancelled;
    enum core_status status; /* after the last event, */
    int64_t changed_us;      /* and since when */
    struct play play;
};

struct str chance_fault_text(enum chance_fault fault)
{
    check((unsigned)fault < CHANCE_FAULT_COUNT);
    return faults[fault].name;
}

struct chance_rates chance_usual(void)
{
    struct chance_rates rates;
    for (int i = 0; i < CHANCE_FAULT_COUNT; i++)
        rates.of[i] = faults[i].rate;
    return rates;
}

/* ---- rates ---- */

static bool read_rate(struct str text, unsigned *rate)
{
    enum { TEXT_MAX = 16 };
    char number[TEXT_MAX + 1] = "";
    char *end = number;
    if (text.size == 0 || text.size > TEXT_MAX || text.data[0] < '0' || text.data[0] > '1')
        return false;
    memcpy(number, text.data, text.size);
    double value = strtod(number, &end);
    *rate = (unsigned)(value * CHANCE_CERTAIN + 0.5);
    return *end == '\0' && value <= 1;
}

static enum err read_one(struct str text, struct chance_rates *rates, struct err_note *note)
{
    size_t equals = str_find(text, '=');
    struct str name = str_slice(text, 0, equals), value = str_slice(text, equals + 1, text.size);
    unsigned rate = 0;
    bool found = false;
    if (equals == text.size || !read_rate(value, &rate))
        return err_note(note, ERR_INVALID, "\"%.*s\" is no fault with its rate from 0 to 1, such as lost=0.1",
                        STR_ARG(text));
    for (int i = 0; i < CHANCE_FAULT_COUNT; i++) {
        if (!str_equal(name, faults[i].name) && !str_equal(name, STR("all")))
            continue;
        rates->of[i] = rate;
        found = true;
    }
    return found ? ERR_OK : err_note(note, ERR_INVALID, "there is no fault \"%.*s\"", STR_ARG(name));
}

enum err chance_read(struct str text, struct chance_rates *rates, struct err_note *note)
{
    if (str_equal(text, STR("none"))) {
        *rates = (struct chance_rates){0};
        return ERR_OK;
    }
    while (text.size > 0) {
        size_t end = str_find(text, ',');
        enum err error = read_one(str_trim(str_slice(text, 0, end)), rates, note);
        if (error != ERR_OK)
            return error;
        text = str_slice(text, end + 1, text.size);
    }
    return ERR_OK;
}

/* ---- chance ---- */

static bool strikes(struct chance *chance, enum chance_fault fault)
{
    bool does = rng_below(&chance->rng, CHANCE_CERTAIN) < chance->rates->of[fault];
    chance->result->faults[fault] += does;
    return does;
}

static int64_t travel_us(struct chance *chance)
{
    enum { MOST_MS = 80 };
    return (int64_t)(1 + rng_below(&chance->rng, MOST_MS)) * 1000;
}

/* ---- participants ---- */

static struct effect *effect_of(struct chance *chance, struct str path)
{
    struct effect *effect = chance->effects;
    while (effect && !str_equal(effect->path, path))
        effect = effect->next;
    if (effect)
        return effect;
    effect = arena_new(chance->arena, struct effect);
    effect->path = arena_copy(chance->arena, path);
    *chance->effect_end = effect;
    chance->effect_end = &effect->next;
    return effect;
}

static struct answer rejected(const char *code)
{
    return (struct answer){.status = CORE_REPLY_REJECTED, .code = str_from(code)};
}

static struct answer refuse(struct effect *effect, const struct play_command *command, struct answer refusal)
{
    effect->refused_attempt = command->attempt;
    effect->refusal = refusal;
    return refusal;
}

/* One of the codes that the step has a rule for, or one that it has none for. */
static struct str draw_code(struct chance *chance, const struct plan_step *step)
{
    uint64_t which = rng_below(&chance->rng, (uint64_t)step->error_count + 1);
    bool is_named = which < step->error_count && !str_equal(step->errors[which].code, STR(PLAN_ANY_CODE));
    return is_named ? step->errors[which].code : STR("REFUSED");
}

static struct answer handle_do(struct chance *chance, struct effect *effect,
                               const struct play_command *command)
{
    if (effect->hold == HOLD_UNDONE || effect->hold == HOLD_CLOSED)
        return rejected("UNDONE_ALREADY");
    if (effect->hold == HOLD_DONE && effect->lacks_output)
        return (struct answer){.status = CORE_REPLY_NO_OUTPUT};
    if (effect->hold == HOLD_DONE)
        return (struct answer){.status = CORE_REPLY_OK, .body = effect->body};
    if (command->attempt <= effect->refused_attempt)
        return effect->refusal;
    if (strikes(chance, CHANCE_REJECTED))
        return refuse(
            effect, command,
            (struct answer){.status = CORE_REPLY_REJECTED, .code = draw_code(chance, command->node->step)});
    if (command->node->kind != PLAN_SAGA && strikes(chance, CHANCE_RETRY))
        return refuse(effect, command, (struct answer){.status = CORE_REPLY_RETRY, .code = STR("NOT_NOW")});
    effect->hold = HOLD_DONE;
    effect->lacks_output = command->node->kind == PLAN_SAGA && strikes(chance, CHANCE_NO_OUTPUT);
    if (effect->lacks_output)
        return (struct answer){.status = CORE_REPLY_NO_OUTPUT};
    effect->body = values_make(command->node->step->output_schema, &chance->rng, chance->arena);
    return (struct answer){.status = CORE_REPLY_OK, .body = effect->body};
}

static struct answer handle_verify(struct effect *effect)
{
    if (effect->hold == HOLD_DONE)
        return (struct answer){.status = CORE_REPLY_OK, .body = effect->body};
    if (effect->hold == HOLD_NOTHING)
        effect->hold = HOLD_CLOSED; /* having said no, it must stay no */
    return rejected("DID_NOT_HAPPEN");
}

static struct answer handle_undo(struct chance *chance, struct effect *effect)
{
    if (effect->hold != HOLD_UNDONE && effect->hold != HOLD_CLOSED && strikes(chance, CHANCE_UNDO_REJECTED))
        return rejected("CANNOT_UNDO");
    if (effect->hold != HOLD_CLOSED)
        effect->hold = effect->hold == HOLD_NOTHING ? HOLD_CLOSED : HOLD_UNDONE;
    return (struct answer){.status = CORE_REPLY_OK};
}

static struct answer handle(struct chance *chance, const struct play_command *command)
{
    struct effect *effect = effect_of(chance, command->path);
    switch (command->kind) {
    case CORE_DO:
        return handle_do(chance, effect, command);
    case CORE_VERIFY:
        return handle_verify(effect);
    case CORE_UNDO:
        return handle_undo(chance, effect);
    }
    check_never("unknown kind of command");
}

/* ---- wires ---- */

static void post_answer(struct chance *chance, const struct play_command *command, struct answer answer,
                        int64_t after_us)
{
    const struct core_event event = {.kind = CORE_EVENT_REPLY,
                                     .step = command->path,
                                     .command_kind = command->kind,
                                     .attempt = command->attempt,
                                     .participant =
                                         core_action(command->node->step, command->kind)->participant,
                                     .status = answer.status,
                                     .error_code = answer.code,
                                     .body = answer.body};
    play_post(&chance->play, after_us, &event, NULL);
}

static void note_command(struct chance *chance, const struct play_command *command, const char *what)
{
    struct str text = play_command_text(chance->arena, command);
    play_note(&chance->play, "! %.*s: %s", STR_ARG(text), what);
}

static void answer_command(struct chance *chance, const struct play_command *command)
{
    const struct plan_action *action = core_action(command->node->step, command->kind);
    int64_t after_us = travel_us(chance);
    if (strikes(chance, CHANCE_LOST)) {
        bool arrives = rng_below(&chance->rng, 2) == 0;
        if (arrives)
            (void)handle(chance, command);
        note_command(chance, command, arrives ? "its answer gets lost" : "the command gets lost");
        return;
    }
    bool request = action->via == PLAN_VIA_REQUEST;
    if (request && strikes(chance, CHANCE_NOBODY)) {
        struct answer unsent = {.status = CORE_REPLY_UNSENT, .code = core_code_text(CORE_CODE_NO_RESPONDERS)};
        post_answer(chance, command, unsent, action->timeout_us);
        return;
    }
    if (request && strikes(chance, CHANCE_ERROR)) {
        bool acts = rng_below(&chance->rng, 2) == 0;
        if (acts)
            (void)handle(chance, command);
        note_command(chance, command, acts ? "fails after it has acted" : "fails before it has acted");
        post_answer(chance, command, (struct answer){.status = CORE_REPLY_UNCLEAR, .code = STR("500")},
                    after_us);
        return;
    }
    if (command->node->kind != PLAN_SAGA && strikes(chance, CHANCE_PENDING)) {
        post_answer(chance, command, (struct answer){.status = CORE_REPLY_PENDING}, after_us);
        after_us += action->timeout_us / 2;
    }
    struct answer answer = handle(chance, command);
    if (strikes(chance, CHANCE_LATE)) {
        after_us += action->timeout_us;
        note_command(chance, command, "its answer will be late");
    }
    post_answer(chance, command, answer, after_us);
    if (strikes(chance, CHANCE_DOUBLED))
        post_answer(chance, command, answer, after_us + travel_us(chance));
}

static void on_command(void *context, struct play *play, const struct play_command *command)
{
    struct chance *chance = context;
    check(play == &chance->play);
    answer_command(chance, command);
    if (chance->cancelled || !strikes(chance, CHANCE_CANCEL))
        return;
    chance->cancelled = true;
    play_post(
        play, travel_us(chance),
        &(struct core_event){.kind = CORE_EVENT_CANCEL, .actor = STR("chance"), .reason = STR("a fault")},
        NULL);
}

/* An event comes within an hour, or within the await's time. */
static void on_open(void *context, struct play *play, uint16_t step)
{
    enum { HOUR_S = 3600, MINUTE_S = 60 };
    struct chance *chance = context;
    const struct plan_node *node = &play->saga.plan->nodes[play->saga.steps[step].node];
    check(play == &chance->play);
    if (node->kind != PLAN_AWAIT)
        return;
    if (strikes(chance, CHANCE_LOST)) {
        play_note(play, "! %.*s: its event gets lost", STR_ARG(core_step_path(&play->saga, step)));
        return;
    }
    int64_t most_us = HOUR_S * DURATION_SECOND_US;
    most_us = node->await->timeout_us < most_us ? node->await->timeout_us : most_us;
    const struct core_event event = {.kind = CORE_EVENT_SIGNAL,
                                     .signal = node->await->event,
                                     .body = values_make(node->await->schema, &chance->rng, chance->arena)};
    play_post(play, (int64_t)rng_below(&chance->rng, (uint64_t)most_us / MINUTE_S) * MINUTE_S, &event, NULL);
}

static void on_event(void *context, struct play *play, const struct core_event *event,
                     const struct core_update *update, const void *tag)
{
    struct chance *chance = context;
    check(event != NULL && tag == NULL);
    if (chance->status != play->saga.status)
        chance->changed_us = play->saga.updated_us;
    chance->status = play->saga.status;
    if (update->verdict == CORE_USED && !core_ended(&play->saga) && strikes(chance, CHANCE_CRASH))
        play->dies = true;
}

/* ---- the end ---- */

/* What contradicts the state the saga has at rest; NULL: nothing. */
static const char *contradiction(const struct core_saga *saga, const struct core_step *step, enum hold hold)
{
    const struct plan_node *node = &saga->plan->nodes[step->node];
    bool settled = step->state != CORE_STEP_UNDO_WAIVED && step->state != CORE_STEP_UNDO_STUCK;
    if (step->state == CORE_STEP_UNDONE && hold == HOLD_DONE)
        return "is undone, and its effect is there";
    if (step->state == CORE_STEP_REJECTED && hold == HOLD_DONE)
        return "was rejected, and its effect is there";
    if (saga->status == CORE_COMPLETED && step->state == CORE_STEP_DONE && hold != HOLD_DONE)
        return "is done, and its effect is not there";
    if (saga->status == CORE_COMPENSATED && node->step->has_undo && settled && hold == HOLD_DONE)
        return "has an effect that was not undone";
    return NULL;
}

static void tell_effects(struct chance *chance)
{
    static const char *const words[] = {"nothing", "done", "undone", "closed"};
    const struct core_saga *saga = &chance->play.saga;
    struct buf effects, wrong;
    buf_init(&effects, chance->arena);
    buf_init(&wrong, chance->arena);
    for (const struct effect *effect = chance->effects; effect; effect = effect->next) {
        uint16_t step = core_find(saga, effect->path);
        check(step != CORE_NO_STEP);
        const char *against = contradiction(saga, &saga->steps[step], effect->hold);
        buf_printf(&effects, "%s%.*s: %s", effects.size > 0 ? ", " : "", STR_ARG(effect->path),
                   words[effect->hold]);
        if (against)
            buf_printf(&wrong, "%s%.*s %s", wrong.size > 0 ? "; " : "", STR_ARG(effect->path), against);
    }
    chance->result->effects = buf_str(&effects);
    chance->result->wrong = buf_str(&wrong);
}

static struct str reason_of(const struct core_saga *saga, struct arena *arena)
{
    bool parked = saga->park_code.size > 0;
    struct str code = parked ? saga->park_code : saga->cause_code;
    struct str message = parked ? saga->park_message : saga->cause_message;
    uint16_t step = parked ? saga->park_step : saga->cause_step;
    struct str where = code.size > 0 && step != CORE_NO_STEP ? core_step_path(saga, step) : STR("");
    if (code.size == 0)
        return STR("");
    return arena_printf(arena, "%.*s%s%.*s%s%.*s", STR_ARG(code), message.size > 0 ? ": " : "",
                        STR_ARG(message), where.size > 0 ? ", at " : "", STR_ARG(where));
}

static void tell(struct chance *chance, enum play_end end)
{
    const struct core_saga *saga = &chance->play.saga;
    struct chance_result *result = chance->result;
    struct buf timeline;
    buf_init(&timeline, chance->arena);
    play_render(&chance->play, &timeline);
    result->timeline = buf_str(&timeline);
    result->lines = chance->play.lines;
    result->status = saga->status;
    result->reason = reason_of(saga, chance->arena);
    result->span_us = chance->changed_us - saga->started_us; /* not of what came late */
    tell_effects(chance);
    if (end == PLAY_BROKEN)
        result->wrong = STR("after a crash the journal gave another saga than the one that ran");
    else if (end == PLAY_TIRED)
        result->wrong =
            arena_printf(chance->arena, "it does not come to rest within %d events", PLAY_EVENTS_MAX);
    else if (!core_ended(saga) && saga->status != CORE_PARKED && result->wrong.size == 0)
        result->wrong = STR("it waits for nothing: no timer, no command that is out, no named park");
}

enum err chance_run(const struct plan *plan, uint64_t seed, const struct chance_rates *rates,
                    const struct json *input, struct arena *arena, struct chance_result *result,
                    struct err_note *note)
{
    struct chance *chance = arena_new(arena, struct chance);
    struct definition_start start = {0};
    *result = (struct chance_result){0};
    *chance = (struct chance){.rates = rates, .arena = arena, .result = result};
    chance->effect_end = &chance->effects;
    rng_init(&chance->rng, seed);
    if (!input)
        input = values_make(plan->input_schema, &chance->rng, arena);
    if (!input)
        return err_note(note, ERR_INVALID, "no input can be made from the input's schema: give one");
    if (!definition_start(plan, input, STR(""), arena, &start))
        return err_note(note, ERR_INVALID, "the saga cannot start with this input: at \"%.*s\": %.*s",
                        STR_ARG(start.problems.items[0].pointer), STR_ARG(start.problems.items[0].message));
    result->input = input;
    play_init(&chance->play, plan, id_make(play_epoch_us, 0, &chance->rng), play_epoch_us, arena,
              (struct play_host){chance, on_command, on_open, on_event});
    const struct core_event event = {.kind = CORE_EVENT_START,
                                     .input = input,
                                     .search = start.search,
                                     .key = start.key,
                                     .seed = rng_next(&chance->rng)};
    play_post(&chance->play, 0, &event, NULL);
    tell(chance, play_run(&chance->play));
    play_fini(&chance->play);
    return ERR_OK;
}
