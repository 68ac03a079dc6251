#include "engine/bus/nats_options.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/mask.h"
#include "engine/base/rng.h"

enum {
    SERVERS_MAX = 32,
    URLS_BYTES = 2048,
    CONNECT_MS = 2000 /* one attempt, for a server that accepts and says nothing */
};

static bool wants_tls(const struct nats_options *options, const char *const *servers, int count)
{
    bool tls = options->tls_ca != NULL || options->tls_cert != NULL || options->tls_key != NULL;
    for (int i = 0; i < count; i++)
        tls = tls || strncmp(servers[i], "tls://", strlen("tls://")) == 0;
    return tls;
}

/* nats.c goes by the scheme of the server at hand, so that one nats:// in the list, or one learned from the
 * cluster, would go in plain: encryption is asked for on all, and a server that has none is refused. */
static natsStatus set_tls(const struct nats_options *options, natsOptions *made)
{
    natsStatus status = natsOptions_SetSecure(made, true);
    if (status == NATS_OK && options->tls_ca != NULL)
        status = natsOptions_LoadCATrustedCertificates(made, options->tls_ca);
    if (status == NATS_OK && options->tls_cert != NULL)
        status = natsOptions_LoadCertificatesChain(made, options->tls_cert, options->tls_key);
    return status;
}

static natsStatus set_servers(const struct nats_options *options, natsOptions *made)
{
    char copy[URLS_BYTES];
    const char *servers[SERVERS_MAX];
    int count = 0;
    if (strlen(options->url) >= sizeof copy)
        return NATS_INVALID_ARG;
    memcpy(copy, options->url, strlen(options->url) + 1);
    char *rest = NULL;
    for (char *one = strtok_r(copy, ", ", &rest); one != NULL && count < SERVERS_MAX;
         one = strtok_r(NULL, ", ", &rest))
        servers[count++] = one;
    natsStatus status = natsOptions_SetServers(made, servers, count);
    if (status == NATS_OK && wants_tls(options, servers, count))
        status = set_tls(options, made);
    return status;
}

natsStatus nats_options_set(const struct nats_options *options, natsOptions *made)
{
    natsStatus status = set_servers(options, made);
    if (status == NATS_OK && options->user != NULL)
        status = natsOptions_SetUserInfo(made, options->user, options->password ? options->password : "");
    if (status == NATS_OK && options->token != NULL)
        status = natsOptions_SetToken(made, options->token);
    if (status == NATS_OK && options->credentials_file != NULL)
        status = natsOptions_SetUserCredentialsFromFiles(made, options->credentials_file, NULL);
    if (status == NATS_OK && options->name != NULL)
        status = natsOptions_SetName(made, options->name);
    if (status == NATS_OK)
        status = natsOptions_SetCustomInboxPrefix(made, options->inbox);
    if (status == NATS_OK)
        status = natsOptions_SetTimeout(made, CONNECT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(made, true); /* no flusher thread and its millisecond */
    return status;
}

void nats_options_inbox(const struct nats_options *options, char *out, size_t room)
{
    if (options->inbox_token != NULL)
        snprintf(out, room, "%s.%s", options->inbox, options->inbox_token);
    else
        snprintf(out, room, "%s.%016" PRIx64, options->inbox, rng_entropy());
}

void nats_options_servers(const struct nats_options *options, char *out, size_t room)
{
    size_t used = 0;
    const char *at = options->url;
    for (out[0] = '\0'; used + 2 < room && *at != '\0';) {
        size_t size = strcspn(at, ", ");
        if (size > 0 && used > 0)
            out[used++] = ',';
        if (size > 0)
            mask_server(at, size, out + used, room - used);
        used += strlen(out + used);
        at += size + strspn(at + size, ", ");
    }
}

void nats_options_why(natsStatus status, char *out, size_t room)
{
    natsStatus last = NATS_OK;
    const char *text = nats_GetLastError(&last);
    bool told = text != NULL && text[0] != '\0' && last == status;
    mask_urls(told ? text : natsStatus_GetText(status), out, room);
}
