/* References: what comments, strings and pages name must be there. Called for each file by law.c.
 *
 * A promise (S6, L2, R1, F17, M4) is cited in comments and in the words of assertions; each stands once, in
 * bold, in engine/PROMISES.md. A file is named in comments and pages by its path or by the
 * end of it. Never looks at code: the compiler does. */
#include "tests/law/law.h"
#include <ctype.h>
#include <string.h>

static const char *const promises_page = "engine/PROMISES.md";
/* Of others, and spelled like files of ours. */
static const char *const foreign[] = {"nats.c", "nats.h", "microhttpd.h", "libpq-fe.h", "yaml.h"};
static const char *const ends[] = {".c", ".h", ".def", ".sql", ".md"};

static bool is_one_of(struct str text, const char *const *list, size_t count, bool as_end)
{
    for (size_t i = 0; i < count; i++) {
        struct str item = str_from(list[i]);
        if (as_end ? text.size > item.size && str_ends(text, item) : str_equal(text, item)) {
            return true;
        }
    }
    return false;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) != 0 || c == '_';
}

static bool is_path(char c)
{
    return is_word(c) || c == '.' || c == '/' || c == '-';
}

/* Neither code nor, unless strings are asked for too, the inside of a string. Pages are prose as a whole. */
static bool is_prose(const struct law_source *source, size_t at, bool strings)
{
    if (str_ends(source->path, STR(".md"))) {
        return true;
    }
    if (str_ends(source->path, STR(".sql"))) {
        size_t line = at;
        while (line > 0 && source->text.data[line - 1] != '\n') {
            line--;
        }
        struct str before = str_slice(source->text, line, at);
        return memmem(before.data, before.size, "--", 2) != NULL;
    }
    char c = source->text.data[at];
    return source->code.data[at] != c && (strings || source->strings.data[at] != c);
}

static bool is_promise(struct str word)
{
    if (word.size < 2 || word.size > 3 || memchr("SLRFM", word.data[0], 5) == NULL || word.data[1] == '0') {
        return false;
    }
    for (size_t i = 1; i < word.size; i++) {
        if (isdigit((unsigned char)word.data[i]) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_made(const struct law *law, struct str word)
{
    const struct law_source *page = law_source_at(law, str_from(promises_page));
    char bold[16] = "**";
    memcpy(bold + 2, word.data, word.size);
    memcpy(bold + 2 + word.size, "**", 2);
    return page != NULL && memmem(page->text.data, page->text.size, bold, word.size + 4) != NULL;
}

static void check_promises(struct law *law, const struct law_source *source)
{
    struct str text = source->text;
    for (size_t at = 0; at < text.size;) {
        size_t end = at;
        while (end < text.size && is_word(text.data[end])) {
            end++;
        }
        struct str word = str_slice(text, at, end);
        if (is_promise(word) && is_prose(source, at, true) && !is_made(law, word)) {
            law_find(law, LAW_REFERENCE, source->path, law_line(text, at),
                     "cites %.*s, which engine/PROMISES.md does not know: state it there, or cite another",
                     STR_ARG(word));
        }
        at = end + 1;
    }
}

static bool is_there(const struct law *law, struct str path)
{
    while (str_starts(path, STR("../")) || str_starts(path, STR("./"))) {
        path = str_slice(path, path.data[1] == '.' ? 3 : 2, path.size);
    }
    for (size_t i = 0; i < law->count; i++) {
        struct str there = law->sources[i].path;
        if (str_ends(there, path) &&
            (there.size == path.size || there.data[there.size - path.size - 1] == '/')) {
            return true;
        }
    }
    return false;
}

/* The last sign of a sentence is none of the path. */
static struct str path_at(struct str text, size_t at, size_t *end)
{
    for (*end = at; *end < text.size && is_path(text.data[*end]);) {
        ++*end;
    }
    struct str path = str_slice(text, at, *end);
    while (path.size > 0 && !is_word(path.data[path.size - 1])) {
        path.size--;
    }
    return path;
}

static void check_files(struct law *law, const struct law_source *source)
{
    struct str text = source->text;
    for (size_t at = 0; at < text.size;) {
        size_t end;
        struct str path = path_at(text, at, &end);
        bool part = at > 0 && memchr("*}>", text.data[at - 1], 3) != NULL; /* of sim_*.c, {a,b}.c, <name>.c */
        bool names = is_one_of(path, ends, sizeof ends / sizeof ends[0], true) && is_word(path.data[0]);
        if (names && !part && is_prose(source, at, false) &&
            !is_one_of(path, foreign, sizeof foreign / sizeof foreign[0], false) && !is_there(law, path)) {
            law_find(law, LAW_REFERENCE, source->path, law_line(text, at),
                     "names %.*s, and there is no such file: name the one that is meant", STR_ARG(path));
        }
        at = end + 1;
    }
}

void rules_references_check(struct law *law, const struct law_source *source)
{
    bool page = str_ends(source->path, STR(".md")) || str_ends(source->path, STR(".sql"));
    if (!page && !law_is_c(source) && !str_ends(source->path, STR(".def"))) {
        return;
    }
    check_promises(law, source);
    check_files(law, source);
}
