/* From a pattern to a tree: the part of regex.h that knows the syntax. The tree lives in the arena. */
#pragma once
#include "engine/base/limits.h"
#include "engine/expr/regex.h"

#define REGEX_UNBOUNDED UINT32_MAX

struct regex_range {
    uint32_t first;
    uint32_t last;
};
/* Characters: in one of the ranges, or in none of them. */
struct regex_set {
    bool negated;
    uint32_t count;
    struct regex_range *ranges;
};

enum regex_kind {
    REGEX_EMPTY,
    REGEX_SET,
    REGEX_BEGIN,
    REGEX_END,
    REGEX_SEQUENCE, /* left, then right */
    REGEX_CHOICE,   /* left or right */
    REGEX_REPEAT,   /* left, min to max times */
    REGEX_GROUP,    /* left, whose text is kept as that of group `min` (only with REGEX_CAPTURES) */
};
struct regex_tree {
    enum regex_kind kind;
    uint32_t min;
    uint32_t max; /* REGEX_UNBOUNDED: no end */
    bool lazy;    /* REPEAT: as few times as it may be */
    struct regex_set set;
    const struct regex_tree *left;
    const struct regex_tree *right;
};

struct regex_groups {
    uint32_t count;
    struct str names[LIMITS_REGEX_GROUPS]; /* "" : a group without a name */
};
/* Errors as regex_compile. Groups are counted with REGEX_CAPTURES only. */
enum err regex_parse(struct arena *arena, struct str pattern, unsigned options,
                     const struct regex_tree **tree, struct regex_groups *groups, struct err_note *note)
    __attribute__((warn_unused_result));
bool regex_set_has(const struct regex_set *set, uint32_t character);
/* The character at *at in valid UTF-8; *at goes behind it. */
uint32_t regex_character(struct str text, size_t *at);
