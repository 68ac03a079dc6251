/* Defaults, environment and command line into one struct of settings; the file is read in config_file.c.
 * Called by the programs once, before any thread. Never reads a setting that config.def does not have. */
#include "engine/ops/config.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/base/mask.h"
#include "engine/ops/config_table.h"

enum { ENVIRONMENT_NAME_SIZE = 64 };
#define PREFIX "SAGAD_"

void config_init(struct config *config)
{
    *config = (struct config){0};
    for (size_t i = 0; i < CONFIG_SETTINGS; i++) {
        const struct config_setting *setting = &config_table[i];
        void *member = (char *)config + setting->offset;
        if (setting->kind == CONFIG_TEXT) {
            *(const char **)member = setting->text;
        } else if (setting->kind == CONFIG_COUNT) {
            *(uint32_t *)member = (uint32_t)setting->number;
        } else if (setting->kind == CONFIG_FLAG) {
            *(bool *)member = setting->number != 0;
        } else {
            struct arena arena; /* only for the sentence of an error, which a default does not give */
            arena_init(&arena, 0);
            check(config_table_assign(config, &arena, setting, str_from(setting->text)).size == 0);
            arena_fini(&arena);
        }
    }
}

static bool complain(struct buf *mistakes, const char *source, struct str reason)
{
    buf_printf(mistakes, "%s: %.*s\n", source, STR_ARG(reason));
    return false;
}

static struct str unknown(struct arena *arena, struct str name)
{
    const char *nearest = config_table_nearest(name);
    return nearest[0] == '\0' ? arena_printf(arena, "unknown setting \"%.*s\"", STR_ARG(name))
                              : arena_printf(arena, "unknown setting \"%.*s\": did you mean \"%s\"?",
                                             STR_ARG(name), nearest);
}

bool config_set(struct config *config, struct arena *arena, const char *name, const char *value,
                const char *source, struct buf *mistakes)
{
    const struct config_setting *setting = config_table_find(str_from(name));
    struct str reason = setting == NULL ? unknown(arena, str_from(name))
                                        : config_table_assign(config, arena, setting, str_from(value));
    return reason.size == 0 || complain(mistakes, source, reason);
}

/* "SAGAD_LOG_LEVEL=debug" to "log_level"; false for what has another prefix or no such form. */
static bool setting_name(const char *variable, char name[ENVIRONMENT_NAME_SIZE])
{
    size_t size = strcspn(variable, "=");
    if (strncmp(variable, PREFIX, strlen(PREFIX)) != 0 || size >= ENVIRONMENT_NAME_SIZE ||
        variable[size] != '=') {
        return false;
    }
    size_t out = 0;
    for (size_t i = strlen(PREFIX); i < size; i++) {
        name[out++] = (char)tolower((unsigned char)variable[i]);
    }
    name[out] = '\0';
    return out > 0;
}

bool config_read_environment(struct config *config, struct arena *arena, char *const *environment,
                             struct buf *mistakes)
{
    bool fine = true;
    for (; *environment != NULL; environment++) {
        char name[ENVIRONMENT_NAME_SIZE];
        if (!setting_name(*environment, name)) {
            continue;
        }
        struct str source = arena_copy(arena, (struct str){*environment, strcspn(*environment, "=")});
        const char *value = *environment + source.size + 1;
        if (config_table_find(str_from(name)) != NULL || config_table_nearest(str_from(name))[0] != '\0') {
            fine = config_set(config, arena, name, value, source.data, mistakes) && fine;
        }
    }
    return fine;
}

/* 127.0.0.0/8, ::1 or localhost, and a port. */
static bool is_loopback(struct str address)
{
    size_t colon = address.size;
    int64_t port;
    while (colon > 0 && address.data[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0 || !str_to_i64(str_slice(address, colon, address.size), &port) || port < 0 ||
        port > UINT16_MAX) {
        return false;
    }
    struct str host = str_slice(address, 0, colon - 1);
    if (str_equal(host, STR("localhost")) || str_equal(host, STR("[::1]"))) {
        return true;
    }
    size_t dots = 0;
    for (size_t i = 0; i < host.size; i++) {
        if (host.data[i] != '.' && isdigit((unsigned char)host.data[i]) == 0) {
            return false;
        }
        dots += host.data[i] == '.';
    }
    return dots == 3 && str_starts(host, STR("127."));
}

static bool check_address(const struct config *config, struct arena *arena, struct buf *mistakes)
{
    if (is_loopback(str_from(config->http_address))) {
        return true;
    }
    return complain(
        mistakes, "http_address",
        arena_printf(arena,
                     "\"%s\" is not a loopback address with a port, like 127.0.0.1:8080. The API has no "
                     "authentication yet, so it is not offered to other machines: put a proxy that "
                     "authenticates in front of it",
                     config->http_address));
}

static bool check_credentials(const struct config *config, struct buf *mistakes)
{
    bool user = config->nats_user[0] != '\0';
    bool password = config->nats_password[0] != '\0';
    int ways = (user || password) + (config->nats_creds_file[0] != '\0') + (config->nats_token[0] != '\0');
    if (user != password) {
        return complain(mistakes, user ? "nats_user" : "nats_password",
                        STR("nats_user and nats_password go together"));
    }
    return ways <= 1 || complain(mistakes, "nats",
                                 STR("give one of nats_user, nats_creds_file and nats_token, not several"));
}

static bool check_urls(const struct config *config, struct arena *arena, struct buf *mistakes)
{
    struct str rest = str_from(config->nats);
    do {
        size_t end = str_find(rest, ',');
        struct str url = str_trim(str_slice(rest, 0, end));
        if (!str_starts(url, STR("nats://")) && !str_starts(url, STR("tls://"))) {
            char shown[LIMITS_NAME_BYTES * 4]; /* a screen line or two */
            mask_server(url.data, url.size, shown, sizeof shown);
            return complain(
                mistakes, "nats",
                arena_printf(arena, "\"%s\" is no NATS address, like nats://127.0.0.1:4222", shown));
        }
        rest = str_slice(rest, end + 1, rest.size);
    } while (rest.size > 0);
    return true;
}

/* Host and HTTP port: two engines of one host differ, and after a crash the same engine has the same name, so
 * that it takes its shards back at once instead of waiting for its own leases to run out. Only with port 0 it
 * is the pid. */
static void name_instance(struct config *config, struct arena *arena)
{
    char host[256] = "";
    if (config->instance[0] == '\0') {
        if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
            memcpy(host, "sagad", sizeof "sagad");
        }
        const char *port = strrchr(config->http_address, ':');
        bool fixed = port != NULL && strcmp(port, ":0") != 0;
        config->instance = fixed ? arena_printf(arena, "%s-%s", host, port + 1).data
                                 : arena_printf(arena, "%s-%d", host, (int)getpid()).data;
    }
}

static bool check_instance(const struct config *config, struct arena *arena, struct buf *mistakes)
{
    return strlen(config->instance) <= LIMITS_INSTANCE_BYTES ||
           complain(
               mistakes, "instance",
               arena_printf(arena, "the name must not be longer than %d bytes", (int)LIMITS_INSTANCE_BYTES));
}

static bool check_tls(const struct config *config, struct buf *mistakes)
{
    bool cert = config->nats_tls_cert[0] != '\0';
    bool key = config->nats_tls_key[0] != '\0';
    return cert == key || complain(mistakes, cert ? "nats_tls_cert" : "nats_tls_key",
                                   STR("nats_tls_cert and nats_tls_key go together"));
}

bool config_finish(struct config *config, struct arena *arena, struct buf *mistakes)
{
    bool fine = check_address(config, arena, mistakes);
    fine = check_tls(config, mistakes) && fine;
    fine = check_credentials(config, mistakes) && fine;
    fine = check_urls(config, arena, mistakes) && fine;
    if (config->batch_events > config->inbox_events) {
        fine =
            complain(mistakes, "batch_events",
                     STR("batch_events must not be more than inbox_events: a batch is taken from the inbox"));
    }
    name_instance(config, arena);
    return check_instance(config, arena, mistakes) && fine;
}

static void write_upper(struct buf *out, const char *name)
{
    for (; *name != '\0'; name++) {
        buf_char(out, (char)toupper((unsigned char)*name));
    }
}

static void write_bounds(const struct config_setting *setting, struct buf *out)
{
    switch (setting->kind) {
    case CONFIG_TEXT:
        buf_puts(out, "text");
        return;
    case CONFIG_COUNT:
        buf_printf(out, "whole number from %lld to %lld", (long long)setting->min, (long long)setting->max);
        return;
    case CONFIG_DURATION:
        buf_printf(out, "duration from %s to %s", setting->least, setting->most);
        return;
    case CONFIG_FLAG:
        buf_puts(out, "true or false");
        return;
    case CONFIG_CHOICE:
        buf_printf(out, "one of %s", setting->choices);
        return;
    }
}

/* A YAML value: texts quoted as JSON does, which YAML understands. */
static void write_value(const struct config *config, const struct config_setting *setting, struct buf *out)
{
    struct buf value;
    buf_init(&value, out->arena);
    config_table_write(config, setting, &value);
    if (setting->kind == CONFIG_TEXT) {
        size_t room = 2 * value.size + sizeof "***";
        char *shown = arena_alloc(out->arena, room); /* the servers of NATS may bear passwords */
        buf_char(&value, '\0');
        mask_urls(buf_str(&value).data, shown, room);
        json_write_string(out, str_from(shown));
    } else {
        buf_put(out, buf_str(&value));
    }
}

void config_help(struct buf *out)
{
    struct config defaults;
    config_init(&defaults);
    for (size_t i = 0; i < CONFIG_SETTINGS; i++) {
        const struct config_setting *setting = &config_table[i];
        buf_printf(out, "%s# %s\n# ", i == 0 ? "" : "\n", setting->doc);
        write_bounds(setting, out);
        buf_puts(out, "; environment " PREFIX);
        write_upper(out, setting->name);
        buf_printf(out, "\n%s: ", setting->name);
        write_value(&defaults, setting, out);
        buf_char(out, '\n');
    }
}

void config_print(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < CONFIG_SETTINGS; i++) {
        const struct config_setting *setting = &config_table[i];
        const char *const *text = (const void *)((const char *)config + setting->offset);
        buf_printf(out, "%s: ", setting->name);
        if (setting->secret && (*text)[0] != '\0' && strcmp(*text, setting->text) != 0) {
            buf_puts(out, "\"(hidden)\"");
        } else {
            write_value(config, setting, out);
        }
        buf_char(out, '\n');
    }
}
