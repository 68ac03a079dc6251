/* A client that sends exactly the bytes it is told to and reads one answer: for requests no library would
 * send. What goes wrong on this side ends the test. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "engine/base/str.h"

struct wire_answer {
    bool closed;     /* the connection ended without a (whole) answer */
    int status;      /* 0: none */
    struct str head; /* status line and headers */
    struct str body;
    const struct json *json; /* the body, when it is JSON */
};

int wire_connect(uint16_t port);
void wire_send(int fd, struct str bytes);
/* Whether something can be read at once. */
bool wire_has_answer(int fd);
/* Waits at most 10 s. A HEAD's answer has no body: tell. */
struct wire_answer wire_receive(int fd, struct arena *arena, bool head_only);
/* Connect, send, receive, close. */
struct wire_answer wire_exchange(uint16_t port, struct arena *arena, struct str bytes);
/* A well-formed request: body "" for none; type NULL for no Content-Type. */
struct wire_answer wire_call(uint16_t port, struct arena *arena, const char *method, const char *target,
                             const char *type, struct str body);
/* The header's value, "" when it is not there. */
struct str wire_header(const struct wire_answer *answer, const char *name);
/* Ends the test unless the answer is a page after RFC 9457 of this status and slug. */
void wire_expect_page(const struct wire_answer *answer, int status, const char *slug, const char *what);
