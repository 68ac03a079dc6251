#include "engine/store/store_dead.h"

#include "engine/base/buf.h"
#include "engine/base/limits.h"

enum { REPLY_SENDER_TOKEN = 3, KIND_TOKENS = 2 };

/* The index-th word of a subject; "" when there is none. */
static struct str token(struct str subject, uint32_t index)
{
    struct str rest = subject;
    for (uint32_t i = 0; i < index; i++)
        rest = str_slice(rest, str_find(rest, '.') + 1, rest.size);
    return str_slice(rest, 0, str_find(rest, '.'));
}

/* saga.reply.<shard>.<participant>: the broker lets each participant send as itself alone. Of anything else
 * only the kind of subject, because the rest is its sender's choice. */
static struct str sender(struct str subject)
{
    struct str participant = token(subject, REPLY_SENDER_TOKEN);
    if (str_starts(subject, STR("saga.reply.")) && participant.size > 0)
        return participant;
    size_t size = 0;
    for (uint32_t i = 0; i < KIND_TOKENS && size < subject.size; i++)
        size += token(subject, i).size + (i > 0);
    return str_slice(subject, 0, size);
}

static void put_kind(struct buf *out, struct str reason)
{
    bool quoted = false;
    for (size_t i = 0; i < reason.size && out->size < LIMITS_DEAD_CLASS_BYTES; i++) {
        unsigned char c = (unsigned char)reason.data[i];
        quoted = c == '"' ? !quoted : quoted;
        if (!quoted && c != '"' && c >= ' ' && c < 0x7f && !(c >= '0' && c <= '9'))
            buf_char(out, (char)c);
    }
}

struct str store_dead_class(const struct store_dead_letter *letter, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    struct str who = str_slice(sender(letter->subject), 0, LIMITS_DEAD_CLASS_BYTES / 2);
    for (size_t i = 0; i < who.size; i++) {
        unsigned char c = (unsigned char)who.data[i];
        buf_char(&out, c > ' ' && c < 0x7f ? (char)c : '?');
    }
    buf_puts(&out, ": ");
    put_kind(&out, letter->reason);
    return buf_str(&out);
}
