/* A closed loop of sagas: so many in flight, started over HTTP, ended when their lifecycle event comes.
 * Measures from "start accepted" (the 201) to the end. With a rate an open loop: starts are due so many a
 * second whatever the service does, at most IN_FLIGHT unended, and the time counts from when each was due.
 *
 * usage: bench_load HTTP_PORT NATS_URL DEFINITION SAGAS IN_FLIGHT PAYLOAD_BYTES STEPS [RATE]
 * prints: sagas_per_s steps_per_s p50_ms p95_ms p99_ms errors */
#include <arpa/inet.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/id.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"

enum {
    CONNECTIONS_MAX = 256, /* starts that wait for their 201 at a time: at 8,000 a second, 30 ms of them */
    RESPONSE_BYTES = 8192,
    READY_MAX = 64,
    RETRY_US = 100000, /* after an answer that does not say when */
    PATIENCE_MS = 20,  /* while starts were pushed back */
};

/* One saga; whichever of the two comes first, acceptance or end, makes the entry. */
struct run {
    char id[ID_TEXT_SIZE];
    int64_t accepted_us;
    int64_t ended_us;
};
/* A connection of the loop: busy from its request to the end of the answer. */
struct connection {
    int fd;
    bool busy;
    int64_t due_us;   /* of the start under way; 0: there is no rate */
    int64_t again_us; /* it was pushed back: not before; 0: it was not */
    size_t size;
    char response[RESPONSE_BYTES];
};
struct load {
    pthread_mutex_t lock; /* of runs and what counts them: the events come on a thread of the NATS client */
    struct map runs;
    int64_t sagas, in_flight, started, running, done, steps;
    int epoll, woken;
    struct connection *connections;
    int connection_count;
    int pushed_back; /* of them */
    int64_t *took_us;
    int64_t last_end_us;
    int64_t begin_us, rate; /* starts a second; 0: as fast as they end */
    atomic_llong errors;
    uint16_t port;
    char *request;
    size_t request_size;
};

/* Under the lock. */
static struct run *run_of(struct load *load, const char *id)
{
    struct run *run = map_get(&load->runs, (struct str){id, ID_TEXT_SIZE});
    if (run != NULL)
        return run;
    run = memory_new(1, sizeof *run);
    memcpy(run->id, id, ID_TEXT_SIZE);
    map_set(&load->runs, (struct str){run->id, ID_TEXT_SIZE}, run);
    return run;
}

static void settle(struct load *load, struct run *run)
{
    if (run->accepted_us == 0 || run->ended_us == 0)
        return;
    int64_t took_us = run->ended_us - run->accepted_us;
    load->took_us[load->done++] = took_us < 0 ? 0 : took_us;
    load->last_end_us = run->ended_us;
    load->running--;
    map_remove(&load->runs, (struct str){run->id, ID_TEXT_SIZE});
    memory_free(run);
}

static void on_event(natsConnection *nats, natsSubscription *subscription, natsMsg *message, void *context)
{
    (void)nats, (void)subscription;
    struct load *load = context;
    const char *id = strstr(natsMsg_GetData(message), "\"id\":\"");
    if (id != NULL) {
        pthread_mutex_lock(&load->lock);
        struct run *run = run_of(load, id + 6);
        if (run->ended_us == 0) {
            run->ended_us = clock_monotonic_us();
            settle(load, run);
        }
        pthread_mutex_unlock(&load->lock);
        uint64_t one = 1;
        check(write(load->woken, &one, sizeof one) == sizeof one);
    }
    natsMsg_Destroy(message);
}

static int connect_http(const struct load *load)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(load->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void watch(struct load *load, int fd, void *whose)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = whose};
    check(epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void send_request(struct load *load, struct connection *connection)
{
    connection->busy = true;
    connection->size = 0;
    check(write(connection->fd, load->request, load->request_size) == (ssize_t)load->request_size);
}

/* When start number `number` is due; 0 when there is no rate. */
static int64_t due_us(const struct load *load, int64_t number)
{
    return load->rate == 0 ? 0 : load->begin_us + number * 1000000 / load->rate;
}

static void try_again(struct load *load, struct connection *connection)
{
    if (connection->again_us == 0 || connection->again_us > clock_monotonic_us())
        return;
    connection->again_us = 0;
    load->pushed_back--;
    send_request(load, connection);
}

/* As many starts as may be in flight, as are due and as there are free connections. */
static void start_more(struct load *load)
{
    for (int i = 0; i < load->connection_count && load->pushed_back > 0; i++)
        try_again(load, &load->connections[i]);
    for (int i = 0; i < load->connection_count; i++) {
        struct connection *connection = &load->connections[i];
        if (connection->busy)
            continue;
        pthread_mutex_lock(&load->lock);
        bool go = load->running < load->in_flight && load->started < load->sagas &&
                  due_us(load, load->started) <= clock_monotonic_us();
        connection->due_us = due_us(load, load->started);
        load->started += go;
        load->running += go;
        pthread_mutex_unlock(&load->lock);
        if (!go)
            return;
        send_request(load, connection);
    }
}

static int64_t retry_after_us(const char *response)
{
    const char *header = strcasestr(response, "retry-after:");
    return header == NULL ? RETRY_US : strtol(header + 12, NULL, 10) * INT64_C(1000000);
}

static void take_answer(struct load *load, struct connection *connection)
{
    const char *id = strstr(connection->response, "\"id\":\"");
    connection->size = 0;
    if (strncmp(connection->response + 9, "201", 3) != 0 ||
        id == NULL) { /* pushed back: counted, and tried again when the answer says */
        atomic_fetch_add(&load->errors, 1);
        fprintf(stderr, "load: %.500s\n", connection->response);
        connection->again_us = clock_monotonic_us() + retry_after_us(connection->response);
        load->pushed_back++;
        return;
    }
    connection->busy = false;
    pthread_mutex_lock(&load->lock);
    struct run *run = run_of(load, id + 6);
    run->accepted_us = connection->due_us > 0 ? connection->due_us : clock_monotonic_us();
    settle(load, run);
    pthread_mutex_unlock(&load->lock);
}

/* A closed loop is alone with the service, which then has no reason to close a connection. With a rate others
 * may be there: it may shed what is idle, and a start that was under way is asked for once more. */
static void lose(struct load *load, struct connection *connection)
{
    if (load->rate == 0 || connection->size > 0) {
        fprintf(stderr, "load: the service closed a connection after: %.300s\n",
                connection->size > 0 ? connection->response : "nothing");
        exit(1);
    }
    close(connection->fd);
    connection->fd = connect_http(load);
    watch(load, connection->fd, connection);
    bool under_way = connection->busy && connection->again_us == 0;
    atomic_fetch_add(&load->errors, under_way);
    if (under_way)
        send_request(load, connection);
}

static void read_more(struct load *load, struct connection *connection)
{
    ssize_t got =
        read(connection->fd, connection->response + connection->size, RESPONSE_BYTES - 1 - connection->size);
    if (got <= 0) {
        lose(load, connection);
        return;
    }
    connection->size += (size_t)got;
    connection->response[connection->size] = '\0';
    const char *body = strstr(connection->response, "\r\n\r\n");
    const char *length = strcasestr(connection->response, "content-length:");
    if (body != NULL && length != NULL &&
        connection->size >= (size_t)(body + 4 - connection->response) + strtoul(length + 15, NULL, 10))
        take_answer(load, connection);
}

static bool finished(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    bool all = load->done == load->sagas;
    pthread_mutex_unlock(&load->lock);
    return all;
}

/* Milliseconds until the next start is due; -1: none will be. */
static int patience_ms(const struct load *load)
{
    if (load->pushed_back > 0)
        return PATIENCE_MS;
    if (load->rate == 0 || load->started == load->sagas)
        return -1;
    int64_t left_us = due_us(load, load->started) - clock_monotonic_us();
    return left_us < 0 ? 1 : (int)((left_us + 999) / 1000);
}

static void loop(struct load *load)
{
    struct epoll_event ready[READY_MAX];
    uint64_t count = 0;
    load->begin_us = clock_monotonic_us();
    while (!finished(load)) {
        start_more(load);
        int ready_count = epoll_wait(load->epoll, ready, READY_MAX, patience_ms(load));
        for (int i = 0; i < ready_count; i++) {
            if (ready[i].data.ptr != NULL)
                read_more(load, ready[i].data.ptr);
            else
                check(read(load->woken, &count, sizeof count) == sizeof count);
        }
    }
}

static void open_connections(struct load *load)
{
    load->epoll = epoll_create1(0);
    load->woken = eventfd(0, 0);
    check(load->epoll >= 0 && load->woken >= 0);
    watch(load, load->woken, NULL);
    load->connection_count = load->in_flight < CONNECTIONS_MAX ? (int)load->in_flight : CONNECTIONS_MAX;
    load->connections = memory_new((size_t)load->connection_count, sizeof *load->connections);
    for (int i = 0; i < load->connection_count; i++) {
        load->connections[i].fd = connect_http(load);
        watch(load, load->connections[i].fd, &load->connections[i]);
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void make_request(struct load *load, const char *definition, size_t payload)
{
    char *body = memory_new(payload + 256, 1);
    int size = snprintf(body, payload + 256, "{\"definition\":\"%s\",\"input\":{\"p\":\"%0*d\"}}", definition,
                        (int)payload, 0);
    load->request = memory_new(payload + 1024, 1);
    load->request_size =
        (size_t)snprintf(load->request, payload + 1024,
                         "POST /v1/sagas HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                         "Content-Length: %d\r\n\r\n%s",
                         size, body);
    memory_free(body);
}

static void subscribe(struct load *load, const char *url, const char *definition, natsConnection **nats,
                      natsSubscription *subscriptions[2])
{
    static const char *const ends[] = {"completed", "compensated"};
    char subject[128];
    check(natsConnection_ConnectTo(nats, url) == NATS_OK);
    for (int i = 0; i < 2; i++) {
        snprintf(subject, sizeof subject, "saga.event.%s.%s", definition, ends[i]);
        check(natsConnection_Subscribe(&subscriptions[i], *nats, subject, on_event, load) == NATS_OK);
    }
    check(natsConnection_Flush(*nats) == NATS_OK);
}

static void report(struct load *load, int64_t from_us)
{
    double seconds = (double)(load->last_end_us - from_us) / 1e6, sagas = (double)load->sagas;
    qsort(load->took_us, (size_t)load->sagas, sizeof *load->took_us, by_size);
    printf("sagas_per_s=%.1f steps_per_s=%.1f p50_ms=%.3f p95_ms=%.3f p99_ms=%.3f errors=%lld\n",
           sagas / seconds, sagas * (double)load->steps / seconds,
           (double)load->took_us[load->sagas / 2] / 1e3, (double)load->took_us[load->sagas * 95 / 100] / 1e3,
           (double)load->took_us[load->sagas * 99 / 100] / 1e3, (long long)atomic_load(&load->errors));
}

int main(int argc, char **argv)
{
    struct load load = {0};
    natsConnection *nats = NULL;
    natsSubscription *subscriptions[2];
    check(argc == 8 || argc == 9);
    load.rate = argc == 9 ? strtoll(argv[8], NULL, 10) : 0;
    load.port = (uint16_t)strtoul(argv[1], NULL, 10);
    load.sagas = strtoll(argv[4], NULL, 10);
    load.in_flight = strtoll(argv[5], NULL, 10);
    load.steps = strtoll(argv[7], NULL, 10);
    check(load.sagas > 0 && load.in_flight > 0);
    load.took_us = memory_new((size_t)load.sagas, sizeof *load.took_us);
    make_request(&load, argv[3], strtoul(argv[6], NULL, 10));
    map_init(&load.runs);
    pthread_mutex_init(&load.lock, NULL);
    open_connections(&load);
    subscribe(&load, argv[2], argv[3], &nats, subscriptions);
    int64_t from_us = clock_monotonic_us();
    loop(&load);
    report(&load, from_us);
    natsConnection_Close(nats);
    return 0;
}
