/* Functions that take a regular expression. Part of expr_functions.h.
 *
 * A constant pattern was compiled with the program; any other one is compiled for each evaluation, and pays
 * for it. Matches are looked for one after the other, each behind the one before; behind an empty match the
 * next one begins a character further. */
#include "engine/expr/expr_functions.h"

#include "engine/base/check.h"
#include "engine/expr/expr_operate.h"
#include "engine/expr/expr_value.h"

enum {
    STATES_PER_UNIT = 4, /* a state of the machine is that much cheaper than comparing two values */
    REPEAT_UNITS = LIMITS_REGEX_STATES * 4 /* emitting the largest machine, about 100 µs */
};

bool expr_functions_flags(const struct json *flags, unsigned *options, bool *global)
{
    if (flags->kind != JSON_STRING)
        return flags->kind == JSON_NULL;
    for (size_t i = 0; i < flags->text.size; i++) {
        char flag = flags->text.data[i];
        if (flag == 'g' && global)
            *global = true;
        else if (flag == 'i')
            *options |= REGEX_IGNORE_CASE;
        else
            return false;
    }
    return true;
}

bool expr_functions_pattern(enum expr_function function, uint32_t *flags, unsigned *options)
{
    static const struct {
        enum expr_function function;
        uint32_t flags;
        unsigned options;
    } takers[] = {
        {EXPR_FUNCTION_TEST, 0, 0},
        {EXPR_FUNCTION_TEST_FLAGS, 1, 0},
        {EXPR_FUNCTION_SPLIT_FLAGS, 1, REGEX_CAPTURES},
        {EXPR_FUNCTION_SPLITS, 0, REGEX_CAPTURES},
        {EXPR_FUNCTION_SPLITS_FLAGS, 1, REGEX_CAPTURES},
        {EXPR_FUNCTION_SUB, 0, REGEX_CAPTURES},
        {EXPR_FUNCTION_SUB_FLAGS, 2, REGEX_CAPTURES},
        {EXPR_FUNCTION_GSUB, 0, REGEX_CAPTURES},
        {EXPR_FUNCTION_GSUB_FLAGS, 2, REGEX_CAPTURES},
        {EXPR_FUNCTION_CAPTURE, 0, REGEX_CAPTURES},
        {EXPR_FUNCTION_CAPTURE_FLAGS, 1, REGEX_CAPTURES},
        {EXPR_FUNCTION_SCAN, 0, REGEX_CAPTURES},
    };
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        if (takers[i].function != function)
            continue;
        *flags = takers[i].flags;
        *options = takers[i].options;
        return true;
    }
    return false;
}

/* Whether the function looks for one match only unless its flags hold "g". */
static bool takes_one(enum expr_function function)
{
    return function == EXPR_FUNCTION_SUB || function == EXPR_FUNCTION_SUB_FLAGS ||
           function == EXPR_FUNCTION_CAPTURE || function == EXPR_FUNCTION_CAPTURE_FLAGS;
}

/* One function at work on one text. */
struct matching {
    struct expr_run *run;
    const struct expr_node *node;
    const struct regex *regex;
    struct str text;
    bool global;
    void *scratch;
    size_t next; /* where the next match may begin; SIZE_MAX: there is none */
    struct regex_part parts[1 + LIMITS_REGEX_GROUPS];
};

/* The compiled pattern; NULL with a fault. flags: the value of that argument, or NULL. */
static const struct regex *regex_of(struct expr_run *run, const struct expr_node *node,
                                    const struct json *pattern, const struct json *flags, bool *global)
{
    const struct regex *regex = NULL;
    struct err_note note;
    uint32_t flags_at = 0;
    unsigned options = 0;
    check(expr_functions_pattern((enum expr_function)node->index, &flags_at, &options));
    if (flags && !expr_functions_flags(flags, &options, options & REGEX_CAPTURES ? global : NULL)) {
        expr_run_fail(run, node, EXPR_FAULT_VALUE, "%.*s knows no flags but \"i\"%s",
                      STR_ARG(expr_functions[node->index].name),
                      options & REGEX_CAPTURES ? " and \"g\"" : "");
        return NULL;
    }
    if (node->regex)
        return node->regex;
    bool repeats = str_find(pattern->text, '{') < pattern->text.size; /* may be far larger compiled */
    if (!expr_run_work(run, node, pattern->text.size * EXPR_RUN_STEP_WORK + (repeats ? REPEAT_UNITS : 0)))
        return NULL;
    if (regex_compile(run->arena, pattern->text, options, &regex, &note) == ERR_OK)
        return regex;
    expr_run_fail(run, node, EXPR_FAULT_VALUE, "the regular expression is wrong: %s", note.text);
    return NULL;
}

static bool two_strings(struct expr_run *run, const struct expr_node *node, const struct json *input,
                        const struct json *pattern)
{
    const struct json *wrong = input->kind != JSON_STRING ? input : pattern;
    return wrong->kind == JSON_STRING || expr_functions_needs(run, node, "strings", wrong);
}

/* What the machine has visited, as units; it was used up: the fault. */
static bool pay(struct expr_run *run, const struct expr_node *node, uint64_t begin, uint64_t left,
                enum err err)
{
    if (err != ERR_OK)
        return expr_run_work(run, node, run->work_left + 1);
    return expr_run_work(run, node, (begin - left) / STATES_PER_UNIT);
}

bool expr_functions_test(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         const struct json *const *arguments)
{
    bool matches = false;
    if (!two_strings(run, node, input, arguments[0]))
        return false;
    const struct regex *regex =
        regex_of(run, node, arguments[0], node->count == 2 ? arguments[1] : NULL, NULL);
    if (!regex)
        return false;
    uint64_t begin = run->work_left * STATES_PER_UNIT;
    uint64_t left = begin;
    enum err err = regex_test(regex, input->text, &left, &matches);
    return pay(run, node, begin, left, err) && expr_functions_push(run, json_new_bool(matches));
}

/* ---- one match after the other ---- */

static bool begin(struct matching *matching, struct expr_run *run, const struct expr_node *node,
                  const struct json *input, const struct json *pattern, const struct json *flags)
{
    *matching = (struct matching){.run = run, .node = node, .text = input->text};
    matching->global = !takes_one((enum expr_function)node->index);
    if (!two_strings(run, node, input, pattern))
        return false;
    matching->regex = regex_of(run, node, pattern, flags, &matching->global);
    if (!matching->regex)
        return false;
    matching->scratch = expr_run_alloc(run, node, regex_scratch_size(matching->regex));
    return matching->scratch != NULL;
}

/* parts[0] is the next match; *found false when there is none. False with a fault. */
static bool next_match(struct matching *matching, bool *found)
{
    struct expr_run *run = matching->run;
    *found = false;
    if (matching->next > matching->text.size)
        return true;
    uint64_t before = run->work_left * STATES_PER_UNIT;
    uint64_t left = before;
    enum err err = regex_find(matching->regex, matching->text, matching->next, matching->scratch, &left,
                              found, matching->parts);
    if (!pay(run, matching->node, before, left, err))
        return false;
    size_t end = *found ? matching->parts[0].end : matching->text.size + 1;
    if (*found && end == matching->parts[0].begin) { /* empty: a character on */
        end++;
        while (end < matching->text.size && (matching->text.data[end] & 0xc0) == 0x80)
            end++;
    }
    matching->next = matching->global || !*found ? end : SIZE_MAX;
    return true;
}

static struct str part_text(const struct matching *matching, uint32_t part)
{
    return str_slice(matching->text, matching->parts[part].begin, matching->parts[part].end);
}

/* null for a group that took no part. */
static const struct json *part_value(const struct matching *matching, uint32_t part)
{
    if (matching->parts[part].begin == REGEX_NOWHERE)
        return &json_null;
    return json_new_string(matching->run->arena, part_text(matching, part));
}

/* {name: text} of the groups that have a name; NULL with a fault. */
static const struct json *named_groups(const struct matching *matching)
{
    uint32_t count = regex_group_count(matching->regex), kept = 0;
    struct json_member *members =
        expr_run_alloc(matching->run, matching->node, (count + 1) * sizeof(*members));
    if (!members)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct str name = regex_group_name(matching->regex, i);
        if (name.size > 0)
            members[kept++] = (struct json_member){name, part_value(matching, 1 + i)};
    }
    return json_new_object(matching->run->arena, members, kept);
}

static bool push_text_between(struct matching *matching, size_t from, size_t to)
{
    return expr_run_work(matching->run, matching->node, EXPR_RUN_STEP_WORK) &&
           expr_functions_push_text(matching->run, str_slice(matching->text, from, to));
}

/* ---- what is made of them ---- */

/* Pushes the parts between the matches. */
static bool push_splits(struct matching *matching)
{
    size_t from = 0;
    for (bool found = true; found;) {
        if (!next_match(matching, &found))
            return false;
        size_t to = found ? matching->parts[0].begin : matching->text.size;
        if (!push_text_between(matching, from, to))
            return false;
        from = matching->parts[0].end;
    }
    return true;
}

/* split and splits look for every match, whatever their flags. */
static bool split_by(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     const struct json *const *arguments)
{
    struct matching matching;
    return begin(&matching, run, node, input, arguments[0], node->count == 2 ? arguments[1] : NULL) &&
           push_splits(&matching);
}

bool expr_functions_splits(struct expr_run *run, const struct expr_node *node, const struct json *input,
                           const struct json *const *arguments)
{
    return split_by(run, node, input, arguments);
}

bool expr_functions_split_pattern(struct expr_run *run, const struct expr_node *node,
                                  const struct json *input, const struct json *const *arguments)
{
    uint32_t mark = run->top;
    if (!split_by(run, node, input, arguments))
        return false;
    const struct json *parts = expr_value_array(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return expr_functions_push(run, parts);
}

bool expr_functions_capture(struct expr_run *run, const struct expr_node *node, const struct json *input,
                            const struct json *const *arguments)
{
    struct matching matching;
    if (!begin(&matching, run, node, input, arguments[0], node->count == 2 ? arguments[1] : NULL))
        return false;
    for (bool found = true; found;)
        if (!next_match(&matching, &found) || (found && !expr_functions_push(run, named_groups(&matching))))
            return false;
    return true;
}

static bool push_scanned(struct matching *matching)
{
    struct expr_run *run = matching->run;
    uint32_t mark = run->top, count = regex_group_count(matching->regex);
    if (!expr_run_work(run, matching->node, EXPR_RUN_STEP_WORK))
        return false;
    if (count == 0)
        return expr_functions_push_text(run, part_text(matching, 0));
    for (uint32_t i = 0; i < count; i++)
        if (!expr_run_push(run, part_value(matching, 1 + i)))
            return false;
    const struct json *groups = expr_value_array(run, matching->node, run->stack + mark, count);
    run->top = mark;
    return expr_functions_push(run, groups);
}

bool expr_functions_scan(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         const struct json *const *arguments)
{
    struct matching matching;
    if (!begin(&matching, run, node, input, arguments[0], NULL))
        return false;
    for (bool found = true; found;)
        if (!next_match(&matching, &found) || (found && !push_scanned(&matching)))
            return false;
    return true;
}

/* Pushes what takes the match's place: the second argument, which sees the named groups. */
static bool push_replacement(struct matching *matching)
{
    const struct json *groups = named_groups(matching);
    const struct json *text =
        groups ? expr_run_one(matching->run, matching->node->children[1], groups) : NULL;
    if (!text)
        return false;
    if (text->kind != JSON_STRING)
        return expr_functions_needs(matching->run, matching->node, "a string to put in", text);
    return expr_run_push(matching->run, text);
}

static bool replace(struct matching *matching)
{
    struct expr_run *run = matching->run;
    uint32_t mark = run->top;
    size_t from = 0;
    for (bool found = true; found;) {
        if (!next_match(matching, &found))
            return false;
        size_t to = found ? matching->parts[0].begin : matching->text.size;
        size_t end = matching->parts[0].end;
        if (!push_text_between(matching, from, to) || (found && !push_replacement(matching)))
            return false;
        from = end;
    }
    const struct json *text = expr_operate_sum(run, matching->node, run->stack + mark, run->top - mark);
    run->top = mark;
    return expr_functions_push(run, text);
}

/* sub and gsub: pattern and flags are one value each. */
bool expr_functions_sub(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    struct matching matching;
    const struct json *pattern = expr_run_one(run, node->children[0], input);
    const struct json *flags =
        pattern && node->count == 3 ? expr_run_one(run, node->children[2], input) : NULL;
    if (!pattern || (node->count == 3 && !flags))
        return false;
    return begin(&matching, run, node, input, pattern, flags) && replace(&matching);
}
