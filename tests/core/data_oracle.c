/* Computes again what each expression of a saga gave, from its own books. Shares no code with engine/core. */
#include "tests/core/data_oracle.h"
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/buf.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"

enum { STEPS = 1024, FRAMES = 2048, NOWHERE = UINT16_MAX };

#define PROMISE(what, path) ((what) ? (void)0 : breach(oracle, #what, path))

static _Noreturn void breach(const struct data_oracle *oracle, const char *what, struct str path)
{
    fprintf(stderr, "record %lld breaks what expressions give: %.*s: not true: %s\n", (long long)oracle->seq,
            STR_ARG(path), what);
    abort();
}

void data_oracle_init(struct data_oracle *oracle, const struct plan *plan, struct id id)
{
    *oracle = (struct data_oracle){.plan = plan, .id = id, .frame_count = 1};
    arena_init(&oracle->arena, 0);
    oracle->steps = arena_array(&oracle->arena, STEPS, sizeof *oracle->steps);
    oracle->frames = arena_array(&oracle->arena, FRAMES, sizeof *oracle->frames);
    oracle->signals = arena_array(&oracle->arena, LIMITS_SIGNALS, sizeof *oracle->signals);
}

void data_oracle_fini(struct data_oracle *oracle)
{
    arena_fini(&oracle->arena);
}

/* Who asks. */
struct asker {
    const struct data_oracle *oracle;
    uint16_t frame;
    bool came; /* whether it came is asked, not what it brought */
};

/* The item of this foreach in which the frame stands, as the frame of the item; NOWHERE: it stands in none.
 */
static uint16_t item_of(const struct data_oracle *oracle, uint16_t frame, uint16_t loop)
{
    for (; frame > 0; frame = oracle->frames[frame].parent)
        if (oracle->frames[oracle->frames[frame].parent].node == loop)
            return frame;
    return NOWHERE;
}

static bool is_within(const struct data_oracle *oracle, uint16_t frame, uint16_t around)
{
    while (frame > around)
        frame = oracle->frames[frame].parent;
    return frame == around;
}

/* What the frame of something in these foreach and outwards has in common with the asker: each item. */
static bool shares_items(const struct asker *asker, uint16_t frame, uint16_t loop)
{
    const struct data_oracle *oracle = asker->oracle;
    for (; loop != 0; loop = oracle->plan->nodes[loop].loop) {
        uint16_t mine = item_of(oracle, asker->frame, loop);
        if (mine != NOWHERE && mine != item_of(oracle, frame, loop))
            return false;
    }
    return true;
}

static const struct json *seen(const struct asker *asker, const struct data_oracle_step *step)
{
    const struct data_oracle *oracle = asker->oracle;
    for (uint16_t frame = step->frame; frame > 0; frame = oracle->frames[frame].parent)
        if (oracle->frames[frame].went_back && !is_within(oracle, asker->frame, frame))
            return NULL;
    return step->waived && step != oracle->undoing ? NULL : step->output;
}

/* What is asked of a step: its output, or whether an event came; NULL: there is none, or it did not. */
static const struct json *told(const struct asker *asker, const struct data_oracle_step *step)
{
    const struct json *output = seen(asker, step);
    return asker->came && output != NULL ? &json_true : output;
}

static const struct json *list_of(const struct asker *asker, uint16_t node, uint16_t fan, struct arena *arena)
{
    const struct data_oracle *oracle = asker->oracle;
    uint32_t count = oracle->frames[fan].items->count;
    const struct json **items = arena_array(arena, count, sizeof *items);
    for (uint32_t i = 0; i < count; i++)
        items[i] = asker->came ? &json_false : &json_null;
    for (uint16_t i = 0; i < oracle->step_count; i++) {
        uint16_t item = item_of(oracle, oracle->steps[i].frame, oracle->frames[fan].node);
        if (oracle->steps[i].node != node || item == NOWHERE || oracle->frames[item].parent != fan)
            continue;
        const struct json *answer = told(asker, &oracle->steps[i]);
        if (answer != NULL)
            items[oracle->frames[item].index] = answer;
    }
    return json_new_array(arena, items, count);
}

static const struct json *output_of(const struct asker *asker, uint16_t node, struct arena *arena)
{
    const struct data_oracle *oracle = asker->oracle;
    uint16_t loop = oracle->plan->nodes[node].loop;
    if (loop != 0 && item_of(oracle, asker->frame, loop) == NOWHERE) {
        for (uint16_t i = 1; i < oracle->frame_count; i++)
            if (oracle->frames[i].node == loop && shares_items(asker, i, oracle->plan->nodes[loop].loop))
                return list_of(asker, node, i, arena);
        return NULL;
    }
    for (uint16_t i = 0; i < oracle->step_count; i++)
        if (oracle->steps[i].node == node && shares_items(asker, oracle->steps[i].frame, loop))
            return told(asker, &oracle->steps[i]);
    return NULL;
}

/* Never null: what was not waited for did not come. */
static const struct json *whether_came(const struct asker *asker, uint16_t node, struct arena *arena)
{
    const struct asker came = {.oracle = asker->oracle, .frame = asker->frame, .came = true};
    const struct json *answer = output_of(&came, node, arena);
    return answer != NULL ? answer : &json_false;
}

static const struct json *object_of(struct arena *arena, const char *const names[3],
                                    const struct str values[3])
{
    struct json_member *members = arena_array(arena, 3, sizeof *members);
    for (int i = 0; i < 3; i++) {
        members[i].key = str_from(names[i]);
        members[i].value = values[i].size > 0 ? json_new_string(arena, values[i]) : &json_null;
    }
    return json_new_object(arena, members, 3);
}

static const struct json *about_saga(const struct data_oracle *oracle, struct arena *arena)
{
    static const char *const names[] = {"id", "key", "started_at"};
    char *id = arena_alloc(arena, ID_TEXT_SIZE + 1);
    id_format(oracle->id, id);
    return object_of(
        arena, names,
        (struct str[]){str_from(id), oracle->key, duration_time_text(arena, oracle->started_us)});
}

/* Of the innermost scope that went back, else of the saga. */
static const struct json *about_error(const struct asker *asker, struct arena *arena)
{
    static const char *const names[] = {"code", "message", "step"};
    const struct data_oracle *oracle = asker->oracle;
    const struct data_oracle_cause *cause = &oracle->cause;
    for (uint16_t frame = asker->frame; frame > 0 && cause == &oracle->cause;
         frame = oracle->frames[frame].parent)
        if (oracle->frames[frame].went_back)
            cause = &oracle->frames[frame].cause;
    if (cause->code.size == 0)
        return NULL;
    struct str step = cause->step == CORE_NO_STEP ? STR("") : oracle->steps[cause->step].path;
    const struct json *error = object_of(arena, names, (struct str[]){cause->code, cause->message, step});
    if (cause->message.size == 0)
        error->members[1].value = json_new_string(arena, STR(""));
    return error;
}

static const struct json *get(const void *context, const struct expr_ref *ref, struct arena *arena)
{
    const struct asker *asker = context;
    const struct data_oracle *oracle = asker->oracle;
    uint16_t node = (uint16_t)ref->slot, item = 0;
    switch (ref->kind) {
    case EXPR_REF_INPUT:
        return oracle->input;
    case EXPR_REF_STEP_OUTPUT:
    case EXPR_REF_EVENT:
        return output_of(asker, node, arena);
    case EXPR_REF_CAME:
        return whether_came(asker, node, arena);
    case EXPR_REF_SAGA:
        return about_saga(oracle, arena);
    case EXPR_REF_ERROR:
        return about_error(asker, arena);
    case EXPR_REF_INDEX:
    case EXPR_REF_NAMED:
        item = item_of(oracle, asker->frame, node);
        if (ref->kind == EXPR_REF_INDEX)
            return json_new_i64(arena, oracle->frames[item].index);
        return oracle->frames[oracle->frames[item].parent].items->items[oracle->frames[item].index];
    }
    abort();
}

/* NULL: it faults. */
static const struct json *compute(const struct data_oracle *oracle, uint16_t frame,
                                  const struct expr *program, struct arena *arena)
{
    static const struct json nothing = {.kind = JSON_OBJECT};
    struct asker asker = {.oracle = oracle, .frame = frame};
    struct expr_env env = {.context = &asker, .get = get};
    struct expr_error error;
    const struct json *value = NULL;
    if (program == NULL)
        return &nothing;
    return expr_eval(program, &env, arena, &value, &error) == EXPR_FAULT_NONE ? value : NULL;
}

static bool gives(const struct data_oracle *oracle, uint16_t frame, const struct expr *program,
                  const struct json *value)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct json *again = compute(oracle, frame, program, &arena);
    bool same = again != NULL && json_equal(again, value);
    arena_fini(&arena);
    return same;
}

enum truth { FALSE, TRUE, FAULT };

static enum truth holds(const struct data_oracle *oracle, uint16_t frame, const struct expr *program)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct json *value = program ? compute(oracle, frame, program, &arena) : &json_true;
    enum truth truth = value == NULL ? FAULT : expr_truth(value) ? TRUE : FALSE;
    arena_fini(&arena);
    return truth;
}

/* The case that is taken; child_count: none; NOWHERE: one that comes before it faults. */
static uint16_t case_of(const struct data_oracle *oracle, uint16_t frame, const struct plan_node *node)
{
    for (uint16_t i = 0; i < node->child_count; i++) {
        enum truth truth = holds(oracle, frame, node->choice->when[i]);
        if (truth != FALSE)
            return truth == TRUE ? i : NOWHERE;
    }
    return node->child_count;
}

static struct str path_of(struct data_oracle *oracle, uint16_t node, uint16_t frame)
{
    struct str items = STR("");
    for (; frame > 0; frame = oracle->frames[frame].parent)
        if (oracle->plan->nodes[oracle->frames[oracle->frames[frame].parent].node].kind == PLAN_FOREACH)
            items = arena_printf(&oracle->arena, "[%u]%.*s", oracle->frames[frame].index, STR_ARG(items));
    struct str id = oracle->plan->nodes[node].id;
    return arena_printf(&oracle->arena, "%.*s%.*s", STR_ARG(id), STR_ARG(items));
}

static void watch_open(struct data_oracle *oracle, const struct core_change *change)
{
    const struct plan_node *node = &oracle->plan->nodes[change->node];
    struct data_oracle_step *step = &oracle->steps[oracle->step_count++];
    *step = (struct data_oracle_step){.node = change->node, .frame = change->frame};
    step->path = path_of(oracle, change->node, change->frame);
    PROMISE(oracle->step_count <= STEPS, step->path);
    if (node->kind == PLAN_FAIL)
        PROMISE(holds(oracle, change->frame, node->fail->when) != FALSE, step->path);
    if (node->kind == PLAN_SWITCH)
        PROMISE(case_of(oracle, change->frame, node) >= node->child_count, step->path);
}

static void watch_frame(struct data_oracle *oracle, const struct core_change *change)
{
    const struct plan_node *node = &oracle->plan->nodes[change->node];
    const struct plan_node *choice = &oracle->plan->nodes[node->parent];
    struct data_oracle_frame *frame = &oracle->frames[oracle->frame_count++];
    *frame =
        (struct data_oracle_frame){.node = change->node, .parent = change->parent, .index = change->index};
    PROMISE(oracle->frame_count < FRAMES, node->id);
    if (node->kind == PLAN_FOREACH) {
        PROMISE(gives(oracle, change->parent, node->fan->in, change->body), node->id);
        frame->items = json_copy(&oracle->arena, change->body);
    }
    if (node->kind == PLAN_SEQUENCE && choice->kind == PLAN_SWITCH)
        PROMISE(choice->children[case_of(oracle, change->parent, choice)] == change->node, choice->id);
}

static void watch_send(struct data_oracle *oracle, const struct core_change *change)
{
    const struct data_oracle_step *step = &oracle->steps[change->step];
    const struct plan_step *plan = oracle->plan->nodes[step->node].step;
    const struct plan_action *action = change->command == CORE_DO     ? &plan->run
                                       : change->command == CORE_UNDO ? &plan->undo
                                                                      : &plan->verify;
    oracle->undoing = change->command == CORE_UNDO ? step : NULL;
    PROMISE(gives(oracle, step->frame, action->with, change->body), step->path);
    oracle->undoing = NULL;
}

/* As long as it says; what is past already is over at once. */
static void watch_sleep(struct data_oracle *oracle, const struct core_change *change)
{
    const struct data_oracle_step *step = &oracle->steps[change->step];
    const struct plan_wait *wait = oracle->plan->nodes[step->node].wait;
    struct arena arena;
    int64_t due_us = oracle->at_us + wait->for_us;
    arena_init(&arena, 0);
    if (wait->until) {
        const struct json *value = compute(oracle, step->frame, wait->until, &arena);
        PROMISE(value && value->kind == JSON_STRING && duration_time_parse(value->text, &due_us), step->path);
    }
    int64_t least_us = due_us > oracle->at_us ? due_us : oracle->at_us;
    PROMISE(change->due_us == least_us || least_us > INT64_MAX / 2, step->path);
    arena_fini(&arena);
}

static void watch_step(struct data_oracle *oracle, const struct core_change *change)
{
    if (change->state == CORE_STEP_WAIVED)
        oracle->steps[change->step].waived = true;
    if (change->state == CORE_STEP_SLEEPING)
        watch_sleep(oracle, change);
}

/* A `fail` that leaves no step behind did not fire. */
static void watch_cursor(const struct data_oracle *oracle, const struct core_change *change)
{
    const struct plan_node *sequence = &oracle->plan->nodes[oracle->frames[change->frame].node];
    const struct plan_node *node = &oracle->plan->nodes[sequence->children[change->cursor - 1]];
    if (node->kind != PLAN_FAIL)
        return;
    for (uint16_t i = 0; i < oracle->step_count; i++)
        if (oracle->steps[i].node == node->index && oracle->steps[i].frame == change->frame)
            return; /* it did, and was gone on without */
    PROMISE(holds(oracle, change->frame, node->fail->when) == FALSE, node->id);
}

static struct data_oracle_cause cause_of(struct data_oracle *oracle, const struct core_change *change)
{
    return (struct data_oracle_cause){arena_copy(&oracle->arena, change->code),
                                      arena_copy(&oracle->arena, change->message), change->step};
}

static void watch_block(struct data_oracle *oracle, const struct core_change *change)
{
    struct data_oracle_frame *frame = &oracle->frames[change->frame];
    if (change->block != CORE_BLOCK_BACK)
        return;
    frame->went_back = true;
    frame->cause = cause_of(oracle, change);
}

/* An operator gives the output only where none can be computed. */
static void watch_result(struct data_oracle *oracle, const struct core_change *change,
                         const struct core_event *event)
{
    struct str name = STR("the output");
    struct arena arena;
    arena_init(&arena, 0);
    bool given = event->kind == CORE_EVENT_FORCE && event->step.size == 0;
    if (given)
        PROMISE(compute(oracle, 0, oracle->plan->output, &arena) == NULL &&
                    json_equal(change->body, event->body ? event->body : &json_null),
                name);
    else if (change->body->kind != JSON_NULL)
        PROMISE(gives(oracle, 0, oracle->plan->output, change->body), name);
    arena_fini(&arena);
}

static const struct json *body_of(struct data_oracle *oracle, const struct core_event *event)
{
    return event->body ? json_copy(&oracle->arena, event->body) : &json_null;
}

static void watch_change(struct data_oracle *oracle, const struct core_change *change,
                         const struct core_event *event)
{
    switch (change->kind) {
    case CORE_CHANGE_OPEN:
        watch_open(oracle, change);
        break;
    case CORE_CHANGE_FRAME:
        watch_frame(oracle, change);
        break;
    case CORE_CHANGE_BLOCK:
        watch_block(oracle, change);
        break;
    case CORE_CHANGE_KEEP:
        oracle->signals[oracle->signal_count++] = body_of(oracle, event);
        break;
    case CORE_CHANGE_TAKE:
        oracle->steps[change->step].output = oracle->signals[change->index];
        break;
    case CORE_CHANGE_SEND:
        watch_send(oracle, change);
        break;
    case CORE_CHANGE_STEP:
        watch_step(oracle, change);
        break;
    case CORE_CHANGE_OUTPUT:
        oracle->steps[change->step].output = body_of(oracle, event);
        break;
    case CORE_CHANGE_CURSOR:
        watch_cursor(oracle, change);
        break;
    case CORE_CHANGE_STATUS:
        oracle->back = change->direction == CORE_BACK;
        break;
    case CORE_CHANGE_CAUSE:
        oracle->cause = cause_of(oracle, change);
        break;
    case CORE_CHANGE_RESULT:
        watch_result(oracle, change, event);
        break;
    case CORE_CHANGE_MOVE:
    case CORE_CHANGE_EXTEND:
    case CORE_CHANGE_FAULT:
    case CORE_CHANGE_NOTE:
    case CORE_CHANGE_UNKNOWN:
    case CORE_CHANGE_BUDGET:
    case CORE_CHANGE_DROP:
    case CORE_CHANGE_DEADLINE:
    case CORE_CHANGE_PARK:
    case CORE_CHANGE_PAUSE:
    case CORE_CHANGE_MORE:
        break;
    }
}

void data_oracle_watch(struct data_oracle *oracle, const struct core_record *record)
{
    const struct core_event *event = &record->event;
    oracle->seq = record->seq;
    oracle->at_us = event->at_us;
    if (event->kind == CORE_EVENT_START) {
        oracle->input = event->input ? json_copy(&oracle->arena, event->input) : NULL;
        oracle->key = arena_copy(&oracle->arena, event->key);
        oracle->started_us = event->at_us;
    }
    for (uint32_t i = 0; i < record->change_count; i++)
        watch_change(oracle, &record->changes[i], event);
}
