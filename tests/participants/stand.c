/* The engine's place in front of a demo participant: commands out, replies in, over real servers. */
#include "tests/participants/stand.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static const char program[] = SAGA_BINARY_DIR "/deploy/participants/participant";

static void must(natsStatus status, const char *what)
{
    cr_assert_eq(status, NATS_OK, "%s: %s", what, natsStatus_GetText(status));
}

static void add_stream(struct stand *stand, const char *name, const char *subject)
{
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = name;
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.Retention = js_WorkQueuePolicy;
    must(js_AddStream(NULL, stand->js, &config, NULL, NULL), name);
}

static void add_consumer(struct stand *stand)
{
    char filter[64];
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    (void)snprintf(filter, sizeof filter, "saga.cmd.%s.>", stand->name);
    config.Durable = stand->name;
    config.FilterSubject = filter;
    config.AckPolicy = js_AckExplicit;
    config.AckWait = 2000000000; /* what a dead participant held comes again soon */
    must(js_AddConsumer(NULL, stand->js, "SAGA_CMD", &config, NULL, NULL), "consumer");
}

void stand_start(struct stand *stand, const char *name)
{
    stand_start_in(stand, name, NULL);
}

void stand_start_in(struct stand *stand, const char *name, const char *answer)
{
    *stand = (struct stand){.name = name, .answer = answer};
    const char *const names[] = {name, NULL};
    char url[SERVERS_URL_SIZE];
    harness_init(&stand->harness, HARNESS_POSTGRES | HARNESS_NATS);
    (void)snprintf(stand->rights_file, sizeof stand->rights_file, "%s/nats.conf", stand->harness.dir);
    rights_use(&stand->harness.nats, stand->rights_file);
    rights_write(&stand->harness.nats, &(struct rights){.participants = names});
    harness_run(&stand->harness);
    rights_url(&stand->harness.nats, "operator", url);
    must(natsConnection_ConnectTo(&stand->connection, url), "connect");
    must(natsConnection_JetStream(&stand->js, stand->connection, NULL), "JetStream");
    add_stream(stand, "SAGA_CMD", "saga.cmd.>");
    add_stream(stand, "SAGA_REPLY", "saga.reply.>");
    add_consumer(stand);
    must(natsConnection_SubscribeSync(&stand->replies, stand->connection, "saga.reply.>"), "subscribe");
    stand_launch(stand);
}

void stand_launch(struct stand *stand)
{
    char line[100];
    char url[SERVERS_URL_SIZE];
    rights_url(&stand->harness.nats, stand->name, url);
    const char *const demo[] = {program,     stand->name,  "--nats",
                                url,         "--database", stand->harness.postgres.url,
                                "--workers", "1",          NULL};
    const char *const stand_in[] = {program,     "stand-in",    stand->name,
                                    "--answer",  stand->answer, "--nats",
                                    url,         "--database",  stand->harness.postgres.url,
                                    "--workers", "1",           NULL};
    harness_launch(&stand->program, stand->harness.dir, stand->name, stand->answer ? stand_in : demo, NULL);
    cr_assert(
        harness_await_line(&stand->program, "ready participant=", line, sizeof line, STAND_PATIENCE_MS));
}

static void check_no_report(const struct stand *stand)
{
    char tail[2000];
    process_log_tail(stand->program.process.log, tail, sizeof tail);
    cr_assert_null(strstr(tail, "Sanitizer"), "%s", tail);
}

void stand_stop(struct stand *stand)
{
    struct err_note note;
    if (process_running(&stand->program.process, NULL)) {
        enum err error = process_stop(&stand->program.process, 15, STAND_PATIENCE_MS, &note);
        cr_assert_eq(error, ERR_OK, "%s", note.text);
    }
    check_no_report(stand);
    natsSubscription_Destroy(stand->replies);
    jsCtx_Destroy(stand->js);
    natsConnection_Destroy(stand->connection);
    harness_stop(&stand->harness);
}

void stand_behave(struct stand *stand, const char *const *arguments)
{
    struct err_note note;
    const char *argv[24] = {program, "behave", stand->name, "--database", stand->harness.postgres.url};
    for (int i = 0; arguments[i] != NULL && i < 18; i++)
        argv[5 + i] = arguments[i];
    enum err error = process_run(argv, NULL, stand->program.process.log, STAND_PATIENCE_MS, &note);
    cr_assert_eq(error, ERR_OK, "%s", note.text);
}

static void set(natsMsg *message, const char *name, const char *value)
{
    if (value[0] != '\0')
        must(natsMsgHeader_Set(message, name, value), name);
}

static void publish(struct stand *stand, const char *subject, const char *command, const char *kind,
                    const char *key, const char *attempt, const char *reply_to, const char *body)
{
    natsMsg *message = NULL;
    must(natsMsg_Create(&message, subject, NULL, body, (int)strlen(body)), "message");
    set(message, "Saga-Command", command);
    set(message, "Saga-Kind", kind);
    set(message, "Saga-Key", key);
    set(message, "Saga-Attempt", attempt);
    set(message, "Saga-Reply-To", reply_to);
    must(js_PublishMsg(NULL, stand->js, message, NULL, NULL), subject);
    natsMsg_Destroy(message);
    stand->sent++;
}

void stand_send(struct stand *stand, const char *action, const char *kind, const char *key, int attempt,
                const char *body)
{
    char subject[100];
    char command[128];
    char number[16];
    char reply_to[100];
    (void)snprintf(subject, sizeof subject, "saga.cmd.%s.%s", stand->name, action);
    (void)snprintf(command, sizeof command, "%s/%s/%d", key, kind, attempt);
    (void)snprintf(number, sizeof number, "%d", attempt);
    (void)snprintf(reply_to, sizeof reply_to, "saga.reply.0.%s", stand->name);
    publish(stand, subject, command, kind, key, number, reply_to, body);
}

void stand_send_raw(struct stand *stand, const char *subject, const char *command, const char *kind,
                    const char *key, const char *body)
{
    publish(stand, subject, command, kind, key, "1", "saga.reply.0.raw", body);
}

static void take(natsMsg *message, const char *name, char *text, size_t size, const char *absent)
{
    const char *value = NULL;
    bool there = natsMsgHeader_Get(message, name, &value) == NATS_OK && value != NULL;
    (void)snprintf(text, size, "%s", there ? value : absent);
}

void stand_receive(struct stand *stand, struct stand_reply *reply)
{
    natsMsg *message = NULL;
    must(natsSubscription_NextMsg(&message, stand->replies, STAND_PATIENCE_MS), "no reply came");
    take(message, "Saga-Command", reply->command, sizeof reply->command, "");
    take(message, "Saga-Status", reply->status, sizeof reply->status, "ok");
    take(message, "Saga-Error-Code", reply->code, sizeof reply->code, "");
    take(message, "Saga-Error-Message", reply->message, sizeof reply->message, "");
    take(message, "Saga-Retry-After-Ms", reply->retry_after, sizeof reply->retry_after, "");
    (void)snprintf(reply->body, sizeof reply->body, "%.*s", natsMsg_GetDataLength(message),
                   natsMsg_GetData(message));
    natsMsg_Destroy(message);
}

void stand_ask(struct stand *stand, const char *action, const char *kind, const char *key, int attempt,
               const char *body, struct stand_reply *reply)
{
    char command[128];
    (void)snprintf(command, sizeof command, "%s/%s/%d", key, kind, attempt);
    stand_send(stand, action, kind, key, attempt, body);
    stand_receive(stand, reply);
    cr_assert_str_eq(reply->command, command);
}

int stand_await_death(struct stand *stand)
{
    int status = 0;
    cr_assert(process_wait(&stand->program.process, STAND_PATIENCE_MS, &status), "it did not die");
    check_no_report(stand);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *stand_query(struct stand *stand, const char *sql)
{
    char url[SERVERS_URL_SIZE];
    servers_postgres_url(&stand->harness.postgres, stand->name, false, url);
    return harness_query(url, sql);
}
