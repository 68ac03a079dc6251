/* sagad: the service, the migration of its database, and everything on one machine for trying it. Reads the
 * command line and calls the one of serve.c or dev.c. Never starts a thread itself. */
#include <stdio.h>
#include <string.h>
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mask.h"
#include "engine/ops/log.h"
#include "engine/sagad/arguments.h"
#include "engine/sagad/dev.h"
#include "engine/sagad/serve.h"
#include "engine/store/postgres.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 3 };
enum { NEAR = 2 }; /* edits between a word and the command that was meant */

/* The number of --shards; 0 after a sentence on stderr. */
static uint32_t shards_of(const struct arguments *arguments)
{
    const char *text = arguments->values[ARGUMENTS_SHARDS];
    int64_t number = LIMITS_SHARDS_DEFAULT;
    if (text != NULL && (!str_to_i64(str_from(text), &number) || number < 1 || number > LIMITS_SHARDS_MAX)) {
        fprintf(stderr, "sagad: --shards takes a whole number from 1 to %d, not \"%s\"\n", LIMITS_SHARDS_MAX,
                text);
        return 0;
    }
    return (uint32_t)number;
}

static void warn_if_open(const char *what, const char *path)
{
    if (path != NULL && path[0] != '\0' && file_is_open(path))
        log_warn("secret_file_open", "what=%s path=%s mend=%s", what, path,
                 "everybody on this machine may read it: chmod o-rwx");
}

/* Nothing is refused for it: where nobody else is on the machine it does no harm. */
static void warn_of_secrets(const struct arguments *arguments, const struct config *config)
{
    bool secrets = config->nats_password[0] != '\0' || config->nats_token[0] != '\0' ||
                   mask_is_needed(config->nats) || mask_is_needed(config->database);
    if (arguments->exposed != NULL)
        log_warn(
            "secret_on_command_line", "option=%s mend=%s", arguments->exposed,
            "others on this machine could read it until now: use the environment or the configuration file");
    if (secrets)
        warn_if_open("configuration", arguments->values[ARGUMENTS_CONFIG]);
    warn_if_open("nats_creds_file", config->nats_creds_file);
    warn_if_open("nats_tls_key", config->nats_tls_key);
}

/* What every command that works begins with. EXIT_FINE, or the exit code after the mistakes were shown. */
static int prepare(const struct arguments *arguments, struct config *config, uint32_t *shards)
{
    struct buf mistakes;
    buf_init(&mistakes, arguments->arena);
    *shards = shards_of(arguments);
    if (!arguments_config(arguments, config, &mistakes) || *shards == 0) {
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&mistakes)));
        return EXIT_CONFIG;
    }
    serve_block_signals();
    log_init((enum log_level)config->log_level, (enum log_format)config->log_format, 2);
    warn_of_secrets(arguments, config);
    return EXIT_FINE;
}

static int ended(enum err error, const struct err_note *note)
{
    if (error != ERR_OK)
        fprintf(stderr, "sagad: %s\n", note->text[0] != '\0' ? note->text : err_text(error));
    return error == ERR_OK ? EXIT_FINE : EXIT_FAILED;
}

static int run_serve(struct arguments *arguments)
{
    struct config config;
    struct err_note note = {""};
    uint32_t shards = 0;
    int code = prepare(arguments, &config, &shards);
    return code == EXIT_FINE ? ended(serve_run(&config, NULL, &note), &note) : code;
}

/* The number of shards is fixed when a database is made: asking an old one for another number is a mistake.
 */
static enum err check_shards(const struct config *config, uint32_t asked, struct err_note *note)
{
    struct store *store = NULL;
    uint32_t shards = 0;
    enum err error = postgres_open(config->database, &store, note);
    if (error != ERR_OK)
        return error;
    error = store_shard_count(store, &shards, note);
    store_close(store);
    if (error == ERR_OK && shards != asked)
        return err_note(note, ERR_CONFLICT,
                        "the database has %u shards, fixed when it was made, not %u; leave --shards out",
                        shards, asked);
    return error;
}

static int run_migrate(struct arguments *arguments)
{
    struct config config;
    struct err_note note = {""};
    uint32_t shards = 0, applied = 0;
    int code = prepare(arguments, &config, &shards);
    if (code != EXIT_FINE)
        return code;
    enum err error = postgres_migrate(config.database, shards, &applied, &note);
    if (error == ERR_OK && arguments->values[ARGUMENTS_SHARDS] != NULL)
        error = check_shards(&config, shards, &note);
    if (error == ERR_OK && applied == 0)
        printf("the schema is up to date\n");
    else if (error == ERR_OK)
        printf("%u migration%s applied\n", applied, applied == 1 ? "" : "s");
    return ended(error, &note);
}

static int run_dev(struct arguments *arguments)
{
    struct config config;
    struct err_note note = {""};
    uint32_t shards = 0;
    const char *folder = arguments->values[ARGUMENTS_DATA];
    int code = prepare(arguments, &config, &shards);
    if (code != EXIT_FINE)
        return code;
    return ended(dev_run(&config, folder == NULL ? "sagad-data" : folder, shards, &note), &note);
}

static int run_settings(struct arguments *arguments)
{
    struct buf out;
    buf_init(&out, arguments->arena);
    config_help(&out);
    return printf("%.*s", STR_ARG(buf_str(&out))) < 0 ? EXIT_FAILED : EXIT_FINE;
}

static int run_version(struct arguments *arguments)
{
    (void)arguments;
    return printf("sagad %s\n", SAGAD_VERSION) < 0 ? EXIT_FAILED : EXIT_FINE;
}

static const struct arguments_command commands[] = {
#define X(name, function, options, settings, sentence) {name, function, options, settings, sentence},
#include "engine/sagad/commands.def"
#undef X
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static int help(void)
{
    printf("sagad: the saga engine's service\n\nusage: sagad [COMMAND] [--option value …]\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        printf("\nsagad %s\n  %s\n", commands[i].name, commands[i].sentence);
        if (commands[i].options[0] != '\0')
            arguments_help(&commands[i]);
    }
    printf(
        "\nSettings come from the file, then the environment (SAGAD_DATABASE=…), then the command line; the "
        "later wins.\n"
        "SIGTERM and SIGINT finish the work in flight and stop; SIGHUP reads the definitions folder again, "
        "and a bad file\nleaves what was loaded as it was.\n\n"
        "Exit codes: 0 ended in order; 1 failed, the reason is on stderr; 2 the call is not understood; 3 a "
        "mistake in the settings.\n");
    return EXIT_FINE;
}

static const struct arguments_command *find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int refuse_command(const char *name)
{
    const char *meant = NULL;
    for (int i = 0; i < COMMAND_COUNT && meant == NULL; i++)
        if (str_distance(str_from(commands[i].name), str_from(name), NEAR) <= NEAR)
            meant = commands[i].name;
    if (meant != NULL)
        fprintf(stderr, "sagad: there is no command \"%s\": did you mean \"%s\"? See sagad --help\n", name,
                meant);
    else
        fprintf(stderr, "sagad: there is no command \"%s\"; see sagad --help\n", name);
    return EXIT_USAGE;
}

static int dispatch(int argc, char **argv, struct arena *arena)
{
    struct arguments arguments = {.arena = arena};
    bool named = argc > 1 && argv[1][0] != '-';
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
    if (named && strcmp(argv[1], "help") == 0)
        return help();
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return run_version(&arguments);
    arguments.command = find(named ? argv[1] : "serve");
    if (arguments.command == NULL)
        return refuse_command(argv[1]);
    if (!arguments_parse(&arguments, argc, argv, named ? 2 : 1))
        return EXIT_USAGE;
    return arguments.command->run(&arguments);
}

int main(int argc, char **argv)
{
    struct arena arena;
    arena_init(&arena, 0);
    int code = dispatch(argc, argv, &arena);
    arena_fini(&arena);
    return code;
}
