/* What mask.h leaves out of messages and arguments. */
#include <criterion/criterion.h>
#include <string.h>
#include "engine/base/mask.h"

static char out[200];

Test(mask_secret, leaves_out_what_is_quoted)
{
    mask_quoted("missing \"=\" after \"hunter2\" in connection info string", out, sizeof out);
    cr_assert_str_eq(out, "missing \"***\" in connection info string");
    mask_quoted("no quotes", out, sizeof out);
    cr_assert_str_eq(out, "no quotes");
    mask_quoted("open \"hunter2", out, sizeof out);
    cr_assert_str_eq(out, "open \"***\"");
    mask_quoted("open \"hunter2", out, 8);
    cr_assert_str_eq(out, "open \"*");
}

Test(mask_secret, leaves_out_a_word_wherever_it_stands)
{
    mask_word("a hunter2 and hunter2", "hunter2", out, sizeof out);
    cr_assert_str_eq(out, "a *** and ***");
    mask_word("nothing secret", "", out, sizeof out);
    cr_assert_str_eq(out, "nothing secret");
}

Test(mask_secret, knows_where_a_secret_stands)
{
    cr_assert(mask_is_needed("postgresql://u:hunter2@h/db"));
    cr_assert(mask_is_needed("host=h user=u password=hunter2"));
    cr_assert(mask_is_needed("postgresql:///db?password=hunter2"));
    cr_assert(mask_is_needed("nats://a:4222,nats://token@b:4222"));
    cr_assert_not(mask_is_needed("postgresql://u@h/db"));
    cr_assert_not(mask_is_needed("nats://127.0.0.1:4222"));
    cr_assert_not(mask_is_needed("host=h user=u"));
    char argument[] = "hunter2";
    mask_argument(argument);
    cr_assert_str_eq(argument, "*******");
}
