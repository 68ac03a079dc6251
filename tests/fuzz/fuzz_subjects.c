/* Subjects, one a line: each is read whole or not at all. What was read and is written again is the same
 * text, so that nothing else can pass for it; what has a name can be sent; an acknowledgement of ours names
 * our stream and consumer, to the byte. */
#include "tests/fuzz/fuzz.h"
#include <inttypes.h>
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/bus/bus.h"
#include "engine/bus/subject.h"

static void check_sendable(struct str subject)
{
    struct bus_message message = {.subject = subject};
    struct err_note note = {""};
    check(bus_check(&message, STR(""), &note) == ERR_OK);
}

static void check_name(struct str name)
{
    struct err_note note = {""};
    check(name.size > 0 && bus_check_participant(name, &note) == ERR_OK);
}

static void check_control(struct str subject, struct arena *arena)
{
    uint32_t shard;
    if (!subject_control(subject, &shard))
        return;
    check(shard < LIMITS_SHARDS_MAX);
    check(str_equal(subject, arena_printf(arena, "saga.ctl.%" PRIu32, shard)));
}

static void check_reply(struct str subject, struct arena *arena)
{
    uint32_t shard;
    struct str participant;
    if (!subject_reply(subject, &shard, &participant))
        return;
    check(shard < LIMITS_SHARDS_MAX);
    check_name(participant);
    check_sendable(subject);
    check(
        str_equal(subject, arena_printf(arena, "saga.reply.%" PRIu32 ".%.*s", shard, STR_ARG(participant))));
}

static void check_in(struct str subject, struct arena *arena)
{
    static const char *const kinds[] = {[SUBJECT_NONE] = "",
                                        [SUBJECT_START] = "start",
                                        [SUBJECT_CHILD] = "child",
                                        [SUBJECT_SIGNAL] = "signal"};
    struct str name;
    enum subject_wish wish = subject_in(subject, &name);
    if (wish == SUBJECT_NONE)
        return;
    check(name.size > 0 && str_is_utf8(name));
    if (wish != SUBJECT_SIGNAL)
        check_name(name);
    check(str_equal(subject, arena_printf(arena, "saga.%s.%.*s", kinds[wish], STR_ARG(name))));
}

static void check_ack(struct str subject, struct arena *arena)
{
    struct subject_ack ack;
    uint32_t shard = 0;
    if (!subject_ack(subject, &ack))
        return;
    check(str_starts(subject, STR("$JS.ACK.")) && ack.stream.size > 0 && ack.consumer.size > 0);
    check(ack.deliveries > 0 && ack.time_ns >= 0);
    struct buf out;
    buf_init(&out, arena);
    buf_put(&out, ack.stream);
    buf_char(&out, '.');
    buf_put(&out, ack.consumer);
    buf_printf(&out, ".%" PRIu64 ".", ack.deliveries);
    buf_put(&out, ack.sequence);
    buf_char(&out, '.');
    struct str named = buf_str(&out);
    struct str from = {ack.stream.data, named.size};
    check(from.data + from.size <= subject.data + subject.size && str_equal(from, named));
    switch (subject_origin(&ack, &shard)) {
    case SUBJECT_OF_OTHERS:
        return;
    case SUBJECT_OF_IN:
        check(str_starts(named, STR("SAGA_IN.engine.")));
        return;
    case SUBJECT_OF_SHARD:
        check(shard < LIMITS_SHARDS_MAX);
        check(str_starts(named, arena_printf(arena, "SAGA_REPLY.shard-%" PRIu32 ".", shard)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena arena;
    arena_init(&arena, 0);
    while (text.size > 0) {
        struct str line = fuzz_line(&text);
        struct str subject = arena_copy(&arena, line);
        check_control(subject, &arena);
        check_reply(subject, &arena);
        check_in(subject, &arena);
        check_ack(subject, &arena);
    }
    arena_fini(&arena);
    return 0;
}
