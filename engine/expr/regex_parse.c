/* A pattern to a tree, with its mistakes located. Called by regex.c. Never makes a tree that is deeper or
 * larger than the limits. */
#include "engine/expr/regex_parse.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"

enum { CHARACTER_MAX = 0x10ffff };

struct reader {
    struct arena *arena;
    struct str pattern;
    size_t at;
    unsigned depth;
    unsigned options;
    struct regex_groups *groups;
    bool failed;
    enum err err;
    struct err_note *note;
};

static const struct regex_tree empty_tree = {.kind = REGEX_EMPTY};

/* Remembers the first mistake; reading goes on to nothing. */
static const struct regex_tree *fail(struct reader *reader, enum err err, const char *what)
{
    if (!reader->failed)
        reader->err = err_note(reader->note, err, "at %zu: %s", reader->at + 1, what);
    reader->failed = true;
    reader->at = reader->pattern.size;
    return &empty_tree;
}

static bool at_end(const struct reader *reader)
{
    return reader->at >= reader->pattern.size;
}

static char peek(const struct reader *reader)
{
    return at_end(reader) ? '\0' : reader->pattern.data[reader->at];
}

static bool accept(struct reader *reader, const char *text)
{
    if (!str_starts(str_slice(reader->pattern, reader->at, reader->pattern.size), str_from(text)))
        return false;
    reader->at += strlen(text);
    return true;
}

uint32_t regex_character(struct str text, size_t *at)
{
    unsigned char first = (unsigned char)text.data[(*at)++];
    if (first < 0x80)
        return first;
    uint32_t character = first < 0xe0 ? first & 0x1fU : first < 0xf0 ? first & 0x0fU : first & 0x07U;
    while (*at < text.size && (text.data[*at] & 0xc0) == 0x80)
        character = (character << 6) | ((unsigned char)text.data[(*at)++] & 0x3fU);
    return character;
}

bool regex_set_has(const struct regex_set *set, uint32_t character)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (character >= set->ranges[i].first && character <= set->ranges[i].last)
            return !set->negated;
    return set->negated;
}

/* ---- sets ---- */

static void add_range(struct reader *reader, struct regex_set *set, uint32_t first, uint32_t last)
{
    bool is_full = (set->count & (set->count - 1)) == 0; /* the room is the next power of two */
    if (is_full) {
        struct regex_range *ranges =
            arena_array(reader->arena, set->count > 0 ? 2 * (size_t)set->count : 1, sizeof(*ranges));
        for (uint32_t i = 0; i < set->count; i++)
            ranges[i] = set->ranges[i];
        set->ranges = ranges;
    }
    set->ranges[set->count++] = (struct regex_range){first, last};
}

/* The part of [first, last] inside [low, high], moved by `shift`. */
static void add_other_case(struct reader *reader, struct regex_set *set, struct regex_range range,
                           uint32_t low, uint32_t high, int shift)
{
    uint32_t first = range.first > low ? range.first : low;
    uint32_t last = range.last < high ? range.last : high;
    if (first <= last)
        add_range(reader, set, (uint32_t)((int)first + shift), (uint32_t)((int)last + shift));
}

static void add_characters(struct reader *reader, struct regex_set *set, uint32_t first, uint32_t last)
{
    struct regex_range range = {first, last};
    add_range(reader, set, first, last);
    if (!(reader->options & REGEX_IGNORE_CASE))
        return;
    add_other_case(reader, set, range, 'a', 'z', 'A' - 'a');
    add_other_case(reader, set, range, 'A', 'Z', 'a' - 'A');
}

/* \d \w \s and their opposites, as ranges in order. */
static const struct {
    char letter;
    struct regex_range ranges[4];
    uint32_t count;
} classes[] = {
    {'d', {{'0', '9'}}, 1},
    {'w', {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {'s', {{'\t', '\r'}, {' ', ' '}}, 2},
};

/* Adds the class of this letter; false when there is none. */
static bool add_class(struct reader *reader, struct regex_set *set, char letter)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        uint32_t gap = 0;
        if ((letter | 0x20) != classes[i].letter)
            continue;
        bool opposite = letter != classes[i].letter;
        for (uint32_t j = 0; j < classes[i].count; j++) {
            struct regex_range range = classes[i].ranges[j];
            if (!opposite)
                add_range(reader, set, range.first, range.last);
            else
                add_range(reader, set, gap, range.first - 1);
            gap = range.last + 1;
        }
        if (opposite)
            add_range(reader, set, gap, CHARACTER_MAX);
        return true;
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind `\u`. */
static uint32_t read_unicode(struct reader *reader)
{
    uint32_t character = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        int digit = hex_digit(peek(reader));
        if (digit < 0) {
            fail(reader, ERR_INVALID, "\\u needs four hexadecimal digits");
            return 0;
        }
        character = character * 16 + (uint32_t)digit;
    }
    if (character >= 0xd800 && character <= 0xdfff)
        fail(reader, ERR_INVALID, "half of a surrogate pair is no character");
    return character;
}

/* Behind a backslash: one character, or a class put into `set` (then *is_class). */
static uint32_t read_escape(struct reader *reader, struct regex_set *set, bool *is_class)
{
    static const char letters[] = "tnrfv";
    static const char meanings[] = "\t\n\r\f\v";
    char c = peek(reader);
    *is_class = c != '\0' && add_class(reader, set, c);
    if (*is_class) {
        reader->at++;
        return 0;
    }
    const char *letter = c == '\0' ? NULL : strchr(letters, c);
    if (letter) {
        reader->at++;
        return (unsigned char)meanings[letter - letters];
    }
    if (accept(reader, "u"))
        return read_unicode(reader);
    if (c == '\0' || !strchr("^$\\.*+?()[]{}|/-\"'#&,:;<=>@_`~!% ", c)) {
        fail(reader, ERR_INVALID, "an escape that is not in this subset");
        return 0;
    }
    reader->at++;
    return (unsigned char)c;
}

/* One character of a class, or a class inside it (then *is_class). */
static uint32_t read_member(struct reader *reader, struct regex_set *set, bool *is_class)
{
    *is_class = false;
    if (accept(reader, "\\"))
        return read_escape(reader, set, is_class);
    if (peek(reader) == '[') {
        fail(reader, ERR_INVALID, "a \"[\" inside of [ ] is written \\[");
        return 0;
    }
    if (str_starts(str_slice(reader->pattern, reader->at, reader->pattern.size), STR("&&"))) {
        fail(reader, ERR_INVALID, "&& inside of [ ] is written \\&\\&");
        return 0;
    }
    return regex_character(reader->pattern, &reader->at);
}

/* Behind `[`. */
static const struct regex_tree *read_brackets(struct reader *reader)
{
    struct regex_tree *tree = arena_new(reader->arena, struct regex_tree);
    tree->kind = REGEX_SET;
    tree->set.negated = accept(reader, "^");
    if (peek(reader) == ']')
        return fail(reader, ERR_INVALID, "an empty class; a \"]\" inside of [ ] is written \\]");
    while (!reader->failed && !at_end(reader) && peek(reader) != ']') {
        bool is_class = false;
        bool last_is_class = false;
        uint32_t first = read_member(reader, &tree->set, &is_class);
        if (is_class || reader->failed)
            continue;
        uint32_t last = first;
        struct str rest = str_slice(reader->pattern, reader->at, reader->pattern.size);
        if (str_starts(rest, STR("-")) && !str_starts(rest, STR("-]")) && accept(reader, "-")) {
            if (at_end(reader))
                break;
            last = read_member(reader, &tree->set, &last_is_class);
        }
        if (last_is_class || last < first)
            return fail(reader, ERR_INVALID, "a range that ends before it begins");
        add_characters(reader, &tree->set, first, last);
    }
    if (!reader->failed && !accept(reader, "]"))
        return fail(reader, ERR_INVALID, "a \"[\" without its \"]\"");
    return tree;
}

/* ---- trees ---- */

static const struct regex_tree *read_choice(struct reader *reader);

static const struct regex_tree *simple(struct reader *reader, enum regex_kind kind)
{
    struct regex_tree *tree = arena_new(reader->arena, struct regex_tree);
    tree->kind = kind;
    return tree;
}

static const struct regex_tree *one_character(struct reader *reader, uint32_t character)
{
    struct regex_tree *tree = arena_new(reader->arena, struct regex_tree);
    tree->kind = REGEX_SET;
    add_characters(reader, &tree->set, character, character);
    return tree;
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* Behind `(?<`: up to the `>`. "" when it is none. */
static struct str read_group_name(struct reader *reader)
{
    size_t begin = reader->at;
    while (is_name(peek(reader), reader->at == begin))
        reader->at++;
    struct str name = str_slice(reader->pattern, begin, reader->at);
    if (name.size == 0 || !accept(reader, ">")) {
        fail(reader, ERR_INVALID, "a group's name is of letters, digits and _, between < and >");
        return (struct str){0};
    }
    for (uint32_t i = 0; i < reader->groups->count; i++)
        if (str_equal(reader->groups->names[i], name))
            fail(reader, ERR_INVALID, "two groups of one name");
    return name;
}

/* A group that is kept: its number is that of its `(`. Without captures it is a bracket like (?: ). */
static const struct regex_tree *open_group(struct reader *reader, struct regex_tree **kept)
{
    struct str name = {0};
    *kept = NULL;
    if (accept(reader, "?:"))
        return NULL;
    bool named = accept(reader, "?<");
    if (named ? peek(reader) == '=' || peek(reader) == '!' : peek(reader) == '?')
        return fail(reader, ERR_INVALID,
                    "of the groups with (? only (?: ) and (?<name> ) are in this subset");
    if (named)
        name = read_group_name(reader);
    if (reader->failed || !(reader->options & REGEX_CAPTURES))
        return NULL;
    if (reader->groups->count == LIMITS_REGEX_GROUPS)
        return fail(reader, ERR_LIMIT, "too many groups (16); write (?: ) where the text is not wanted");
    *kept = arena_new(reader->arena, struct regex_tree);
    (*kept)->kind = REGEX_GROUP;
    (*kept)->min = reader->groups->count;
    reader->groups->names[reader->groups->count++] = name;
    return NULL;
}

/* Behind `(`. */
static const struct regex_tree *read_group(struct reader *reader)
{
    struct regex_tree *kept;
    const struct regex_tree *wrong = open_group(reader, &kept);
    if (wrong != NULL)
        return wrong;
    if (++reader->depth > LIMITS_REGEX_DEPTH)
        return fail(reader, ERR_LIMIT, "too many groups in groups");
    const struct regex_tree *tree = read_choice(reader);
    reader->depth--;
    if (!reader->failed && !accept(reader, ")"))
        return fail(reader, ERR_INVALID, "a \"(\" without its \")\"");
    if (kept == NULL)
        return tree;
    kept->left = tree;
    return kept;
}

static const struct regex_tree *read_escaped(struct reader *reader)
{
    struct regex_tree *tree = arena_new(reader->arena, struct regex_tree);
    bool is_class = false;
    tree->kind = REGEX_SET;
    uint32_t character = read_escape(reader, &tree->set, &is_class);
    return is_class ? tree : one_character(reader, character);
}

static const struct regex_tree *read_any(struct reader *reader)
{
    struct regex_tree *tree = arena_new(reader->arena, struct regex_tree);
    tree->kind = REGEX_SET;
    tree->set.negated = true;
    add_range(reader, &tree->set, '\n', '\n');
    return tree;
}

static const struct regex_tree *read_atom(struct reader *reader)
{
    if (accept(reader, "("))
        return read_group(reader);
    if (accept(reader, "["))
        return read_brackets(reader);
    if (accept(reader, "\\"))
        return read_escaped(reader);
    if (accept(reader, "."))
        return read_any(reader);
    if (accept(reader, "^"))
        return simple(reader, REGEX_BEGIN);
    if (accept(reader, "$"))
        return simple(reader, REGEX_END);
    if (strchr("*+?", peek(reader)))
        return fail(reader, ERR_INVALID, "there is nothing here to repeat");
    if (peek(reader) == '{')
        return fail(reader, ERR_INVALID, "a \"{\" that begins no {m,n} is written \\{");
    return one_character(reader, regex_character(reader->pattern, &reader->at));
}

/* Digits; false when there are none. A number over the bound is a mistake. */
static bool read_number(struct reader *reader, uint32_t *number)
{
    size_t begin = reader->at;
    *number = 0;
    while (peek(reader) >= '0' && peek(reader) <= '9') {
        *number = *number * 10 + (uint32_t)(peek(reader) - '0');
        if (*number > LIMITS_REGEX_REPEAT) {
            fail(reader, ERR_LIMIT, "too many repetitions");
            return false;
        }
        reader->at++;
    }
    return reader->at > begin;
}

/* Behind `{`. */
static void read_counts(struct reader *reader, uint32_t *min, uint32_t *max)
{
    bool right = read_number(reader, min);
    *max = *min;
    if (right && accept(reader, ",") && !read_number(reader, max))
        *max = REGEX_UNBOUNDED;
    if (!right || !accept(reader, "}"))
        fail(reader, ERR_INVALID, "a repetition is {m}, {m,} or {m,n}");
    else if (*max < *min)
        fail(reader, ERR_INVALID, "a repetition whose end is below its begin");
}

/* The repetition that stands here; false when there is none. */
static bool read_quantifier(struct reader *reader, uint32_t *min, uint32_t *max)
{
    *min = 0;
    *max = REGEX_UNBOUNDED;
    if (accept(reader, "+"))
        *min = 1;
    else if (accept(reader, "?"))
        *max = 1;
    else if (accept(reader, "{"))
        read_counts(reader, min, max);
    else if (!accept(reader, "*"))
        return false;
    return true;
}

static const struct regex_tree *read_repeated(struct reader *reader)
{
    const struct regex_tree *atom = read_atom(reader);
    struct regex_tree *tree = arena_new(reader->arena, struct regex_tree);
    tree->kind = REGEX_REPEAT;
    tree->left = atom;
    if (reader->failed || !read_quantifier(reader, &tree->min, &tree->max))
        return atom;
    if (atom->kind == REGEX_BEGIN || atom->kind == REGEX_END)
        return fail(reader, ERR_INVALID, "^ and $ cannot be repeated");
    tree->lazy = accept(reader, "?");
    if (!at_end(reader) && strchr("*+?{", peek(reader)))
        return fail(reader, ERR_INVALID, "a repetition of a repetition needs ( )");
    return tree;
}

static const struct regex_tree *pair(struct reader *reader, enum regex_kind kind,
                                     const struct regex_tree *left, const struct regex_tree *right)
{
    struct regex_tree *tree = arena_new(reader->arena, struct regex_tree);
    tree->kind = kind;
    tree->left = left;
    tree->right = right;
    return tree;
}

/* A balanced tree would be flatter, but a sequence is at most LIMITS_REGEX_BYTES long, and so is the
 * recursion over it. */
static const struct regex_tree *read_sequence(struct reader *reader)
{
    const struct regex_tree *tree = &empty_tree;
    while (!reader->failed && !at_end(reader) && peek(reader) != '|' && peek(reader) != ')')
        tree = pair(reader, REGEX_SEQUENCE, tree, read_repeated(reader));
    return tree;
}

static const struct regex_tree *read_choice(struct reader *reader)
{
    const struct regex_tree *tree = read_sequence(reader);
    while (!reader->failed && accept(reader, "|"))
        tree = pair(reader, REGEX_CHOICE, tree, read_sequence(reader));
    return tree;
}

enum err regex_parse(struct arena *arena, struct str pattern, unsigned options,
                     const struct regex_tree **tree, struct regex_groups *groups, struct err_note *note)
{
    struct reader reader = {
        .arena = arena, .pattern = pattern, .options = options, .groups = groups, .note = note};
    *groups = (struct regex_groups){0};
    if (pattern.size > LIMITS_REGEX_BYTES)
        return err_note(note, ERR_LIMIT, "it is longer than %d bytes", LIMITS_REGEX_BYTES);
    if (!str_is_utf8(pattern))
        return err_note(note, ERR_INVALID, "it is not UTF-8");
    *tree = read_choice(&reader);
    if (!reader.failed && !at_end(&reader))
        fail(&reader, ERR_INVALID, "a \")\" without its \"(\"");
    return reader.failed ? reader.err : ERR_OK;
}
