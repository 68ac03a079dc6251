#include "engine/bus/subject.h"

#include <ctype.h>
#include "engine/base/limits.h"

enum { ACK_TOKENS = 9, ACK_TOKENS_DOMAIN = 11, ACK_TOKENS_MAX = 16 };

/* Takes the token up to the next dot, or all; what is left begins behind the dot. */
static struct str take_token(struct str *rest)
{
    size_t dot = str_find(*rest, '.');
    struct str token = str_slice(*rest, 0, dot);
    *rest = str_slice(*rest, dot + 1, rest->size);
    return token;
}

static bool read_i64(struct str text, int64_t *number)
{
    bool plain = text.size > 0 && text.data[0] >= (text.size > 1 ? '1' : '0') && text.data[0] <= '9';
    return plain && str_to_i64(text, number);
}

bool subject_number(struct str text, uint32_t most, uint32_t *number)
{
    int64_t value = 0;
    if (!read_i64(text, &value) || value > most)
        return false;
    *number = (uint32_t)value;
    return true;
}

static bool read_shard(struct str text, uint32_t *shard)
{
    return subject_number(text, LIMITS_SHARDS_MAX - 1, shard);
}

static bool cut_prefix(struct str subject, struct str prefix, struct str *rest)
{
    *rest = str_slice(subject, prefix.size, subject.size);
    return str_starts(subject, prefix);
}

static bool is_name(struct str token)
{
    for (size_t i = 0; i < token.size; i++)
        if (!isalnum((unsigned char)token.data[i]) && token.data[i] != '-' && token.data[i] != '_')
            return false;
    return token.size > 0 && token.size <= LIMITS_NAME_BYTES;
}

bool subject_control(struct str subject, uint32_t *shard)
{
    struct str rest;
    return cut_prefix(subject, STR("saga.ctl."), &rest) && read_shard(rest, shard);
}

bool subject_reply(struct str subject, uint32_t *shard, struct str *participant)
{
    struct str rest;
    if (!cut_prefix(subject, STR("saga.reply."), &rest) || !read_shard(take_token(&rest), shard))
        return false;
    *participant = rest;
    return is_name(rest);
}

static bool is_event(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return false;
    return text.size > 0 && text.size <= LIMITS_EVENT_BYTES && str_is_utf8(text);
}

enum subject_wish subject_in(struct str subject, struct str *name)
{
    if (cut_prefix(subject, STR("saga.start."), name))
        return is_name(*name) ? SUBJECT_START : SUBJECT_NONE;
    if (cut_prefix(subject, STR("saga.child."), name))
        return is_name(*name) ? SUBJECT_CHILD : SUBJECT_NONE;
    return cut_prefix(subject, STR("saga.signal."), name) && is_event(*name) ? SUBJECT_SIGNAL : SUBJECT_NONE;
}

bool subject_ack(struct str subject, struct subject_ack *ack)
{
    struct str tokens[ACK_TOKENS_MAX];
    uint32_t count = 0;
    for (struct str rest = subject; count < ACK_TOKENS_MAX; count++) {
        if (rest.size == 0)
            break;
        tokens[count] = take_token(&rest);
    }
    if (str_ends(subject, STR(".")))
        return false;
    if (count != ACK_TOKENS && (count < ACK_TOKENS_DOMAIN || count == ACK_TOKENS_MAX))
        return false;
    const struct str *from = tokens + (count == ACK_TOKENS ? 2 : 4);
    int64_t deliveries = 0, sequence = 0;
    *ack = (struct subject_ack){.stream = from[0], .consumer = from[1], .sequence = from[3], .time = from[5]};
    bool fine = str_equal(tokens[0], STR("$JS")) && str_equal(tokens[1], STR("ACK")) && from[0].size > 0 &&
                from[1].size > 0 && read_i64(from[2], &deliveries) && deliveries > 0 &&
                read_i64(from[3], &sequence) && sequence > 0 && read_i64(from[5], &ack->time_ns);
    ack->deliveries = (uint64_t)deliveries;
    return fine;
}

enum subject_origin subject_origin(const struct subject_ack *ack, uint32_t *shard)
{
    struct str number;
    if (str_equal(ack->stream, STR("SAGA_IN")) && str_equal(ack->consumer, STR("engine")))
        return SUBJECT_OF_IN;
    bool ours = str_equal(ack->stream, STR("SAGA_REPLY")) &&
                cut_prefix(ack->consumer, STR("shard-"), &number) && read_shard(number, shard);
    return ours ? SUBJECT_OF_SHARD : SUBJECT_OF_OTHERS;
}
