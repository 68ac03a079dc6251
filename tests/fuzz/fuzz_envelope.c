/* Messages: subject and header lines, separator, body. Whatever they hold, they become an event or a reason;
 * what becomes an event can be stepped, journalled, read back, and what comes of it can be sent. Headers
 * always become JSON. */
#include "tests/fuzz/fuzz.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/bus/envelope.h"
#include "engine/core/view.h"
#include "tests/core/twin.h"

static void read_message(struct str data, struct bus_message *message)
{
    struct str head = fuzz_part(&data);
    message->header_count = 0;
    message->subject = fuzz_line(&head);
    message->body = data;
    while (head.size > 0 && message->header_count < BUS_HEADERS_MAX) {
        struct str line = fuzz_line(&head);
        size_t colon = str_find(line, ':');
        message->headers[message->header_count++] =
            (struct bus_header){str_slice(line, 0, colon), str_trim(str_slice(line, colon + 1, line.size))};
    }
}

static void check_sent(const struct twin *twin, struct arena *arena)
{
    const struct core_saga *saga = &twin->live;
    for (uint32_t i = 0; i < twin->update.record.change_count; i++) {
        const struct core_change *change = &twin->update.record.changes[i];
        if (change->kind != CORE_CHANGE_SEND)
            continue;
        const struct plan_step *step = saga->plan->nodes[saga->steps[change->step].node].step;
        struct envelope_command command = {.saga = saga->id,
                                           .definition = saga->plan->name,
                                           .step = core_step_path(saga, change->step),
                                           .kind = change->command,
                                           .attempt = change->attempt,
                                           .action = core_action(step, change->command),
                                           .correlation = saga->correlation,
                                           .traceparent = saga->traceparent,
                                           .body = json_text(arena, change->body)};
        struct bus_message message;
        struct err_note note = {""};
        struct str id, path;
        struct id read;
        enum core_kind kind;
        uint32_t attempt;
        envelope_command(&command, arena, &message, &id);
        check(bus_check(&message, id, &note) == ERR_OK);
        check(envelope_command_parse(id, &read, &path, &kind, &attempt));
        check(id_equal(read, saga->id) && str_equal(path, command.step) && kind == command.kind &&
              attempt == command.attempt);
    }
}

/* One event through the core, out and in again; the saga as clients and listeners see it. */
static void take(struct twin *twin, const struct core_event *event)
{
    struct arena arena;
    struct buf view;
    struct bus_message message;
    struct err_note note = {""};
    struct str id;
    arena_init(&arena, 0);
    buf_init(&view, &arena);
    if (twin_step(twin, event) == CORE_USED)
        check_sent(twin, &arena);
    check(str_is_utf8(twin->update.why));
    if (twin->live.seq > 0) {
        view_json(&view, &twin->live);
        (void)fuzz_is_json(&arena, buf_str(&view));
        envelope_event(&twin->live, STR("started"), &arena, &message, &id);
        check(bus_check(&message, id, &note) == ERR_OK);
        (void)fuzz_is_json(&arena, message.body);
    }
    arena_fini(&arena);
}

static void begin(struct twin *twin)
{
    struct core_event start = {.kind = CORE_EVENT_START, .at_us = twin_epoch_us, .seed = 7};
    twin_init(twin, fuzz_plan(0));
    start.input = fuzz_is_json(&twin->batch, fuzz_input(0));
    check(twin_step(twin, &start) == CORE_USED);
    twin_clear(twin);
}

static void check_outcome(const struct core_event *event)
{
    check(event->kind == CORE_EVENT_REPLY);
    check(event->error_code.size <= LIMITS_ERROR_CODE_BYTES && str_is_utf8(event->error_code));
    check(event->error_message.size <= LIMITS_ERROR_MESSAGE_BYTES && str_is_utf8(event->error_message));
    check(event->retry_after_us >= 0);
}

static void check_reply(const struct bus_message *message, struct arena *arena)
{
    struct core_event event;
    struct id id;
    struct str reason = {0};
    bool known = false;
    if (!envelope_reply(message, arena, &event, &id, &known, &reason)) {
        check(reason.size > 0 && str_is_utf8(reason));
        return;
    }
    check(known);
    check_outcome(&event);
    struct twin twin;
    begin(&twin);
    event.at_us = twin_epoch_us + 1;
    take(&twin, &event);
    twin_fini(&twin);
}

static void check_answer(const struct bus_message *message, enum err error, struct arena *arena)
{
    struct twin twin;
    begin(&twin);
    const struct core_saga *saga = &twin.live;
    struct bus_delivery delivery = {.source = BUS_SOURCE_ANSWER, .error = error, .message = *message};
    struct ticket asked = {.saga = saga->id,
                           .step = core_step_path(saga, 0),
                           .kind = CORE_DO,
                           .attempt = 1,
                           .command = saga->plan->nodes[saga->steps[0].node].step->run.command};
    struct core_event event;
    envelope_answer(&delivery, &asked, arena, &event);
    check((event.status == CORE_REPLY_UNSENT) == (error != ERR_OK));
    check_outcome(&event);
    event.at_us = twin_epoch_us + 1;
    take(&twin, &event);
    twin_fini(&twin);
}

static void check_start(const struct bus_message *message, struct arena *arena)
{
    struct envelope_start start;
    struct str reason = {0};
    if (!envelope_start(message, arena, &start, &reason)) {
        check(reason.size > 0 && str_is_utf8(reason));
        return;
    }
    check(start.input != NULL && start.version >= 0);
    struct twin twin;
    twin_init(&twin, fuzz_plan(0));
    struct core_event event = {.kind = CORE_EVENT_START,
                               .at_us = twin_epoch_us,
                               .input = start.input,
                               .key = start.key,
                               .correlation = start.correlation,
                               .traceparent = start.traceparent};
    take(&twin, &event);
    twin_fini(&twin);
}

/* What was understood is written as it was read. */
static void check_child(const struct bus_message *message, struct arena *arena)
{
    struct envelope_child child, again;
    struct bus_message written;
    struct str reason = {0}, id;
    if (!envelope_child_read(message, arena, &child, &reason)) {
        check(reason.size > 0 && str_is_utf8(reason));
        return;
    }
    check(child.kind != CORE_VERIFY);
    envelope_child(&child, arena, &written, &id);
    check(envelope_child_read(&written, arena, &again, &reason));
    check(id_equal(child.parent, again.parent) && id_equal(child.child, again.child));
    check(str_equal(child.step, again.step) && str_equal(child.definition, again.definition));
    check(child.kind == again.kind && child.attempt == again.attempt && child.version == again.version);
    check(json_equal(child.input, again.input));
}

static void check_signal(const struct bus_message *message, struct arena *arena)
{
    struct bus_delivery delivery = {
        .source = BUS_SOURCE_IN, .identity = STR("SAGA_IN/7/1"), .message = *message};
    struct envelope_signal signal;
    struct str reason = {0};
    if (!envelope_signal(&delivery, arena, &signal, &reason)) {
        check(reason.size > 0 && str_is_utf8(reason));
        return;
    }
    check(signal.event.size > 0 && signal.id.size > 0);
    check(signal.has_saga != (signal.key.size > 0) && str_is_utf8(signal.key) && str_is_utf8(signal.id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bus_message message = {.header_count = 0};
    struct arena arena;
    arena_init(&arena, 0);
    read_message((struct str){(const char *)data, size}, &message);
    const struct json *headers = fuzz_is_json(&arena, envelope_headers_json(&message, &arena));
    check(headers->kind == JSON_OBJECT && headers->count <= message.header_count);
    check_reply(&message, &arena);
    check_answer(&message, ERR_OK, &arena);
    check_answer(&message, ERR_UNAVAILABLE, &arena);
    check_answer(&message, ERR_TIMEOUT, &arena);
    check_start(&message, &arena);
    check_child(&message, &arena);
    check_signal(&message, &arena);
    arena_fini(&arena);
    return 0;
}
