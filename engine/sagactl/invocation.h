/* One call of sagactl: its subcommand, arguments and options, parsed from two tables (commands.def,
 * options.def). */
#pragma once
#include <stdbool.h>
#include "engine/base/arena.h"
#include "engine/base/id.h"
#include "engine/base/str.h"

enum {
    INVOCATION_FINE = 0,   /* done, and everything was as it should be */
    INVOCATION_FAILED = 1, /* done, but not all is well: mistakes found, a difference, a refused verb, a saga
                              that did not complete */
    INVOCATION_USAGE = 2,  /* the call is not understood */
    INVOCATION_AWAY = 3,   /* the service or database did not answer */
    INVOCATION_UNREACHED = 3, /* of check, which asks nobody: proved, but no run got to some part */
    INVOCATION_CAPPED = 4,    /* nothing was found, but not everything was looked at */
    INVOCATION_EXISTED = 5    /* nothing was started: the saga is there already */
};
#define INVOCATION_EXIT_CODES                                                                                \
    "Exit codes:\n"                                                                                          \
    "  0  all is well\n"                                                                                     \
    "  1  done, but not all is well: mistakes found, a difference, a refusal, a saga that did not "          \
    "complete\n"                                                                                             \
    "  2  the call is not understood\n"                                                                      \
    "  3  the service or database did not answer, or asks to come back later;\n"                             \
    "     check: proved, but no run gets to some step or branch\n"                                           \
    "  4  check: nothing was found, but a limit ended it before everything was seen\n"                       \
    "  5  start: nothing was started, a saga with this key and input is there already\n"
enum { INVOCATION_OPTIONS_MAX = 64, INVOCATION_FILES_MAX = 10000 };

struct invocation;
struct invocation_command {
    const char *name;
    int (*run)(struct invocation *invocation);
    const char *arguments;
    const char *options; /* names, separated by spaces */
    const char *sentence;
    const char *json; /* what is printed with --json */
};
struct invocation {
    struct arena *arena;
    const struct invocation_command *command;
    const char **arguments;
    int argument_count;
    struct {
        const char *name;
        const char *value; /* "" for flags */
    } options[INVOCATION_OPTIONS_MAX];
    int option_count;
    bool json;   /* asked for */
    int columns; /* of the terminal that stdout is; 0: it is none, or its width is not known */
};

/* Parses argv[2…]. False after a sentence on stderr. */
bool invocation_parse(struct invocation *invocation, int argc, char **argv);
/* The option's last value, or NULL. */
const char *invocation_option(const struct invocation *invocation, const char *name);
/* The address of the service, the database: option, environment, default. */
const char *invocation_url(const struct invocation *invocation);
const char *invocation_database(const struct invocation *invocation);
const char *invocation_nats(const struct invocation *invocation);
/* True, or a sentence on stderr: the number of arguments must lie between the two. */
bool invocation_expects(const struct invocation *invocation, int least, int most);
/* The text as an id; false after a sentence. */
bool invocation_id(const struct invocation *invocation, const char *text, struct id *id);
/* True when the option was given; false after a sentence. */
bool invocation_needs(const struct invocation *invocation, const char *option);
/* The command's own page: arguments, options, exit codes. */
void invocation_help(const struct invocation_command *command);
/* A whole file ("-": standard input) as text; false after a sentence on stderr. */
bool invocation_read_file(struct invocation *invocation, const char *path, struct str *text);
