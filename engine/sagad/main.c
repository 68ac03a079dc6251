#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/limits.h"
#include "engine/ops/config.h"
#include "engine/ops/log.h"
#include "engine/sagad/dev.h"
#include "engine/sagad/serve.h"
#include "engine/store/postgres.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 3 };

static const char help_text[] =
    "sagad: the saga engine's service\n"
    "\n"
    "  sagad [serve]            run the service\n"
    "  sagad migrate            bring the database's schema up to date; a new one gets --shards shards\n"
    "  sagad dev                private PostgreSQL and nats-server below --data, migrated, and the service\n"
    "  sagad settings           print the manual of all settings, as a configuration file to start from\n"
    "  sagad version            print the version\n"
    "\n"
    "  --config FILE            settings as YAML; `sagad settings` explains each\n"
    "  --SETTING VALUE          any setting by its name: --database URL, --nats URL, --definitions DIR, "
    "--http-address ADDRESS …\n"
    "  --data DIR               dev: where the private servers keep their data (default ./sagad-data)\n"
    "  --shards N               migrate, dev: shards of a new database, fixed from then on (default 16)\n"
    "  --help                   this page\n"
    "\n"
    "Settings come from the file, then the environment (SAGAD_DATABASE=…), then the command line; the later "
    "wins.\n"
    "SIGTERM and SIGINT drain and stop; SIGHUP reads the definitions folder again.\n"
    "Exit codes: 0 ended in order, 1 failed (the reason is on stderr), 2 wrong usage, 3 a mistake in the "
    "settings.\n";

struct arguments {
    const char *command;
    const char *config_file;
    const char *data_folder;
    uint32_t shards;
};

static bool fill_config(struct config *config, struct arguments *arguments, int argc, char **argv,
                        struct arena *arena, struct buf *mistakes)
{
    extern char **environ;
    bool fine = true;
    config_init(config);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            fine = config_read_file(config, arena, argv[i + 1], mistakes) && fine;
    fine = config_read_environment(config, arena, environ, mistakes) && fine;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            if (i == 1)
                continue;
            buf_printf(mistakes, "%s: not expected here; see sagad --help\n", argv[i]);
            return false;
        }
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc) {
            buf_printf(mistakes, "%s: needs a value, or is no option; see sagad --help\n", argv[i]);
            return false;
        }
        const char *name = argv[i] + 2, *value = argv[++i];
        int64_t number = 0;
        if (strcmp(name, "config") == 0) {
            continue;
        } else if (strcmp(name, "data") == 0) {
            arguments->data_folder = value;
        } else if (strcmp(name, "shards") == 0) {
            if (!str_to_i64(str_from(value), &number) || number < 1 || number > LIMITS_SHARDS_MAX) {
                buf_printf(mistakes, "--shards %s: must be a whole number from 1 to %d\n", value,
                           LIMITS_SHARDS_MAX);
                fine = false;
            }
            arguments->shards = (uint32_t)number;
        } else {
            struct buf setting;
            buf_init(&setting, arena);
            for (const char *c = name; *c != '\0'; c++)
                buf_char(&setting, *c == '-' ? '_' : *c);
            fine = config_set(config, arena, buf_str(&setting).data, value, argv[i - 1], mistakes) && fine;
        }
    }
    if (strcmp(arguments->command, "dev") == 0 && config->instance[0] == '\0')
        config->instance = "dev"; /* the only engine on its private database */
    return config_finish(config, arena, mistakes) && fine;
}

static enum err migrate(const struct config *config, uint32_t shards, struct err_note *note)
{
    uint32_t applied = 0;
    enum err error = postgres_migrate(config->database, shards, &applied, note);
    if (error == ERR_OK)
        printf(applied == 0 ? "the schema is up to date\n" : "%u migrations applied\n", applied);
    return error;
}

static int run(const struct arguments *arguments, struct config *config)
{
    struct err_note note = {""};
    enum err error = ERR_INVALID;
    serve_block_signals();
    log_init((enum log_level)config->log_level, (enum log_format)config->log_format, 2);
    if (strcmp(arguments->command, "serve") == 0)
        error = serve_run(config, NULL, &note);
    else if (strcmp(arguments->command, "migrate") == 0)
        error = migrate(config, arguments->shards, &note);
    else
        error = dev_run(config, arguments->data_folder, arguments->shards, &note);
    if (error != ERR_OK)
        fprintf(stderr, "sagad: %s\n", note.text[0] != '\0' ? note.text : err_text(error));
    return error == ERR_OK ? EXIT_FINE : EXIT_FAILED;
}

static int print_settings(struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    config_help(&out);
    printf("%.*s", STR_ARG(buf_str(&out)));
    return EXIT_FINE;
}

static int dispatch(int argc, char **argv, struct arena *arena)
{
    struct arguments arguments = {
        .command = "serve", .data_folder = "sagad-data", .shards = LIMITS_SHARDS_DEFAULT};
    struct config config;
    struct buf mistakes;
    buf_init(&mistakes, arena);
    if (argc > 1 && argv[1][0] != '-')
        arguments.command = argv[1];
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 || strcmp(argv[1], "help") == 0)
            return printf("%s", help_text) < 0 ? EXIT_FAILED : EXIT_FINE;
    if (strcmp(arguments.command, "version") == 0 || strcmp(argv[argc - 1], "--version") == 0)
        return printf("sagad %s\n", SAGAD_VERSION) < 0 ? EXIT_FAILED : EXIT_FINE;
    if (strcmp(arguments.command, "settings") == 0)
        return print_settings(arena);
    if (strcmp(arguments.command, "serve") != 0 && strcmp(arguments.command, "migrate") != 0 &&
        strcmp(arguments.command, "dev") != 0) {
        fprintf(stderr, "sagad: there is no command \"%s\"; see sagad --help\n", arguments.command);
        return EXIT_USAGE;
    }
    if (!fill_config(&config, &arguments, argc, argv, arena, &mistakes)) {
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&mistakes)));
        return EXIT_CONFIG;
    }
    return run(&arguments, &config);
}

int main(int argc, char **argv)
{
    struct arena arena;
    arena_init(&arena, 0);
    int code = dispatch(argc, argv, &arena);
    arena_fini(&arena);
    return code;
}
