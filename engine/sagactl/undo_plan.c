#include "engine/sagactl/undo_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/sagactl/http.h"
#include "engine/sagactl/show.h"

struct showing {
    struct invocation *invocation;
    const struct json *plan;
};

static struct str text(const struct showing *showing, const struct json *object, const char *name)
{
    return show_plain(showing->invocation->arena, json_get_str(object, str_from(name)));
}

static bool flag(const struct json *object, const char *name)
{
    const struct json *value = json_get(object, str_from(name));
    return value != NULL && value->kind == JSON_BOOL && value->boolean;
}

static int64_t number(const struct json *object, const char *name)
{
    int64_t value = 0;
    (void)json_get_i64(object, str_from(name), &value);
    return value;
}

static void print_head(const struct showing *showing)
{
    struct str status = text(showing, showing->plan, "status"),
               refused = text(showing, showing->plan, "refused");
    if (!flag(showing->plan, "possible"))
        printf("it is %.*s, and cannot be cancelled: %.*s\n", STR_ARG(status), STR_ARG(refused));
    else if (str_equal(text(showing, showing->plan, "direction"), STR("back")))
        printf("it is %.*s%s; still to come:\n", STR_ARG(status),
               str_equal(status, STR("compensating")) ? "" : ", and goes back already");
    else
        printf("it is %.*s; a cancel would do this:\n", STR_ARG(status));
}

static void print_wait(const struct showing *showing, const struct json *wait)
{
    printf("  wait for the answer to %.*s of %.*s, attempt %" PRId64 ", until %.*s\n",
           STR_ARG(text(showing, wait, "kind")), STR_ARG(text(showing, wait, "step")),
           number(wait, "attempt"), STR_ARG(text(showing, wait, "until")));
}

/* Commands of one round bear one number: they go out side by side. */
static void print_command(const struct showing *showing, const struct json *command)
{
    struct str body = show_plain(showing->invocation->arena,
                                 json_text(showing->invocation->arena, json_get(command, STR("body"))));
    struct str child = text(showing, command, "child");
    printf("  %" PRId64 ". %.*s/%.*s/%" PRId64 " to %.*s with %.*s%s%.*s%s\n", number(command, "round"),
           STR_ARG(text(showing, command, "step")), STR_ARG(text(showing, command, "kind")),
           number(command, "attempt"), STR_ARG(text(showing, command, "to")), STR_ARG(body),
           child.size > 0 ? ", child saga " : "", STR_ARG(child),
           flag(command, "if_done") ? ", if it turns out to have happened" : "");
}

static void print_kept(const struct showing *showing, const struct json *left)
{
    printf("  not undone: %.*s, which is %.*s: %.*s\n", STR_ARG(text(showing, left, "step")),
           STR_ARG(text(showing, left, "state")), STR_ARG(text(showing, left, "reason")));
}

static void print_stuck(const struct showing *showing, const struct json *left)
{
    printf("  a human decides about %.*s, which is %.*s: %.*s: %.*s\n", STR_ARG(text(showing, left, "step")),
           STR_ARG(text(showing, left, "state")), STR_ARG(text(showing, left, "code")),
           STR_ARG(text(showing, left, "reason")));
}

static void print_each(const struct showing *showing, const char *name,
                       void (*print)(const struct showing *showing, const struct json *item))
{
    const struct json *items = json_get(showing->plan, str_from(name));
    for (uint32_t i = 0; items != NULL && i < items->count; i++)
        print(showing, items->items[i]);
}

static void print_end(const struct showing *showing)
{
    if (!flag(showing->plan, "possible"))
        return;
    if (flag(showing->plan, "paused"))
        printf("  all of it once somebody resumes it\n");
    printf("and rests %.*s\n", STR_ARG(text(showing, showing->plan, "ends")));
}

int undo_plan_run(struct invocation *invocation)
{
    struct id id;
    if (!invocation_expects(invocation, 1, 1) || !invocation_id(invocation, invocation->arguments[0], &id))
        return INVOCATION_USAGE;
    struct str path =
        arena_printf(invocation->arena, "/v1/sagas/%s/compensation-plan", invocation->arguments[0]);
    struct http_answer answer = http_request(invocation, "GET", path, (struct str){0}, NULL);
    int code = http_outcome(invocation, &answer);
    if (code != INVOCATION_FINE)
        return code;
    struct showing showing = {invocation, answer.body};
    int outcome = flag(answer.body, "possible") ? INVOCATION_FINE : INVOCATION_FAILED;
    if (invocation->json) {
        printf("%.*s\n", STR_ARG(show_plain(invocation->arena, json_text(invocation->arena, answer.body))));
        return outcome;
    }
    print_head(&showing);
    print_each(&showing, "waits", print_wait);
    print_each(&showing, "commands", print_command);
    print_each(&showing, "stuck", print_stuck);
    print_each(&showing, "kept", print_kept);
    print_end(&showing);
    return outcome;
}
