/* A test bed for both buses: opens buses of either kind over one broker, records what they say, and waits
 * until they have said enough.
 *
 * Each bus has a witness, its callbacks' context. Any thread of a bus may write to it; tests read it only
 * after bed_await_* returned. A wait that runs out ends the test with what was seen so far. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include "engine/bus/bus.h"
#include "engine/bus/memory_bus.h"
#include "tests/harness/harness.h"

enum { BED_BUSES_MAX = 4, BED_SEEN_MAX = 4096, BED_PATIENCE_MS = 15000, BED_SHARDS = 16 };

struct bed_seen {
    enum bus_source source;
    uint32_t shard;
    uint64_t cookie;
    enum err error;
    uint64_t delivery_count;
    char ack[256];
    char identity[BUS_TICKET_BYTES];
    char subject[128];
    char body[128];
    char command[128]; /* the header Saga-Command */
    char status[32];   /* Saga-Status, else Nats-Service-Error-Code */
    uint32_t header_count;
    bool garbled;
    int head_status;
    size_t body_size;
};
struct bed_witness {
    struct bed *bed;
    struct bus *bus;
    pthread_mutex_t mutex;
    struct bed_seen *seen; /* BED_SEEN_MAX */
    uint32_t seen_count;
    uint32_t refuse; /* so many deliveries are turned away first */
    uint32_t refused_count;
    uint64_t published_cookies[BED_SEEN_MAX];
    enum err published_errors[BED_SEEN_MAX];
    uint64_t published_sequences[BED_SEEN_MAX];
    char cause[256];   /* of the last one that failed */
    bool subject_full; /* likewise */
    uint32_t published_count;
    uint32_t stored_count;  /* of these, with ERR_OK */
    struct bus_sight sight; /* the last one, without its name */
    char sight_of[64];
    uint32_t sight_count;
    uint64_t back_cookie;
    enum err back_error; /* of the last command taken back */
    uint32_t back_count;
    bool connected;
};
struct bed {
    bool real;
    struct harness harness;
    struct memory_bus_broker *broker;
    struct bed_witness witnesses[BED_BUSES_MAX];
    uint32_t count;
    struct arena arena; /* for the test's own texts */
};

void bed_start(struct bed *bed, bool real);
void bed_stop(struct bed *bed);
/* Another bus over the same broker, as another engine. */
struct bed_witness *bed_open(struct bed *bed);
void bed_close(struct bed_witness *witness);

/* Wait until so many have come in all. */
void bed_await_seen(struct bed_witness *witness, uint32_t count);
void bed_await_published(struct bed_witness *witness, uint32_t count);
/* A participant's side: takes its oldest command and acknowledges it, and waits until the broker knows. */
void bed_take(struct bed *bed, const char *participant);
/* Asks how far the participant has got, and gives the answer. */
struct bus_sight bed_look(struct bed_witness *witness, const char *participant);
/* Takes a command back, and gives the answer. */
enum err bed_take_back(struct bed_witness *witness, uint64_t sequence, uint64_t cookie);
void bed_await_connected(struct bed_witness *witness, bool connected);
bool bed_await(struct bed *bed, bool (*done)(void *context), void *context, int timeout_ms);
/* Gives everything under way the time to arrive, to show that nothing more does: publishes one more message
 * through and waits for it. Its delivery is taken out of what was seen. */
void bed_settle(struct bed_witness *witness, uint32_t shard);
/* Acknowledges a delivery and pushes that out. */
void bed_ack(struct bed_witness *witness, uint32_t index);
/* Waits until the broker knows only `left` messages of a shard as unacknowledged: acknowledgements go another
 * way than what makes the consumer anew, and may be overtaken by it. */
void bed_await_acknowledged(struct bed *bed, uint32_t shard, int64_t left);
/* Publishes a reply to `shard` from payments, its body and command as given. */
void bed_reply(struct bed_witness *witness, uint32_t shard, const char *id, const char *body,
               uint64_t cookie);
struct bus_message bed_message(const char *subject, const char *body);
