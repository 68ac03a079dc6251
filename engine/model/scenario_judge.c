/* What was expected against what happened, each difference a sentence with both sides. Part of
 * scenario_parts.h; called by scenario_run.c at the end. Never changes the saga that it looks at. */
#include "engine/model/scenario_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"

void scenario_fail(struct scenario_judge *judge, const char *format, ...)
{
    enum { ROOM = 4096 };
    struct scenario_result *result = judge->result;
    char text[ROOM];
    va_list arguments;
    if (result->failure_count == SCENARIO_FAILURES_MAX)
        return;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    check(size >= 0);
    struct str cut = str_from(text);
    cut.size = str_utf8_size(cut);
    result->failures[result->failure_count++] =
        judge->moment.size > 0
            ? arena_printf(judge->arena, "at %.*s: %.*s", STR_ARG(judge->moment), STR_ARG(cut))
            : arena_copy(judge->arena, cut);
}

static void differ(struct scenario_judge *judge, const char *what, struct str expected, struct str actual)
{
    scenario_fail(judge, "%s\n  expected %.*s\n  actual   %.*s", what, STR_ARG(expected), STR_ARG(actual));
}

/* ---- values ---- */

static bool holds(const struct json *whole, const struct json *part);

static bool object_holds(const struct json *whole, const struct json *part)
{
    for (uint32_t i = 0; i < part->count; i++) {
        const struct json *member = json_get(whole, part->members[i].key);
        if (!member || !holds(member, part->members[i].value))
            return false;
    }
    return true;
}

/* Members of objects may be more than those named, at every level; all else is equal. */
static bool holds(const struct json *whole, const struct json *part)
{
    if (part->kind == JSON_OBJECT && whole->kind == JSON_OBJECT)
        return object_holds(whole, part);
    if (part->kind != JSON_ARRAY || whole->kind != JSON_ARRAY)
        return json_equal(whole, part);
    for (uint32_t i = 0; i < part->count && part->count == whole->count; i++) {
        if (!holds(whole->items[i], part->items[i]))
            return false;
    }
    return part->count == whole->count;
}

static void check_value(struct scenario_judge *judge, const char *what, const struct json *actual,
                        const struct json *part, const struct json *exactly)
{
    if (!actual)
        actual = &json_null;
    if (part && !holds(actual, part))
        differ(judge, what, json_text(judge->arena, part), json_text(judge->arena, actual));
    if (exactly && !json_equal(actual, exactly))
        differ(judge, what, json_text(judge->arena, exactly), json_text(judge->arena, actual));
}

/* ---- commands ---- */

bool scenario_names(const struct scenario_name *name, const struct play_command *command)
{
    return str_equal(name->path, command->path) && command->kind == (name->has_kind ? name->kind : CORE_DO) &&
           (name->attempt == 0 || name->attempt == command->attempt);
}

static bool fits(const struct scenario_command *expected, const struct play_command *actual)
{
    return scenario_names(&expected->name, actual) &&
           (!expected->with || holds(actual->body, expected->with)) &&
           (!expected->exactly || json_equal(actual->body, expected->exactly));
}

static struct str expected_text(struct arena *arena, const struct scenario_command *command)
{
    const struct json *body = command->exactly ? command->exactly : command->with;
    return body ? arena_printf(arena, "%.*s %s %.*s", STR_ARG(command->name.text),
                               command->exactly ? "with exactly" : "with", STR_ARG(json_text(arena, body)))
                : command->name.text;
}

static struct str actual_text(struct arena *arena, const struct play_command *command)
{
    struct str text = play_command_text(arena, command), body = json_text(arena, command->body);
    return arena_printf(arena, "%.*s with %.*s", STR_ARG(text), STR_ARG(body));
}

/* All that are expected where this one stands, as text: "charge", "in any order: label, points". */
static struct str group_text(struct arena *arena, const struct scenario_command *first)
{
    struct buf out;
    const char *comma = "";
    buf_init(&out, arena);
    if (first->next && first->next->group == first->group)
        buf_puts(&out, "in any order: ");
    for (const struct scenario_command *one = first; one && one->group == first->group; one = one->next) {
        buf_puts(&out, comma);
        buf_put(&out, expected_text(arena, one));
        comma = ", ";
    }
    return buf_str(&out);
}

struct sequence {
    const struct play_command *items;
    uint32_t count;
    uint32_t at;
};

/* Whether the group is what comes next: each of its commands in one of as many. Moves behind it. */
static bool take_group(struct sequence *actual, const struct scenario_command **expected)
{
    const struct scenario_command *first = *expected, *end = first;
    uint32_t size = 0;
    for (; end && end->group == first->group; end = end->next)
        size++;
    if (actual->count - actual->at < size)
        return false;
    for (uint32_t i = actual->at; i < actual->at + size; i++) {
        const struct scenario_command *one = first;
        while (one != end && !fits(one, &actual->items[i]))
            one = one->next;
        if (one == end)
            return false;
    }
    for (const struct scenario_command *one = first; one != end; one = one->next) {
        uint32_t i = actual->at;
        while (i < actual->at + size && !fits(one, &actual->items[i]))
            i++;
        if (i == actual->at + size)
            return false;
    }
    actual->at += size;
    *expected = end;
    return true;
}

static void check_commands(struct scenario_judge *judge)
{
    struct sequence actual = {judge->play->commands, judge->play->command_count, 0};
    const struct scenario_command *expected = judge->expect->commands;
    while (expected && take_group(&actual, &expected))
        ;
    if (!expected && actual.at == actual.count)
        return;
    const char *what = arena_printf(judge->arena, "command number %" PRIu32, actual.at + 1).data;
    differ(judge, what, expected ? group_text(judge->arena, expected) : STR("none any more"),
           actual.at < actual.count ? actual_text(judge->arena, &actual.items[actual.at])
                                    : STR("none any more"));
}

static void check_includes(struct scenario_judge *judge)
{
    struct sequence actual = {judge->play->commands, judge->play->command_count, 0};
    const struct scenario_command *expected = judge->expect->includes;
    while (expected && actual.at < actual.count)
        if (!take_group(&actual, &expected))
            actual.at++;
    if (expected)
        scenario_fail(judge, "a command that was to go out did not, or not in this order: %.*s",
                      STR_ARG(group_text(judge->arena, expected)));
}

static void check_absent(struct scenario_judge *judge)
{
    const struct play *play = judge->play;
    for (const struct scenario_command *one = judge->expect->never; one; one = one->next)
        for (uint32_t i = 0; i < play->command_count; i++)
            if (fits(one, &play->commands[i])) {
                scenario_fail(judge, "a command that was never to go out did: %.*s",
                              STR_ARG(actual_text(judge->arena, &play->commands[i])));
                break;
            }
}

/* ---- what was undone ---- */

static bool is_first(const struct play *play, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (play->commands[i].step == play->commands[index].step && play->commands[i].kind == CORE_UNDO)
            return false;
    return true;
}

/* In the order in which their compensations first went out. */
static struct sequence undone(struct scenario_judge *judge)
{
    const struct play *play = judge->play;
    struct play_command *items = arena_array(judge->arena, play->command_count, sizeof *items);
    struct sequence found = {items, 0, 0};
    for (uint32_t i = 0; i < play->command_count; i++) {
        const struct play_command *command = &play->commands[i];
        if (command->kind == CORE_UNDO && is_first(play, i) &&
            play->saga.steps[command->step].state == CORE_STEP_UNDONE) {
            items[found.count] = *command;
            items[found.count++].kind = CORE_DO; /* a step's name stands for it */
        }
    }
    return found;
}

static struct str steps_text(struct arena *arena, const struct sequence *steps)
{
    struct buf out;
    buf_init(&out, arena);
    for (uint32_t i = 0; i < steps->count; i++)
        buf_printf(&out, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(steps->items[i].path));
    return out.size > 0 ? buf_str(&out) : STR("nothing");
}

static struct str groups_text(struct arena *arena, const struct scenario_command *list)
{
    struct buf out;
    buf_init(&out, arena);
    while (list) {
        buf_put(&out, group_text(arena, list));
        uint32_t group = list->group;
        while (list && list->group == group)
            list = list->next;
        buf_puts(&out, list ? ", " : "");
    }
    return out.size > 0 ? buf_str(&out) : STR("nothing");
}

static void check_undone(struct scenario_judge *judge)
{
    struct sequence actual = undone(judge);
    const struct scenario_command *expected = judge->expect->undone;
    while (expected && take_group(&actual, &expected))
        ;
    if (expected || actual.at < actual.count)
        differ(judge, "undone", groups_text(judge->arena, judge->expect->undone),
               steps_text(judge->arena, &actual));
}

/* ---- the rest ---- */

static const struct core_step *find_step(const struct core_saga *saga, struct str path)
{
    uint16_t index = core_find(saga, path);
    return index == CORE_NO_STEP ? NULL : &saga->steps[index];
}

static void check_states(struct scenario_judge *judge)
{
    for (const struct scenario_state *state = judge->expect->states; state; state = state->next) {
        const struct core_step *step = find_step(&judge->play->saga, state->path);
        struct str actual = step ? core_step_state_text(step->state) : STR("not reached");
        struct str expected = core_step_state_text(state->state);
        if (!str_equal(actual, expected))
            differ(judge, arena_printf(judge->arena, "step %.*s", STR_ARG(state->path)).data, expected,
                   actual);
    }
}

static void check_reason(struct scenario_judge *judge)
{
    const struct core_saga *saga = &judge->play->saga;
    const struct scenario_expect *expect = judge->expect;
    bool parked = saga->park_code.size > 0;
    struct str code = parked ? saga->park_code : saga->cause_code;
    uint16_t index = parked ? saga->park_step : saga->cause_step;
    struct str step = code.size > 0 && index != CORE_NO_STEP ? core_step_path(saga, index) : STR("none");
    if (expect->has_reason && !str_equal(expect->reason, code))
        differ(judge, "reason", expect->reason, code.size > 0 ? code : STR("none"));
    if (expect->has_step && !str_equal(expect->step, step))
        differ(judge, "step of the reason", expect->step, step);
}

static void check_span(struct scenario_judge *judge)
{
    const struct scenario_expect *expect = judge->expect;
    const struct core_saga *saga = &judge->play->saga;
    int64_t span_us = (saga->ended_us ? saga->ended_us : saga->updated_us) - saga->started_us;
    if (!expect->has_span || (span_us >= expect->least_us && span_us <= expect->most_us))
        return;
    struct buf expected, actual;
    buf_init(&expected, judge->arena);
    buf_init(&actual, judge->arena);
    play_put_moment(&expected, expect->least_us);
    if (expect->most_us == INT64_MAX)
        buf_puts(&expected, " or longer");
    else if (expect->most_us != expect->least_us) {
        buf_puts(&expected, " to ");
        play_put_moment(&expected, expect->most_us);
    }
    play_put_moment(&actual, span_us);
    differ(judge, "duration", buf_str(&expected), buf_str(&actual));
}

void scenario_judge(struct scenario_judge *judge)
{
    const struct scenario_expect *expect = judge->expect;
    const struct core_saga *saga = &judge->play->saga;
    if (saga->status != expect->status)
        differ(judge, "status", core_status_text(expect->status), core_status_text(saga->status));
    check_reason(judge);
    check_value(judge, "output", saga->output, expect->output, expect->output_exactly);
    if (expect->has_undone)
        check_undone(judge);
    if (expect->has_commands)
        check_commands(judge);
    check_includes(judge);
    check_absent(judge);
    check_states(judge);
    check_span(judge);
}
