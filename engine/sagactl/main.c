/* sagactl: one table of subcommands (commands.def), each in a file of its own. Finds the one that was asked
 * for and ends with its status. Never does anything itself. */
#include <stdio.h>
#include <string.h>
#include "engine/sagactl/check.h"
#include "engine/sagactl/conformance.h"
#include "engine/sagactl/diff.h"
#include "engine/sagactl/doctor.h"
#include "engine/sagactl/editor.h"
#include "engine/sagactl/events.h"
#include "engine/sagactl/graph.h"
#include "engine/sagactl/history.h"
#include "engine/sagactl/invocation.h"
#include "engine/sagactl/remote.h"
#include "engine/sagactl/replay.h"
#include "engine/sagactl/simulate.h"
#include "engine/sagactl/test.h"
#include "engine/sagactl/undo_plan.h"
#include "engine/sagactl/validate.h"
#include "engine/sagactl/watch.h"

static const struct invocation_command commands[] = {
#define X(name, function, arguments, options, sentence, json)                                                \
    {name, function, arguments, options, sentence, json},
#include "engine/sagactl/commands.def"
#undef X
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

enum { NEAR = 2 }; /* edits between a word and the command that was meant */

static int help(void)
{
    printf("sagactl: the saga engine's tool for authors and operators\n\nusage: sagactl COMMAND [argument …] "
           "[--option value …]\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        printf("  %-19s %s\n", commands[i].name, commands[i].sentence);
    printf("\nsagactl COMMAND --help explains arguments and options. Output is for people; with --json it is "
           "JSON.\n\n%s",
           INVOCATION_EXIT_CODES);
    return INVOCATION_FINE;
}

static const struct invocation_command *find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* "definitions diff": a command of two words goes before the one of its first. *words: how many it has. */
static const struct invocation_command *find_words(int argc, char **argv, struct arena *arena, int *words)
{
    const struct invocation_command *both =
        argc < 3 ? NULL : find(arena_printf(arena, "%s %s", argv[1], argv[2]).data);
    *words = both != NULL ? 2 : 1;
    return both != NULL ? both : find(argv[1]);
}

static int refuse_command(const char *name)
{
    const char *meant = NULL;
    for (int i = 0; i < COMMAND_COUNT && meant == NULL; i++)
        if (str_distance(str_from(commands[i].name), str_from(name), NEAR) <= NEAR)
            meant = commands[i].name;
    if (meant != NULL)
        fprintf(stderr, "sagactl: there is no command \"%s\": did you mean \"%s\"? See sagactl --help\n",
                name, meant);
    else
        fprintf(stderr, "sagactl: there is no command \"%s\"; see sagactl --help\n", name);
    return INVOCATION_USAGE;
}

static int run(int argc, char **argv, struct arena *arena)
{
    struct invocation invocation = {.arena = arena};
    if (argc < 2) {
        (void)help();
        return INVOCATION_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help();
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0)
        return printf("sagactl %s\n", SAGAD_VERSION) < 0 ? INVOCATION_FAILED : INVOCATION_FINE;
    int words = 1;
    invocation.command = find_words(argc, argv, arena, &words);
    if (invocation.command == NULL)
        return refuse_command(argv[1]);
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            invocation_help(invocation.command);
            return INVOCATION_FINE;
        }
    if (!invocation_parse(&invocation, argc - words + 1, argv + words - 1))
        return INVOCATION_USAGE;
    return invocation.command->run(&invocation);
}

int main(int argc, char **argv)
{
    struct arena arena;
    arena_init(&arena, 0);
    int code = run(argc, argv, &arena);
    arena_fini(&arena);
    return code;
}
