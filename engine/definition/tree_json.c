/* Nodes of a read file as JSON, and members by name. Part of tree.h; called by the loader. Never changes the
 * tree. */
#include "engine/definition/tree.h"

#include "engine/base/check.h"

const struct tree *tree_get(const struct tree *mapping, struct str key)
{
    check(mapping != NULL);
    if (mapping->kind != TREE_MAPPING)
        return NULL;
    for (const struct tree *entry = mapping->first; entry; entry = entry->next) {
        if (str_equal(entry->key, key))
            return entry;
    }
    return NULL;
}

static const struct json *json_of_sequence(struct arena *arena, const struct tree *tree)
{
    const struct json **items = arena_array(arena, tree->count, sizeof(struct json *));
    uint32_t count = 0;
    for (const struct tree *item = tree->first; item; item = item->next)
        items[count++] = tree_json(arena, item);
    return json_new_array(arena, items, count);
}

static const struct json *json_of_mapping(struct arena *arena, const struct tree *tree)
{
    struct json_member *members = arena_array(arena, tree->count, sizeof *members);
    uint32_t count = 0;
    for (const struct tree *entry = tree->first; entry; entry = entry->next)
        members[count++] = (struct json_member){.key = entry->key, .value = tree_json(arena, entry)};
    return json_new_object(arena, members, count);
}

const struct json *tree_json(struct arena *arena, const struct tree *tree)
{
    switch (tree->kind) {
    case TREE_NULL:
    case TREE_BROKEN:
        return &json_null;
    case TREE_BOOL:
        return json_new_bool(tree->boolean);
    case TREE_NUMBER:
        return json_new_number(arena, tree->text);
    case TREE_STRING:
        return json_new_string(arena, tree->text);
    case TREE_SEQUENCE:
        return json_of_sequence(arena, tree);
    case TREE_MAPPING:
        return json_of_mapping(arena, tree);
    }
    check_never("unknown tree kind");
}

const char *tree_kind_text(enum tree_kind kind)
{
    switch (kind) {
    case TREE_NULL:
        return "nothing";
    case TREE_BOOL:
        return "true or false";
    case TREE_NUMBER:
        return "a number";
    case TREE_STRING:
        return "a text";
    case TREE_SEQUENCE:
        return "a list";
    case TREE_MAPPING:
        return "a mapping";
    case TREE_BROKEN:
        return "a broken value";
    }
    check_never("unknown tree kind");
}
