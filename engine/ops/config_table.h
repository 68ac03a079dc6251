/* Inside of config: the table of settings as data, and one assignment. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/str.h"
#include "engine/ops/config.h"

enum config_kind { CONFIG_TEXT, CONFIG_COUNT, CONFIG_DURATION, CONFIG_FLAG, CONFIG_CHOICE };

struct config_setting {
    enum config_kind kind;
    const char *name;
    const char *doc;
    const char *text; /* default of text, duration and choice */
    int64_t number;   /* default of count and flag */
    int64_t min;      /* of a count */
    int64_t max;
    const char *least; /* of a duration */
    const char *most;
    const char *choices; /* separated by | */
    bool secret;
    size_t offset; /* in struct config */
};

enum {
#define TEXT(NAME, DEFAULT, SECRET, DOC) CONFIG_INDEX_##NAME,
#define COUNT(NAME, DEFAULT, MIN, MAX, DOC) CONFIG_INDEX_##NAME,
#define DURATION(NAME, DEFAULT, MIN, MAX, DOC) CONFIG_INDEX_##NAME,
#define FLAG(NAME, DEFAULT, DOC) CONFIG_INDEX_##NAME,
#define CHOICE(NAME, DEFAULT, CHOICES, DOC) CONFIG_INDEX_##NAME,
#include "engine/ops/config.def"
    CONFIG_SETTINGS /* their number */
};

extern const struct config_setting config_table[CONFIG_SETTINGS];

/* The setting of that name, or NULL. */
const struct config_setting *config_table_find(struct str name);
/* The nearest name when it is near enough for "did you mean", else "". */
const char *config_table_nearest(struct str name);
/* Sets the value; the reason, in the arena, when it is none of the kind or out of bounds; else the empty str.
 * Copies. */
struct str config_table_assign(struct config *config, struct arena *arena,
                               const struct config_setting *setting, struct str value);
/* The value as config_table_assign would read it. */
void config_table_write(const struct config *config, const struct config_setting *setting, struct buf *out);
