#include "engine/sagactl/validate.h"

#include <stdio.h>
#include "engine/definition/definition.h"

static bool validate_file(struct invocation *invocation, const char *path, bool json)
{
    struct diag_list diags = {0};
    struct err_note note = {""};
    struct buf out;
    const struct plan *plan = NULL;
    buf_init(&out, invocation->arena);
    enum err error = definition_load_file(invocation->arena, path, &diags, &plan, &note);
    if (error == ERR_IO) {
        fprintf(stderr, "sagactl: %s\n", note.text);
        return false;
    }
    if (json)
        diag_render_json(&diags, &out);
    else
        diag_render(&diags, &out);
    struct str text = buf_str(&out);
    if (json || text.size > 0)
        printf("%.*s%s", STR_ARG(text), json ? "\n" : "");
    if (plan != NULL && !json)
        printf("%s: fine: %.*s version %d, %u steps, %u participants\n", path, STR_ARG(plan->name),
               plan->version, (unsigned)plan->step_count, plan->participant_count);
    return plan != NULL;
}

int validate_run(struct invocation *invocation)
{
    if (!invocation_expects(invocation, 1, 10000))
        return INVOCATION_USAGE;
    bool fine = true;
    for (int i = 0; i < invocation->argument_count; i++)
        fine = validate_file(invocation, invocation->arguments[i], invocation->json) && fine;
    return fine ? INVOCATION_FINE : INVOCATION_FAILED;
}
