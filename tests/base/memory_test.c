/* Arena, buffer, process memory, errors, checks. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/memory.h"
#include "engine/base/rng.h"
#include "tests/base/expect.h"

static bool all_zero(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i])
            return false;
    }
    return true;
}

Test(arena, gives_aligned_zeroed_room_of_any_size_that_nobody_else_writes_to)
{
    enum { BLOCKS = 600 };
    struct arena arena;
    struct rng rng;
    char *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    arena_init(&arena, 0);
    rng_init(&rng, 7);
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            sizes[i] = i % 97 == 0 ? 5000 + (size_t)rng_below(&rng, 200000) : (size_t)rng_below(&rng, 300);
            blocks[i] = arena_alloc(&arena, sizes[i]);
            cr_assert((uintptr_t)blocks[i] % 16 == 0);
            cr_assert(all_zero(blocks[i], sizes[i]), "round %d, block %zu", round, i);
            memset(blocks[i], (int)(i & 127) + 1, sizes[i]);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            for (size_t j = 0; j < sizes[i]; j++)
                cr_assert(blocks[i][j] == (char)((i & 127) + 1));
        }
        arena_reset(&arena);
        cr_assert(arena.used == 0);
    }
    arena_fini(&arena);
}

Test(arena, counts_what_it_gave)
{
    struct arena arena;
    arena_init(&arena, 100);
    cr_assert(arena.used == 0 && !arena.chunks); /* takes nothing before the first allocation */
    arena_alloc(&arena, 1000);
    size_t once = arena.used;
    cr_assert(once >= 1000 && once < 1100);
    arena_alloc(&arena, 1000);
    cr_assert(arena.used == 2 * once);
    arena_fini(&arena);
}

Test(arena, keeps_the_largest_chunk_at_a_reset)
{
    struct arena arena;
    arena_init(&arena, 64);
    arena_alloc(&arena, 32);
    arena_alloc(&arena, 100000);
    arena_alloc(&arena, 32);
    arena_reset(&arena);
    struct arena_chunk *kept = arena.chunks;
    cr_assert(kept && arena.end - arena.next >= 100000);
    arena_alloc(&arena, 90000);
    cr_assert(arena.chunks == kept, "the kept chunk serves the next round");
    arena_fini(&arena);
    arena_init(&arena, 64);
    arena_reset(&arena); /* an arena that never gave anything */
    arena_fini(&arena);
}

Test(arena, grows_the_last_block_in_place_and_copies_others)
{
    struct arena arena;
    arena_init(&arena, 4096);
    char *first = arena_resize(&arena, NULL, 0, 10);
    memcpy(first, "0123456789", 10);
    cr_assert(arena_resize(&arena, first, 10, 500) == first);
    arena_alloc(&arena, 1);
    char *moved = arena_resize(&arena, first, 500, 600);
    cr_assert(moved != first && memcmp(moved, "0123456789", 10) == 0);
    char *large = arena_resize(&arena, moved, 600, 100000);
    cr_assert(memcmp(large, "0123456789", 10) == 0);
    arena_fini(&arena);
}

Test(arena, formats_texts_of_any_length)
{
    struct arena arena;
    arena_init(&arena, 0);
    EXPECT_TEXT(arena_printf(&arena, "%s-%d", "a", 7), "a-7");
    for (int size = 250; size < 262; size++) {
        struct str text = arena_printf(&arena, "%*d", size, 5);
        cr_assert(text.size == (size_t)size && text.data[size - 1] == '5' && text.data[size] == '\0');
    }
    struct str copy = arena_copy(&arena, (struct str){"ab\0c", 4});
    cr_assert(copy.size == 4 && memcmp(copy.data, "ab\0c", 5) == 0);
    cr_assert(arena_copy(&arena, (struct str){0}).data[0] == '\0');
    arena_fini(&arena);
}

Test(arena, ends_the_process_when_a_size_overflows, .signal = SIGABRT)
{
    struct arena arena;
    arena_init(&arena, 0);
    arena_array(&arena, SIZE_MAX / 4, 16);
}

#ifdef ARENA_ASAN
Test(arena, hides_from_asan_what_is_not_given_out)
{
    struct arena arena;
    arena_init(&arena, 0);
    char *data = arena_alloc(&arena, 20);
    cr_assert(!__asan_address_is_poisoned(data + 19));
    cr_assert(__asan_address_is_poisoned(data + 20), "an overrun by one byte is found");
    arena_reset(&arena);
    cr_assert(__asan_address_is_poisoned(data), "so is a use after the reset");
    arena_fini(&arena);
}
#endif

Test(buf, collects_pieces_beside_other_allocations)
{
    struct arena arena;
    struct buf buf;
    arena_init(&arena, 0);
    buf_init(&buf, &arena);
    EXPECT_TEXT(buf_str(&buf), "");
    for (int i = 0; i < 1000; i++) {
        buf_printf(&buf, "%d,", i);
        if (i % 10 == 0)
            arena_alloc(&arena, 8);
    }
    char expected[8000];
    size_t size = 0;
    for (int i = 0; i < 1000; i++)
        size += (size_t)snprintf(expected + size, sizeof expected - size, "%d,", i);
    EXPECT_TEXT(buf_str(&buf), expected);
    cr_assert(buf_str(&buf).data[size] == '\0');
    arena_fini(&arena);
}

Test(buf, writes_numbers_characters_and_long_formats)
{
    struct arena arena;
    struct buf buf;
    arena_init(&arena, 0);
    buf_init(&buf, &arena);
    buf_i64(&buf, INT64_MIN);
    buf_char(&buf, ' ');
    buf_i64(&buf, INT64_MAX);
    buf_puts(&buf, " ");
    buf_i64(&buf, 0);
    buf_put(&buf, (struct str){0});
    EXPECT_TEXT(buf_str(&buf), "-9223372036854775808 9223372036854775807 0");
    for (int width = 1; width < 300; width++) {
        struct buf wide;
        buf_init(&wide, &arena);
        buf_printf(&wide, "%*d", width, 7);
        cr_assert(buf_str(&wide).size == (size_t)width && wide.data[width - 1] == '7');
    }
    arena_fini(&arena);
}

Test(memory, is_zeroed_and_grows)
{
    char *data = memory_new(10, 10);
    cr_assert(all_zero(data, 100));
    data[99] = 'x';
    data = memory_resize(data, 1000, 10);
    cr_assert(data[99] == 'x');
    memory_free(data);
    memory_free(NULL);
    memory_free(memory_new(0, 8));
}

Test(memory, ends_the_process_when_a_size_overflows, .signal = SIGABRT)
{
    memory_resize(NULL, SIZE_MAX / 2, 4);
}

Test(check, stops_the_process, .signal = SIGABRT)
{
    check(1 + 1 == 2);
    check(1 + 1 == 3);
}

Test(err, has_a_text_for_each_code)
{
    EXPECT_TEXT(str_from(err_text(ERR_OK)), "no error");
    EXPECT_TEXT(str_from(err_text(ERR_UNKNOWN_OUTCOME)), "outcome unknown");
    EXPECT_TEXT(str_from(err_text(ERR_IO)), "input or output error");
}

Test(err, note_may_take_itself_as_context_and_is_cut_at_a_character)
{
    struct err_note note;
    cr_assert(err_note(&note, ERR_IO, "disk %d", 3) == ERR_IO);
    cr_assert(err_note(&note, ERR_FULL, "writing: %s", note.text) == ERR_FULL);
    EXPECT_TEXT(str_from(note.text), "writing: disk 3");
    cr_assert(err_note(NULL, ERR_FULL, "nobody listens") == ERR_FULL);
    for (int shift = 0; shift < 4; shift++) {
        char text[1200] = "abc";
        for (size_t i = (size_t)shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 5);
        cr_assert(err_note(&note, ERR_LIMIT, "%s", text) == ERR_LIMIT);
        size_t size = strlen(note.text);
        cr_assert(size >= sizeof note.text - 4 && size < sizeof note.text);
        cr_assert(str_is_utf8(str_from(note.text)), "shift %d", shift);
    }
}
