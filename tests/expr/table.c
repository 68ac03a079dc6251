#include "tests/expr/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/memory.h"
#include "engine/expr/expr.h"

enum { FILE_BYTES_MAX = 1 << 20, JSON_BYTES_MAX = 1 << 20 };

struct str table_file(struct arena *arena, const char *path)
{
    struct str name = arena_printf(arena, "%s/%s", SAGA_SOURCE_DIR, path);
    char *data = arena_alloc(arena, FILE_BYTES_MAX);
    FILE *file = fopen(name.data, "r");
    if (!file) {
        fprintf(stderr, "cannot read %s\n", name.data);
        abort();
    }
    size_t size = fread(data, 1, FILE_BYTES_MAX, file);
    check(size < FILE_BYTES_MAX);
    fclose(file);
    return (struct str){data, size};
}

/* The next line without its end; *text goes behind it. */
static struct str take_line(struct str *text)
{
    size_t end = str_find(*text, '\n');
    struct str line = str_slice(*text, 0, end);
    *text = str_slice(*text, end + 1, text->size);
    return line;
}

struct table *table_read(struct arena *arena, const char *name)
{
    struct table *table = arena_new(arena, struct table);
    struct str path = arena_printf(arena, "tests/expr/%s", name);
    struct str text = table_file(arena, path.data);
    unsigned number = 0;
    table->name = name;
    while (text.size > 0) {
        struct str line = take_line(&text);
        number++;
        if (line.size == 0 || line.data[0] == '#')
            continue;
        check(table->count < TABLE_CASES_MAX);
        struct table_case *entry = &table->cases[table->count++];
        entry->line = number;
        entry->program = line;
        entry->input = take_line(&text);
        entry->expected = take_line(&text);
        number += 2;
        check(entry->input.size > 0 && entry->expected.size > 0);
        check(text.size == 0 || text.data[0] == '\n');
    }
    check(table->count > 0);
    return table;
}

static const struct json *get_input(const void *context, const struct expr_ref *ref, struct arena *arena)
{
    (void)arena;
    return ref->kind == EXPR_REF_INPUT ? context : NULL;
}

static struct str refusal(struct arena *arena, const struct diag_list *diags)
{
    check(diags->count > 0);
    const struct diag *diag = &diags->items[0];
    return arena_printf(arena, "refused %u:%u: %.*s%s%.*s%s", diag->place.line, diag->place.column,
                        STR_ARG(diag->message), diag->hint.size ? " (" : "", STR_ARG(diag->hint),
                        diag->hint.size ? ")" : "");
}

struct str table_answer(struct arena *arena, struct str program, struct str input, const struct json **value)
{
    struct diag_list diags;
    struct err_note note;
    struct expr_error error;
    const struct json *given = NULL;
    *value = NULL;
    diag_init(&diags, arena, STR("table"), program);
    const struct expr *compiled = expr_compile(arena, program, (struct diag_place){1, 1, 1}, &diags);
    if (!compiled)
        return refusal(arena, &diags);
    if (json_parse(arena, input, JSON_BYTES_MAX, &given, &note) != ERR_OK)
        return arena_printf(arena, "the input is not JSON: %s", note.text);
    struct expr_env env = {.context = given, .get = get_input};
    if (expr_eval(compiled, &env, arena, value, &error) == EXPR_FAULT_NONE)
        return json_text(arena, *value);
    return arena_printf(arena, "error %.*s: %s", STR_ARG(expr_fault_code(error.fault)), error.message);
}

bool table_agrees(struct arena *arena, struct str expected, struct str answer)
{
    const struct json *a = NULL;
    const struct json *b = NULL;
    struct err_note note;
    if (str_equal(expected, answer))
        return true;
    return json_parse(arena, expected, JSON_BYTES_MAX, &a, &note) == ERR_OK &&
           json_parse(arena, answer, JSON_BYTES_MAX, &b, &note) == ERR_OK && json_equal(a, b);
}
