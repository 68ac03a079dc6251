#include "api/openapi.h"
#include <yaml.h>
#include "api/openapi_text.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/json.h"

struct str openapi_yaml(void)
{
    return (struct str){(const char *)openapi_text, openapi_text_size};
}

/* A plain scalar that is a JSON literal or number stays one; all others are strings. */
static void put_scalar(struct buf *out, const yaml_node_t *node)
{
    struct arena *arena = out->arena;
    struct str text = {(const char *)node->data.scalar.value, node->data.scalar.length};
    const struct json *value = NULL;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && text.size && json_parse(arena, text, text.size, &value, NULL) == ERR_OK)
        json_write(out, value);
    else
        json_write_string(out, text);
}

static void put_node(struct buf *out, yaml_document_t *document, int index, unsigned depth)
{
    yaml_node_t *node = yaml_document_get_node(document, index);
    check(node && depth < 32);
    switch (node->type) {
    case YAML_SCALAR_NODE:
        put_scalar(out, node);
        return;
    case YAML_SEQUENCE_NODE:
        buf_char(out, '[');
        for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
             item++) {
            if (item > node->data.sequence.items.start)
                buf_char(out, ',');
            put_node(out, document, *item, depth + 1);
        }
        buf_char(out, ']');
        return;
    case YAML_MAPPING_NODE:
        buf_char(out, '{');
        for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
             pair++) {
            yaml_node_t *key = yaml_document_get_node(document, pair->key);
            if (pair > node->data.mapping.pairs.start)
                buf_char(out, ',');
            json_write_string(out,
                              (struct str){(const char *)key->data.scalar.value, key->data.scalar.length});
            buf_char(out, ':');
            put_node(out, document, pair->value, depth + 1);
        }
        buf_char(out, '}');
        return;
    case YAML_NO_NODE:
        check(false);
    }
}

struct str openapi_to_json(struct arena *arena)
{
    yaml_parser_t parser;
    yaml_document_t document;
    struct str text = openapi_yaml();
    check(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.size);
    check(yaml_parser_load(&parser, &document));
    struct buf out;
    buf_init(&out, arena);
    put_node(&out, &document, 1, 0);
    buf_char(&out, '\n');
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return buf_str(&out);
}
