#include "engine/core/evaluate.h"
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"

static const struct json empty_object = {.kind = JSON_OBJECT};

/* A step that was gone on without stays null for what comes after it, even when its success arrives late:
 * whether it does must not decide what later steps are told. Its compensation does see the output. */
static const struct json *step_output(const struct core_saga *saga, int32_t slot)
{
    check(slot >= 0);
    check(slot < saga->plan->node_count);
    for (uint16_t i = saga->step_count; i > 0; i--) {
        const struct core_step *step = &saga->steps[i - 1];
        if (step->node == slot)
            return step->waived && saga->direction == CORE_FORWARD ? NULL : step->output;
    }
    return NULL;
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

static const struct json *about_error(const struct core_saga *saga, struct arena *arena)
{
    if (saga->cause_code.size == 0)
        return NULL;
    check(saga->cause_step == CORE_NO_STEP || saga->cause_step < saga->step_count);
    struct str step =
        saga->cause_step == CORE_NO_STEP ? (struct str){0} : core_step_path(saga, saga->cause_step);
    struct json_member *members = arena_array(arena, 3, sizeof *members);
    members[0].key = STR("code");
    members[0].value = json_new_string(arena, saga->cause_code);
    members[1].key = STR("message");
    members[1].value = json_new_string(arena, saga->cause_message);
    members[2].key = STR("step");
    members[2].value = text_or_null(arena, step);
    return json_new_object(arena, members, 3);
}

static const struct json *get(const void *context, const struct expr_ref *ref, struct arena *arena)
{
    const struct core_saga *saga = context;
    check(saga->seq > 0);
    switch (ref->kind) {
    case EXPR_REF_INPUT:
        return saga->input;
    case EXPR_REF_STEP_OUTPUT:
        return step_output(saga, ref->slot);
    case EXPR_REF_SAGA:
        return about_saga(saga, arena);
    case EXPR_REF_ERROR:
        return about_error(saga, arena);
    case EXPR_REF_INDEX:
    case EXPR_REF_EVENT:
    case EXPR_REF_NAMED:
        return NULL; /* of blocks, which the loader refuses still */
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

static bool fits(const struct json *value)
{
    return json_depth(value) <= LIMITS_PAYLOAD_DEPTH && text_size(value, 0) <= LIMITS_PAYLOAD_BYTES;
}

const struct json *evaluate(const struct core_saga *saga, const struct expr *program, struct arena *scratch,
                            struct str *code, struct str *message)
{
    check(saga->seq > 0);
    check(scratch != saga->arena);
    if (program == NULL)
        return &empty_object;
    const struct json *value = NULL;
    struct expr_error error;
    struct expr_env env = {.context = saga, .get = get};
    enum expr_fault fault = expr_eval(program, &env, scratch, &value, &error);
    if (fault != EXPR_FAULT_NONE) {
        *code = expr_fault_code(fault);
        *message = arena_copy(scratch, str_from(error.message));
        return NULL;
    }
    if (fits(value))
        return value;
    *code = core_code_text(CORE_CODE_PAYLOAD_TOO_LARGE);
    *message = arena_printf(scratch, "the value is over %d bytes or %d levels", LIMITS_PAYLOAD_BYTES,
                            LIMITS_PAYLOAD_DEPTH);
    return NULL;
}
