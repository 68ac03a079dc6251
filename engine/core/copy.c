/* A saga's twin in another arena, for whoever looks ahead: the explorer, plan-compensation. Shares nothing
 * that may be written with the original; never used on the way of an event. */
#include <string.h>
#include "engine/base/check.h"
#include "engine/core/core.h"

static void *copy_array(struct arena *arena, const void *from, size_t count, size_t room, size_t size)
{
    check(count <= room);
    if (room == 0)
        return NULL;
    void *to = arena_array(arena, room, size);
    memcpy(to, from, count * size);
    return to;
}

/* Errors are written over the ones before (state.c), so that their room must be the copy's own. */
static void own_text(struct arena *arena, struct str *text, uint16_t room)
{
    check(text->size <= room);
    if (room == 0)
        return;
    char *data = arena_alloc(arena, room);
    if (text->size > 0)
        memcpy(data, text->data, text->size);
    text->data = data;
}

void core_copy(struct core_saga *copy, const struct core_saga *source, struct arena *arena)
{
    check(copy != source);
    check(arena != NULL);
    *copy = *source;
    copy->arena = arena;
    copy->steps =
        copy_array(arena, source->steps, source->step_count, source->step_room, sizeof *source->steps);
    copy->frames =
        copy_array(arena, source->frames, source->frame_count, source->frame_room, sizeof *source->frames);
    copy->signals = copy_array(arena, source->signals, source->signal_count, source->signal_room,
                               sizeof *source->signals);
    for (uint16_t i = 0; i < copy->step_count; i++) {
        own_text(arena, &copy->steps[i].error_code, copy->steps[i].error_code_room);
        own_text(arena, &copy->steps[i].error_message, copy->steps[i].error_message_room);
    }
}
