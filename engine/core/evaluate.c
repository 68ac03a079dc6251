/* What an expression is told of a saga: input, outputs of steps, items, errors, and nothing else. Called
 * where bodies, cases, items and outputs are computed. Never writes the saga; what it costs is charged to the
 * event (work_spend). */
#include "engine/core/evaluate.h"
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/core/frames.h"

enum { BYTES_A_UNIT = 4 }; /* of a value's text: measuring, copying and writing it */
static const struct json empty_object = {.kind = JSON_OBJECT};

/* Who asks: an expression sees its own item of each foreach around it. */
struct viewer {
    const struct core_saga *saga;
    uint16_t frame;
    uint16_t own;    /* the step whose compensation it is; CORE_NO_STEP: none's */
    uint64_t *units; /* left to this evaluation and those that share them with it */
    struct found *found;
};
/* What was looked up in this evaluation, where a loop asks for it again and again. */
enum { FOUND_COUNT = 16 };
struct found {
    int32_t slot; /* 0: none; no step is node 0. Below it: whether the event of the node came */
    const struct json *value;
};

/* Whether the instance stands in the same item of each foreach that is around both. */
static bool is_mine(const struct viewer *viewer, const struct core_step *step)
{
    const struct core_saga *saga = viewer->saga;
    uint16_t loop = saga->plan->nodes[step->node].loop;
    check(step->frame < saga->frame_count);
    for (; loop != 0; loop = saga->plan->nodes[loop].loop) {
        uint16_t fan, mine, theirs;
        if (!frames_item(saga, viewer->frame, loop, &fan, &mine))
            continue;
        if (!frames_item(saga, step->frame, loop, &fan, &theirs) || mine != theirs)
            return false;
    }
    return true;
}

/* A step that was gone on without stays null for what comes after it, even when its success arrives late:
 * whether it does must not decide what they are told, nor what their compensations are. Its own compensation
 * does see the output. The same holds for what a scope has undone, seen from behind the scope. */
static const struct json *output_of(const struct viewer *viewer, const struct core_step *step)
{
    const struct core_saga *saga = viewer->saga;
    uint16_t scope = frames_undone_scope(saga, step->frame);
    check(step->opened_us > 0);
    if (scope != CORE_NO_STEP && !frames_is_within(saga, viewer->frame, scope))
        return NULL;
    return step->waived && (uint16_t)(step - saga->steps) != viewer->own ? NULL : step->output;
}

/* What is asked of a step: its output, or of an await whether its event came. NULL: none. */
static const struct json *answer_of(const struct viewer *viewer, enum expr_ref_kind kind,
                                    const struct core_step *step)
{
    const struct json *output = output_of(viewer, step);
    check(step->opened_us > 0);
    return kind != EXPR_REF_CAME ? output : json_new_bool(output != NULL);
}

static const struct json *no_answer(enum expr_ref_kind kind)
{
    return kind == EXPR_REF_CAME ? &json_false : &json_null;
}

/* From behind a foreach: the outputs of all items, in their order. */
static const struct json *outputs_of(const struct viewer *viewer, enum expr_ref_kind kind, uint16_t slot,
                                     uint16_t fan, struct arena *arena)
{
    const struct core_saga *saga = viewer->saga;
    uint32_t count = saga->frames[fan].items->count;
    const struct json **items = arena_array(arena, count, sizeof *items);
    check(saga->frames[fan].node == saga->plan->nodes[slot].loop);
    for (uint32_t i = 0; i < count; i++)
        items[i] = no_answer(kind);
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct core_step *step = &saga->steps[i];
        uint16_t its_fan, index;
        if (step->node != slot ||
            !frames_item(saga, step->frame, saga->plan->nodes[slot].loop, &its_fan, &index) || its_fan != fan)
            continue;
        const struct json *output = answer_of(viewer, kind, step);
        if (output != NULL)
            items[index] = output;
    }
    return json_new_array(arena, items, count);
}

/* The frame of this foreach that the viewer could see: the newest one in its own items. */
static uint16_t find_fan(const struct viewer *viewer, uint16_t loop)
{
    const struct core_saga *saga = viewer->saga;
    check(loop > 0);
    for (uint16_t i = saga->frame_count; i > 1; i--) {
        uint16_t frame = (uint16_t)(i - 1);
        struct core_step within = {.node = loop, .frame = frame, .opened_us = 1};
        if (saga->frames[frame].node == loop && is_mine(viewer, &within))
            return frame;
    }
    return CORE_NO_STEP;
}

/* Passing over a step or a frame takes about as long as a unit of work. */
static void charge_lookup(const struct viewer *viewer)
{
    uint64_t units = (uint64_t)viewer->saga->step_count + viewer->saga->frame_count;
    check(viewer->units != NULL);
    *viewer->units -= units < *viewer->units ? units : *viewer->units;
}

static const struct json *find_output(const struct viewer *viewer, enum expr_ref_kind kind, int32_t slot,
                                      struct arena *arena)
{
    const struct core_saga *saga = viewer->saga;
    check(slot > 0);
    check(slot < saga->plan->node_count);
    uint16_t loop = saga->plan->nodes[slot].loop;
    uint16_t fan, index;
    if (loop != 0 && !frames_item(saga, viewer->frame, loop, &fan, &index)) {
        fan = find_fan(viewer, loop);
        return fan == CORE_NO_STEP ? NULL : outputs_of(viewer, kind, (uint16_t)slot, fan, arena);
    }
    for (uint16_t i = saga->step_count; i > 0; i--) {
        const struct core_step *step = &saga->steps[i - 1];
        if (step->node == slot && is_mine(viewer, step))
            return answer_of(viewer, kind, step);
    }
    return kind == EXPR_REF_CAME ? no_answer(kind) : NULL;
}

static const struct json *step_output(const struct viewer *viewer, const struct expr_ref *ref,
                                      struct arena *arena)
{
    struct found *found = &viewer->found[ref->slot % FOUND_COUNT];
    int32_t slot = ref->kind == EXPR_REF_CAME ? -ref->slot : ref->slot;
    check(ref->slot > 0);
    if (found->slot == slot)
        return found->value;
    charge_lookup(viewer);
    *found = (struct found){slot, find_output(viewer, ref->kind, ref->slot, arena)};
    return found->value;
}

/* $index, and what `as` names. */
static const struct json *item(const struct viewer *viewer, const struct expr_ref *ref, struct arena *arena)
{
    uint16_t fan, index;
    check(ref->slot > 0);
    if (!frames_item(viewer->saga, viewer->frame, (uint16_t)ref->slot, &fan, &index))
        return NULL;
    if (ref->kind == EXPR_REF_INDEX)
        return json_new_i64(arena, index);
    check(index < viewer->saga->frames[fan].items->count);
    return viewer->saga->frames[fan].items->items[index];
}

static const struct json *text_or_null(struct arena *arena, struct str text)
{
    check(arena != NULL);
    return text.size > 0 ? json_new_string(arena, text) : &json_null;
}

static const struct json *about_saga(const struct core_saga *saga, struct arena *arena)
{
    check(saga->started_us > 0);
    char id[ID_TEXT_SIZE + 1];
    id_format(saga->id, id);
    struct json_member *members = arena_array(arena, 3, sizeof *members);
    members[0].key = STR("id");
    members[0].value = json_new_string(arena, arena_copy(arena, str_from(id)));
    members[1].key = STR("key");
    members[1].value = text_or_null(arena, saga->key);
    members[2].key = STR("started_at");
    members[2].value = json_new_string(arena, duration_time_text(arena, saga->started_us));
    return json_new_object(arena, members, 3);
}

/* Why the nearest part around the viewer goes back: a scope, or the saga. */
static const struct json *about_error(const struct viewer *viewer, struct arena *arena)
{
    const struct core_saga *saga = viewer->saga;
    uint16_t scope = frames_undone_scope(saga, viewer->frame);
    bool own = scope != CORE_NO_STEP;
    struct str code = own ? saga->frames[scope].cause_code : saga->cause_code;
    uint16_t at = own ? saga->frames[scope].cause_step : saga->cause_step;
    if (code.size == 0)
        return NULL;
    check(at == CORE_NO_STEP || at < saga->step_count);
    struct json_member *members = arena_array(arena, 3, sizeof *members);
    members[0].key = STR("code");
    members[0].value = json_new_string(arena, code);
    members[1].key = STR("message");
    members[1].value = json_new_string(arena, own ? saga->frames[scope].cause_message : saga->cause_message);
    members[2].key = STR("step");
    members[2].value = text_or_null(arena, at == CORE_NO_STEP ? (struct str){0} : core_step_path(saga, at));
    return json_new_object(arena, members, 3);
}

static const struct json *get(const void *context, const struct expr_ref *ref, struct arena *arena)
{
    const struct viewer *viewer = context;
    check(viewer->saga->seq > 0);
    switch (ref->kind) {
    case EXPR_REF_INPUT:
        return viewer->saga->input;
    case EXPR_REF_STEP_OUTPUT:
    case EXPR_REF_EVENT:
    case EXPR_REF_CAME:
        return step_output(viewer, ref, arena);
    case EXPR_REF_SAGA:
        return about_saga(viewer->saga, arena);
    case EXPR_REF_ERROR:
        return about_error(viewer, arena);
    case EXPR_REF_INDEX:
    case EXPR_REF_NAMED:
        return item(viewer, ref, arena);
    }
    check_never("a reference of no kind");
}

/* Bytes of the compact text, about; stops counting above the limit, because parts of a tree may be shared and
 * the text be far larger than the tree. */
static size_t text_size(const struct json *value, size_t so_far)
{
    check(value != NULL);
    size_t size = so_far + value->text.size + 2;
    for (uint32_t i = 0; i < value->count && size <= LIMITS_PAYLOAD_BYTES; i++) {
        if (value->kind == JSON_ARRAY) {
            size = text_size(value->items[i], size);
            continue;
        }
        size = text_size(value->members[i].value, size + value->members[i].key.size + 4);
    }
    return size;
}

/* The text first: what it bounds is soon walked. */
static bool fits(struct work *work, const struct json *value)
{
    check(value != NULL);
    work->value_size = text_size(value, 0);
    work_spend(work, work->value_size / BYTES_A_UNIT);
    return work->value_size <= LIMITS_PAYLOAD_BYTES && json_depth(value) <= LIMITS_PAYLOAD_DEPTH;
}

static const struct json *value_of(struct work *work, struct viewer *viewer, const struct expr *program,
                                   struct str *code, struct str *message)
{
    const struct json *value = &empty_object;
    struct expr_error error;
    struct found found[FOUND_COUNT] = {{0}};
    uint64_t before = *viewer->units;
    check(viewer->saga->seq > 0);
    check(work->scratch != viewer->saga->arena);
    viewer->found = found;
    struct expr_env env = {.context = viewer, .get = get, .work = viewer->units};
    enum expr_fault fault = EXPR_FAULT_NONE;
    if (program != NULL)
        fault = expr_eval(program, &env, work->scratch, &value, &error);
    work_spend(work, before - *viewer->units);
    if (fault != EXPR_FAULT_NONE) {
        *code = expr_fault_code(fault);
        *message = arena_copy(work->scratch, str_from(error.message));
        return NULL;
    }
    if (fits(work, value))
        return value;
    *code = core_code_text(CORE_CODE_PAYLOAD_TOO_LARGE);
    *message = arena_printf(work->scratch, "the value is over %d bytes or %d levels", LIMITS_PAYLOAD_BYTES,
                            LIMITS_PAYLOAD_DEPTH);
    return NULL;
}

/* Where nothing is shared: what the program itself may take. */
static uint64_t units_alone(const struct core_saga *saga)
{
    check(saga->seq > 0);
    return saga->unbounded ? UINT64_MAX / 2 : (uint64_t)LIMITS_EXPR_STEPS * EXPR_STEP_WORK;
}

const struct json *evaluate(struct work *work, uint16_t frame, const struct expr *program, struct str *code,
                            struct str *message)
{
    uint64_t units = units_alone(work->saga);
    check(frame < work->saga->frame_count);
    return evaluate_within(work, frame, program, &units, code, message);
}

const struct json *evaluate_within(struct work *work, uint16_t frame, const struct expr *program,
                                   uint64_t *units, struct str *code, struct str *message)
{
    struct viewer viewer = {.saga = work->saga, .frame = frame, .own = CORE_NO_STEP, .units = units};
    check(frame < work->saga->frame_count);
    return value_of(work, &viewer, program, code, message);
}

const struct json *evaluate_undo(struct work *work, uint16_t step, const struct expr *program,
                                 struct str *code, struct str *message)
{
    uint64_t units = units_alone(work->saga);
    check(step < work->saga->step_count);
    struct viewer viewer = {
        .saga = work->saga, .frame = work->saga->steps[step].frame, .own = step, .units = &units};
    return value_of(work, &viewer, program, code, message);
}
