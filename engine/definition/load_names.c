/* Names that look like one name typed twice: a participant nobody listens as, a step nobody meant. They are
 * warnings, since they may well be two. Words that differ by a digit (leg1, leg2), by a short word (leg_a,
 * leg_b) or are short themselves are names people give on purpose. */
#include "engine/definition/load.h"

#include "engine/base/map.h"

enum { WORD_BYTES_MIN = 5 };

struct name {
    struct str text;
    struct str group; /* names of different groups are not compared: a command's participant, a participant's
                         carrier */
    struct diag_place place;
};
struct names {
    struct load *load;
    struct map seen;
    struct name *items;
    uint32_t count;
    const char *what;
    bool plurals; /* "parcel" and "parcels" are one typed twice; else they are two */
};

/* ---- one slip of the finger ---- */

static bool is_mark(char c)
{
    return c == '_' || c == '-' || c == '.';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The same but for capitals and the marks between words. */
static bool same_letters(struct str a, struct str b)
{
    size_t i = 0;
    size_t j = 0;
    for (;;) {
        while (i < a.size && is_mark(a.data[i]))
            i++;
        while (j < b.size && is_mark(b.data[j]))
            j++;
        if (i == a.size || j == b.size)
            return i == a.size && j == b.size;
        if (lower(a.data[i++]) != lower(b.data[j++]))
            return false;
    }
}

/* Of the word around a place. */
static size_t word_size(struct str text, size_t at)
{
    size_t begin = at < text.size ? at : text.size;
    size_t end = begin;
    while (begin > 0 && !is_mark(text.data[begin - 1]))
        begin--;
    while (end < text.size && !is_mark(text.data[end]))
        end++;
    return end - begin;
}

static bool has_digit(struct str text, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        if (text.data[i] >= '0' && text.data[i] <= '9')
            return true;
    }
    return false;
}

/* Where two texts differ: [begin, a.size - tail) against [begin, b.size - tail). */
struct gap {
    size_t begin, tail;
};

static struct gap find_gap(struct str a, struct str b)
{
    struct gap gap = {0};
    size_t least = a.size < b.size ? a.size : b.size;
    while (gap.begin < least && a.data[gap.begin] == b.data[gap.begin])
        gap.begin++;
    while (gap.tail < least - gap.begin && a.data[a.size - 1 - gap.tail] == b.data[b.size - 1 - gap.tail])
        gap.tail++;
    return gap;
}

static bool is_plural(struct str a, struct str b, struct gap gap)
{
    struct str more = a.size > b.size ? a : b;
    size_t end = gap.begin + 1;
    return a.size != b.size && more.data[gap.begin] == 's' && (end == more.size || is_mark(more.data[end]));
}

/* One letter more, less or other, or two neighbours swapped, within a word that is long enough. */
static bool one_letter(struct str a, struct str b, bool plurals)
{
    struct gap gap = find_gap(a, b);
    size_t of_a = a.size - gap.begin - gap.tail;
    size_t of_b = b.size - gap.begin - gap.tail;
    bool swapped = of_a == 2 && of_b == 2 && a.data[gap.begin] == b.data[gap.begin + 1] &&
                   a.data[gap.begin + 1] == b.data[gap.begin];
    if (!swapped && (of_a > 1 || of_b > 1))
        return false;
    if (has_digit(a, gap.begin, gap.begin + of_a) || has_digit(b, gap.begin, gap.begin + of_b))
        return false;
    if (!plurals && is_plural(a, b, gap))
        return false;
    return word_size(a, gap.begin) >= WORD_BYTES_MIN && word_size(b, gap.begin) >= WORD_BYTES_MIN;
}

/* ---- what there is ---- */

/* The first of each text only. */
static void add(struct names *names, struct str text, struct str group, struct str key,
                struct diag_place place)
{
    struct arena *arena = names->load->diags->arena;
    if (map_set(&names->seen, key, names))
        return;
    if ((names->count & (names->count - 1)) == 0) { /* 0, 1, 2, 4, …: full */
        struct name *items = arena_array(arena, names->count ? (size_t)names->count * 2 : 1, sizeof *items);
        for (uint32_t i = 0; i < names->count; i++)
            items[i] = names->items[i];
        names->items = items;
    }
    names->items[names->count++] = (struct name){text, group, place};
}

static void report(struct names *names, const struct name *a, const struct name *b)
{
    problem_add(names->load->diags, b->place, PROBLEM_SIMILAR_NAMES,
                STR("when one is meant, write it the same everywhere; when two are, names further apart are "
                    "easier to tell"),
                "the %s \"%.*s\" looks like \"%.*s\" in line %u", names->what, STR_ARG(b->text),
                STR_ARG(a->text), a->place.line);
}

static bool is_similar(const struct names *names, const struct name *a, const struct name *b)
{
    return str_equal(a->group, b->group) &&
           (same_letters(a->text, b->text) || one_letter(a->text, b->text, names->plurals));
}

/* Each with those before it; said once of each, and not when nobody would see it. */
static void compare(struct names *names)
{
    for (uint32_t i = 1; i < names->count && names->load->diags->count < LIMITS_ERRORS_COUNT; i++) {
        uint32_t j = 0;
        while (j < i && !is_similar(names, &names->items[j], &names->items[i]))
            j++;
        if (j < i)
            report(names, &names->items[j], &names->items[i]);
    }
}

/* ---- ids, participants, commands ---- */

static void check_ids(struct load *load)
{
    struct names names = {.load = load, .what = "id"};
    map_init(&names.seen);
    for (uint16_t i = 1; i < load->plan->node_count; i++) {
        const struct plan_node *node = &load->nodes[i];
        if (node->kind != PLAN_SEQUENCE && str_find(node->id, ':') == node->id.size)
            add(&names, node->id, STR(""), node->id, node->place);
    }
    compare(&names);
    map_fini(&names.seen);
}

/* Where a command stands: as the value of a key, or below it. */
static struct diag_place command_place(const struct tree *step, enum keys_key key)
{
    const struct tree *value = tree_get(step, keys_text(key));
    const struct tree *below = value ? tree_get(value, keys_text(KEYS_STEP_COMMAND)) : NULL;
    const struct tree *found = below ? below : value;
    return found ? found->place : step->place;
}

static void add_action(struct names *participants, struct names *commands, const struct plan_action *action,
                       struct diag_place place)
{
    if (!action->command.size)
        return;
    struct str carrier = action->via == PLAN_VIA_STREAM ? STR("stream") : STR("request");
    add(participants, action->participant, carrier, action->participant, place);
    add(commands, action->action, action->participant, action->command, place);
}

static void check_commands(struct load *load)
{
    struct names participants = {.load = load, .what = "participant", .plurals = true};
    struct names commands = {.load = load, .what = "command", .plurals = true};
    map_init(&participants.seen);
    map_init(&commands.seen);
    for (uint16_t i = 1; i < load->plan->node_count; i++) {
        const struct plan_step *step = load->nodes[i].step;
        const struct tree *own = load->trees[i];
        if (load->nodes[i].kind != PLAN_STEP)
            continue;
        add_action(&participants, &commands, &step->run, command_place(own, KEYS_STEP_COMMAND));
        add_action(&participants, &commands, &step->verify, command_place(own, KEYS_STEP_VERIFY));
        add_action(&participants, &commands, &step->undo, command_place(own, KEYS_STEP_COMPENSATE));
    }
    compare(&participants);
    compare(&commands);
    map_fini(&participants.seen);
    map_fini(&commands.seen);
}

void load_names(struct load *load)
{
    check_ids(load);
    check_commands(load);
}
