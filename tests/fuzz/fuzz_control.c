/* Messages of saga.ctl: any text becomes a start, a verb or a reason; what was read and is written again
 * reads as the same; a verb that was read can be stepped and journalled. Answers likewise. */
#include "tests/fuzz/fuzz.h"
#include "engine/base/check.h"
#include "engine/runtime/control.h"
#include "engine/store/memory_store.h"
#include "tests/core/twin.h"

/* The examples, known to an engine; kept for the process. */
static struct registry *known(void)
{
    static struct registry *registry;
    static struct memory_store_world *world;
    if (registry == NULL) {
        struct arena arena;
        struct buf report;
        struct err_note note = {""};
        uint32_t good = 0, bad = 0;
        arena_init(&arena, 0);
        buf_init(&report, &arena);
        world = memory_store_new(1);
        registry = registry_new(0);
        struct store *store = memory_store_open(world);
        check(registry_put_folder(registry, store, SAGA_SOURCE_DIR "/definitions/examples", &report, &good,
                                  &bad, &note) == ERR_OK);
        check(good > 0 && bad == 0);
        store_close(store);
        arena_fini(&arena);
    }
    return registry;
}

static void step(const struct inbox_task *task)
{
    struct core_event start = {.kind = CORE_EVENT_START, .at_us = twin_epoch_us, .seed = 7};
    struct core_event verb = task->verb;
    struct twin twin;
    twin_init(&twin, fuzz_plan(0));
    start.input = fuzz_is_json(&twin.batch, fuzz_input(0));
    check(twin_step(&twin, &start) == CORE_USED);
    twin_clear(&twin);
    verb.at_us = twin_epoch_us + 1;
    (void)twin_step(&twin, &verb);
    twin_fini(&twin);
}

static bool same_tree(const struct json *a, const struct json *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || json_equal(a, b));
}

static void check_same_verb(const struct core_event *a, const struct core_event *b)
{
    check(a->kind >= CORE_EVENT_CANCEL && a->kind == b->kind && a->status == b->status);
    check(str_equal(a->step, b->step) && str_equal(a->error_code, b->error_code));
    check(str_equal(a->error_message, b->error_message));
    check(str_equal(a->signal, b->signal) && str_equal(a->signal_id, b->signal_id));
    check(a->kind != CORE_EVENT_UNDO && a->due_us == b->due_us);
    check(str_equal(a->actor, b->actor) && str_equal(a->reason, b->reason) && same_tree(a->body, b->body));
}

static void check_same_start(const struct engine_start *a, const struct engine_start *b)
{
    check(a->plan != NULL && a->plan == b->plan);
    check(str_equal(a->key, b->key) && str_equal(a->correlation, b->correlation));
    check(str_equal(a->traceparent, b->traceparent));
    check(same_tree(a->input, b->input) && same_tree(a->search, b->search));
}

static void check_same_child(const struct envelope_child *a, const struct envelope_child *b)
{
    check(id_equal(a->child, b->child) && id_equal(a->parent, b->parent));
    check(str_equal(a->step, b->step) && str_equal(a->definition, b->definition));
    check(a->kind == b->kind && a->kind != CORE_VERIFY && a->attempt == b->attempt);
    check(a->version == b->version && a->input != NULL && same_tree(a->input, b->input));
    check(str_equal(a->correlation, b->correlation) && str_equal(a->traceparent, b->traceparent));
}

static void check_request(struct str text, struct arena *arena)
{
    struct inbox_task first = {.kind = INBOX_UNREAD}, second = {.kind = INBOX_UNREAD};
    struct str reason = {0};
    if (control_read(text, known(), arena, &first, &reason) == ERR_OK) {
        struct str written = control_write(&first, STR(""), arena);
        (void)fuzz_is_json(arena, written);
        check(control_read(written, known(), arena, &second, &reason) == ERR_OK);
        check(second.kind == first.kind && second.has_id == first.has_id);
        check(!first.has_id || id_equal(first.id, second.id));
        check(str_equal(written, control_write(&second, STR(""), arena)));
        if (first.kind == INBOX_VERB) {
            check_same_verb(&first.verb, &second.verb);
            step(&first);
        } else if (first.kind == INBOX_CHILD) {
            check_same_child(&first.child, &second.child);
        } else {
            check_same_start(&first.start, &second.start);
        }
    } else {
        check(reason.size > 0 && str_is_utf8(reason) && first.kind == INBOX_UNREAD);
    }
}

static void check_answer(struct str text, struct arena *arena)
{
    struct engine_answer first, second;
    if (!control_read_answer(text, arena, &first))
        return;
    struct str written = control_write_answer(&first, arena);
    check(control_read_answer(written, arena, &second));
    check(second.error == first.error && second.created == first.created && second.seq == first.seq &&
          second.status == first.status && id_equal(second.id, first.id));
    check(str_equal(written, control_write_answer(&second, arena)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena arena;
    arena_init(&arena, 0);
    check_request(text, &arena);
    check_answer(text, &arena);
    arena_fini(&arena);
    return 0;
}
