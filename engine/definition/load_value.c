/* Scalars of the file: durations, numbers, words, names. Part of load.h; called by all that loads. A wrong
 * value is reported with what would be right, never replaced. */
#include "engine/definition/load.h"

#include "engine/base/duration.h"

bool load_duration(struct load *load, const struct tree *tree, int64_t *duration_us)
{
    if (duration_parse(tree->text, duration_us))
        return true;
    problem_add(load->diags, tree->place, PROBLEM_BAD_DURATION,
                STR("digits and one of ms, s, m, h, d: 250ms, 5s, 10m, 2h, 14d; at most 3650d"),
                "\"%.*s\" is not a duration", STR_ARG(tree->text));
    return false;
}

bool load_integer(struct load *load, const struct tree *tree, int64_t least, int64_t most, int64_t *number)
{
    struct json value = {.kind = JSON_NUMBER, .text = tree->text};
    if (tree->kind == TREE_NUMBER && json_to_i64(&value, number) && *number >= least && *number <= most)
        return true;
    problem_add(load->diags, tree->place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                "`%.*s` is an integer from %lld to %lld", STR_ARG(tree->key), (long long)least,
                (long long)most);
    return false;
}

bool load_word(struct load *load, const struct tree *tree, enum keys_key key, int *index)
{
    int count;
    const struct str *words = keys_words(key, &count);
    struct problem_guess guess = problem_guess_for(tree->text);
    struct buf known;
    buf_init(&known, load->diags->arena);
    for (int i = 0; i < count; i++) {
        if (tree->kind == TREE_STRING && str_equal(tree->text, words[i])) {
            *index = i;
            return true;
        }
        problem_guess_try(&guess, words[i]);
        buf_printf(&known, "%s`%.*s`", i == 0 ? "" : i + 1 == count ? " or " : ", ", STR_ARG(words[i]));
    }
    struct str all = buf_str(&known);
    struct str given = str_from(tree_kind_text(tree->kind));
    if (tree->kind == TREE_STRING)
        given = arena_printf(load->diags->arena, "\"%.*s\"", STR_ARG(tree->text));
    problem_add(load->diags, tree->place, PROBLEM_BAD_CHOICE,
                problem_guess_hint(&guess, load->diags->arena, STR("")), "`%.*s` is %.*s, not %.*s",
                STR_ARG(tree->key), STR_ARG(all), STR_ARG(given));
    return false;
}

bool load_is_name(struct str text, char separator)
{
    if (text.size == 0 || text.size > LIMITS_NAME_BYTES || text.data[0] < 'a' || text.data[0] > 'z')
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == separator))
            return false;
    }
    return true;
}

bool load_name(struct load *load, struct str text, struct diag_place place, char separator, const char *what)
{
    if (load_is_name(text, separator))
        return true;
    struct str hint =
        arena_printf(load->diags->arena,
                     "a lower-case letter, then lower-case letters, digits and \"%c\"; at most %d bytes",
                     separator, LIMITS_NAME_BYTES);
    problem_add(load->diags, place, PROBLEM_BAD_NAME, hint, "\"%.*s\" cannot be the %s", STR_ARG(text), what);
    return false;
}
