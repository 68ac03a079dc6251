/* A world with one definition, callers that note their answers, and a participant's hand, for the tests of
 * runtime. */
#include "tests/runtime/bed.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/duration.h"
#include "engine/ops/log.h"
#include "engine/runtime/control.h"
#include "engine/runtime/loader.h"

static const char order[] = "saga: order\n"
                            "version: 1\n"
                            "defaults:\n"
                            "  timeout: 2s\n"
                            "  retry: { max_attempts: 3, initial: 1s, jitter: none }\n"
                            "steps:\n"
                            "  - id: reserve\n"
                            "    command: shop.reserve\n"
                            "    with: { what: \"${ $input.what }\" }\n"
                            "    compensate: shop.release\n"
                            "  - id: charge\n"
                            "    command: shop.charge\n"
                            "    compensate: shop.refund\n";

static enum world_fate take_fate(enum world_fate *next)
{
    enum world_fate fate = *next;
    *next = WORLD_FINE;
    return fate;
}

static enum world_fate fate_of(void *context, struct world_host *host, const struct bus_message *message)
{
    struct bed *bed = context;
    (void)host;
    if (str_starts(message->subject, STR("saga.child.")))
        return take_fate(&bed->next_child);
    if (str_starts(message->subject, STR("saga.reply.")))
        return take_fate(&bed->next_reply);
    return str_starts(message->subject, STR("saga.cmd.")) ? take_fate(&bed->next_publish) : WORLD_FINE;
}

static enum memory_store_fault fault_of(void *context, struct world_host *host,
                                        const struct store_batch *batch)
{
    struct bed *bed = context;
    bed->largest_append =
        batch->record_count > bed->largest_append ? batch->record_count : bed->largest_append;
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->record_count; i++) {
        size_t row = batch->records[i].data.size;
        bytes += row;
        bed->longest_row = row > bed->longest_row ? row : bed->longest_row;
    }
    bed->largest_batch = bytes > bed->largest_batch ? bytes : bed->largest_batch;
    for (uint32_t i = 0; bed->deadly != NULL && i < batch->record_count; i++)
        if (strstr(arena_copy(&bed->arena, batch->records[i].data).data, bed->deadly) != NULL) {
            world_die_in(&bed->world, host->index, 1);
            return MEMORY_STORE_REFUSED;
        }
    if (bed->append_most > 0 && batch->record_count > bed->append_most)
        return MEMORY_STORE_REFUSED;
    enum memory_store_fault fault = bed->next_append;
    bed->next_append = MEMORY_STORE_FINE;
    return fault;
}

static void keep(struct arena *arena, const struct bus_message *message, struct bus_message *copy)
{
    *copy = (struct bus_message){.subject = arena_copy(arena, message->subject),
                                 .body = arena_copy(arena, message->body)};
    for (uint32_t i = 0; i < message->header_count; i++)
        bus_header_add(copy, arena_copy(arena, message->headers[i].name),
                       arena_copy(arena, message->headers[i].value));
}

static void note_publish(void *context, struct world_host *host, const struct bus_message *message)
{
    struct bed *bed = context;
    (void)host;
    bed->published_commands += str_starts(message->subject, STR("saga.cmd."));
    bed->published_events += str_starts(message->subject, STR("saga.event."));
    if (str_starts(message->subject, STR("saga.child.")))
        keep(&bed->arena, message, &bed->child);
}

void bed_define_at(struct bed *bed, uint32_t host, const char *yaml)
{
    struct diag_list diags;
    const struct plan *plan = NULL;
    bool created = false;
    struct err_note note = {""};
    cr_assert(registry_put(engine_registry(bed->world.hosts[host].engine), bed->store, STR("bed.yaml"),
                           str_from(yaml), NULL, &bed->arena, &diags, &plan, &created, &note) == ERR_OK,
              "%s", note.text);
    cr_assert(engine_announce(bed->world.hosts[host].engine, plan, &note) == ERR_OK, "%s", note.text);
}

void bed_define(struct bed *bed, const char *yaml)
{
    for (uint32_t i = 0; i < WORLD_HOSTS_MAX; i++)
        if (bed->world.hosts[i].engine != NULL)
            bed_define_at(bed, i, yaml);
}

struct proof_key bed_key(struct bed *bed)
{
    struct proof_key key;
    struct err_note note = {""};
    cr_assert(proof_load(&key, bed->store, &note) == ERR_OK, "%s", note.text);
    return key;
}

void bed_stamp(struct bed *bed, struct bus_message *message)
{
    struct proof_key key = bed_key(bed);
    struct bus_message bare = {.subject = message->subject, .body = message->body};
    for (uint32_t i = 0; i < message->header_count; i++)
        if (!str_equal(message->headers[i].name, STR("Saga-Proof")))
            bus_header_add(&bare, message->headers[i].name, message->headers[i].value);
    *message = bare;
    proof_stamp(&key, message, arena_alloc(&bed->arena, HMAC_TEXT_SIZE + 1));
}

struct str bed_control_text(struct bed *bed, uint32_t index, uint32_t shard, struct str text)
{
    struct world_host *host = &bed->world.hosts[index];
    snprintf(host->call_ack, sizeof host->call_ack, "control");
    struct bus_delivery ask = {
        .source = BUS_SOURCE_CONTROL,
        .shard = shard,
        .ack = str_from(host->call_ack),
        .delivery_count = 1,
        .message = {.subject = arena_printf(&bed->arena, "saga.ctl.%u", shard), .body = text}};
    host->answer = STR("");
    host->answer_arena = &bed->arena;
    host->answered = false;
    cr_assert(host->callbacks.deliver(host->callbacks.context, &ask));
    bed_settle(bed);
    host->answer_arena = NULL;
    return host->answer;
}

bool bed_control(struct bed *bed, uint32_t index, uint32_t shard, const char *body,
                 struct engine_answer *answer)
{
    struct proof_key key = bed_key(bed);
    struct str number = STR("0123456789abcdef0123456789abcdef"), nonce = {0};
    struct str text = proof_seal(&key, PROOF_ASK, shard, number, str_from(body), &bed->arena);
    text = bed_control_text(bed, index, shard, text);
    return proof_open(&key, PROOF_ANSWER, shard, text, &nonce) && str_equal(nonce, number) &&
           control_read_answer(text, &bed->arena, answer);
}

void bed_open(struct bed *bed, uint32_t hosts)
{
    bed_open_sharing(bed, hosts, 0);
}

void bed_open_sharing(struct bed *bed, uint32_t hosts, uint32_t shards_max)
{
    struct err_note note = {""};
    memset(bed, 0, sizeof *bed);
    log_set_level(LOG_LEVEL_ERROR);
    world_open(&bed->world, 1, 2);
    arena_init(&bed->arena, 0);
    bed->world.hooks = (struct world_hooks){
        .context = bed, .publish = fate_of, .append = fault_of, .published = note_publish};
    bed->world.options.shards_max = shards_max;
    bed->world.options.forwards_max = 2 * BED_FORWARDS;
    bed->store = world_observe(&bed->world);
    for (uint32_t i = 0; i < hosts; i++)
        cr_assert(world_boot(&bed->world, i, &note) == ERR_OK, "%s", note.text);
    bed_define(bed, order);
}

void bed_close(struct bed *bed)
{
    world_close(&bed->world);
    store_close(bed->store);
    for (uint32_t i = 0; i < bed->call_count; i++)
        cr_assert(eq(u32, bed->calls[i].count, 1), "call %u was answered %u times", i, bed->calls[i].count);
    arena_fini(&bed->arena);
}

void bed_settle(struct bed *bed)
{
    for (int round = 0; round < 8; round++) {
        for (uint32_t i = 0; i < WORLD_HOSTS_MAX; i++)
            world_turn(&bed->world, i);
        world_deliver(&bed->world, 1000);
    }
}

void bed_advance(struct bed *bed, int64_t span_us)
{
    const int64_t step_us = 100000;
    for (int64_t passed = 0; passed < span_us; passed += step_us) {
        world_advance(&bed->world, step_us);
        bed_settle(bed);
    }
}

void bed_jump(struct bed *bed, int64_t span_us)
{
    bed->world.ahead_us += span_us;
    world_advance(&bed->world, 0);
    bed_settle(bed);
}

static void done(void *context, const struct engine_answer *answer)
{
    struct bed_call *call = context;
    call->count++;
    call->answer = *answer;
    snprintf(call->message, sizeof call->message, "%.*s", STR_ARG(answer->message));
}

struct engine_call bed_call(struct bed_call *call)
{
    return (struct engine_call){call, done};
}

static struct bed_call *new_call(struct bed *bed)
{
    cr_assert(lt(u32, bed->call_count, BED_CALLS_MAX));
    return &bed->calls[bed->call_count++];
}

/* A call that is refused at once counts as answered. */
static struct bed_call *submitted(struct bed_call *call, enum err error, const struct err_note *note)
{
    if (error != ERR_OK) {
        snprintf(call->message, sizeof call->message, "%.199s", note->text);
        call->count++;
        call->answer.error = error;
    }
    return call;
}

struct bed_call *bed_start(struct bed *bed, uint32_t host, const char *key, const char *input)
{
    return bed_start_of(bed, host, "order", key, input);
}

struct bed_call *bed_start_of(struct bed *bed, uint32_t host, const char *definition, const char *key,
                              const char *input)
{
    struct bed_call *call = new_call(bed);
    struct engine *engine = bed->world.hosts[host].engine;
    struct err_note note = {""};
    struct engine_start start = {.plan = registry_find(engine_registry(engine), str_from(definition), 1),
                                 .key = str_from(key)};
    cr_assert(start.plan != NULL);
    cr_assert(json_parse(&bed->arena, str_from(input), 1000, &start.input, &note) == ERR_OK);
    return submitted(call, engine_start(engine, &start, (struct engine_call){call, done}, &note), &note);
}

struct bed_call *bed_verb(struct bed *bed, uint32_t host, struct id id, enum core_event_kind kind)
{
    return bed_event(bed, host, id,
                     &(struct core_event){.kind = kind, .actor = STR("ann"), .reason = STR("test")});
}

struct bed_call *bed_event(struct bed *bed, uint32_t host, struct id id, const struct core_event *event)
{
    struct bed_call *call = new_call(bed);
    struct err_note note = {""};
    return submitted(
        call, engine_verb(bed->world.hosts[host].engine, id, event, (struct engine_call){call, done}, &note),
        &note);
}

struct bed_call *bed_watch(struct bed *bed, uint32_t host, struct id id, int64_t timeout_us)
{
    struct bed_call *call = new_call(bed);
    struct err_note note = {""};
    return submitted(
        call,
        engine_watch(bed->world.hosts[host].engine, id, timeout_us, (struct engine_call){call, done}, &note),
        &note);
}

static bool take(struct bed *bed, struct bus_message *message)
{
    return memory_bus_take_command(bed->world.broker, STR("shop"), &bed->arena, message);
}

struct bus_message bed_take(struct bed *bed, const char *action)
{
    struct bus_message message = {.header_count = 0};
    cr_assert(take(bed, &message), "there is no command; %s was expected", action);
    cr_assert(str_ends(message.subject, str_from(action)), "%.*s came, not %s", STR_ARG(message.subject),
              action);
    return message;
}

void bed_answer(struct bed *bed, const char *action, const char *status, const char *body)
{
    struct bus_message command = bed_take(bed, action);
    bed_reply(bed, &command, status, body);
    bed_settle(bed);
}

bool bed_find(struct bed *bed, const char *action)
{
    struct bus_message message = {.header_count = 0};
    while (take(bed, &message))
        if (str_ends(message.subject, str_from(action)))
            return true;
    return false;
}

bool bed_has_command(struct bed *bed)
{
    struct bus_message message;
    return take(bed, &message);
}

void bed_reply(struct bed *bed, const struct bus_message *command, const char *status, const char *body)
{
    struct bus_message reply = {.subject = bus_header(command, STR("Saga-Reply-To")), .body = str_from(body)};
    bus_header_add(&reply, STR("Saga-Command"), bus_header(command, STR("Saga-Command")));
    bus_header_add(&reply, STR("Saga-Status"), str_from(status));
    memory_bus_send(bed->world.broker, &reply);
}

struct store_saga bed_row(struct bed *bed, struct id id)
{
    struct store_saga row = {0}, folded;
    struct core_saga saga;
    struct err_note note = {""};
    struct registry *registry = registry_new(0);
    enum err error = loader_load(registry, bed->store, id, &bed->arena, &bed->arena, &saga, &row, &note);
    cr_assert(error == ERR_OK, "%s", note.text);
    loader_row(&saga, &bed->arena, &folded);
    cr_assert(eq(i64, folded.seq, row.seq));
    cr_assert(str_equal(folded.status, row.status) && folded.wake_us == row.wake_us &&
              str_equal(folded.waiting, row.waiting));
    registry_free(registry);
    return row;
}

void bed_expect(struct bed *bed, struct id id, const char *status)
{
    struct store_saga row = bed_row(bed, id);
    cr_assert(str_equal(row.status, str_from(status)), "the saga is %.*s, not %s (%.*s)", STR_ARG(row.status),
              status, STR_ARG(row.waiting));
}

uint32_t bed_dead_letters(struct bed *bed, const char *part_of_reason)
{
    struct store_dead_letter *letters = NULL;
    uint32_t count = 0, matching = 0;
    struct err_note note;
    cr_assert(store_dead_letters(bed->store, STR(""), 0, 100, &bed->arena, &letters, &count, &note) ==
              ERR_OK);
    for (uint32_t i = 0; i < count; i++)
        matching += strstr(letters[i].reason.data, part_of_reason) != NULL;
    return matching;
}
