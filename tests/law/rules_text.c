/* What one file says: banned calls, lengths, typedefs, promises, SQL, names of places. */
#include "tests/law/law.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { FILE_LINES = 600, FUNCTION_LINES = 70 };

struct ban {
    const char *call;
    const char *instead;
    const char *homes; /* prefixes of paths where it may stand, separated by blanks; "" none */
};
#define MEMORY_HOMES "engine/base/arena.c engine/base/memory.c tests/anomaly/ tests/fuzz/"
static const struct ban bans[] = {
    {"malloc", "use memory_new or arena_alloc", MEMORY_HOMES},
    {"calloc", "use memory_new or arena_array", MEMORY_HOMES},
    {"realloc", "use memory_resize", MEMORY_HOMES},
    {"reallocarray", "use memory_resize", MEMORY_HOMES},
    {"free", "use memory_free, or an arena", MEMORY_HOMES " tests/"},
    {"strdup", "use arena_copy", ""},
    {"strndup", "use arena_copy", ""},
    {"asprintf", "use arena_printf or buf_printf", ""},
    {"vasprintf", "use arena_printf or buf_printf", ""},
    {"alloca", "use an arena: the stack has no error", ""},
    {"sprintf", "use snprintf, arena_printf or buf_printf", ""},
    {"vsprintf", "use vsnprintf", ""},
    {"strcpy", "use struct str, or snprintf", ""},
    {"strcat", "use struct buf", ""},
    {"strncpy", "use struct str, or snprintf: it leaves the NUL away", ""},
    {"strncat", "use struct buf", ""},
    {"atoi", "use str_to_i64: it tells what is no number", ""},
    {"atol", "use str_to_i64: it tells what is no number", ""},
    {"atoll", "use str_to_i64: it tells what is no number", ""},
    {"atof", "keep the number's text", ""},
    {"gets", "use fgets", ""},
    {"strtok", "use str_find and str_slice", ""},
    {"system", "use process_run: no shell, a bound, the reason on failure", ""},
    {"setjmp", "return an enum err", ""},
    {"longjmp", "return an enum err", ""},
    {"assert", "use check: it stays on in release", ""},
    {"abort", "use check", "engine/base/ tests/"},
    {"rand", "use rng_next: it replays", ""},
    {"srand", "use rng_init", ""},
    {"random", "use rng_next: it replays", ""},
    {"time", "use clock_real_us", "engine/base/clock.c tests/"},
    {"gettimeofday", "use clock_real_us", "engine/base/clock.c tests/"},
    {"clock_gettime", "use clock_monotonic_us or clock_real_us",
     "engine/base/clock.c tests/ deploy/ definitions/"},
    {"localtime", "use duration_time_text", ""},
    {"gmtime", "use duration_time_text", ""},
    {"ctime", "use duration_time_text", ""},
    {"getenv", "read settings through config.h",
     "engine/ops/ engine/sagad/ engine/sagactl/ tests/ deploy/ definitions/"},
    {"sleep", "wait for a condition with a bound; process_pause between two looks", "deploy/ definitions/"},
    {"usleep", "wait for a condition with a bound; process_pause between two looks", "deploy/ definitions/"},
    {"nanosleep", "wait for a condition with a bound; process_pause between two looks",
     "deploy/ definitions/"},
    {"clock_nanosleep", "wait for a condition with a bound; process_pause between two looks",
     "deploy/ definitions/"},
    {"printf", "use log_info", "engine/sagad/ engine/sagactl/ tests/ deploy/ definitions/"},
    {"puts", "use log_info", "engine/sagad/ engine/sagactl/ tests/ deploy/ definitions/"},
    {"perror", "use err_note with strerror", ""},
    {"natsSubscription_Fetch", "pull by hand (engine/bus): libnats 3.4 writes past its list", ""},
    {"natsSubscription_FetchRequest", "pull by hand (engine/bus): libnats 3.4 writes past its list", ""},
    {"natsMsg_Ack", "publish +ACK to the reply subject: it crashes on a plain subscription", ""},
    {"natsMsg_AckSync", "publish +ACK to the reply subject: it crashes on a plain subscription", ""},
};
/* In two pieces each, so that this file does not find itself. */
#define JOIN(a, b) a b
static const char *const places[] = {JOIN("/", "work/"), JOIN("/", "home/"), JOIN("/", "Users/"),
                                     JOIN("/", "root/")};
static const char *const promises[] = {JOIN("TO", "DO"), JOIN("FIX", "ME"), JOIN("X", "XX"),
                                       JOIN("HA", "CK")};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) != 0 || c == '_';
}

static bool is_home(struct str path, const char *homes)
{
    while (*homes != '\0') {
        size_t size = strcspn(homes, " ");
        if (str_starts(path, (struct str){homes, size})) {
            return true;
        }
        homes += size + (homes[size] == ' ');
    }
    return false;
}

/* The next whole word `word` in text from `from` on, or text.size. */
static size_t find_word(struct str text, const char *word, size_t from)
{
    size_t size = strlen(word);
    for (size_t i = from; i + size <= text.size; i++) {
        const char *found = memchr(text.data + i, word[0], text.size - size + 1 - i);
        if (found == NULL) {
            break;
        }
        i = (size_t)(found - text.data);
        bool begins = i == 0 || !is_word(text.data[i - 1]);
        bool ends = i + size == text.size || !is_word(text.data[i + size]);
        if (begins && ends && memcmp(found, word, size) == 0) {
            return i;
        }
    }
    return text.size;
}

/* A call is the name and a parenthesis; a member of that name, as in loop->free(…), is none. */
static bool is_call(struct str code, size_t at, size_t size)
{
    size_t after = at + size;
    while (after < code.size && isspace((unsigned char)code.data[after])) {
        after++;
    }
    bool member = at > 0 && (code.data[at - 1] == '.' ||
                             (at > 1 && code.data[at - 1] == '>' && code.data[at - 2] == '-'));
    return after < code.size && code.data[after] == '(' && !member;
}

static void check_calls(struct law *law, const struct law_source *source)
{
    for (size_t i = 0; i < sizeof bans / sizeof bans[0]; i++) {
        size_t size = strlen(bans[i].call);
        if (is_home(source->path, bans[i].homes)) {
            continue;
        }
        for (size_t at = find_word(source->code, bans[i].call, 0); at < source->code.size;
             at = find_word(source->code, bans[i].call, at + size)) {
            if (is_call(source->code, at, size)) {
                law_find(law, LAW_CALL, source->path, law_line(source->code, at), "calls %s: %s",
                         bans[i].call, bans[i].instead);
            }
        }
    }
}

static void check_typedefs(struct law *law, const struct law_source *source)
{
    for (size_t at = find_word(source->code, "typedef", 0); at < source->code.size;
         at = find_word(source->code, "typedef", at + 1)) {
        struct str rest = str_trim(str_slice(source->code, at + strlen("typedef"), source->code.size));
        if (str_starts(rest, STR("struct")) || str_starts(rest, STR("union")) ||
            str_starts(rest, STR("enum"))) {
            law_find(law, LAW_TYPEDEF, source->path, law_line(source->code, at),
                     "typedef of a struct, union or enum: write its name in full where it is used");
        }
    }
}

/* A function's body is a brace at depth 0 that follows a parenthesis. */
static void check_functions(struct law *law, const struct law_source *source)
{
    size_t depth = 0;
    size_t line = 1;
    size_t first = 0;
    char before = '\0';
    for (size_t i = 0; i < source->code.size; i++) {
        char c = source->code.data[i];
        if (c == '{' && depth++ == 0) {
            first = before == ')' ? line : 0;
        } else if (c == '}' && depth > 0 && --depth == 0 && first != 0 && line - first + 1 > FUNCTION_LINES) {
            law_find(law, LAW_FUNCTION_LENGTH, source->path, first,
                     "a function of %zu lines, %d are allowed: let helpers compute", line - first + 1,
                     FUNCTION_LINES);
        }
        line += c == '\n';
        before = isspace((unsigned char)c) ? before : c;
    }
}

static void check_file_length(struct law *law, const struct law_source *source)
{
    size_t lines = law_line(source->text, source->text.size) - 1;
    if (lines > FILE_LINES) {
        law_find(law, LAW_FILE_LENGTH, source->path, FILE_LINES + 1,
                 "%zu lines, %d are allowed: split it by what changes together", lines, FILE_LINES);
    }
}

static bool contains_nocase(struct str text, const char *what, size_t *at)
{
    size_t size = strlen(what);
    for (*at = 0; *at + size <= text.size; ++*at) {
        if (strncasecmp(text.data + *at, what, size) == 0) {
            return true;
        }
    }
    return false;
}

static void check_names(struct law *law, const struct law_source *source)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        size_t at;
        if (contains_nocase(source->text, places[i], &at)) {
            law_find(law, LAW_NAMES, source->path, law_line(source->text, at),
                     "names %s: leave the place of writing out", places[i]);
        }
    }
    for (size_t i = 0; i < sizeof promises / sizeof promises[0]; i++) {
        size_t at = find_word(source->text, promises[i], 0);
        if (at < source->text.size) {
            law_find(law, LAW_UNFINISHED, source->path, law_line(source->text, at),
                     "%s: do it or open an issue", promises[i]);
        }
    }
}

static bool is_sql(struct str text)
{
    static const char *const pairs[][2] = {
        {"select ", " from "}, {"insert into ", ""},     {"update ", " set "},  {"delete from ", ""},
        {"create table ", ""}, {"create database ", ""}, {"create index ", ""}, {"alter table ", ""},
        {"drop table ", ""},   {"select ", "("},         {"set local ", ""}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        size_t at;
        struct str rest = str_slice(text, strlen(pairs[i][0]), text.size);
        if (text.size >= strlen(pairs[i][0]) &&
            strncasecmp(text.data, pairs[i][0], strlen(pairs[i][0])) == 0 &&
            contains_nocase(rest, pairs[i][1], &at)) {
            return true;
        }
    }
    return false;
}

static void check_sql(struct law *law, const struct law_source *source)
{
    struct str strings = source->strings;
    if (is_home(source->path, "tests/ deploy/ definitions/")) {
        return;
    }
    for (size_t at = str_find(strings, '"'); at < strings.size;) {
        size_t end = at + 1 + str_find(str_slice(strings, at + 1, strings.size), '"');
        if (is_sql(str_trim(str_slice(strings, at + 1, end)))) {
            law_find(law, LAW_SQL, source->path, law_line(strings, at),
                     "SQL in a string: put it into engine/store/*.sql");
        }
        at = end + 1 + str_find(str_slice(strings, end + 1, strings.size), '"');
    }
}

void rules_text_check(struct law *law, const struct law_source *source)
{
    check_names(law, source);
    if (!law_is_c(source)) {
        return;
    }
    check_calls(law, source);
    check_typedefs(law, source);
    check_functions(law, source);
    check_file_length(law, source);
    check_sql(law, source);
    size_t once;
    if (!law_is_unit(source) && !contains_nocase(source->code, "#pragma once", &once)) {
        law_find(law, LAW_PRAGMA_ONCE, source->path, 1, "no #pragma once: add it below the contract");
    }
}
