/* Reads the tree, splits code from comments and strings, runs the rules, counts. Never judges what git
 * ignores. */
#include "tests/law/law.h"
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "engine/base/buf.h"

enum { PATH_SIZE = 1024, FILE_BYTES_MAX = 8 << 20 };

static const char *const rule_names[] = {
#define X(NAME, name, reason) name,
#include "tests/law/law.def"
#undef X
};
static const char *const rule_reasons[] = {
#define X(NAME, name, reason) reason,
#include "tests/law/law.def"
#undef X
};

static _Noreturn void give_up(const char *what, const char *path)
{
    (void)fprintf(stderr, "law: %s %s\n", what, path);
    exit(2);
}

size_t law_line(struct str text, size_t position)
{
    size_t line = 1;
    for (size_t i = 0; i < position && i < text.size; i++) {
        line += text.data[i] == '\n';
    }
    return line;
}

void law_find(struct law *law, enum law_rule rule, struct str path, size_t line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)printf("%.*s:%zu: ", STR_ARG(path), line);
    (void)vprintf(format, arguments);
    (void)printf(" [%s]\n", rule_names[rule]);
    va_end(arguments);
    law->found[rule]++;
}

bool law_is_unit(const struct law_source *source)
{
    return str_ends(source->path, STR(".c"));
}

bool law_is_c(const struct law_source *source)
{
    return law_is_unit(source) || str_ends(source->path, STR(".h"));
}

const struct law_source *law_source_at(const struct law *law, struct str path)
{
    for (size_t i = 0; i < law->count; i++) {
        if (str_equal(law->sources[i].path, path)) {
            return &law->sources[i];
        }
    }
    return NULL;
}

static struct str read_file(struct law *law, const char *path)
{
    FILE *file = fopen(path, "re");
    struct stat about;
    if (file == NULL || fstat(fileno(file), &about) != 0 || about.st_size > FILE_BYTES_MAX) {
        give_up("cannot read", path);
    }
    char *data = arena_alloc(&law->arena, (size_t)about.st_size + 1);
    size_t size = fread(data, 1, (size_t)about.st_size, file);
    (void)fclose(file);
    return (struct str){data, size};
}

enum place { CODE, LINE_COMMENT, BLOCK_COMMENT, STRING, CHARACTER };

/* Where the text stands after the character at i. `skip`: the next character belongs to this one. */
static enum place next_place(enum place place, const char *text, size_t i, size_t size, bool *skip)
{
    char c = text[i];
    char next = i + 1 < size ? text[i + 1] : '\0';
    *skip = false;
    switch (place) {
    case CODE:
        if (c == '/' && (next == '/' || next == '*')) {
            *skip = true;
            return next == '/' ? LINE_COMMENT : BLOCK_COMMENT;
        }
        return c == '"' ? STRING : c == '\'' ? CHARACTER : CODE;
    case LINE_COMMENT:
        return c == '\n' ? CODE : LINE_COMMENT;
    case BLOCK_COMMENT:
        *skip = c == '*' && next == '/';
        return *skip ? CODE : BLOCK_COMMENT;
    case STRING:
    case CHARACTER:
        *skip = c == '\\';
        return c == (place == STRING ? '"' : '\'') || c == '\n' ? CODE : place;
    }
    return CODE;
}

/* Blanks what is not code in `code`, and what is not inside a string in `strings`; line ends and quotes stay
 * in both. */
static void split(struct law *law, struct law_source *source)
{
    size_t size = source->text.size;
    char *code = arena_alloc(&law->arena, size + 1);
    char *strings = arena_alloc(&law->arena, size + 1);
    enum place place = CODE;
    for (size_t i = 0; i < size; i++) {
        bool skip;
        enum place after = next_place(place, source->text.data, i, size, &skip);
        for (size_t k = i; k <= i + skip && k < size; k++) {
            char c = source->text.data[k];
            bool edge = c == '\n' || (c == '"' && (place == STRING || after == STRING) && !skip);
            bool comment = after == LINE_COMMENT || after == BLOCK_COMMENT || place == BLOCK_COMMENT;
            code[k] = edge || (place == CODE && !comment) ? c : ' ';
            strings[k] = edge || place == STRING ? c : ' ';
        }
        i += skip;
        place = after;
    }
    source->code = (struct str){code, size};
    source->strings = (struct str){strings, size};
}

static void add_source(struct law *law, const char *path)
{
    if (law->count == law->room) {
        size_t room = law->room == 0 ? 256 : 2 * law->room;
        struct law_source *grown = arena_array(&law->arena, room, sizeof *grown);
        if (law->count > 0) {
            memcpy(grown, law->sources, law->count * sizeof *grown);
        }
        law->sources = grown;
        law->room = room;
    }
    char whole[2 * PATH_SIZE];
    (void)snprintf(whole, sizeof whole, "%s/%s", law->root, path);
    struct law_source *source = &law->sources[law->count++];
    source->path = arena_copy(&law->arena, str_from(path));
    source->text = read_file(law, whole);
    split(law, source);
}

/* Not ours to judge: what git ignores, and the samples that are bad on purpose. */
static bool is_skipped(const char *path)
{
    static const char *const folders[] = {".git", "out", "tests/law/bad", NULL};
    for (size_t i = 0; folders[i] != NULL; i++) {
        if (strcmp(path, folders[i]) == 0) {
            return true;
        }
    }
    return strncmp(path, "build", 5) == 0 || str_ends(str_from(path), STR("node_modules"));
}

static bool is_text(struct str path)
{
    static const char *const ends[] = {".c",    ".h",   ".def",   ".sql",       ".txt",        ".md",
                                       ".yaml", ".yml", ".json",  ".sh",        ".js",         ".mjs",
                                       "/run",  ".in",  ".cmake", "Dockerfile", "/quickstart", NULL};
    for (size_t i = 0; ends[i] != NULL; i++) {
        if (str_ends(path, str_from(ends[i]))) {
            return true;
        }
    }
    return false;
}

static void walk(struct law *law, const char *folder)
{
    char whole[2 * PATH_SIZE];
    (void)snprintf(whole, sizeof whole, "%s/%s", law->root, folder);
    DIR *dir = opendir(whole);
    if (dir == NULL) {
        give_up("cannot read the folder", whole);
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[PATH_SIZE];
        struct stat about;
        (void)snprintf(path, sizeof path, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", entry->d_name);
        (void)snprintf(whole, sizeof whole, "%s/%s", law->root, path);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || is_skipped(path) ||
            lstat(whole, &about) != 0) {
            continue;
        }
        if (S_ISDIR(about.st_mode)) {
            walk(law, path);
        } else if (S_ISREG(about.st_mode) && is_text(str_from(path))) {
            add_source(law, path);
        }
    }
    (void)closedir(dir);
}

static int by_path(const void *a, const void *b)
{
    return str_compare(((const struct law_source *)a)->path, ((const struct law_source *)b)->path);
}

void law_load(struct law *law, const char *root, const char *build)
{
    *law = (struct law){.root = root, .build = build};
    arena_init(&law->arena, 0);
    walk(law, "");
    if (law->count > 1) {
        qsort(law->sources, law->count, sizeof law->sources[0], by_path);
    }
}

static int report(const struct law *law)
{
    int failed = 0;
    for (size_t rule = 0; rule < LAW_RULE_COUNT; rule++) {
        if (law->found[rule] > 0) {
            (void)printf("law: %s is broken %zu times; it stands because %s\n", rule_names[rule],
                         law->found[rule], rule_reasons[rule]);
            failed++;
        }
    }
    (void)printf("%d passed, %d failed\n", LAW_RULE_COUNT - failed, failed);
    return failed > 0;
}

static int list_rules(void)
{
    for (size_t rule = 0; rule < LAW_RULE_COUNT; rule++) {
        (void)printf("%s: %s\n", rule_names[rule], rule_reasons[rule]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        return list_rules();
    }
    if (argc != 2 && argc != 3) {
        give_up("usage: law ROOT [BUILD] | law --list", "");
    }
    struct law law;
    law_load(&law, argv[1], argc == 3 ? argv[2] : NULL);
    for (size_t i = 0; i < law.count; i++) {
        rules_text_check(&law, &law.sources[i]);
        rules_edges_check(&law, &law.sources[i]);
        rules_references_check(&law, &law.sources[i]);
        rules_words_check(&law, &law.sources[i]);
    }
    rules_tree_check(&law);
    if (law.build != NULL) {
        rules_symbols_check(&law);
    }
    int status = report(&law);
    arena_fini(&law.arena);
    return status;
}
