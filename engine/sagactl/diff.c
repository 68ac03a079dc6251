#include "engine/sagactl/diff.h"

#include <stdio.h>
#include "engine/model/diff.h"
#include "engine/sagactl/show.h"
#include "engine/sagactl/source.h"

enum { SEVERITY_WIDTH = 9 };

static void member(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, ",\"%s\":", name);
    json_write_string(out, value);
}

static void print_json(struct invocation *invocation, const struct plan *older, const struct plan *newer,
                       const struct diff *diff)
{
    struct buf out;
    buf_init(&out, invocation->arena);
    buf_printf(&out, "{\"older\":\"%.*s@%d\",\"newer\":\"%.*s@%d\",\"same\":%s,\"running\":\"unaffected\"",
               STR_ARG(older->name), older->version, STR_ARG(newer->name), newer->version,
               diff->count == 0 ? "true" : "false");
    member(&out, "severity", str_from(diff_severity_text(diff_severity(diff))));
    buf_puts(&out, ",\"findings\":[");
    for (uint32_t i = 0; i < diff->count; i++) {
        const struct diff_finding *finding = &diff->items[i];
        enum diff_severity severity = diff_kind_severity(finding->kind);
        buf_printf(&out, "%s\n{\"severity\":\"%s\"", i > 0 ? "," : "", diff_severity_text(severity));
        member(&out, "affects", str_from(diff_audience_text(diff_kind_audience(finding->kind))));
        member(&out, "finding", str_from(diff_kind_text(finding->kind)));
        member(&out, "place", finding->place);
        member(&out, "detail", finding->detail);
        member(&out, "meaning", str_from(diff_kind_meaning(finding->kind)));
        buf_char(&out, '}');
    }
    buf_puts(&out, "]}\n");
    fwrite(out.data, 1, out.size, stdout);
}

static void print_finding(struct invocation *invocation, const struct diff_finding *finding)
{
    const char *severity = diff_severity_text(diff_kind_severity(finding->kind));
    struct str place = finding->place.size > 0 ? finding->place : STR("saga");
    printf("%-*s %.*s: %.*s\n", SEVERITY_WIDTH, severity, STR_ARG(place),
           STR_ARG(show_plain(invocation->arena, finding->detail)));
    printf("%*s %s (%s", SEVERITY_WIDTH, "", diff_kind_meaning(finding->kind), diff_kind_text(finding->kind));
    if (diff_kind_audience(finding->kind) != DIFF_NOBODY)
        printf("; %s", diff_audience_text(diff_kind_audience(finding->kind)));
    printf(")\n");
}

static unsigned count_of(const struct diff *diff, enum diff_severity severity)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < diff->count; i++)
        count += diff_kind_severity(diff->items[i].kind) == severity;
    return count;
}

/* The gravest first; within that, in the order of the file. */
static void print_text(struct invocation *invocation, const struct plan *older, const struct plan *newer,
                       const struct diff *diff)
{
    for (int severity = DIFF_BREAKING; severity >= DIFF_NOTICE; severity--)
        for (uint32_t i = 0; i < diff->count; i++)
            if ((int)diff_kind_severity(diff->items[i].kind) == severity)
                print_finding(invocation, &diff->items[i]);
    printf("%.*s version %d and version %d: ", STR_ARG(newer->name), older->version, newer->version);
    if (diff->count == 0)
        printf("they do the same.\n");
    else
        printf("%u breaking, %u unclear, %u to notice.\n", count_of(diff, DIFF_BREAKING),
               count_of(diff, DIFF_UNCLEAR), count_of(diff, DIFF_NOTICE));
    printf("Running sagas are not affected: each keeps the version it began with.\n");
    if (diff->count > 0 && newer->version <= older->version)
        printf("The newer one needs a higher version: %d or more.\n", older->version + 1);
}

int diff_run(struct invocation *invocation)
{
    struct diff diff;
    int code = INVOCATION_FINE;
    if (!invocation_expects(invocation, 2, 2))
        return INVOCATION_USAGE;
    const struct plan *older = source_load(invocation, invocation->arguments[0], &code);
    const struct plan *newer =
        older == NULL ? NULL : source_load(invocation, invocation->arguments[1], &code);
    if (newer == NULL)
        return code;
    diff_plans(older, newer, invocation->arena, &diff);
    if (invocation->json)
        print_json(invocation, older, newer, &diff);
    else
        print_text(invocation, older, newer, &diff);
    return diff_severity(&diff) == DIFF_NOTICE ? INVOCATION_FINE : INVOCATION_FAILED;
}
