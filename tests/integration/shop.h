/* What the shop (shop.c) can be told to do, and how its log reads. The command's body tells it: {"n":…,
 * "how":"<name>"}; a name that is missing or unknown means ok. Shared by the program and by the tests that
 * make inputs. */
#pragma once
#include <stdbool.h>
#include "engine/base/str.h"

/* X(NAME, name, what it does); "first" is the first delivery of the first attempt. */
#define SHOP_HOWS(X)                                                                                         \
    X(OK, "ok", "the effect, then ok")                                                                       \
    X(REJECT, "reject", "no effect, rejected, always")                                                       \
    X(RETRY, "retry", "two attempts get retry, then ok")                                                     \
    X(SLOW, "slow", "the first comes to its effect only after the time limit of `brisk`")                    \
    X(DIE_BEFORE, "die_before", "the first is taken and forgotten")                                          \
    X(DIE_AFTER, "die_after", "the first has its effect and no reply")                                       \
    X(TWICE, "twice", "two replies with different ids")                                                      \
    X(PENDING, "pending", "the first gets pending, and ok after the time limit")                             \
    X(GARBAGE, "garbage", "three replies nobody can read, then ok")                                          \
    X(OK_REJECT, "ok_reject", "the effect, ok, then rejected")                                               \
    X(REJECT_OK, "reject_ok", "the effect, rejected, then ok")                                               \
    X(FOREIGN, "foreign", "another participant answers first, then ok")                                      \
    X(STUBBORN, "stubborn", "the first attempt is rejected, then ok")                                        \
    X(MUTE, "mute", "no effect and no reply, ever")                                                          \
    X(LOST, "lost", "the effect, and no reply, ever")                                                        \
    X(LATE, "late", "the first comes to its effect and its reply only after all attempts are over")

enum shop_how {
#define X(name, text, meaning) SHOP_##name,
    SHOP_HOWS(X)
#undef X
        SHOP_HOW_COUNT
};

enum {
    SHOP_SLOW_MS = 900,  /* over the 600 ms of `brisk` */
    SHOP_LATE_MS = 5000, /* over its four attempts, its questions included */
    SHOP_RETRY_ATTEMPTS = 2,
    SHOP_STUBBORN_ATTEMPTS = 1,
    SHOP_THREADS = 48
};

static const char *const shop_how_names[] = {
#define X(name, text, meaning) text,
    SHOP_HOWS(X)
#undef X
};

static inline enum shop_how shop_how_parse(struct str text)
{
    for (int how = 0; how < SHOP_HOW_COUNT; how++)
        if (str_equal(text, str_from(shop_how_names[how])))
            return (enum shop_how)how;
    return SHOP_OK;
}
