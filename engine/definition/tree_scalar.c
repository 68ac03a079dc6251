#include "engine/definition/tree_scalar.h"

#include "engine/definition/problem.h"
#include "engine/definition/word.h"

static bool is_one_of(struct str text, const struct str *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(text, words[i]))
            return true;
    }
    return false;
}

bool tree_scalar_is_null(struct str text)
{
    static const struct str words[] = {WORD(""), WORD("~"), WORD("null"), WORD("Null"), WORD("NULL")};
    return is_one_of(text, words, sizeof words / sizeof words[0]);
}

static bool is_true(struct str text)
{
    static const struct str words[] = {WORD("true"), WORD("True"), WORD("TRUE")};
    return is_one_of(text, words, sizeof words / sizeof words[0]);
}

static bool is_false(struct str text)
{
    static const struct str words[] = {WORD("false"), WORD("False"), WORD("FALSE")};
    return is_one_of(text, words, sizeof words / sizeof words[0]);
}

static size_t skip_digits(struct str text, size_t at)
{
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at;
}

static bool is_at(struct str text, size_t at, char a, char b)
{
    return at < text.size && (text.data[at] == a || text.data[at] == b);
}

/* Behind the mantissa: nothing, or an exponent with digits. */
static bool is_exponent(struct str text, size_t at)
{
    if (at == text.size)
        return true;
    if (!is_at(text, at, 'e', 'E'))
        return false;
    at++;
    if (is_at(text, at, '+', '-'))
        at++;
    return at < text.size && skip_digits(text, at) == text.size;
}

bool tree_scalar_is_json_number(struct str text)
{
    size_t begin = is_at(text, 0, '-', '-') ? 1 : 0;
    size_t whole = skip_digits(text, begin);
    if (whole == begin || (text.data[begin] == '0' && whole > begin + 1))
        return false;
    if (!is_at(text, whole, '.', '.'))
        return is_exponent(text, whole);
    size_t end = skip_digits(text, whole + 1);
    return end > whole + 1 && is_exponent(text, end);
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ([eE][-+]?[0-9]+)? */
static bool is_core_decimal(struct str text)
{
    size_t begin = is_at(text, 0, '-', '+') ? 1 : 0;
    size_t whole = skip_digits(text, begin);
    size_t end = whole;
    if (is_at(text, whole, '.', '.'))
        end = skip_digits(text, whole + 1);
    bool has_digits = whole > begin || end > whole + 1;
    return has_digits && is_exponent(text, end);
}

/* 0x1F, 0o17, .inf, .nan. */
static bool is_core_special(struct str text)
{
    static const struct str words[] = {WORD(".inf"), WORD(".Inf"), WORD(".INF"),
                                       WORD(".nan"), WORD(".NaN"), WORD(".NAN")};
    bool has_sign = is_at(text, 0, '-', '+');
    if (is_one_of(str_slice(text, has_sign ? 1 : 0, text.size), words, sizeof words / sizeof words[0]))
        return true;
    bool hex = str_starts(text, STR("0x"));
    if (text.size < 3 || (!hex && !str_starts(text, STR("0o"))))
        return false;
    for (size_t i = 2; i < text.size; i++) {
        char c = text.data[i];
        bool digit = c >= '0' && c <= (hex ? '9' : '7');
        bool letter = hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
        if (!digit && !letter)
            return false;
    }
    return true;
}

void tree_scalar_resolve(struct tree *node, struct diag_list *diags)
{
    struct str text = node->text;
    if (tree_scalar_is_null(text)) {
        node->kind = TREE_NULL;
    } else if (is_true(text) || is_false(text)) {
        node->kind = TREE_BOOL;
        node->boolean = is_true(text);
    } else if (tree_scalar_is_json_number(text)) {
        node->kind = TREE_NUMBER;
    } else if (is_core_decimal(text) || is_core_special(text)) {
        node->kind = TREE_BROKEN;
        problem_add(diags, node->place, PROBLEM_BAD_NUMBER,
                    STR("write it as JSON does (5, -0.5, 1e3), or in quotes when it is a text"),
                    "the number %.60s is not written as JSON writes numbers",
                    arena_copy(diags->arena, text).data);
    }
}
