/* The counter-example: the way to the breach, shortened by leaving out what it does without, and told. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/base/memory.h"

struct move {
    struct explore_action action;
    struct str path; /* of its step; "" : none */
};
struct way {
    struct explore *explore;
    struct explore_level levels[2];
    struct move *moves;
    uint32_t count;
};

/* True when all moves but `without` can be made and the promise is broken by the last of them. */
static bool repeat(struct way *way, uint32_t without, struct buf *story)
{
    struct explore *explore = way->explore;
    struct explore_level *from = &way->levels[0], *to = &way->levels[1];
    struct str property = explore->result->property;
    uint32_t number = 0;
    explore->broken = false;
    explore_begin(explore, from);
    for (uint32_t i = 0; i < way->count && !explore->broken; i++) {
        struct explore_action action = way->moves[i].action;
        if (i == without)
            continue;
        if (way->moves[i].path.size > 0)
            action.step = core_find(&from->saga, way->moves[i].path);
        if (story)
            buf_printf(story, "%3u  ", ++number);
        if ((way->moves[i].path.size > 0 && action.step == CORE_NO_STEP) ||
            !explore_apply(explore, from, &action, to, story))
            break;
        explore_rest(explore, to);
        struct explore_level *old = from;
        from = to;
        to = old;
    }
    bool same = explore->broken && str_equal(explore->result->property, property);
    explore->result->property = property;
    explore->broken = true;
    return same;
}

static void remove_move(struct way *way, uint32_t at)
{
    way->count--;
    for (uint32_t i = at; i < way->count; i++)
        way->moves[i] = way->moves[i + 1];
}

static void shorten(struct way *way)
{
    bool shorter = true;
    while (shorter) {
        shorter = false;
        for (uint32_t i = way->count - 1; i > 0; i--)
            if (repeat(way, i, NULL)) {
                remove_move(way, i);
                shorter = true;
            }
    }
}

/* Lines behind the first of each event are set under it. */
static struct str indented(struct arena *arena, struct str text)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < text.size; i++) {
        buf_char(&out, text.data[i]);
        if (text.data[i] == '\n' && i + 1 < text.size && text.data[i + 1] == ' ' && text.data[i + 2] == ' ' &&
            (i + 3 >= text.size || text.data[i + 3] != ' '))
            buf_puts(&out, "     ");
    }
    return buf_str(&out);
}

void explore_story(struct explore *explore, struct explore_level *const *levels, uint32_t count)
{
    struct way *way = memory_new(1, sizeof *way);
    struct buf story;
    way->explore = explore;
    explore_level_init(&way->levels[0]);
    explore_level_init(&way->levels[1]);
    way->moves = arena_array(explore->arena, count, sizeof *way->moves);
    for (uint32_t i = 1; i < count; i++) {
        struct move *move = &way->moves[way->count++];
        move->action = levels[i]->taken;
        if (move->action.step != CORE_NO_STEP && move->action.kind != EXPLORE_SIGNAL)
            move->path = arena_copy(explore->arena, core_step_path(&levels[i - 1]->saga, move->action.step));
    }
    struct str detail = explore->result->detail;
    shorten(way);
    buf_init(&story, explore->arena);
    if (!repeat(way, UINT32_MAX, &story))
        explore->result->detail = detail;
    explore->result->timeline = indented(explore->arena, buf_str(&story));
    explore_level_fini(&way->levels[0]);
    explore_level_fini(&way->levels[1]);
    memory_free(way);
}
