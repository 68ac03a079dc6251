#include "engine/sagactl/events.h"

#include <stdio.h>
#include <string.h>
#include "engine/sagactl/remote.h"
#include "engine/sagactl/show.h"

static void show_signal(const struct invocation *invocation, const struct json *answer)
{
    const struct json *created = json_get(answer, STR("created"));
    printf("%.*s %s\n", STR_ARG(show_plain(invocation->arena, json_get_str(answer, STR("id")))),
           created != NULL && created->boolean ? "has the event" : "had an event with this id already");
}

/* By id, or by both of --definition and --key; not by all three. */
static bool names_one_saga(const struct invocation *invocation)
{
    struct id id;
    bool definition = invocation_option(invocation, "definition") != NULL;
    bool key = invocation_option(invocation, "key") != NULL;
    if (definition != key || (definition && invocation->argument_count > 1)) {
        fprintf(stderr, "sagactl signal: name the saga by ID, or by --definition NAME and --key KEY\n");
        return false;
    }
    return definition ? invocation_expects(invocation, 1, 1)
                      : invocation_expects(invocation, 2, 2) &&
                            invocation_id(invocation, invocation->arguments[0], &id);
}

int events_signal(struct invocation *invocation)
{
    struct buf body;
    struct str said;
    buf_init(&body, invocation->arena);
    if (!names_one_saga(invocation) || !remote_json(invocation, "body", "null", &said))
        return INVOCATION_USAGE;
    const char *key = invocation_option(invocation, "key");
    buf_puts(&body, "{\"event\":");
    json_write_string(&body, str_from(invocation->arguments[invocation->argument_count - 1]));
    if (invocation_option(invocation, "body") != NULL) /* else it says nothing, which is not null */
        buf_printf(&body, ",\"body\":%.*s", STR_ARG(said));
    remote_member(&body, "id", invocation_option(invocation, "id"));
    remote_member(&body, "definition", invocation_option(invocation, "definition"));
    remote_member(&body, "key", key);
    buf_char(&body, '}');
    struct str path = key != NULL ? STR("/v1/signals") : remote_saga(invocation, "/signals");
    return remote_post(invocation, path, buf_str(&body), show_signal);
}

int events_timers(struct invocation *invocation)
{
    struct id id;
    if (!invocation_expects(invocation, 1, 1) || !invocation_id(invocation, invocation->arguments[0], &id))
        return INVOCATION_USAGE;
    return remote_read(invocation, remote_saga(invocation, "/timers"), show_timers);
}

/* Exactly one of the three; NULL after a sentence. */
static const char *due_of(const struct invocation *invocation)
{
    static const char *const names[] = {"fire", "at", "in"};
    const char *due = NULL;
    int given = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = invocation_option(invocation, names[i]);
        given += value != NULL;
        if (value != NULL)
            due = strcmp(names[i], "fire") == 0 ? "now" : value;
    }
    if (given == 1)
        return due;
    fprintf(stderr, "sagactl timer: say when with one of --fire, --at TIME and --in DURATION\n");
    return NULL;
}

static void show_moved(const struct invocation *invocation, const struct json *answer)
{
    const char *step = invocation_option(invocation, "deadline") != NULL ? "the deadline"
                       : invocation->argument_count > 1                  ? invocation->arguments[1]
                                                                         : "its only step's timer";
    printf("%.*s is %.*s: %s is due %s\n",
           STR_ARG(show_plain(invocation->arena, json_get_str(answer, STR("id")))),
           STR_ARG(show_plain(invocation->arena, json_get_str(answer, STR("status")))), step,
           due_of(invocation));
}

int events_timer(struct invocation *invocation)
{
    struct id id;
    struct buf body;
    buf_init(&body, invocation->arena);
    if (!invocation_expects(invocation, 1, 2) || !invocation_id(invocation, invocation->arguments[0], &id))
        return INVOCATION_USAGE;
    const char *due = due_of(invocation);
    bool deadline = invocation_option(invocation, "deadline") != NULL;
    if (due == NULL || (deadline && !invocation_needs(invocation, "reason")))
        return INVOCATION_USAGE;
    remote_actor(invocation, &body);
    remote_member(&body, "step", invocation->argument_count > 1 ? invocation->arguments[1] : NULL);
    remote_member(&body, "due", due);
    if (deadline)
        buf_puts(&body, ",\"deadline\":true");
    buf_char(&body, '}');
    return remote_post(invocation, remote_saga(invocation, "/timers"), buf_str(&body), show_moved);
}
