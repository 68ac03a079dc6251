/* S27: a message that nobody can use is one dead letter, however often it is delivered and whoever dies.
 *
 * The simulator's own measure is what messages say: of each wording, letters may be as many as different
 * messages were handed to engines, and when it cannot be read at all, must be as many as were acknowledged.
 */
#include "engine/sim/sim_parts.h"

#include <inttypes.h>
#include "engine/bus/envelope.h"

enum { PAGE = 100 };

struct wording {
    struct str text;
    bool readable;
    uint32_t delivered; /* messages, each once */
    uint32_t acknowledged;
    uint32_t letters;
};

static struct wording *wording_of(struct sim *sim, struct str subject, struct str command, struct str body)
{
    struct str text =
        arena_printf(&sim->arena, "%.*s\n%.*s\n%.*s", STR_ARG(subject), STR_ARG(command), STR_ARG(body));
    struct wording *wording = map_get(&sim->wordings, text);
    if (wording == NULL) {
        wording = arena_new(&sim->arena, struct wording);
        *wording = (struct wording){.text = text, .readable = true};
        map_set(&sim->wordings, text, wording);
    }
    return wording;
}

static struct wording *wording_of_message(struct sim *sim, const struct bus_message *message)
{
    return wording_of(sim, message->subject, bus_header(message, STR("Saga-Command")), message->body);
}

void sim_dead_delivered(struct sim *sim, const struct bus_message *message)
{
    wording_of_message(sim, message)->delivered++;
}

void sim_dead_acknowledged(struct sim *sim, const struct bus_message *message)
{
    struct wording *wording = wording_of_message(sim, message);
    struct core_event event;
    struct id id;
    bool known = false;
    struct str reason;
    wording->readable = envelope_reply(message, &sim->arena, &event, &id, &known, &reason) &&
                        event.status != CORE_REPLY_UNUSABLE;
    wording->acknowledged++;
}

static void count_letters(struct sim *sim, struct arena *arena)
{
    struct store_dead_letter *letters = NULL;
    uint32_t count = PAGE;
    struct err_note note = {""};
    for (int64_t before = 0; count == PAGE; before = count > 0 ? letters[count - 1].number : 0) {
        if (store_dead_letters(sim->store, STR(""), before, PAGE, arena, &letters, &count, &note) != ERR_OK)
            sim_fail(sim, "the observer cannot list dead letters: %s", note.text);
        for (uint32_t i = 0; i < count; i++)
            if (str_starts(letters[i].subject, STR("saga.reply.")))
                wording_of(sim, letters[i].subject, letters[i].command, letters[i].body)->letters++;
    }
}

void sim_dead_check(struct sim *sim)
{
    struct arena arena;
    size_t cursor = 0;
    arena_init(&arena, 0);
    count_letters(sim, &arena);
    for (const struct wording *at = map_next(&sim->wordings, &cursor); at != NULL;
         at = map_next(&sim->wordings, &cursor)) {
        if (at->letters > at->delivered)
            sim_fail(sim, "S27: %" PRIu32 " dead letters of %" PRIu32 " messages: %.*s", at->letters,
                     at->delivered, STR_ARG(at->text));
        if (!at->readable && at->letters < at->acknowledged)
            sim_fail(sim,
                     "S27: %" PRIu32 " messages that cannot be read were acknowledged, and %" PRIu32
                     " dead letters stored: %.*s",
                     at->acknowledged, at->letters, STR_ARG(at->text));
    }
    arena_fini(&arena);
}
