#include "engine/sagactl/editor.h"

#include <stdio.h>
#include "engine/definition/language.h"

int editor_run(struct invocation *invocation)
{
    if (!invocation_expects(invocation, 0, 0))
        return INVOCATION_USAGE;
    struct str schema = language_schema(invocation->arena);
    printf("%.*s", STR_ARG(schema));
    return INVOCATION_FINE;
}
