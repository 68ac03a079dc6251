/* `expect`: what must come of a scenario, read into claims. Part of scenario_parts.h; called by
 * scenario_read.c. Never judges: scenario_judge.c does. */
#include "engine/model/scenario_parts.h"

#include "engine/base/limits.h"
#include "engine/definition/word.h"

static void read_command(struct scenario_reader *reader, const struct tree *tree,
                         struct scenario_command *command)
{
    struct scenario_values values;
    if (tree->kind == TREE_STRING) {
        (void)scenario_name(reader, tree->text, tree->place, &command->name);
        return;
    }
    if (tree->kind != TREE_MAPPING && tree->kind != TREE_BROKEN)
        problem_add(reader->diags, tree->place, PROBLEM_WRONG_TYPE,
                    STR("such as charge/undo, or { command: charge, with: { sum: 5 } }"),
                    "a command is a name or a mapping, not %s", tree_kind_text(tree->kind));
    if (tree->kind != TREE_MAPPING || !scenario_keys_of(reader, tree, SCENARIO_TABLE_COMMAND, &values))
        return;
    const struct tree *name = values.of[SCENARIO_COMMAND_COMMAND], *with = values.of[SCENARIO_COMMAND_WITH],
                      *exactly = values.of[SCENARIO_COMMAND_EXACTLY];
    if (name)
        (void)scenario_name(reader, name->text, name->place, &command->name);
    command->with = with ? scenario_json(reader, with) : NULL;
    command->exactly = exactly ? scenario_json(reader, exactly) : NULL;
}

static const struct scenario_command **add_commands(struct scenario_reader *reader, const struct tree *tree,
                                                    uint32_t group, const struct scenario_command **end)
{
    struct scenario_command *command = arena_new(reader->arena, struct scenario_command);
    command->group = group;
    read_command(reader, tree, command);
    *end = command;
    return &command->next;
}

/* A list of commands; a list within it: in any order. */
static const struct scenario_command *read_commands(struct scenario_reader *reader, const struct tree *list)
{
    const struct scenario_command *first = NULL;
    const struct scenario_command **end = &first;
    uint32_t group = 0;
    for (const struct tree *item = list->first; item; item = item->next, group++) {
        if (item->kind != TREE_SEQUENCE)
            end = add_commands(reader, item, group, end);
        for (const struct tree *inner = item->kind == TREE_SEQUENCE ? item->first : NULL; inner;
             inner = inner->next)
            end = add_commands(reader, inner, group, end);
    }
    return first;
}

static void check_steps_alone(struct scenario_reader *reader, const struct tree *list,
                              const struct scenario_command *command)
{
    for (; command; command = command->next)
        if (command->name.has_kind)
            problem_add(
                reader->diags, list->key_place, PROBLEM_BAD_COMMAND,
                arena_printf(reader->diags->arena, "the step alone: %.*s", STR_ARG(command->name.path)),
                "\"%.*s\" names a command, and a step is meant", STR_ARG(command->name.text));
}

static const struct str state_words[] = {
#define X(name, text, meaning) WORD(text),
#include "engine/core/step.def"
#undef X
    {0}};

static const struct scenario_state *read_states(struct scenario_reader *reader, const struct tree *mapping)
{
    const struct scenario_state *first = NULL;
    const struct scenario_state **end = &first;
    for (const struct tree *entry = mapping->first; entry; entry = entry->next) {
        struct scenario_state *state = arena_new(reader->arena, struct scenario_state);
        int index = 0;
        (void)scenario_step(reader, entry->key, entry->key_place);
        state->path = entry->key;
        if (scenario_word(reader, entry, entry->kind == TREE_STRING ? entry->text : STR(""), state_words,
                          &index))
            state->state = (enum core_step_state)index;
        *end = state;
        end = &state->next;
    }
    return first;
}

static void read_span(struct scenario_reader *reader, const struct tree *tree, struct scenario_expect *expect)
{
    struct scenario_values values;
    expect->has_span = true;
    expect->most_us = INT64_MAX;
    if (tree->kind == TREE_STRING) {
        (void)scenario_span(reader, tree, &expect->least_us);
        expect->most_us = expect->least_us;
        return;
    }
    if (tree->kind != TREE_MAPPING && tree->kind != TREE_BROKEN)
        problem_add(reader->diags, tree->place, PROBLEM_WRONG_TYPE, STR("such as 90s, or { most: 2m }"),
                    "`duration` is a duration or a mapping, not %s", tree_kind_text(tree->kind));
    if (tree->kind != TREE_MAPPING || !scenario_keys_of(reader, tree, SCENARIO_TABLE_SPAN, &values))
        return;
    if (values.of[SCENARIO_SPAN_LEAST])
        (void)scenario_span(reader, values.of[SCENARIO_SPAN_LEAST], &expect->least_us);
    if (values.of[SCENARIO_SPAN_MOST])
        (void)scenario_span(reader, values.of[SCENARIO_SPAN_MOST], &expect->most_us);
}

static const struct str status_words[] = {WORD("running"),
                                          WORD("compensating"),
                                          WORD("parked"),
                                          WORD("completed"),
                                          WORD("compensated"),
                                          WORD("terminated"),
                                          {0}};

static void read_lists(struct scenario_reader *reader, const struct tree *const *of,
                       struct scenario_expect *expect)
{
    expect->has_undone = of[SCENARIO_EXPECT_UNDONE] != NULL;
    expect->has_commands = of[SCENARIO_EXPECT_COMMANDS] != NULL;
    if (expect->has_undone) {
        expect->undone = read_commands(reader, of[SCENARIO_EXPECT_UNDONE]);
        check_steps_alone(reader, of[SCENARIO_EXPECT_UNDONE], expect->undone);
    }
    if (expect->has_commands)
        expect->commands = read_commands(reader, of[SCENARIO_EXPECT_COMMANDS]);
    if (of[SCENARIO_EXPECT_INCLUDES])
        expect->includes = read_commands(reader, of[SCENARIO_EXPECT_INCLUDES]);
    if (of[SCENARIO_EXPECT_NEVER])
        expect->never = read_commands(reader, of[SCENARIO_EXPECT_NEVER]);
    if (of[SCENARIO_EXPECT_STEPS])
        expect->states = read_states(reader, of[SCENARIO_EXPECT_STEPS]);
}

void scenario_expectation(struct scenario_reader *reader, const struct tree *mapping,
                          struct scenario_expect *expect)
{
    struct scenario_values values;
    int status = 0;
    if (!scenario_keys_of(reader, mapping, SCENARIO_TABLE_EXPECT, &values))
        return;
    const struct tree *const *of = values.of;
    if (of[SCENARIO_EXPECT_STATUS] && scenario_word(reader, of[SCENARIO_EXPECT_STATUS],
                                                    of[SCENARIO_EXPECT_STATUS]->text, status_words, &status))
        expect->status = (enum core_status)status;
    expect->has_reason = of[SCENARIO_EXPECT_REASON] != NULL;
    if (expect->has_reason)
        expect->reason = of[SCENARIO_EXPECT_REASON]->text;
    expect->has_step = of[SCENARIO_EXPECT_STEP] != NULL;
    if (expect->has_step) {
        expect->step = of[SCENARIO_EXPECT_STEP]->text;
        (void)scenario_step(reader, expect->step, of[SCENARIO_EXPECT_STEP]->place);
    }
    if (of[SCENARIO_EXPECT_OUTPUT])
        expect->output = scenario_json(reader, of[SCENARIO_EXPECT_OUTPUT]);
    if (of[SCENARIO_EXPECT_OUTPUT_EXACTLY])
        expect->output_exactly = scenario_json(reader, of[SCENARIO_EXPECT_OUTPUT_EXACTLY]);
    if (of[SCENARIO_EXPECT_DURATION])
        read_span(reader, of[SCENARIO_EXPECT_DURATION], expect);
    read_lists(reader, of, expect);
}
