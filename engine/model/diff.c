/* Two plans compared: nodes are matched, then each pair, then the header; findings in the order of the file.
 * Called by `sagactl definitions diff`. Never says what is right: diff_findings.def tells how grave each kind
 * is. */
#include "engine/model/diff.h"

#include "engine/base/duration.h"
#include "engine/definition/schema_compare.h"
#include "engine/model/diff_parts.h"

struct row {
    const char *text;
    enum diff_severity severity;
    enum diff_audience audience;
    const char *meaning;
};
static const struct row rows[] = {
#define X(name, text, severity, audience, meaning) {text, DIFF_##severity, DIFF_##audience, meaning},
#include "engine/model/diff_findings.def"
#undef X
};

const char *diff_kind_text(enum diff_kind kind)
{
    return rows[kind].text;
}

const char *diff_kind_meaning(enum diff_kind kind)
{
    return rows[kind].meaning;
}

enum diff_severity diff_kind_severity(enum diff_kind kind)
{
    return rows[kind].severity;
}

enum diff_audience diff_kind_audience(enum diff_kind kind)
{
    return rows[kind].audience;
}

const char *diff_severity_text(enum diff_severity severity)
{
    static const char *const words[] = {"notice", "unclear", "breaking"};
    return words[severity];
}

const char *diff_audience_text(enum diff_audience audience)
{
    static const char *const words[] = {"nobody",  "starts",  "participants",
                                        "signals", "readers", "operators"};
    return words[audience];
}

enum diff_severity diff_severity(const struct diff *diff)
{
    enum diff_severity most = DIFF_NOTICE;
    for (uint32_t i = 0; i < diff->count; i++)
        if (diff_kind_severity(diff->items[i].kind) > most)
            most = diff_kind_severity(diff->items[i].kind);
    return most;
}

void diff_add(struct diff_work *work, enum diff_kind kind, struct str place, struct str detail)
{
    struct diff *diff = work->diff;
    if (diff->count == diff->room) {
        uint32_t room = diff->room == 0 ? 32 : diff->room * 2;
        diff->items = arena_resize(work->arena, diff->items, diff->room * sizeof *diff->items,
                                   room * sizeof *diff->items);
        diff->room = room;
    }
    diff->items[diff->count++] = (struct diff_finding){kind, place, detail};
}

/* ---- what all parts need ---- */

struct str diff_became(struct diff_work *work, struct str was, struct str is)
{
    return arena_printf(work->arena, "%.*s is %.*s now", STR_ARG(was), STR_ARG(is));
}

struct str diff_source(struct diff_work *work, const struct expr *program)
{
    if (program == NULL)
        return STR("nothing");
    const struct json *source = expr_source(program);
    return source->kind == JSON_STRING ? source->text : json_text(work->arena, source);
}

bool diff_same(const struct expr *a, const struct expr *b)
{
    return a == b || (a != NULL && b != NULL && json_equal(expr_source(a), expr_source(b)));
}

void diff_schema(struct diff_work *work, const struct diff_schemas *kinds, struct str place,
                 const struct schema *older, const struct schema *newer)
{
    struct schema_changes changes = {0};
    schema_compare(older, newer, work->arena, &changes);
    for (uint32_t i = 0; i < changes.count; i++) {
        const struct schema_change *change = &changes.items[i];
        const enum diff_kind of[] = {kinds->wider, kinds->declared, kinds->narrower, kinds->unknown};
        struct str where = arena_printf(work->arena, "%.*s%.*s", STR_ARG(place), STR_ARG(change->pointer));
        struct str what = change->pointer.size == 0 ? STR("it") : change->pointer;
        diff_add(work, of[change->kind], where,
                 arena_printf(work->arena, "%.*s %.*s", STR_ARG(what), STR_ARG(change->sentence)));
    }
}

static bool is_expression(const struct json *value)
{
    for (size_t i = 0; value->kind == JSON_STRING && i + 1 < value->text.size; i++)
        if (value->text.data[i] == '$' && value->text.data[i + 1] == '{')
            return true;
    return false;
}

static const struct json no_fields = {.kind = JSON_OBJECT};

static enum diff_kind changed_how(const struct diff_fields *kinds, const struct json *older,
                                  const struct json *newer)
{
    if (!is_expression(older) && !is_expression(newer))
        return older->kind != newer->kind ? kinds->retyped : kinds->changed;
    return older->kind == JSON_OBJECT || newer->kind == JSON_OBJECT ? kinds->unknown : kinds->changed;
}

/* Objects field by field, so that the place is told; all else as a whole. */
static void compare_values(struct diff_work *work, const struct diff_fields *kinds, struct str place,
                           struct str path, const struct json *older, const struct json *newer)
{
    if (json_equal(older, newer))
        return;
    if (older->kind != JSON_OBJECT || newer->kind != JSON_OBJECT) {
        struct str change = diff_became(work, json_text(work->arena, older), json_text(work->arena, newer));
        diff_add(work, changed_how(kinds, older, newer), place,
                 arena_printf(work->arena, "%.*s: %.*s", STR_ARG(path), STR_ARG(change)));
        return;
    }
    for (uint32_t i = 0; i < newer->count; i++) {
        const struct json_member *member = &newer->members[i];
        const struct json *was = json_get(older, member->key);
        struct str below = arena_printf(work->arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(member->key));
        if (was != NULL)
            compare_values(work, kinds, place, below, was, member->value);
        else
            diff_add(work, kinds->added, place,
                     arena_printf(work->arena, "%.*s: %.*s", STR_ARG(below),
                                  STR_ARG(json_text(work->arena, member->value))));
    }
    for (uint32_t i = 0; i < older->count; i++)
        if (json_get(newer, older->members[i].key) == NULL)
            diff_add(work, kinds->removed, place,
                     arena_printf(work->arena, "%.*s.%.*s is gone", STR_ARG(path),
                                  STR_ARG(older->members[i].key)));
}

void diff_value(struct diff_work *work, const struct diff_fields *kinds, struct str place, const char *what,
                const struct expr *older, const struct expr *newer)
{
    compare_values(work, kinds, place, str_from(what), older != NULL ? expr_source(older) : &no_fields,
                   newer != NULL ? expr_source(newer) : &no_fields);
}

/* ---- the head of the file ---- */

static const struct plan_search *find_search(const struct plan *plan, struct str name)
{
    for (uint32_t i = 0; i < plan->search_count; i++)
        if (str_equal(plan->search[i].name, name))
            return &plan->search[i];
    return NULL;
}

static void compare_search(struct diff_work *work)
{
    for (uint32_t i = 0; i < work->newer->search_count; i++) {
        const struct plan_search *is = &work->newer->search[i];
        const struct plan_search *was = find_search(work->older, is->name);
        struct str place = arena_printf(work->arena, "search.%.*s", STR_ARG(is->name));
        if (was == NULL)
            diff_add(work, DIFF_SEARCH_ADDED, place, diff_source(work, is->value));
        else if (!diff_same(was->value, is->value))
            diff_add(work, DIFF_SEARCH_CHANGED, place,
                     diff_became(work, diff_source(work, was->value), diff_source(work, is->value)));
    }
    for (uint32_t i = 0; i < work->older->search_count; i++)
        if (find_search(work->newer, work->older->search[i].name) == NULL)
            diff_add(work, DIFF_SEARCH_REMOVED,
                     arena_printf(work->arena, "search.%.*s", STR_ARG(work->older->search[i].name)),
                     STR("it is gone"));
}

static struct str deadline_text(struct diff_work *work, int64_t timeout_us)
{
    return timeout_us == 0 ? STR("no deadline") : duration_text(work->arena, timeout_us);
}

static void compare_head(struct diff_work *work)
{
    static const struct diff_schemas input = {DIFF_INPUT_WIDER, DIFF_INPUT_DECLARED, DIFF_INPUT_NARROWER,
                                              DIFF_INPUT_UNKNOWN};
    const struct plan *older = work->older, *newer = work->newer;
    if (!str_equal(older->name, newer->name))
        diff_add(work, DIFF_OTHER_SAGA, STR(""), diff_became(work, older->name, newer->name));
    diff_schema(work, &input, STR("input"), older->input_schema, newer->input_schema);
    if (!diff_same(older->key, newer->key))
        diff_add(work, DIFF_KEY_CHANGED, STR("key"),
                 diff_became(work, diff_source(work, older->key), diff_source(work, newer->key)));
    compare_search(work);
    if (older->timeout_us != newer->timeout_us)
        diff_add(work, DIFF_DEADLINE_CHANGED, STR("timeout"),
                 diff_became(work, deadline_text(work, older->timeout_us),
                             deadline_text(work, newer->timeout_us)));
}

/* ---- commands ---- */

static bool is_action(const struct plan_node *node)
{
    return node->kind == PLAN_STEP;
}

/* Whether a plan sends this command, in whatever step and direction. */
static bool sends(const struct plan *plan, struct str command)
{
    for (uint16_t i = 0; i < plan->node_count; i++) {
        const struct plan_step *step = plan->nodes[i].step;
        if (!is_action(&plan->nodes[i]))
            continue;
        if (str_equal(step->run.command, command) ||
            (step->has_undo && str_equal(step->undo.command, command)) ||
            (step->has_verify && str_equal(step->verify.command, command)))
            return true;
    }
    return false;
}

/* Those of `plan` that `other` does not send, each once. */
static void find_actions(struct diff_work *work, const struct plan *plan, const struct plan *other,
                         enum diff_kind kind, const char *word)
{
    struct diff said = {0};
    struct diff_work notes = {.arena = work->arena, .diff = &said};
    for (uint16_t i = 0; i < plan->node_count; i++) {
        const struct plan_step *step = plan->nodes[i].step;
        if (!is_action(&plan->nodes[i]))
            continue;
        struct str commands[] = {step->run.command, step->has_undo ? step->undo.command : STR(""),
                                 step->has_verify ? step->verify.command : STR("")};
        for (size_t j = 0; j < sizeof commands / sizeof commands[0]; j++) {
            bool known = commands[j].size == 0 || sends(other, commands[j]);
            for (uint32_t k = 0; k < said.count && !known; k++)
                known = str_equal(said.items[k].detail, commands[j]);
            if (known)
                continue;
            diff_add(&notes, kind, STR(""), commands[j]);
            diff_add(work, kind, plan->nodes[i].id,
                     arena_printf(work->arena, "%.*s is %s", STR_ARG(commands[j]), word));
        }
    }
}

/* Events that `plan` awaits and `other` does not. */
static void find_events(struct diff_work *work, const struct plan *plan, const struct plan *other,
                        enum diff_kind kind, const char *word)
{
    for (uint16_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        bool first = node->kind == PLAN_AWAIT && plan_find_await(plan, node->await->event) == node;
        if (first && plan_find_await(other, node->await->event) == NULL)
            diff_add(work, kind, node->id,
                     arena_printf(work->arena, "%.*s is %s", STR_ARG(node->await->event), word));
    }
}

/* Each await takes an event of its own. */
static void find_more_awaits(struct diff_work *work)
{
    for (uint16_t i = 0; i < work->newer->node_count; i++) {
        const struct plan_node *node = &work->newer->nodes[i];
        if (node->kind == PLAN_AWAIT && work->older_of[i] == DIFF_NONE &&
            plan_find_await(work->older, node->await->event) != NULL)
            diff_add(work, DIFF_SIGNAL_NEW, node->id,
                     arena_printf(work->arena, "%.*s is awaited once more", STR_ARG(node->await->event)));
    }
}

/* ---- the nodes ---- */

static struct str described(struct diff_work *work, const struct plan_node *node)
{
    struct str kind = plan_kind_text(node->kind);
    if (node->kind != PLAN_STEP)
        return kind;
    return arena_printf(work->arena, "%.*s %.*s", STR_ARG(kind), STR_ARG(node->step->run.command));
}

static void find_added(struct diff_work *work, const struct plan_node *node)
{
    diff_add(work, DIFF_NODE_ADDED, node->id,
             arena_printf(work->arena, "a new %.*s", STR_ARG(described(work, node))));
}

static void find_removed(struct diff_work *work, const struct plan_node *node)
{
    diff_add(work, DIFF_NODE_REMOVED, node->id,
             arena_printf(work->arena, "the %.*s is gone", STR_ARG(described(work, node))));
}

static void compare_nodes(struct diff_work *work)
{
    for (uint16_t i = 0; i < work->newer->node_count; i++) {
        const struct plan_node *node = &work->newer->nodes[i];
        if (node->kind == PLAN_SEQUENCE)
            continue;
        if (work->older_of[i] == DIFF_NONE)
            find_added(work, node);
        else
            diff_node(work, &work->older->nodes[work->older_of[i]], node);
    }
    for (uint16_t i = 0; i < work->older->node_count; i++)
        if (work->older->nodes[i].kind != PLAN_SEQUENCE && work->newer_of[i] == DIFF_NONE)
            find_removed(work, &work->older->nodes[i]);
}

static struct str pivot_of(const struct plan *plan)
{
    for (uint16_t i = 0; i < plan->node_count; i++)
        if (plan->nodes[i].kind == PLAN_STEP && plan->nodes[i].step->pivot)
            return plan->nodes[i].id;
    return STR("no step");
}

static void compare_pivot(struct diff_work *work)
{
    struct str was = pivot_of(work->older), is = pivot_of(work->newer);
    if (!str_equal(was, is))
        diff_add(work, DIFF_PIVOT_MOVED, is,
                 arena_printf(work->arena, "the pivot was %.*s and is %.*s now", STR_ARG(was), STR_ARG(is)));
}

void diff_plans(const struct plan *older, const struct plan *newer, struct arena *arena, struct diff *diff)
{
    static const struct diff_fields output = {DIFF_OUTPUT_REMOVED, DIFF_OUTPUT_CHANGED, DIFF_OUTPUT_CHANGED,
                                              DIFF_OUTPUT_ADDED, DIFF_OUTPUT_UNKNOWN};
    struct diff_work work = {.arena = arena, .diff = diff, .older = older, .newer = newer};
    *diff = (struct diff){0};
    compare_head(&work);
    diff_match(&work);
    compare_nodes(&work);
    diff_order(&work);
    compare_pivot(&work);
    find_actions(&work, newer, older, DIFF_ACTION_NEW, "a new command");
    find_actions(&work, older, newer, DIFF_ACTION_GONE, "not sent any more");
    find_events(&work, newer, older, DIFF_SIGNAL_NEW, "awaited now");
    find_more_awaits(&work);
    find_events(&work, older, newer, DIFF_SIGNAL_GONE, "not awaited any more");
    diff_reads(&work);
    diff_value(&work, &output, STR("output"), "output", older->output, newer->output);
    if (older->completes_without_output != newer->completes_without_output)
        diff_add(&work, DIFF_RULE_CHANGED, STR("output"),
                 newer->completes_without_output ? STR("on_output_failure: complete now")
                                                 : STR("on_output_failure: park now"));
}
