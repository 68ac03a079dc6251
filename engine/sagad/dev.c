#include "engine/sagad/dev.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "engine/base/file.h"
#include "engine/ops/log.h"
#include "engine/ops/servers.h"
#include "engine/sagad/serve.h"
#include "engine/store/postgres.h"

struct dev {
    struct servers_postgres postgres;
    struct servers_nats nats;
    const char *folder; /* absolute */
    bool stopping;
};

/* For other terminals: `. DATA/env`. Not having it stops nobody. */
static void write_environment(const struct dev *dev, const char *url)
{
    char path[PROCESS_PATH_SIZE];
    if (snprintf(path, sizeof path, "%s/env", dev->folder) >= (int)sizeof path)
        return;
    char text[3 * SERVERS_URL_SIZE];
    struct err_note note = {""};
    int size = snprintf(text, sizeof text,
                        "export SAGAD_URL='%s'\nexport SAGAD_NATS='%s'\nexport SAGAD_DATABASE='%s'\n", url,
                        dev->nats.url, dev->postgres.url);
    if (size >= (int)sizeof text || file_write_private(path, str_from(text), &note) != ERR_OK)
        log_warn("env_not_written", "path=%s why=%s", path, note.text);
}

static void print_ready(void *context, const char *url)
{
    const struct dev *dev = context;
    write_environment(dev, url);
    printf("ready http=%s nats=%s postgres=%s\n", url, dev->nats.url, dev->postgres.url);
    fflush(stdout);
}

/* A server that died is started again on its data: the engine waits for it meanwhile. */
static void revive(void *context)
{
    struct dev *dev = context;
    struct err_note note = {""};
    int status = 0;
    if (!process_running(&dev->postgres.process, &status)) {
        log_warn("postgres_died", "status=%d", status);
        if (servers_start_postgres(&dev->postgres, &note) != ERR_OK)
            log_error("postgres_not_started", "why=%s", note.text);
    }
    if (!process_running(&dev->nats.process, &status)) {
        log_warn("nats_died", "status=%d", status);
        if (servers_start_nats(&dev->nats, &note) != ERR_OK)
            log_error("nats_not_started", "why=%s", note.text);
    }
}

/* Makes the folder and its parents, and gives its absolute path: the servers run elsewhere. */
static enum err make_folder(const char *path, char absolute[PATH_MAX], struct err_note *note)
{
    char part[PROCESS_PATH_SIZE];
    if (strlen(path) >= sizeof part)
        return err_note(note, ERR_LIMIT, "the path of --data is too long");
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return err_note(note, ERR_IO, "cannot make the folder %s: %s", part, strerror(errno));
    }
    if (realpath(path, absolute) == NULL)
        return err_note(note, ERR_IO, "cannot use the folder %s: %s", path, strerror(errno));
    return ERR_OK;
}

static enum err start_servers(struct dev *dev, const char *data_folder, struct err_note *note)
{
    char folder[PROCESS_PATH_SIZE];
    if (snprintf(folder, sizeof folder, "%s/postgres", data_folder) >= (int)sizeof folder)
        return err_note(note, ERR_LIMIT, "the path of --data is too long");
    enum err error = servers_init_postgres(&dev->postgres, folder, note);
    if (error == ERR_OK)
        error = servers_start_postgres(&dev->postgres, note);
    if (error == ERR_OK && snprintf(folder, sizeof folder, "%s/nats", data_folder) >= (int)sizeof folder)
        error = err_note(note, ERR_LIMIT, "the path of --data is too long");
    if (error == ERR_OK)
        error = servers_init_nats(&dev->nats, folder, note);
    return error == ERR_OK ? servers_start_nats(&dev->nats, note) : error;
}

static enum err serve(struct dev *dev, struct config *config, uint32_t shards, struct err_note *note)
{
    struct serve_hooks hooks = {.context = dev, .ready = print_ready, .tick = revive};
    uint32_t applied = 0;
    enum err error = postgres_migrate(dev->postgres.url, shards, &applied, note);
    if (error != ERR_OK)
        return error;
    if (applied > 0)
        log_info("migrated", "applied=%u", applied);
    config->database = dev->postgres.url;
    config->nats = dev->nats.url;
    return serve_run(config, &hooks, note);
}

enum err dev_run(struct config *config, const char *data_folder, uint32_t shards, struct err_note *note)
{
    struct dev dev = {0};
    struct err_note ignored = {""};
    char absolute[PATH_MAX];
    enum err error = make_folder(data_folder, absolute, note);
    if (error != ERR_OK)
        return error;
    dev.folder = absolute;
    error = start_servers(&dev, absolute, note);
    if (error == ERR_OK)
        error = serve(&dev, config, shards, note);
    if (servers_stop_nats(&dev.nats, &ignored) != ERR_OK)
        log_warn("nats_not_stopped", "why=%s", ignored.text);
    if (servers_stop_postgres(&dev.postgres, &ignored) != ERR_OK)
        log_warn("postgres_not_stopped", "why=%s", ignored.text);
    return error;
}
