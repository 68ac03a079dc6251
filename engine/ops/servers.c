/* Start: folder, (initdb,) port, process, then ask until it answers as a client would be answered. A start is
 * tried again when another process took the port in between, or when a killed owner's server is still going
 * down on the same data. */
#include "engine/ops/servers.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"

enum {
    START_MS = 60000,    /* recovery after kill -9 of a loaded server on a slow disk */
    STOP_MS = 30000,     /* PostgreSQL's shutdown checkpoint on a slow disk */
    INITDB_MS = 120000,  /* measured: 0.65 s */
    ANSWER_MS = 2000,    /* one question to a server that is starting */
    PAUSE_MS = 20,       /* between two questions */
    TRIES = 20,          /* starts of a server that ends at once: 5 s for a predecessor to go down */
    TRY_PAUSE_MS = 250,  /* between two of them */
    PATIENT_TRIES = 4,   /* on the port of the last run, which a predecessor may be about to free */
    SOCKET_DIR_SIZE = 90 /* of the 107 bytes of a socket's path; the rest is ".s.PGSQL.54321.lock" */
};

struct server { /* what both have in common, for the loop that starts them */
    struct process *process;
    const char *dir;
    uint16_t *port;
    enum err (*launch)(void *owner, struct err_note *note);
    bool (*answers)(const void *owner);
    void *owner;
};

static bool is_root(void)
{
    return geteuid() == 0;
}

static int loopback_socket(uint16_t port, bool listening)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    if (fd >= 0 && listening) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    int (*attach)(int, const struct sockaddr *, socklen_t) = listening ? bind : connect;
    if (fd >= 0 && attach(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

uint16_t servers_free_port(void)
{
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    int fd = loopback_socket(0, true);
    if (fd < 0) {
        return 0;
    }
    int failed = getsockname(fd, (struct sockaddr *)&address, &size);
    close(fd);
    return failed != 0 ? 0 : ntohs(address.sin_port);
}

static bool port_is_free(uint16_t port)
{
    int fd = loopback_socket(port, true);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static enum err path_join(char path[PROCESS_PATH_SIZE], const char *dir, const char *name,
                          struct err_note *note)
{
    int written = snprintf(path, PROCESS_PATH_SIZE, "%s%s", dir, name);
    if (written < 0 || written >= PROCESS_PATH_SIZE) {
        return err_note(note, ERR_LIMIT, "the path %s%s is longer than %d bytes", dir, name,
                        PROCESS_PATH_SIZE - 1);
    }
    return ERR_OK;
}

static enum err folder_make(const char *path, mode_t mode, struct err_note *note)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        return err_note(note, ERR_IO, "cannot make the folder %s: %s", path, strerror(errno));
    }
    return ERR_OK;
}

static enum err give_to_postgres(const char *path, struct err_note *note)
{
    const struct passwd *user = getpwnam("postgres");
    if (user == NULL) {
        return err_note(note, ERR_NOT_FOUND, "no user postgres on this machine: is PostgreSQL installed?");
    }
    if (chown(path, user->pw_uid, user->pw_gid) != 0) {
        return err_note(note, ERR_IO, "cannot give %s to user postgres: %s", path, strerror(errno));
    }
    return ERR_OK;
}

/* Absolute, because PostgreSQL changes into its data folder before it makes its socket. */
static enum err absolute(char path[PROCESS_PATH_SIZE], const char *dir, struct err_note *note)
{
    char here[PROCESS_PATH_SIZE] = "";
    if (dir[0] == '/') {
        return path_join(path, "", dir, note);
    }
    if (getcwd(here, sizeof here - 1) == NULL) {
        return err_note(note, ERR_IO, "cannot tell the current folder: %s", strerror(errno));
    }
    here[strlen(here)] = '/';
    return path_join(path, here, dir, note);
}

/* The port of the last run, so that clients find a restarted server where it was. */
static uint16_t port_recall(const char *dir)
{
    char path[PROCESS_PATH_SIZE + 8];
    (void)snprintf(path, sizeof path, "%s/port", dir);
    FILE *file = fopen(path, "re");
    unsigned port = 0;
    if (file != NULL) {
        if (fscanf(file, "%u", &port) != 1 || port > UINT16_MAX) {
            port = 0;
        }
        (void)fclose(file);
    }
    return (uint16_t)port;
}

static enum err port_remember(const char *dir, uint16_t port, struct err_note *note)
{
    char path[PROCESS_PATH_SIZE + 8];
    (void)snprintf(path, sizeof path, "%s/port", dir);
    FILE *file = fopen(path, "we");
    bool written = file != NULL && fprintf(file, "%u\n", (unsigned)port) > 0;
    if ((file != NULL && fclose(file) != 0) || !written) {
        return err_note(note, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    }
    return ERR_OK;
}

/* Asks until it answers (ERR_OK), ended (ERR_UNAVAILABLE) or START_MS are over. */
static enum err await_answer(const struct server *server, struct err_note *note)
{
    int64_t until_us = clock_monotonic_us() + (int64_t)START_MS * 1000;
    while (process_running(server->process, NULL)) {
        if (server->answers(server->owner)) {
            return ERR_OK;
        }
        if (clock_monotonic_us() >= until_us) {
            process_kill(server->process);
            return err_note(note, ERR_TIMEOUT, "%s did not answer within %d ms; its log is %s",
                            server->process->name, START_MS, server->process->log);
        }
        process_pause(PAUSE_MS);
    }
    char tail[400];
    process_log_tail(server->process->log, tail, sizeof tail);
    return err_note(note, ERR_UNAVAILABLE, "%s ended at once: %s", server->process->name, tail);
}

/* A port that was asked for, or used before, is kept when it can be; only one never promised to anybody is
 * given up. */
static enum err start(const struct server *server, struct err_note *note)
{
    check(server->process->pid == 0);
    bool promised = *server->port != 0;
    enum err err = ERR_UNAVAILABLE;
    uint16_t before = promised ? 0 : port_recall(server->dir);
    for (int i = 0; i < TRIES && err == ERR_UNAVAILABLE; i++) {
        if (i > 0) {
            process_pause(TRY_PAUSE_MS);
        }
        if (!promised) {
            *server->port =
                before != 0 && (i < PATIENT_TRIES || port_is_free(before)) ? before : servers_free_port();
        }
        err = server->launch(server->owner, note);
        err = err == ERR_OK ? await_answer(server, note) : err;
    }
    if (err != ERR_OK) {
        *server->port = promised ? *server->port : 0;
        return err;
    }
    return port_remember(server->dir, *server->port, note);
}

enum err servers_init_postgres(struct servers_postgres *server, const char *dir, struct err_note *note)
{
    *server = (struct servers_postgres){.process = {.name = "postgres"}};
    enum err err = absolute(server->dir, dir, note);
    err = err == ERR_OK ? path_join(server->process.log, server->dir, "/postgres.log", note) : err;
    return err == ERR_OK ? path_join(server->socket_dir, server->dir, "/socket", note) : err;
}

/* Root's own folder is closed to user postgres; told here in words, because initdb tells it after a page of
 * others. */
static enum err check_reachable(const char *path, struct err_note *note)
{
    char parent[PROCESS_PATH_SIZE];
    enum err err = path_join(parent, path, "", note);
    for (char *slash = strrchr(parent, '/'); err == ERR_OK && slash != NULL && slash != parent;
         slash = strrchr(parent, '/')) {
        struct stat about;
        *slash = '\0';
        if (stat(parent, &about) == 0 && (about.st_mode & S_IXOTH) == 0) {
            err = err_note(
                note, ERR_INVALID,
                "user postgres, as whom root has to start PostgreSQL, cannot enter %s: choose a data folder "
                "outside of it, like /var/lib/sagad",
                parent);
        }
    }
    return err;
}

/* The cluster is made under another name and renamed, so that one whose making was killed is never taken for
 * a whole one. */
static enum err make_cluster(const struct servers_postgres *server, const char *data, struct err_note *note)
{
    char fresh[PROCESS_PATH_SIZE];
    enum err err = path_join(fresh, server->dir, "/data.new", note);
    err = err == ERR_OK ? process_remove_tree(fresh, note) : err;
    err = err == ERR_OK ? folder_make(fresh, 0700, note) : err;
    err = err == ERR_OK && is_root() ? give_to_postgres(fresh, note) : err;
    if (err != ERR_OK) {
        return err;
    }
    const char *argv[] = {"initdb", "-D", fresh,  "-U",         "postgres",  "-A",
                          "trust",  "-E", "UTF8", "--locale=C", "--no-sync", NULL};
    if (!server->unsafe) {
        argv[10] = NULL;
    }
    struct process_options options = {.user = is_root() ? "postgres" : NULL};
    err = process_run(argv, &options, server->process.log, INITDB_MS, note);
    if (err == ERR_OK && rename(fresh, data) != 0) {
        err = err_note(note, ERR_IO, "cannot rename %s to %s: %s", fresh, data, strerror(errno));
    }
    return err;
}

static enum err prepare_postgres(struct servers_postgres *server, const char *data, struct err_note *note)
{
    enum err err = is_root() ? check_reachable(data, note) : ERR_OK;
    err = err == ERR_OK ? folder_make(server->dir, 0755, note) : err;
    if (err == ERR_OK && strlen(server->socket_dir) > SOCKET_DIR_SIZE) {
        server->socket_dir[0] = '\0';
    }
    if (err == ERR_OK && server->socket_dir[0] != '\0') {
        err = folder_make(server->socket_dir, 0755, note);
        err = err == ERR_OK && is_root() ? give_to_postgres(server->socket_dir, note) : err;
    }
    if (err == ERR_OK && access(data, F_OK) != 0) {
        err = make_cluster(server, data, note);
    }
    return err;
}

static enum err launch_postgres(void *owner, struct err_note *note)
{
    struct servers_postgres *server = owner;
    char data[PROCESS_PATH_SIZE];
    char port[16];
    char socket[PROCESS_PATH_SIZE + 32];
    (void)snprintf(port, sizeof port, "%u", (unsigned)server->port);
    (void)snprintf(socket, sizeof socket, "unix_socket_directories=%s", server->socket_dir);
    enum err err = path_join(data, server->dir, "/data", note);
    if (err != ERR_OK) {
        return err;
    }
    const char *argv[16 + 2 * SERVERS_SETTINGS_MAX] = {"postgres",
                                                       "-D",
                                                       data,
                                                       "-p",
                                                       port,
                                                       "-c",
                                                       "listen_addresses=127.0.0.1",
                                                       "-c",
                                                       socket,
                                                       "-c",
                                                       "max_connections=200",
                                                       "-c",
                                                       server->unsafe ? "fsync=off" : "fsync=on"};
    size_t count = 13;
    for (size_t i = 0; server->settings != NULL && server->settings[i] != NULL; i++) {
        check(i < SERVERS_SETTINGS_MAX);
        argv[count++] = "-c";
        argv[count++] = server->settings[i];
    }
    servers_postgres_url(server, "postgres", false, server->url);
    /* SIGQUIT is PostgreSQL's immediate shutdown: it takes its backends along when we die. */
    struct process_options options = {.user = is_root() ? "postgres" : NULL, .death_signal = SIGQUIT};
    return process_start(&server->process, argv, &options, note);
}

/* Asked over the socket in our own folder where there is one: on the port another server may sit, while ours
 * ends for want of it. */
static bool postgres_answers(const void *owner)
{
    char url[SERVERS_URL_SIZE];
    servers_postgres_url(owner, "postgres?connect_timeout=2", true, url);
    PGconn *connection = PQconnectdb(url);
    bool answered = PQstatus(connection) == CONNECTION_OK;
    PQfinish(connection);
    return answered;
}

enum err servers_start_postgres(struct servers_postgres *server, struct err_note *note)
{
    char data[PROCESS_PATH_SIZE];
    enum err err = path_join(data, server->dir, "/data", note);
    err = err == ERR_OK ? prepare_postgres(server, data, note) : err;
    if (err != ERR_OK) {
        return err;
    }
    struct server common = {&server->process, server->dir,      &server->port,
                            launch_postgres,  postgres_answers, server};
    return start(&common, note);
}

enum err servers_stop_postgres(struct servers_postgres *server, struct err_note *note)
{
    /* PostgreSQL's fast shutdown: clients are cut off, data is flushed. */
    return process_stop(&server->process, SIGINT, STOP_MS, note);
}

/* Percent-encodes what may stand in a path but not in a URL. */
static void url_encode(const char *text, char *out, size_t room)
{
    size_t size = 0;
    for (; *text != '\0' && size + 4 < room; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || strchr("-_.~", *text) != NULL;
        int written = plain ? snprintf(out + size, room - size, "%c", *text)
                            : snprintf(out + size, room - size, "%%%02X", (unsigned)(unsigned char)*text);
        size += (size_t)written;
    }
    out[size] = '\0';
}

void servers_postgres_url(const struct servers_postgres *server, const char *database, bool unix_socket,
                          char url[SERVERS_URL_SIZE])
{
    char host[3 * SOCKET_DIR_SIZE + 8] = "127.0.0.1";
    if (unix_socket && server->socket_dir[0] != '\0') {
        url_encode(server->socket_dir, host, sizeof host);
    }
    int written = snprintf(url, SERVERS_URL_SIZE, "postgresql://postgres@%s:%u/%s", host,
                           (unsigned)server->port, database);
    check(written > 0 && written < SERVERS_URL_SIZE);
}

enum err servers_init_nats(struct servers_nats *server, const char *dir, struct err_note *note)
{
    *server = (struct servers_nats){.process = {.name = "nats-server"}};
    enum err err = absolute(server->dir, dir, note);
    return err == ERR_OK ? path_join(server->process.log, server->dir, "/nats-server.log", note) : err;
}

static enum err launch_nats(void *owner, struct err_note *note)
{
    struct servers_nats *server = owner;
    char port[16];
    (void)snprintf(port, sizeof port, "%u", (unsigned)server->port);
    (void)snprintf(server->url, sizeof server->url, "nats://127.0.0.1:%s", port);
    const char *argv[13] = {"nats-server", "-a", "127.0.0.1", "-p", port};
    size_t count = 5;
    if (!server->whole) {
        (void)snprintf(server->name, sizeof server->name, "sagad-%d-%" PRId64, (int)getpid(),
                       clock_monotonic_us());
        const char *more[] = {"-js", "-sd", server->dir, "-n", server->name};
        memcpy(argv + count, more, sizeof more);
        count += sizeof more / sizeof more[0];
    }
    if (server->config != NULL) {
        argv[count++] = "-c";
        argv[count++] = server->config;
    }
    struct process_options options = {.death_signal = SIGKILL};
    return process_start(&server->process, argv, &options, note);
}

/* Reads until `wanted` was seen; false when the server closed or ANSWER_MS passed without it. */
static bool read_until(int fd, const char *wanted, char *text, size_t room)
{
    size_t size = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (size + 1 < room && poll(&ready, 1, ANSWER_MS) == 1) {
        ssize_t got = read(fd, text + size, room - 1 - size);
        if (got <= 0) {
            return false;
        }
        size += (size_t)got;
        text[size] = '\0';
        if (strstr(text, wanted) != NULL) {
            return true;
        }
    }
    return false;
}

/* Ready means JetStream answers a client. With users or encryption configured we have none to log in as, and
 * its own word must do. */
static bool nats_answers(const void *owner)
{
    static const char question[] =
        "CONNECT {\"verbose\":false}\r\nSUB ready.answer 1\r\nPUB $JS.API.INFO ready.answer 0\r\n\r\n";
    const struct servers_nats *server = owner;
    char text[4096] = "";
    int fd = loopback_socket(server->port, false);
    if (fd < 0) {
        return false;
    }
    bool answered = read_until(fd, "\r\n", text, sizeof text) && strstr(text, "\"jetstream\":true") != NULL &&
                    strstr(text, server->name) != NULL;
    bool closed =
        strstr(text, "\"auth_required\":true") != NULL || strstr(text, "\"tls_required\":true") != NULL;
    if (answered && !closed) {
        answered = send(fd, question, sizeof question - 1, MSG_NOSIGNAL) == (ssize_t)sizeof question - 1 &&
                   read_until(fd, "MSG ready.answer", text, sizeof text);
    }
    close(fd);
    return answered;
}

enum err servers_start_nats(struct servers_nats *server, struct err_note *note)
{
    struct server common = {&server->process, server->dir, &server->port, launch_nats, nats_answers, server};
    enum err err = folder_make(server->dir, 0755, note);
    return err == ERR_OK ? start(&common, note) : err;
}

enum err servers_stop_nats(struct servers_nats *server, struct err_note *note)
{
    return process_stop(&server->process, SIGTERM, STOP_MS, note);
}
