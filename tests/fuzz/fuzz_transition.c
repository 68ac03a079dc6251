/* What one event may cost: the bytes make a definition out of what is dear (loops, switches over long lists,
 * large bodies, lookups, compensations that fault), an input, and events. Each transition stays under the
 * bound of its steps, its row and its memory, whatever they are; and the saga goes on, so that what is cut is
 * done. With smaller limits (LIMITS_DIVISOR) all that is dear is smaller by as much, and is cut as often. */
#include "tests/fuzz/fuzz.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/record.h"
#include "engine/definition/definition.h"
#include "tests/core/twin.h"

enum {
    EVENTS_MAX = 60,
    DUE_MAX = 400, /* timers at one time, before the next event */
    BLOCKS_MAX = 5,
    PLANS_KEPT = 512,
    STEPS_MAX =
        LIMITS_TRANSITION_STEPS + LIMITS_SWITCH_STEPS + (LIMITS_SCHEMA_WORK / 8 + 100000) / LIMITS_DIVISOR,
    ROW_MAX = LIMITS_RECORD_BYTES + 2 * LIMITS_PAYLOAD_BYTES + 65536,
    ITEMS = 900 / LIMITS_DIVISOR,
    CASES_MAX =
        4 * (LIMITS_CASES - 1) / (LIMITS_DIVISOR + 3), /* a few over the longest list pass the bound */
    ARENA_MAX = 192 << 20, /* of one event: its values, its record, and the row read back twice */
    STEP_NS = 4000,        /* unoptimized and sanitized, twice stepped */
};

struct play {
    struct str bytes;
    struct arena arena;
    struct twin twin;
    int64_t now_us;
    const struct core_event *event;
    uint64_t steps;
};

static const char *const conditions[] = {
    "$input.list | any(. == 7)",
    "$input.list | map(. * 2) | length > 99999",
    "$input.text | test(\"(a|b)*c{3,40}$\")",
    "($input.list | map($input.object.none) | length) == 1",
    "($input.list | sort | unique | length) == 0",
    "$input.text * 9 | contains(\"never\")",
};
static const char *const bodies[] = {
    "{ a: 1 }",
    "'${ {text: $input.text} }'",
    "'${ {list: ($input.list | map([., .]))} }'",
    "'${ {deep: [$input, $input, $input]} }'",
    "'${ $input.text * 40 }'",
    "'${ {n: ($input.list | map(. + 1) | add)} }'",
};

static uint32_t below(struct play *play, uint32_t bound)
{
    return fuzz_byte(&play->bytes) % bound;
}

/* Mostly small, now and then as large as it may be. */
static uint32_t size_of(struct play *play, uint32_t most)
{
    uint8_t byte = fuzz_byte(&play->bytes);
    return byte < 200 ? byte % 8 : (uint32_t)((uint64_t)most / LIMITS_DIVISOR * (byte - 199) / 56);
}

static void put_step(struct play *play, struct buf *out, const char *indent, uint32_t number)
{
    const char *run = bodies[below(play, sizeof bodies / sizeof *bodies)];
    const char *undo = bodies[below(play, sizeof bodies / sizeof *bodies)];
    buf_printf(out, "%s- { id: s%u, command: p.go, with: %s, compensate: { command: p.undo, with: %s } }\n",
               indent, number, run, undo);
}

static void put_switch(struct play *play, struct buf *out, const char *indent)
{
    uint32_t cases = 1 + below(play, CASES_MAX);
    const char *when = conditions[below(play, sizeof conditions / sizeof *conditions)];
    buf_printf(out, "%s- switch:\n", indent);
    for (uint32_t i = 0; i < cases; i++)
        buf_printf(out, "%s    - { when: '%s', steps: [] }\n", indent, when);
    if (below(play, 4) > 0)
        buf_printf(out, "%s    - { else: [] }\n", indent);
}

static void put_block(struct play *play, struct buf *out, uint32_t number)
{
    static const char *const inner = "        ";
    uint32_t most = 1 + size_of(play, 900);
    switch (below(play, 4)) {
    case 0:
        put_step(play, out, "  ", number);
        return;
    case 1:
        put_switch(play, out, "  ");
        return;
    case 2:
        buf_printf(out, "  - scope:\n      id: b%u\n      on_failure: continue\n      steps:\n", number);
        break;
    default:
        buf_printf(out, "  - foreach:\n      id: b%u\n      in: '${ $input.items[:%u] }'\n      as: i%u\n",
                   number, most, number);
        buf_printf(out, "      max_items: %u\n      max_concurrency: %u\n      steps:\n", most,
                   1 + below(play, 20));
        break;
    }
    if (below(play, 2) == 0)
        put_switch(play, out, inner);
    if (below(play, 3) > 0)
        put_step(play, out, inner, number);
    buf_printf(out, "%s- fail: { code: STOP, when: '($input.list | any(. == %u))' }\n", inner,
               below(play, 9));
}

/* Loading takes longer than most plays, and most inputs differ behind their definition. */
struct kept_plan {
    struct arena arena;
    struct str text;
    const struct plan *plan;
};

/* NULL when it is one that cannot be loaded: too many instances. */
static const struct plan *load(struct str text)
{
    static struct kept_plan kept[PLANS_KEPT];
    struct kept_plan *place = &kept[str_hash(text) % PLANS_KEPT];
    if (place->text.size > 0 && str_equal(place->text, text))
        return place->plan;
    struct diag_list diags;
    arena_fini(&place->arena);
    arena_init(&place->arena, 0);
    place->text = arena_copy(&place->arena, text);
    diag_init(&diags, &place->arena, STR("dear.yaml"), place->text);
    place->plan = definition_load(&place->arena, place->text, NULL, &diags);
    return place->plan;
}

static const struct plan *make_plan(struct play *play)
{
    struct buf out;
    uint32_t blocks = 1 + below(play, BLOCKS_MAX);
    buf_init(&out, &play->arena);
    buf_puts(&out, "saga: dear\nversion: 1\nsteps:\n");
    for (uint32_t i = 0; i < blocks; i++)
        put_block(play, &out, i);
    return load(buf_str(&out));
}

static const struct json *numbers(struct play *play, uint32_t count)
{
    static const struct json one = {.kind = JSON_NUMBER, .text = {"1", 1}};
    const struct json **items = arena_array(&play->arena, count, sizeof *items);
    for (uint32_t i = 0; i < count; i++)
        items[i] = &one;
    return json_new_array(&play->arena, items, count);
}

static const struct json *make_input(struct play *play)
{
    uint32_t text = size_of(play, 100000), list = size_of(play, 30000), width = size_of(play, 3000);
    char *letters = arena_alloc(&play->arena, text + 1);
    memset(letters, 'a', text);
    struct json_member *wide = arena_array(&play->arena, width, sizeof *wide);
    for (uint32_t i = 0; i < width; i++)
        wide[i] = (struct json_member){arena_printf(&play->arena, "k%u", i), &json_null};
    struct json_member *members = arena_array(&play->arena, 4, sizeof *members);
    members[0] =
        (struct json_member){STR("text"), json_new_string(&play->arena, (struct str){letters, text})};
    members[1] = (struct json_member){STR("list"), numbers(play, list)};
    members[2] = (struct json_member){STR("items"), numbers(play, ITEMS)};
    members[3] = (struct json_member){STR("object"), json_new_object(&play->arena, wide, width)};
    return json_new_object(&play->arena, members, 4);
}

static void step(void *context)
{
    struct play *play = context;
    struct twin *twin = &play->twin;
    size_t before = twin->batch.used;
    enum core_verdict verdict = twin_step(twin, play->event);
    play->steps = twin->update.steps;
    check(twin->update.steps <= STEPS_MAX);
    check(twin->batch.used - before <= ARENA_MAX);
    if (verdict == CORE_USED) {
        struct buf row;
        buf_init(&row, &twin->batch);
        record_write(&row, &twin->live, &twin->update.record);
        check(row.size <= ROW_MAX);
    }
    twin_clear(twin);
}

static void give(struct play *play, const struct core_event *event)
{
    play->event = event;
    fuzz_measured_once(step, play, &play->steps, STEP_NS);
}

static void settle(struct play *play)
{
    for (uint32_t i = 0; i < DUE_MAX && core_wake(&play->twin.live) <= play->now_us; i++)
        give(play, &(struct core_event){.kind = CORE_EVENT_TIMER, .at_us = play->now_us});
}

static void answer(struct play *play)
{
    const struct core_saga *saga = &play->twin.live;
    uint32_t how = below(play, 8);
    for (uint16_t i = 0; i < saga->step_count; i++) {
        enum core_step_state state = saga->steps[i].state;
        bool undo = state == CORE_STEP_UNDO_SENT;
        if (state != CORE_STEP_SENT && !undo)
            continue;
        struct core_event event = {.kind = CORE_EVENT_REPLY,
                                   .at_us = play->now_us,
                                   .step = arena_copy(&play->arena, core_step_path(saga, i)),
                                   .command_kind = undo ? CORE_UNDO : CORE_DO,
                                   .attempt = saga->steps[i].attempts[undo ? CORE_UNDO : CORE_DO],
                                   .status = how == 0 ? CORE_REPLY_REJECTED : CORE_REPLY_OK};
        if (how == 1)
            event.body = numbers(play, size_of(play, 100000));
        give(play, &event);
        return;
    }
}

static void act(struct play *play)
{
    uint32_t what = below(play, 16);
    if (what < 12) {
        answer(play);
        return;
    }
    if (what < 14) {
        play->now_us += 3000000;
        return;
    }
    enum core_event_kind kind = what == 14               ? CORE_EVENT_CANCEL
                                : play->twin.live.paused ? CORE_EVENT_RESUME
                                                         : CORE_EVENT_PAUSE;
    give(play, &(struct core_event){.kind = kind, .at_us = play->now_us, .actor = STR("ann")});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play play;
    play = (struct play){.bytes = {(const char *)data, size}, .now_us = twin_epoch_us};
    arena_init(&play.arena, 0);
    const struct plan *plan = make_plan(&play);
    if (plan) {
        struct core_event start = {
            .kind = CORE_EVENT_START, .at_us = play.now_us, .input = make_input(&play)};
        twin_init(&play.twin, plan);
        give(&play, &start);
        settle(&play);
        for (int i = 0; i < EVENTS_MAX && play.bytes.size > 0; i++) {
            act(&play);
            settle(&play);
        }
        twin_fini(&play.twin);
    }
    arena_fini(&play.arena);
    return 0;
}
