#include "engine/sagactl/show.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"

enum { ID_WIDTH = 36, NAME_WIDTH = 20, STATE_WIDTH = 14, TIME_WIDTH = 23 };

static struct str text(const struct json *object, const char *name)
{
    const struct json *value = json_get(object, str_from(name));
    return value == NULL || value->kind == JSON_NULL ? (struct str){0} : value->text;
}

static struct str short_time(struct str time)
{
    return str_slice(time, 0, TIME_WIDTH); /* to the millisecond */
}

static const struct json *list(const struct json *object, const char *name)
{
    static const struct json none = {.kind = JSON_ARRAY};
    const struct json *value = json_get(object, str_from(name));
    return value == NULL || value->kind != JSON_ARRAY ? &none : value;
}

static void line(const char *label, struct str value)
{
    if (value.size > 0)
        printf("%-12s %.*s\n", label, STR_ARG(value));
}

static void tree(const char *label, const struct json *value)
{
    struct arena arena;
    struct buf out;
    if (value == NULL || value->kind == JSON_NULL)
        return;
    arena_init(&arena, 0);
    buf_init(&out, &arena);
    json_write(&out, value);
    line(label, buf_str(&out));
    arena_fini(&arena);
}

static void reason(const char *label, const struct json *value)
{
    if (value == NULL || value->kind != JSON_OBJECT)
        return;
    struct str step = text(value, "step");
    printf("%-12s %.*s: %.*s%s%.*s\n", label, STR_ARG(text(value, "code")), STR_ARG(text(value, "message")),
           step.size > 0 ? ", step " : "", STR_ARG(step));
}

static void step(const struct json *one)
{
    const struct json *attempts = json_get(one, STR("attempts"));
    const struct json *error = json_get(one, STR("error"));
    int64_t dos = 0, verifies = 0, undos = 0;
    (void)json_get_i64(attempts, STR("do"), &dos);
    (void)json_get_i64(attempts, STR("verify"), &verifies);
    (void)json_get_i64(attempts, STR("undo"), &undos);
    printf("  %-*.*s %-*.*s", NAME_WIDTH, STR_ARG(text(one, "id")), STATE_WIDTH, STR_ARG(text(one, "state")));
    printf(" do %" PRId64, dos);
    if (verifies > 0)
        printf(", verify %" PRId64, verifies);
    if (undos > 0)
        printf(", undo %" PRId64, undos);
    if (error != NULL && error->kind == JSON_OBJECT)
        printf("  %.*s: %.*s", STR_ARG(text(error, "code")), STR_ARG(text(error, "message")));
    printf("\n");
}

void show_saga(const struct json *saga)
{
    const struct json *paused = json_get(saga, STR("paused"));
    const struct json *steps = list(saga, "steps"), *next = list(saga, "next");
    line("saga", text(saga, "id"));
    printf("%-12s %.*s version %.*s\n", "definition", STR_ARG(text(saga, "definition")),
           STR_ARG(text(saga, "version")));
    line("key", text(saga, "key"));
    printf("%-12s %.*s%s\n", "status", STR_ARG(text(saga, "status")),
           paused != NULL && paused->boolean ? ", paused" : "");
    reason("because", json_get(saga, STR("reason")));
    reason("parked", json_get(saga, STR("park")));
    line("now", text(saga, "waiting"));
    line("started", short_time(text(saga, "started_at")));
    line("ended", short_time(text(saga, "ended_at")));
    tree("input", json_get(saga, STR("input")));
    tree("output", json_get(saga, STR("output")));
    printf("steps\n");
    for (uint32_t i = 0; i < steps->count; i++)
        step(steps->items[i]);
    for (uint32_t i = 0; i < next->count; i++)
        printf("  %-*.*s %s\n", NAME_WIDTH, STR_ARG(next->items[i]->text), "-");
}

void show_list(const struct json *page)
{
    const struct json *items = list(page, "items");
    printf("%-*s  %-*s %-*s %-*s %s\n", ID_WIDTH, "ID", NAME_WIDTH, "DEFINITION", STATE_WIDTH, "STATUS",
           TIME_WIDTH, "STARTED", "NOW");
    for (uint32_t i = 0; i < items->count; i++) {
        const struct json *one = items->items[i];
        struct str waiting = text(one, "waiting");
        printf("%-*.*s  %-*.*s %-*.*s %-*.*s %.*s\n", ID_WIDTH, STR_ARG(text(one, "id")), NAME_WIDTH,
               STR_ARG(text(one, "definition")), STATE_WIDTH, STR_ARG(text(one, "status")), TIME_WIDTH,
               STR_ARG(short_time(text(one, "started_at"))),
               STR_ARG(waiting.size > 0 ? waiting : text(one, "reason")));
    }
    if (text(page, "next").size > 0)
        printf("more: --cursor %.*s\n", STR_ARG(text(page, "next")));
}

void show_records(const struct json *page)
{
    const struct json *items = list(page, "items");
    for (uint32_t i = 0; i < items->count; i++) {
        const struct json *words = list(items->items[i], "narration");
        printf("%4.*s  %.*s  ", STR_ARG(text(items->items[i], "seq")),
               STR_ARG(short_time(text(items->items[i], "at"))));
        if (words->count == 0)
            printf("%.*s\n", STR_ARG(text(items->items[i], "kind")));
        for (uint32_t word = 0; word < words->count; word++)
            printf("%s%.*s\n", word > 0 ? "        " : "", STR_ARG(words->items[word]->text));
    }
}

void show_dead_letters(const struct json *page)
{
    const struct json *items = list(page, "items");
    for (uint32_t i = 0; i < items->count; i++) {
        const struct json *one = items->items[i];
        printf("%.*s  %.*s  %.*s\n      %.*s\n", STR_ARG(text(one, "number")),
               STR_ARG(short_time(text(one, "at"))), STR_ARG(text(one, "subject")),
               STR_ARG(text(one, "reason")));
        if (text(one, "command").size > 0)
            printf("      command %.*s\n", STR_ARG(text(one, "command")));
    }
    if (items->count == 0)
        printf("no dead letters\n");
}

void show_definitions(const struct json *page)
{
    const struct json *items = list(page, "items");
    for (uint32_t i = 0; i < items->count; i++)
        printf("%-*.*s version %-4.*s %.*s\n", NAME_WIDTH, STR_ARG(text(items->items[i], "name")),
               STR_ARG(text(items->items[i], "version")), STR_ARG(text(items->items[i], "description")));
}
