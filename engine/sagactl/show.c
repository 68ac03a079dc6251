/* Tables, times and texts for a terminal. Called by all subcommands that print. Never prints what a terminal
 * would obey. */
#include "engine/sagactl/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/buf.h"
#include "engine/base/visible.h"

enum {
    ID_WIDTH = 36,
    STATUS_WIDTH = 12, /* "compensating" */
    TIME_WIDTH = 24,   /* 2026-11-21T12:04:10.123Z */
    ATTEMPTS_WIDTH = 20,
    VALUE_BYTES = 160, /* of an output: two screen lines; --json shows all */
    NOW_WIDTH_MIN = 20,
};
static const char blanks[] = "                                                                ";

struct str show_plain(struct arena *arena, struct str text)
{
    return visible_text(arena, text);
}

static void print_lines(struct arena *arena, struct str text, FILE *file)
{
    struct buf out;
    buf_init(&out, arena);
    visible_put_lines(&out, text);
    (void)fwrite(out.data, 1, out.size, file); /* a reader that went away has nobody to be told */
}

void show_json(struct arena *arena, struct str text)
{
    print_lines(arena, text, stdout);
}

void show_report(struct arena *arena, struct str text)
{
    print_lines(arena, text, stderr);
}

static struct str text(const struct invocation *invocation, const struct json *object, const char *name)
{
    const struct json *value = json_get(object, str_from(name));
    bool none = value == NULL || value->kind == JSON_NULL;
    return none ? (struct str){0} : show_plain(invocation->arena, value->text);
}

/* At most `size` bytes, with a mark where something is left out. */
static struct str cut(struct arena *arena, struct str given, size_t size)
{
    if (given.size <= size)
        return given;
    size_t kept = str_utf8_size(str_slice(given, 0, size > 0 ? size - 1 : 0));
    return arena_printf(arena, "%.*s…", (int)kept, given.data);
}

/* "2026-11-21T12:04:10.123456Z" to the millisecond. */
static struct str moment(const struct invocation *invocation, const struct json *object, const char *name)
{
    struct str whole = text(invocation, object, name);
    if (whole.size <= TIME_WIDTH)
        return whole;
    return arena_printf(invocation->arena, "%.*sZ", TIME_WIDTH - 1, whole.data);
}

static const struct json *list(const struct json *object, const char *name)
{
    static const struct json none = {.kind = JSON_ARRAY};
    const struct json *value = json_get(object, str_from(name));
    return value == NULL || value->kind != JSON_ARRAY ? &none : value;
}

/* How wide a column must be for the header and the texts of all rows. */
static int width_of(const struct json *rows, const char *name, const char *header)
{
    size_t width = strlen(header);
    for (uint32_t i = 0; i < rows->count; i++) {
        size_t size = json_get_str(rows->items[i], str_from(name)).size;
        width = size > width ? size : width;
    }
    return (int)width;
}

static void cell(struct str value, int width)
{
    int rest = width - (int)value.size;
    printf("%.*s%.*s", STR_ARG(value), rest > 0 ? rest : 0, blanks);
}

static void line(const char *label, struct str value)
{
    if (value.size > 0)
        printf("%-12s %.*s\n", label, STR_ARG(value));
}

static struct str tree(const struct invocation *invocation, const struct json *value)
{
    bool none = value == NULL || value->kind == JSON_NULL;
    return none ? (struct str){0} : show_plain(invocation->arena, json_text(invocation->arena, value));
}

static void reason(const struct invocation *invocation, const char *label, const struct json *value)
{
    if (value == NULL || value->kind != JSON_OBJECT)
        return;
    struct str step = text(invocation, value, "step");
    printf("%-12s %.*s: %.*s%s%.*s\n", label, STR_ARG(text(invocation, value, "code")),
           STR_ARG(text(invocation, value, "message")), step.size > 0 ? ", step " : "", STR_ARG(step));
}

static struct str attempts(const struct invocation *invocation, const struct json *step)
{
    static const char *const kinds[] = {"do", "verify", "undo"};
    const struct json *made = json_get(step, STR("attempts"));
    struct buf out;
    buf_init(&out, invocation->arena);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t count = 0;
        if (json_get_i64(made, str_from(kinds[i]), &count) && count > 0)
            buf_printf(&out, "%s%s %" PRId64, buf_str(&out).size > 0 ? ", " : "", kinds[i], count);
    }
    return buf_str(&out);
}

static void step(const struct invocation *invocation, const struct json *one, int id_width, int state_width)
{
    const struct json *error = json_get(one, STR("error"));
    const struct json *in_doubt = json_get(one, STR("in_doubt"));
    struct str output = tree(invocation, json_get(one, STR("output")));
    struct str ended = moment(invocation, one, "ended_at");
    struct str child = text(invocation, one, "child");
    printf("  ");
    cell(text(invocation, one, "id"), id_width + 2);
    cell(text(invocation, one, "state"), state_width + 2);
    cell(attempts(invocation, one), ATTEMPTS_WIDTH + 2);
    cell(moment(invocation, one, "sent_at"), ended.size > 0 ? TIME_WIDTH + 2 : 0);
    printf("%.*s\n", STR_ARG(ended));
    if (child.size > 0)
        printf("    child    %.*s\n", STR_ARG(child));
    if (error != NULL && error->kind == JSON_OBJECT)
        printf("    error    %.*s: %.*s\n", STR_ARG(text(invocation, error, "code")),
               STR_ARG(text(invocation, error, "message")));
    if (in_doubt != NULL && in_doubt->boolean)
        printf("    in doubt: whether it took effect is not known\n");
    if (output.size > 0)
        printf("    output   %.*s\n", STR_ARG(cut(invocation->arena, output, VALUE_BYTES)));
}

static void steps_of(const struct invocation *invocation, const struct json *saga)
{
    const struct json *steps = list(saga, "steps"), *next = list(saga, "next");
    int id_width = width_of(steps, "id", "STEP"), state_width = width_of(steps, "state", "STATE");
    for (uint32_t i = 0; i < next->count; i++)
        id_width = (int)next->items[i]->text.size > id_width ? (int)next->items[i]->text.size : id_width;
    printf("\n  %-*s  %-*s  %-*s  %-*s  %s\n", id_width, "STEP", state_width, "STATE", ATTEMPTS_WIDTH,
           "ATTEMPTS", TIME_WIDTH, "LAST SENT", "ENDED");
    for (uint32_t i = 0; i < steps->count; i++)
        step(invocation, steps->items[i], id_width, state_width);
    for (uint32_t i = 0; i < next->count; i++) {
        printf("  ");
        cell(show_plain(invocation->arena, next->items[i]->text), id_width + 2);
        printf("-\n");
    }
}

static void parent_of(const struct invocation *invocation, const struct json *saga)
{
    const struct json *parent = json_get(saga, STR("parent"));
    if (parent != NULL && parent->kind == JSON_OBJECT)
        printf("%-12s %.*s, step %.*s\n", "parent", STR_ARG(text(invocation, parent, "id")),
               STR_ARG(text(invocation, parent, "step")));
}

/* What was put aside of it, by the numbers that `dead-letters` tells. */
static void letters_of(const struct invocation *invocation, const struct json *saga)
{
    const struct json *items = list(saga, "dead_letters");
    for (uint32_t i = 0; i < items->count; i++) {
        const struct json *one = items->items[i];
        printf("dead letter %.*s, %.*s: %.*s\n", STR_ARG(text(invocation, one, "number")),
               STR_ARG(moment(invocation, one, "at")), STR_ARG(text(invocation, one, "reason")));
    }
}

void show_saga(const struct invocation *invocation, const struct json *saga)
{
    const struct json *paused = json_get(saga, STR("paused"));
    line("saga", text(invocation, saga, "id"));
    printf("%-12s %.*s version %.*s\n", "definition", STR_ARG(text(invocation, saga, "definition")),
           STR_ARG(text(invocation, saga, "version")));
    line("key", text(invocation, saga, "key"));
    parent_of(invocation, saga);
    printf("%-12s %.*s%s\n", "status", STR_ARG(text(invocation, saga, "status")),
           paused != NULL && paused->boolean ? ", paused" : "");
    reason(invocation, "because", json_get(saga, STR("reason")));
    reason(invocation, "parked", json_get(saga, STR("park")));
    line("now", text(invocation, saga, "waiting"));
    line("started", moment(invocation, saga, "started_at"));
    line("ended", moment(invocation, saga, "ended_at"));
    line("input", tree(invocation, json_get(saga, STR("input"))));
    line("output", tree(invocation, json_get(saga, STR("output"))));
    steps_of(invocation, saga);
    letters_of(invocation, saga);
}

/* What a saga of a list is at: what it waits for, or why it ended as it did. */
static struct str now(const struct invocation *invocation, const struct json *saga)
{
    struct str waiting = text(invocation, saga, "waiting");
    return waiting.size > 0 ? waiting : text(invocation, saga, "reason");
}

void show_list(const struct invocation *invocation, const struct json *page)
{
    const struct json *items = list(page, "items");
    int definition = width_of(items, "definition", "DEFINITION");
    int fixed = ID_WIDTH + 2 + STATUS_WIDTH + 2 + definition + 2;
    int columns = invocation->columns;
    bool timed = columns == 0 || fixed + TIME_WIDTH + 2 + NOW_WIDTH_MIN <= columns;
    int rest = columns - fixed - (timed ? TIME_WIDTH + 2 : 0);
    size_t room = columns == 0 ? SIZE_MAX : rest > 0 ? (size_t)rest : 0;
    if (items->count == 0) {
        printf("no sagas\n");
        return;
    }
    printf("%-*s  %-*s  %-*s  %s%s\n", ID_WIDTH, "ID", STATUS_WIDTH, "STATUS", definition, "DEFINITION",
           timed ? "STARTED                   " : "", room > 0 ? "NOW" : "");
    for (uint32_t i = 0; i < items->count; i++) {
        const struct json *one = items->items[i];
        cell(text(invocation, one, "id"), ID_WIDTH + 2);
        cell(text(invocation, one, "status"), STATUS_WIDTH + 2);
        cell(text(invocation, one, "definition"), definition + 2);
        if (timed)
            cell(moment(invocation, one, "started_at"), TIME_WIDTH + 2);
        printf("%.*s\n", STR_ARG(room > 0 ? cut(invocation->arena, now(invocation, one), room) : STR("")));
    }
    if (text(invocation, page, "next").size > 0)
        printf("more: --cursor %.*s\n", STR_ARG(text(invocation, page, "next")));
}

void show_records(const struct invocation *invocation, const struct json *page)
{
    const struct json *items = list(page, "items");
    for (uint32_t i = 0; i < items->count; i++) {
        const struct json *words = list(items->items[i], "narration");
        printf("%4.*s  %.*s  ", STR_ARG(text(invocation, items->items[i], "seq")),
               STR_ARG(moment(invocation, items->items[i], "at")));
        if (words->count == 0)
            printf("%.*s\n", STR_ARG(text(invocation, items->items[i], "kind")));
        for (uint32_t word = 0; word < words->count; word++)
            printf("%s%.*s\n", word > 0 ? "        " : "",
                   STR_ARG(show_plain(invocation->arena, words->items[word]->text)));
    }
}

void show_timers(const struct invocation *invocation, const struct json *page)
{
    const struct json *items = list(page, "items");
    int step = width_of(items, "step", "the saga");
    if (items->count == 0) {
        printf("no timers\n");
        return;
    }
    printf("%-*s  %-8s  %-*s  WHAT\n", step, "STEP", "KIND", TIME_WIDTH, "DUE");
    for (uint32_t i = 0; i < items->count; i++) {
        const struct json *one = items->items[i];
        const struct json *held = json_get(one, STR("held"));
        struct str path = text(invocation, one, "step"), command = text(invocation, one, "command");
        cell(path.size > 0 ? path : STR("the saga"), step + 2);
        cell(text(invocation, one, "kind"), 10);
        cell(moment(invocation, one, "due"), TIME_WIDTH + 2);
        printf("%.*s", STR_ARG(command.size > 0 ? command : text(invocation, one, "event")));
        if (command.size > 0)
            printf(", %.*s sent", STR_ARG(text(invocation, one, "attempt")));
        printf("%s\n", held != NULL && held->boolean ? ", held" : "");
    }
}

void show_dead_letters(const struct invocation *invocation, const struct json *page)
{
    const struct json *items = list(page, "items");
    for (uint32_t i = 0; i < items->count; i++) {
        const struct json *one = items->items[i];
        struct str saga = text(invocation, one, "saga"), command = text(invocation, one, "command");
        printf("%4.*s  %.*s  %.*s\n      %.*s\n", STR_ARG(text(invocation, one, "number")),
               STR_ARG(moment(invocation, one, "at")), STR_ARG(text(invocation, one, "subject")),
               STR_ARG(text(invocation, one, "reason")));
        if (saga.size > 0)
            printf("      saga %.*s\n", STR_ARG(saga));
        if (command.size > 0)
            printf("      command %.*s\n", STR_ARG(command));
    }
    if (items->count == 0)
        printf("no dead letters\n");
    if (text(invocation, page, "next").size > 0)
        printf("more: --before %.*s\n", STR_ARG(text(invocation, page, "next")));
}

void show_definitions(const struct invocation *invocation, const struct json *page)
{
    const struct json *items = list(page, "items");
    int name = width_of(items, "name", "NAME");
    if (items->count == 0) {
        printf("no definitions\n");
        return;
    }
    printf("%-*s  VERSION  ENABLED  DESCRIPTION\n", name, "NAME");
    for (uint32_t i = 0; i < items->count; i++) {
        cell(text(invocation, items->items[i], "name"), name + 2);
        const struct json *enabled = json_get(items->items[i], STR("enabled"));
        printf("%7.*s  %-7s  %.*s\n", STR_ARG(text(invocation, items->items[i], "version")),
               enabled != NULL && !enabled->boolean ? "no" : "yes",
               STR_ARG(text(invocation, items->items[i], "description")));
    }
}
