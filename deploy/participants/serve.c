/* The demo participants' loop: commands from the broker to work.c, replies back. Called by main.c. Never
 * acknowledges a command before its reply has left. */
#include "deploy/participants/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "deploy/participants/work.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "tests/support/participant.h"

enum {
    RETRY_AFTER_MS = 200, /* when a rule does not say, or the database failed */
    DIED = 70,            /* exit status of a process that was told to die */
};

struct seat {
    struct database database;
    struct arena arena; /* of one command */
};
struct serve {
    struct serve_options options;
    struct participant *participant;
    pthread_mutex_t mutex;
    struct seat seats[SERVE_THREADS_MAX];
    struct seat *free[SERVE_THREADS_MAX];
    uint32_t seat_count;
    uint32_t free_count;
};
/* A command on its way. */
struct task {
    const struct serve *serve;
    struct seat *seat;
    struct participant *participant;
    const struct participant_command *command;
    struct work_command work;
};

static struct seat *sit_down(struct serve *serve)
{
    pthread_mutex_lock(&serve->mutex);
    check(serve->free_count > 0); /* there are as many seats as threads */
    struct seat *seat = serve->free[--serve->free_count];
    pthread_mutex_unlock(&serve->mutex);
    return seat;
}

static void get_up(struct serve *serve, struct seat *seat)
{
    arena_reset(&seat->arena);
    pthread_mutex_lock(&serve->mutex);
    serve->free[serve->free_count++] = seat;
    pthread_mutex_unlock(&serve->mutex);
}

static void say(const struct task *task, const char *what, struct str why)
{
    struct str now = duration_time_text(&task->seat->arena, clock_real_us());
    printf("%.*s %s.%.*s order=%s attempt=%" PRIu32 " %s%s%.*s\n", STR_ARG(str_slice(now, 11, 23)),
           task->serve->options.name, STR_ARG(task->command->action),
           task->work.order != NULL ? task->work.order : "?", task->command->attempt, what,
           why.size > 0 ? ": " : "", STR_ARG(why));
    fflush(stdout);
}

static void linger(int64_t ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
}

/* Header values are one line. */
static struct str one_line(struct arena *arena, struct str text)
{
    struct buf line;
    buf_init(&line, arena);
    for (size_t i = 0; i < text.size && i < LIMITS_ERROR_MESSAGE_BYTES; i++)
        buf_char(&line, text.data[i] == '\r' || text.data[i] == '\n' ? ' ' : text.data[i]);
    return buf_str(&line);
}

/* What is not sent now is asked for again by the engine, and found in the barrier. */
static void reply(const struct task *task, const struct work_answer *answer, int64_t retry_after_ms)
{
    struct participant_reply made = {
        .status = answer->status,
        .error_code = one_line(&task->seat->arena, answer->code),
        .error_message = one_line(&task->seat->arena, answer->message),
        .retry_after_ms = retry_after_ms,
        .body = answer->body,
    };
    enum err error = participant_reply(task->participant, task->command, &made);
    if (error != ERR_OK)
        say(task, "cannot reply", str_from(err_text(error)));
}

_Noreturn static void die(const struct task *task, const char *when)
{
    say(task, "dies, as it was told", str_from(when));
    _exit(DIED);
}

/* What the rule wants before the work. True: the command is over. */
static bool before(const struct task *task, const struct work_rule *rule)
{
    struct work_answer retry = {.status = STR("retry"), .code = rule->code, .message = rule->message};
    struct work_answer pending = {.status = STR("pending")};
    switch (rule->behaviour) {
    case ACTIONS_DIE_BEFORE:
        die(task, "before it did anything");
    case ACTIONS_RETRY:
        say(task, "retry, as it was told", rule->code);
        reply(task, &retry, rule->delay_ms > 0 ? rule->delay_ms : RETRY_AFTER_MS);
        return true;
    case ACTIONS_PENDING:
        say(task, "pending, as it was told", (struct str){0});
        reply(task, &pending, 0);
        linger(rule->delay_ms);
        return false;
    case ACTIONS_SLOW:
        say(task, "slow, as it was told", (struct str){0});
        linger(rule->delay_ms);
        return false;
    case ACTIONS_NORMAL:
    case ACTIONS_REJECT:
    case ACTIONS_TWICE:
    case ACTIONS_SILENT:
    case ACTIONS_DIE_AFTER:
        return false;
    }
    check_never("a behaviour of no kind");
}

static void carry_out(const struct task *task)
{
    struct work_rule rule = {.behaviour = ACTIONS_NORMAL};
    struct work_answer answer;
    struct err_note note = {""};
    if (work_rule(&task->seat->database, &task->work, &task->seat->arena, &rule, &note) != ERR_OK) {
        answer = (struct work_answer){
            .status = STR("retry"), .code = STR("DATABASE"), .message = str_from(note.text)};
        say(task, "retry", str_trim(answer.message));
        reply(task, &answer, RETRY_AFTER_MS);
        return;
    }
    if (before(task, &rule))
        return;
    work_run(&task->seat->database, &task->work, rule.behaviour == ACTIONS_REJECT ? &rule : NULL,
             &task->seat->arena, &answer);
    if (rule.behaviour == ACTIONS_DIE_AFTER)
        die(task, "after its work was committed");
    bool silent = rule.behaviour == ACTIONS_SILENT;
    say(task,
        arena_printf(&task->seat->arena, "%.*s%s%s", STR_ARG(answer.status),
                     answer.repeated ? ", known already" : "", silent ? ", not replied, as it was told" : "")
            .data,
        answer.code);
    if (silent)
        return;
    int64_t retry_after_ms = str_equal(answer.status, STR("retry")) ? RETRY_AFTER_MS : 0;
    if (rule.behaviour == ACTIONS_TWICE)
        reply(task, &answer, retry_after_ms);
    reply(task, &answer, retry_after_ms);
}

static void refuse(const struct task *task, const char *code, const char *message)
{
    struct work_answer answer = {
        .status = STR("rejected"), .code = str_from(code), .message = str_from(message)};
    say(task, "rejected", answer.code);
    reply(task, &answer, 0);
}

/* "order" of the body: what rules and log lines name a command by. */
static const char *order_of(struct arena *arena, struct str body)
{
    const struct json *value = NULL;
    if (json_parse(arena, body, LIMITS_PAYLOAD_BYTES, &value, NULL) != ERR_OK)
        return NULL;
    const struct json *order = json_get(value, STR("order"));
    bool named = order != NULL && (order->kind == JSON_STRING || order->kind == JSON_NUMBER);
    return named ? arena_copy(arena, order->text).data : NULL;
}

/* The statement by which a stand-in "does" an action: it gives the answer. */
static const char *answer_as_sql(const struct serve *serve, struct arena *arena, struct str action)
{
    struct str body = STR("{}");
    struct buf sql;
    for (uint32_t i = 0; i < serve->options.answer_count; i++) {
        if (str_equal(serve->options.answers[i].action, action))
            body = serve->options.answers[i].body;
    }
    buf_init(&sql, arena);
    buf_puts(&sql, "SELECT 'ok', NULL, NULL, json '");
    for (size_t i = 0; i < body.size; i++) {
        if (body.data[i] == '\'')
            buf_char(&sql, '\'');
        buf_char(&sql, body.data[i]);
    }
    buf_puts(&sql, "' WHERE $1::text IS NOT NULL AND $2::text IS NOT NULL");
    return buf_str(&sql).data;
}

/* What a command asks for; NULL when we do not know. A stand-in knows everything by its kind. */
static const struct actions_action *action_of(const struct serve *serve, struct arena *arena,
                                              const struct participant_command *command)
{
    if (!serve->options.stand_in)
        return actions_find(serve->options.name, command->action);
    struct actions_action *action = arena_new(arena, struct actions_action);
    *action = (struct actions_action){.participant = serve->options.name,
                                      .name = arena_copy(arena, command->action).data,
                                      .kind = ACTIONS_DO,
                                      .effect = answer_as_sql(serve, arena, command->action)};
    while (action->kind < ACTIONS_VERIFY &&
           !str_equal(command->kind, str_from(actions_kind_text(action->kind))))
        action->kind++;
    return action;
}

static enum participant_outcome handle(void *context, struct participant *participant,
                                       const struct participant_command *command)
{
    struct serve *serve = context;
    struct seat *seat = sit_down(serve);
    struct str body = arena_copy(&seat->arena, command->body);
    struct task task = {.serve = serve,
                        .seat = seat,
                        .participant =
                            participant, /* a command may come before participant_open has returned */
                        .command = command,
                        .work = {.action = action_of(serve, &seat->arena, command),
                                 .key = arena_copy(&seat->arena, command->key).data,
                                 .attempt = command->attempt,
                                 .order = order_of(&seat->arena, body),
                                 .body = body.data}};
    if (command->id.size == 0 || command->reply_to.size == 0 || command->key.size == 0)
        say(&task, "is no command of a saga: dropped", command->message->subject);
    else if (task.work.action == NULL)
        refuse(&task, "UNKNOWN_ACTION", "this participant has no such action");
    else if (!str_equal(command->kind, str_from(actions_kind_text(task.work.action->kind))))
        refuse(&task, "WRONG_KIND", "this action is of another kind: a do, an undo or a verify");
    else
        carry_out(&task);
    get_up(serve, seat);
    return PARTICIPANT_DONE;
}

static enum err open_seats(struct serve *serve, struct err_note *note)
{
    enum err error = ERR_OK;
    for (uint32_t i = 0; i < serve->options.threads && error == ERR_OK; i++) {
        struct seat *seat = &serve->seats[serve->seat_count++];
        arena_init(&seat->arena, 0);
        error = database_open(&seat->database, serve->options.database, serve->options.name, note);
        serve->free[serve->free_count++] = seat;
    }
    return error;
}

enum err serve_open(const struct serve_options *options, struct serve **opened, struct err_note *note)
{
    check(options->threads >= 1 && options->threads <= SERVE_THREADS_MAX);
    struct serve *serve = memory_new(1, sizeof *serve);
    serve->options = *options;
    pthread_mutex_init(&serve->mutex, NULL);
    struct participant_options line = {.url = options->nats,
                                       .name = options->name,
                                       .window =
                                           options->threads, /* what a dying process holds comes again late */
                                       .threads = options->threads,
                                       .handle = handle,
                                       .context = serve};
    struct actions_schema stand_in = actions_stand_in(options->name);
    const struct actions_schema *schema = options->stand_in ? &stand_in : actions_schema(options->name);
    enum err error = database_make(options->database, schema, note);
    if (error == ERR_OK)
        error = open_seats(serve, note);
    if (error == ERR_OK)
        error = participant_open(&line, &serve->participant, note);
    if (error != ERR_OK) {
        serve_close(serve);
        return error;
    }
    *opened = serve;
    return ERR_OK;
}

void serve_close(struct serve *serve)
{
    if (serve == NULL)
        return;
    participant_close(serve->participant);
    for (uint32_t i = 0; i < serve->seat_count; i++) {
        database_close(&serve->seats[i].database);
        arena_fini(&serve->seats[i].arena);
    }
    pthread_mutex_destroy(&serve->mutex);
    memory_free(serve);
}
