#include <stdio.h>
#include <string.h>
#include "engine/sagactl/doctor.h"
#include "engine/sagactl/invocation.h"
#include "engine/sagactl/remote.h"
#include "engine/sagactl/replay.h"
#include "engine/sagactl/validate.h"
#include "engine/sagactl/watch.h"

static const struct invocation_command commands[] = {
#define X(name, function, arguments, options, sentence) {name, function, arguments, options, sentence},
#include "engine/sagactl/commands.def"
#undef X
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static int help(void)
{
    printf("sagactl: the saga engine's tool for authors and operators\n\nusage: sagactl COMMAND [argument …] "
           "[--option value …]\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        printf("  %-12s %-16s %s\n", commands[i].name, commands[i].arguments, commands[i].sentence);
    printf("\nsagactl COMMAND --help explains the options. Output is for people; with --json it is JSON.\n"
           "Exit codes: 0 all is well; 1 done, but not all is well (mistakes found, a difference, a refusal, "
           "a saga that did not complete);\n"
           "2 the call is not understood; 3 the service or database did not answer.\n");
    return INVOCATION_FINE;
}

static const struct invocation_command *find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int run(int argc, char **argv, struct arena *arena)
{
    struct invocation invocation = {.arena = arena};
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return help();
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0)
        return printf("sagactl %s\n", SAGAD_VERSION) < 0 ? INVOCATION_FAILED : INVOCATION_FINE;
    invocation.command = find(argv[1]);
    if (invocation.command == NULL) {
        fprintf(stderr, "sagactl: there is no command \"%s\"; see sagactl --help\n", argv[1]);
        return INVOCATION_USAGE;
    }
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            invocation_help(invocation.command);
            return INVOCATION_FINE;
        }
    if (!invocation_parse(&invocation, argc, argv))
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
