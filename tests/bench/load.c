/* A closed loop of sagas: so many in flight, started over HTTP, ended when their lifecycle event comes.
 * Measures from "start accepted" (the 201) to the end.
 *
 * usage: bench_load HTTP_PORT NATS_URL DEFINITION SAGAS IN_FLIGHT PAYLOAD_BYTES STEPS
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
#include <sys/socket.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/id.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"

enum { CONNECTIONS_MAX = 512, RESPONSE_BYTES = 8192 };

/* One saga; whichever of the two comes first, acceptance or end, makes the entry. */
struct run {
    char id[ID_TEXT_SIZE];
    int64_t accepted_us;
    int64_t ended_us;
};
struct load {
    pthread_mutex_t lock;
    pthread_cond_t free;
    struct map runs;
    int64_t sagas, in_flight, started, running, done, steps;
    int64_t *took_us;
    int64_t last_end_us;
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
    pthread_cond_signal(&load->free);
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

/* One request and its whole answer on a connection that stays open. */
static bool post(const struct load *load, int fd, char response[RESPONSE_BYTES])
{
    size_t size = 0;
    check(write(fd, load->request, load->request_size) == (ssize_t)load->request_size);
    for (;;) {
        ssize_t got = read(fd, response + size, RESPONSE_BYTES - 1 - size);
        check(got > 0);
        size += (size_t)got;
        response[size] = '\0';
        const char *body = strstr(response, "\r\n\r\n");
        const char *length = strcasestr(response, "content-length:");
        if (body != NULL && length != NULL &&
            size >= (size_t)(body + 4 - response) + strtoul(length + 15, NULL, 10))
            return strncmp(response + 9, "201", 3) == 0;
    }
}

static bool take_turn(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    while (load->running >= load->in_flight && load->started < load->sagas)
        pthread_cond_wait(&load->free, &load->lock);
    bool go = load->started < load->sagas;
    load->started += go;
    load->running += go;
    pthread_mutex_unlock(&load->lock);
    return go;
}

static void *start_sagas(void *context)
{
    struct load *load = context;
    char response[RESPONSE_BYTES];
    int fd = connect_http(load);
    while (take_turn(load)) {
        while (!post(load, fd, response)) { /* pushed back: counted, and tried again */
            atomic_fetch_add(&load->errors, 1);
            fprintf(stderr, "load: %.200s\n", response);
        }
        const char *id = strstr(response, "\"id\":\"");
        check(id != NULL);
        pthread_mutex_lock(&load->lock);
        struct run *run = run_of(load, id + 6);
        run->accepted_us = clock_monotonic_us();
        settle(load, run);
        pthread_mutex_unlock(&load->lock);
    }
    close(fd);
    return NULL;
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
    pthread_t threads[CONNECTIONS_MAX];
    check(argc == 8);
    load.port = (uint16_t)strtoul(argv[1], NULL, 10);
    load.sagas = strtoll(argv[4], NULL, 10);
    load.in_flight = strtoll(argv[5], NULL, 10);
    load.steps = strtoll(argv[7], NULL, 10);
    check(load.sagas > 0 && load.in_flight > 0);
    load.took_us = memory_new((size_t)load.sagas, sizeof *load.took_us);
    make_request(&load, argv[3], strtoul(argv[6], NULL, 10));
    map_init(&load.runs);
    pthread_mutex_init(&load.lock, NULL);
    pthread_cond_init(&load.free, NULL);
    subscribe(&load, argv[2], argv[3], &nats, subscriptions);
    int count = load.in_flight < CONNECTIONS_MAX ? (int)load.in_flight : CONNECTIONS_MAX;
    int64_t from_us = clock_monotonic_us();
    for (int i = 0; i < count; i++)
        check(pthread_create(&threads[i], NULL, start_sagas, &load) == 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_lock(&load.lock);
    while (load.done < load.sagas)
        pthread_cond_wait(&load.free, &load.lock);
    pthread_mutex_unlock(&load.lock);
    report(&load, from_us);
    natsConnection_Close(nats);
    return 0;
}
