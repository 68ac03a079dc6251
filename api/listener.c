#include "api/listener.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "engine/base/str.h"

enum { BACKLOG = 1024 };

struct place {
    char host[64];
    bool six;
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address;
    socklen_t size;
};

/* "host:port" into its parts; an IPv6 host stands in brackets. */
static bool split(struct str text, char host[64], uint16_t *port)
{
    size_t colon = text.size;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == ':')
            colon = i;
    int64_t number = -1;
    struct str name = str_slice(text, 0, colon);
    if (colon == text.size || !str_to_i64(str_slice(text, colon + 1, text.size), &number) || number < 0 ||
        number > UINT16_MAX)
        return false;
    if (str_starts(name, STR("[")) && str_ends(name, STR("]")))
        name = str_slice(name, 1, name.size - 1);
    snprintf(host, 64, "%.*s", STR_ARG(name));
    *port = (uint16_t)number;
    return name.size > 0 && name.size < 64;
}

/* Fills in the socket address; false when the host is no address. */
static bool resolve(struct place *place, uint16_t port)
{
    if (strcmp(place->host, "localhost") == 0)
        snprintf(place->host, sizeof place->host, "127.0.0.1");
    if (inet_pton(AF_INET, place->host, &place->address.four.sin_addr) == 1) {
        place->address.four.sin_family = AF_INET;
        place->address.four.sin_port = htons(port);
        place->size = sizeof place->address.four;
        return true;
    }
    memset(&place->address, 0, sizeof place->address);
    if (inet_pton(AF_INET6, place->host, &place->address.six.sin6_addr) != 1)
        return false;
    place->six = true;
    place->address.six.sin6_family = AF_INET6;
    place->address.six.sin6_port = htons(port);
    place->size = sizeof place->address.six;
    return true;
}

static bool is_loopback(const struct place *place)
{
    if (place->six)
        return IN6_IS_ADDR_LOOPBACK(&place->address.six.sin6_addr);
    return (ntohl(place->address.four.sin_addr.s_addr) >> 24) == 127;
}

static enum err parse(const char *address, struct place *place, struct err_note *note)
{
    uint16_t port = 0;
    memset(place, 0, sizeof *place);
    if (!split(str_from(address), place->host, &port) || !resolve(place, port))
        return err_note(note, ERR_INVALID,
                        "the HTTP address \"%s\" is not an address and a port, as in 127.0.0.1:8080",
                        address);
    if (!is_loopback(place))
        return err_note(note, ERR_INVALID,
                        "the HTTP address %s is not on loopback; there is no authentication yet, so only "
                        "127.0.0.1, [::1] and localhost are allowed",
                        address);
    return ERR_OK;
}

static bool listen_on(int fd, struct place *place)
{
    int one = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
           bind(fd, &place->address.any, place->size) == 0 && listen(fd, BACKLOG) == 0 &&
           getsockname(fd, &place->address.any, &place->size) == 0;
}

enum err listener_open(const char *address, int *socket_out, uint16_t *port, char url[LISTENER_URL_SIZE],
                       struct err_note *note)
{
    struct place place;
    enum err error = parse(address, &place, note);
    if (error != ERR_OK)
        return error;
    int fd = socket(place.six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !listen_on(fd, &place)) {
        error = err_note(note, ERR_UNAVAILABLE, "cannot listen on %s for HTTP: %s", address, strerror(errno));
        if (fd >= 0)
            close(fd);
        return error;
    }
    *socket_out = fd;
    *port = ntohs(place.six ? place.address.six.sin6_port : place.address.four.sin_port);
    snprintf(url, LISTENER_URL_SIZE, place.six ? "http://[%.45s]:%u" : "http://%.45s:%u", place.host, *port);
    return ERR_OK;
}
