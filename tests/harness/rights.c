/* nats-server with the rights as they are shipped (deploy/nats.conf), for the names that a test has. */
#include "tests/harness/rights.h"
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/clock.h"

enum { FILE_BYTES = 65536 };

struct text {
    char data[FILE_BYTES];
    size_t size;
};

static void give_up(const char *why, const char *what) __attribute__((noreturn));
static void give_up(const char *why, const char *what)
{
    (void)fprintf(stderr, "rights: %s %s\n", why, what);
    abort();
}

static void put(struct text *text, const char *data, size_t size)
{
    if (text->size + size >= FILE_BYTES)
        give_up("no room for", "the configuration");
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

static void read_file(struct text *text)
{
    static const char path[] = SAGA_SOURCE_DIR "/deploy/nats.conf";
    FILE *file = fopen(path, "re");
    text->size = file != NULL ? fread(text->data, 1, FILE_BYTES - 1, file) : 0;
    if (file == NULL || fclose(file) != 0 || text->size == 0)
        give_up("cannot read", path);
    text->data[text->size] = '\0';
}

/* The block { user: "<name>", … } of the file. */
static void find_block(const struct text *file, const char *name, const char **begin, const char **end)
{
    char start[64];
    (void)snprintf(start, sizeof start, "user: \"%s\"", name);
    const char *at = strstr(file->data, start);
    if (at == NULL)
        give_up("no user in deploy/nats.conf:", name);
    while (*at != '{')
        at--;
    *begin = at;
    int depth = 0;
    do {
        depth += *at == '{';
        depth -= *at == '}';
        at++;
    } while (depth > 0);
    *end = at;
}

/* The size of a password's variable, $NATS_PASSWORD_…; 0: none begins here. */
static size_t variable_size(const char *at)
{
    size_t size = strlen("$NATS_PASSWORD_");
    if (strncmp(at, "$NATS_PASSWORD_", size) != 0)
        return 0;
    while (isupper((unsigned char)at[size]) || isdigit((unsigned char)at[size]) || at[size] == '_')
        size++;
    return size;
}

static bool begins(const char *at, const char *end, const char *word)
{
    return word != NULL && (size_t)(end - at) >= strlen(word) && strncmp(at, word, strlen(word)) == 0;
}

/* Copies what stands from begin to end, for another user. */
static void put_as(struct text *out, const char *begin, const char *end, const char *example,
                   const char *name, const char *example_service, const char *service)
{
    for (const char *at = begin; at < end;) {
        if (variable_size(at) > 0) {
            put(out, "\"", 1);
            put(out, name, strlen(name));
            put(out, "\"", 1);
            at += variable_size(at);
        } else if (begins(at, end, example)) {
            put(out, name, strlen(name));
            at += strlen(example);
        } else if (service != NULL && begins(at, end, example_service)) {
            put(out, service, strlen(service));
            at += strlen(example_service);
        } else {
            put(out, at++, 1);
        }
    }
}

/* Takes out the lines that name this right; true when there were any. */
static bool take_out(struct text *text, size_t from, const char *right)
{
    char quoted[RIGHTS_SUBJECT_BYTES + 2];
    bool found = false;
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", right);
    for (char *at = strstr(text->data + from, quoted); at != NULL; at = strstr(text->data + from, quoted)) {
        char *end = at + strcspn(at, "\n");
        memmove(at, end, strlen(end) + 1);
        text->size = strlen(text->data);
        found = true;
    }
    return found;
}

static void put_copies(struct text *out, const struct text *file, const char *example,
                       const char *const *names, const struct rights *rights)
{
    const char *begin, *end;
    bool engine = names != NULL && names == rights->engines;
    bool found = false;
    find_block(file, example, &begin, &end);
    for (; names != NULL && *names != NULL && !rights->nobody; names++) {
        size_t from = out->size;
        put_as(out, begin, end, example, *names, "billing",
               engine && rights->services != NULL ? rights->services[0] : NULL);
        put(out, "\n", 1);
        if (engine && rights->without != NULL)
            found = take_out(out, from, rights->without) || found;
    }
    if (engine && rights->without != NULL && !found)
        give_up("deploy/nats.conf does not give", rights->without);
}

/* A subject more in the block's first list, that of what may be published. */
static void put_participants(struct text *out, const struct text *file, const struct rights *rights)
{
    size_t from = out->size;
    char line[RIGHTS_SUBJECT_BYTES + 8];
    put_copies(out, file, "inventory", rights->participants, rights);
    if (rights->more == NULL)
        return;
    static struct text copies;
    copies.size = 0;
    put(&copies, out->data + from, out->size - from);
    out->size = from;
    (void)snprintf(line, sizeof line, "[\n\"%s\"", rights->more);
    const char *at = copies.data;
    for (const char *list = strstr(at, "publish: { allow: ["); list != NULL;
         list = strstr(at, "publish: { allow: [")) {
        const char *bracket = strchr(list, '[');
        put(out, at, (size_t)(bracket - at));
        put(out, line, strlen(line));
        at = bracket + 1;
    }
    put(out, at, strlen(at));
}

/* Ours instead: the server's name and its folder. */
static void put_head(struct text *out, const char *begin, const char *end)
{
    static const char block[] = "jetstream {";
    const char *jetstream = strstr(begin, block);
    if (jetstream == NULL || jetstream > end)
        give_up("deploy/nats.conf has no", block);
    const char *behind = strchr(jetstream, '}') + 1;
    put(out, behind, (size_t)(end - behind));
}

void rights_use(struct servers_nats *server, const char *path)
{
    server->config = path;
    server->whole = true;
    (void)snprintf(server->name, sizeof server->name, "rights-%d-%lld", (int)getpid(),
                   (long long)clock_monotonic_us());
}

void rights_write(const struct servers_nats *server, const struct rights *rights)
{
    static struct text file, out;
    static const char *const operators[] = {"operator", NULL};
    struct rights all = {.engines = NULL};
    const char *begin, *end, *last;
    char head[PROCESS_PATH_SIZE + 128];
    (void)snprintf(head, sizeof head, "server_name: \"%s\"\njetstream { store_dir: \"%s\" }\n", server->name,
                   server->dir);
    read_file(&file);
    out.size = 0;
    put(&out, head, strlen(head));
    find_block(&file, "operator", &begin, &end);
    put_head(&out, file.data, begin);
    put_copies(&out, &file, "operator", operators, &all);
    put_copies(&out, &file, "sagad-1", rights->engines, rights);
    put_participants(&out, &file, rights);
    put_copies(&out, &file, "billing", rights->services, rights);
    put_copies(&out, &file, "web", rights->starters, rights);
    find_block(&file, "web", &begin, &last);
    put(&out, last, strlen(last));
    FILE *written = fopen(server->config, "we");
    if (written == NULL || fwrite(out.data, 1, out.size, written) != out.size || fclose(written) != 0)
        give_up("cannot write", server->config);
}

uint32_t rights_of_engine(char list[RIGHTS_MAX][RIGHTS_SUBJECT_BYTES])
{
    static struct text file;
    const char *begin, *end;
    uint32_t count = 0;
    read_file(&file);
    find_block(&file, "sagad-1", &begin, &end);
    for (const char *line = strchr(begin, '\n') + 1; line < end && count < RIGHTS_MAX;
         line = strchr(line, '\n') + 1) {
        const char *at = line + strspn(line, " ");
        if (*at == '"')
            (void)snprintf(list[count++], RIGHTS_SUBJECT_BYTES, "%.*s", (int)strcspn(at + 1, "\""), at + 1);
    }
    return count;
}

void rights_url(const struct servers_nats *server, const char *user, char url[SERVERS_URL_SIZE])
{
    (void)snprintf(url, SERVERS_URL_SIZE, "nats://%s:%s@127.0.0.1:%u", user, user, (unsigned)server->port);
}

void rights_reload(const struct servers_nats *server)
{
    if (kill(server->process.pid, SIGHUP) != 0)
        give_up("cannot signal", "nats-server");
}
