/* Golden scripts: a definition, events, and what the core says it did about them. A difference prints both
 * texts; SAGA_GOLDEN_UPDATE=1 writes the new text instead: read the diff before it is committed.
 *
 * An event line: "> [+duration] verb words…", after which time has passed by the duration; -duration: gone
 * back. start [key=…] [seed=…] [{input}] reply <step>[/verify|/undo][#attempt] <status> [from=participant]
 * [code=…] [message="…"] [after=duration]
 * [{body}] timer                              at the time that core_wake names, unless a duration is given
 *   cancel|terminate|pause|resume      [by=actor] [reason="…"]; pause deadline
 *   retry|skip|force [step] [status]   likewise
 *   signal <event> [id=…] [{body}]
 *   move [only|step] in=<duration>|now      likewise
 *   undo #<attempt>
 *   clock                              by=… reason=…, as the engine's
 * start also takes rules=… shards=… parent_step=… (which makes it a child) parent_attempt=… stillborn=yes. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/duration.h"
#include "engine/core/record.h"
#include "engine/core/view.h"
#include "engine/definition/definition.h"
#include "tests/core/twin.h"

struct script {
    struct arena arena; /* of the plan and the texts */
    struct twin twin;
    struct buf out;
    int64_t now_us;
    const char *name;
};

static struct str read_file(struct arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    cr_assert(file != NULL, "%s cannot be read", path);
    struct buf text;
    buf_init(&text, arena);
    size_t size;
    do {
        size = fread(buf_reserve(&text, 4096), 1, 4096, file);
        text.size += size;
    } while (size > 0);
    fclose(file);
    return buf_str(&text);
}

static struct str next_line(struct str *rest)
{
    size_t end = str_find(*rest, '\n');
    struct str line = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end + 1, rest->size);
    return line;
}

/* One word, or "quoted words" behind a name=. */
static struct str next_word(struct str *rest)
{
    *rest = str_trim(*rest);
    size_t end = 0;
    bool quoted = false;
    for (; end < rest->size && (quoted || rest->data[end] != ' '); end++)
        quoted = rest->data[end] == '"' ? !quoted : quoted;
    struct str word = str_slice(*rest, 0, end);
    *rest = str_trim(str_slice(*rest, end, rest->size));
    return word;
}

static struct str value_of(struct str word)
{
    struct str value = str_slice(word, str_find(word, '=') + 1, word.size);
    if (value.size >= 2 && value.data[0] == '"')
        value = str_slice(value, 1, value.size - 1);
    return value;
}

static int64_t duration_of(struct str text)
{
    int64_t duration_us = 0;
    cr_assert(duration_parse(text, &duration_us), "no duration: %.*s", STR_ARG(text));
    return duration_us;
}

static const struct json *json_of(struct script *script, struct str text)
{
    const struct json *value = NULL;
    struct err_note note;
    cr_assert(json_parse(&script->twin.batch, text, SIZE_MAX, &value, &note) == ERR_OK, "%.*s: %s",
              STR_ARG(text), note.text);
    return value;
}

static void read_option(struct script *script, struct core_event *event, struct str word)
{
    struct str value = value_of(word);
    int64_t number = 0;
    if (str_starts(word, STR("key=")))
        event->key = value;
    else if (str_starts(word, STR("seed=")) && str_to_i64(value, &number))
        event->seed = (uint64_t)number;
    else if (str_starts(word, STR("from=")))
        event->participant = value;
    else if (str_starts(word, STR("code=")))
        event->error_code = value;
    else if (str_starts(word, STR("message=")))
        event->error_message = value;
    else if (str_starts(word, STR("after=")))
        event->retry_after_us = duration_of(value);
    else if (str_starts(word, STR("id=")))
        event->signal_id = value;
    else if (str_starts(word, STR("in=")))
        event->due_us = script->now_us + duration_of(value);
    else if (str_starts(word, STR("shards=")) && str_to_i64(value, &number))
        event->shards = (uint32_t)number;
    else if (str_starts(word, STR("rules=")) && str_to_i64(value, &number))
        event->rules = (uint32_t)number;
    else if (str_starts(word, STR("parent_step="))) {
        event->has_parent = true;
        event->parent_step = value;
    } else if (str_starts(word, STR("parent_attempt=")) && str_to_i64(value, &number))
        event->parent_attempt = (uint32_t)number;
    else if (str_starts(word, STR("deadline=")))
        event->deadline = true;
    else if (str_starts(word, STR("stillborn=")))
        event->stillborn = true;
    else if (str_starts(word, STR("by=")))
        event->actor = value;
    else if (str_starts(word, STR("reason=")))
        event->reason = value;
    else
        cr_assert_fail("%s: unknown word %.*s", script->name, STR_ARG(word));
}

/* "charge/undo#2" */
static void read_target(struct script *script, struct core_event *event, struct str word)
{
    size_t hash = str_find(word, '#');
    struct str path = str_slice(word, 0, hash);
    size_t slash = str_find(path, '/');
    int64_t attempt = 0;
    event->step = str_slice(path, 0, slash);
    event->command_kind = CORE_DO;
    if (slash < path.size)
        cr_assert(core_kind_parse(str_slice(path, slash + 1, path.size), &event->command_kind));
    const struct core_saga *saga = &script->twin.live;
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (str_equal(core_step_path(saga, i), event->step))
            attempt = saga->steps[i].attempts[event->command_kind];
    if (hash < word.size)
        cr_assert(str_to_i64(str_slice(word, hash + 1, word.size), &attempt));
    event->attempt = (uint32_t)attempt;
}

static struct core_event read_event(struct script *script, struct str line)
{
    struct str word = next_word(&line);
    bool back = word.size > 0 && word.data[0] == '-';
    bool told = back || (word.size > 0 && word.data[0] == '+');
    if (told) {
        int64_t span_us = duration_of(str_slice(word, 1, word.size));
        script->now_us += back ? -span_us : span_us;
        word = next_word(&line);
    }
    struct core_event event = {.kind = CORE_EVENT_START};
    cr_assert(core_event_parse(word, &event.kind), "%s: no event: %.*s", script->name, STR_ARG(word));
    int64_t wake_us = core_wake(&script->twin.live);
    if (event.kind == CORE_EVENT_TIMER && !told && wake_us != INT64_MAX && wake_us > script->now_us)
        script->now_us = wake_us;
    event.at_us = script->now_us;
    if (event.kind == CORE_EVENT_REPLY || event.kind == CORE_EVENT_DELIVERED ||
        event.kind == CORE_EVENT_UNDELIVERED)
        read_target(script, &event, next_word(&line));
    if (event.kind == CORE_EVENT_SIGNAL)
        event.signal = next_word(&line);
    if (event.kind == CORE_EVENT_UNDO)
        read_target(script, &event, next_word(&line));
    while (line.size > 0) {
        bool is_json = line.data[0] == '{' || line.data[0] == '[' || line.data[0] == '"';
        word = is_json ? (struct str){0} : next_word(&line);
        if (is_json) {
            *(event.kind == CORE_EVENT_START ? &event.input : &event.body) = json_of(script, line);
            break;
        }
        if (str_find(word, '=') < word.size)
            read_option(script, &event, word);
        else if (event.kind == CORE_EVENT_PAUSE && str_equal(word, STR("deadline")))
            event.deadline = true;
        else if (str_equal(word, STR("only")))
            event.only = true;
        else if (!str_equal(word, STR("now")) && !core_reply_parse(word, &event.status))
            event.step = word;
    }
    return event;
}

static void put_state(struct script *script)
{
    const struct core_saga *saga = &script->twin.live;
    buf_puts(&script->out, "= ");
    buf_put(&script->out, core_status_text(saga->status));
    if (core_ended(saga) && saga->cause_code.size > 0) {
        buf_printf(&script->out, ", %.*s", STR_ARG(saga->cause_code));
        if (saga->cause_message.size > 0)
            buf_printf(&script->out, ": %.*s", STR_ARG(saga->cause_message));
    }
    size_t before = script->out.size;
    buf_puts(&script->out, "; ");
    view_waiting(&script->out, saga);
    if (script->out.size == before + 2)
        script->out.size = before;
    buf_char(&script->out, '\n');
}

static void run_event(struct script *script, struct str line)
{
    struct twin *twin = &script->twin;
    struct core_event event = read_event(script, line);
    enum core_verdict verdict = twin_step(twin, &event);
    if (verdict == CORE_USED) {
        record_narrate(&script->out, &twin->twin, &twin->read);
        put_state(script);
    } else {
        struct str text = core_verdict_text(verdict);
        buf_printf(&script->out, "%.*s%s: %.*s\n", STR_ARG(text), twin->update.aside ? ", put aside" : "",
                   STR_ARG(twin->update.why));
    }
    twin_clear(twin);
}

static struct str section(struct script *script, struct str *rest, const char *end)
{
    struct str start = *rest;
    while (rest->size > 0) {
        const char *at = rest->data;
        struct str line = next_line(rest);
        if (str_equal(line, str_from(end)))
            return str_slice(start, 0, (size_t)(at - start.data));
    }
    cr_assert_fail("%s: no line %s", script->name, end);
    return start;
}

static void run_script(struct script *script, struct str text)
{
    struct diag_list diags;
    struct str rest = text;
    buf_init(&script->out, &script->arena);
    section(script, &rest, "--- plan");
    struct str yaml = section(script, &rest, "--- events");
    buf_put(&script->out, str_slice(text, 0, (size_t)(rest.data - text.data)));
    diag_init(&diags, &script->arena, str_from(script->name), yaml);
    const struct plan *plan = definition_load(&script->arena, yaml, NULL, &diags);
    if (plan == NULL) {
        struct buf why;
        buf_init(&why, &script->arena);
        diag_render(&diags, &why);
        cr_assert_fail("%s: %.*s", script->name, STR_ARG(buf_str(&why)));
    }
    twin_init(&script->twin, plan);
    script->now_us = twin_epoch_us;
    while (rest.size > 0) {
        struct str line = next_line(&rest);
        bool event = str_starts(line, STR("> "));
        if (event || line.size == 0 || line.data[0] == '#') {
            buf_put(&script->out, line);
            buf_char(&script->out, '\n');
        }
        if (event)
            run_event(script, str_slice(line, 2, line.size));
    }
    twin_fini(&script->twin);
}

static void write_file(const char *path, struct str text)
{
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL);
    cr_assert_eq(fwrite(text.data, 1, text.size, file), text.size);
    fclose(file);
}

static void check_script(const char *folder, const char *name, unsigned *differing)
{
    struct script script = {.name = name};
    arena_init(&script.arena, 0);
    struct str path = arena_printf(&script.arena, "%s/%s", folder, name);
    struct str expected = read_file(&script.arena, path.data);
    run_script(&script, expected);
    struct str got = buf_str(&script.out);
    if (!str_equal(expected, got) && getenv("SAGA_GOLDEN_UPDATE")) {
        write_file(path.data, got);
    } else if (!str_equal(expected, got)) {
        size_t at = 0;
        while (at < got.size && at < expected.size && got.data[at] == expected.data[at])
            at++;
        while (at > 0 && got.data[at - 1] != '\n')
            at--;
        cr_log_error("%s differs; expected:\n%.*s\ngot:\n%.*s", name, (int)(expected.size - at),
                     expected.data + at, (int)(got.size - at), got.data + at);
        ++*differing;
    }
    arena_fini(&script.arena);
}

Test(core, golden_scripts, .timeout = 60)
{
    const char *folder = SAGA_SOURCE_DIR "/tests/core/scripts";
    struct dirent **entries = NULL;
    unsigned differing = 0;
    int count = scandir(folder, &entries, NULL, alphasort);
    int scripts = 0;
    cr_assert(count > 0);
    for (int i = 0; i < count; i++) {
        if (strstr(entries[i]->d_name, ".txt")) {
            check_script(folder, entries[i]->d_name, &differing);
            scripts++;
        }
        free(entries[i]);
    }
    free(entries);
    cr_assert(scripts >= 20, "only %d scripts were found", scripts);
    cr_assert_eq(differing, 0);
}
