/* What a file consists of: every step and block becomes a node, in the order of the file, with its id and its
 * place among the others. References and compensations depend on all of it, so it comes first. Of the keys
 * only those are looked at that say how a block is built; whoever loads the node reports the rest. */
#include "engine/definition/load.h"

#include "engine/base/check.h"

enum { KIND_COUNT = PLAN_FAIL + 1 };

struct collect {
    struct load *load;
    uint32_t entries; /* steps and blocks */
    uint32_t depth;   /* blocks around */
    uint32_t of_kind[KIND_COUNT];
};
static const struct block {
    enum keys_key key;
    enum plan_kind kind;
    enum keys_key id;
} blocks[] = {
#define X(name, key) {KEYS_BLOCK_##name, PLAN_##name, KEYS_##name##_ID},
#include "engine/definition/blocks.def"
#undef X
};
enum { BLOCK_COUNT = sizeof blocks / sizeof blocks[0] };

/* ---- nodes ---- */

static void grow(struct load *load)
{
    uint32_t room = load->node_room ? load->node_room * 2 : 16;
    struct plan_node *nodes = arena_array(load->arena, room, sizeof *nodes);
    const struct tree **trees = arena_array(load->arena, room, sizeof(struct tree *));
    for (uint32_t i = 0; i < load->plan->node_count; i++) {
        nodes[i] = load->nodes[i];
        trees[i] = load->trees[i];
    }
    load->nodes = nodes;
    load->trees = trees;
    load->node_room = room;
}

/* tree may be NULL: where it should stand is something else. */
static uint16_t add_node(struct load *load, enum plan_kind kind, uint16_t parent, uint32_t order,
                         const struct tree *tree)
{
    if (load->plan->node_count == load->node_room)
        grow(load);
    check(load->plan->node_count < UINT16_MAX);
    uint16_t index = load->plan->node_count++;
    const struct plan_node *above = &load->nodes[parent];
    struct plan_node *node = &load->nodes[index];
    *node = (struct plan_node){.kind = kind, .index = index, .parent = parent, .order = (uint16_t)order};
    if (index > 0) {
        node->loop = above->kind == PLAN_FOREACH ? parent : above->loop;
        node->scope = above->kind == PLAN_SCOPE ? parent : above->scope;
        node->place = tree ? tree->place : above->place;
    }
    node->after_pivot = load->pivot != 0 && node->scope == 0;
    load->trees[index] = tree;
    return index;
}

static uint16_t *new_children(struct load *load, uint16_t node, uint32_t count)
{
    uint16_t *children = arena_array(load->arena, count, sizeof *children);
    load->nodes[node].children = children;
    return children;
}

/* ---- ids ---- */

/* "switch:1": no author can have written it. */
static void make_id(struct collect *collect, struct plan_node *node)
{
    struct load *load = collect->load;
    bool may_lack = node->kind == PLAN_SWITCH || node->kind == PLAN_PARALLEL || node->kind == PLAN_FAIL;
    if (may_lack)
        node->id = arena_printf(load->arena, "%.*s:%u", STR_ARG(plan_kind_text(node->kind)),
                                collect->of_kind[node->kind]);
}

static void read_id(struct collect *collect, uint16_t index, enum keys_key key)
{
    struct load *load = collect->load;
    struct plan_node *node = &load->nodes[index];
    const struct tree *own = load->trees[index];
    const struct tree *id = own ? tree_get(own, keys_text(key)) : NULL;
    collect->of_kind[node->kind]++;
    if (!id)
        make_id(collect, node);
    if (!id || id->kind != TREE_STRING) /* reported with its other keys */
        return;
    node->place = id->place;
    const char *what = node->kind == PLAN_STEP ? "id of a step" : "id of a block";
    if (!load_name(load, id->text, id->place, '_', what))
        return;
    const struct tree *before = map_get(&load->ids, id->text);
    if (before) {
        problem_add(load->diags, id->place, PROBLEM_DUPLICATE_ID,
                    arena_printf(load->diags->arena, "the first one is in line %u", before->place.line),
                    "the id \"%.*s\" is taken", STR_ARG(id->text));
        return;
    }
    map_set(&load->ids, id->text, (void *)id);
    node->id = id->text;
}

/* ---- steps ---- */

static void read_pivot(struct load *load, const struct tree *item, const struct plan_node *node)
{
    const struct tree *pivot = tree_get(item, keys_text(KEYS_STEP_PIVOT));
    if (!pivot || pivot->kind != TREE_BOOL || !pivot->boolean)
        return;
    if (node->parent != 0)
        problem_add(load->diags, pivot->key_place, PROBLEM_PIVOT_IN_BLOCK,
                    STR("whether there is a way back must not depend on the way taken: move the step out of "
                        "the block"),
                    "a pivot stands in the saga's own list of steps, not within a block");
    else if (load->pivot)
        problem_add(load->diags, pivot->key_place, PROBLEM_SECOND_PIVOT,
                    arena_printf(load->diags->arena, "the first one is \"%.*s\", line %u",
                                 STR_ARG(load->nodes[load->pivot].id), load->nodes[load->pivot].place.line),
                    "a saga has one pivot at most");
    else
        load->pivot = node->index;
}

static uint16_t collect_step(struct collect *collect, const struct tree *item, uint16_t parent,
                             uint32_t order)
{
    struct load *load = collect->load;
    uint16_t index = add_node(load, PLAN_STEP, parent, order, item);
    load->plan->step_count++;
    read_id(collect, index, KEYS_STEP_ID);
    read_pivot(load, item, &load->nodes[index]);
    return index;
}

/* ---- blocks ---- */

static uint16_t collect_sequence(struct collect *collect, const struct tree *list, uint16_t parent,
                                 uint32_t order, const struct tree *own);

static bool is_list(struct load *load, const struct tree *tree)
{
    bool fine = tree && tree->kind == TREE_SEQUENCE;
    load->is_incomplete |= !fine;
    return fine;
}

/* A block that has more branches than a frame can count is cut: it is refused when it is loaded. */
static uint32_t branch_count(const struct tree *tree)
{
    return tree->count < LIMITS_CASES ? tree->count : LIMITS_CASES;
}

static void collect_cases(struct collect *collect, uint16_t block)
{
    struct load *load = collect->load;
    const struct tree *own = load->trees[block];
    const struct tree *cases =
        own && own->kind == TREE_MAPPING ? tree_get(own, keys_text(KEYS_SWITCH_CASES)) : own;
    if (!is_list(load, cases))
        return;
    uint32_t count = branch_count(cases);
    uint16_t *children = new_children(load, block, count);
    const struct tree *item = cases->first;
    for (uint32_t i = 0; i < count; i++, item = item->next) {
        const struct tree *otherwise = tree_get(item, keys_text(KEYS_ELSE_ELSE));
        const struct tree *steps = otherwise ? otherwise : tree_get(item, keys_text(KEYS_CASE_STEPS));
        children[i] = collect_sequence(collect, steps, block, i, item);
    }
    load->nodes[block].child_count = (uint16_t)count;
}

static void collect_branches(struct collect *collect, uint16_t block)
{
    struct load *load = collect->load;
    const struct tree *branches =
        load->trees[block] ? tree_get(load->trees[block], keys_text(KEYS_PARALLEL_BRANCHES)) : NULL;
    if (!branches || branches->kind != TREE_MAPPING) {
        load->is_incomplete = true;
        return;
    }
    uint32_t count = branch_count(branches);
    uint16_t *children = new_children(load, block, count);
    const struct tree *entry = branches->first;
    for (uint32_t i = 0; i < count; i++, entry = entry->next) {
        children[i] = collect_sequence(collect, entry, block, i, entry);
        load->nodes[children[i]].id = entry->key;
        load->nodes[children[i]].place = entry->key_place;
    }
    load->nodes[block].child_count = (uint16_t)count;
}

static void collect_body(struct collect *collect, uint16_t block, enum keys_key key)
{
    struct load *load = collect->load;
    const struct tree *steps = load->trees[block] ? tree_get(load->trees[block], keys_text(key)) : NULL;
    if (!is_list(load, steps))
        return;
    uint16_t *children = new_children(load, block, 1);
    children[0] = collect_sequence(collect, steps, block, 0, steps);
    load->nodes[block].child_count = 1;
}

static void collect_inside(struct collect *collect, uint16_t index)
{
    switch (collect->load->nodes[index].kind) {
    case PLAN_SWITCH:
        collect_cases(collect, index);
        break;
    case PLAN_PARALLEL:
        collect_branches(collect, index);
        break;
    case PLAN_FOREACH:
        collect_body(collect, index, KEYS_FOREACH_STEPS);
        break;
    case PLAN_SCOPE:
        collect_body(collect, index, KEYS_SCOPE_STEPS);
        break;
    case PLAN_SEQUENCE:
    case PLAN_STEP:
    case PLAN_AWAIT:
    case PLAN_WAIT:
    case PLAN_SAGA:
    case PLAN_FAIL:
        break;
    }
}

/* `value`: NULL when it has the wrong form, which was reported. */
static uint16_t collect_block(struct collect *collect, const struct tree *entry, const struct tree *value,
                              const struct block *block, uint16_t parent, uint32_t order)
{
    struct load *load = collect->load;
    uint16_t index = add_node(load, block->kind, parent, order, value);
    load->nodes[index].place = entry->key_place;
    load->is_incomplete |= !value;
    read_id(collect, index, block->id);
    if (collect->depth == LIMITS_DEPTH) {
        problem_add(load->diags, entry->key_place, PROBLEM_TOO_LARGE, STR(""),
                    "blocks stand in one another at most %d deep", LIMITS_DEPTH);
        load->is_incomplete = true;
        return index;
    }
    collect->depth++;
    collect_inside(collect, index);
    collect->depth--;
    return index;
}

/* ---- entries ---- */

/* The block that the entry is; NULL: it is a step. */
static const struct block *find_block(const struct tree *item)
{
    for (int i = 0; i < BLOCK_COUNT; i++) {
        if (tree_get(item, keys_text(blocks[i].key)))
            return &blocks[i];
    }
    return NULL;
}

/* An entry with several keys one of which is a block's. */
static void refuse_company(struct load *load, const struct tree *item, const struct tree *entry)
{
    const struct tree *other = item->first == entry ? entry->next : item->first;
    problem_add(load->diags, other->key_place, PROBLEM_ONE_OF,
                arena_printf(load->diags->arena,
                             "what belongs to `%.*s` stands below it, further to the right",
                             STR_ARG(entry->key)),
                "an entry with `%.*s` has no other key", STR_ARG(entry->key));
}

static struct str all_blocks(struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, "there are %d:", BLOCK_COUNT);
    for (int i = 0; i < BLOCK_COUNT; i++)
        buf_printf(&text, "%s `%.*s`",
                   i == 0                 ? ""
                   : i == BLOCK_COUNT - 1 ? " and"
                                          : ",",
                   STR_ARG(keys_text(blocks[i].key)));
    buf_puts(&text, "; a step has an `id` and a `command`");
    return buf_str(&text);
}

/* Neither a step nor a block: a mapping whose only key is none of a step's, nor reads like one. */
static bool refuse_no_block(struct load *load, const struct tree *item)
{
    const struct tree *entry = item->first;
    if (item->kind != TREE_MAPPING || item->count != 1 || keys_has(KEYS_TABLE_STEP, entry->key))
        return false;
    struct problem_guess guess = problem_guess_for(entry->key);
    for (int i = 0; i < BLOCK_COUNT; i++)
        problem_guess_try(&guess, keys_text(blocks[i].key));
    bool nests = entry->kind == TREE_MAPPING || entry->kind == TREE_SEQUENCE;
    if (!nests && keys_lead(KEYS_TABLE_STEP, entry->key).size > 0)
        return false;
    struct str hint = keys_lead(KEYS_TABLE_BLOCK, entry->key);
    if (hint.size == 0)
        hint = problem_guess_hint(&guess, load->diags->arena, all_blocks(load->diags->arena));
    problem_add(load->diags, entry->key_place, PROBLEM_UNKNOWN_KEY, hint, "there is no block \"%.*s\"",
                STR_ARG(entry->key));
    return true;
}

/* False when it is no entry at all, which is reported. */
static bool collect_entry(struct collect *collect, const struct tree *item, uint16_t parent, uint32_t order,
                          uint16_t *index)
{
    struct load *load = collect->load;
    const struct block *block = find_block(item);
    if (item->kind == TREE_BROKEN || (!block && refuse_no_block(load, item))) {
        load->is_incomplete = true;
        return false;
    }
    if (item->kind != TREE_MAPPING) {
        problem_add(load->diags, item->place, PROBLEM_WRONG_TYPE,
                    STR("such as `- id: charge`, with its other keys below"), "a step is a mapping, not %s",
                    tree_kind_text(item->kind));
        return false;
    }
    if (++collect->entries > LIMITS_STEPS)
        return false;
    if (!block) {
        *index = collect_step(collect, item, parent, order);
        return true;
    }
    const struct tree *entry = tree_get(item, keys_text(block->key));
    if (item->count > 1)
        refuse_company(load, item, entry);
    struct keys_values values = {0};
    if (item->count == 1)
        keys_read(item, KEYS_TABLE_BLOCK, load->diags, &values);
    *index = collect_block(collect, entry, values.of[block->key], block, parent, order);
    return true;
}

static uint16_t collect_sequence(struct collect *collect, const struct tree *list, uint16_t parent,
                                 uint32_t order, const struct tree *own)
{
    struct load *load = collect->load;
    uint16_t index = add_node(load, PLAN_SEQUENCE, parent, order, own);
    if (!is_list(load, list))
        return index;
    uint16_t count = 0;
    uint16_t *children = new_children(load, index, list->count);
    for (const struct tree *item = list->first; item; item = item->next) {
        if (collect_entry(collect, item, index, count, &children[count]))
            count++;
    }
    load->nodes[index].child_count = count;
    return index;
}

/* From here on nodes stay where they are. */
static void settle(struct load *load)
{
    load->plan->nodes = load->nodes;
    for (uint16_t i = 1; i < load->plan->node_count; i++) {
        struct plan_node *node = &load->nodes[i];
        if (node->kind != PLAN_SEQUENCE && map_get(&load->ids, node->id))
            map_set(&load->ids, node->id, node);
    }
    load_path_events(load);
}

void load_nodes(struct load *load, const struct tree *list)
{
    struct collect collect = {.load = load};
    (void)collect_sequence(&collect, list, 0, 0, list);
    settle(load);
    if (collect.entries > LIMITS_STEPS)
        problem_add(load->diags, list->key_place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                    "a saga has at most %d steps and blocks, this one has more", LIMITS_STEPS);
}
