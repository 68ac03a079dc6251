/* One saga on the real core with a virtual clock and a list of what is on its way. Called by everything here
 * that runs a saga. Never reads a clock, and at one moment answers come before timers. */
#include "engine/model/play.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "engine/base/check.h"
#include "engine/core/record.h"
#include "engine/core/view.h"

const int64_t play_epoch_us = INT64_C(1767225600000000);

struct play_post {
    int64_t due_us;
    struct core_event event;
    const void *tag;
    struct play_post *next;
};
/* A journal row as the store would keep it. */
struct play_row {
    int64_t seq;
    int64_t at_us;
    struct str kind;
    struct str step;
    uint32_t attempt;
    struct str data;
    struct play_row *next;
};

void play_init(struct play *play, const struct plan *plan, struct id id, int64_t began_us,
               struct arena *arena, struct play_host host)
{
    *play = (struct play){.arena = arena, .host = host, .began_us = began_us, .now_us = began_us};
    play->line_end = &play->lines;
    play->row_end = &play->rows;
    arena_init(&play->scratch, 0);
    core_init(&play->saga, plan, id, arena);
}

void play_fini(struct play *play)
{
    arena_fini(&play->scratch);
}

/* ---- what is on its way ---- */

static void copy_texts(struct arena *arena, struct core_event *event)
{
    struct str *const texts[] = {&event->signal,        &event->signal_id,   &event->parent_step,
                                 &event->key,           &event->correlation, &event->traceparent,
                                 &event->step,          &event->participant, &event->error_code,
                                 &event->error_message, &event->actor,       &event->reason};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = arena_copy(arena, *texts[i]);
}

void play_post(struct play *play, int64_t after_us, const struct core_event *event, const void *tag)
{
    struct play_post *post = arena_new(play->arena, struct play_post);
    struct play_post **at = &play->posts;
    check(after_us >= 0);
    *post = (struct play_post){.due_us = play->now_us + after_us, .event = *event, .tag = tag};
    copy_texts(play->arena, &post->event);
    while (*at && (*at)->due_us <= post->due_us)
        at = &(*at)->next;
    post->next = *at;
    *at = post;
}

/* ---- what is noted ---- */

static void add_line(struct play *play, struct str text)
{
    struct play_line *line = arena_new(play->arena, struct play_line);
    *line = (struct play_line){.at_us = play->now_us - play->began_us, .text = text};
    *play->line_end = line;
    play->line_end = &line->next;
}

void play_note(struct play *play, const char *format, ...)
{
    enum { NOTE_BYTES = 1024 };
    char text[NOTE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    check(size >= 0);
    add_line(play, arena_copy(play->arena, str_from(text)));
}

static void note_unused(struct play *play, const struct core_event *event, const struct core_update *update)
{
    struct buf head;
    struct str verdict = core_verdict_text(update->verdict);
    buf_init(&head, &play->scratch);
    record_narrate(&head, &play->saga, &(struct core_record){.seq = play->saga.seq, .event = *event});
    struct str text = str_trim(buf_str(&head));
    add_line(play, arena_printf(play->arena, "%.*s\n  %.*s: %.*s", STR_ARG(text), STR_ARG(verdict),
                                STR_ARG(update->why)));
}

static void keep_record(struct play *play, const struct core_record *record)
{
    struct buf text, data;
    buf_init(&text, play->arena);
    buf_init(&data, play->arena);
    record_narrate(&text, &play->saga, record);
    record_write(&data, &play->saga, record);
    add_line(play, str_trim(buf_str(&text)));
    struct play_row *row = arena_new(play->arena, struct play_row);
    *row = (struct play_row){.seq = record->seq,
                             .at_us = record->event.at_us,
                             .kind = core_event_text(record->event.kind),
                             .step = arena_copy(play->arena, record_step(&play->saga, record)),
                             .attempt = record_attempt(record),
                             .data = buf_str(&data)};
    *play->row_end = row;
    play->row_end = &row->next;
}

static struct play_command *add_command(struct play *play)
{
    enum { FIRST_ROOM = 16 };
    if (play->command_count == play->command_room) {
        uint32_t room = play->command_room ? 2 * play->command_room : FIRST_ROOM;
        play->commands =
            arena_resize(play->arena, play->commands, play->command_room * sizeof *play->commands,
                         room * sizeof *play->commands);
        play->command_room = room;
    }
    return &play->commands[play->command_count++];
}

static void send(struct play *play, uint16_t index, enum core_kind kind, uint32_t attempt,
                 const struct json *body, bool again)
{
    struct play_command command = {.at_us = play->now_us - play->began_us,
                                   .seq = play->saga.seq,
                                   .step = index,
                                   .node = &play->saga.plan->nodes[play->saga.steps[index].node],
                                   .path = arena_copy(play->arena, core_step_path(&play->saga, index)),
                                   .kind = kind,
                                   .attempt = attempt,
                                   .body = body,
                                   .again = again};
    *add_command(play) = command;
    if (play->host.commanded)
        play->host.commanded(play->host.context, play, &command);
}

static void act_on(struct play *play, const struct core_record *record)
{
    for (uint32_t i = 0; i < record->change_count; i++) {
        const struct core_change *change = &record->changes[i];
        if (change->kind == CORE_CHANGE_OPEN && play->host.opened)
            play->host.opened(play->host.context, play, change->step);
        if (change->kind == CORE_CHANGE_SEND)
            send(play, change->step, change->command, change->attempt, json_copy(play->arena, change->body),
                 false);
    }
}

/* ---- the clock ---- */

static void give(struct play *play, struct core_event *event, const void *tag)
{
    struct core_update update;
    event->at_us = play->now_us;
    if (event->kind == CORE_EVENT_MOVE)
        event->due_us += play->now_us;
    arena_reset(&play->scratch);
    core_step(&play->saga, event, &play->scratch, &update);
    play->event_count++;
    if (update.verdict == CORE_USED)
        keep_record(play, &update.record);
    else if (update.verdict != CORE_IDLE)
        note_unused(play, event, &update);
    if (play->host.happened)
        play->host.happened(play->host.context, play, event, &update, tag);
    if (update.verdict == CORE_USED)
        act_on(play, &update.record);
}

/* ---- a crash ---- */

static bool fold_all(struct play *play, struct core_saga *saga)
{
    struct core_record record;
    struct err_note note = {""};
    for (const struct play_row *row = play->rows; row; row = row->next) {
        if (record_read(saga, row->seq, row->at_us, row->kind, row->step, row->attempt, row->data,
                        play->arena, &record, &note) == ERR_OK &&
            core_fold(saga, &record, &note) == ERR_OK)
            continue;
        play_note(play, "record %" PRId64 " of the journal cannot be read back: %s", row->seq, note.text);
        return false;
    }
    return true;
}

static struct str view_text(const struct core_saga *saga, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    view_json(&out, saga);
    return buf_str(&out);
}

/* What is outstanding: the newest command of its kind. */
static void send_again(struct play *play, uint32_t index)
{
    const struct play_command command = play->commands[index];
    const struct core_step *step = &play->saga.steps[command.step];
    bool out = (step->state == CORE_STEP_SENT && command.kind == CORE_DO) ||
               (step->state == CORE_STEP_VERIFY_SENT && command.kind == CORE_VERIFY) ||
               (step->state == CORE_STEP_UNDO_SENT && command.kind == CORE_UNDO);
    if (out && !command.again && command.attempt == step->attempts[command.kind])
        send(play, command.step, command.kind, command.attempt, command.body, true);
}

static bool crash(struct play *play)
{
    struct core_saga anew;
    core_init(&anew, play->saga.plan, play->saga.id, play->arena);
    play_note(play, "the engine dies and starts again");
    if (!fold_all(play, &anew))
        return false;
    if (!str_equal(view_text(&anew, play->arena), view_text(&play->saga, play->arena))) {
        play_note(play, "the journal gives another saga than the one that ran");
        return false;
    }
    play->saga = anew;
    play->dies = false;
    uint32_t count = play->command_count;
    for (uint32_t i = 0; i < count; i++)
        send_again(play, i);
    return true;
}

/* ---- the run ---- */

int64_t play_next(const struct play *play)
{
    int64_t wake_us = core_wake(&play->saga);
    if (play->posts == NULL || wake_us < play->posts->due_us)
        return wake_us == INT64_MAX || wake_us > play->now_us ? wake_us : play->now_us;
    return play->posts->due_us > play->now_us ? play->posts->due_us : play->now_us;
}

bool play_step(struct play *play, enum play_end *end)
{
    struct play_post *post = play->posts;
    int64_t wake_us = core_wake(&play->saga);
    *end = post || wake_us < INT64_MAX ? PLAY_TIRED : PLAY_RESTS;
    if (*end == PLAY_RESTS || play->event_count == PLAY_EVENTS_MAX)
        return false;
    bool timer = !post || wake_us < post->due_us;
    int64_t due_us = timer ? wake_us : post->due_us;
    play->now_us = due_us > play->now_us ? due_us : play->now_us;
    if (timer) {
        give(play, &(struct core_event){.kind = CORE_EVENT_TIMER}, NULL);
    } else {
        play->posts = post->next;
        give(play, &post->event, post->tag);
    }
    if (!play->dies || crash(play))
        return true;
    *end = PLAY_BROKEN;
    return false;
}

enum play_end play_run(struct play *play)
{
    enum play_end end;
    while (play_step(play, &end))
        ;
    return end;
}

/* ---- for people ---- */

struct str play_command_text(struct arena *arena, const struct play_command *command)
{
    struct str kind = core_kind_text(command->kind);
    return arena_printf(arena, "%.*s/%.*s/%" PRIu32, STR_ARG(command->path), STR_ARG(kind), command->attempt);
}

void play_put_moment(struct buf *out, int64_t span_us)
{
    enum { MS_US = 1000, SECOND_MS = 1000, MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };
    int64_t ms = (span_us + MS_US - 1) / MS_US;
    int64_t seconds = ms / SECOND_MS;
    if (seconds >= DAY_S)
        buf_printf(out, "%" PRId64 "d ", seconds / DAY_S);
    seconds %= DAY_S;
    buf_printf(out, "%02d:%02d:%02d.%03d", (int)(seconds / HOUR_S), (int)(seconds % HOUR_S / MINUTE_S),
               (int)(seconds % MINUTE_S), (int)(ms % SECOND_MS));
}

static size_t moment_width(const struct play *play)
{
    struct buf widest;
    const struct play_line *line = play->lines;
    buf_init(&widest, play->arena);
    while (line && line->next)
        line = line->next;
    play_put_moment(&widest, line ? line->at_us : 0);
    return widest.size + 2;
}

void play_render(const struct play *play, struct buf *out)
{
    int64_t shown_us = -1;
    size_t width = moment_width(play);
    for (const struct play_line *line = play->lines; line; line = line->next) {
        for (struct str rest = line->text; rest.size > 0;) {
            struct str row = str_slice(rest, 0, str_find(rest, '\n'));
            rest = str_slice(rest, row.size + 1, rest.size);
            size_t begin = out->size;
            if (line->at_us != shown_us)
                play_put_moment(out, line->at_us);
            shown_us = line->at_us;
            while (out->size < begin + width)
                buf_char(out, ' ');
            buf_put(out, row);
            buf_char(out, '\n');
        }
    }
}
