#include "engine/sagactl/validate.h"

#include <stdio.h>
#include "engine/definition/definition.h"

/* Appends the mistakes as JSON objects, without the brackets of a list. */
static void add_json(struct buf *all, const struct diag_list *diags)
{
    struct buf one;
    buf_init(&one, all->arena);
    diag_render_json(diags, &one);
    struct str text = str_trim(buf_str(&one));
    struct str objects = str_trim(str_slice(text, 1, text.size - 1));
    if (objects.size > 0 && buf_str(all).size > 0)
        buf_puts(all, ",\n");
    buf_put(all, objects);
}

static bool validate_file(struct invocation *invocation, const char *path, struct buf *json)
{
    struct diag_list diags = {0};
    struct err_note note = {""};
    struct buf out;
    const struct plan *plan = NULL;
    buf_init(&out, invocation->arena);
    enum err error = definition_load_file(invocation->arena, path, &diags, &plan, &note);
    if (error == ERR_IO) {
        fprintf(stderr, "sagactl validate: %s\n", note.text);
        return false;
    }
    if (invocation->json) {
        add_json(json, &diags);
        return plan != NULL;
    }
    diag_render(&diags, &out);
    printf("%.*s", STR_ARG(buf_str(&out)));
    if (plan != NULL)
        printf("%s: fine: %.*s version %d, %u step%s, %u participant%s\n", path, STR_ARG(plan->name),
               plan->version, (unsigned)plan->step_count, plan->step_count == 1 ? "" : "s",
               plan->participant_count, plan->participant_count == 1 ? "" : "s");
    return plan != NULL;
}

int validate_run(struct invocation *invocation)
{
    struct buf json;
    buf_init(&json, invocation->arena);
    if (!invocation_expects(invocation, 1, INVOCATION_FILES_MAX))
        return INVOCATION_USAGE;
    bool fine = true;
    for (int i = 0; i < invocation->argument_count; i++)
        fine = validate_file(invocation, invocation->arguments[i], &json) && fine;
    if (invocation->json)
        printf("[%.*s]\n", STR_ARG(buf_str(&json)));
    return fine ? INVOCATION_FINE : INVOCATION_FAILED;
}
