/* `sagactl check`: runs the explorer on files and prints what it found, as text or JSON. Called by main.c.
 * Never needs a service or a server. */
#include "engine/sagactl/check.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/base/duration.h"
#include "engine/base/json.h"
#include "engine/definition/definition.h"
#include "engine/model/explore.h"

static const struct plan *load(struct invocation *invocation, const char *path)
{
    struct diag_list diags = {0};
    struct err_note note = {""};
    struct buf out;
    const struct plan *plan = NULL;
    buf_init(&out, invocation->arena);
    if (definition_load_file(invocation->arena, path, &diags, &plan, &note) == ERR_IO) {
        fprintf(stderr, "sagactl check: %s\n", note.text);
        return NULL;
    }
    diag_render(&diags, &out);
    fprintf(stderr, "%.*s", STR_ARG(buf_str(&out)));
    return plan;
}

static const char *verdict_text(enum explore_verdict verdict)
{
    switch (verdict) {
    case EXPLORE_PROVED:
        return "proved";
    case EXPLORE_REFUTED:
        return "refuted";
    case EXPLORE_CAPPED:
        return "incomplete";
    }
    return "";
}

/* Proved, but some of it in vain. */
static bool is_unreached(const struct invocation *invocation, const struct explore_result *result)
{
    return result->verdict == EXPLORE_PROVED && result->unreached_count > 0 &&
           invocation_option(invocation, "allow-unreached") == NULL;
}

static void print_outcome(const struct explore_outcome *outcome)
{
    struct str status = core_status_text(outcome->status);
    printf("  %.*s", STR_ARG(status));
    if (outcome->step.size > 0)
        printf(" at %.*s", STR_ARG(outcome->step));
    if (outcome->code.size > 0)
        printf(": %.*s", STR_ARG(outcome->code));
    printf("\n");
}

/* "27d 9h": the two largest units, rounded up. */
static struct str span_text(struct arena *arena, int64_t span_us)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
    enum { UNITS = sizeof units / sizeof units[0] };
    int64_t seconds = (span_us + DURATION_SECOND_US - 1) / DURATION_SECOND_US;
    int first = 0;
    while (first < UNITS - 1 && seconds < units[first].seconds)
        first++;
    if (first == UNITS - 1)
        return arena_printf(arena, "%" PRId64 "s", seconds);
    int64_t small = units[first + 1].seconds;
    int64_t count = (seconds + small - 1) / small, each = units[first].seconds / small;
    if (count % each == 0)
        return arena_printf(arena, "%" PRId64 "%s", count / each, units[first].name);
    return arena_printf(arena, "%" PRId64 "%s %" PRId64 "%s", count / each, units[first].name, count % each,
                        units[first + 1].name);
}

static void print_time(struct arena *arena, const struct explore_time *time)
{
    struct str forward = span_text(arena, time->forward_us);
    struct str back = span_text(arena, time->back_us);
    if (time->unbounded.size > 0)
        printf("time to an end or a park: no bound, for %.*s may take any time\n", STR_ARG(time->unbounded));
    else if (time->back_us == 0)
        printf("time to an end or a park: at most %.*s\n", STR_ARG(forward));
    else
        printf("time to an end or a park: forward at most %.*s, then back at most %.*s\n", STR_ARG(forward),
               STR_ARG(back));
}

static void print_text(struct arena *arena, const char *path, const struct explore_result *result,
                       uint64_t states_max)
{
    bool unreached = result->verdict == EXPLORE_PROVED && result->unreached_count > 0;
    printf("%s: %s", path, verdict_text(result->verdict));
    if (unreached)
        printf(", but %" PRIu32 " branch%s never reached", result->unreached_count,
               result->unreached_count == 1 ? "" : "es");
    printf(": %" PRIu64 " states, %" PRIu64 " transitions, %" PRIu32 " choice%s of data\n", result->states,
           result->transitions, result->data_sets, result->data_sets == 1 ? "" : "s");
    if (result->verdict == EXPLORE_REFUTED) {
        printf("broken: %.*s\n  %.*s\nHow (two attempts stand for any budget):\n\n%.*s",
               STR_ARG(result->property), STR_ARG(result->detail), STR_ARG(result->timeline));
        return;
    }
    if (result->verdict == EXPLORE_CAPPED)
        printf("NOT ALL WAS SEEN: nothing was found in %" PRIu64 " states%s\n", result->states,
               result->states > states_max ? ", which is the cap: see --states" : "");
    if (result->data_left_out > 0)
        printf("  %" PRIu32
               " choice%s of data that may decide otherwise %s left out, %d being the most: check a part "
               "alone, or make\n  parts child sagas, so that one definition decides less\n",
               result->data_left_out, result->data_left_out == 1 ? "" : "s",
               result->data_left_out == 1 ? "was" : "were", EXPLORE_DATA_MAX);
    print_time(arena, &result->time);
    printf("commands under way at once: at most %" PRIu32 "\noutcomes:\n", result->in_flight_max);
    for (uint32_t i = 0; i < result->outcome_count; i++)
        print_outcome(&result->outcomes[i]);
    for (uint32_t i = 0; i < result->unreached_count; i++)
        printf("%s reached: %.*s\n", result->verdict == EXPLORE_CAPPED ? "not yet" : "never",
               STR_ARG(result->unreached[i]));
}

static void put_member(struct buf *out, const char *name, struct str text)
{
    buf_printf(out, ",\"%s\":", name);
    json_write_string(out, text);
}

static void put_json(struct buf *out, const char *path, const struct explore_result *result, bool unreached)
{
    buf_puts(out, "{\"file\":");
    json_write_string(out, str_from(path));
    put_member(out, "verdict", str_from(unreached ? "unreached" : verdict_text(result->verdict)));
    buf_printf(out,
               ",\"states\":%" PRIu64 ",\"transitions\":%" PRIu64 ",\"data\":%" PRIu32
               ",\"in_flight_max\":%" PRIu32 ",\"outcomes\":[",
               result->states, result->transitions, result->data_sets, result->in_flight_max);
    for (uint32_t i = 0; i < result->outcome_count; i++) {
        const struct explore_outcome *outcome = &result->outcomes[i];
        buf_puts(out, i > 0 ? ",{\"status\":" : "{\"status\":");
        json_write_string(out, core_status_text(outcome->status));
        put_member(out, "step", outcome->step);
        put_member(out, "code", outcome->code);
        buf_char(out, '}');
    }
    buf_puts(out, "],\"unreached\":[");
    for (uint32_t i = 0; i < result->unreached_count; i++) {
        buf_puts(out, i > 0 ? "," : "");
        json_write_string(out, result->unreached[i]);
    }
    buf_printf(out, "],\"time\":{\"forward_us\":%" PRId64 ",\"back_us\":%" PRId64, result->time.forward_us,
               result->time.back_us);
    put_member(out, "unbounded", result->time.unbounded);
    buf_char(out, '}');
    if (result->verdict == EXPLORE_REFUTED) {
        put_member(out, "property", result->property);
        put_member(out, "detail", result->detail);
        put_member(out, "timeline", result->timeline);
    }
    buf_char(out, '}');
}

/* --states; false after a sentence. */
static bool read_cap(const struct invocation *invocation, uint64_t *states_max)
{
    const char *text = invocation_option(invocation, "states");
    int64_t number = EXPLORE_STATES_DEFAULT;
    bool fine = text == NULL || (str_to_i64(str_from(text), &number) && number > 0);
    if (!fine)
        fprintf(stderr, "sagactl check: --states takes a whole number above 0, not \"%s\"\n", text);
    *states_max = (uint64_t)number;
    return fine;
}

int check_run(struct invocation *invocation)
{
    struct explore_options options = {0};
    struct explore_result result;
    struct buf out;
    if (!invocation_expects(invocation, 1, 1) || !read_cap(invocation, &options.states_max))
        return INVOCATION_USAGE;
    const char *path = invocation->arguments[0];
    const struct plan *plan = load(invocation, path);
    if (plan == NULL)
        return INVOCATION_FAILED;
    explore_run(plan, &options, invocation->arena, &result);
    if (invocation->json) {
        buf_init(&out, invocation->arena);
        put_json(&out, path, &result, is_unreached(invocation, &result));
        printf("%.*s\n", STR_ARG(buf_str(&out)));
    } else {
        print_text(invocation->arena, path, &result, options.states_max);
    }
    if (is_unreached(invocation, &result))
        return INVOCATION_UNREACHED;
    return result.verdict == EXPLORE_PROVED    ? INVOCATION_FINE
           : result.verdict == EXPLORE_REFUTED ? INVOCATION_FAILED
                                               : INVOCATION_CAPPED;
}
