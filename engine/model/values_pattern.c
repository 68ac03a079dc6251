/* A text for a pattern: its syntax is walked once, each choice drawn. A pattern that is not tied to the ends
 * matches all the same when it stands alone. */
#include "engine/model/values_parts.h"

#include "engine/base/limits.h"

enum { MORE_TIMES = 3, TEXT_MAX = 4096, WORK_MAX = 100000, PRINTABLE_FIRST = ' ', PRINTABLE_LAST = '~' };

struct walk {
    struct str pattern;
    size_t at;
    struct rng *rng;
    struct buf *out; /* NULL: read over it */
    unsigned depth;
    unsigned work; /* atoms made: loops around nothing end too */
};
/* Of one character: printable ASCII, and what stands beyond is taken as it is. */
struct class
{
    bool has[PRINTABLE_LAST + 1];
};

static void alternatives(struct walk *walk);

static bool more(const struct walk *walk)
{
    return walk->at < walk->pattern.size;
}

static char peek(const struct walk *walk)
{
    return more(walk) ? walk->pattern.data[walk->at] : '\0';
}

static bool accept(struct walk *walk, char c)
{
    bool is = more(walk) && peek(walk) == c;
    walk->at += is;
    return is;
}

static void put(struct walk *walk, char c)
{
    if (walk->out && walk->out->size < TEXT_MAX)
        buf_char(walk->out, c);
}

static void add_range(struct class *class, int first, int last)
{
    for (int c = first; c <= last && c <= PRINTABLE_LAST; c++)
        class->has[c] = c >= PRINTABLE_FIRST;
}

static void invert(struct class *class)
{
    for (int c = PRINTABLE_FIRST; c <= PRINTABLE_LAST; c++)
        class->has[c] = !class->has[c];
}

/* \d \w \s and their opposites; false for any other letter. */
static bool add_escape(struct class *class, char c)
{
    struct class named = {0};
    char low = (char)(c | ('a' - 'A'));
    if (low != 'd' && low != 'w' && low != 's')
        return false;
    if (low == 's')
        add_range(&named, ' ', ' ');
    else
        add_range(&named, '0', '9');
    if (low == 'w') {
        add_range(&named, 'a', 'z');
        add_range(&named, 'A', 'Z');
        add_range(&named, '_', '_');
    }
    if (c != low)
        invert(&named);
    for (int i = PRINTABLE_FIRST; i <= PRINTABLE_LAST; i++)
        class->has[i] = class->has[i] || named.has[i];
    return true;
}

static void put_one(struct walk *walk, const struct class *class)
{
    uint64_t count = 0;
    for (int c = PRINTABLE_FIRST; c <= PRINTABLE_LAST; c++)
        count += class->has[c];
    if (count == 0 || !walk->out)
        return;
    uint64_t nth = rng_below(walk->rng, count);
    for (int c = PRINTABLE_FIRST; c <= PRINTABLE_LAST; c++) {
        if (class->has[c] && nth-- == 0)
            put(walk, (char)c);
    }
}

static void bracket(struct walk *walk)
{
    struct class class = {0};
    bool opposite = accept(walk, '^');
    while (more(walk) && !accept(walk, ']')) {
        char first = walk->pattern.data[walk->at++];
        if (first == '\\' && more(walk)) {
            first = walk->pattern.data[walk->at++];
            if (add_escape(&class, first))
                continue;
        }
        char last = first;
        bool range =
            peek(walk) == '-' && walk->at + 1 < walk->pattern.size && walk->pattern.data[walk->at + 1] != ']';
        if (range) {
            last = walk->pattern.data[walk->at + 1];
            walk->at += 2;
        }
        if (first >= 0 && last >= 0)
            add_range(&class, first, last);
    }
    if (opposite)
        invert(&class);
    put_one(walk, &class);
}

static void escape(struct walk *walk)
{
    struct class class = {0};
    char c = more(walk) ? walk->pattern.data[walk->at++] : '\\';
    if (add_escape(&class, c))
        put_one(walk, &class);
    else
        put(walk, c == 't' ? '\t' : c == 'n' ? '\n' : c);
}

static void group(struct walk *walk)
{
    if (accept(walk, '?'))
        (void)accept(walk, ':');
    walk->depth++;
    if (walk->depth < LIMITS_REGEX_DEPTH)
        alternatives(walk);
    walk->depth--;
    (void)accept(walk, ')');
}

static void atom(struct walk *walk)
{
    static const struct class lower = {.has = {['a'] = true, ['k'] = true, ['x'] = true, ['7'] = true}};
    char c = walk->pattern.data[walk->at++];
    if (c == '(')
        group(walk);
    else if (c == '[')
        bracket(walk);
    else if (c == '\\')
        escape(walk);
    else if (c == '.')
        put_one(walk, &lower);
    else if (c != '^' && c != '$')
        put(walk, c);
}

static int64_t number(struct walk *walk, int64_t otherwise)
{
    bool any = false;
    int64_t value = 0;
    while (peek(walk) >= '0' && peek(walk) <= '9' && value <= LIMITS_REGEX_REPEAT) {
        value = value * 10 + (peek(walk) - '0');
        walk->at++;
        any = true;
    }
    return any ? value : otherwise;
}

static struct values_span times(struct walk *walk)
{
    struct values_span span = {1, 1};
    if (accept(walk, '*'))
        span = (struct values_span){0, MORE_TIMES};
    else if (accept(walk, '+'))
        span = (struct values_span){1, MORE_TIMES};
    else if (accept(walk, '?'))
        span = (struct values_span){0, 1};
    else if (accept(walk, '{')) {
        span.least = number(walk, 0);
        span.most = accept(walk, ',') ? number(walk, span.least + MORE_TIMES) : span.least;
        (void)accept(walk, '}');
    } else
        return span;
    (void)accept(walk, '?'); /* lazy: the same texts */
    return span;
}

/* The atom is read over once to find how often it comes, then made that often. */
static void repeated(struct walk *walk)
{
    size_t begin = walk->at;
    struct buf *out = walk->out;
    walk->out = NULL;
    atom(walk);
    struct values_span span = times(walk);
    size_t end = walk->at;
    walk->out = out;
    if (!out)
        return;
    int64_t count = span.least + (int64_t)rng_below(walk->rng, (uint64_t)(span.most - span.least) + 1);
    for (int64_t i = 0; i < count && out->size < TEXT_MAX && walk->work < WORK_MAX; i++) {
        walk->work++;
        walk->at = begin;
        atom(walk);
    }
    walk->at = end;
}

static void branch(struct walk *walk)
{
    while (more(walk) && peek(walk) != '|' && peek(walk) != ')')
        repeated(walk);
}

/* All branches are read over to find how many there are; one is made. */
static void alternatives(struct walk *walk)
{
    size_t begin = walk->at;
    struct buf *out = walk->out;
    uint64_t count = 0;
    walk->out = NULL;
    do {
        branch(walk);
        count++;
    } while (accept(walk, '|'));
    size_t end = walk->at;
    walk->out = out;
    if (!out)
        return;
    uint64_t chosen = rng_below(walk->rng, count);
    walk->at = begin;
    for (uint64_t i = 0; i <= chosen; i++) {
        walk->out = i == chosen ? out : NULL;
        branch(walk);
        (void)accept(walk, '|');
    }
    walk->out = out;
    walk->at = end;
}

struct str values_pattern(struct str pattern, struct rng *rng, struct arena *arena)
{
    struct buf out;
    struct walk walk = {.pattern = pattern, .rng = rng, .out = &out};
    buf_init(&out, arena);
    alternatives(&walk);
    return buf_str(&out);
}
