/* How far participants have got, and commands taken back: questions to the JetStream API on the publisher's
 * line, so that no thread waits for their answers.
 *
 * The reply subject says what was asked: <inbox>.i.<token>.<life>.<cookie>.<participant> and
 * <inbox>.d.<token>.<cookie>. What
 * a lost connection or a slow server swallows is asked again by the owner. `delivered` is the server's own:
 * it reads a command from the stream and raises the number under one lock, before it hands it out, so that a
 * command above it has been handed to nobody, unless the server lost count: with its process (then the
 * connection broke too, which is in `life`), with the consumer (its time of creation is), or with its leader
 * (whose name is). */
#include "engine/bus/nats_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/json.h"

enum { ANSWER_BYTES_MAX = 65536, SUBJECT_BYTES = NATS_LINE_INBOX_BYTES + NATS_TOKEN_SIZE + NATS_NAME_BYTES };

enum err nats_backlog_look(struct bus *base, struct str participant, uint64_t cookie)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    char subject[SUBJECT_BYTES], reply[SUBJECT_BYTES];
    if (bus_check_participant(participant, NULL) != ERR_OK)
        return ERR_INVALID;
    uint64_t hash = str_hash(participant);
    atomic_store_explicit(&bus->wanted[hash % NATS_WANTED], hash, memory_order_relaxed);
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.INFO.SAGA_CMD.%.*s", STR_ARG(participant));
    snprintf(reply, sizeof reply, "%s.i.%s.%x.%" PRIx64 ".%.*s", nats_line_inbox(bus->publisher),
             bus->publish_token, atomic_load(&bus->publisher_life), cookie, STR_ARG(participant));
    return nats_line_send_text(bus->publisher, subject, reply, "");
}

enum err nats_backlog_take_back(struct bus *base, uint64_t sequence, uint64_t cookie)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    char reply[SUBJECT_BYTES], text[64];
    snprintf(reply, sizeof reply, "%s.d.%s.%" PRIx64, nats_line_inbox(bus->publisher), bus->publish_token,
             cookie);
    snprintf(text, sizeof text, "{\"seq\":%" PRIu64 ",\"no_erase\":true}", sequence);
    return nats_line_send_text(bus->publisher, "$JS.API.STREAM.MSG.DELETE.SAGA_CMD", reply, text);
}

static bool number(const struct json *from, struct str key, uint64_t *to)
{
    int64_t value = 0;
    bool good = json_get_i64(from, key, &value) && value >= 0;
    *to = good ? (uint64_t)value : 0;
    return good;
}

/* Equal as long as server, consumer and connection are. */
static uint64_t life_of(const struct json *info, unsigned connection)
{
    uint64_t life = str_hash(json_get_str(info, STR("created")));
    struct str leader = json_get_str(json_get(info, STR("cluster")), STR("leader"));
    life = life * 31 + str_hash(leader);
    life = life * 31 + connection;
    return life == 0 ? 1 : life;
}

static enum err read_info(struct str body, unsigned connection, struct arena *arena, struct bus_sight *sight)
{
    const struct json *info = NULL;
    if (json_parse(arena, body, ANSWER_BYTES_MAX, &info, NULL) != ERR_OK)
        return ERR_BAD_DATA;
    const struct json *error = json_get(info, STR("error"));
    if (error != NULL) {
        int64_t code = 0;
        return json_get_i64(error, STR("code"), &code) && code == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
    }
    if (!number(json_get(info, STR("delivered")), STR("stream_seq"), &sight->delivered) ||
        !number(info, STR("num_pending"), &sight->pending) ||
        !number(info, STR("num_ack_pending"), &sight->working))
        return ERR_BAD_DATA;
    sight->life = life_of(info, connection);
    sight->made = str_hash(json_get_str(info, STR("created"))) | 1;
    return ERR_OK;
}

static void on_info(struct nats_bus *bus, const char *rest, int status, struct str body)
{
    char *end = NULL, *name = NULL;
    struct arena arena;
    unsigned long connection = strtoul(rest, &end, 16);
    if (*end != '.' || connection != atomic_load(&bus->publisher_life))
        return; /* asked by an earlier connection */
    uint64_t cookie = strtoull(end + 1, &name, 16);
    if (*name != '.')
        return;
    struct bus_sight sight = {.participant = str_from(name + 1), .cookie = cookie, .error = ERR_UNAVAILABLE};
    arena_init(&arena, 0);
    if (status == 0)
        sight.error = read_info(body, (unsigned)connection, &arena, &sight);
    bus->callbacks.seen(bus->callbacks.context, &sight);
    if (sight.error == ERR_NOT_FOUND)
        nats_keeper_kick(bus);
    arena_fini(&arena);
}

/* {"success":true} or {"error":{"code":400,"err_code":10043,"description":"sequence 7 not found"}}, or 10057
 * with several texts: what was acknowledged, deleted before, or never stored is not there. */
static enum err read_deleted(struct str body, struct arena *arena)
{
    enum { NOT_FOUND = 10043, NOT_DELETED = 10057 };
    const struct json *answer = NULL;
    int64_t code = 0;
    if (json_parse(arena, body, ANSWER_BYTES_MAX, &answer, NULL) != ERR_OK)
        return ERR_BAD_DATA;
    const struct json *success = json_get(answer, STR("success"));
    if (success != NULL && success->kind == JSON_BOOL && success->boolean)
        return ERR_OK;
    bool missing = json_get_i64(json_get(answer, STR("error")), STR("err_code"), &code) &&
                   (code == NOT_FOUND || code == NOT_DELETED);
    return missing ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
}

static void on_deleted(struct nats_bus *bus, const char *rest, int status, struct str body)
{
    struct arena arena;
    arena_init(&arena, 0);
    enum err error = status == 0 ? read_deleted(body, &arena) : ERR_UNAVAILABLE;
    bus->callbacks.taken_back(bus->callbacks.context, strtoull(rest, NULL, 16), error);
    arena_fini(&arena);
}

void nats_backlog_answer(struct nats_bus *bus, char kind, const char *rest, natsMsg *message)
{
    struct bus_message read;
    int status = nats_message_read(message, &read);
    if (kind == 'i')
        on_info(bus, rest, status, read.body);
    else
        on_deleted(bus, rest, status, read.body);
    natsMsg_Destroy(message);
}
