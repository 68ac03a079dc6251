/* One connection on a thread of ours: connect, subscribe, read, write in batches, begin again. Called by all
 * that speaks to NATS. Never reconnects behind its user's back: what was under way is answered first. */
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
#include "engine/base/mask.h"
#include "engine/base/memory.h"
#include "engine/bus/nats_errors.h"

#define HELLO ".hello" /* behind our inbox */

/* `mutex` serializes all our calls into the connection that may find it broken: nats.c closes the socket
 * inside the call that meets the error, and no other call of ours may be reading that descriptor then. For
 * the same reason nats.c's own ping timer, which would close it from its own thread, is off: we beat
 * ourselves. A line for calls leaves all that to nats.c's threads. */
struct nats_line {
    struct nats_options options;
    struct nats_line_callbacks callbacks;
    bool for_calls;
    char inbox[NATS_LINE_INBOX_BYTES];
    struct nats_errors errors;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;     /* `up`, `drained`, `holders` or `tried` did */
    natsConnection *connection; /* NULL while there is none */
    natsSubscription *subscription;
    bool up;
    bool tried;       /* one attempt to connect has ended */
    bool drained;     /* the delivery thread has ended */
    bool greeted;     /* our first message came back */
    uint32_t holders; /* callers that use the connection now */
    size_t buffered;
    char problem[NATS_LINE_WHY_BYTES]; /* why it is not up, or is about not to be */
    int wake;                          /* eventfd: the thread should look again */
    int socket;
    atomic_bool stop;
    atomic_bool given_up; /* the connection is of no use any more: `problem` says why */
    int64_t heard_us;     /* these three: the line's thread only */
    int64_t ticked_us;
    int beats;
};

static natsStatus on_attach(void **user_data, void *loop, natsConnection *connection, natsSock socket)
{
    (void)connection;
    struct nats_line *line = loop;
    line->socket = socket;
    *user_data = line;
    return NATS_OK;
}

/* Of no interest: we always read, and write when asked to flush. */
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

static void wake(struct nats_line *line)
{
    uint64_t one = 1;
    (void)!write(line->wake, &one, sizeof one); /* a full counter wakes as well */
}

static void note_problem(struct nats_line *line, const char *why)
{
    pthread_mutex_lock(&line->mutex);
    snprintf(line->problem, sizeof line->problem, "%s", why);
    pthread_mutex_unlock(&line->mutex);
}

void nats_line_renew(struct nats_line *line, const char *why)
{
    note_problem(line, why);
    atomic_store(&line->given_up, true);
    wake(line);
}

static enum nats_line_complaint complaint_of(natsStatus status, const char *text)
{
    if (status == NATS_NOT_PERMITTED)
        return strstr(text, "for Subscription") != NULL ? NATS_LINE_SUBSCRIBE_DENIED
                                                        : NATS_LINE_PUBLISH_DENIED;
    if (status == NATS_CONNECTION_AUTH_FAILED)
        return NATS_LINE_LOGIN_REFUSED;
    return status == NATS_SLOW_CONSUMER ? NATS_LINE_SLOW : NATS_LINE_OTHER;
}

/* A line that may not use its own inbox is of no use. */
static void on_error(void *context, natsStatus status, const char *text)
{
    struct nats_line *line = context;
    if (status == NATS_NOT_PERMITTED && strstr(text, line->inbox) != NULL)
        nats_line_renew(line, text);
    if (line->callbacks.complain != NULL)
        line->callbacks.complain(line->callbacks.context, complaint_of(status, text), text);
}

/* We decide when to read and write. */
static natsStatus set_event_loop(struct nats_line *line, natsOptions *made)
{
    natsStatus status = natsOptions_SetPingInterval(made, 0);
    if (status == NATS_OK)
        status = natsOptions_SetIOBufSize(made, NATS_LINE_FLUSH_BYTES);
    if (status == NATS_OK)
        status = natsOptions_SetEventLoop(made, line, on_attach, on_poll_wish, on_poll_wish, on_detach);
    return status;
}

/* Its subscriptions share one delivery thread of nats.c's, so that many of them do not take many threads. */
static natsStatus set_own_threads(natsOptions *made)
{
    natsStatus status = natsOptions_SetPingInterval(made, NATS_LINE_BEAT_US / 1000);
    if (status == NATS_OK)
        status = natsOptions_SetMaxPingsOut(made, NATS_LINE_BEATS_MAX);
    if (status == NATS_OK)
        status = natsOptions_UseGlobalMessageDelivery(made, true);
    return status;
}

static natsStatus make_connection(struct nats_line *line, natsConnection **connection)
{
    natsOptions *options = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = nats_options_set(&line->options, options);
    if (status == NATS_OK)
        status = natsOptions_SetAllowReconnect(options, false);
    if (status == NATS_OK)
        status = nats_errors_set(&line->errors, options);
    if (status == NATS_OK)
        status = line->for_calls ? set_own_threads(options) : set_event_loop(line, options);
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
    const char *subject = natsMsg_GetSubject(message);
    size_t size = strlen(line->inbox);
    if (strncmp(subject, line->inbox, size) != 0 || strcmp(subject + size, HELLO) != 0) {
        line->callbacks.message(line->callbacks.context, message);
        return;
    }
    natsMsg_Destroy(message);
    pthread_mutex_lock(&line->mutex);
    line->greeted = true;
    pthread_mutex_unlock(&line->mutex);
    wake(line);
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
    if (line->connection == NULL || line->for_calls || natsConnection_Buffered(line->connection) <= 0)
        return;
    natsConnection_ProcessWriteEvent(line->connection);
    int left = natsConnection_Buffered(line->connection);
    line->buffered = left > 0 ? (size_t)left : 0;
    if (left != 0) /* the socket is full, or the connection broke: the thread sees to it */
        wake(line);
}

static void drop_connection(struct nats_line *line, bool prepared)
{
    pthread_mutex_lock(&line->mutex);
    line->up = false;
    write_out(line);
    natsConnection_Close(line->connection); /* whoever holds it and waits is told at once */
    while (line->holders > 0 || (line->subscription != NULL && !line->drained))
        pthread_cond_wait(&line->changed, &line->mutex);
    pthread_mutex_unlock(&line->mutex);
    if (prepared && line->callbacks.discard != NULL)
        line->callbacks.discard(line->callbacks.context);
    pthread_mutex_lock(&line->mutex);
    natsSubscription_Destroy(line->subscription);
    natsConnection_Destroy(line->connection);
    line->subscription = NULL;
    line->connection = NULL;
    line->buffered = 0;
    pthread_mutex_unlock(&line->mutex);
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

/* Waits for something to do, at most a tick, and does it. */
static void turn(struct nats_line *line)
{
    bool stuck = !line->for_calls && natsConnection_Buffered(line->connection) > 0;
    struct pollfd fds[2] = {{.fd = line->wake, .events = POLLIN},
                            {.fd = line->socket, .events = (short)(stuck ? POLLIN | POLLOUT : POLLIN)}};
    poll(fds, line->for_calls ? 1 : 2, NATS_LINE_TICK_MS);
    if (fds[0].revents != 0) {
        uint64_t count;
        (void)!read(line->wake, &count, sizeof count);
    }
    if ((fds[1].revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) != 0)
        read_in(line);
    if ((fds[1].revents & POLLOUT) != 0)
        nats_line_flush(line);
}

/* Closed by nats.c: what the server said last, unless that was about one message. */
static void note_closed(struct nats_line *line)
{
    const char *said = NULL;
    char why[NATS_LINE_WHY_BYTES];
    natsStatus status = natsConnection_GetLastError(line->connection, &said);
    bool told = said != NULL && said[0] != '\0' && strstr(said, "Permissions Violation") == NULL;
    mask_urls(told ? said : natsStatus_GetText(status), why, sizeof why);
    note_problem(line, why);
}

/* True when the connection is still good; else the problem is noted. */
static bool goes_on(struct nats_line *line)
{
    if (atomic_load(&line->given_up))
        return false;
    if (!natsConnection_IsClosed(line->connection))
        return true;
    note_closed(line);
    return false;
}

/* A subscription that is refused is refused later, in words; so the line is up when a message to ourselves
 * has come back. */
static bool greet(struct nats_line *line)
{
    char subject[NATS_LINE_INBOX_BYTES + sizeof HELLO];
    snprintf(subject, sizeof subject, "%s" HELLO, line->inbox);
    pthread_mutex_lock(&line->mutex);
    natsStatus status = natsConnection_PublishString(line->connection, subject, "");
    write_out(line);
    pthread_mutex_unlock(&line->mutex);
    int64_t end_us = clock_monotonic_us() + NATS_LINE_GREET_US;
    bool greeted = false;
    while (status == NATS_OK && !greeted && goes_on(line) && !atomic_load(&line->stop)) {
        if (clock_monotonic_us() > end_us) {
            note_problem(line, "what we send to our own inbox does not come back");
            return false;
        }
        turn(line);
        pthread_mutex_lock(&line->mutex);
        greeted = line->greeted;
        pthread_mutex_unlock(&line->mutex);
    }
    return greeted;
}

static bool prepare(struct nats_line *line)
{
    struct err_note note = {""};
    if (line->callbacks.prepare == NULL ||
        line->callbacks.prepare(line->callbacks.context, line->connection, &note) == ERR_OK)
        return true;
    note_problem(line, note.text);
    return false;
}

/* Connected and subscribed; else the problem is noted. */
static bool begin_connection(struct nats_line *line)
{
    char why[NATS_LINE_WHY_BYTES];
    natsConnection *connection = NULL;
    atomic_store(&line->given_up, false);
    natsStatus status = make_connection(line, &connection);
    pthread_mutex_lock(&line->mutex);
    line->connection = connection;
    line->greeted = false;
    if (status == NATS_OK)
        status = subscribe(line, connection);
    pthread_mutex_unlock(&line->mutex);
    if (status == NATS_OK)
        return true;
    nats_options_why(status, why, sizeof why);
    note_problem(line, why);
    return false;
}

static bool connect_line(struct nats_line *line)
{
    bool begun = begin_connection(line) && greet(line);
    bool prepared = begun && prepare(line);
    pthread_mutex_lock(&line->mutex);
    line->up = prepared;
    line->tried = true;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->mutex);
    if (!prepared && line->connection != NULL)
        drop_connection(line, begun);
    line->beats = 0;
    line->heard_us = clock_monotonic_us();
    return prepared;
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

static void serve(struct nats_line *line)
{
    while (!atomic_load(&line->stop) && goes_on(line)) {
        turn(line);
        tick(line);
        if (!line->for_calls && !beat(line)) {
            note_problem(line, "the server has been silent for too long");
            return;
        }
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

/* Why it is lost, when that is another reason than was told last: the server often says only at the next
 * attempt. */
static void tell_lost(struct nats_line *line, char told[NATS_LINE_WHY_BYTES])
{
    char why[NATS_LINE_WHY_BYTES] = "closing";
    if (!atomic_load(&line->stop))
        (void)nats_line_is_up(line, why, sizeof why);
    if (strcmp(why, told) == 0)
        return;
    memcpy(told, why, sizeof why);
    line->callbacks.down(line->callbacks.context, why);
}

static void *run(void *argument)
{
    struct nats_line *line = argument;
    char told[NATS_LINE_WHY_BYTES] = "";
    bool was_up = false;
    while (!atomic_load(&line->stop)) {
        if (!connect_line(line)) {
            if (was_up)
                tell_lost(line, told);
            rest_between_attempts(line);
            continue;
        }
        was_up = true;
        told[0] = '\0';
        line->callbacks.up(line->callbacks.context);
        nats_line_flush(line);
        serve(line);
        drop_connection(line, true);
        tell_lost(line, told);
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
    enum err err = ERR_OK;
    char servers[256];
    nats_options_servers(&line->options, servers, sizeof servers);
    if (!line->up)
        err = err_note(note, ERR_UNAVAILABLE, "NATS does not answer at %s: %s", servers,
                       line->tried ? line->problem : "no answer");
    pthread_mutex_unlock(&line->mutex);
    return err;
}

static enum err open_line(const struct nats_options *options, const struct nats_line_callbacks *callbacks,
                          bool for_calls, struct nats_line **opened, struct err_note *note)
{
    struct nats_line *line = memory_new(1, sizeof *line);
    line->options = *options;
    line->callbacks = *callbacks;
    line->for_calls = for_calls;
    nats_options_inbox(options, line->inbox, sizeof line->inbox);
    pthread_mutex_init(&line->mutex, NULL);
    pthread_cond_init(&line->changed, NULL);
    line->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(line->wake >= 0);
    nats_errors_enroll(&line->errors, on_error, line);
    *opened = line;
    check(pthread_create(&line->thread, NULL, run, line) == 0);
    enum err err = await_first(line, note);
    if (err != ERR_OK) {
        nats_line_close(line);
        *opened = NULL;
    }
    return err;
}

enum err nats_line_open(const struct nats_options *options, const struct nats_line_callbacks *callbacks,
                        struct nats_line **opened, struct err_note *note)
{
    return open_line(options, callbacks, false, opened, note);
}

enum err nats_line_open_for_calls(const struct nats_options *options,
                                  const struct nats_line_callbacks *callbacks, struct nats_line **opened,
                                  struct err_note *note)
{
    return open_line(options, callbacks, true, opened, note);
}

void nats_line_close(struct nats_line *line)
{
    if (line == NULL)
        return;
    atomic_store(&line->stop, true);
    wake(line);
    pthread_join(line->thread, NULL);
    nats_errors_strike_off(&line->errors);
    close(line->wake);
    pthread_cond_destroy(&line->changed);
    pthread_mutex_destroy(&line->mutex);
    memory_free(line);
}

const char *nats_line_inbox(const struct nats_line *line)
{
    return line->inbox;
}

bool nats_line_is_up(struct nats_line *line, char *why, size_t size)
{
    pthread_mutex_lock(&line->mutex);
    bool up = line->up;
    if (!up && why != NULL)
        snprintf(why, size, "%s", line->problem);
    pthread_mutex_unlock(&line->mutex);
    return up;
}

natsConnection *nats_line_hold(struct nats_line *line)
{
    pthread_mutex_lock(&line->mutex);
    natsConnection *connection = line->up ? line->connection : NULL;
    line->holders += connection != NULL;
    pthread_mutex_unlock(&line->mutex);
    return connection;
}

void nats_line_release(struct nats_line *line)
{
    pthread_mutex_lock(&line->mutex);
    check(line->holders > 0);
    line->holders--;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->mutex);
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
