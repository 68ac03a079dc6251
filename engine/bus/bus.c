/* The seam: each call goes to the implementation's table, and the small things both buses share, as what a
 * message may be. Called by the runtime. Never knows which bus it is, and never reads what a message says. */
#include "engine/bus/bus.h"

#include <ctype.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"

enum err bus_participants(struct bus *bus, const struct bus_participant *participants, uint32_t count,
                          struct err_note *note)
{
    return bus->ops->participants(bus, participants, count, note);
}

enum err bus_look(struct bus *bus, struct str participant, uint64_t cookie)
{
    return bus->ops->look(bus, participant, cookie);
}

enum err bus_take_back(struct bus *bus, uint64_t sequence, uint64_t cookie)
{
    return bus->ops->take_back(bus, sequence, cookie);
}

int64_t bus_ack_wait_us(int64_t work_us)
{
    const int64_t second_us = 1000000;
    const int64_t most_us = BUS_ACK_WAIT_MOST_S * second_us, margin_us = BUS_ACK_WAIT_MARGIN_S * second_us;
    int64_t wait_us = work_us < most_us - margin_us ? work_us + margin_us : most_us;
    return wait_us > BUS_ACK_WAIT_LEAST_S * second_us ? wait_us : BUS_ACK_WAIT_LEAST_S * second_us;
}

enum err bus_listen(struct bus *bus, uint32_t shard, int64_t epoch, struct err_note *note)
{
    return bus->ops->listen(bus, shard, epoch, note);
}

void bus_unlisten(struct bus *bus, uint32_t shard)
{
    bus->ops->unlisten(bus, shard);
}

enum err bus_listen_in(struct bus *bus, struct err_note *note)
{
    return bus->ops->listen_in(bus, note);
}

void bus_unlisten_in(struct bus *bus)
{
    bus->ops->unlisten_in(bus);
}

enum err bus_publish(struct bus *bus, const struct bus_message *message, struct str id, uint64_t cookie,
                     struct err_note *note)
{
    return bus->ops->publish(bus, message, id, cookie, note);
}

enum err bus_request(struct bus *bus, const struct bus_message *message, struct str ticket,
                     struct err_note *note)
{
    return bus->ops->request(bus, message, ticket, note);
}

enum err bus_holder(struct bus *bus, struct str subject, char stream[BUS_STREAM_BYTES], struct err_note *note)
{
    return bus->ops->holder(bus, subject, stream, note);
}

enum err bus_answer(struct bus *bus, struct str ack, struct str body)
{
    return bus->ops->answer(bus, ack, body);
}

enum err bus_call(struct bus *bus, uint32_t shard, struct str body, int64_t timeout_us, uint64_t cookie,
                  struct err_note *note)
{
    return bus->ops->call(bus, shard, body, timeout_us, cookie, note);
}

void bus_ack(struct bus *bus, struct str ack)
{
    bus->ops->ack(bus, ack);
}

void bus_give_back(struct bus *bus, struct str ack, int64_t delay_us)
{
    bus->ops->give_back(bus, ack, delay_us);
}

void bus_flush(struct bus *bus)
{
    bus->ops->flush(bus);
}

enum err bus_probe(struct bus *bus, struct err_note *note)
{
    return bus->ops->probe(bus, note);
}

uint32_t bus_in_flight(struct bus *bus)
{
    return bus->ops->in_flight(bus);
}

void bus_close(struct bus *bus)
{
    if (bus != NULL)
        bus->ops->close(bus);
}

struct str bus_header(const struct bus_message *message, struct str name)
{
    for (uint32_t i = 0; i < message->header_count; i++)
        if (str_equal_nocase(message->headers[i].name, name))
            return message->headers[i].value;
    return STR("");
}

void bus_header_add(struct bus_message *message, struct str name, struct str value)
{
    if (value.size == 0)
        return;
    check(message->header_count < BUS_HEADERS_MAX);
    message->headers[message->header_count++] = (struct bus_header){name, value};
}

static bool subject_fits(struct str subject)
{
    char before = '.';
    for (size_t i = 0; i < subject.size; i++) {
        char c = subject.data[i];
        if ((unsigned char)c <= ' ' || c == 0x7f || c == '*' || c == '>' || (c == '.' && before == '.'))
            return false;
        before = c;
    }
    return before != '.';
}

static bool name_fits(struct str name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == ':')
            return false;
    return name.size > 0;
}

static bool value_fits(struct str value)
{
    return value.size > 0 && memchr(value.data, '\r', value.size) == NULL &&
           memchr(value.data, '\n', value.size) == NULL && memchr(value.data, '\0', value.size) == NULL;
}

enum err bus_check(const struct bus_message *message, struct str id, struct err_note *note)
{
    enum { PER_HEADER = 4 }; /* ": " and the line's end */
    size_t size = sizeof "Nats-Msg-Id" + id.size + PER_HEADER;
    if (message->subject.size > BUS_SUBJECT_BYTES)
        return err_note(note, ERR_LIMIT, "the subject is longer than %d bytes", BUS_SUBJECT_BYTES);
    if (!subject_fits(message->subject))
        return err_note(note, ERR_INVALID, "\"%.*s\" is no subject to send to", STR_ARG(message->subject));
    if (id.size > 0 && !value_fits(id))
        return err_note(note, ERR_INVALID, "a message id may not hold line ends");
    for (uint32_t i = 0; i < message->header_count; i++) {
        const struct bus_header *header = &message->headers[i];
        if (!name_fits(header->name))
            return err_note(note, ERR_INVALID, "\"%.*s\" is no header name", STR_ARG(header->name));
        if (!value_fits(header->value))
            return err_note(note, ERR_INVALID, "header %.*s is empty or holds line ends",
                            STR_ARG(header->name));
        size += header->name.size + header->value.size + PER_HEADER;
    }
    if (size > BUS_HEADERS_BYTES)
        return err_note(note, ERR_LIMIT, "the headers take more than %d bytes", BUS_HEADERS_BYTES);
    return ERR_OK;
}

enum err bus_check_participant(struct str name, struct err_note *note)
{
    bool fits = name.size > 0 && name.size <= LIMITS_NAME_BYTES;
    for (size_t i = 0; fits && i < name.size; i++)
        fits = isalnum((unsigned char)name.data[i]) || name.data[i] == '-' || name.data[i] == '_';
    if (!fits)
        return err_note(note, ERR_INVALID, "\"%.*s\" is no name of a participant", STR_ARG(name));
    return ERR_OK;
}
