/* The settings of config.def as data, and one assignment with its checks. Called by config.c, config_file.c
 * and the command line. Never repeats a secret in an error. */
#include "engine/ops/config_table.h"
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"

const struct config_setting config_table[CONFIG_SETTINGS] = {
#define TEXT(NAME, DEFAULT, SECRET, DOC)                                                                     \
    {.kind = CONFIG_TEXT,                                                                                    \
     .name = #NAME,                                                                                          \
     .doc = DOC,                                                                                             \
     .text = DEFAULT,                                                                                        \
     .secret = SECRET,                                                                                       \
     .offset = offsetof(struct config, NAME)},
#define COUNT(NAME, DEFAULT, MIN, MAX, DOC)                                                                  \
    {.kind = CONFIG_COUNT,                                                                                   \
     .name = #NAME,                                                                                          \
     .doc = DOC,                                                                                             \
     .number = DEFAULT,                                                                                      \
     .min = MIN,                                                                                             \
     .max = MAX,                                                                                             \
     .offset = offsetof(struct config, NAME)},
#define DURATION(NAME, DEFAULT, MIN, MAX, DOC)                                                               \
    {.kind = CONFIG_DURATION,                                                                                \
     .name = #NAME,                                                                                          \
     .doc = DOC,                                                                                             \
     .text = DEFAULT,                                                                                        \
     .least = MIN,                                                                                           \
     .most = MAX,                                                                                            \
     .offset = offsetof(struct config, NAME##_us)},
#define FLAG(NAME, DEFAULT, DOC)                                                                             \
    {.kind = CONFIG_FLAG,                                                                                    \
     .name = #NAME,                                                                                          \
     .doc = DOC,                                                                                             \
     .number = DEFAULT,                                                                                      \
     .offset = offsetof(struct config, NAME)},
#define CHOICE(NAME, DEFAULT, CHOICES, DOC)                                                                  \
    {.kind = CONFIG_CHOICE,                                                                                  \
     .name = #NAME,                                                                                          \
     .doc = DOC,                                                                                             \
     .text = DEFAULT,                                                                                        \
     .choices = CHOICES,                                                                                     \
     .offset = offsetof(struct config, NAME)},
#include "engine/ops/config.def"
};

const struct config_setting *config_table_find(struct str name)
{
    for (size_t i = 0; i < CONFIG_SETTINGS; i++) {
        if (str_equal(name, str_from(config_table[i].name))) {
            return &config_table[i];
        }
    }
    return NULL;
}

const char *config_table_nearest(struct str name)
{
    enum { NEAR = 3 };
    const char *nearest = "";
    size_t least = NEAR;
    for (size_t i = 0; i < CONFIG_SETTINGS; i++) {
        size_t distance = str_distance(name, str_from(config_table[i].name), NEAR);
        if (distance < least) {
            least = distance;
            nearest = config_table[i].name;
        }
    }
    return nearest;
}

static void *member(struct config *config, const struct config_setting *setting)
{
    return (char *)config + setting->offset;
}

static struct str assign_count(uint32_t *member, struct arena *arena, const struct config_setting *setting,
                               struct str value)
{
    int64_t number;
    if (!str_to_i64(value, &number) || number < setting->min || number > setting->max) {
        return arena_printf(arena, "%s must be a whole number from %lld to %lld, not \"%.*s\"", setting->name,
                            (long long)setting->min, (long long)setting->max, STR_ARG(value));
    }
    *member = (uint32_t)number;
    return (struct str){0};
}

static int64_t known_duration(const char *text)
{
    int64_t duration_us = 0;
    check(duration_parse(str_from(text), &duration_us));
    return duration_us;
}

static struct str assign_duration(int64_t *member, struct arena *arena, const struct config_setting *setting,
                                  struct str value)
{
    int64_t duration_us;
    if (!duration_parse(value, &duration_us) || duration_us < known_duration(setting->least) ||
        duration_us > known_duration(setting->most)) {
        return arena_printf(arena, "%s must be a duration from %s to %s, like %s, not \"%.*s\"",
                            setting->name, setting->least, setting->most, setting->text, STR_ARG(value));
    }
    *member = duration_us;
    return (struct str){0};
}

static struct str assign_flag(bool *member, struct arena *arena, const struct config_setting *setting,
                              struct str value)
{
    bool yes = str_equal(value, STR("true"));
    if (!yes && !str_equal(value, STR("false"))) {
        return arena_printf(arena, "%s must be true or false, not \"%.*s\"", setting->name, STR_ARG(value));
    }
    *member = yes;
    return (struct str){0};
}

/* The choice at an index; empty behind the last. */
static struct str choice_at(const struct config_setting *setting, unsigned index)
{
    struct str rest = str_from(setting->choices);
    for (;;) {
        size_t end = str_find(rest, '|');
        if (index == 0 || end == rest.size) {
            return index == 0 ? str_slice(rest, 0, end) : (struct str){0};
        }
        rest = str_slice(rest, end + 1, rest.size);
        index--;
    }
}

static struct str assign_choice(unsigned *member, struct arena *arena, const struct config_setting *setting,
                                struct str value)
{
    for (unsigned i = 0; choice_at(setting, i).size > 0; i++) {
        if (str_equal(choice_at(setting, i), value)) {
            *member = i;
            return (struct str){0};
        }
    }
    return arena_printf(arena, "%s must be one of %s, not \"%.*s\"", setting->name, setting->choices,
                        STR_ARG(value));
}

static struct str assign_text(const char **member, struct arena *arena, const struct config_setting *setting,
                              struct str value)
{
    if (value.size > 0 && memchr(value.data, '\0', value.size) != NULL) {
        return arena_printf(arena, "%s must not contain a NUL byte", setting->name);
    }
    *member = value.size == 0 ? "" : arena_copy(arena, value).data;
    return (struct str){0};
}

struct str config_table_assign(struct config *config, struct arena *arena,
                               const struct config_setting *setting, struct str value)
{
    switch (setting->kind) {
    case CONFIG_TEXT:
        return assign_text(member(config, setting), arena, setting, value);
    case CONFIG_COUNT:
        return assign_count(member(config, setting), arena, setting, value);
    case CONFIG_DURATION:
        return assign_duration(member(config, setting), arena, setting, value);
    case CONFIG_FLAG:
        return assign_flag(member(config, setting), arena, setting, value);
    case CONFIG_CHOICE:
        return assign_choice(member(config, setting), arena, setting, value);
    }
    check_never("a setting of no kind");
}

void config_table_write(const struct config *config, const struct config_setting *setting, struct buf *out)
{
    const void *value = (const char *)config + setting->offset;
    switch (setting->kind) {
    case CONFIG_TEXT:
        buf_puts(out, *(const char *const *)value);
        return;
    case CONFIG_COUNT:
        buf_i64(out, *(const uint32_t *)value);
        return;
    case CONFIG_DURATION:
        buf_put(out, duration_text(out->arena, *(const int64_t *)value));
        return;
    case CONFIG_FLAG:
        buf_puts(out, *(const bool *)value ? "true" : "false");
        return;
    case CONFIG_CHOICE:
        buf_put(out, choice_at(setting, *(const unsigned *)value));
        return;
    }
}
