#include "engine/bus/nats_line.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/rng.h"

/* `mutex` serializes all our calls into the connection that may find it broken: nats.c closes the socket
 * inside the call that meets the error, and no other call of ours may be reading that descriptor then. For
 * the same reason nats.c's own ping timer, which would close it from its own thread, is off: we beat
 * ourselves. */
struct nats_line {
    struct nats_line_options options;
    struct nats_line_callbacks callbacks;
    char inbox[NATS_LINE_INBOX_BYTES];
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;     /* `up`, `drained` or `tried` did */
    natsConnection *connection; /* NULL while there is none */
    natsSubscription *subscription;
    bool up;
    bool tried;   /* one attempt to connect has ended */
    bool drained; /* the delivery thread has ended */
    size_t buffered;
    int wake; /* eventfd: the thread should look again */
    int socket;
    atomic_bool stop;
    int64_t heard_us; /* these three: the line's thread only */
    int64_t ticked_us;
    int beats;
    char problem[256]; /* why the last attempt failed */
};

static natsStatus on_attach(void **user_data, void *loop, natsConnection *connection, natsSock socket)
{
    (void)connection;
    struct nats_line *line = loop;
    line->socket = socket;
    *user_data = line;
    return NATS_OK;
}

/* What nats.c wants polled is of no interest: we always read, and write when asked to flush. */
static natsStatus on_poll_wish(void *user_data, bool add)
{
    (void)user_data;
    (void)add;
    return NATS_OK;
}

static natsStatus on_detach(void *user_data)
{
    (void)user_data;
    return NATS_OK;
}

/* Errors show where they matter: as a lost connection, or as a message that is not answered. The handler
 * keeps nats.c from writing to stderr. */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *closure)
{
    (void)connection;
    (void)subscription;
    (void)status;
    (void)closure;
}

static void wake(struct nats_line *line)
{
    uint64_t one = 1;
    ssize_t written = write(line->wake, &one, sizeof one);
    (void)written; /* a full counter wakes as well */
}

static natsStatus set_servers(natsOptions *made, const char *urls)
{
    enum { SERVERS_MAX = 32, URLS_BYTES = 2048 };
    char copy[URLS_BYTES];
    const char *servers[SERVERS_MAX];
    int count = 0;
    if (strlen(urls) >= sizeof copy)
        return NATS_INVALID_ARG;
    memcpy(copy, urls, strlen(urls) + 1);
    char *rest = NULL;
    for (char *one = strtok_r(copy, ", ", &rest); one != NULL && count < SERVERS_MAX;
         one = strtok_r(NULL, ", ", &rest))
        servers[count++] = one;
    natsStatus status = natsOptions_SetServers(made, servers, count);
    if (status == NATS_OK && strncmp(urls, "tls://", 6) == 0)
        status = natsOptions_SetSecure(made, true);
    return status;
}

natsStatus nats_line_set(const struct nats_line_options *options, natsOptions *made)
{
    natsStatus status = set_servers(made, options->url);
    if (status == NATS_OK && options->user != NULL)
        status = natsOptions_SetUserInfo(made, options->user, options->password ? options->password : "");
    if (status == NATS_OK && options->token != NULL)
        status = natsOptions_SetToken(made, options->token);
    if (status == NATS_OK && options->credentials_file != NULL)
        status = natsOptions_SetUserCredentialsFromFiles(made, options->credentials_file, NULL);
    if (status == NATS_OK && options->name != NULL)
        status = natsOptions_SetName(made, options->name);
    if (status == NATS_OK)
        status = natsOptions_SetCustomInboxPrefix(made, options->inbox);
    if (status == NATS_OK)
        status = natsOptions_SetTimeout(made, NATS_LINE_CONNECT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(made, true); /* no flusher thread and its millisecond */
    if (status == NATS_OK)
        status = natsOptions_SetErrorHandler(made, on_error, NULL);
    return status;
}

static natsStatus make_connection(struct nats_line *line, natsConnection **connection)
{
    natsOptions *options = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = nats_line_set(&line->options, options);
    if (status == NATS_OK)
        status = natsOptions_SetAllowReconnect(options, false);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, 0);
    if (status == NATS_OK)
        status = natsOptions_SetIOBufSize(options, NATS_LINE_FLUSH_BYTES);
    if (status == NATS_OK)
        status = natsOptions_SetEventLoop(options, line, on_attach, on_poll_wish, on_poll_wish, on_detach);
    if (status == NATS_OK)
        status = natsConnection_Connect(connection, options);
    natsOptions_Destroy(options);
    return status;
}

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *closure)
{
    (void)connection;
    (void)subscription;
    struct nats_line *line = closure;
    line->callbacks.message(line->callbacks.context, message);
}

static void on_drained(void *closure)
{
    struct nats_line *line = closure;
    pthread_mutex_lock(&line->mutex);
    line->drained = true;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->mutex);
}

static natsStatus subscribe(struct nats_line *line, natsConnection *connection)
{
    char subject[NATS_LINE_INBOX_BYTES + 2];
    snprintf(subject, sizeof subject, "%s.>", line->inbox);
    natsStatus status = natsConnection_Subscribe(&line->subscription, connection, subject, on_message, line);
    if (status != NATS_OK)
        return status;
    line->drained = false;
    status = natsSubscription_SetOnCompleteCB(line->subscription, on_drained, line);
    /* Bounded by what we ask for: publishes in flight and max_ack_pending; dropping would lose answers. */
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(line->subscription, -1, -1);
    return status;
}

/* With the mutex held. */
static void write_out(struct nats_line *line)
{
    if (line->connection == NULL || natsConnection_Buffered(line->connection) <= 0)
        return;
    natsConnection_ProcessWriteEvent(line->connection);
    int left = natsConnection_Buffered(line->connection);
    line->buffered = left > 0 ? (size_t)left : 0;
    if (left != 0) /* the socket is full, or the connection broke: the thread sees to it */
        wake(line);
}

static void drop_connection(struct nats_line *line)
{
    pthread_mutex_lock(&line->mutex);
    line->up = false;
    write_out(line);
    natsConnection_Close(line->connection);
    while (line->subscription != NULL && !line->drained)
        pthread_cond_wait(&line->changed, &line->mutex);
    natsSubscription_Destroy(line->subscription);
    natsConnection_Destroy(line->connection);
    line->subscription = NULL;
    line->connection = NULL;
    line->buffered = 0;
    pthread_mutex_unlock(&line->mutex);
}

static bool connect_line(struct nats_line *line)
{
    natsConnection *connection = NULL;
    natsStatus status = make_connection(line, &connection);
    pthread_mutex_lock(&line->mutex);
    line->connection = connection;
    if (status == NATS_OK)
        status = subscribe(line, connection);
    if (status == NATS_OK)
        write_out(line);
    line->up = status == NATS_OK;
    line->tried = true;
    if (status != NATS_OK)
        snprintf(line->problem, sizeof line->problem, "%s", natsStatus_GetText(status));
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->mutex);
    if (status != NATS_OK && connection != NULL)
        drop_connection(line);
    line->beats = 0;
    line->heard_us = clock_monotonic_us();
    return status == NATS_OK;
}

static void tick(struct nats_line *line)
{
    int64_t now_us = clock_monotonic_us();
    if (now_us - line->ticked_us < (int64_t)NATS_LINE_TICK_MS * 1000)
        return;
    line->ticked_us = now_us;
    line->callbacks.tick(line->callbacks.context, now_us);
    nats_line_flush(line);
}

/* False when the connection has been silent for too long. Beats are counted, not timed, so that a process
 * that was stopped for a while does not take its own pause for the server's. */
static bool beat(struct nats_line *line)
{
    int64_t now_us = clock_monotonic_us();
    if (now_us - line->heard_us < (int64_t)NATS_LINE_BEAT_US * (line->beats + 1))
        return true;
    if (line->beats == NATS_LINE_BEATS_MAX)
        return false;
    char subject[NATS_LINE_INBOX_BYTES + 8];
    snprintf(subject, sizeof subject, "%s.beat", line->inbox);
    line->beats++;
    enum err err = nats_line_send_text(line, subject, NULL, "");
    nats_line_flush(line);
    return err == ERR_OK;
}

static void read_in(struct nats_line *line)
{
    pthread_mutex_lock(&line->mutex);
    natsConnection_ProcessReadEvent(line->connection);
    write_out(line); /* a PONG we owe */
    pthread_mutex_unlock(&line->mutex);
    line->heard_us = clock_monotonic_us();
    line->beats = 0;
}

static void serve(struct nats_line *line)
{
    while (!atomic_load(&line->stop) && !natsConnection_IsClosed(line->connection)) {
        bool stuck = natsConnection_Buffered(line->connection) > 0;
        struct pollfd fds[2] = {{.fd = line->wake, .events = POLLIN},
                                {.fd = line->socket, .events = (short)(stuck ? POLLIN | POLLOUT : POLLIN)}};
        poll(fds, 2, NATS_LINE_TICK_MS);
        if (fds[0].revents != 0) {
            uint64_t count;
            ssize_t got = read(line->wake, &count, sizeof count);
            (void)got;
        }
        if ((fds[1].revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) != 0)
            read_in(line);
        if ((fds[1].revents & POLLOUT) != 0)
            nats_line_flush(line);
        tick(line);
        if (!beat(line))
            return;
    }
}

static void rest_between_attempts(struct nats_line *line)
{
    for (int waited = 0; waited < NATS_LINE_RETRY_MS && !atomic_load(&line->stop);
         waited += NATS_LINE_TICK_MS) {
        poll(NULL, 0, NATS_LINE_TICK_MS);
        tick(line);
    }
}

static void *run(void *argument)
{
    struct nats_line *line = argument;
    while (!atomic_load(&line->stop)) {
        if (connect_line(line)) {
            line->callbacks.up(line->callbacks.context);
            nats_line_flush(line);
            serve(line);
            drop_connection(line);
            line->callbacks.down(line->callbacks.context);
        } else {
            rest_between_attempts(line);
        }
    }
    nats_ReleaseThreadMemory();
    return NULL;
}

static enum err await_first(struct nats_line *line, struct err_note *note)
{
    enum { FIRST_US = 5000000 };
    int64_t end_us = clock_real_us() + FIRST_US;
    struct timespec end = {.tv_sec = end_us / 1000000, .tv_nsec = (end_us % 1000000) * 1000};
    pthread_mutex_lock(&line->mutex);
    int timed_out = 0;
    while (!line->up && timed_out == 0)
        timed_out = pthread_cond_timedwait(&line->changed, &line->mutex, &end);
    bool up = line->up;
    enum err err = ERR_OK;
    if (!up)
        err = err_note(note, ERR_UNAVAILABLE, "NATS does not answer at %s: %s", line->options.url,
                       line->tried ? line->problem : "no answer");
    pthread_mutex_unlock(&line->mutex);
    return err;
}

enum err nats_line_open(const struct nats_line_options *options, const struct nats_line_callbacks *callbacks,
                        struct nats_line **opened, struct err_note *note)
{
    struct nats_line *line = memory_new(1, sizeof *line);
    line->options = *options;
    line->callbacks = *callbacks;
    snprintf(line->inbox, sizeof line->inbox, "%s.%016llx", options->inbox,
             (unsigned long long)rng_entropy());
    pthread_mutex_init(&line->mutex, NULL);
    pthread_cond_init(&line->changed, NULL);
    line->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(line->wake >= 0);
    *opened = line;
    check(pthread_create(&line->thread, NULL, run, line) == 0);
    enum err err = await_first(line, note);
    if (err != ERR_OK) {
        nats_line_close(line);
        *opened = NULL;
    }
    return err;
}

void nats_line_close(struct nats_line *line)
{
    if (line == NULL)
        return;
    atomic_store(&line->stop, true);
    wake(line);
    pthread_join(line->thread, NULL);
    close(line->wake);
    pthread_cond_destroy(&line->changed);
    pthread_mutex_destroy(&line->mutex);
    memory_free(line);
}

const char *nats_line_inbox(const struct nats_line *line)
{
    return line->inbox;
}

bool nats_line_is_up(struct nats_line *line)
{
    pthread_mutex_lock(&line->mutex);
    bool up = line->up;
    pthread_mutex_unlock(&line->mutex);
    return up;
}

/* With the mutex held, after a send of `size` bytes. */
static enum err after_send(struct nats_line *line, natsStatus status, size_t size, struct err_note *note)
{
    if (status == NATS_MAX_PAYLOAD)
        return err_note(note, ERR_LIMIT, "the message is larger than the NATS server takes");
    if (status != NATS_OK)
        return err_note(note, ERR_UNAVAILABLE, "cannot send to NATS: %s", natsStatus_GetText(status));
    line->buffered += size;
    if (line->buffered >= NATS_LINE_FLUSH_BYTES)
        write_out(line);
    return ERR_OK;
}

/* With the mutex held. */
static enum err may_send(struct nats_line *line, struct err_note *note)
{
    if (!line->up)
        return err_note(note, ERR_UNAVAILABLE, "not connected to NATS");
    if (line->buffered >= NATS_LINE_BUFFER_BYTES)
        return err_note(note, ERR_FULL, "the NATS server does not read what is sent");
    return ERR_OK;
}

enum err nats_line_send(struct nats_line *line, natsMsg *message, struct err_note *note)
{
    size_t size = (size_t)natsMsg_GetDataLength(message);
    pthread_mutex_lock(&line->mutex);
    enum err err = may_send(line, note);
    if (err == ERR_OK)
        err = after_send(line, natsConnection_PublishMsg(line->connection, message), size, note);
    pthread_mutex_unlock(&line->mutex);
    return err;
}

enum err nats_line_send_text(struct nats_line *line, const char *subject, const char *reply, const char *text)
{
    int size = (int)strlen(text);
    pthread_mutex_lock(&line->mutex);
    enum err err = may_send(line, NULL);
    if (err == ERR_OK) {
        natsStatus status = reply == NULL
                                ? natsConnection_Publish(line->connection, subject, text, size)
                                : natsConnection_PublishRequest(line->connection, subject, reply, text, size);
        err = after_send(line, status, (size_t)size, NULL);
    }
    pthread_mutex_unlock(&line->mutex);
    return err;
}

void nats_line_flush(struct nats_line *line)
{
    pthread_mutex_lock(&line->mutex);
    write_out(line);
    pthread_mutex_unlock(&line->mutex);
}

uint64_t nats_line_waiting(struct nats_line *line)
{
    uint64_t count = 0;
    pthread_mutex_lock(&line->mutex);
    if (line->subscription != NULL && natsSubscription_QueuedMsgs(line->subscription, &count) != NATS_OK)
        count = 0;
    pthread_mutex_unlock(&line->mutex);
    return count;
}
