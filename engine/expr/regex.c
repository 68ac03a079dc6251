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
    CODE_SPLIT, /* goes on at the next instruction and at `other`; `late`: at `other` rather */
    CODE_JUMP,  /* goes on at `other` */
    CODE_BEGIN, /* only at the begin of the text */
    CODE_END,   /* only at its end */
    CODE_SAVE,  /* notes the place as that of part `other` / 2: its end when odd */
    CODE_MATCH,
};
struct instruction {
    enum code code;
    bool late;
    uint16_t other;
    const struct regex_set *set;
};
struct regex {
    uint16_t count;
    struct regex_groups groups;
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

static uint16_t emit_split(struct emitter *emitter, bool late)
{
    uint16_t at = emit(emitter, CODE_SPLIT, NULL);
    emitter->regex->instructions[at].late = late;
    return at;
}

static void emit_tree(struct emitter *emitter, const struct regex_tree *tree);

static void emit_group(struct emitter *emitter, const struct regex_tree *tree)
{
    uint16_t slot = (uint16_t)(2 * (1 + tree->min));
    uint16_t begin = emit(emitter, CODE_SAVE, NULL);
    emitter->regex->instructions[begin].other = slot;
    emit_tree(emitter, tree->left);
    uint16_t end = emit(emitter, CODE_SAVE, NULL);
    emitter->regex->instructions[end].other = (uint16_t)(slot + 1);
}

static void emit_repeat(struct emitter *emitter, const struct regex_tree *tree)
{
    for (uint32_t i = 0; i < tree->min && !emitter->full; i++)
        emit_tree(emitter, tree->left);
    if (tree->max == REGEX_UNBOUNDED) {
        uint16_t again = emit_split(emitter, tree->lazy);
        emit_tree(emitter, tree->left);
        uint16_t jump = emit(emitter, CODE_JUMP, NULL);
        emitter->regex->instructions[jump].other = again;
        aim_here(emitter, again);
        return;
    }
    for (uint32_t i = tree->min; i < tree->max && !emitter->full; i++) {
        uint16_t skip = emit_split(emitter, tree->lazy);
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
    case REGEX_GROUP:
        emit_group(emitter, tree);
        return;
    }
    check(false);
}

enum err regex_compile(struct arena *arena, struct str pattern, unsigned options, const struct regex **regex,
                       struct err_note *note)
{
    const struct regex_tree *tree = NULL;
    struct regex_groups groups;
    enum err err = regex_parse(arena, pattern, options, &tree, &groups, note);
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
    result->groups = groups;
    result->instructions = arena_array(arena, made.count, sizeof(*room));
    memcpy(result->instructions, room, made.count * sizeof(*room));
    *regex = result;
    return ERR_OK;
}

uint32_t regex_group_count(const struct regex *regex)
{
    return regex->groups.count;
}

struct str regex_group_name(const struct regex *regex, uint32_t group)
{
    check(group < regex->groups.count);
    return regex->groups.names[group];
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
        case CODE_SAVE:
            next[ways++] = (uint16_t)(at + 1);
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

/* ---- finding ---- */

/* As testing, but the ways are kept in the order in which a backtracking matcher would try them, each with
 * the places it has noted; the first that matches ends all behind it. */
struct way {
    uint16_t at;
    uint32_t place; /* RESTORE: of slot `at` before it was noted */
    bool restores;
};
struct search {
    const struct regex *regex;
    struct str text;
    uint32_t slot_count;
    uint8_t *seen;
    struct way *pending;
    uint32_t *noted;      /* of the way being followed */
    uint16_t *waiting[2]; /* SET instructions reached, in order */
    uint32_t *places[2];  /* slot_count each */
    uint32_t count[2];
    size_t place; /* bytes before which all ways stand */
    bool found;
    size_t end;     /* of the best match so far; */
    uint32_t *best; /* what it noted */
    uint64_t visits;
};
enum { PARTS_ALIGNMENT = 16 };

static size_t aligned(size_t size)
{
    return (size + PARTS_ALIGNMENT - 1) / PARTS_ALIGNMENT * PARTS_ALIGNMENT;
}

static void *cut_part(char **scratch, size_t size)
{
    void *part = *scratch;
    *scratch += aligned(size);
    return part;
}

static uint32_t slots_of(const struct regex *regex)
{
    return 2 * (1 + regex->groups.count);
}

/* Each instruction is followed once a character and leaves at most two ways and what it notes. */
static size_t pending_room(const struct regex *regex)
{
    return 3 * (size_t)regex->count + 1;
}

size_t regex_scratch_size(const struct regex *regex)
{
    size_t slots = slots_of(regex) * sizeof(uint32_t);
    return aligned((size_t)regex->count / 8 + 1) + aligned(pending_room(regex) * sizeof(struct way)) +
           2 * aligned(slots) + 2 * aligned(regex->count * sizeof(uint16_t)) +
           2 * aligned(regex->count * slots);
}

static void lay_out(struct search *search, char *scratch)
{
    const struct regex *regex = search->regex;
    size_t slots = search->slot_count * sizeof(uint32_t);
    search->seen = cut_part(&scratch, (size_t)regex->count / 8 + 1);
    search->pending = cut_part(&scratch, pending_room(regex) * sizeof(struct way));
    search->noted = cut_part(&scratch, slots);
    search->best = cut_part(&scratch, slots);
    for (int side = 0; side < 2; side++) {
        search->waiting[side] = cut_part(&scratch, regex->count * sizeof(uint16_t));
        search->places[side] = cut_part(&scratch, regex->count * slots);
        search->count[side] = 0;
    }
}

static void keep(const struct search *search, uint32_t *places)
{
    memcpy(places, search->noted, search->slot_count * sizeof(*places));
}

/* A way that waits for a character, or has matched. */
static void arrive(struct search *search, uint16_t at, bool matched, int side)
{
    uint32_t count = search->count[side];
    search->visits += search->slot_count;
    if (matched) {
        search->found = true;
        search->end = search->place;
        keep(search, search->best);
        return;
    }
    search->waiting[side][count] = at;
    keep(search, search->places[side] + (size_t)count * search->slot_count);
    search->count[side]++;
}

/* Puts the ways on from an instruction, the one to be tried first on top. */
static uint32_t branch(struct search *search, uint16_t at, uint32_t depth)
{
    const struct instruction *instruction = &search->regex->instructions[at];
    uint16_t next = (uint16_t)(at + 1);
    struct way *pending = search->pending;
    switch (instruction->code) {
    case CODE_SPLIT:
        pending[depth++] = (struct way){.at = instruction->late ? next : instruction->other};
        pending[depth++] = (struct way){.at = instruction->late ? instruction->other : next};
        return depth;
    case CODE_JUMP:
        pending[depth++] = (struct way){.at = instruction->other};
        return depth;
    case CODE_SAVE:
        pending[depth++] = (struct way){
            .at = instruction->other, .place = search->noted[instruction->other], .restores = true};
        search->noted[instruction->other] = (uint32_t)search->place;
        pending[depth++] = (struct way){.at = next};
        return depth;
    case CODE_BEGIN:
        if (search->place == 0)
            pending[depth++] = (struct way){.at = next};
        return depth;
    case CODE_END:
        if (search->place == search->text.size)
            pending[depth++] = (struct way){.at = next};
        return depth;
    case CODE_SET:
    case CODE_MATCH:
        return depth;
    }
    check(false);
    return depth;
}

/* Follows, in order, all ways from `start` that take no character; `noted` is what they begin with. False
 * when one matched: what would be tried after it counts no more. */
static bool follow(struct search *search, uint16_t start, int side)
{
    uint32_t depth = 0;
    search->pending[depth++] = (struct way){.at = start};
    while (depth > 0) {
        struct way way = search->pending[--depth];
        if (way.restores) {
            search->noted[way.at] = way.place;
            continue;
        }
        uint8_t bit = (uint8_t)(1U << (way.at % 8));
        if (search->seen[way.at / 8] & bit)
            continue;
        search->seen[way.at / 8] |= bit;
        search->visits++;
        enum code code = search->regex->instructions[way.at].code;
        if (code == CODE_SET || code == CODE_MATCH)
            arrive(search, way.at, code == CODE_MATCH, side);
        if (code == CODE_MATCH)
            return false;
        depth = branch(search, way.at, depth);
    }
    return true;
}

/* A way that begins here, behind those that began earlier. */
static void begin_here(struct search *search, int side)
{
    for (uint32_t i = 0; i < search->slot_count; i++)
        search->noted[i] = REGEX_NOWHERE;
    search->noted[0] = (uint32_t)search->place;
    (void)follow(search, 0, side);
}

/* Moves all that wait on `side` over the character before the place. */
static void go_over(struct search *search, uint32_t character, int side)
{
    bool open = true;
    memset(search->seen, 0, (size_t)search->regex->count / 8 + 1);
    search->count[1 - side] = 0;
    for (uint32_t i = 0; open && i < search->count[side]; i++) {
        uint16_t at = search->waiting[side][i];
        const struct regex_set *set = search->regex->instructions[at].set;
        search->visits += set->count;
        if (!regex_set_has(set, character))
            continue;
        memcpy(search->noted, search->places[side] + (size_t)i * search->slot_count,
               search->slot_count * sizeof(*search->noted));
        open = follow(search, (uint16_t)(at + 1), 1 - side);
    }
    if (open && !search->found)
        begin_here(search, 1 - side);
}

static void tell_parts(const struct search *search, struct regex_part *parts)
{
    for (uint32_t i = 0; i < search->slot_count / 2; i++)
        parts[i] = (struct regex_part){search->best[2 * i], search->best[2 * i + 1]};
    parts[0].end = (uint32_t)search->end;
    for (uint32_t i = 0; i < search->slot_count / 2; i++)
        if (parts[i].end == REGEX_NOWHERE)
            parts[i].begin = REGEX_NOWHERE;
}

enum err regex_find(const struct regex *regex, struct str text, size_t from, void *scratch, uint64_t *work,
                    bool *found, struct regex_part *parts)
{
    struct search search = {.regex = regex, .text = text, .slot_count = slots_of(regex), .place = from};
    check(from <= text.size && text.size < REGEX_NOWHERE);
    lay_out(&search, scratch);
    memset(search.seen, 0, (size_t)regex->count / 8 + 1);
    begin_here(&search, 0);
    int side = 0;
    while (search.place < text.size && search.visits <= *work && (!search.found || search.count[side] > 0)) {
        uint32_t character = regex_character(text, &search.place);
        go_over(&search, character, side);
        side = 1 - side;
    }
    *found = search.found;
    if (search.visits > *work) {
        *work = 0;
        return ERR_LIMIT;
    }
    *work -= search.visits;
    if (search.found)
        tell_parts(&search, parts);
    return ERR_OK;
}
