/* Messages of this bus from and to those of nats.c: the header block is written in one piece. Called by whatever publishes
 * or pulls in this folder; knows nothing of what a message means. */
#include "engine/bus/nats_message.h"

#include <limits.h>
#include <string.h>
#include "engine/base/check.h"

#define HEAD "NATS/1.0"

/* The header block under way. The last value stays apart: nats.c puts ": " and the line's end around it. */
struct block {
    char text[BUS_HEADERS_BYTES];
    size_t size;
    size_t value; /* where the last value begins; 0: no header yet */
};

static void block_add(struct block *block, struct str name, struct str value)
{
    check(block->size + name.size + value.size + 4 <= sizeof block->text);
    if (block->value > 0) {
        block->text[block->value - 2] = ':';
        block->text[block->value - 1] = ' ';
        block->text[block->size - 1] = '\r';
        block->text[block->size++] = '\n';
    }
    memcpy(block->text + block->size, name.data, name.size);
    block->size += name.size;
    block->text[block->size] = '\0';
    block->size += 2;
    block->value = block->size;
    memcpy(block->text + block->size, value.data, value.size);
    block->size += value.size;
    block->text[block->size++] = '\0';
}

static void block_fill(struct block *block, const struct bus_message *message, struct str id)
{
    block->size = 0;
    block->value = 0;
    if (id.size > 0)
        block_add(block, STR("Nats-Msg-Id"), id);
    for (uint32_t i = 0; i < message->header_count; i++)
        block_add(block, message->headers[i].name, message->headers[i].value);
}

enum err nats_message_make(const struct bus_message *message, struct str id, const char *reply,
                           natsMsg **made, struct err_note *note)
{
    enum err err = bus_check(message, id, note);
    if (err != ERR_OK)
        return err;
    if (message->body.size > INT_MAX)
        return err_note(note, ERR_LIMIT, "the body is too long");
    char subject[BUS_SUBJECT_BYTES + 1];
    memcpy(subject, message->subject.data, message->subject.size);
    subject[message->subject.size] = '\0';
    struct block block;
    block_fill(&block, message, id);
    natsMsg *msg = NULL;
    natsStatus status = natsMsg_Create(&msg, subject, reply, message->body.data, (int)message->body.size);
    if (status == NATS_OK && block.value > 0)
        status = natsMsgHeader_Set(msg, block.text, block.text + block.value);
    if (status != NATS_OK) {
        natsMsg_Destroy(msg);
        return err_note(note, ERR_INVALID, "cannot make a message: %s", natsStatus_GetText(status));
    }
    *made = msg;
    return ERR_OK;
}

/* nats.c keeps a received message in one piece: subject, reply, header block, body, each closed by a NUL. So
 * the header block is what lies between the first two and the body. */
static struct str header_block(natsMsg *msg)
{
    const char *before = natsMsg_GetReply(msg);
    if (before == NULL)
        before = natsMsg_GetSubject(msg);
    const char *start = before + strlen(before) + 1;
    const char *body = natsMsg_GetData(msg);
    if (body == NULL || body <= start + 1)
        return STR("");
    return (struct str){start, (size_t)(body - start) - 1};
}

static struct str next_line(struct str *rest)
{
    size_t end = str_find(*rest, '\n');
    struct str line = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end + 1, rest->size);
    if (str_ends(line, STR("\r")))
        line.size--;
    return line;
}

/* Others may be left out where there are too many; these decide what a message means. */
static bool counts(struct str name)
{
    struct str prefix = str_slice(name, 0, 5);
    return str_equal_nocase(prefix, STR("Saga-")) || str_equal_nocase(prefix, STR("Nats-"));
}

static void read_header(struct str line, struct bus_message *message)
{
    size_t colon = str_find(line, ':');
    struct str name = str_slice(line, 0, colon);
    if (colon == 0 || colon == line.size || str_find(name, ' ') < name.size ||
        str_find(name, '\t') < name.size) {
        message->garbled = true;
        return;
    }
    if (message->header_count == BUS_HEADERS_MAX) {
        message->garbled = message->garbled || counts(name);
        return;
    }
    struct str value = str_trim(str_slice(line, colon + 1, line.size));
    message->headers[message->header_count++] = (struct bus_header){name, value};
}

/* The line behind the version: nothing, or a status and its words. */
static void read_first(struct str line, struct bus_message *message)
{
    struct str rest = str_slice(line, sizeof HEAD - 1, line.size);
    int64_t status = 0;
    if (str_trim(rest).size == 0)
        return;
    bool fine = rest.data[0] == ' ' && str_to_i64(str_slice(rest, 1, 4), &status) && status > 0;
    message->garbled = !fine;
    message->status = fine ? (uint16_t)status : 0;
}

/* Up to the empty line that ends a head; what stands without one may have been longer. */
static void read_head(struct str head, struct bus_message *message)
{
    struct str line = next_line(&head);
    if (!str_starts(line, STR(HEAD))) {
        message->garbled = true;
        return;
    }
    read_first(line, message);
    while (head.size > 0) {
        line = next_line(&head);
        if (line.size == 0)
            return;
        read_header(line, message);
    }
    message->garbled = true;
}

int nats_message_read(natsMsg *msg, struct bus_message *message)
{
    message->subject = str_from(natsMsg_GetSubject(msg));
    message->header_count = 0;
    message->body = (struct str){natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)};
    message->garbled = false;
    message->status = 0;
    struct str head = header_block(msg);
    if (head.size > 0)
        read_head(head, message);
    return message->status;
}

bool nats_message_is_nobody(natsMsg *msg, const struct bus_message *message)
{
    struct str head = header_block(msg);
    bool bare = message->header_count == 0 ||
                (message->header_count == 1 && bus_header(message, STR("Nats-Subject")).size > 0);
    return message->status == 503 && !message->garbled && bare && message->body.size == 0 &&
           str_equal(str_trim(next_line(&head)), STR(HEAD " 503"));
}
