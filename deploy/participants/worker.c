#include "deploy/participants/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"

enum {
    LOOK_MS = 250,     /* between two looks at *stop */
    SILENCE_MS = 5000, /* without message or heartbeat: the pull request got lost, ask again */
    REST_MS = 200,     /* after a refusal: the stream or the consumer is not made yet */
    ALIVE_MS = 5000,   /* between two signs of life of a slow command: well below the consumer's ack_wait */
    PUBLISH_WAIT_MS = 3000,
    RETRY_AFTER_MS = 200,
    DIED = 70, /* exit status of a process that was told to die */
};

static const char pull_request[] = "{\"batch\":1,\"expires\":10000000000,\"idle_heartbeat\":1000000000}";

struct task {
    natsMsg *message;
    const char *ack; /* subject that takes +ACK, +WPI, +TERM */
    const char *command;
    const char *reply_to;
    struct work_command work;
};

static void pause_ms(int64_t ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
}

static void say(struct worker *worker, const struct task *task, const char *what, struct str why)
{
    struct str now = duration_time_text(&worker->arena, clock_real_us());
    printf("%.*s %s.%s order=%s attempt=%" PRIu32 " %s%s%.*s\n", STR_ARG(str_slice(now, 11, 23)),
           worker->participant, task->work.action != NULL ? task->work.action->name : "?",
           task->work.order != NULL ? task->work.order : "?", task->work.attempt, what,
           why.size > 0 ? ": " : "", STR_ARG(why));
    fflush(stdout);
}

static void acknowledge(struct worker *worker, const struct task *task, const char *how)
{
    (void)natsConnection_PublishString(worker->connection, task->ack,
                                       how); /* lost: it comes again, and is known */
}

/* Header values are one line. */
static struct str one_line(struct arena *arena, struct str text)
{
    struct str copy = arena_copy(arena, str_slice(text, 0, LIMITS_ERROR_MESSAGE_BYTES));
    struct buf line;
    buf_init(&line, arena);
    for (size_t i = 0; i < copy.size; i++)
        buf_char(&line, copy.data[i] == '\r' || copy.data[i] == '\n' ? ' ' : copy.data[i]);
    return buf_str(&line);
}

static natsStatus set_header(struct worker *worker, natsMsg *message, const char *name, struct str value)
{
    return value.size == 0 ? NATS_OK : natsMsgHeader_Set(message, name, one_line(&worker->arena, value).data);
}

static natsStatus fill_headers(struct worker *worker, const struct task *task,
                               const struct work_answer *answer, int64_t after_ms, natsMsg *message)
{
    struct str after = after_ms > 0 ? arena_printf(&worker->arena, "%" PRId64, after_ms) : (struct str){0};
    natsStatus status = set_header(worker, message, "Saga-Command", str_from(task->command));
    if (status == NATS_OK)
        status = set_header(worker, message, "Saga-Status", answer->status);
    if (status == NATS_OK)
        status = set_header(worker, message, "Saga-Error-Code", answer->code);
    if (status == NATS_OK)
        status = set_header(worker, message, "Saga-Error-Message", answer->message);
    return status == NATS_OK ? set_header(worker, message, "Saga-Retry-After-Ms", after) : status;
}

/* True once the broker has stored it. */
static bool reply(struct worker *worker, const struct task *task, const struct work_answer *answer,
                  int64_t after_ms)
{
    natsMsg *message = NULL;
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MaxWait = PUBLISH_WAIT_MS;
    natsStatus status =
        natsMsg_Create(&message, task->reply_to, NULL, answer->body.data, (int)answer->body.size);
    if (status == NATS_OK)
        status = fill_headers(worker, task, answer, after_ms, message);
    if (status == NATS_OK)
        status = js_PublishMsg(NULL, worker->js, message, &options, NULL);
    natsMsg_Destroy(message);
    if (status != NATS_OK)
        say(worker, task, "reply not stored", str_from(natsStatus_GetText(status)));
    return status == NATS_OK;
}

/* The final answer; when the broker does not take it, the command is left to come again. */
static void finish(struct worker *worker, const struct task *task, const struct work_answer *answer,
                   int64_t after_ms)
{
    if (reply(worker, task, answer, after_ms))
        acknowledge(worker, task, "+ACK");
}

static void linger(struct worker *worker, const struct task *task, int64_t ms)
{
    for (; ms > ALIVE_MS; ms -= ALIVE_MS) {
        pause_ms(ALIVE_MS);
        acknowledge(worker, task, "+WPI");
    }
    pause_ms(ms);
}

static void die(struct worker *worker, const struct task *task, const char *when)
{
    say(worker, task, "dies, as it was told", str_from(when));
    _exit(DIED);
}

/* What the rule wants before the work. True: the command is over. */
static bool before(struct worker *worker, const struct task *task, const struct work_rule *rule)
{
    struct work_answer answer = {.status = STR("pending")};
    switch (rule->behaviour) {
    case ACTIONS_DIE_BEFORE:
        die(worker, task, "before it did anything");
        return true;
    case ACTIONS_RETRY:
        answer = (struct work_answer){.status = STR("retry"), .code = rule->code, .message = rule->message};
        say(worker, task, "retry, as it was told", rule->code);
        finish(worker, task, &answer, rule->delay_ms > 0 ? rule->delay_ms : RETRY_AFTER_MS);
        return true;
    case ACTIONS_PENDING:
        say(worker, task, "pending, as it was told", (struct str){0});
        (void)reply(worker, task, &answer, 0); /* a courtesy: the real answer follows */
        linger(worker, task, rule->delay_ms);
        return false;
    case ACTIONS_SLOW:
        say(worker, task, "slow, as it was told", (struct str){0});
        linger(worker, task, rule->delay_ms);
        return false;
    case ACTIONS_NORMAL:
    case ACTIONS_REJECT:
    case ACTIONS_TWICE:
    case ACTIONS_SILENT:
    case ACTIONS_DIE_AFTER:
        return false;
    }
    return false;
}

static void carry_out(struct worker *worker, const struct task *task)
{
    struct work_rule rule = {.behaviour = ACTIONS_NORMAL};
    struct work_answer answer;
    struct err_note note = {""};
    if (work_rule(&worker->database, &task->work, &worker->arena, &rule, &note) != ERR_OK) {
        answer = (struct work_answer){
            .status = STR("retry"), .code = STR("DATABASE"), .message = str_from(note.text)};
        say(worker, task, "retry", answer.message);
        finish(worker, task, &answer, RETRY_AFTER_MS);
        return;
    }
    if (before(worker, task, &rule))
        return;
    work_run(&worker->database, &task->work, rule.behaviour == ACTIONS_REJECT ? &rule : NULL, &worker->arena,
             &answer);
    if (rule.behaviour == ACTIONS_DIE_AFTER)
        die(worker, task, "after its work was committed");
    say(worker, task,
        arena_printf(&worker->arena, "%.*s%s", STR_ARG(answer.status),
                     answer.repeated ? ", known already" : "")
            .data,
        answer.code);
    if (rule.behaviour == ACTIONS_SILENT) {
        acknowledge(worker, task, "+ACK");
        return;
    }
    if (rule.behaviour == ACTIONS_TWICE)
        (void)reply(worker, task, &answer, 0);
    finish(worker, task, &answer, str_equal(answer.status, STR("retry")) ? RETRY_AFTER_MS : 0);
}

static void refuse(struct worker *worker, const struct task *task, const char *code, const char *message)
{
    struct work_answer answer = {
        .status = STR("rejected"), .code = str_from(code), .message = str_from(message)};
    say(worker, task, "rejected", answer.code);
    finish(worker, task, &answer, 0);
}

/* "order" of the body: what rules and log lines name a command by. */
static const char *order_of(struct worker *worker, struct str body)
{
    const struct json *value = NULL;
    if (json_parse(&worker->arena, body, LIMITS_PAYLOAD_BYTES, &value, NULL) != ERR_OK)
        return NULL;
    const struct json *order = json_get(value, STR("order"));
    bool named = order != NULL && (order->kind == JSON_STRING || order->kind == JSON_NUMBER);
    return named ? arena_copy(&worker->arena, order->text).data : NULL;
}

static const char *header(natsMsg *message, const char *name)
{
    const char *value = NULL;
    return natsMsgHeader_Get(message, name, &value) == NATS_OK && value != NULL ? value : "";
}

static void handle(struct worker *worker, natsMsg *message)
{
    int64_t attempt = 0;
    const char *subject = natsMsg_GetSubject(message), *dot = strrchr(subject, '.');
    struct str body = arena_copy(
        &worker->arena, (struct str){natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message)});
    struct task task = {.message = message,
                        .ack = natsMsg_GetReply(message),
                        .command = header(message, "Saga-Command"),
                        .reply_to = header(message, "Saga-Reply-To")};
    (void)str_to_i64(str_from(header(message, "Saga-Attempt")), &attempt);
    task.work = (struct work_command){
        .action = actions_find(worker->participant, str_from(dot == NULL ? subject : dot + 1)),
        .key = header(message, "Saga-Key"),
        .attempt = (uint32_t)attempt,
        .order = order_of(worker, body),
        .body = body.data,
    };
    if (task.command[0] == '\0' || task.reply_to[0] == '\0' || task.work.key[0] == '\0' || attempt < 1) {
        say(worker, &task, "is no command: dropped", str_from(subject));
        acknowledge(worker, &task, "+TERM");
    } else if (task.work.action == NULL) {
        refuse(worker, &task, "UNKNOWN_ACTION", "this participant has no such action");
    } else if (strcmp(header(message, "Saga-Kind"), actions_kind_text(task.work.action->kind)) != 0) {
        refuse(worker, &task, "WRONG_KIND", "this action is of another kind: a do, an undo or a verify");
    } else {
        carry_out(worker, &task);
    }
}

/* True when a message or a refusal has used the pull request up. */
static bool take(struct worker *worker, natsMsg *message)
{
    const char *status = header(message, "Status");
    bool command = natsMsg_GetReply(message) != NULL && status[0] == '\0';
    if (command)
        handle(worker, message);
    else if (strcmp(status, "100") == 0)
        return false;
    else if (strcmp(status, "408") != 0 && strcmp(status, "404") != 0)
        pause_ms(REST_MS);
    return true;
}

static void *run(void *context)
{
    struct worker *worker = context;
    char subject[128];
    int silent_ms = 0;
    bool asked = false;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.%s", worker->participant);
    while (!atomic_load(worker->stop)) {
        natsMsg *message = NULL;
        if (!asked)
            asked = natsConnection_PublishRequestString(worker->connection, subject, worker->inbox_subject,
                                                        pull_request) == NATS_OK;
        natsStatus status = natsSubscription_NextMsg(&message, worker->inbox, LOOK_MS);
        silent_ms = status == NATS_OK ? 0 : silent_ms + LOOK_MS;
        if (status == NATS_OK && take(worker, message))
            asked = false;
        else if (silent_ms >= SILENCE_MS)
            asked = false;
        if (!asked)
            silent_ms = 0;
        natsMsg_Destroy(message);
        arena_reset(&worker->arena);
        if (status != NATS_OK && status != NATS_TIMEOUT)
            pause_ms(REST_MS);
    }
    return NULL;
}

static enum err listen_in(struct worker *worker, struct err_note *note)
{
    natsInbox *inbox = NULL;
    natsStatus status = natsInbox_Create(&inbox);
    if (status == NATS_OK) {
        snprintf(worker->inbox_subject, sizeof worker->inbox_subject, "%s", inbox);
        status = natsConnection_SubscribeSync(&worker->inbox, worker->connection, inbox);
    }
    if (status == NATS_OK)
        status = natsConnection_JetStream(&worker->js, worker->connection, NULL);
    natsInbox_Destroy(inbox);
    return status == NATS_OK ? ERR_OK
                             : err_note(note, ERR_UNAVAILABLE, "NATS: %s", natsStatus_GetText(status));
}

enum err worker_start(struct worker *worker, struct err_note *note)
{
    arena_init(&worker->arena, 0);
    enum err error = listen_in(worker, note);
    if (error == ERR_OK)
        error = database_open(&worker->database, worker->server, worker->participant, note);
    if (error == ERR_OK && pthread_create(&worker->thread, NULL, run, worker) != 0)
        error = err_note(note, ERR_IO, "cannot start a thread");
    return error;
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    natsSubscription_Destroy(worker->inbox);
    jsCtx_Destroy(worker->js);
    database_close(&worker->database);
    arena_fini(&worker->arena);
}
