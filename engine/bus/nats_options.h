/* What all our connections to NATS have in common: servers, credentials, encryption, names. */
#pragma once
#include <nats/nats.h>
#include <stddef.h>

struct nats_options { /* strings are borrowed for the life of the line */
    const char *url;  /* comma separated servers; one tls:// encrypts them all */
    const char *user, *password, *token, *credentials_file; /* NULL: none */
    const char *tls_ca; /* a file of certificates to trust; NULL: those of the machine */
    const char *tls_cert,
        *tls_key;      /* files of our own certificate and its key; NULL: none. Any of the three encrypts */
    const char *name;  /* of the connection, for the server's operators */
    const char *inbox; /* prefix of our inbox, a subject */
    const char *inbox_token; /* what the line adds to it; NULL: a number that no other has */
};

/* Fills a new natsOptions. What is wrong is in nats_GetLastError. */
natsStatus nats_options_set(const struct nats_options *options, natsOptions *made);
/* "<prefix>.<token>" */
void nats_options_inbox(const struct nats_options *options, char *out, size_t room);
/* The servers as they may be shown: without passwords and tokens. Cut to room bytes, NUL included. */
void nats_options_servers(const struct nats_options *options, char *out, size_t room);
/* Why a call of this thread failed with `status`, in nats.c's words where it has some, without secrets. */
void nats_options_why(natsStatus status, char *out, size_t room);
