#include "api/openapi.h"
#include "api/openapi_text.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/definition/tree.h"

struct str openapi_yaml(void)
{
    return (struct str){(const char *)openapi_text, openapi_text_size};
}

struct str openapi_to_json(struct arena *arena)
{
    struct diag_list diags;
    struct buf out;
    diag_init(&diags, arena, STR("openapi.yaml"), openapi_yaml());
    const struct tree *tree = tree_read(arena, openapi_yaml(), &diags);
    check(tree && diags.error_count == 0);
    buf_init(&out, arena);
    json_write(&out, tree_json(arena, tree));
    buf_char(&out, '\n');
    return buf_str(&out);
}
