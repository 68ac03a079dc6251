/* The configuration file: one flat YAML mapping, read from libyaml's events, each mistake with its place.
 * Anchors, nesting and repeated keys are refused: a setting has one place where it is written. */
#include "engine/ops/config.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>
#include "engine/base/diag.h"
#include "engine/base/file.h"
#include "engine/ops/config_table.h"

struct reading {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; deleted when the next is taken */
    struct config *config;
    struct arena *arena;
    struct diag_list mistakes;
    bool seen[CONFIG_SETTINGS]; /* by position in the table */
    bool broken;                /* no YAML: nothing more can be read */
};

static bool read_text(struct arena *arena, const char *path, struct str *text, struct buf *mistakes)
{
    struct err_note why = {""};
    if (file_read(arena, path, LIMITS_CONFIG_BYTES, text, &why) != ERR_OK) {
        buf_printf(mistakes, "%s: cannot be read: %s\n", path, why.text);
        return false;
    }
    if (text->size > LIMITS_CONFIG_BYTES)
        buf_printf(mistakes, "%s: is longer than 64 KiB\n", path);
    return text->size <= LIMITS_CONFIG_BYTES;
}

static void complain(struct reading *reading, yaml_mark_t mark, size_t size, struct str code,
                     struct str message, struct str hint)
{
    struct diag diag = {.code = code, .message = message, .hint = hint};
    diag.place = (struct diag_place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1, (uint32_t)size};
    diag_add(&reading->mistakes, diag);
}

/* The next event's type; NO_EVENT once the text is no YAML, which is complained about once. */
static yaml_event_type_t next(struct reading *reading)
{
    yaml_event_delete(&reading->event);
    if (reading->broken || yaml_parser_parse(&reading->parser, &reading->event) == 0) {
        if (!reading->broken) {
            const char *problem =
                reading->parser.problem != NULL ? reading->parser.problem : "cannot be read";
            complain(reading, reading->parser.problem_mark, 1, STR("yaml"),
                     arena_printf(reading->arena, "no YAML: %s", problem), (struct str){0});
        }
        reading->broken = true;
        memset(&reading->event, 0, sizeof reading->event);
        return YAML_NO_EVENT;
    }
    return reading->event.type;
}

static struct str scalar(const struct reading *reading)
{
    return (struct str){(const char *)reading->event.data.scalar.value, reading->event.data.scalar.length};
}

/* Skips what the current event opens. Depth needs no recursion. */
static void skip(struct reading *reading)
{
    size_t depth = 0;
    for (;;) {
        yaml_event_type_t type = reading->event.type;
        depth += type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
        depth -= type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
        if (depth == 0 || type == YAML_NO_EVENT) {
            return;
        }
        (void)next(reading);
    }
}

/* A list of texts becomes one text with commas. */
static bool read_list(struct reading *reading, struct str *value)
{
    struct buf joined;
    buf_init(&joined, reading->arena);
    while (next(reading) == YAML_SCALAR_EVENT) {
        buf_puts(&joined, joined.size > 0 ? "," : "");
        buf_put(&joined, scalar(reading));
    }
    *value = buf_str(&joined);
    if (reading->event.type == YAML_SEQUENCE_END_EVENT) {
        return true;
    }
    skip(reading);
    while (!reading->broken && next(reading) != YAML_SEQUENCE_END_EVENT) {
        skip(reading);
    }
    return false;
}

static void read_value(struct reading *reading, const struct config_setting *setting)
{
    yaml_event_type_t type = next(reading);
    yaml_mark_t mark = reading->event.start_mark;
    struct str value = {0};
    bool fine = type == YAML_SCALAR_EVENT;
    if (fine) {
        value = scalar(reading);
    } else if (type == YAML_SEQUENCE_START_EVENT && setting != NULL && strcmp(setting->name, "nats") == 0) {
        fine = read_list(reading, &value);
    } else {
        skip(reading);
    }
    if (reading->broken || setting == NULL) {
        return;
    }
    if (!fine) {
        complain(reading, mark, 1, STR("not-a-value"),
                 arena_printf(reading->arena, "%s must be a plain value", setting->name), (struct str){0});
        return;
    }
    size_t size = value.size;
    struct str reason = config_table_assign(reading->config, reading->arena, setting, value);
    if (reason.size > 0) {
        complain(reading, mark, size, STR("bad-value"), reason, (struct str){0});
    }
}

static void read_setting(struct reading *reading)
{
    if (reading->event.type != YAML_SCALAR_EVENT) {
        complain(reading, reading->event.start_mark, 1, STR("not-a-name"),
                 STR("a setting's name must be a plain word"), (struct str){0});
        skip(reading);
        read_value(reading, NULL);
        return;
    }
    struct str name = arena_copy(reading->arena, scalar(reading));
    yaml_mark_t mark = reading->event.start_mark;
    const struct config_setting *setting = config_table_find(name);
    if (setting == NULL) {
        const char *nearest = config_table_nearest(name);
        complain(reading, mark, name.size, STR("unknown-key"),
                 arena_printf(reading->arena, "unknown setting \"%.*s\"", STR_ARG(name)),
                 nearest[0] == '\0' ? (struct str){0}
                                    : arena_printf(reading->arena, "did you mean \"%s\"?", nearest));
    } else if (reading->seen[setting - config_table]) {
        complain(reading, mark, name.size, STR("duplicate-key"),
                 arena_printf(reading->arena, "%s is set twice", setting->name), (struct str){0});
    } else {
        reading->seen[setting - config_table] = true;
    }
    read_value(reading, setting);
}

static void read_document(struct reading *reading)
{
    yaml_event_type_t type = next(reading);
    while (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT) {
        type = next(reading);
    }
    if (type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT) {
        return; /* an empty file sets nothing */
    }
    if (type != YAML_MAPPING_START_EVENT) {
        complain(reading, reading->event.start_mark, 1, STR("not-a-mapping"),
                 STR("the file must be a mapping of settings"), STR("write lines like \"runners: 2\""));
        return;
    }
    for (type = next(reading); type != YAML_MAPPING_END_EVENT && type != YAML_NO_EVENT;
         type = next(reading)) {
        read_setting(reading);
    }
    if (next(reading) == YAML_DOCUMENT_END_EVENT && next(reading) == YAML_DOCUMENT_START_EVENT) {
        complain(reading, reading->event.start_mark, 1, STR("second-document"),
                 STR("the file must hold one document"), (struct str){0});
    }
}

/* As it is shown beside mistakes: a line's name and no value, because a name may be misspelt and the value a
 * password; nothing of a line without a name, which may go on with one. */
static struct str without_values(struct arena *arena, struct str text)
{
    struct buf shown;
    buf_init(&shown, arena);
    for (size_t begin = 0; begin < text.size;) {
        struct str line = str_slice(text, begin, begin + str_find(str_slice(text, begin, text.size), '\n'));
        size_t colon = str_find(line, ':');
        bool named = colon < line.size;
        for (size_t i = 0; i < colon && named; i++)
            named = line.data[i] == '_' || line.data[i] == '-' || line.data[i] == ' ' ||
                    isalnum((unsigned char)line.data[i]);
        if (named) {
            buf_put(&shown, str_slice(line, 0, colon + 1));
            buf_puts(&shown, colon + 1 < line.size ? " …" : "");
        } else if (line.size > 0) {
            buf_puts(&shown, "…");
        }
        buf_char(&shown, '\n');
        begin += line.size + 1;
    }
    return buf_str(&shown);
}

bool config_read_file(struct config *config, struct arena *arena, const char *path, struct buf *mistakes)
{
    struct reading reading = {.config = config, .arena = arena};
    struct str text;
    if (!read_text(arena, path, &text, mistakes)) {
        return false;
    }
    diag_init(&reading.mistakes, arena, str_from(path), without_values(arena, text));
    if (yaml_parser_initialize(&reading.parser) == 0) {
        buf_printf(mistakes, "%s: no memory to read it\n", path);
        return false;
    }
    yaml_parser_set_input_string(&reading.parser, (const unsigned char *)text.data, text.size);
    read_document(&reading);
    yaml_event_delete(&reading.event);
    yaml_parser_delete(&reading.parser);
    diag_sort(&reading.mistakes);
    diag_render(&reading.mistakes, mistakes);
    return reading.mistakes.error_count == 0;
}
