/* The sequence of steps: nodes, ids and the pivot come first, since references and compensations depend on
 * them. */
#include "engine/definition/load.h"

#include "engine/base/map.h"
#include "engine/definition/word.h"

static const struct str blocks[] = {
#define X(key) WORD(key),
#include "engine/definition/blocks.def"
#undef X
};

/* A block of the language that is not run yet: reported. */
static bool refuse_block(struct load *load, const struct tree *item)
{
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        const struct tree *block = tree_get(item, blocks[i]);
        if (!block)
            continue;
        problem_add(load->diags, block->key_place, PROBLEM_NOT_SUPPORTED,
                    STR("this version runs sequences of steps"), "`%.*s` is not supported yet",
                    STR_ARG(blocks[i]));
        load->has_blocks = true;
        return true;
    }
    return false;
}

static void read_id(struct load *load, const struct tree *item, struct plan_node *node, struct map *ids)
{
    const struct tree *id = tree_get(item, keys_text(KEYS_STEP_ID));
    if (!id || id->kind != TREE_STRING) /* reported with the step's other keys */
        return;
    node->place = id->place;
    if (!load_name(load, id->text, id->place, '_', "id of a step"))
        return;
    const struct tree *before = map_get(ids, id->text);
    if (before) {
        problem_add(load->diags, id->place, PROBLEM_DUPLICATE_ID,
                    arena_printf(load->diags->arena, "the first one is in line %u", before->place.line),
                    "the id \"%.*s\" is taken", STR_ARG(id->text));
        return;
    }
    map_set(ids, id->text, (void *)id);
    node->id = id->text;
}

static void read_pivot(struct load *load, const struct tree *item, const struct plan_node *node)
{
    const struct tree *pivot = tree_get(item, keys_text(KEYS_STEP_PIVOT));
    if (!pivot || pivot->kind != TREE_BOOL || !pivot->boolean)
        return;
    if (load->pivot)
        problem_add(load->diags, pivot->key_place, PROBLEM_SECOND_PIVOT,
                    arena_printf(load->diags->arena, "the first one is \"%.*s\", line %u",
                                 STR_ARG(load->nodes[load->pivot].id), load->nodes[load->pivot].place.line),
                    "a saga has one pivot at most");
    else
        load->pivot = node->index;
}

static void collect_step(struct load *load, const struct tree *item, uint16_t *children, struct map *ids)
{
    struct plan_node *root = &load->nodes[0];
    uint16_t index = load->plan->node_count++;
    struct plan_node *node = &load->nodes[index];
    *node = (struct plan_node){.kind = PLAN_STEP,
                               .index = index,
                               .order = root->child_count,
                               .after_pivot = load->pivot != 0,
                               .place = item->place,
                               .step = &load->steps[index]};
    load->trees[index] = item;
    children[root->child_count++] = index;
    load->plan->step_count++;
    read_id(load, item, node, ids);
    read_pivot(load, item, node);
}

static void collect(struct load *load, const struct tree *list)
{
    uint16_t *children = arena_array(load->arena, list->count, sizeof *children);
    struct map ids;
    map_init(&ids);
    load->nodes[0].children = children;
    for (const struct tree *item = list->first; item; item = item->next) {
        if (item->kind == TREE_BROKEN)
            load->has_blocks = true;
        else if (item->kind != TREE_MAPPING)
            problem_add(load->diags, item->place, PROBLEM_WRONG_TYPE,
                        STR("such as `- id: charge`, with its other keys below"),
                        "a step is a mapping, not %s", tree_kind_text(item->kind));
        else if (!refuse_block(load, item))
            collect_step(load, item, children, &ids);
    }
    map_fini(&ids);
}

void load_steps(struct load *load, const struct tree *list)
{
    uint32_t count = list ? list->count : 0;
    if (list && count == 0)
        problem_add(load->diags, list->key_place, PROBLEM_NO_STEPS, STR(""), "a saga has at least one step");
    if (count > LIMITS_STEPS) {
        problem_add(load->diags, list->key_place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                    "a saga has at most %d steps, this one has %u", LIMITS_STEPS, count);
        count = 0;
    }
    load->nodes = arena_array(load->arena, count + 1, sizeof *load->nodes);
    load->steps = arena_array(load->arena, count + 1, sizeof *load->steps);
    load->trees = arena_array(load->arena, count + 1, sizeof(struct tree *));
    load->nodes[0].kind = PLAN_SEQUENCE;
    load->plan->nodes = load->nodes;
    load->plan->node_count = 1;
    if (!count)
        return;
    load->nodes[0].place = list->place;
    collect(load, list);
    for (uint16_t i = 1; i < load->plan->node_count; i++)
        load_step(load, i);
}
