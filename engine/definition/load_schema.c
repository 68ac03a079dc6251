/* Schemas, inline or in files; the files become part of the bundle, so that a stored definition needs no
 * disk. */
#include "engine/definition/load.h"

#include <stdlib.h>

#include "engine/definition/schema_parts.h"

/* Relative, below the definition's folder, plain: the same file on every machine, and nothing else. */
static bool is_plain_path(struct str path)
{
    if (path.size == 0 || path.size > LIMITS_PATH_BYTES)
        return false;
    for (size_t begin = 0; begin <= path.size;) {
        struct str rest = str_slice(path, begin, path.size);
        struct str part = str_slice(rest, 0, str_find(rest, '/'));
        if (part.size == 0 || part.data[0] == '.')
            return false;
        begin += part.size + 1;
    }
    for (size_t i = 0; i < path.size; i++) {
        char c = path.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '-' || c == '.' || c == '/';
        if (!fine)
            return false;
    }
    return true;
}

static void refuse(struct load *load, const struct tree *tree, struct str hint, const char *why)
{
    problem_add(load->diags, tree->place, PROBLEM_SCHEMA_FILE, hint, "schema file \"%.*s\": %s",
                STR_ARG(tree->text), why);
}

/* The bounds of all files together. */
static bool has_room(struct load *load, const struct tree *tree, struct str text)
{
    load->read_bytes += text.size;
    if (load->read_bytes <= LIMITS_DEFINITION_BYTES)
        return true;
    problem_add(load->diags, tree->place, PROBLEM_TOO_LARGE, STR(""),
                "the schema files have more than %d bytes together", LIMITS_DEFINITION_BYTES);
    return false;
}

static const struct schema *compile_file(struct load *load, const struct tree *tree, struct str text)
{
    struct err_note note;
    const struct json *source;
    if (json_parse(load->arena, text, LIMITS_DEFINITION_BYTES, &source, &note) == ERR_OK)
        return schema_compile(load->arena, source, tree->place, load->diags);
    refuse(load, tree, STR("the file must be JSON"), note.text);
    return NULL;
}

static const struct schema *read_file(struct load *load, const struct tree *tree)
{
    struct err_note note = {.text = ""};
    struct str text;
    if (load->read_count == LIMITS_SCHEMA_FILES) {
        problem_add(load->diags, tree->place, PROBLEM_TOO_LARGE, STR(""), "more than %d schema files",
                    LIMITS_SCHEMA_FILES);
        return NULL;
    }
    struct load_file *file = &load->read_files[load->read_count++];
    *file = (struct load_file){.path = tree->text};
    if (load->files->read(load->files->context, tree->text, load->arena, &text, &note) != ERR_OK) {
        refuse(load, tree, STR("the path counts from the definition's folder"), note.text);
        return NULL;
    }
    if (!has_room(load, tree, text))
        return NULL;
    file->text = text;
    file->schema = compile_file(load, tree, text);
    return file->schema;
}

static const struct schema *schema_of_file(struct load *load, const struct tree *tree)
{
    if (!is_plain_path(tree->text)) {
        refuse(load, tree, STR("below the definition's folder, such as schemas/order.json"),
               "not a plain relative path");
        return NULL;
    }
    if (!load->files) {
        refuse(load, tree, STR("write the schema itself here"), "there are no files beside this definition");
        return NULL;
    }
    for (uint32_t i = 0; i < load->read_count; i++) {
        if (str_equal(load->read_files[i].path, tree->text))
            return load->read_files[i].schema;
    }
    return read_file(load, tree);
}

const struct schema *load_schema(struct load *load, const struct tree *tree)
{
    if (tree->kind == TREE_STRING)
        return schema_of_file(load, tree);
    if (tree->depth > LIMITS_JSON_DEPTH) {
        problem_add(load->diags, tree->place, PROBLEM_TOO_LARGE, STR(""),
                    "a schema has at most %d levels, this one has %u", LIMITS_JSON_DEPTH, tree->depth);
        return NULL;
    }
    return schema_compile_tree(load->arena, tree, load->diags);
}

static int compare_paths(const void *left, const void *right)
{
    const struct load_file *a = left;
    const struct load_file *b = right;
    return str_compare(a->path, b->path);
}

struct str load_bundle(struct load *load, struct str yaml)
{
    struct buf out;
    buf_init(&out, load->arena);
    qsort(load->read_files, load->read_count, sizeof load->read_files[0], compare_paths);
    buf_puts(&out, "{\"yaml\":");
    json_write_string(&out, yaml);
    buf_puts(&out, ",\"files\":{");
    for (uint32_t i = 0; i < load->read_count; i++) {
        if (i)
            buf_char(&out, ',');
        json_write_string(&out, load->read_files[i].path);
        buf_char(&out, ':');
        json_write_string(&out, load->read_files[i].text);
    }
    buf_puts(&out, "}}");
    return buf_str(&out);
}
