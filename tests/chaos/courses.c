/* Draws the sagas of the chaos run, and says how each must end. Knows the definitions of its folder by heart,
 * and no engine. */
#include "tests/chaos/courses.h"

#include <string.h>
#include "tests/integration/mixture.h"

enum { STEPS = 8, NOISE_PERCENT = 20, SLOW_PERCENT = 15, RELAY_PERCENT = 35, ERRAND_PERCENT = 40 };

/* How the steps a, b, … and their compensations go; NULL: well, by one way or another. */
struct ways {
    const char *how[STEPS];
    const char *undo[STEPS];
    const char *stay; /* of a child */
};
/* What goes wrong in a saga or in its child, and what is to come of that. */
struct trouble {
    const char *definition;
    struct ways own;
    struct ways child;
    struct ways item; /* of one of the items */
    const char *end;
};
enum { A, B, C, D, E, F, G, H };

static const struct trouble troubles[] = {
    {"errand", .own.how[H] = "reject", .end = "compensated"},
    {"errand", .own.how[C] = "reject", .end = "compensated"},
    {"errand", .own.how[H] = "reject", .own.undo[A] = "reject", .end = "parked"},
    {"errand", .child.how[A] = "reject", .end = "compensated"},
    {"errand", .child.how[H] = "reject", .end = "compensated"},
    {"errand", .child.stay = "silence", .end = "compensated"},
    {"errand", .own.how[H] = "reject", .child.undo[A] = "reject", .end = "compensated"},
    {"errand", .own.how[H] = "reject", .child.stay = "deeper", .end = "compensated"},
    {"caravan", .own.how[H] = "reject", .end = "compensated"},
    {"caravan", .own.how[F] = "reject", .end = "completed"},
    {"caravan", .child.how[H] = "reject", .end = "completed"},
    {"caravan", .child.how[A] = "reject", .own.how[H] = "reject", .end = "compensated"},
    {"caravan", .child.stay = "silence", .end = "completed"},
    {"caravan", .item.how[H] = "reject", .end = "compensated"},
    {"caravan", .item.stay = "silence", .end = "compensated"},
    {"caravan", .own.how[H] = "reject", .own.undo[C] = "reject", .end = "parked"},
};
enum { TROUBLES = sizeof troubles / sizeof troubles[0], WELL = 2 * TROUBLES };

static bool chance(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}

/* All of these come to an ok in the end; the last four cost a time limit. */
static const char *noise(struct rng *rng)
{
    static const char *const quick[] = {"retry", "twice", "garbage", "foreign", "pending"};
    static const char *const slow[] = {"die_before", "die_after", "slow"};
    if (!chance(rng, NOISE_PERCENT))
        return "ok";
    return chance(rng, SLOW_PERCENT) ? slow[rng_below(rng, 3)] : quick[rng_below(rng, 5)];
}

static void put_hows(struct rng *rng, struct buf *out, const char *member, const char *const hows[STEPS])
{
    buf_printf(out, ",\"%s\":{", member);
    for (int i = 0; i < STEPS; i++)
        buf_printf(out, "%s\"%c\":\"%s\"", i > 0 ? "," : "", 'a' + i, hows[i] != NULL ? hows[i] : noise(rng));
    buf_char(out, '}');
}

static void add_signal(struct courses_plan *plan, const char *definition, struct str key)
{
    plan->signals[plan->signal_count++] = (struct courses_signal){definition, key};
}

/* The input of an excursion, as {"child": …}; part: which of its parent's. */
static void put_child(struct rng *rng, struct arena *arena, struct courses_plan *plan, struct buf *out,
                      uint32_t number, uint32_t part, const struct ways *ways)
{
    static const char *const stays[] = {"none", "none", "short", "long", "word", "word", "deeper"};
    const char *stay = ways->stay != NULL ? ways->stay : stays[rng_below(rng, 7)];
    struct str key = arena_printf(arena, "kid-%u-%u", number, part);
    buf_printf(out, "\"child\":{\"n\":%u,\"key\":\"%.*s\",\"stay\":\"%s\"", number, STR_ARG(key), stay);
    put_hows(rng, out, "how", ways->how);
    put_hows(rng, out, "undo", ways->undo);
    buf_char(out, '}');
    if (strcmp(stay, "word") == 0)
        add_signal(plan, "excursion", key);
}

static void put_items(struct rng *rng, struct arena *arena, struct courses_plan *plan, struct buf *out,
                      uint32_t number, const struct trouble *trouble)
{
    static const struct ways well;
    bool troubled =
        trouble->item.stay != NULL || trouble->item.how[H] != NULL || trouble->own.undo[C] != NULL;
    uint32_t count = (uint32_t)rng_below(rng, COURSES_ITEMS + 1);
    count = troubled && count == 0 ? 1 : count;
    uint32_t bad = count == 0 ? 0 : (uint32_t)rng_below(rng, count);
    buf_puts(out, ",\"items\":[");
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "%s{\"c\":\"%s\",", i > 0 ? "," : "", noise(rng));
        put_child(rng, arena, plan, out, number, i, i == bad ? &trouble->item : &well);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void draw_known(struct rng *rng, struct arena *arena, uint32_t number, struct courses_plan *plan,
                       struct buf *out)
{
    static const struct trouble none = {.end = "completed"};
    uint64_t which = rng_below(rng, TROUBLES + WELL);
    const struct trouble *trouble = which < TROUBLES ? &troubles[which] : &none;
    plan->definition = chance(rng, ERRAND_PERCENT) ? "errand" : "caravan";
    if (trouble->definition != NULL)
        plan->definition = trouble->definition;
    plan->end = trouble->end;
    put_hows(rng, out, "how", trouble->own.how);
    put_hows(rng, out, "undo", trouble->own.undo);
    buf_char(out, ',');
    put_child(rng, arena, plan, out, number, COURSES_ITEMS, &trouble->child);
    if (strcmp(plan->definition, "caravan") == 0) {
        put_items(rng, arena, plan, out, number, trouble);
        return;
    }
    buf_printf(out, ",\"hint\":%s", chance(rng, 25) ? "true" : "false");
    add_signal(plan, "errand", arena_printf(arena, "key-%u", number));
}

static void put_mixed(struct rng *rng, struct buf *out)
{
    const char *hows[STEPS];
    for (int i = 0; i < STEPS; i++)
        hows[i] = mixture_how(rng);
    put_hows(rng, out, "how", hows);
    for (int i = 0; i < STEPS; i++)
        hows[i] = mixture_how(rng);
    put_hows(rng, out, "undo", hows);
}

/* Any kind of failure anywhere, with short time limits. */
static void draw_relay(struct rng *rng, struct arena *arena, uint32_t number, struct courses_plan *plan,
                       struct buf *out)
{
    static const char *const children[] = {"child", "other"};
    plan->definition = "relay";
    plan->end = "";
    put_mixed(rng, out);
    for (int i = 0; i < 2; i++) {
        buf_printf(out, ",\"%s\":{\"n\":%u", children[i], number);
        put_mixed(rng, out);
        buf_char(out, '}');
    }
    if (chance(rng, 50))
        add_signal(plan, "relay", arena_printf(arena, "key-%u", number));
}

struct courses_plan courses_draw(struct rng *rng, struct arena *arena, uint32_t number)
{
    struct courses_plan plan = {0};
    struct buf out;
    buf_init(&out, arena);
    buf_printf(&out, "{\"n\":%u", number);
    if (chance(rng, RELAY_PERCENT))
        draw_relay(rng, arena, number, &plan, &out);
    else
        draw_known(rng, arena, number, &plan, &out);
    buf_char(&out, '}');
    plan.input = buf_str(&out);
    return plan;
}
