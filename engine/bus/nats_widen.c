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

static void write_subjects(struct buf *out, const char *const *subjects, int count)
{
    for (int i = 0; i < count; i++) {
        buf_puts(out, i == 0 ? "[" : ",");
        json_write_string(out, str_from(subjects[i]));
    }
    buf_char(out, ']');
}

/* The configuration as it is, with other subjects. */
static struct str widened(const struct json *config, const char *const *subjects, int count,
                          struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    for (uint32_t i = 0; i < config->count; i++) {
        buf_puts(&out, i == 0 ? "{" : ",");
        json_write_string(&out, config->members[i].key);
        buf_char(&out, ':');
        if (str_equal(config->members[i].key, STR("subjects")))
            write_subjects(&out, subjects, count);
        else
            json_write(&out, config->members[i].value);
    }
    buf_char(&out, '}');
    return buf_str(&out);
}

enum err nats_widen_stream(struct nats_bus *bus, const char *stream, const char *const *subjects, int count,
                           struct err_note *note)
{
    struct arena arena;
    const struct json *answer = NULL;
    arena_init(&arena, 0);
    enum err err = call(bus, "INFO", stream, STR(""), &arena, &answer, note);
    const struct json *config = err == ERR_OK ? json_get(answer, STR("config")) : NULL;
    if (err == ERR_OK && (config == NULL || config->kind != JSON_OBJECT || config->count == 0))
        err = err_note(note, ERR_UNAVAILABLE, "the server does not describe stream %s", stream);
    if (err == ERR_OK)
        err = call(bus, "UPDATE", stream, widened(config, subjects, count, &arena), &arena, &answer, note);
    arena_fini(&arena);
    return err;
}
