/* Changing a stream that exists, in the server's own words: what nats.c does not know of a stream of a newer
 * server would be lost on the way through its structs. */
#include "engine/bus/nats_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/base/json.h"

enum { ANSWER_BYTES_MAX = 1048576 }; /* of a stream's description: a few hundred are usual */

/* A call to the JetStream API; an error in the answer is ours. */
static enum err call(struct nats_bus *bus, const char *verb, const char *stream, struct str body,
                     struct arena *arena, const struct json **answer, struct err_note *note)
{
    char subject[NATS_NAME_BYTES];
    natsMsg *message = NULL;
    snprintf(subject, sizeof subject, "$JS.API.STREAM.%s.%s", verb, stream);
    natsConnection *connection = nats_line_hold(bus->admin);
    if (connection == NULL)
        return err_note(note, ERR_UNAVAILABLE, "%s: not connected to NATS", subject);
    natsStatus status =
        natsConnection_Request(&message, connection, subject, body.data, (int)body.size, NATS_API_WAIT_MS);
    nats_line_release(bus->admin);
    if (status != NATS_OK)
        return err_note(note, ERR_UNAVAILABLE, "%s: %s", subject, natsStatus_GetText(status));
    struct str text = {natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message)};
    enum err err = json_parse(arena, text, ANSWER_BYTES_MAX, answer, note);
    natsMsg_Destroy(message);
    const struct json *error = err == ERR_OK ? json_get(*answer, STR("error")) : NULL;
    if (error == NULL)
        return err;
    return err_note(note, ERR_UNAVAILABLE, "%s: %.*s", subject,
                    STR_ARG(json_get_str(error, STR("description"))));
}

/* A member of a configuration that is to be another. */
struct change {
    struct str key;
    struct str text; /* JSON */
};

static struct str write_subjects(const char *const *subjects, int count, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    for (int i = 0; i < count; i++) {
        buf_puts(&out, i == 0 ? "[" : ",");
        json_write_string(&out, str_from(subjects[i]));
    }
    buf_char(&out, ']');
    return buf_str(&out);
}

static bool is_changed(struct str key, const struct change *changes, int count)
{
    for (int i = 0; i < count; i++)
        if (str_equal(key, changes[i].key))
            return true;
    return false;
}

static void write_member(struct buf *out, struct str key)
{
    buf_puts(out, out->size == 0 ? "{" : ",");
    json_write_string(out, key);
    buf_char(out, ':');
}

/* The configuration as it is, but for these. */
static struct str changed(const struct json *config, const struct change *changes, int count,
                          struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    for (uint32_t i = 0; i < config->count; i++) {
        if (is_changed(config->members[i].key, changes, count))
            continue;
        write_member(&out, config->members[i].key);
        json_write(&out, config->members[i].value);
    }
    for (int i = 0; i < count; i++) {
        write_member(&out, changes[i].key);
        buf_put(&out, changes[i].text);
    }
    buf_char(&out, '}');
    return buf_str(&out);
}

/* What the server says of the stream, and in it the configuration. */
static enum err describe(struct nats_bus *bus, const char *stream, struct arena *arena,
                         const struct json **answer, const struct json **config, struct err_note *note)
{
    enum err err = call(bus, "INFO", stream, STR(""), arena, answer, note);
    *config = err == ERR_OK ? json_get(*answer, STR("config")) : NULL;
    if (err == ERR_OK && (*config == NULL || (*config)->kind != JSON_OBJECT || (*config)->count == 0))
        err = err_note(note, ERR_UNAVAILABLE, "the server does not describe stream %s", stream);
    return err;
}

enum err nats_widen_stream(struct nats_bus *bus, const char *stream, const char *const *subjects, int count,
                           struct err_note *note)
{
    struct arena arena;
    const struct json *answer = NULL, *config = NULL;
    arena_init(&arena, 0);
    struct change change = {STR("subjects"), write_subjects(subjects, count, &arena)};
    enum err err = describe(bus, stream, &arena, &answer, &config, note);
    if (err == ERR_OK)
        err = call(bus, "UPDATE", stream, changed(config, &change, 1, &arena), &arena, &answer, note);
    arena_fini(&arena);
    return err;
}

/* 0: it is not to be changed. */
static int64_t share_of(const struct json *answer, const struct json *config)
{
    int64_t most = 0, each = 0, stored = 0;
    const struct json *fair = json_get(config, STR("discard_new_per_subject"));
    bool set = fair != NULL && fair->kind == JSON_BOOL && fair->boolean;
    (void)json_get_i64(config, STR("max_msgs"), &most);
    (void)json_get_i64(config, STR("max_msgs_per_subject"), &each);
    if ((set && each > 0 && (most <= 0 || each < most)) ||
        !json_get_i64(json_get(answer, STR("state")), STR("messages"), &stored))
        return 0;
    int64_t share = NATS_SHARE_MESSAGES;
    if (most > 0 && most / NATS_SHARE_PARTS < share)
        share = most / NATS_SHARE_PARTS;
    return share >= NATS_SHARE_LEAST && stored <= share / 2 ? share : 0;
}

enum err nats_widen_share(struct nats_bus *bus, const char *stream, int64_t *share, struct err_note *note)
{
    struct arena arena;
    const struct json *answer = NULL, *config = NULL;
    arena_init(&arena, 0);
    enum err err = describe(bus, stream, &arena, &answer, &config, note);
    *share = err == ERR_OK ? share_of(answer, config) : 0;
    if (*share > 0) {
        struct change changes[] = {
            {STR("max_msgs_per_subject"), arena_printf(&arena, "%" PRId64, *share)},
            {STR("discard_new_per_subject"), STR("true")},
        };
        err = call(bus, "UPDATE", stream, changed(config, changes, 2, &arena), &arena, &answer, note);
    }
    arena_fini(&arena);
    return err;
}
