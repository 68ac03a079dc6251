#include "engine/base/mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

struct writer {
    char *out;
    size_t room, size;
};

static void put(struct writer *writer, const char *text, size_t size)
{
    size_t left = writer->room - writer->size - 1;
    size_t taken = size < left ? size : left;
    memcpy(writer->out + writer->size, text, taken);
    writer->size += taken;
}

/* A password may hold "/", and clients look for the last "@": what cannot stand in a URL ends it. */
static size_t authority_size(const char *from)
{
    return strcspn(from, ", \t\r\n\"'");
}

static size_t user_size(const char *from)
{
    size_t size = authority_size(from);
    while (size > 0 && from[size - 1] != '@')
        size--;
    return size > 0 ? size - 1 : 0;
}

/* A lone user name of a postgres: or postgresql: URL is no secret; a NATS URL's is a token. */
static bool lone_user_is_secret(const char *text, const char *sign)
{
    const char *begin = sign;
    while (begin > text && isalnum((unsigned char)begin[-1]))
        begin--;
    return (size_t)(sign - begin) < 8 || strncmp(begin, "postgres", 8) != 0;
}

void mask_urls(const char *text, char *out, size_t room)
{
    struct writer writer = {out, room, 0};
    const char *at = text;
    const char *sign;
    if (room == 0)
        return;
    while ((sign = strstr(at, "://")) != NULL) {
        const char *user = sign + 3;
        size_t size = user_size(user);
        const char *colon = memchr(user, ':', size);
        size_t shown = colon != NULL ? (size_t)(colon - user) + 1 : 0;
        put(&writer, at, (size_t)(user - at));
        at = user + size;
        if (size > 0 && (colon != NULL || lone_user_is_secret(text, sign))) {
            put(&writer, user, shown);
            put(&writer, "***", 3);
        } else {
            put(&writer, user, size);
        }
    }
    put(&writer, at, strlen(at));
    out[writer.size] = '\0';
}

void mask_server(const char *server, size_t size, char *out, size_t room)
{
    struct writer writer = {out, room, 0};
    const char *scheme_end = memmem(server, size, "://", 3);
    size_t begin = scheme_end != NULL ? (size_t)(scheme_end - server) + 3 : 0;
    const char *sign = memrchr(server + begin, '@', size - begin);
    if (room == 0)
        return;
    if (sign != NULL) {
        const char *colon = memchr(server + begin, ':', (size_t)(sign - server) - begin);
        put(&writer, server, colon != NULL ? (size_t)(colon - server) + 1 : begin);
        put(&writer, "***", 3);
        put(&writer, sign, size - (size_t)(sign - server));
    } else {
        put(&writer, server, size);
    }
    out[writer.size] = '\0';
}

void mask_quoted(const char *text, char *out, size_t room)
{
    struct writer writer = {out, room, 0};
    if (room == 0)
        return;
    while (*text != '\0') {
        size_t plain = strcspn(text, "\"");
        put(&writer, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        const char *close = strrchr(text + 1, '"'); /* the last one: what is quoted may hold quotes */
        put(&writer, "\"***\"", 5);
        text = close != NULL ? close + 1 : text + strlen(text);
    }
    out[writer.size] = '\0';
}

void mask_word(const char *text, const char *secret, char *out, size_t room)
{
    struct writer writer = {out, room, 0};
    const char *found;
    if (room == 0)
        return;
    while (secret[0] != '\0' && (found = strstr(text, secret)) != NULL) {
        put(&writer, text, (size_t)(found - text));
        put(&writer, "***", 3);
        text = found + strlen(secret);
    }
    put(&writer, text, strlen(text));
    out[writer.size] = '\0';
}

bool mask_is_needed(const char *text)
{
    for (const char *sign = strstr(text, "://"); sign != NULL; sign = strstr(sign + 3, "://")) {
        size_t size = user_size(sign + 3);
        if (size > 0 && (memchr(sign + 3, ':', size) != NULL || lone_user_is_secret(text, sign)))
            return true;
    }
    return strcasestr(text, "password") != NULL;
}

void mask_argument(char *argument)
{
    memset(argument, '*', strlen(argument));
}
