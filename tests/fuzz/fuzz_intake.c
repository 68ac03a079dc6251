/* What comes in by the bus, from every source, before two whole engines that are driven by hand: any messages
 * whatever leave both engines alive with their shards, each journal folds to its row, each message of a
 * stream is acknowledged once, at the third delivery at the latest, and each request that an engine proved is
 * answered.
 *
 * An input is a run of messages of two parts each, head and body. The head's first line is "<source> <host>
 * <shard>", where the source is reply, in, answer or control, with "+" behind it when an engine's proof is to
 * be added; or "time <milliseconds>", or "batch", from where on nothing is taken in until the end. Its second
 * line is the subject, the others are headers. $S, $P and $C stand for the ids of sagas under way: one that
 * waits for everything a saga can wait for, another one, and the first one's child; $s, $p and $c for their
 * shards. An answer answers the request that the first saga has made.
 *
 * The engines go on from input to input, because making them takes longer than all they do; each input begins
 * its own sagas and ends all there are. */
#include "tests/fuzz/fuzz.h"
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/ops/log.h"
#include "engine/runtime/control.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/loader.h"
#include "engine/sim/world.h"

enum {
    HOSTS = 2,
    MESSAGES_MAX = 12,
    INPUTS_A_WORLD = 400,
    DELIVERIES = 3,
    TEXT_MAX = 1 << 15,
    ROUNDS_MAX = 64
};

static const char tour[] =
    "saga: tour\n"
    "version: 1\n"
    "timeout: 1h\n"
    "defaults: { timeout: 5s, retry: { max_attempts: 2, initial: 1s, jitter: none } }\n"
    "steps:\n"
    "  - parallel:\n"
    "      branches:\n"
    "        buy: [ { id: buy, command: shop.buy, compensate: shop.refund } ]\n"
    "        ask: [ { id: ask, command: shop.ask, via: request, compensate: none } ]\n"
    "        sign: [ { await: { id: sign, event: paper.signed, timeout: 30m } } ]\n"
    "        bill: [ { saga: { id: bill, name: billing, with: { n: \"${ $input.n }\", key: \"${ $saga.id }\" "
    "} } } ]\n"
    "  - { id: ship, command: shop.ship, pivot: true }\n";
static const char billing[] =
    "saga: billing\n"
    "version: 1\n"
    "input: { schema: { type: object, properties: { n: { type: integer }, key: { type: string } } } }\n"
    "key: ${ $input.key // \"none\" }\n"
    "steps:\n"
    "  - { id: charge, command: shop.charge, compensate: shop.refund }\n";

/* One delivery that is to be acknowledged. */
struct sent {
    struct bus_delivery delivery;
    uint32_t host;
    bool taken;
    uint32_t acknowledged;
};
struct stage {
    struct world world;
    struct store *store;
    struct proof_key key;
    struct arena arena; /* of the input */
    uint32_t inputs;
    uint64_t sequence; /* of messages, ever */
    struct id ids[3];  /* $S, $P, $C */
    struct id parents[2], children[2];
    uint32_t child_count;
    struct sent sent[MESSAGES_MAX];
    uint32_t sent_count;
    bool batch;
};
static struct stage stage;

/* --- the engines ---------------------------------------------------------------------------------------- */

static void on_acknowledged(void *context, struct world_host *host, struct str ack)
{
    (void)context;
    (void)host;
    for (uint32_t i = 0; i < stage.sent_count; i++)
        stage.sent[i].acknowledged += str_equal(stage.sent[i].delivery.ack, ack);
}

static void on_published(void *context, struct world_host *host, const struct bus_message *message)
{
    (void)context;
    (void)host;
    struct str parent = str_slice(bus_header(message, STR("Saga-Command")), 0, ID_TEXT_SIZE);
    if (!str_starts(message->subject, STR("saga.child.")) || stage.child_count == 2)
        return;
    check(id_parse(parent, &stage.parents[stage.child_count]));
    check(id_parse(bus_header(message, STR("Saga-Child")), &stage.children[stage.child_count++]));
}

static struct engine *engine_of(uint32_t host)
{
    return stage.world.hosts[host].engine;
}

static void define(const char *yaml)
{
    struct arena arena;
    struct diag_list diags;
    const struct plan *plan = NULL;
    bool created = false;
    struct err_note note = {""};
    arena_init(&arena, 0);
    for (uint32_t i = 0; i < HOSTS; i++)
        check(registry_put(engine_registry(engine_of(i)), stage.store, STR("fuzz.yaml"), str_from(yaml), NULL,
                           &arena, &diags, &plan, &created, &note) == ERR_OK);
    arena_fini(&arena);
}

static void open_world(void)
{
    struct err_note note = {""};
    log_set_level(LOG_LEVEL_ERROR);
    world_open(&stage.world, 1, 2);
    stage.world.options.shards_max = 1;
    stage.world.options.events = true;
    stage.world.hooks = (struct world_hooks){.acknowledged = on_acknowledged, .published = on_published};
    stage.store = world_observe(&stage.world);
    for (uint32_t i = 0; i < HOSTS; i++)
        check(world_boot(&stage.world, i, &note) == ERR_OK);
    define(tour);
    define(billing);
    check(proof_load(&stage.key, stage.store, &note) == ERR_OK);
}

static void close_world(void)
{
    world_close(&stage.world);
    store_close(stage.store);
}

static void drop_commands(void)
{
    struct bus_message command;
    while (memory_bus_take_command(stage.world.broker, STR("shop"), &stage.arena, &command))
        continue;
}

/* Until nothing moves any more. */
static void settle(void)
{
    uint32_t moved = 1;
    for (int round = 0; moved > 0; round++) {
        check(round < ROUNDS_MAX);
        uint64_t before = stage.world.hosts[0].actions + stage.world.hosts[1].actions;
        for (uint32_t i = 0; i < HOSTS; i++)
            world_turn(&stage.world, i);
        moved = world_deliver(&stage.world, 1000);
        moved += stage.world.hosts[0].actions + stage.world.hosts[1].actions != before;
    }
}

static void ignore(void *context, const struct engine_answer *answer)
{
    struct id *id = context;
    check(str_is_utf8(answer->message));
    if (id != NULL)
        *id = answer->id;
}

static void begin_saga(uint32_t host, struct id *id)
{
    struct err_note note = {""};
    struct engine_start start = {.plan = registry_find(engine_registry(engine_of(host)), STR("tour"), 1),
                                 .input = fuzz_is_json(&stage.arena, STR("{\"n\":1}"))};
    check(engine_start(engine_of(host), &start, (struct engine_call){id, ignore}, &note) == ERR_OK);
}

static bool names(struct str text, const char *letters)
{
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '$' && text.data[i + 1] != '\0' && strchr(letters, text.data[i + 1]) != NULL)
            return true;
    return false;
}

/* Those that the input names. */
static void begin_sagas(struct str text)
{
    memset(stage.ids, 0, sizeof stage.ids);
    stage.child_count = 0;
    if (names(text, "SCsc"))
        begin_saga(0, &stage.ids[0]);
    if (names(text, "Pp"))
        begin_saga(1, &stage.ids[1]);
    settle();
    for (uint32_t i = 0; i < stage.child_count; i++)
        if (id_equal(stage.parents[i], stage.ids[0]))
            stage.ids[2] = stage.children[i];
}

/* --- one input ------------------------------------------------------------------------------------------ */

static bool is_one_of(char c, const char *letters, uint32_t *index)
{
    const char *found = c == '\0' ? NULL : strchr(letters, c);
    *index = found == NULL ? 0 : (uint32_t)(found - letters);
    return found != NULL;
}

static struct str filled(struct str text)
{
    struct buf out;
    buf_init(&out, &stage.arena);
    for (size_t i = 0; i < text.size && out.size < TEXT_MAX; i++) {
        uint32_t which;
        char id[ID_TEXT_SIZE + 1], next = i + 1 < text.size ? text.data[i + 1] : '\0';
        if (text.data[i] == '$' && is_one_of(next, "SPC", &which)) {
            id_format(stage.ids[which], id);
            buf_puts(&out, id);
            i++;
        } else if (text.data[i] == '$' && is_one_of(next, "spc", &which)) {
            buf_printf(&out, "%u", id_shard(stage.ids[which]));
            i++;
        } else {
            buf_char(&out, text.data[i]);
        }
    }
    return arena_copy(&stage.arena, buf_str(&out)); /* exact, so that a byte read beyond it is found */
}

static struct str word_of(struct str *line)
{
    size_t end = str_find(*line, ' ');
    struct str word = str_slice(*line, 0, end);
    *line = str_slice(*line, end + 1, line->size);
    return word;
}

static void read_message(struct str head, struct str body, struct bus_message *message)
{
    *message = (struct bus_message){.subject = filled(fuzz_line(&head)), .body = filled(body)};
    while (head.size > 0 && message->header_count < BUS_HEADERS_MAX) {
        struct str line = filled(fuzz_line(&head));
        size_t colon = str_find(line, ':');
        message->headers[message->header_count++] =
            (struct bus_header){str_slice(line, 0, colon), str_trim(str_slice(line, colon + 1, line.size))};
    }
}

static bool deliver(uint32_t host, const struct bus_delivery *delivery)
{
    struct world_host *to = &stage.world.hosts[host];
    return to->callbacks.deliver(to->callbacks.context, delivery);
}

/* As the server names them; the same at each delivery. */
static void name_message(struct bus_delivery *delivery)
{
    uint64_t number = ++stage.sequence;
    bool in = delivery->source == BUS_SOURCE_IN;
    delivery->ack = arena_printf(&stage.arena, "$JS.ACK.%s.%llu.%llu.179609606%010llu.0",
                                 in ? "SAGA_IN.engine.1" : "SAGA_REPLY.shard-0.1", (unsigned long long)number,
                                 (unsigned long long)number, (unsigned long long)number);
    delivery->identity =
        arena_printf(&stage.arena, "%s/%llu/1", in ? "SAGA_IN" : "SAGA_REPLY", (unsigned long long)number);
}

static void send_stream(struct bus_delivery *delivery, uint32_t host, bool proven)
{
    if (proven && delivery->message.header_count < BUS_HEADERS_MAX)
        proof_stamp(&stage.key, &delivery->message, arena_alloc(&stage.arena, HMAC_TEXT_SIZE + 1));
    name_message(delivery);
    struct sent *sent = &stage.sent[stage.sent_count++];
    *sent = (struct sent){.delivery = *delivery, .host = host};
    sent->taken = deliver(host, &sent->delivery);
}

static void send_control(struct bus_delivery *delivery, uint32_t index, bool proven)
{
    static const char ack[] = "control";
    struct world_host *host = &stage.world.hosts[index];
    struct str number = STR("0123456789abcdef0123456789abcdef"), nonce = {0}, body = delivery->message.body;
    struct engine_answer answer;
    struct str object = body.size > 2 && str_ends(body, STR("}")) ? body : STR("{\"op\":0}");
    if (proven)
        delivery->message.body =
            proof_seal(&stage.key, PROOF_ASK, delivery->shard, number, object, &stage.arena);
    delivery->ack = STR(ack);
    memcpy(host->call_ack, ack, sizeof ack);
    host->answer_arena = &stage.arena;
    host->answered = false;
    bool taken = deliver(index, delivery);
    settle();
    host->answer_arena = NULL;
    check(!taken || host->answered);
    if (!taken)
        return;
    check(control_read_answer(host->answer, &stage.arena, &answer) && str_is_utf8(answer.message));
    check(proof_open(&stage.key, PROOF_ANSWER, delivery->shard, host->answer, &nonce) == proven);
    check(proven || answer.error == ERR_UNAVAILABLE);
}

/* The request that a runner has under way. */
static void send_answer(struct bus_delivery *delivery, uint32_t host)
{
    const struct map *tickets = &engine_of(host)->runners[0].asking.tickets;
    delivery->identity = STR("nobody.was.asked");
    for (size_t i = 0; i < tickets->room; i++)
        if (tickets->slots[i].value != NULL)
            delivery->identity = arena_copy(&stage.arena, tickets->slots[i].key);
    (void)deliver(host, delivery);
}

static uint32_t number_of(struct str text, uint32_t most)
{
    int64_t number = 0;
    return str_to_i64(text, &number) && number >= 0 && number <= (int64_t)most ? (uint32_t)number : most;
}

static void send_message(struct str head, struct str body)
{
    struct str line = fuzz_line(&head);
    struct str source = word_of(&line);
    bool proven = str_ends(source, STR("+"));
    source = str_slice(source, 0, source.size - proven);
    uint32_t host = number_of(word_of(&line), HOSTS - 1);
    struct bus_delivery delivery = {.shard = number_of(filled(word_of(&line)), 3), .delivery_count = 1};
    read_message(head, body, &delivery.message);
    if (str_equal(source, STR("in"))) {
        delivery.source = BUS_SOURCE_IN;
        delivery.shard = 0;
        send_stream(&delivery, host, proven);
    } else if (str_equal(source, STR("answer"))) {
        delivery.source = BUS_SOURCE_ANSWER;
        delivery.error = proven ? ERR_UNAVAILABLE : ERR_OK;
        send_answer(&delivery, host);
    } else if (str_equal(source, STR("control"))) {
        delivery.source = BUS_SOURCE_CONTROL;
        send_control(&delivery, host, proven);
    } else {
        delivery.source = BUS_SOURCE_REPLY;
        send_stream(&delivery, host, proven);
    }
}

static void act(struct str head, struct str body)
{
    if (str_equal(head, STR("batch"))) {
        stage.batch = true;
        return;
    }
    if (str_starts(head, STR("time "))) {
        world_advance(&stage.world, (int64_t)number_of(str_slice(head, 5, head.size), 9999) * 1000);
        settle();
        return;
    }
    send_message(head, body);
    if (!stage.batch)
        settle();
}

static void redeliver(void)
{
    for (uint64_t count = 2; count <= DELIVERIES; count++) {
        for (uint32_t i = 0; i < stage.sent_count; i++) {
            struct sent *sent = &stage.sent[i];
            if (sent->acknowledged > 0)
                continue;
            sent->delivery.delivery_count = count;
            sent->taken = deliver(sent->host, &sent->delivery);
        }
        settle();
    }
    for (uint32_t i = 0; i < stage.sent_count; i++)
        check(stage.sent[i].acknowledged == stage.sent[i].taken);
}

/* --- afterwards ----------------------------------------------------------------------------------------- */

static void check_saga(uint32_t host, struct id id)
{
    struct core_saga saga;
    struct store_saga row = {0}, folded;
    struct err_note note = {""};
    check(loader_load(engine_registry(engine_of(host)), stage.store, id, &stage.arena, &stage.arena, &saga,
                      &row, &note) == ERR_OK);
    loader_row(&saga, &stage.arena, &folded);
    check(folded.seq == row.seq && str_equal(folded.status, row.status) && folded.wake_us == row.wake_us &&
          str_equal(folded.waiting, row.waiting));
}

/* Ends all sagas. */
static void end_sagas(uint32_t host)
{
    struct runner *runner = &engine_of(host)->runners[0];
    struct core_event end = {.kind = CORE_EVENT_TERMINATE, .actor = STR("fuzz"), .reason = STR("the end")};
    struct err_note note = {""};
    size_t cursor = 0;
    for (const struct resident_entry *entry = map_next(&runner->resident.entries, &cursor); entry != NULL;
         entry = map_next(&runner->resident.entries, &cursor)) {
        check(!entry->broken);
        if (entry->saga != NULL && core_ended(entry->saga))
            continue; /* it was asked for once more, and is kept for a while */
        check_saga(host, entry->id);
        check(engine_verb(engine_of(host), entry->id, &end, (struct engine_call){NULL, ignore}, &note) ==
              ERR_OK);
    }
}

static void check_engine(uint32_t host)
{
    const struct runner *runner = &engine_of(host)->runners[0];
    size_t cursor = 0;
    check(runner->owned_count == 1 && !runner->commit.open && runner->again.first == NULL);
    for (const struct resident_entry *entry = map_next(&runner->resident.entries, &cursor); entry != NULL;
         entry = map_next(&runner->resident.entries, &cursor))
        check(entry->saga != NULL && core_ended(entry->saga));
    check(runner->inbox.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    if (stage.inputs % INPUTS_A_WORLD == 0) {
        if (stage.inputs > 0)
            close_world();
        open_world();
    }
    stage.inputs++;
    stage.sent_count = 0;
    stage.batch = false;
    arena_init(&stage.arena, 0);
    begin_sagas(text);
    for (int i = 0; i < MESSAGES_MAX && text.size > 0; i++) {
        struct str head = fuzz_part(&text);
        struct str body = fuzz_part(&text);
        act(head, body);
    }
    settle();
    redeliver();
    for (uint32_t i = 0; i < HOSTS; i++)
        end_sagas(i);
    settle();
    drop_commands();
    for (uint32_t i = 0; i < HOSTS; i++)
        check_engine(i);
    arena_fini(&stage.arena);
    return 0;
}
