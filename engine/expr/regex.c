/* Thompson's construction and Pike's walk: the pattern becomes a list of instructions; a test keeps the set
 * of instructions that some way through the text so far has reached, and moves all of them over each
 * character at once. */
#include "engine/expr/regex.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/expr/regex_parse.h"

enum code {
    CODE_SET,   /* one character of the set, then the next instruction */
    CODE_SPLIT, /* goes on at the next instruction and at `other` */
    CODE_JUMP,  /* goes on at `other` */
    CODE_BEGIN, /* only at the begin of the text */
    CODE_END,   /* only at its end */
    CODE_MATCH,
};
struct instruction {
    enum code code;
    uint16_t other;
    const struct regex_set *set;
};
struct regex {
    uint16_t count;
    struct instruction *instructions;
};

/* ---- compiling ---- */

struct emitter {
    struct regex *regex;
    uint32_t visits; /* of tree nodes: repetitions of what emits nothing must end too */
    bool full;
};

static uint16_t emit(struct emitter *emitter, enum code code, const struct regex_set *set)
{
    struct regex *regex = emitter->regex;
    if (regex->count == LIMITS_REGEX_STATES) {
        emitter->full = true;
        return 0;
    }
    regex->instructions[regex->count] = (struct instruction){.code = code, .set = set};
    return regex->count++;
}

static void aim_here(struct emitter *emitter, uint16_t from)
{
    emitter->regex->instructions[from].other = emitter->regex->count;
}

static void emit_tree(struct emitter *emitter, const struct regex_tree *tree);

static void emit_repeat(struct emitter *emitter, const struct regex_tree *tree)
{
    for (uint32_t i = 0; i < tree->min && !emitter->full; i++)
        emit_tree(emitter, tree->left);
    if (tree->max == REGEX_UNBOUNDED) {
        uint16_t again = emit(emitter, CODE_SPLIT, NULL);
        emit_tree(emitter, tree->left);
        uint16_t jump = emit(emitter, CODE_JUMP, NULL);
        emitter->regex->instructions[jump].other = again;
        aim_here(emitter, again);
        return;
    }
    for (uint32_t i = tree->min; i < tree->max && !emitter->full; i++) {
        uint16_t skip = emit(emitter, CODE_SPLIT, NULL);
        emit_tree(emitter, tree->left);
        aim_here(emitter, skip);
    }
}

static void emit_choice(struct emitter *emitter, const struct regex_tree *tree)
{
    uint16_t split = emit(emitter, CODE_SPLIT, NULL);
    emit_tree(emitter, tree->left);
    uint16_t jump = emit(emitter, CODE_JUMP, NULL);
    aim_here(emitter, split);
    emit_tree(emitter, tree->right);
    aim_here(emitter, jump);
}

static void emit_tree(struct emitter *emitter, const struct regex_tree *tree)
{
    enum { VISITS_MAX = LIMITS_REGEX_STATES * 16 };
    if (++emitter->visits > VISITS_MAX)
        emitter->full = true;
    if (emitter->full)
        return;
    switch (tree->kind) {
    case REGEX_EMPTY:
        return;
    case REGEX_SET:
        emit(emitter, CODE_SET, &tree->set);
        return;
    case REGEX_BEGIN:
        emit(emitter, CODE_BEGIN, NULL);
        return;
    case REGEX_END:
        emit(emitter, CODE_END, NULL);
        return;
    case REGEX_SEQUENCE:
        emit_tree(emitter, tree->left);
        emit_tree(emitter, tree->right);
        return;
    case REGEX_CHOICE:
        emit_choice(emitter, tree);
        return;
    case REGEX_REPEAT:
        emit_repeat(emitter, tree);
        return;
    }
    check(false);
}

enum err regex_compile(struct arena *arena, struct str pattern, bool ignore_case, const struct regex **regex,
                       struct err_note *note)
{
    const struct regex_tree *tree = NULL;
    enum err err = regex_parse(arena, pattern, ignore_case, &tree, note);
    if (err != ERR_OK)
        return err;
    /* Emitted on the stack first: most patterns need far fewer instructions than the most there may be. */
    struct instruction room[LIMITS_REGEX_STATES];
    struct regex made = {.instructions = room};
    struct emitter emitter = {.regex = &made};
    emit_tree(&emitter, tree);
    emit(&emitter, CODE_MATCH, NULL);
    if (emitter.full)
        return err_note(note, ERR_LIMIT, "it needs more than %d states", LIMITS_REGEX_STATES);
    struct regex *result = arena_new(arena, struct regex);
    result->count = made.count;
    result->instructions = arena_array(arena, made.count, sizeof(*room));
    memcpy(result->instructions, room, made.count * sizeof(*room));
    *regex = result;
    return ERR_OK;
}

/* ---- testing ---- */

struct walk {
    const struct regex *regex;
    bool at_begin;
    bool at_end;
    bool matched;
    uint64_t visits;
    uint8_t seen[LIMITS_REGEX_STATES / 8 + 1];
    uint16_t waiting[2][LIMITS_REGEX_STATES]; /* SET instructions reached: before and after this character */
    uint16_t count[2];
    uint16_t pending[LIMITS_REGEX_STATES + 1];
};

static bool mark(struct walk *walk, uint16_t at)
{
    uint8_t bit = (uint8_t)(1U << (at % 8));
    bool fresh = !(walk->seen[at / 8] & bit);
    walk->seen[at / 8] |= bit;
    return fresh;
}

/* Follows all ways from `start` that take no character; the SETs reached go into list `side`. Each
 * instruction is entered once a character, marked when it is put on the pending list, which therefore never
 * holds more than there are instructions. */
static void reach(struct walk *walk, uint16_t start, int side)
{
    uint32_t depth = 0;
    if (mark(walk, start))
        walk->pending[depth++] = start;
    while (depth > 0) {
        uint16_t at = walk->pending[--depth];
        const struct instruction *instruction = &walk->regex->instructions[at];
        uint16_t next[2] = {0, 0};
        int ways = 0;
        walk->visits++;
        switch (instruction->code) {
        case CODE_SET:
            walk->waiting[side][walk->count[side]++] = at;
            break;
        case CODE_SPLIT:
            next[ways++] = (uint16_t)(at + 1);
            next[ways++] = instruction->other;
            break;
        case CODE_JUMP:
            next[ways++] = instruction->other;
            break;
        case CODE_BEGIN:
            if (walk->at_begin)
                next[ways++] = (uint16_t)(at + 1);
            break;
        case CODE_END:
            if (walk->at_end)
                next[ways++] = (uint16_t)(at + 1);
            break;
        case CODE_MATCH:
            walk->matched = true;
            break;
        }
        for (int i = 0; i < ways; i++)
            if (mark(walk, next[i]))
                walk->pending[depth++] = next[i];
    }
}

/* Moves all that wait on list `side` over the character, into the other list, and begins a new try behind it.
 */
static void move_over(struct walk *walk, uint32_t character, int side)
{
    memset(walk->seen, 0, (size_t)walk->regex->count / 8 + 1);
    walk->count[1 - side] = 0;
    for (uint16_t i = 0; i < walk->count[side]; i++) {
        uint16_t at = walk->waiting[side][i];
        const struct regex_set *set = walk->regex->instructions[at].set;
        walk->visits += set->count;
        if (regex_set_has(set, character))
            reach(walk, (uint16_t)(at + 1), 1 - side);
    }
    reach(walk, 0, 1 - side);
}

enum err regex_test(const struct regex *regex, struct str text, uint64_t *work, bool *matches)
{
    struct walk walk; /* 20 KB, written before it is read */
    walk.regex = regex;
    walk.matched = false;
    walk.visits = 0;
    walk.count[0] = 0;
    walk.at_begin = true;
    walk.at_end = text.size == 0;
    memset(walk.seen, 0, sizeof(walk.seen));
    reach(&walk, 0, 0);
    int side = 0;
    size_t at = 0;
    while (!walk.matched && at < text.size && walk.visits <= *work) {
        uint32_t character = regex_character(text, &at);
        walk.at_begin = false;
        walk.at_end = at == text.size;
        move_over(&walk, character, side);
        side = 1 - side;
    }
    if (walk.visits > *work) {
        *work = 0;
        return ERR_LIMIT;
    }
    *work -= walk.visits;
    *matches = walk.matched;
    return ERR_OK;
}
