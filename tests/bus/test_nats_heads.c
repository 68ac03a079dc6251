/* Heads of messages as no library of ours writes them: bytes are sent as they are, to a real server. What can be
 * read of them is delivered, and nothing in them passes for what it is not. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "engine/bus/nats_bus.h"
#include "tests/bus/bed.h"

static struct err_note note;
static struct bed bed;

static struct bed_witness *open_listening(uint32_t shard)
{
    struct bed_witness *witness = bed_open(&bed);
    cr_assert_eq(bus_listen(witness->bus, shard, 1, &note), ERR_OK, "%s", note.text);
    return witness;
}

static natsConnection *connect_beside(void)
{
    natsConnection *connection = NULL;
    cr_assert_eq(natsConnection_ConnectTo(&connection, bed.harness.nats.url), NATS_OK);
    return connection;
}

/* Sends bytes as a NATS client of no library would. */
static void send_raw(const char *subject, const char *headers, const char *body)
{
    char text[4096];
    int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(bed.harness.nats.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(socket_fd, (struct sockaddr *)&address, sizeof address), 0);
    size_t head = strlen(headers), all = head + strlen(body);
    int size = snprintf(text, sizeof text,
                        "CONNECT {\"verbose\":false,\"headers\":true}\r\nHPUB %s %zu %zu\r\n%s%s\r\nPING\r\n",
                        subject, head, all, headers, body);
    cr_assert_eq(send(socket_fd, text, (size_t)size, 0), size);
    size_t got = 0;
    ssize_t more;
    while (got < sizeof text - 1 && (more = recv(socket_fd, text + got, sizeof text - 1 - got, 0)) > 0) {
        got += (size_t)more;
        text[got] = '\0';
        if (strstr(text, "PONG") != NULL)
            break;
    }
    cr_assert_not_null(strstr(text, "PONG"), "the server took it: %s", text);
    close(socket_fd);
}

/* Header blocks that other readers trip over: each is delivered, none hides what can be read, and where one
 * that counts may be lost, that is said. */
Test(nats_heads, garbage_is_delivered_as_far_as_it_can_be_read, .timeout = 60)
{
    static const struct {
        const char *headers, *body, *command, *status;
        bool garbled;
        int head_status;
    } rows[] = {
        {"NATS/1.0\r\nSaga-Status: \r\nSaga-Command: c\r\n\r\n", "{}", "c", "", false, 0},
        {"NATS/1.0\r\nSaga-Status:\r\nSaga-Command:c\r\n\r\n", "{}", "c", "", false, 0},
        {"NATS/1.0\r\nno colon here\r\nSaga-Command: c\r\n\r\n", "a: b", "c", "", true, 0},
        {"NATS/1.0\r\n: no name\r\nSaga-Command: c\r\n\r\n", "{}", "c", "", true, 0},
        {"NATS/1.0\r\nSAGA-COMMAND: c\r\nsaga-status: rejected\r\n\r\n", "{}", "c", "rejected", false, 0},
        {"NATS/1.0\r\nSaga-Command: first\r\nSaga-Command: second\r\n\r\n", "{}", "first", "", false, 0},
        {"NATS/1.0\r\n\r\n", "{}", "", "", false, 0},
        {"NATS/1.0\r\nSaga-Command: c", "{}", "c", "", true, 0},
        {"NATS/1.0\r\nSaga-Command: \xff\xfe\r\n\r\n", "\xff", "\xff\xfe", "", false, 0},
        {"NATS/1.0 500 Oops\r\nSaga-Command: c\r\n\r\n", "{}", "c", "", false, 500},
        {"NATS/1.0 503\r\nSaga-Command: c\r\n\r\n", "", "c", "", false, 503},
        {"NATS/1.0 oops\r\nSaga-Command: c\r\n\r\n", "{}", "c", "", true, 0},
        {"NATS/1.00\r\nSaga-Command: c\r\n\r\n", "{}", "c", "", true, 0},
        {"NATS/1.0\r\nSaga-Status : rejected\r\nSaga-Command: c\r\n\r\n", "{}", "c", "", true, 0},
        {"NATS/1.0\r\nSaga-Command: c\r\n\r\n", "", "c", "", false, 0},
        {"garbage", "{}", "", "", true, 0},
    };
    bed_start(&bed, true);
    struct bed_witness *engine = open_listening(1);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        send_raw("saga.reply.1.payments", rows[i].headers, rows[i].body);
        bed_await_seen(engine, i + 1);
        cr_assert_str_eq(engine->seen[i].command, rows[i].command, "row %" PRIu32, i);
        cr_assert_str_eq(engine->seen[i].status, rows[i].status, "row %" PRIu32, i);
        cr_assert_str_eq(engine->seen[i].body, rows[i].body, "row %" PRIu32, i);
        cr_assert_eq(engine->seen[i].garbled, rows[i].garbled, "row %" PRIu32, i);
        cr_assert_eq(engine->seen[i].head_status, rows[i].head_status, "row %" PRIu32, i);
    }
    bed_stop(&bed);
}

/* Only the server knows that nobody listens; a service that says 503 has got the request. */
Test(nats_heads, a_service_that_says_503_is_somebody, .timeout = 60)
{
    static const struct {
        const char *headers, *body;
        enum err error;
        int head_status;
        bool garbled;
    } rows[] = {
        {"NATS/1.0 503\r\n\r\n", "", ERR_UNAVAILABLE, 503, false}, /* to the byte: nobody can tell */
        {"NATS/1.0 503\r\nNats-Subject: billing.charge\r\n\r\n", "", ERR_UNAVAILABLE, 503, false},
        {"NATS/1.0 503 Service Unavailable\r\n\r\n", "", ERR_OK, 503, false},
        {"NATS/1.0 503\r\n\r\n", "{}", ERR_OK, 503, false},
        {"NATS/1.0 503\r\nRetry-After: 3\r\n\r\n", "", ERR_OK, 503, false},
        {"NATS/1.0 500 Internal Server Error\r\n\r\n", "", ERR_OK, 500, false},
        {"NATS/1.0\r\nNats-Service-Error-Code 500\r\n\r\n", "{}", ERR_OK, 0, true},
        {"NATS/1.0\r\nNats-Service-Error", "{}", ERR_OK, 0, true},
    };
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    natsConnection *beside = connect_beside();
    natsSubscription *service = NULL;
    natsMsg *request = NULL;
    cr_assert_eq(natsConnection_SubscribeSync(&service, beside, "billing.charge"), NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    struct bus_message message = bed_message("billing.charge", "{}");
    cr_assert_eq(bus_request(engine->bus, &message, STR("s.7"), &note), ERR_OK);
    bus_flush(engine->bus);
    cr_assert_eq(natsSubscription_NextMsg(&request, service, BED_PATIENCE_MS), NATS_OK);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        send_raw(natsMsg_GetReply(request), rows[i].headers, rows[i].body);
        bed_await_seen(engine, i + 1);
        cr_assert_eq(engine->seen[i].error, rows[i].error, "row %" PRIu32, i);
        cr_assert_eq(engine->seen[i].head_status, rows[i].head_status, "row %" PRIu32, i);
        cr_assert_eq(engine->seen[i].garbled, rows[i].garbled, "row %" PRIu32, i);
    }
    natsMsg_Destroy(request);
    natsSubscription_Destroy(service);
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}
