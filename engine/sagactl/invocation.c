/* Arguments to a subcommand and its options, by commands.def and options.def; help and mistakes with what was
 * probably meant. Called by main.c first. Never runs the subcommand. */
#include "engine/sagactl/invocation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "engine/base/buf.h"
#include "engine/base/mask.h"

struct option {
    const char *name;
    const char *value;
    const char *sentence;
};
static const struct option options[] = {
#define X(name, value, sentence) {name, value, sentence},
#include "engine/sagactl/options.def"
#undef X
};
enum { OPTION_COUNT = sizeof options / sizeof options[0] };
enum { HELP_WIDTH = 26 };
enum { NEAR = 2 }; /* edits between a word and the option that was meant */

/* Whether a word stands in a list separated by spaces. */
static bool listed(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word))
        if ((at == list || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
            return true;
    return false;
}

static const struct option *find_option(const struct invocation_command *command, const char *name)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strcmp(options[i].name, name) == 0 && listed(command->options, name))
            return &options[i];
    return NULL;
}

static bool refuse_option(const struct invocation_command *command, const char *name)
{
    const char *meant = NULL;
    for (int i = 0; i < OPTION_COUNT && meant == NULL; i++)
        if (listed(command->options, options[i].name) &&
            str_distance(str_from(options[i].name), str_from(name), NEAR) <= NEAR)
            meant = options[i].name;
    if (meant != NULL)
        fprintf(stderr, "sagactl %s: there is no option --%s: did you mean --%s? See sagactl %s --help\n",
                command->name, name, meant, command->name);
    else
        fprintf(stderr, "sagactl %s: there is no option --%s; see sagactl %s --help\n", command->name, name,
                command->name);
    return false;
}

static bool add_option(struct invocation *invocation, const char *name, const char *value)
{
    if (invocation->option_count == INVOCATION_OPTIONS_MAX) {
        fprintf(stderr, "sagactl: more than %d options\n", INVOCATION_OPTIONS_MAX);
        return false;
    }
    invocation->options[invocation->option_count].name = name;
    invocation->options[invocation->option_count++].value = value;
    return true;
}

/* Others on the machine may list the command line. */
static const char *hide(struct invocation *invocation, const char *name, char *value)
{
    if (strcmp(name, "database") != 0 || !mask_is_needed(value))
        return value;
    const char *kept = arena_copy(invocation->arena, str_from(value)).data;
    mask_argument(value);
    fprintf(stderr, "sagactl: warning: a password on the command line can be read by others on this machine: "
                    "use SAGAD_DATABASE\n");
    return kept;
}

/* One "--name value", "--name=value" or "--flag"; *at is moved behind it. */
static bool parse_option(struct invocation *invocation, int argc, char **argv, int *at)
{
    struct str given = str_from(argv[*at] + 2);
    size_t equals = str_find(given, '=');
    const char *name = arena_copy(invocation->arena, str_slice(given, 0, equals)).data;
    const struct option *option = find_option(invocation->command, name);
    if (option == NULL)
        return refuse_option(invocation->command, name);
    *at += 1;
    if (option->value[0] == '\0') {
        if (equals < given.size)
            fprintf(stderr, "sagactl %s: --%s takes no value\n", invocation->command->name, name);
        return equals == given.size && add_option(invocation, option->name, "");
    }
    if (equals < given.size)
        return add_option(invocation, option->name,
                          hide(invocation, option->name, argv[*at - 1] + 2 + equals + 1));
    if (*at == argc) {
        fprintf(stderr, "sagactl %s: --%s needs a value: %s, %s\n", invocation->command->name, name,
                option->value, option->sentence);
        return false;
    }
    *at += 1;
    return add_option(invocation, option->name, hide(invocation, option->name, argv[*at - 1]));
}

bool invocation_parse(struct invocation *invocation, int argc, char **argv)
{
    invocation->arguments = arena_array(invocation->arena, (size_t)argc, sizeof(char *));
    for (int i = 2; i < argc;) {
        if (argv[i][0] != '-' || strcmp(argv[i], "-") == 0) {
            invocation->arguments[invocation->argument_count++] = argv[i++];
            continue;
        }
        if (strncmp(argv[i], "--", 2) != 0) {
            fprintf(stderr, "sagactl %s: options begin with two dashes, unlike %s; see sagactl %s --help\n",
                    invocation->command->name, argv[i], invocation->command->name);
            return false;
        }
        if (!parse_option(invocation, argc, argv, &i))
            return false;
    }
    invocation->json = invocation_option(invocation, "json") != NULL;
    struct winsize size = {0};
    bool terminal = isatty(STDOUT_FILENO) == 1;
    invocation->columns = terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
    return true;
}

const char *invocation_option(const struct invocation *invocation, const char *name)
{
    for (int i = invocation->option_count - 1; i >= 0; i--)
        if (strcmp(invocation->options[i].name, name) == 0)
            return invocation->options[i].value;
    return NULL;
}

static const char *from(const struct invocation *invocation, const char *option, const char *variable,
                        const char *fallback)
{
    const char *given = invocation_option(invocation, option);
    if (given == NULL)
        given = getenv(variable);
    return given == NULL || given[0] == '\0' ? fallback : given;
}

const char *invocation_url(const struct invocation *invocation)
{
    return from(invocation, "url", "SAGAD_URL", "http://127.0.0.1:8080");
}

const char *invocation_database(const struct invocation *invocation)
{
    return from(invocation, "database", "SAGAD_DATABASE", "postgresql:///sagad");
}

const char *invocation_nats(const struct invocation *invocation)
{
    return from(invocation, "nats", "SAGAD_NATS", "nats://127.0.0.1:4222");
}

bool invocation_expects(const struct invocation *invocation, int least, int most)
{
    bool fine = invocation->argument_count >= least && invocation->argument_count <= most;
    if (!fine)
        fprintf(stderr, "usage: sagactl %s %s; see sagactl %s --help\n", invocation->command->name,
                invocation->command->arguments, invocation->command->name);
    return fine;
}

void invocation_help(const struct invocation_command *command)
{
    printf("usage: sagactl %s %s%s[--option value …]\n\n%s\n\n", command->name, command->arguments,
           command->arguments[0] ? " " : "", command->sentence);
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (!listed(command->options, options[i].name))
            continue;
        printf("  --%s %-*s %s\n", options[i].name, (int)(HELP_WIDTH - strlen(options[i].name)),
               options[i].value, options[i].sentence);
    }
    printf(
        "  --%-*s %s\n\nWith --json: %s.\nA refusal by the service is then its problem+json (RFC 9457), also "
        "on stdout.\n\n%s",
        HELP_WIDTH + 1, "help", "this page", command->json, INVOCATION_EXIT_CODES);
}

bool invocation_id(const struct invocation *invocation, const char *text, struct id *id)
{
    bool fine = id_parse(str_from(text), id);
    if (!fine)
        fprintf(stderr,
                "sagactl %s: \"%s\" is no saga id: those look like 01a1fe2a-b70a-73fa-b9ad-b3862380400f and "
                "are printed by start and list\n",
                invocation->command->name, text);
    return fine;
}

bool invocation_needs(const struct invocation *invocation, const char *option)
{
    if (invocation_option(invocation, option) != NULL)
        return true;
    fprintf(stderr, "sagactl %s: --%s is needed; see sagactl %s --help\n", invocation->command->name, option,
            invocation->command->name);
    return false;
}

bool invocation_read_file(struct invocation *invocation, const char *path, struct str *text)
{
    char chunk[16384];
    struct buf out;
    size_t size = 0;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    buf_init(&out, invocation->arena);
    if (file == NULL) {
        fprintf(stderr, "sagactl: cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    while ((size = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_put(&out, (struct str){chunk, size});
    bool fine = ferror(file) == 0;
    if (!fine)
        fprintf(stderr, "sagactl: cannot read %s: %s\n", path, strerror(errno));
    if (file != stdin)
        fclose(file);
    *text = buf_str(&out);
    return fine;
}
