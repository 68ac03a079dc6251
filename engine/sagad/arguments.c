/* The command line of sagad into a command and settings; file, then environment, then command line. Called by
 * main.c before any thread. Never prints a secret. */
#include "engine/sagad/arguments.h"

#include <stdio.h>
#include <string.h>
#include "engine/base/mask.h"
#include "engine/ops/config_table.h"

enum { NEAR = 2 }; /* edits between a word and the one that was meant */

struct option {
    const char *name;
    const char *value;
    const char *sentence;
};
static const struct option options[ARGUMENTS_OPTIONS] = {
#define X(name, text, value, sentence) [ARGUMENTS_##name] = {text, value, sentence},
#include "engine/sagad/options.def"
#undef X
};

/* Whether a word stands in a list separated by spaces. */
static bool listed(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word))
        if ((at == list || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
            return true;
    return false;
}

/* Each _ of the text as -, or the other way round: settings have one on the command line, the other in
 * files. */
static const char *spelled(struct arena *arena, struct str text, char from, char to)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < text.size; i++)
        buf_char(&out, text.data[i] == from ? to : text.data[i]);
    return buf_str(&out).data;
}

static int find_option(const struct arguments_command *command, struct str name)
{
    for (int i = 0; i < ARGUMENTS_OPTIONS; i++)
        if (str_equal(str_from(options[i].name), name) && listed(command->options, options[i].name))
            return i;
    return ARGUMENTS_OPTIONS;
}

static const char *nearest_option(const struct arguments *arguments, struct str name)
{
    for (int i = 0; i < ARGUMENTS_OPTIONS; i++)
        if (listed(arguments->command->options, options[i].name) &&
            str_distance(str_from(options[i].name), name, NEAR) <= NEAR)
            return options[i].name;
    if (!arguments->command->settings)
        return "";
    struct str setting = str_from(spelled(arguments->arena, name, '-', '_'));
    return spelled(arguments->arena, str_from(config_table_nearest(setting)), '_', '-');
}

static bool refuse_option(const struct arguments *arguments, struct str name)
{
    const char *nearest = nearest_option(arguments, name);
    fprintf(stderr, "sagad %s: there is no option --%.*s", arguments->command->name, STR_ARG(name));
    if (nearest[0] != '\0')
        fprintf(stderr, ": did you mean --%s?", nearest);
    fprintf(stderr, "%s sagad --help\n", nearest[0] != '\0' ? " See" : "; see");
    return false;
}

/* `sagad dev` brings its own servers: an address given to it would silently mean nothing. */
static bool is_meant(const struct arguments *arguments, const char *setting)
{
    bool own = strcmp(setting, "database") == 0 || strcmp(setting, "nats") == 0;
    if (!own || strcmp(arguments->command->name, "dev") != 0)
        return true;
    fprintf(stderr, "sagad dev: --%s has no use here: dev starts its own servers; `sagad serve` uses yours\n",
            setting);
    return false;
}

/* Others on the machine may list the command line: what is secret is kept here and overwritten there. */
static const char *hide(struct arguments *arguments, const char *option, const char *setting, char *value)
{
    const struct config_setting *row = config_table_find(str_from(setting));
    bool address = strcmp(setting, "database") == 0 || strcmp(setting, "nats") == 0;
    if (row == NULL || (address ? !mask_is_needed(value) : !row->secret))
        return value;
    const char *kept = arena_copy(arguments->arena, str_from(value)).data;
    mask_argument(value);
    arguments->exposed = option;
    return kept;
}

static bool take(struct arguments *arguments, const char *given, struct str name, char *value)
{
    int option = find_option(arguments->command, name);
    if (option != ARGUMENTS_OPTIONS) {
        arguments->values[option] = value;
        return true;
    }
    const char *setting = spelled(arguments->arena, name, '-', '_');
    arguments->settings[arguments->setting_count++] = (struct arguments_setting){
        .option = given, .name = setting, .value = hide(arguments, given, setting, value)};
    return is_meant(arguments, setting);
}

static bool is_known(const struct arguments *arguments, struct str name)
{
    if (find_option(arguments->command, name) != ARGUMENTS_OPTIONS)
        return true;
    struct str setting = str_from(spelled(arguments->arena, name, '-', '_'));
    return arguments->command->settings && config_table_find(setting) != NULL;
}

bool arguments_parse(struct arguments *arguments, int argc, char **argv, int from)
{
    arguments->settings = arena_array(arguments->arena, (size_t)argc, sizeof *arguments->settings);
    for (int i = from; i < argc; i++) {
        struct str given = str_from(argv[i]);
        if (!str_starts(given, STR("--"))) {
            fprintf(stderr, "sagad %s: \"%s\" is not expected here; see sagad --help\n",
                    arguments->command->name, argv[i]);
            return false;
        }
        size_t equals = str_find(given, '=');
        struct str name = str_slice(given, 2, equals);
        if (!is_known(arguments, name))
            return refuse_option(arguments, name);
        if (equals == given.size && i + 1 == argc) {
            fprintf(stderr, "sagad %s: %s needs a value; see sagad --help\n", arguments->command->name,
                    argv[i]);
            return false;
        }
        const char *option = arena_copy(arguments->arena, str_slice(given, 0, equals)).data;
        char *value = equals < given.size ? argv[i] + equals + 1 : argv[++i];
        if (!take(arguments, option, name, value))
            return false;
    }
    return true;
}

bool arguments_config(const struct arguments *arguments, struct config *config, struct buf *mistakes)
{
    extern char **environ;
    const char *file = arguments->values[ARGUMENTS_CONFIG];
    config_init(config);
    bool fine = file == NULL || config_read_file(config, arguments->arena, file, mistakes);
    fine = config_read_environment(config, arguments->arena, environ, mistakes) && fine;
    for (int i = 0; i < arguments->setting_count; i++) {
        const struct arguments_setting *setting = &arguments->settings[i];
        fine =
            config_set(config, arguments->arena, setting->name, setting->value, setting->option, mistakes) &&
            fine;
    }
    if (strcmp(arguments->command->name, "dev") == 0 && config->instance[0] == '\0')
        config->instance = "dev"; /* the only engine on its private database: gets its shards back at once */
    return config_finish(config, arguments->arena, mistakes) && fine;
}

void arguments_help(const struct arguments_command *command)
{
    for (int i = 0; i < ARGUMENTS_OPTIONS; i++)
        if (listed(command->options, options[i].name))
            printf("  --%s %-*s %s\n", options[i].name, (int)(14 - strlen(options[i].name)), options[i].value,
                   options[i].sentence);
    if (command->settings)
        printf("  --%-15s %s\n", "SETTING VALUE",
               "any setting by its name: --database URL, --http-address ADDRESS …");
    printf("  --%-15s %s\n", "help", "this page");
}
