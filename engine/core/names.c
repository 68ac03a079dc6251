/* The words of the journal, the wire and people for each enumerator of core.h, and back. Called everywhere. A
 * word that stands in journals is never changed. */
#include "engine/core/core.h"
#include <stddef.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"

/* STR as a constant, which a compound literal is not. */
#define NAME(literal)                                                                                        \
    {                                                                                                        \
        (literal), sizeof(literal) - 1                                                                       \
    }

static const struct str status_names[] = {
    [CORE_RUNNING] = NAME("running"),         [CORE_COMPENSATING] = NAME("compensating"),
    [CORE_PARKED] = NAME("parked"),           [CORE_COMPLETED] = NAME("completed"),
    [CORE_COMPENSATED] = NAME("compensated"), [CORE_TERMINATED] = NAME("terminated"),
};
static const struct str direction_names[] = {[CORE_FORWARD] = NAME("forward"), [CORE_BACK] = NAME("back")};
static const struct str kind_names[] = {
    [CORE_DO] = NAME("do"), [CORE_VERIFY] = NAME("verify"), [CORE_UNDO] = NAME("undo")};
static const struct str state_names[] = {
#define X(name, text, meaning) [CORE_STEP_##name] = NAME(text),
#include "engine/core/step.def"
#undef X
};
static const struct str event_names[] = {
    [CORE_EVENT_START] = NAME("start"),
    [CORE_EVENT_REPLY] = NAME("reply"),
    [CORE_EVENT_TIMER] = NAME("timer"),
    [CORE_EVENT_CANCEL] = NAME("cancel"),
    [CORE_EVENT_TERMINATE] = NAME("terminate"),
    [CORE_EVENT_PAUSE] = NAME("pause"),
    [CORE_EVENT_RESUME] = NAME("resume"),
    [CORE_EVENT_RETRY] = NAME("retry"),
    [CORE_EVENT_SKIP] = NAME("skip"),
    [CORE_EVENT_FORCE] = NAME("force"),
    [CORE_EVENT_SIGNAL] = NAME("signal"),
    [CORE_EVENT_MOVE] = NAME("move"),
    [CORE_EVENT_UNDO] = NAME("undo"),
    [CORE_EVENT_DELIVERED] = NAME("delivered"),
    [CORE_EVENT_UNDELIVERED] = NAME("undelivered"),
    [CORE_EVENT_LOST] = NAME("lost"),
    [CORE_EVENT_CLOCK] = NAME("clock"),
};
static const struct str reply_names[] = {
    [CORE_REPLY_OK] = NAME("ok"),
    [CORE_REPLY_REJECTED] = NAME("rejected"),
    [CORE_REPLY_RETRY] = NAME("retry"),
    [CORE_REPLY_PENDING] = NAME("pending"),
    [CORE_REPLY_UNCLEAR] = NAME("unclear"),
    [CORE_REPLY_UNUSABLE] = NAME("unusable"),
    [CORE_REPLY_NO_OUTPUT] = NAME("no_output"),
    [CORE_REPLY_UNSENT] = NAME("unsent"),
};
static const struct str verdict_names[] = {
    [CORE_USED] = NAME("used"),   [CORE_DUPLICATE] = NAME("duplicate"), [CORE_LATE] = NAME("late"),
    [CORE_STALE] = NAME("stale"), [CORE_DEAD] = NAME("dead"),           [CORE_REFUSED] = NAME("refused"),
    [CORE_IDLE] = NAME("idle"),
};
static const struct str change_names[] = {
#define X(name, text) [CORE_CHANGE_##name] = NAME(text),
    CORE_CHANGES(X)
#undef X
};
static const struct str block_names[] = {
    [CORE_BLOCK_OPEN] = NAME("open"),
    [CORE_BLOCK_FAILED] = NAME("failed"),
    [CORE_BLOCK_BACK] = NAME("back"),
    [CORE_BLOCK_CLOSED] = NAME("closed"),
};
static const struct str code_names[] = {
#define X(name, meaning) [CORE_CODE_##name] = NAME(#name),
#include "engine/core/codes.def"
#undef X
};

#define COUNT(names) (sizeof(names) / sizeof *(names))

static struct str name_of(const struct str *names, size_t count, size_t index)
{
    check(index < count);
    check(names[index].size > 0);
    return names[index];
}

/* The index of text, or count when it is none of them. */
static size_t index_of(const struct str *names, size_t count, struct str text)
{
    size_t index = 0;
    while (index < count && !str_equal(names[index], text))
        index++;
    return index;
}

struct str core_status_text(enum core_status status)
{
    return name_of(status_names, COUNT(status_names), (size_t)status);
}

struct str core_direction_text(enum core_direction direction)
{
    return name_of(direction_names, COUNT(direction_names), (size_t)direction);
}

struct str core_kind_text(enum core_kind kind)
{
    return name_of(kind_names, COUNT(kind_names), (size_t)kind);
}

struct str core_step_state_text(enum core_step_state state)
{
    return name_of(state_names, COUNT(state_names), (size_t)state);
}

struct str core_event_text(enum core_event_kind kind)
{
    return name_of(event_names, COUNT(event_names), (size_t)kind);
}

struct str core_reply_text(enum core_reply_status status)
{
    return name_of(reply_names, COUNT(reply_names), (size_t)status);
}

struct str core_verdict_text(enum core_verdict verdict)
{
    return name_of(verdict_names, COUNT(verdict_names), (size_t)verdict);
}

struct str core_change_text(enum core_change_kind kind)
{
    return name_of(change_names, COUNT(change_names), (size_t)kind);
}

struct str core_block_text(enum core_block block)
{
    return name_of(block_names, COUNT(block_names), (size_t)block);
}

bool core_is_code(struct str text)
{
    check(text.size == 0 || text.data != NULL);
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return text.size <= LIMITS_ERROR_CODE_BYTES;
}

struct str core_code_text(enum core_code code)
{
    return name_of(code_names, COUNT(code_names), (size_t)code);
}

bool core_status_parse(struct str text, enum core_status *status)
{
    size_t index = index_of(status_names, COUNT(status_names), text);
    if (index < COUNT(status_names))
        *status = (enum core_status)index;
    return index < COUNT(status_names);
}

bool core_direction_parse(struct str text, enum core_direction *direction)
{
    size_t index = index_of(direction_names, COUNT(direction_names), text);
    if (index < COUNT(direction_names))
        *direction = (enum core_direction)index;
    return index < COUNT(direction_names);
}

bool core_kind_parse(struct str text, enum core_kind *kind)
{
    size_t index = index_of(kind_names, COUNT(kind_names), text);
    if (index < COUNT(kind_names))
        *kind = (enum core_kind)index;
    return index < COUNT(kind_names);
}

bool core_step_state_parse(struct str text, enum core_step_state *state)
{
    size_t index = index_of(state_names, COUNT(state_names), text);
    if (index < COUNT(state_names))
        *state = (enum core_step_state)index;
    return index < COUNT(state_names);
}

bool core_event_parse(struct str text, enum core_event_kind *kind)
{
    size_t index = index_of(event_names, COUNT(event_names), text);
    if (index < COUNT(event_names))
        *kind = (enum core_event_kind)index;
    return index < COUNT(event_names);
}

bool core_reply_parse(struct str text, enum core_reply_status *status)
{
    size_t index = index_of(reply_names, COUNT(reply_names), text);
    if (index < COUNT(reply_names))
        *status = (enum core_reply_status)index;
    return index < COUNT(reply_names);
}

bool core_change_parse(struct str text, enum core_change_kind *kind)
{
    size_t index = index_of(change_names, COUNT(change_names), text);
    if (index < COUNT(change_names))
        *kind = (enum core_change_kind)index;
    return index < COUNT(change_names);
}

bool core_block_parse(struct str text, enum core_block *block)
{
    size_t index = index_of(block_names, COUNT(block_names), text);
    if (index < COUNT(block_names))
        *block = (enum core_block)index;
    return index < COUNT(block_names);
}
