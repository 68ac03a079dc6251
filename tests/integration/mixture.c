#include "tests/integration/mixture.h"

#include "tests/integration/shop.h"

enum { WELL_PERCENT = 80, BACK_PERCENT = 25, PIVOT_PERCENT = 10, MEDLEY_PERCENT = 15, RARE_PERCENT = 10 };

static const char *const items[] = {
    ",\"items\":[]",
    ",\"items\":[{\"d\":\"ok\"}]",
    ",\"items\":[{\"d\":\"ok\"},{\"d\":\"retry\"},{\"d\":\"twice\"}]",
    ",\"items\":[{\"d\":\"ok\"},{\"d\":\"slow\"},{\"d\":\"ok\"},{\"d\":\"die_after\"}]",
    ",\"items\":[{\"d\":\"ok\"},{\"d\":\"reject\"},{\"d\":\"ok\"}]",
    ",\"items\":[{\"d\":\"ok\"},{\"d\":\"ok\"},{\"d\":\"lost\"}]",
};
enum { ITEMS = sizeof items / sizeof items[0] };

static bool chance(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}

/* What ties up a participant's thread for long is rarer than the rest. */
const char *mixture_how(struct rng *rng)
{
    if (chance(rng, WELL_PERCENT))
        return "ok";
    enum shop_how how = (enum shop_how)rng_below(rng, SHOP_HOW_COUNT);
    if (how == SHOP_LATE && !chance(rng, RARE_PERCENT))
        how = SHOP_DIE_AFTER;
    return shop_how_names[how];
}

struct world_plan mixture_draw(struct rng *rng)
{
    struct world_plan plan = {.definition = chance(rng, PIVOT_PERCENT) ? "pivot" : "brisk"};
    int steps = 3;
    if (chance(rng, MEDLEY_PERCENT)) {
        plan.definition = "medley";
        plan.more = items[rng_below(rng, ITEMS)];
        steps = WORLD_STEPS;
    }
    for (int i = 0; i < steps; i++)
        plan.how[i] = mixture_how(rng);
    for (int i = 0; i < steps; i++)
        plan.undo[i] = mixture_how(rng);
    if (chance(rng, BACK_PERCENT))
        plan.how[2] = "reject";
    return plan;
}
