/* One definition that cannot be had keeps no other, and no saga is lost over it. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/runtime/registry.h"
#include "tests/runtime/bed.h"

static struct bed bed;

static void set_up(void)
{
    bed_open(&bed, 1);
}

static void tear_down(void)
{
    bed_close(&bed);
}

TestSuite(registry, .init = set_up, .fini = tear_down, .timeout = 60);

static enum err put(struct registry *registry, const char *yaml, struct err_note *note)
{
    struct diag_list diags;
    const struct plan *plan = NULL;
    bool created = false;
    return registry_put(registry, bed.store, STR("t.yaml"), str_from(yaml), NULL, &bed.arena, &diags, &plan,
                        &created, note);
}

/* Of a thousand participants, others for each group. */
static const char *crowd(int version, int group)
{
    struct buf out;
    buf_init(&out, &bed.arena);
    buf_printf(&out, "saga: crowd\nversion: %d\nsteps:\n", version);
    for (int i = 0; i < 1000; i++)
        buf_printf(&out, "  - { id: s%d, command: p%d-%d.go, compensate: none }\n", i, group, i);
    buf_char(&out, '\0');
    return out.data;
}

Test(registry, more_participants_than_can_be_announced_are_refused)
{
    struct err_note note = {""};
    struct registry *registry = registry_new(0);
    for (int version = 1; version <= 4; version++)
        cr_assert(eq(int, put(registry, crowd(version, version), &note), ERR_OK), "%s", note.text);
    cr_assert(eq(int, put(registry, crowd(5, 5), &note), ERR_LIMIT));
    cr_assert(eq(str, note.text, "all definitions together would have 5000 participants, the limit is 4096"));
    cr_assert(registry_find(registry, STR("crowd"), 5) == NULL);
    registry_free(registry);
}

Test(registry, more_memory_than_allowed_is_refused)
{
    struct err_note note = {""};
    struct registry *registry = registry_new(8 << 20);
    int version = 1;
    while (version < 50 && put(registry, crowd(version, 1), &note) == ERR_OK)
        version++;
    cr_assert(version > 1 && version < 50, "%d", version);
    cr_assert(strstr(note.text, "bytes of memory, the limit is 8388608") != NULL, "%s", note.text);
    registry_free(registry);
}

static void store_unreadable(const char *name, const char *bundle)
{
    struct err_note note;
    struct store_definition row = {.name = str_from(name),
                                   .version = 1,
                                   .hash = STR("0123"),
                                   .bundle = str_from(bundle),
                                   .enabled = true};
    cr_assert(eq(int, store_definition_put(bed.store, &row, &note), ERR_OK));
}

Test(registry, what_does_not_load_is_named_and_hides_nothing)
{
    struct err_note note = {""};
    uint32_t count = 0;
    store_unreadable("future", "{\"yaml\":\"saga: future\\nversion: 1\\nteleport: yes\\n\",\"files\":{}}");
    struct registry *registry = registry_new(0);
    cr_assert(eq(int, registry_refresh(registry, bed.store, &note), ERR_OK));
    cr_assert(registry_find(registry, STR("order"), 1) != NULL);
    cr_assert(registry_find(registry, STR("future"), 1) == NULL);
    cr_assert(registry_is_missing(registry, STR("future"), 0));
    const struct registry_missing *missing = registry_not_loaded(registry, &bed.arena, &count);
    cr_assert(eq(u32, count, 1));
    cr_assert(str_equal(missing[0].name, STR("future")) && missing[0].why.size > 0);
    registry_free(registry);
}

static void boot_again(size_t definitions_bytes)
{
    struct err_note note = {""};
    world_stop(&bed.world, 0);
    bed.world.options.definitions_bytes = definitions_bytes;
    cr_assert(eq(int, world_boot(&bed.world, 0, &note), ERR_OK), "%s", note.text);
}

/* A newer engine has it: this one leaves the saga to it, and neither buries its replies nor forgets it. */
Test(registry, a_saga_whose_definition_is_not_loaded_is_left_alone)
{
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    boot_again(1); /* as if it knew none of them */
    bed_advance(&bed, 15 * DURATION_SECOND_US);
    bed_reply(&bed, &command, "ok", "1");
    bed_advance(&bed, DURATION_SECOND_US);
    cr_expect(eq(u32, bed_dead_letters(&bed, ""), 0), "nothing is buried");
    struct bed_call *verb = bed_verb(&bed, 0, start->answer.id, CORE_EVENT_CANCEL);
    bed_settle(&bed);
    cr_expect(eq(int, verb->answer.error, ERR_UNAVAILABLE));
    boot_again(0);
    bed_advance(&bed, 120 * DURATION_SECOND_US);
    cr_expect(bed_find(&bed, "shop.charge"), "it has gone on with the answer");
}

Test(registry, what_is_no_file_in_the_folder_holds_nothing_up)
{
    char folder[] = "/tmp/saga-registry-XXXXXX";
    struct buf report;
    struct err_note note = {""};
    uint32_t good = 0, bad = 0;
    cr_assert(mkdtemp(folder) != NULL);
    struct str fifo = arena_printf(&bed.arena, "%s/a.yaml", folder);
    struct str inner = arena_printf(&bed.arena, "%s/b.yaml", folder);
    cr_assert(eq(int, mkfifo(fifo.data, 0600), 0));
    cr_assert(eq(int, mkdir(inner.data, 0700), 0));
    buf_init(&report, &bed.arena);
    struct registry *registry = registry_new(0);
    cr_expect(eq(int, registry_put_folder(registry, bed.store, folder, &report, &good, &bad, &note), ERR_OK));
    cr_expect(eq(u32, bad, 2));
    registry_free(registry);
    (void)remove(fifo.data);
    (void)remove(inner.data);
    (void)remove(folder);
}
