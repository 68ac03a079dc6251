/* The command line of sagad: a command, its options and any setting by its name, from two tables
 * (commands.def, options.def) and the table of settings.
 *
 * Settings come from the file, then the environment, then the command line; the later wins. Everything is
 * copied into, or borrowed from, the arena and argv, which must outlive the struct. One thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/ops/config.h"

enum arguments_option {
#define X(name, text, value, sentence) ARGUMENTS_##name,
#include "engine/sagad/options.def"
#undef X
    ARGUMENTS_OPTIONS /* their number */
};

struct arguments;
struct arguments_command {
    const char *name;
    int (*run)(struct arguments *arguments);
    const char *options; /* names, separated by spaces */
    bool settings;       /* takes them too */
    const char *sentence;
};
struct arguments_setting {
    const char *option; /* as it was given: "--http-address" */
    const char *name;   /* "http_address" */
    const char *value;
};
struct arguments {
    struct arena *arena;
    const struct arguments_command *command;
    const char *values[ARGUMENTS_OPTIONS]; /* NULL: not given */
    struct arguments_setting *settings;
    int setting_count;
    const char *exposed; /* an option that brought a secret onto the command line, NULL: none */
};

/* Parses argv[from…], for arguments->command; secrets are taken out of argv.  False after a sentence on
 * stderr. */
bool arguments_parse(struct arguments *arguments, int argc, char **argv, int from);
/* The settings from all sources. False: `mistakes` says what to mend. */
bool arguments_config(const struct arguments *arguments, struct config *config, struct buf *mistakes);
/* The options of a command, one a line. */
void arguments_help(const struct arguments_command *command);
