/* The words of other tools (synonyms.def): none is a word of ours, and each leads to one that is. */
#include <ctype.h>
#include <string.h>

#include "engine/definition/keys.h"
#include "tests/definition/support.h"

static const struct {
    enum keys_table table;
    const char *text, *hint;
} all[] = {
#define X(table, text, hint) {KEYS_TABLE_##table, text, hint},
#include "engine/definition/synonyms.def"
#undef X
};
enum { COUNT = sizeof all / sizeof *all };

static bool is_ours(struct str word)
{
    for (int table = 0; table < KEYS_TABLE_COUNT; table++)
        if (keys_has((enum keys_table)table, word))
            return true;
    static const char *const words[] = {
#define X(table, name, text, meaning) text,
#include "engine/definition/words.def"
#undef X
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal(word, str_from(words[i])))
            return true;
    return false;
}

/* `via: request` is about `via`. */
static struct str first_word(const char *at)
{
    size_t size = 0;
    while (islower((unsigned char)at[size]) || at[size] == '_')
        size++;
    return (struct str){at, size};
}

Test(synonyms, lead_to_words_of_the_language)
{
    for (int i = 0; i < COUNT; i++) {
        bool leads = false;
        const char *rest = all[i].hint;
        while ((rest = strchr(rest, '`')) != NULL) {
            struct str word = first_word(rest + 1);
            cr_expect(is_ours(word), "%s: %.*s is no word of the language", all[i].text, STR_ARG(word));
            leads = true;
            rest = strchr(rest + 1, '`');
            cr_assert(rest != NULL, "%s: a quote is open", all[i].text);
            rest++;
        }
        cr_expect(leads, "%s leads nowhere", all[i].text);
    }
}

Test(synonyms, are_no_words_of_ours_and_stand_once)
{
    for (int i = 0; i < COUNT; i++) {
        cr_expect(!keys_has(all[i].table, str_from(all[i].text)), "%s is a key", all[i].text);
        cr_expect(str_equal(keys_lead(all[i].table, str_from(all[i].text)), str_from(all[i].hint)),
                  "%s stands twice", all[i].text);
    }
}
