/* Measures the bus alone: publishes acknowledged per second, and round trips (command published, pulled by an
 * echo participant, its reply pulled by us, acknowledged) at several numbers in flight. Not a test.
 *
 *   bus_bench [nats-url]      without one, a private nats-server is started */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "engine/base/clock.h"
#include "engine/bus/nats_bus.h"
#include "tests/harness/harness.h"
#include "tests/support/participant.h"

enum { PAYLOAD_BYTES = 200, PUBLISHES = 200000, PUBLISH_WINDOW = 4096, TURN_US = 3000000, SHARDS = 4 };
enum { TICKET_BYTES = 256, TICKETS_MAX = 8192 };

/* Published and replies as they come: the bus's threads write, the bench takes them in batches, as a runner
 * does. */
struct bench {
    struct bus *bus;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t published;
    uint64_t failed;
    uint32_t reply_count;
    char acks[TICKETS_MAX][TICKET_BYTES];
    char payload[PAYLOAD_BYTES];
    uint64_t number;
};

static bool on_deliver(void *context, const struct bus_delivery *delivery)
{
    struct bench *bench = context;
    pthread_mutex_lock(&bench->mutex);
    bool room = bench->reply_count < TICKETS_MAX && delivery->ack.size < TICKET_BYTES;
    if (room) {
        memcpy(bench->acks[bench->reply_count], delivery->ack.data, delivery->ack.size);
        bench->acks[bench->reply_count++][delivery->ack.size] = '\0';
        pthread_cond_signal(&bench->changed);
    }
    pthread_mutex_unlock(&bench->mutex);
    return room;
}

static void on_published(void *context, const struct bus_published *published)
{
    struct bench *bench = context;
    pthread_mutex_lock(&bench->mutex);
    bench->published++;
    bench->failed += published->error != ERR_OK;
    pthread_cond_signal(&bench->changed);
    pthread_mutex_unlock(&bench->mutex);
}

static void on_connected(void *context, bool connected)
{
    (void)context;
    (void)connected;
}

static void fail(const char *what, const struct err_note *note)
{
    fprintf(stderr, "bus_bench: %s: %s\n", what, note->text);
    exit(1);
}

static void send_command(struct bench *bench, const char *subject)
{
    char id[64], reply_to[64];
    uint64_t number = bench->number++;
    struct err_note note;
    struct bus_message message = {.subject = str_from(subject), .body = {bench->payload, PAYLOAD_BYTES}};
    snprintf(id, sizeof id, "01900000-0000-7000-8000-%012" PRIx64 "/step/do/1", number);
    snprintf(reply_to, sizeof reply_to, "saga.reply.%" PRIu64 ".echo", number % SHARDS);
    bus_header_add(&message, STR("Saga-Command"), str_from(id));
    bus_header_add(&message, STR("Saga-Key"), str_slice(str_from(id), 0, 41));
    bus_header_add(&message, STR("Saga-Kind"), STR("do"));
    bus_header_add(&message, STR("Saga-Attempt"), STR("1"));
    bus_header_add(&message, STR("Saga-Reply-To"), str_from(reply_to));
    bus_header_add(&message, STR("Saga-Timeout-Ms"), STR("10000"));
    bus_header_add(&message, STR("Saga-Definition"), STR("bench"));
    bus_header_add(&message, STR("Saga-Correlation-Id"), str_slice(str_from(id), 0, 36));
    enum err err = bus_publish(bench->bus, &message, str_from(id), number, &note);
    if (err != ERR_OK)
        fail("publish", &note);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void await_published(struct bench *bench, uint64_t count)
{
    pthread_mutex_lock(&bench->mutex);
    while (bench->published < count)
        pthread_cond_wait(&bench->changed, &bench->mutex);
    pthread_mutex_unlock(&bench->mutex);
}

static void measure_publish(struct bench *bench)
{
    int64_t start_us = clock_monotonic_us();
    double cpu = cpu_seconds();
    for (uint64_t i = 0; i < PUBLISHES; i++) {
        send_command(bench, "saga.event.bench.started");
        if (i % 64 == 63)
            bus_flush(bench->bus);
        if (i >= PUBLISH_WINDOW)
            await_published(bench, i - PUBLISH_WINDOW);
    }
    bus_flush(bench->bus);
    await_published(bench, PUBLISHES);
    double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
    printf("publish, %d in flight: %.0f/s, %.1f us of our CPU each, %" PRIu64 " failed\n", PUBLISH_WINDOW,
           PUBLISHES / seconds, (cpu_seconds() - cpu) * 1e6 / PUBLISHES, bench->failed);
}

/* Takes the replies at hand; waits for at least one. */
static uint32_t take(struct bench *bench, char (*acks)[TICKET_BYTES])
{
    pthread_mutex_lock(&bench->mutex);
    while (bench->reply_count == 0)
        pthread_cond_wait(&bench->changed, &bench->mutex);
    uint32_t count = bench->reply_count;
    memcpy(acks, bench->acks, (size_t)count * TICKET_BYTES);
    bench->reply_count = 0;
    pthread_mutex_unlock(&bench->mutex);
    return count;
}

static void measure_round_trips(struct bench *bench, uint32_t in_flight)
{
    static char acks[TICKETS_MAX][TICKET_BYTES];
    uint64_t trips = 0, turns = 0;
    double cpu = cpu_seconds();
    int64_t start_us = clock_monotonic_us(), end_us = start_us + TURN_US, now_us = start_us;
    uint32_t under_way = in_flight;
    for (uint32_t i = 0; i < in_flight; i++)
        send_command(bench, "saga.cmd.echo.step");
    bus_flush(bench->bus);
    while (under_way > 0) {
        uint32_t count = take(bench, acks);
        now_us = clock_monotonic_us();
        for (uint32_t i = 0; i < count; i++)
            bus_ack(bench->bus, str_from(acks[i]));
        for (uint32_t i = 0; i < count && now_us < end_us; i++)
            send_command(bench, "saga.cmd.echo.step");
        under_way -= now_us < end_us ? 0 : count;
        bus_flush(bench->bus);
        trips += count;
        turns++;
    }
    double seconds = (double)(now_us - start_us) / 1e6;
    printf("round trips, %4" PRIu32
           " in flight: %6.0f/s, %6.0f us each, %.1f a batch, %.1f us of CPU of bus and "
           "participant together\n",
           in_flight, (double)trips / seconds, seconds * 1e6 * in_flight / (double)trips,
           (double)trips / (double)turns, (cpu_seconds() - cpu) * 1e6 / (double)trips);
}

static enum participant_outcome echo(void *context, struct participant *participant,
                                     const struct participant_command *command)
{
    (void)context;
    return participant_ok(participant, command, command->body) == ERR_OK ? PARTICIPANT_DONE
                                                                         : PARTICIPANT_SILENT;
}

static void run(struct bench *bench, const char *url)
{
    struct err_note note;
    struct bus_callbacks callbacks = {
        .context = bench, .deliver = on_deliver, .published = on_published, .connected = on_connected};
    struct nats_bus_options options = {.url = url, .instance = "bench"};
    const struct bus_participant names[] = {{.name = STR("echo")}};
    if (nats_bus_open(&options, &callbacks, &bench->bus, &note) != ERR_OK ||
        bus_participants(bench->bus, names, 1, &note) != ERR_OK)
        fail("open", &note);
    for (uint32_t shard = 0; shard < SHARDS; shard++)
        if (bus_listen(bench->bus, shard, 1, &note) != ERR_OK)
            fail("listen", &note);
    struct participant *participant;
    struct participant_options echoing = {.url = url, .name = "echo", .window = 2048, .handle = echo};
    if (participant_open(&echoing, &participant, &note) != ERR_OK)
        fail("participant", &note);
    measure_publish(bench);
    static const uint32_t loads[] = {1, 64, 1024, 4096};
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
        measure_round_trips(bench, loads[i]);
    participant_close(participant);
    bus_close(bench->bus);
}

int main(int argc, char **argv)
{
    static struct bench bench = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    memset(bench.payload, '7', sizeof bench.payload);
    if (argc > 1) {
        run(&bench, argv[1]);
        return 0;
    }
    struct harness harness;
    harness_start(&harness, HARNESS_NATS);
    run(&bench, harness.nats.url);
    harness_stop(&harness);
    return 0;
}
