/* The counter-example: the way to the breach, shortened by leaving out what it does without, and told. Part
 * of the explorer; called by explore.c once it has found one. Each shortening is run again, so it never tells
 * what does not happen. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/base/memory.h"

struct move {
    struct explore_action action;
    struct str path; /* of its step; "" : none */
};
struct way {
    struct explore *explore;
    struct explore_level *levels; /* one more than moves: a state shares values with those before it */
    struct move *moves;
    uint32_t count;
};

static bool make(struct way *way, uint32_t index, uint32_t depth, struct buf *story)
{
    struct explore_level *from = &way->levels[depth], *to = &way->levels[depth + 1];
    struct explore_action action = way->moves[index].action;
    bool about_step = way->moves[index].path.size > 0;
    if (about_step)
        action.step = core_find(&from->saga, way->moves[index].path);
    if (about_step && action.step == CORE_NO_STEP)
        return false;
    to->copy_of = NULL;
    if (!explore_apply(way->explore, from, &action, to, story))
        return false;
    explore_rest(way->explore, to);
    return true;
}

/* True when all moves but `without` can be made and the promise is broken by the last of them. */
static bool repeat(struct way *way, uint32_t without, struct buf *story)
{
    struct explore *explore = way->explore;
    struct str property = explore->result->property;
    uint32_t depth = 0;
    explore->broken = false;
    explore_begin(explore, &way->levels[0]);
    for (uint32_t i = 0; i < way->count && !explore->broken; i++) {
        if (i == without)
            continue;
        if (story)
            buf_printf(story, "%3u  ", depth + 1);
        if (!make(way, i, depth, story))
            break;
        depth++;
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
    bool begins = false; /* a line */
    buf_init(&out, arena);
    for (size_t i = 0; i < text.size; i++) {
        bool more = begins && i + 2 < text.size && text.data[i] == ' ' && text.data[i + 1] == ' ' &&
                    text.data[i + 2] != ' ' && (text.data[i + 2] < '0' || text.data[i + 2] > '9');
        if (more)
            buf_puts(&out, "     ");
        buf_char(&out, text.data[i]);
        begins = text.data[i] == '\n';
    }
    return buf_str(&out);
}

void explore_story(struct explore *explore, struct explore_level *const *levels, uint32_t count)
{
    struct way *way = memory_new(1, sizeof *way);
    struct buf story;
    way->explore = explore;
    way->levels = memory_new(count + 1, sizeof *way->levels);
    for (uint32_t i = 0; i <= count; i++)
        explore_level_init(&way->levels[i]);
    way->moves = arena_array(explore->arena, count, sizeof *way->moves);
    for (uint32_t i = 1; i < count; i++) {
        if (levels[i]->taken.kind == EXPLORE_FOCUS)
            continue;
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
    for (uint32_t i = 0; i <= count; i++)
        explore_level_fini(&way->levels[i]);
    memory_free(way->levels);
    memory_free(way);
}
