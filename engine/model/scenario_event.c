/* `events`: what comes from outside, and when, read into events of the run. Part of scenario_parts.h; called
 * by scenario_read.c. Never runs anything. */
#include "engine/model/scenario_parts.h"

#include "engine/definition/word.h"

/* In the order of `kinds`. */
static const struct str words[] = {
    WORD("cancel"), WORD("terminate"), WORD("pause"),  WORD("resume"), WORD("retry"),
    WORD("skip"),   WORD("force"),     WORD("signal"), WORD("move"),   {0}};
static const enum core_event_kind kinds[] = {CORE_EVENT_CANCEL, CORE_EVENT_TERMINATE, CORE_EVENT_PAUSE,
                                             CORE_EVENT_RESUME, CORE_EVENT_RETRY,     CORE_EVENT_SKIP,
                                             CORE_EVENT_FORCE,  CORE_EVENT_SIGNAL,    CORE_EVENT_MOVE};

static void read_kind(struct scenario_reader *reader, const struct tree *tree, struct core_event *event)
{
    int index = 0;
    if (tree && scenario_word(reader, tree, tree->text, words, &index))
        event->kind = kinds[index];
}

static void read_moment(struct scenario_reader *reader, const struct tree *mapping,
                        const struct tree *const *of, struct scenario_event *event)
{
    const struct tree *at = of[SCENARIO_EVENT_AT], *on = of[SCENARIO_EVENT_ON],
                      *after = of[SCENARIO_EVENT_AFTER];
    event->is_on = on != NULL;
    if (!at == !on || (after && !on))
        problem_add(
            reader->diags, mapping->place, PROBLEM_MISSING_KEY,
            STR("`at: 5s` counts from the start; `on: charge`, with `after` or without, from a command"),
            "an event has either `at` or `on`");
    if (on)
        (void)scenario_name(reader, on->text, on->place, &event->on);
    if (at)
        (void)scenario_span(reader, at, &event->after_us);
    else if (after)
        (void)scenario_span(reader, after, &event->after_us);
}

static struct str text_of(const struct tree *tree)
{
    return tree ? tree->text : STR("");
}

static void read_result(struct scenario_reader *reader, const struct tree *mapping,
                        const struct tree *const *of, struct core_event *event)
{
    static const struct str results[] = {WORD("ok"), WORD("rejected"), {0}};
    const struct tree *result = of[SCENARIO_EVENT_RESULT];
    int index = 0;
    if ((event->kind == CORE_EVENT_FORCE) != (result != NULL))
        problem_add(reader->diags, mapping->place, PROBLEM_MISSING_KEY, STR(""),
                    "`force` says the `result`, and nothing else does");
    else if (result && scenario_word(reader, result, result->text, results, &index))
        event->status = index == 0 ? CORE_REPLY_OK : CORE_REPLY_REJECTED;
    if (!core_is_code(event->error_code))
        problem_add(reader->diags, of[SCENARIO_EVENT_CODE]->place, PROBLEM_BAD_NAME,
                    STR("visible ASCII characters, at most 64, as in CARD_EXPIRED"),
                    "\"%.*s\" cannot be an error code", STR_ARG(event->error_code));
}

static void read_signal(struct scenario_reader *reader, const struct tree *mapping,
                        const struct tree *const *of, struct core_event *event)
{
    event->signal = text_of(of[SCENARIO_EVENT_EVENT]);
    event->signal_id = text_of(of[SCENARIO_EVENT_ID]);
    if ((event->kind == CORE_EVENT_SIGNAL) != (event->signal.size > 0))
        problem_add(reader->diags, mapping->place, PROBLEM_MISSING_KEY, STR(""),
                    "`signal` says the `event`, and nothing else does");
}

static void read_step(struct scenario_reader *reader, const struct tree *tree, struct core_event *event)
{
    event->step = text_of(tree);
    if (tree)
        (void)scenario_step(reader, tree->text, tree->place);
}

/* What must be so at a moment: of an event it has only that moment. */
static void read_stop(struct scenario_reader *reader, const struct tree *mapping,
                      const struct tree *const *of, struct scenario_event *event)
{
    struct scenario_expect *expect = arena_new(reader->arena, struct scenario_expect);
    uint32_t own = 1;
    own += of[SCENARIO_EVENT_AT] != NULL;
    own += of[SCENARIO_EVENT_ON] != NULL;
    own += of[SCENARIO_EVENT_AFTER] != NULL;
    if (mapping->count > own)
        problem_add(reader->diags, mapping->place, PROBLEM_ONE_OF,
                    STR("`expect` stands with `at`, or `on` and `after`, and nothing else"),
                    "an event is either done or a moment at which something is expected");
    scenario_expectation(reader, of[SCENARIO_EVENT_EXPECT], expect);
    event->expect = expect;
}

static void read_event(struct scenario_reader *reader, const struct tree *mapping,
                       struct scenario_event *event)
{
    struct scenario_values values;
    event->place = mapping->place;
    if (!scenario_keys_of(reader, mapping, SCENARIO_TABLE_EVENT, &values))
        return;
    const struct tree *const *of = values.of;
    event->event = (struct core_event){.kind = CORE_EVENT_CANCEL,
                                       .actor = text_of(of[SCENARIO_EVENT_ACTOR]),
                                       .reason = text_of(of[SCENARIO_EVENT_REASON]),
                                       .error_code = text_of(of[SCENARIO_EVENT_CODE])};
    read_moment(reader, mapping, of, event);
    if (of[SCENARIO_EVENT_EXPECT]) {
        read_stop(reader, mapping, of, event);
        return;
    }
    if (!of[SCENARIO_EVENT_DO] && !tree_get(mapping, STR("do")))
        problem_add(reader->diags, mapping->place, PROBLEM_MISSING_KEY, STR(""),
                    "an event needs the key `do`, or `expect`");
    read_kind(reader, of[SCENARIO_EVENT_DO], &event->event);
    read_step(reader, of[SCENARIO_EVENT_STEP], &event->event);
    read_result(reader, mapping, of, &event->event);
    read_signal(reader, mapping, of, &event->event);
    bool deadline = of[SCENARIO_EVENT_DEADLINE] && of[SCENARIO_EVENT_DEADLINE]->boolean;
    bool pauses = event->event.kind == CORE_EVENT_PAUSE;
    event->event.deadline = deadline && pauses;
    if (deadline && !pauses && (event->event.kind != CORE_EVENT_MOVE || event->event.step.size > 0))
        problem_add(reader->diags, of[SCENARIO_EVENT_DEADLINE]->place, PROBLEM_MISSING_KEY, STR(""),
                    "`deadline` is for a `pause`, and a `move` without a `step`");
    event->event.only = event->event.kind == CORE_EVENT_MOVE && event->event.step.size == 0 && !deadline;
    if (of[SCENARIO_EVENT_DUE])
        (void)scenario_span(reader, of[SCENARIO_EVENT_DUE], &event->event.due_us);
    if (of[SCENARIO_EVENT_BODY])
        event->event.body = scenario_json(reader, of[SCENARIO_EVENT_BODY]);
    if (of[SCENARIO_EVENT_REFUSED])
        event->refused = of[SCENARIO_EVENT_REFUSED]->boolean;
}

const struct scenario_event *scenario_events(struct scenario_reader *reader, const struct tree *list)
{
    const struct scenario_event *first = NULL;
    const struct scenario_event **end = &first;
    for (const struct tree *item = list->first; item; item = item->next) {
        struct scenario_event *event = arena_new(reader->arena, struct scenario_event);
        read_event(reader, item, event);
        *end = event;
        end = &event->next;
    }
    return first;
}
