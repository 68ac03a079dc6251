/* What stays text in a value, and hardly was meant so. Called while a definition is loaded; it only warns:
 * nothing is refused here, because a text may hold anything. */
#include "engine/definition/load.h"

#include "engine/base/check.h"
#include "engine/definition/word.h"

struct look {
    struct load *load;
    const struct tree *tree;
    struct load_scope scope;
    uint32_t expressions; /* so far */
    bool is_blank;        /* whether nothing but white space stands around them, so far */
};

/* Where bytes `begin` to `end` of the scalar's text are in the file. */
static struct diag_place place_of(const struct look *look, size_t begin, size_t end)
{
    struct str text = look->tree->text;
    struct diag_place place = look->tree->inside;
    size_t line = 0;
    check(begin <= end && end <= text.size);
    for (size_t i = 0; i < begin; i++) {
        if (text.data[i] != '\n')
            continue;
        place.line++;
        line = i + 1;
    }
    place.column = (place.line == look->tree->inside.line ? place.column : 1) + (uint32_t)(begin - line);
    place.size = (uint32_t)(end - begin);
    return tree_place(look->tree, look->load->yaml, place);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct str word_at(struct str text, size_t at)
{
    size_t end = at;
    while (end < text.size && is_word(text.data[end]))
        end++;
    return str_slice(text, at, end);
}

static bool is_variable(const struct look *look, struct str word)
{
    static const struct str own[] = {WORD("input"), WORD("steps"), WORD("saga"),
                                     WORD("error"), WORD("index"), WORD("event")};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (str_equal(word, own[i]))
            return true;
    return word.size > 0 && load_refs_loop(look->load, look->scope, word) != 0;
}

static size_t skip_spaces(struct str text, size_t at)
{
    while (at < text.size && text.data[at] == ' ')
        at++;
    return at;
}

/* `$${` at `at`, behind which a variable stands: "$${ $input.total }", "$${input.total}". What it takes up.
 */
static size_t look_at_escape(const struct look *look, size_t at)
{
    struct str text = look->tree->text;
    size_t name = skip_spaces(text, at + 3);
    bool has_sign = name < text.size && text.data[name] == '$';
    struct str word = word_at(text, name + has_sign);
    size_t end = name + has_sign + word.size;
    char behind = end < text.size ? text.data[end] : ' ';
    if (!is_variable(look, word) || (!has_sign && behind != '.' && behind != '['))
        return 3;
    problem_add(look->load->diags, place_of(look, at, at + 3), PROBLEM_ESCAPED_VARIABLE,
                STR("a dollar sign before a value: ${ \"$\\( … )\" }"),
                "`$${` is a literal `${`: what follows stays text");
    return end - at;
}

/* The end of a `{{ … }}` that begins at `at`, or 0. */
static size_t braces_end(struct str text, size_t at, size_t end)
{
    for (size_t i = at + 2; i + 1 < end; i++)
        if (text.data[i] == '}' && text.data[i + 1] == '}')
            return i > at + 2 ? i + 2 : 0;
    return 0;
}

static void report_bare(const struct look *look, size_t begin, size_t end)
{
    struct str text = str_slice(look->tree->text, begin, end);
    problem_add(look->load->diags, place_of(look, begin, end), PROBLEM_BARE_VARIABLE,
                STR("an expression stands in ${ … }"), "`%.*s` stays text here", STR_ARG(text));
}

/* The variable at a "$", with the fields behind it; its size, or 0. */
static size_t bare_size(const struct look *look, size_t at, size_t end)
{
    struct str text = str_slice(look->tree->text, 0, end);
    struct str word = word_at(text, at + 1);
    size_t next = at + 1 + word.size;
    if (!is_variable(look, word))
        return 0;
    while (next + 1 < end && text.data[next] == '.' && is_word(text.data[next + 1]))
        next += 1 + word_at(text, next + 1).size;
    return next - at;
}

/* From `at` to `end` of the text: no expression. */
static void look_at_plain(struct look *look, size_t at, size_t end)
{
    struct str text = look->tree->text;
    while (at < end) {
        struct str rest = str_slice(text, at, end);
        size_t size = 1;
        if (str_starts(rest, STR("$${"))) {
            size = look_at_escape(look, at);
        } else if (str_starts(rest, STR("{{")) && braces_end(text, at, end) > 0) {
            size = braces_end(text, at, end) - at;
            report_bare(look, at, at + size);
        } else if (text.data[at] == '$' && bare_size(look, at, end) > 0) {
            size = bare_size(look, at, end);
            report_bare(look, at, at + size);
        }
        look->is_blank &= text.data[at] == ' ' || text.data[at] == '\n';
        at += size;
    }
}

/* One expression alone is its value; with the line end of a block of text it is a text. */
static void look_at_block(const struct look *look)
{
    const struct tree *tree = look->tree;
    bool ends_line = tree->text.size > 0 && tree->text.data[tree->text.size - 1] == '\n';
    if ((tree->style == '|' || tree->style == '>') && look->expressions == 1 && look->is_blank && ends_line)
        problem_add(look->load->diags, tree->place, PROBLEM_BLOCK_TEXT,
                    tree->style == '|' ? STR("write `|-`, which has no line end: then it keeps its type")
                                       : STR("write `>-`, which has no line end: then it keeps its type"),
                    "the value of this expression becomes a text with a line end");
}

void load_text(struct load *load, const struct tree *tree, struct load_scope scope)
{
    struct look look = {.load = load, .tree = tree, .scope = scope, .is_blank = true};
    struct str plain;
    size_t at = 0;
    while (at < tree->text.size) {
        size_t begin = at;
        if (!expr_value_plain(load->diags->arena, tree->text, &at, &plain))
            break;
        look_at_plain(&look, begin, begin + plain.size);
        look.expressions += at > begin + plain.size;
    }
    look_at_block(&look);
}
